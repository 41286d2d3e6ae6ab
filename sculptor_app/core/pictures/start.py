"""The start of a run that is not the noise of its seed alone: a picture at a level (img2img), or a given noise.

A run from a picture adds noise to it up to the level of one of the sampler's own states and samples on from there, as
in SDEdit (Meng et al. 2022, section 3.2): the more of the steps it takes, the less of the picture is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.trajectory.step import Frame

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
        origin: where picture or noise came from, in a few words, as it is shown and travels in exported files.

    Raises:
        RequestError: A frame is none, there is neither, or a later step is to start from noise.
    """

    picture: Frame | None = None
    noise: Frame | None = None
    first_step: int = 1
    origin: str = ""

    def __post_init__(self) -> None:
        if self.picture is None and self.noise is None:
            raise RequestError("There is neither a picture nor a noise to start from; give one.")
        if isinstance(self.first_step, bool) or not isinstance(self.first_step, int) or self.first_step < 1:
            raise RequestError(f"The first step is {self.first_step!r}; choose a whole number, 1 and more.")
        if self.first_step > 1 and self.picture is None:
            raise RequestError(
                f"Step {self.first_step} cannot start from noise alone; give a picture, or start at step 1."
            )
        for name in ("picture", "noise"):
            object.__setattr__(self, name, _checked(name, getattr(self, name)))
        if self.picture is not None and np.abs(self.picture).max() > MOST_CONTRAST:
            low, high = self.picture.min(), self.picture.max()
            raise RequestError(f"The picture's values are {low:g} to {high:g}; bring them to -1 to 1.")

    def check_fits(self, steps: int, size: int) -> None:
        """Refuse a start that a run cannot have.

        Args:
            steps: of the run's request.
            size: edge in pixels of the model's pictures.

        Raises:
            RequestError: The first step comes after the last, or a frame has another size.
        """
        if self.first_step > steps:
            raise RequestError(f"The first step is {self.first_step} of {steps}; choose 1 to {steps}.")
        for name, frame in (("picture", self.picture), ("noise", self.noise)):
            if frame is not None and frame.shape[1] != size:
                edge = frame.shape[1]
                raise RequestError(f"The {name} has {edge} by {edge} pixels; bring it to the model's {size} by {size}.")


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
            f"The level is {level:g}; choose above 0, where nothing would be carved, up to 1, pure noise."
        )
    return steps + 1 - max(1, math.floor(level * steps + 0.5))


def _checked(name: str, frame: Frame | None) -> Frame | None:
    """A read-only copy."""
    if frame is None:
        return None
    if not isinstance(frame, np.ndarray) or frame.dtype != np.float32:
        kind = getattr(frame, "dtype", type(frame).__name__)
        raise RequestError(f"The {name} is of {kind}; give an array of float32.")
    if frame.ndim != 3 or frame.shape[0] != 3 or frame.shape[1] != frame.shape[2] or frame.size == 0:
        raise RequestError(f"The {name} has the shape {frame.shape}; give three channels of a square.")
    if not np.isfinite(frame).all():
        raise RequestError(f"The {name} holds NaN; choose another.")
    kept = np.ascontiguousarray(frame).copy()
    kept.setflags(write=False)
    return kept
