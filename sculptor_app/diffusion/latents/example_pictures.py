"""Pictures made by rule, to learn from them what an autoencoder's latents look like: no file travels with the program.

Dead leaves (Lee, Mumford & Huang 2001) have the edges and the occlusion of photographs, 1/f noise their spectrum, and
gradients their calm parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.step import Frame

SEED = 20_261_125
Plane = NDArray[np.float64]


def example_pictures(count: int, size_px: int, seed: int = SEED) -> Iterator[Frame]:
    """Dead leaves, 1/f noise, gradients and textures in turn; the same seed gives the same pictures.

    Args:
        count: how many.
        size_px: edge.
        seed: of all of them.

    Yields:
        (3, size_px, size_px) float32 in [-1, 1].
    """
    generator = np.random.default_rng(seed)
    for number in range(count):
        picture = _KINDS[number % len(_KINDS)](size_px, generator)
        yield np.clip(picture, -1, 1).astype(np.float32)


def _colour(generator: np.random.Generator) -> Plane:
    """(3, 1, 1): the channels go together as they do in photographs, most colours are dull."""
    grey = generator.uniform(-0.9, 0.9)
    return np.clip(grey + generator.normal(0, generator.choice([0.1, 0.4]), 3), -1, 1)[:, None, None]


def _grid(size_px: int) -> tuple[Plane, Plane]:
    """Row and column of every pixel, −1 to 1."""
    axis = (np.arange(size_px) + 0.5) / size_px * 2 - 1
    return axis[:, None] * np.ones(size_px), axis * np.ones((size_px, 1))


def _fractal(size_px: int, generator: np.random.Generator, exponent: float) -> Plane:
    """(3, H, W) noise whose amplitude falls as 1/f^exponent, of standard deviation 1 in each channel, correlated."""
    frequency = np.hypot(np.fft.fftfreq(size_px)[:, None], np.fft.rfftfreq(size_px))
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(generator.standard_normal((3, size_px, size_px)))
    planes = np.fft.irfft2(white / frequency**exponent, s=(size_px, size_px))
    planes /= planes.std(axis=(1, 2), keepdims=True)
    together: Plane = 0.95 * planes[:1] + 0.3 * planes
    return together


def _fractal_picture(size_px: int, generator: np.random.Generator) -> Plane:
    return _colour(generator) * 0.6 + generator.uniform(0.1, 0.45) * _fractal(size_px, generator, 1.0)


def _gradient(size_px: int, generator: np.random.Generator) -> Plane:
    """Two colours that run into each other, and a smooth cloud over them."""
    rows, columns = _grid(size_px)
    angle = generator.uniform(0, 2 * np.pi)
    share = np.clip(0.5 + 0.5 * (rows * np.sin(angle) + columns * np.cos(angle)), 0, 1)
    blend = _colour(generator) * share + _colour(generator) * (1 - share)
    cloudy: Plane = blend + 0.1 * _fractal(size_px, generator, 2.0)
    return cloudy


def _texture(size_px: int, generator: np.random.Generator) -> Plane:
    """Stripes that bend, in two colours, with a fine grain."""
    rows, columns = _grid(size_px)
    angle, waves = generator.uniform(0, np.pi), generator.uniform(2, size_px / 16)
    along = rows * np.sin(angle) + columns * np.cos(angle) + 0.05 * _fractal(size_px, generator, 1.5)[0]
    share = 0.5 + 0.5 * np.sin(np.pi * waves * along)
    blend = _colour(generator) * share + _colour(generator) * (1 - share)
    grained: Plane = blend + generator.uniform(0, 0.15) * _fractal(size_px, generator, 0.5)
    return grained


def _dead_leaves(size_px: int, generator: np.random.Generator) -> Plane:
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


_KINDS: tuple[Callable[[int, np.random.Generator], Plane], ...] = (
    _dead_leaves, _fractal_picture, _gradient, _dead_leaves, _texture,
)  # fmt: skip
