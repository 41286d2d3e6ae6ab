"""Fitting of a linear latent map to an autoencoder: pictures encoded, decoded, and least squares between the two.

Only sums are kept, of the pictures that are fitted to and of those held out, so that memory does not grow with them:
R² follows from the sums as well as from the pictures.

The pictures are synthetic, so that no file travels with the program: dead leaves (Lee, Mumford and Huang 2001) have the
edges and the occlusion of photographs, 1/f noise their spectrum, and gradients their calm parts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.latent_map import LatentMap, MapFittingProgress
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.diffusion.latents.codec import LatentCodec, area_average
from sculptor_app.diffusion.pipelines.layout import NoPictureOfLatents

SEED = 20_261_125
PICTURES = 24
LATENT_SIDE = 24
"""Latents along an edge of the example pictures: the decoders' attention sees a whole scene, and a CPU copes."""
LEAST_LATENT_SIDE = 8
MOST_EXAMPLE_SIDE_PX = 1024
"""Fewer latents are taken where they would make larger pictures."""
BUDGET_S = 60.0
"""Seconds after which no further picture is taken up; on a CPU a large autoencoder needs several for each."""
LEAST_PICTURES = 7
HELD_OUT_EVERY = 4
"""Every fourth picture, the third of each four, is held out."""
RIDGE = 1e-8
"""Share of the latents' mean variance that is added to each: enough against channels that say the same or nothing."""
LEAST_VARIANCE = (2 / 255) ** 2
"""Decoded pictures that vary by less than one step of 8 bits are all alike: there is nothing to explain."""
Floats = NDArray[np.float64]


def fit_latent_map(
    codec: LatentCodec,
    stop: threading.Event,
    pictures: Iterable[Frame] | None = None,
    planned: int = PICTURES,
    budget_s: float = BUDGET_S,
) -> Generator[MapFittingProgress, None, LatentMap]:
    """Fit a latent map to an autoencoder, a picture at a time; yields its progress after each.

    Args:
        stop: Set from any thread to end the fitting before the next picture.
        pictures: (3, H, W) float32 in [-1, 1] each; larger ones are cut to whole latents. None is `example_pictures`.
        planned: How many of them to take, at least LEAST_PICTURES.
        budget_s: After so many seconds those taken so far must do, if they are LEAST_PICTURES.

    Raises:
        Cancelled: `stop` was set.
        NoPictureOfLatents: The autoencoder gave no picture, or NaN or infinite values, or the pictures were too few.
        OutOfDeviceMemory: There is too little memory for a picture.
    """
    started = time.monotonic()
    channels, factor = codec.layout.channels, codec.layout.factor
    fitted, held_out = Sums.empty(channels), Sums.empty(channels)
    if pictures is None:
        pictures = example_pictures(planned, example_side_px(factor))
    done = 0
    for picture in pictures:
        if stop.is_set():
            raise Cancelled
        if done == planned or (done >= LEAST_PICTURES and time.monotonic() - started > budget_s):
            break
        _add(held_out if done % HELD_OUT_EVERY == 2 else fitted, codec, picture, factor)
        done += 1
        yield MapFittingProgress(done, planned)
    if done < LEAST_PICTURES:
        raise NoPictureOfLatents(
            translate("errors", "A latent map needs {0} pictures; there were {1}.").format(LEAST_PICTURES, done),
            translate("errors", "Give more."),
        )
    return solve(fitted, held_out)


def example_side_px(factor: int) -> int:
    """Edge in pixels of the example pictures of an autoencoder that makes so many of a latent."""
    return max(LEAST_LATENT_SIDE, min(LATENT_SIDE, MOST_EXAMPLE_SIDE_PX // factor)) * factor


def _add(sums: Sums, codec: LatentCodec, picture: Frame, factor: int) -> None:
    _, height, width = picture.shape
    latents = codec.encode(picture[:, : height - height % factor, : width - width % factor])
    decoded = codec.decode(latents)
    if decoded.shape != (3, latents.shape[1] * factor, latents.shape[2] * factor):
        raise NoPictureOfLatents(
            translate("errors", "Latents of the shape {0} were decoded to {1}, not to {2} times their size.").format(
                latents.shape, decoded.shape, factor
            ),
            translate("errors", "They can be decoded, but not be seen through a linear map."),
        )
    colours = area_average(decoded, factor)
    if not (np.isfinite(latents).all() and np.isfinite(colours).all()):
        raise NoPictureOfLatents(
            translate("errors", "The autoencoder made NaN or infinite values."),
            translate("errors", "Load the model in float32, or choose another."),
        )
    sums.add(latents, colours)


@dataclass
class Sums:
    """Sums over pixels of the products of features X (9C and a 1) and colours Y (3)."""

    xx: Floats  # (9C + 1, 9C + 1); its last element is how many pixels there are
    xy: Floats  # (9C + 1, 3)
    yy: Floats  # (3,), of the squares
    pictures: int = 0  # how many pictures they come from

    @classmethod
    def empty(cls, channels: int) -> Sums:
        """Sums over no pictures."""
        width = 9 * channels + 1
        return cls(np.zeros((width, width)), np.zeros((width, 3)), np.zeros(3))

    def add(self, latents: Frame, colours: Floats) -> None:
        """Add a picture's latents (C, h, w) and its colours (3, h, w)."""
        features = _features(latents)
        targets = colours.reshape(3, -1).T
        self.xx += features.T @ features
        self.xy += features.T @ targets
        self.yy += (targets**2).sum(axis=0)
        self.pictures += 1


def _features(latents: Frame) -> Floats:
    """(h·w, 9C + 1): for every pixel its neighbourhood, channel by channel and row by row, and a 1."""
    _, height, width = latents.shape
    padded = np.pad(latents.astype(np.float64), ((0, 0), (1, 1), (1, 1)), mode="edge")
    shifted = [padded[:, row : row + height, column : column + width] for row in range(3) for column in range(3)]
    columns = np.stack(shifted, axis=1).reshape(-1, height * width)
    return np.concatenate([columns, np.ones((1, height * width))]).T


def solve(fitted: Sums, held_out: Sums) -> LatentMap:
    """Latent map by least squares, with its R² on the pictures held out."""
    count = fitted.xx[-1, -1]
    x_mean, y_mean = fitted.xx[:-1, -1] / count, fitted.xy[-1] / count
    covariance = fitted.xx[:-1, :-1] / count - np.outer(x_mean, x_mean)
    crossed = fitted.xy[:-1] / count - np.outer(x_mean, y_mean)
    covariance[np.diag_indices_from(covariance)] += RIDGE * covariance.trace() / len(covariance)
    weights = np.linalg.lstsq(covariance, crossed, rcond=1e-14)[0]  # as solve, but also where all latents are zero
    solution = np.concatenate([weights, (y_mean - x_mean @ weights)[None]])
    shares, overall = _r_squared(solution, held_out)
    kernel = weights.T.reshape(3, -1, 3, 3)
    return LatentMap(
        np.ascontiguousarray(kernel, dtype=np.float32),
        solution[-1].astype(np.float32),
        shares,
        overall,
        fitted.pictures,
        held_out.pictures,
    )


def _r_squared(solution: Floats, sums: Sums) -> tuple[tuple[float, float, float], float]:
    """R² of each colour and of all: 1 less what is left of the squares, over the squares around the mean."""
    count = sums.xx[-1, -1]
    total = sums.yy - sums.xy[-1] ** 2 / count
    left = sums.yy - 2 * (solution * sums.xy).sum(axis=0) + ((sums.xx @ solution) * solution).sum(axis=0)
    red, green, blue = (_share(left[colour], total[colour], count) for colour in range(3))
    return (red, green, blue), _share(left.sum(), total.sum(), 3 * count)


def _share(left: float, total: float, count: float) -> float:
    return float(1 - left / total) if total > LEAST_VARIANCE * count else 0.0


def example_pictures(count: int, size_px: int, seed: int = SEED) -> Iterator[Frame]:
    """Dead leaves, 1/f noise, gradients and textures in turn, (3, size_px, size_px) float32 in [-1, 1] each."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        picture = _KINDS[number % len(_KINDS)](size_px, generator)
        yield np.clip(picture, -1, 1).astype(np.float32)


def _colour(generator: np.random.Generator) -> Floats:
    """(3, 1, 1): the channels go together as they do in photographs, most colours are dull."""
    grey = generator.uniform(-0.9, 0.9)
    return np.clip(grey + generator.normal(0, generator.choice([0.1, 0.4]), 3), -1, 1)[:, None, None]


def _grid(size_px: int) -> tuple[Floats, Floats]:
    """Row and column of every pixel, −1 to 1."""
    axis = (np.arange(size_px) + 0.5) / size_px * 2 - 1
    return axis[:, None] * np.ones(size_px), axis * np.ones((size_px, 1))


def _fractal(size_px: int, generator: np.random.Generator, exponent: float) -> Floats:
    """(3, H, W) noise whose amplitude falls as 1/f^exponent, of standard deviation 1 in each channel, correlated."""
    frequency = np.hypot(np.fft.fftfreq(size_px)[:, None], np.fft.rfftfreq(size_px))
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(generator.standard_normal((3, size_px, size_px)))
    planes = np.fft.irfft2(white / frequency**exponent, s=(size_px, size_px))
    planes /= planes.std(axis=(1, 2), keepdims=True)
    together: Floats = 0.95 * planes[:1] + 0.3 * planes
    return together


def _fractal_picture(size_px: int, generator: np.random.Generator) -> Floats:
    return _colour(generator) * 0.6 + generator.uniform(0.1, 0.45) * _fractal(size_px, generator, 1.0)


def _gradient(size_px: int, generator: np.random.Generator) -> Floats:
    """Two colours that run into each other, and a smooth cloud over them."""
    rows, columns = _grid(size_px)
    angle = generator.uniform(0, 2 * np.pi)
    share = np.clip(0.5 + 0.5 * (rows * np.sin(angle) + columns * np.cos(angle)), 0, 1)
    blend = _colour(generator) * share + _colour(generator) * (1 - share)
    cloudy: Floats = blend + 0.1 * _fractal(size_px, generator, 2.0)
    return cloudy


def _texture(size_px: int, generator: np.random.Generator) -> Floats:
    """Stripes that bend, in two colours, with a fine grain."""
    rows, columns = _grid(size_px)
    angle, waves = generator.uniform(0, np.pi), generator.uniform(2, size_px / 16)
    along = rows * np.sin(angle) + columns * np.cos(angle) + 0.05 * _fractal(size_px, generator, 1.5)[0]
    share = 0.5 + 0.5 * np.sin(np.pi * waves * along)
    blend = _colour(generator) * share + _colour(generator) * (1 - share)
    grained: Floats = blend + generator.uniform(0, 0.15) * _fractal(size_px, generator, 0.5)
    return grained


def _dead_leaves(size_px: int, generator: np.random.Generator) -> Floats:
    """Discs and slabs of every size over one another, each shaded and grained."""
    rows, columns = _grid(size_px)
    grain = _fractal(size_px, generator, 0.7)
    picture = np.broadcast_to(_colour(generator), (3, size_px, size_px)).copy()
    for radius in 0.05 / generator.uniform(0.05, 0.8, 60)[::-1]:
        row, column = generator.uniform(-1.1, 1.1, 2)
        angle, flatness = generator.uniform(0, np.pi), generator.uniform(0.3, 1)
        down, across = rows - row, columns - column
        u = (down * np.cos(angle) + across * np.sin(angle)) / radius
        v = (across * np.cos(angle) - down * np.sin(angle)) / (radius * flatness)
        distance = np.hypot(u, v) if generator.random() < 0.7 else np.maximum(np.abs(u), np.abs(v))
        cover = np.clip((1 - distance) * radius * size_px / 2 + 0.5, 0, 1)  # one pixel wide: no jagged edge
        shade = generator.uniform(-0.4, 0.4) * u + generator.uniform(0, 0.15) * grain
        picture += cover * (_colour(generator) + shade - picture)
    return picture


_KINDS: tuple[Callable[[int, np.random.Generator], Floats], ...] = (
    _dead_leaves, _fractal_picture, _gradient, _dead_leaves, _texture,
)  # fmt: skip
