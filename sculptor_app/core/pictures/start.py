"""The start of a run: a picture at a level (img2img), or a noise that is given, blended or painted.

A run from a picture adds noise to it up to the level of one of the sampler's own states and samples on from there, as
in SDEdit (Meng et al. 2022, section 3.2): the more of the steps it takes, the less of the picture is left.

Blending follows the arc of the sphere that both noises lie on. Noise of n values lies close to a sphere of radius √n: a
straight line between two noises would dip into it, halfway to 0.71 of the radius, where no noise is ever found. Source:
Shoemake 1985, section 3.3 (slerp).

A painted stroke adds a soft patch of light, dark or colour. The lowest frequencies of the noise are what makes the
picture: there a picture's signal stands out of the noise first. But a patch puts many times the power into them that
noise ever has, and from such a start the model makes blots. So the power of every ring of frequencies can be held to
what one noise in a hundred exceeds: the stroke decides *where* the light goes, the noise how much of it there is. In
every ring the coefficients of white noise are independent Gaussians, so that their mean power follows a chi-square
distribution with as many degrees of freedom as the ring has coefficients.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sculptor_app.core.requests.request import Point, RequestError, Stroke
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.step import Frame

Floats = NDArray[np.float64]

MOST_CONTRAST = 1.5
"""Farthest from 0 that a picture's values may lie. Guesses reach somewhat beyond [-1, 1]; what goes farther is on
another scale, 0 to 255 say."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The start of a run.

    Frames are copied and read-only. Their size must be the model's, which is known when the run starts.

    Attributes:
        picture: (3, S, S) float32, about [-1, 1], that is noised and denoised again; None starts from noise alone.
        noise: (3, S, S) float32 of unit variance (the state that it becomes has the sampler's own scale). None draws it
            from the request's seed, as the first of the seed's draws: it is the noise that a whole run of the seed
            starts from. Where it is given, the seed's first draws go to the sampler, if it adds noise of its own.
        first_step: the first of the request's steps that is taken, 1 to all of them; later than 1 only with a picture.

    Raises:
        RequestError: A frame is none, there is neither, or a later step is to start from noise.
    """

    picture: Frame | None = None
    noise: Frame | None = None
    first_step: int = 1
    origin: str = ""  # where picture or noise came from, in a few words, as it is shown and travels in exported files

    def __post_init__(self) -> None:
        if self.picture is None and self.noise is None:
            raise RequestError(translate("errors", "There is neither a picture nor a noise to start from; give one."))
        if isinstance(self.first_step, bool) or not isinstance(self.first_step, int) or self.first_step < 1:
            raise RequestError(
                translate("errors", "The first step is {0!r}; choose a whole number, 1 and more.").format(
                    self.first_step
                )
            )
        if self.first_step > 1 and self.picture is None:
            raise RequestError(
                translate(
                    "errors", "Step {0} cannot start from noise alone; give a picture, or start at step 1."
                ).format(self.first_step)
            )
        for name in ("picture", "noise"):
            object.__setattr__(self, name, _checked(name, getattr(self, name)))
        if self.picture is not None and np.abs(self.picture).max() > MOST_CONTRAST:
            low, high = self.picture.min(), self.picture.max()
            raise RequestError(
                translate("errors", "The picture's values are {0:g} to {1:g}; bring them to -1 to 1.").format(low, high)
            )

    def check_fits(self, steps: int, size: int) -> None:
        """Refuse a start that a run cannot have.

        Args:
            size: edge in pixels of the model's pictures.

        Raises:
            RequestError: The first step comes after the last, or a frame has another size.
        """
        if self.first_step > steps:
            raise RequestError(
                translate("errors", "The first step is {0} of {1}; choose 1 to {1}.").format(self.first_step, steps)
            )
        for name, frame in (("picture", self.picture), ("noise", self.noise)):
            if frame is not None and frame.shape[1] != size:
                edge = frame.shape[1]
                raise RequestError(
                    translate("errors", "The {0} has {1} by {1} pixels; bring it to the model's {2} by {2}.").format(
                        name, edge, size
                    )
                )


def start_of(run: AnyTrajectory) -> Start | None:
    """The start of a run that is at hand; None if it began with its seed's noise, or with what nobody kept.

    Raises:
        TrajectoryFileError: It comes from a file, and is damaged.
        RequestError: What a file says cannot be a start.
    """
    picture, noise = run.start_picture(), run.start_noise()
    if picture is None and noise is None:
        return None
    return Start(picture, noise, run.info.first_step, run.info.origin)


def first_step_of(level: float, steps: int) -> int:
    """The step at which a run starts that begins part of the way from a picture to pure noise.

    The way is counted in steps, not in noise: level 0.5 of 50 steps takes the last 25 of them and starts at step 26;
    level 1 takes all and starts at step 1. A level between two steps goes to the nearer one, the noisier one in the
    middle; the lowest takes one step.

    Args:
        level: above 0, the picture as it is, up to 1, pure noise.
        steps: N of a whole run.

    Raises:
        RequestError: The level is outside.
    """
    if not 0 < level <= 1:
        raise RequestError(
            translate(
                "errors", "The level is {0:g}; choose above 0, where nothing would be carved, up to 1, pure noise."
            ).format(level)
        )
    return steps + 1 - max(1, math.floor(level * steps + 0.5))


def _checked(name: str, frame: Frame | None) -> Frame | None:
    if frame is None:
        return None
    if not isinstance(frame, np.ndarray) or frame.dtype != np.float32:
        kind = getattr(frame, "dtype", type(frame).__name__)
        raise RequestError(translate("errors", "The {0} is of {1}; give an array of float32.").format(name, kind))
    if frame.ndim != 3 or frame.shape[0] != 3 or frame.shape[1] != frame.shape[2] or frame.size == 0:
        raise RequestError(
            translate("errors", "The {0} has the shape {1}; give three channels of a square.").format(name, frame.shape)
        )
    if not np.isfinite(frame).all():
        raise RequestError(translate("errors", "The {0} holds NaN or infinity; choose another.").format(name))
    kept = np.ascontiguousarray(frame).copy()
    kept.setflags(write=False)
    return kept


_LEAST_SINE = 1e-6
"""Below it two directions are one, or opposite, to the last figure of float32."""


def slerp(start: Frame, end: Frame, share: float) -> Frame:
    """The noise so far on the way from one noise to another; both ends are exact.

    The radius goes evenly from that of the one to that of the other. From a noise to its opposite all great circles are
    equally short; the one through the noise shifted by one value is taken, the same at every share.

    Args:
        start: (C, H, W).
        share: 0 at the start, 1 at the end.

    Returns:
        (C, H, W) float32.

    Raises:
        ValueError: The shapes differ, a noise is all zero, or the share is outside 0..1.
    """
    if start.shape != end.shape:
        raise ValueError(f"noises of the shapes {start.shape} and {end.shape} cannot be blended")
    if not 0 <= share <= 1:
        raise ValueError(f"the share of a blend is {share}; allowed is 0 to 1")
    if share in (0, 1):
        return np.array(end if share else start, np.float32)
    (one, from_radius), (other, to_radius) = _direction(start), _direction(end)
    angle = math.acos(min(1.0, max(-1.0, float(one @ other))))
    radius = (1 - share) * from_radius + share * to_radius
    return (radius * _between(one, other, angle, share)).reshape(start.shape).astype(np.float32)


def _between(one: NDArray[np.float64], other: NDArray[np.float64], angle: float, share: float) -> NDArray[np.float64]:
    """The unit vector at `share` of the way from one unit vector to another, `angle` apart."""
    if math.sin(angle) >= _LEAST_SINE:
        return (math.sin((1 - share) * angle) * one + math.sin(share * angle) * other) / math.sin(angle)
    if angle < 1:
        return one
    aside = np.roll(one, 1)
    aside -= (aside @ one) * one
    length = float(np.linalg.norm(aside))
    if length < _LEAST_SINE:
        raise ValueError("two opposite noises of one value have no noise between them")
    return math.cos(share * math.pi) * one + math.sin(share * math.pi) * (aside / length)


def _direction(noise: Frame) -> tuple[NDArray[np.float64], float]:
    vector = noise.astype(np.float64).ravel()
    length = float(np.linalg.norm(vector))
    if length == 0:
        raise ValueError("a noise that is zero everywhere lies in no direction")
    return vector / length, length


Z_99 = 2.3263
"""Quantile of the normal distribution that one in a hundred exceeds."""

_AXES = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]) / np.sqrt([[3], [2], [6]])
"""Light, and two axes of colour: an orthonormal basis, so that white noise is white along each of them, too."""


def painted(noise: Frame, strokes: Sequence[Stroke], others: Sequence[Frame], stays_noise: bool = True) -> Frame:
    """A noise with strokes on it, of mean 0 and variance 1 in every channel.

    Args:
        noise: (3, H, W).
        strokes: In the order in which they were made.
        others: The noise of each stroke's own seed, (3, H, W); where it has none, anything.
        stays_noise: Whether every ring of frequencies is held to what noise can have.

    Returns:
        (3, H, W) float32; `noise` itself where there are no strokes.
    """
    if not strokes:
        return noise
    values = noise.astype(np.float64)
    for stroke, other in zip(strokes, others, strict=True):
        mask = brush_mask(stroke, noise.shape[1], noise.shape[2])
        if stroke.seed is None:
            values += mask * np.array(stroke.shift)[:, None, None]
        else:
            values = np.sqrt(1 - mask) * values + np.sqrt(mask) * other  # of two independent noises: noise again
    return normalised(_held_to_noise(values) if stays_noise else values).astype(np.float32)


def brush_mask(stroke: Stroke, height: int, width: int) -> Floats:
    """The share of a stroke that each pixel gets, (H, W) in 0..1: 1 on its line, a Gaussian's fall to its sides."""
    across = (np.arange(width) + 0.5) / width
    down = ((np.arange(height) + 0.5) / height)[:, None]
    ends = stroke.points if len(stroke.points) > 1 else stroke.points * 2
    squared = np.full((height, width), np.inf)
    for start, end in itertools.pairwise(ends):
        squared = np.minimum(squared, _squared_distance(across, down, start, end))
    return np.asarray(np.exp(-squared / stroke.radius**2))


def _squared_distance(across: Floats, down: Floats, start: Point, end: Point) -> Floats:
    """Of every pixel from a straight piece of line, (H, W)."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length = along_x**2 + along_y**2
    share = ((across - start[0]) * along_x + (down - start[1]) * along_y) / length if length else np.zeros(())
    share = np.clip(share, 0, 1)
    return np.asarray((across - start[0] - share * along_x) ** 2 + (down - start[1] - share * along_y) ** 2)


def normalised(values: Floats) -> Floats:
    """The same with mean 0 and variance 1 in every channel, (C, H, W)."""
    centred = values - values.mean((1, 2), keepdims=True)
    return np.asarray(centred / centred.std((1, 2), keepdims=True))


def _held_to_noise(values: Floats) -> Floats:
    """Values (3, H, W) of which no ring has more power than its bound: along no axis of colour, nor along all three."""
    transform = np.fft.fft2(np.tensordot(_AXES, values, 1))
    ring, counts = rings(values.shape[1], values.shape[2])
    for axis in range(3):
        transform[axis] *= _holding_factors(transform[axis : axis + 1], ring, counts)
    transform *= _holding_factors(transform, ring, counts)
    return np.asarray(np.tensordot(_AXES.T, np.fft.ifft2(transform).real, 1))


def _holding_factors(planes: NDArray[np.complex128], ring: NDArray[np.int64], counts: Floats) -> Floats:
    """By what each coefficient, (H, W), is to be multiplied so that the rings of some planes (P, H, W) are held."""
    power = (np.abs(planes) ** 2).mean(0) / ring.size  # of white noise 1
    means = np.bincount(ring.ravel(), power.ravel()) / counts
    bound = power_bound(counts * len(planes), Z_99)
    factors = np.sqrt(np.minimum(1, bound / np.maximum(means, 1e-12)))
    factors[0] = 1  # the mean, which is 0 in the end
    return np.asarray(factors[ring])


def rings(height: int, width: int) -> tuple[NDArray[np.int64], Floats]:
    """For every coefficient of `fft2` its ring, in whole cycles per longer side, and how many there are in each."""
    side = max(height, width)
    distance = np.hypot(np.fft.fftfreq(height)[:, None] * side, np.fft.fftfreq(width)[None, :] * side)
    ring = np.rint(distance).astype(np.int64)
    return ring, np.bincount(ring.ravel()).astype(np.float64)


def power_bound(freedom: Floats, z: float) -> Floats:
    """Quantile of the mean of squares of so many Gaussians, by the cube root of Wilson and Hilferty 1931.

    Args:
        freedom: Degrees of freedom, each 1 or more; at 8 the 99 % quantile is off by less than 1 %.
        z: The same quantile of the normal distribution; negative for the lower end.
    """
    spread = 2 / (9 * freedom)
    return np.asarray(np.maximum(0, 1 - spread + z * np.sqrt(spread)) ** 3)


def fit_square(picture: Frame, size_px: int) -> Frame:
    """The middle of an opened picture as a square of exactly this size, that a model works at.

    Args:
        picture: (3, H, W) float32 in [-1, 1].

    Returns:
        (3, size_px, size_px) float32 in [-1, 1]; the picture itself where it has that size.
    """
    _, height, width = picture.shape
    if (height, width) == (size_px, size_px):
        return picture
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    channels = [
        Image.fromarray(np.ascontiguousarray(channel)).resize((size_px, size_px), Image.Resampling.LANCZOS, box)
        for channel in picture
    ]
    return np.clip(np.stack([np.asarray(channel, np.float32) for channel in channels]), -1, 1)
