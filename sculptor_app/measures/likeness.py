"""How alike several pictures are: band by band, and pixel by pixel.

A run forked many times at one step ends in as many pictures. What was decided by that step they share; what was not,
each has its own of. Of U-turns it is told what they share with the picture that they turned back from. Compared are the
Fourier coefficients of each band, as the settling of bands compares them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.levels import FIRST_FORK_STEP, LEAST_CORRELATION
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.measures.spectrum import BANDS, spectrum_and_content

PIXELS = "pixels"
"""Name of the likeness pixel by pixel, beside those of the bands and of what a classifier reads."""


def mean_correlation(rows: Sequence[NDArray[np.floating]]) -> float:
    """Mean over all pairs of sum(a b) / sqrt(sum a^2 sum b^2); NaN of fewer than two, or where one holds nothing.

    Args:
        rows: of equal length.
    """
    count = len(rows)
    if count < 2 or not rows[0].size:
        return float("nan")
    table = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(table, axis=1)
    if not lengths.all():
        return float("nan")
    together = (table / lengths[:, None]).sum(axis=0)
    return float((together @ together - count) / (count * (count - 1)))


def correlation_with(own: NDArray[np.floating], rows: Sequence[NDArray[np.floating]]) -> float:
    """Mean over the rows of sum(a b) / sqrt(sum a^2 sum b^2) with one other; NaN of none, or where one holds nothing.

    Args:
        own, rows: of equal length.
    """
    if not len(rows) or not own.size:
        return float("nan")
    table, one = np.asarray(rows, np.float64), np.asarray(own, np.float64)
    lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(one)
    return float(np.mean(table @ one / lengths)) if lengths.all() else float("nan")


def band_contents(pictures: Sequence[Frame], space: str = "pixels") -> list[list[NDArray[np.floating]]]:
    """What is correlated of pictures in each band, in the order of BANDS: a row for each picture.

    Args:
        pictures: (C, H, W) each, of one size.
        space: "pixels", "pixels (decoded)" or "latents".
    """
    contents = [spectrum_and_content(each, space, "hann", True)[1] for each in pictures]
    return [[content[band] for content in contents if content is not None] for band in range(len(BANDS))]


def pixel_contents(pictures: Sequence[Frame]) -> list[NDArray[np.floating]]:
    """What is correlated of their pixels: these less each picture's own mean, colours included."""
    return [(each - each.mean()).ravel() for each in pictures]


def band_likeness(pictures: Sequence[Frame], space: str = "pixels") -> NDArray[np.float64]:
    """Mean correlation over all pairs of pictures, in each band; arguments are those of `band_contents`.

    Returns:
        (4,) in the order of BANDS, -1 to 1: 1 where all are the same; NaN for a band that holds nothing.
    """
    return np.array([mean_correlation(each) for each in band_contents(pictures, space)])


def pixel_likeness(pictures: Sequence[Frame]) -> float:
    """Mean correlation over all pairs of pictures of their pixels less each picture's own mean, colours included."""
    return mean_correlation(pixel_contents(pictures))


def shared_share(labels: Sequence[object]) -> float:
    """Share of the pairs whose labels are the same, 0 to 1; NaN of fewer than two."""
    count = len(labels)
    if count < 2:
        return float("nan")
    same = sum(n * (n - 1) for n in (list(labels).count(each) for each in dict.fromkeys(labels)))
    return same / (count * (count - 1))


def share_of(own: object, labels: Sequence[object]) -> float:
    """Share of the labels that are the same as one other, 0 to 1; NaN of none."""
    return list(labels).count(own) / len(labels) if labels else float("nan")


def jackknife_error(values: Sequence[Any], statistic: Callable[[Sequence[Any]], float]) -> float:
    """Standard error of a statistic of several pictures, from its values with one of them left out at a time.

    Efron and Stein 1981: sqrt((n - 1) / n sum (s_i - mean s)^2). NaN of fewer than three.
    """
    count = len(values)
    if count < 3:
        return float("nan")
    without = np.array([statistic([*values[:left], *values[left + 1 :]]) for left in range(count)])
    return float(np.sqrt((count - 1) * np.mean((without - without.mean()) ** 2)))


# Decisions ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """How alike the pictures are that come of the forks of one run at one of its steps, or of its U-turns there.

    Attributes:
        seed: of the run.
        step: the last one that all share; 0 where they share nothing.
        likeness: by name: of each band, of the pixels, and for each kind of label the share of pairs that have the
            same; of U-turns with the run's own picture, and the share that has its label. -1 to 1; NaN where it is not
            defined.
        errors: their standard errors over the forks.
        labels: what a classifier reads off each picture, by kind of label.
        batch: how many of the pictures were made at once, at most; alone each has other last bits.
    """

    seed: int
    step: int
    likeness: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    batch: int = 1


def decision_of(
    seed: int, step: int, pictures: Sequence[Frame], space: str, labels: Mapping[str, Sequence[str]]
) -> Decision:
    """How alike the pictures of forks are: two or more, (C, H, W) each, of one size."""
    likeness: dict[str, float] = {}
    errors: dict[str, float] = {}
    contents = [band.name for band in BANDS], band_contents(pictures, space)
    for name, rows in [*zip(*contents, strict=True), (PIXELS, pixel_contents(pictures))]:
        likeness[name], errors[name] = mean_correlation(rows), jackknife_error(rows, mean_correlation)
    for kind, read in labels.items():
        likeness[kind], errors[kind] = shared_share(read), jackknife_error(read, shared_share)
    return Decision(seed, step, likeness, errors, labels)


def kept_of(
    seed: int, step: int, own: Frame, pictures: Sequence[Frame], space: str, labels: Mapping[str, Sequence[str]]
) -> Decision:
    """How much of a run's picture others have: the figures are those with it, and not of pairs of them.

    Args:
        own: of the run, (C, H, W).
        pictures: one or more, of the same size.
        labels: by kind, the run's own first.
    """
    likeness: dict[str, float] = {}
    errors: dict[str, float] = {}
    contents = [band.name for band in BANDS], band_contents([own, *pictures], space)
    for name, rows in [*zip(*contents, strict=True), (PIXELS, pixel_contents([own, *pictures]))]:
        with_own = functools.partial(correlation_with, rows[0])
        likeness[name], errors[name] = with_own(rows[1:]), jackknife_error(rows[1:], with_own)
    for kind, read in labels.items():
        with_own = functools.partial(share_of, read[0])
        likeness[kind], errors[kind] = with_own(read[1:]), jackknife_error(read[1:], with_own)
    return Decision(seed, step, likeness, errors, {kind: read[1:] for kind, read in labels.items()})


@dataclass(frozen=True, slots=True)
class Curve:
    """How alike forks are by the step at which they part: means over the runs, by rising steps.

    Attributes:
        steps: those measured.
        means: -1 to 1.
        errors: standard errors of the means: over the runs where there are several, else over the forks; NaN if
            unknown.
    """

    steps: tuple[int, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...]

    def decided_by(self, least: float = LEAST_CORRELATION) -> tuple[int | None, int]:
        """The first measured step from which on the forks stay alike, None if there is none; and the one before it.

        The decision fell after the second and by the first. Before the first measured step it is -1.
        """
        by, after = None, self.steps[-1] if self.steps else -1
        for step, mean in zip(reversed(self.steps), reversed(self.means), strict=True):
            if mean < least:
                return by, step
            by, after = step, -1
        return by, after


def curves_of(decisions: Iterable[Decision]) -> dict[str, Curve]:
    """A curve for each name of a likeness, over all runs and steps that were measured."""
    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for each in decisions:
        for name, value in each.likeness.items():
            at = found.setdefault(name, {})
            if math.isfinite(value):
                at.setdefault(each.step, []).append((value, each.errors.get(name, math.nan)))
    return {name: _curve(dict(sorted(at.items()))) for name, at in found.items()}


def _curve(at: dict[int, list[tuple[float, float]]]) -> Curve:
    means, errors = [], []
    for values in at.values():
        likeness = np.array([value for value, _ in values])
        means.append(float(likeness.mean()))
        of_runs = float(likeness.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else values[0][1]
        errors.append(of_runs)
    return Curve(tuple(at), tuple(means), tuple(errors))


def step_to_look_at(curves: Mapping[str, Curve], least: float = LEAST_CORRELATION) -> int | None:
    """The step at which forks tell most of when something was decided; None where it is known as exactly as can be.

    It is the middle of the widest gap between measured steps in which a curve comes to stay above `least`.
    """
    widest, middle = 1, None
    for curve in curves.values():
        by, after = curve.decided_by(least)
        between = max(FIRST_FORK_STEP, (by + after) // 2) if by is not None and after >= 0 else 0
        if by is not None and by - after > widest and between < by:
            widest, middle = by - after, between
    return middle


def steps_left_to_look_at(curves: Mapping[str, Curve], least: float = LEAST_CORRELATION) -> int:
    """How many more steps `step_to_look_at` names at most, until every decision is known exactly."""
    left = 0
    for curve in curves.values():
        by, after = curve.decided_by(least)
        if by is not None and after >= 0 and max(FIRST_FORK_STEP, (by + after) // 2) < by:
            left += (by - after - 1).bit_length()  # a step between halves it
    return left


def usual_steps(steps: int, first: int = 0) -> tuple[int, ...]:
    """Where a run of so many steps is forked if nobody says where: closer together early, where most is decided.

    Args:
        first: 0 where the run can be made with other noise altogether, `FIRST_FORK_STEP` where not.
    """
    shares = (0.04, 0.08, 0.12, 0.2, 0.3, 0.4, 0.6, 0.8)
    found = {first, steps - 1, *(max(FIRST_FORK_STEP, round(steps * share)) for share in shares)}
    found = {each for each in found if each >= first and each != 1}
    return tuple(sorted(k for k in found if k < steps))


def coarse_to_fine(steps: Sequence[int]) -> list[int]:
    """Steps so ordered that each comes where the gap was widest: a curve has its shape before it is whole."""
    left, order = sorted(set(steps)), []
    for end in (0, -1):
        if left:
            order.append(left.pop(end))
    while left:
        far = max(left, key=lambda step: (min(abs(step - each) for each in order), -step))
        left.remove(far)
        order.append(far)
    return order
