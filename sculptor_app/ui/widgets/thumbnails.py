"""Small pictures of states, made when they are first looked at and kept up to a number of bytes."""

import time
from collections import OrderedDict
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

Source = Callable[[int], QImage | None]

SPARE_MS = 1.0
"""What making new pictures may take of one painting: a film that is dragged would hold up the hand for each of them."""


def shrunk(image: QImage, side_px: int) -> QImage:
    """The picture scaled into a square of side_px; larger ones smoothly, smaller ones with crisp pixels of one size."""
    longest = max(image.width(), image.height())
    if longest < side_px:
        whole = -(-side_px // longest)
        image = image.scaled(image.width() * whole, image.height() * whole)
    if max(image.width(), image.height()) == side_px:
        return image
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return image.scaled(side_px, side_px, keep, smooth)


class Thumbnails:
    """A cache that forgets what was looked at longest ago.

    Args:
        budget_bytes: what the small pictures may take together.
        clock: seconds of work; the processor's time of this thread, as a run in another thread stretches the wall's.

    Attributes:
        owed: states whose pictures were left for a later painting.
    """

    def __init__(self, budget_bytes: int = 32 * 1024 * 1024, clock: Callable[[], float] = time.thread_time) -> None:
        self._budget = budget_bytes
        self._clock = clock
        self._until_s = float("inf")
        self.owed: set[int] = set()
        self._source: Source | None = None
        self._kept: OrderedDict[tuple[int, int], QImage] = OrderedDict()
        self._bytes = 0
        self.made = 0

    @property
    def size_bytes(self) -> int:
        """What the kept pictures take now."""
        return self._bytes

    def set_source(self, source: Source | None) -> None:
        """Takes pictures from elsewhere and forgets the old ones."""
        self._source = source
        self.clear()

    def clear(self) -> None:
        """Forgets every picture."""
        self._kept.clear()
        self.owed.clear()
        self._bytes = 0

    def begin_painting(self) -> None:
        """From now on, new pictures are made for SPARE_MS (one at least); the others are left for the next painting."""
        self._until_s = self._clock() + SPARE_MS / 1000

    def get(self, index: int, side_px: int) -> QImage | None:
        """The small picture of a state, side_px device pixels wide at most; None where there is none, or none yet."""
        key = (index, side_px)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if self._clock() > self._until_s:
            self.owed.add(index)
            return None
        self.owed.discard(index)
        image = self._source(index) if self._source is not None else None
        if image is None or image.isNull():
            return None
        self.made += 1
        return self._keep(key, shrunk(image, side_px))

    def _keep(self, key: tuple[int, int], small: QImage) -> QImage:
        self._kept[key] = small
        self._bytes += small.sizeInBytes()
        while self._bytes > self._budget and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.sizeInBytes()
        return small
