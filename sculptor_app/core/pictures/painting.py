"""Painting on a step of a run: what strokes make of its guess or its noisy state, and of the state in the end.

A guess x0' in place of the run's own x0 determines the state, as the noise e = (x - a x0) / s stays the same:
x' = a x0' + s e = x + a (x0' - x0). So whatever is painted at a step, the state that follows is at that step's level of
noise, and a sampler can go on from it. Where nothing is painted, x' is x to the last bit.

Colour, shift and noise have soft edges, a Gaussian's, which ends where it is below one in 256. What is erased or copied
is whole within most of the brush, so that erasing brings back the run's own numbers to the last bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.requests.painting import PaintedFrame, Painting, PaintStroke, StrokeKind
from sculptor_app.core.requests.request import Point, RequestError
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.levels import NoiseLevel, matching_state
from sculptor_app.core.trajectory.step import Frame

Floats = NDArray[np.float64]
NoiseOf = Callable[[int], Frame]
"""Noise of a seed, (C, H, W) float32 of variance 1, of the shape of the run's states."""

LEAST_SHARE = 1 / 256
"""Below it a Gaussian's edge ends."""
REACH = math.sqrt(-math.log(LEAST_SHARE))
"""How far a stroke reaches from its line, in radii of its brush."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The frames of a step, before anything is painted on them."""

    state: Frame  # (C, H, W) float32
    guess: Frame | None  # likewise; None where no exact rule is known
    level: NoiseLevel  # of the state
    has_colours: bool  # whether its three channels are red, green and blue

    @classmethod
    def of(cls, run: AnyTrajectory, k: int) -> Ground:
        """That of state k of a run, 1 to its last.

        Raises:
            RequestError: There is no such state, or its level is not known.
        """
        if not 1 <= k <= run.last:
            raise RequestError(
                translate("errors", "There is no painting at step {0}; choose 1 to {1}.").format(k, max(1, run.last))
            )
        if not run.levels[k].is_known:
            raise RequestError(
                translate("errors", "The noise levels of this run are not known; choose another sampler.")
            )
        return cls(run.state(k), run.guess(k), run.levels[k], run.info.space == "pixels" and run.shape[0] == 3)

    def own(self, frame: PaintedFrame) -> Frame:
        """The run's own frame; `RequestError` where it has no guess."""
        if frame is PaintedFrame.STATE:
            return self.state
        if self.guess is None:
            raise RequestError(
                translate("errors", "No exact guess is known at this step; paint on the noisy state instead.")
            )
        return self.guess

    def check(self, frame: PaintedFrame, kind: StrokeKind) -> None:
        """Refuse a stroke that this frame cannot have (`RequestError`)."""
        if kind in (StrokeKind.COLOUR, StrokeKind.SHIFT) and not self.has_colours:
            raise RequestError(
                translate(
                    "errors",
                    "The frames of this model are no red, green and blue, so no colour can be painted; erase or copy, "
                    "or put other noise on the state.",
                )
            )
        if kind is StrokeKind.NOISE and (self.guess is None or not self.level.noise):
            raise RequestError(
                translate("errors", "No exact noise is known at this step; choose another kind of stroke.")
            )
        self.own(frame)

    def state_with(self, frame: PaintedFrame, values: Floats) -> Frame:
        """The state that a painted frame leads to, (C, H, W) float32."""
        own = self.own(frame)
        if frame is PaintedFrame.STATE:
            return np.asarray(values, np.float32)
        # In the accuracy of the frames, or what was erased would leave a last figure of float64 behind.
        change = values.astype(np.float32).astype(np.float64) - own
        return np.asarray(self.state + self.level.signal * change, np.float32)


def painted_frame(ground: Ground, painting: Painting, noise_of: NoiseOf) -> Floats:
    """The frame with all strokes on it, (C, H, W) float64.

    Raises:
        RequestError: A stroke cannot be made here, or what it copies is missing or of another size.
    """
    if len(painting.copied) < painting.sources:
        raise RequestError(
            translate("errors", "What was copied from another run is not known any more; paint it anew.")
        )
    values = ground.own(painting.frame).astype(np.float64)
    for stroke in painting.strokes:
        ground.check(painting.frame, stroke.kind)
        copied = painting.copied[stroke.source] if stroke.kind is StrokeKind.COPY else None
        values = with_stroke(values, ground, painting.frame, stroke, copied, noise_of)
    return values


def painted_state(ground: Ground, painting: Painting, noise_of: NoiseOf) -> Frame:
    """The state to go on from after a painting, (C, H, W) float32; errors as `painted_frame`."""
    return ground.state_with(painting.frame, painted_frame(ground, painting, noise_of))


def with_stroke(
    values: Floats,
    ground: Ground,
    frame: PaintedFrame,
    stroke: PaintStroke,
    copied: Frame | None,
    noise_of: NoiseOf,
    mask: Floats | None = None,
) -> Floats:
    """A frame with one more stroke on it, (C, H, W).

    Args:
        values: the frame before, (C, H, W).
        copied: of a stroke that copies, what it brings.
        mask: that of the stroke, as `stroke_mask` makes it, if it is there already.

    Raises:
        RequestError: What it copies is missing, or of another size.
    """
    _, height, width = values.shape
    share = stroke_mask(stroke, height, width) if mask is None else mask
    match stroke.kind:
        case StrokeKind.SHIFT:
            added = ground.level.noise * np.array(stroke.shift)[:, None, None]
            return np.asarray(values + share * added)
        case StrokeKind.NOISE:
            assert ground.guess is not None
            signal = ground.level.signal * ground.guess.astype(np.float64)
            # Of two independent noises in these shares: noise of variance 1 again.
            mixed = np.sqrt(1 - share) * (values - signal) + np.sqrt(share) * ground.level.noise * noise_of(stroke.seed)
            return np.where(share > 0, signal + mixed, values)
        case StrokeKind.COLOUR:
            goal: Floats = np.array(stroke.rgb)[:, None, None]
        case StrokeKind.ERASE:
            goal = ground.own(frame).astype(np.float64)
        case StrokeKind.COPY:
            if copied is None or copied.shape != values.shape:
                raise RequestError(
                    translate("errors", "The frames of the other run have another size; choose a run of this model.")
                )
            goal = copied.astype(np.float64)
    return np.asarray((1 - share) * values + share * goal)


def stroke_mask(stroke: PaintStroke, height: int, width: int) -> Floats:
    """The share of a stroke that each pixel gets, (H, W) in 0..1."""
    across = (np.arange(width) + 0.5) / width
    down = (np.arange(height) + 0.5) / height
    if stroke.is_box:
        (left, right), (top, bottom) = (sorted(each) for each in zip(*stroke.points, strict=True))
        inside = ((down >= top) & (down <= bottom))[:, None] & ((across >= left) & (across <= right))
        return np.asarray(inside * stroke.strength)
    squared = np.full((height, width), np.inf)
    ends = stroke.points if len(stroke.points) > 1 else stroke.points * 2
    for start, end in itertools.pairwise(ends):
        lower_distance(squared, start, end, stroke.radius)
    return mask_of(squared, stroke)


def lower_distance(squared: Floats, start: Point, end: Point, radius: float) -> None:
    """Bring a piece of line into squared distances, (H, W) in shares of the width, as far as a brush reaches."""
    height, width = squared.shape
    far, ratio = REACH * radius, height / width  # distances are in shares of the width, down as across
    columns = _range(min(start[0], end[0]) - far, max(start[0], end[0]) + far, width)
    rows = _range(min(start[1], end[1]) - far / ratio, max(start[1], end[1]) + far / ratio, height)
    across = (np.arange(width)[columns] + 0.5) / width - start[0]
    down = ((np.arange(height)[rows] + 0.5)[:, None] / height - start[1]) * ratio
    along_x, along_y = end[0] - start[0], (end[1] - start[1]) * ratio
    length = along_x**2 + along_y**2
    share = np.clip((across * along_x + down * along_y) / length, 0, 1) if length else np.zeros(())
    part = (across - share * along_x) ** 2 + (down - share * along_y) ** 2
    squared[rows, columns] = np.minimum(squared[rows, columns], part)


def mask_of(squared: Floats, stroke: PaintStroke) -> Floats:
    """The share of a stroke that each pixel gets, of its squared distance from the stroke's line, (H, W) in 0..1."""
    share = np.exp(-squared / stroke.radius**2)
    share[share < LEAST_SHARE] = 0
    if stroke.kind in (StrokeKind.ERASE, StrokeKind.COPY):
        share = np.minimum(1, 2 * share)
    return np.asarray(share * stroke.strength)


def _range(low: float, high: float, count: int) -> slice:
    return slice(max(0, math.floor(low * count)), max(0, min(count, math.ceil(high * count) + 1)))


def frame_to_copy(run: AnyTrajectory, k: int, other: AnyTrajectory, frame: PaintedFrame) -> Frame:
    """What strokes on a frame of step k of a run may copy from another run, (C, H, W) float32.

    Of a run with as many steps it is the same step, else the one of the nearest noise level.

    Raises:
        RequestError: The other run has frames of another size or kind, no guess there, or no state at this noise level.
        TrajectoryFileError: It comes from a file that is damaged.
    """
    if other.shape != run.shape or other.info.space != run.info.space:
        raise RequestError(
            translate("errors", "The frames of the other run have another size; choose a run of this model.")
        )
    is_alike = other.planned_steps == run.planned_steps
    j = matching_state(run.levels, k, other.levels, other.last, "step" if is_alike else "snr")
    if frame is PaintedFrame.GUESS:
        guess = other.guess(j)
        if guess is None:
            raise RequestError(translate("errors", "The other run has no guess at this step; choose another one."))
        return guess
    if not other.levels[j].is_near(run.levels[k]):
        raise RequestError(
            translate("errors", "The other run has no state at this noise level; copy from its guess, or choose a run "
                      "of the same sampler and steps.")
        )  # fmt: skip
    return other.state(j)
