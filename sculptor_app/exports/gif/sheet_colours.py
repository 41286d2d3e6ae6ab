"""The few colours in which everything beside the pictures is drawn, the same in all frames of an animation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sculptor_app.exports.gif.palette import distinct, nearest, quantised

Bytes = NDArray[np.uint8]

PLAIN_COLOURS = 2
CAPTION_COLOURS = 28
CHART_COLOURS = 72


class SheetPalette:
    """Chooses the colours of sheets and puts sheets into them.

    Args:
        samples: RGB pictures of some of the sheets.
        most: colours; the commonest half of them, the paper among them, are exact.
    """

    def __init__(self, samples: Sequence[Image.Image], most: int) -> None:
        pixels = np.concatenate([np.asarray(sample).reshape(-1, 3) for sample in samples])
        found, _, counts = distinct(pixels)
        common = found[np.argsort(-counts)]
        exact, rest = common[: most // 2], common[most // 2 :]
        self.colours: Bytes = exact if not len(rest) else np.concatenate([exact, quantised(rest, most - len(exact))[1]])
        self._drawn: Bytes | None = None
        self._indexed: Bytes | None = None

    def indexed(self, sheet: Image.Image) -> Bytes:
        """Indices (H, W) of a sheet; only what differs from the sheet before is looked up."""
        pixels = np.asarray(sheet)
        if self._drawn is None or self._indexed is None:
            changed, indexed = np.ones(pixels.shape[:2], bool), np.zeros(pixels.shape[:2], np.uint8)
        else:
            changed, indexed = (pixels != self._drawn).any(2), self._indexed.copy()
        if changed.any():
            own, inverse, _ = distinct(pixels[changed])
            indexed[changed] = nearest(own, self.colours)[inverse]
        self._drawn, self._indexed = pixels, indexed
        return indexed
