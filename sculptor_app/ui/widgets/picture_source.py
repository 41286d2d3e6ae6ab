"""Pictures and thumbnails of a trajectory as QImages, made when they are asked for and kept within a budget."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QImage

from sculptor_app.core.errors import TrajectoryFileError
from sculptor_app.measures.frame_kinds import FrameKind

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.measures.pictures import Picture

THUMBNAIL_PX = 128
"""Least size of what the filmstrip is given; it shrinks it further."""

DECODED_BYTES = 96 * 2**20
"""Most bytes of frames that were decoded one by one: about 20 of 512×512."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture ready to be painted."""

    image: QImage | None  # Format_RGB32, which Qt paints quickest; None where there is nothing to show
    limit: float | None = None  # of chips, the value at either end of the colour scale
    why_empty: str = ""  # in plain words, where there is no image
    seen: str = ""  # of latents, how they became colours, in plain words; empty for pixels
    numbers: Frame | None = None  # decoded, (3, H, W) about -1 to 1; None: the run's own numbers


def to_image(picture: Picture) -> QImage | None:
    """A picture's colours in an image of its own."""
    if picture.rgb32 is None:
        return None
    height, width = picture.rgb32.shape
    # QImage only borrows the array; the copy outlives it.
    return QImage(picture.rgb32.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()


def png_of(image: QImage) -> bytes:
    """The file that holds an image; empty for none."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the stubs want bytes, Qt takes both
    return bytes(buffer.data().data())


class PictureSource:
    """Pictures of one trajectory, the recent ones kept."""

    def __init__(self, budget_bytes: int = 24 * 2**20) -> None:
        self._budget_bytes = budget_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[int, FrameKind], Shown] = OrderedDict()
        self._decoded: OrderedDict[tuple[int, FrameKind], Shown] = OrderedDict()
        self._trajectory: AnyTrajectory | None = None

    def set_trajectory(self, trajectory: AnyTrajectory | None) -> None:
        """Look at another trajectory from now on; pictures of the one before are forgotten."""
        if trajectory is not self._trajectory:
            self._decoded.clear()
        self._trajectory = trajectory
        self._kept.clear()
        self._bytes = 0

    @property
    def bytes_kept(self) -> int:
        """Bytes of the images that are kept."""
        return self._bytes

    def shown(self, k: int, kind: FrameKind) -> Shown:
        """The picture of state or step k; nothing to show while there is no trajectory."""
        if self._trajectory is None:
            return Shown(None)
        if (k, kind) in self._decoded:
            self._decoded.move_to_end((k, kind))
            return self._decoded[k, kind]
        key = (1 if k and _is_same_throughout(self._trajectory, kind) else k, kind)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        try:
            picture = _picture(self._trajectory, k, kind)
        except TrajectoryFileError as error:  # the file was damaged, or has gone, since it was opened
            return Shown(None, why_empty=error.message)
        made = Shown(to_image(picture), picture.limit, picture.note, picture.seen)
        if made.image is not None:  # what is empty now may come: a twin when the run is finished
            self._keep(key, made)
        return made

    def has_decoded(self, k: int, kind: FrameKind) -> bool:
        """Whether `keep_decoded` was given that picture, and it is still kept."""
        return (k, kind) in self._decoded

    def keep_decoded(self, k: int, kind: FrameKind, numbers: Frame, seen: str) -> None:
        """Show a frame of latents as its decoder does, from now on.

        `numbers` is (3, H, W), about -1 to 1; `seen` says how it was decoded.
        """
        from sculptor_app.measures import pictures

        image = to_image(pictures.coloured(numbers, kind, "pixels"))
        self._decoded[k, kind] = Shown(image, seen=seen, numbers=numbers)
        while len(self._decoded) > 1 and sum(map(_bytes_of, self._decoded.values())) > DECODED_BYTES:
            self._decoded.popitem(last=False)

    def forget_decoded(self) -> None:
        """Show all frames as they are seen without a decoder."""
        self._decoded.clear()

    def thumbnail(self, k: int, kind: FrameKind) -> QImage | None:
        """The picture of step k for the filmstrip, which keeps a small copy; the noisy state where there is no such."""
        if self._trajectory is None or k > self._trajectory.last:
            return None
        kept = self._kept.get((k, kind)) if _every(self._trajectory) == 1 else None
        if kept is not None and kept.image is not None:
            return kept.image
        try:
            return to_image(_small_picture(self._trajectory, k, kind))
        except TrajectoryFileError:
            return None

    def _keep(self, key: tuple[int, FrameKind], made: Shown) -> None:
        self._kept[key] = made
        self._bytes += _bytes_of(made)
        while self._bytes > self._budget_bytes and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _bytes_of(dropped)


def _is_same_throughout(trajectory: AnyTrajectory, kind: FrameKind) -> bool:
    from sculptor_app.measures import pictures

    return pictures.is_same_throughout(trajectory, kind)


def _picture(trajectory: AnyTrajectory, k: int, kind: FrameKind) -> Picture:
    # Imported here: numpy comes with it, and the window is to be on screen before.
    from sculptor_app.measures import pictures

    return pictures.picture(trajectory, k, kind)


def _small_picture(trajectory: AnyTrajectory, k: int, kind: FrameKind) -> Picture:
    """The picture of every n-th pixel: a filmstrip that is dragged makes twenty of them in one frame of the display."""
    from sculptor_app.measures import pictures

    numbers = pictures.frame(trajectory, k, kind)
    if numbers is None:
        kind = FrameKind.NOISY_STATE
        numbers = pictures.frame(trajectory, k, kind)
        assert numbers is not None  # every step has a state
    info = trajectory.info
    return pictures.coloured(numbers, kind, info.space, info.latent_map, _every(trajectory))


def _every(trajectory: AnyTrajectory) -> int:
    """A thumbnail is one pixel in so many of a large picture; their mean would have less noise than the picture has."""
    longer_px: int = max(trajectory.shape[1:])
    return max(1, longer_px // THUMBNAIL_PX)


def _bytes_of(shown: Shown) -> int:
    numbers = 0 if shown.numbers is None else int(shown.numbers.nbytes)
    return numbers + (0 if shown.image is None else shown.image.sizeInBytes())


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
    """

    def __init__(self, budget_bytes: int = 32 * 1024 * 1024, clock: Callable[[], float] = time.thread_time) -> None:
        self._budget = budget_bytes
        self._clock = clock
        self._until_s = float("inf")
        self.owed: set[int] = set()  # states whose pictures were left for a later painting
        self._source: Source | None = None
        self._kept: OrderedDict[tuple[int, int], QImage] = OrderedDict()
        self._bytes = 0
        self.made = 0
        self.generation = 0  # another one has other pictures of the same states

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
        self.generation += 1
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
