"""Colour quantisation: k-means in a space where lightness counts for more, and the palette of captions and charts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sculptor_app.exports.animation.drawing import Scenes, SheetDetail

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

LIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)
"""Rec. 601 weights of gamma-coded red, green and blue."""

LIGHTNESS_WEIGHT = 2.0
"""How much a squared difference in lightness adds to the squared distance in RGB. 0 is plain RGB; with 2 structural
similarity rises by what costs 0.3 dB of PSNR."""

SHEET_COLOURS: dict[SheetDetail, int] = {"paper": 2, "caption": 28, "chart": 72}
"""Colours of a palette that sheets take up, and that the pictures are left without."""

_ROUNDS = 6
_TRAINING_PIXELS = 6144
_EXACT_PIXELS = 32_768
_CUBE_BITS = 5


def distance(difference: Floats) -> Floats:
    """Squared distance, weighted by lightness, of RGB differences (..., 3)."""
    plain = np.einsum("...c,...c->...", difference, difference)
    weighted: Floats = plain + LIGHTNESS_WEIGHT * (difference @ LIGHTNESS) ** 2
    return weighted


def distinct(pixels: Bytes) -> tuple[Bytes, NDArray[np.intp], NDArray[np.intp]]:
    """The different colours (Q, 3) of pixels (P, 3), each pixel's colour (P,), and how often each is there (Q,)."""
    keys = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    found, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    colours = np.stack([found >> 16, (found >> 8) & 255, found & 255], axis=1).astype(np.uint8)
    return colours, inverse, counts


def quantised(pixels: Bytes, most: int) -> tuple[Bytes, Bytes]:
    """Choose colours for pixels.

    Args:
        pixels: (P, 3) uint8, P >= 1.
        most: most colours, 1..255.

    Returns:
        The indices (P,) uint8 and the palette (Q, 3) uint8, Q <= most. Exact where there are no more colours than that.
    """
    training = pixels if len(pixels) <= _TRAINING_PIXELS else pixels[:: -(-len(pixels) // _TRAINING_PIXELS)]
    if len(distinct(training)[0]) <= most:
        colours, indices, _ = distinct(pixels)
        if len(colours) <= most:
            return indices.astype(np.uint8), colours
    palette = _learned(training, most)
    return nearest(pixels, palette), palette


def nearest(pixels: Bytes, palette: Bytes) -> Bytes:
    """Index (P,) uint8 of the nearest colour; for very many pixels from a cube of 32³ colours."""
    if len(pixels) <= _EXACT_PIXELS:
        return _nearest(_features(pixels), palette)
    steps = (np.arange(1 << _CUBE_BITS, dtype=np.float32) + 0.5) * (1 << (8 - _CUBE_BITS)) - 0.5
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    table = _nearest(_features(cube), palette)
    coarse = (pixels >> (8 - _CUBE_BITS)).astype(np.uint16)
    key = (coarse[:, 0] << (2 * _CUBE_BITS)) | (coarse[:, 1] << _CUBE_BITS) | coarse[:, 2]
    indices: Bytes = table[key]
    return indices


def _learned(pixels: Bytes, most: int) -> Bytes:
    """A few rounds of k-means (Lloyd 1982) that start from pixels spread over the picture.

    Median cut is a better start, but takes longer than the rounds that make up for it.
    """
    palette = pixels[:: len(pixels) // most][:most].astype(np.float32)
    features, values = _features(pixels), pixels.astype(np.float32)
    for _ in range(_ROUNDS):
        palette = _centres(values, _nearest(features, palette), palette)
    return np.rint(palette).astype(np.uint8)


def _centres(values: Floats, indices: NDArray[np.integer], palette: Floats) -> Floats:
    """Mean colour of each index; a colour that nothing uses stays."""
    counts = np.bincount(indices, minlength=len(palette))
    sums = np.stack([np.bincount(indices, values[:, channel], len(palette)) for channel in range(3)], axis=1)
    means = sums / np.maximum(counts, 1)[:, None]
    return np.where(counts[:, None] > 0, means, palette).astype(np.float32)


def _features(pixels: NDArray[np.generic]) -> Floats:
    """(P, 4): red, green, blue and weighted lightness; plain distances between them are `distance`s."""
    values = pixels.astype(np.float32)
    lightness = (values @ LIGHTNESS)[:, None] * np.float32(np.sqrt(LIGHTNESS_WEIGHT))
    return np.concatenate([values, lightness], axis=1)


def _nearest(features: Floats, palette: NDArray[np.generic]) -> Bytes:
    colours = _features(palette)
    squares = np.einsum("pc,pc->p", colours, colours)
    indices: Bytes = np.argmin(squares - 2 * (features @ colours.T), axis=1).astype(np.uint8)
    return indices


class SheetPalette:
    """The palette of the sheets of an animation, and the indices of a sheet in it.

    Args:
        samples: (H, W, 3) uint8, some of the sheets.
        most: colours; the commonest half of them, the paper among them, are exact.
    """

    def __init__(self, samples: Sequence[Bytes], most: int) -> None:
        found, _, counts = distinct(np.concatenate([sample.reshape(-1, 3) for sample in samples]))
        common = found[np.argsort(-counts)]
        exact, rest = common[: most // 2], common[most // 2 :]
        self.colours: Bytes = exact if not len(rest) else np.concatenate([exact, quantised(rest, most - len(exact))[1]])
        self._drawn: Bytes | None = None
        self._indexed: Bytes | None = None

    @classmethod
    def of(cls, scenes: Scenes) -> "SheetPalette":
        """The palette of these scenes' sheets."""
        return cls(scenes.sample_sheets(), SHEET_COLOURS[scenes.detail])

    def indexed(self, sheet: Bytes) -> Bytes:
        """Indices (H, W) of a sheet (H, W, 3); only what differs from the sheet before is looked up."""
        if self._drawn is None or self._indexed is None:
            changed, indexed = np.ones(sheet.shape[:2], bool), np.zeros(sheet.shape[:2], np.uint8)
        else:
            changed, indexed = (sheet != self._drawn).any(2), self._indexed.copy()
        if changed.any():
            own, inverse, _ = distinct(sheet[changed])
            indexed[changed] = nearest(own, self.colours)[inverse]
        self._drawn, self._indexed = sheet, indexed
        return indexed
