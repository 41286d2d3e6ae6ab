"""Tests of the published findings in `measures.claims` on the model at hand.

Each claim is measured on runs of several seeds and comes with its uncertainty. It holds, or does not, where two
standard errors or a 95 % interval lie on one side of what decides it; else there were too few runs to tell.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.requests.samplers import draws_noise
from sculptor_app.core.texts import number_text, translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import whole_run
from sculptor_app.diffusion.studies.decisions import ReadLabels, measure_step
from sculptor_app.measures.claims import LEAST_STEPS, ClaimProgress, ClaimRequest, Outcome
from sculptor_app.measures.likeness import Curve, Decision, curves_of, jackknife_error, usual_steps
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS

TWO_COMPONENTS = 0.97
"""Share of a trajectory's variance that its first two principal components hold by Wang and Vastola."""
LOW, HIGH = 0.2, 0.8
"""Between these shares of its way a curve changes over: the width of the change is measured there."""


MOST_LEVELS = 12
"""A run of more steps turns back at the usual ones alone."""

Measure = Callable[[Engine, ClaimRequest, threading.Event, ReadLabels], Generator[ClaimProgress, None, Outcome]]


def measure_claim(
    key: str, engine: Engine, asked: ClaimRequest, stop: threading.Event, read_labels: ReadLabels
) -> Iterator[ClaimProgress | Outcome]:
    """Test a claim: how far it is, over and over, and in the end what the model shows.

    Args:
        key: of `CLAIMS`.

    Raises:
        Cancelled, SculptorError: As `sample`.
    """
    if asked.request.steps < LEAST_STEPS:
        few = translate("claims", "Runs of fewer than {0} steps show too little of it.").format(LEAST_STEPS)
        yield Outcome(few, None)
        return
    outcome = yield from MEASURES[key](engine, asked, stop, read_labels)
    yield outcome


def _runs(engine: Engine, asked: ClaimRequest, stop: threading.Event, forkable: bool) -> Iterator[Trajectory]:
    """The runs of all seeds, one after the other; each is closed when the next is asked for."""
    for number in range(asked.seeds):
        request = replace(asked.request, seed=asked.request.seed + number)
        run = whole_run(engine, request, stop, forkable=forkable)
        yield run
        run.close()


def share_interval(successes: int, count: int) -> tuple[float, float]:
    """95 % interval of a share of `count` trials (Wilson 1927, "Probable inference", JASA 22, p. 209)."""
    z, share = 1.96, successes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _decided(low: float, high: float, border: float) -> bool | None:
    """Whether an interval lies above a border; None where it lies on both sides."""
    return True if low > border else False if high < border else None


# Coarse to fine -------------------------------------------------------------------------------------------------------


def is_in_order(settled: Sequence[int | None]) -> bool:
    """Whether no band settled before a coarser one, and the finest later than the coarsest.

    A band that holds nothing is left out.
    """
    steps = [step for step in settled if step is not None]
    return len(steps) > 1 and steps[0] < steps[-1] and all(one <= other for one, other in itertools.pairwise(steps))


def _coarse_to_fine(
    engine: Engine, asked: ClaimRequest, stop: threading.Event, _: ReadLabels
) -> Generator[ClaimProgress, None, Outcome]:
    in_order, steps = 0, []
    yield ClaimProgress(0, asked.seeds)
    for number, run in enumerate(_runs(engine, asked, stop, forkable=False), start=1):
        measures = RunMeasures(run.planned_steps, run.info.space)
        measures.catch_up(run)
        settled = measures.settled()
        in_order += is_in_order(settled)
        steps.append([math.nan if step is None else step for step in settled])
        yield ClaimProgress(number, asked.seeds)
    if np.isnan(steps).all():
        return Outcome(translate("claims", "Of this model's sampler no guesses are known, so nothing settles."), None)
    low, high = share_interval(in_order, asked.seeds)
    known = [column[~np.isnan(column)] for column in np.array(steps, float).T]
    medians = {band.name: float(np.median(column)) for band, column in zip(BANDS, known, strict=True) if column.size}
    told = ", ".join(f"{name} {number_text(step)}" for name, step in medians.items())
    said = translate(
        "claims", "In {0} of {1} runs bands settled from coarse to fine (95 % interval {2} to {3}); medians: {4}."
    )
    here = said.format(in_order, asked.seeds, _percent(low), _percent(high), told)
    figures = {"share": in_order / asked.seeds, "low": low, "high": high, **medians}
    return Outcome(here, _decided(low, high, 0.5), figures)


# Two dimensions -------------------------------------------------------------------------------------------------------


def share_of_two_components(trajectory: AnyTrajectory) -> float:
    """Share of the variance of a run's states, each on the scale of variance 1, that two principal components hold."""
    states = range(trajectory.last + 1)
    table = np.array([trajectory.state(k).ravel() / trajectory.levels[k].scale for k in states], np.float64)
    table -= table.mean(axis=0)
    powers = np.linalg.eigvalsh(table @ table.T)  # ascending
    return float(powers[-2:].sum() / powers.sum())


def _two_dimensional(
    engine: Engine, asked: ClaimRequest, stop: threading.Event, _: ReadLabels
) -> Generator[ClaimProgress, None, Outcome]:
    shares: list[float] = []
    name = ""
    settings: Mapping[str, object] = {}
    yield ClaimProgress(0, asked.seeds)
    for run in _runs(engine, asked, stop, forkable=False):
        shares.append(share_of_two_components(run))
        name, settings = run.info.sampler_name, run.info.sampler_settings
        yield ClaimProgress(len(shares), asked.seeds)
    mean, error = float(np.mean(shares)), float(np.std(shares, ddof=1) / math.sqrt(len(shares)))
    said = translate("claims", "With {0} two components hold {1:.2f} ± {2:.2f} % of the variance.")
    here = said.format(name, 100 * mean, 100 * error)
    holds = _decided(mean - 2 * error, mean + 2 * error, TWO_COMPONENTS)
    if draws_noise(settings):
        beside = translate("claims", "{0} It adds noise in its steps, and the finding is about those that do not.")
        here, holds = beside.format(here), None
    return Outcome(here, holds, {"share": mean}, {"share": error})


# U-turn ---------------------------------------------------------------------------------------------------------------


def change_width(curve: Curve, levels: Sequence[NoiseLevel]) -> float:
    """Over how much of the log-SNR a curve of U-turns changes over, from a fifth to four fifths; NaN if unknown.

    Args:
        curve: measured at step 0, other noise altogether, and at others.
        levels: of the states of the run.
    """
    points = [(levels[step].log_snr, mean) for step, mean in zip(curve.steps, curve.means, strict=True) if step]
    points = [(place, mean) for place, mean in points if math.isfinite(place)]
    if not curve.steps or curve.steps[0] != 0 or len(points) < 2:
        return math.nan
    lost = curve.means[0]
    place = np.array([each for each, _ in points])
    way = np.maximum.accumulate((np.array([mean for _, mean in points]) - lost) / max(1e-9, 1 - lost))
    if way[0] > LOW or way[-1] < HIGH:
        return math.nan
    return _crossing(place, way, HIGH) - _crossing(place, way, LOW)


def _crossing(place: NDArray[np.float64], way: NDArray[np.float64], share: float) -> float:
    """Where a rising curve comes to a share."""
    after = int(np.argmax(way >= share))
    if after == 0 or way[after] == way[after - 1]:
        return float(place[after])
    part = (share - way[after - 1]) / (way[after] - way[after - 1])
    return float(place[after - 1] + part * (place[after] - place[after - 1]))


def _u_turn(
    engine: Engine, asked: ClaimRequest, stop: threading.Event, read_labels: ReadLabels
) -> Generator[ClaimProgress, None, Outcome]:
    steps = asked.request.steps
    at = tuple(range(steps)) if steps <= MOST_LEVELS else usual_steps(steps)
    planned = asked.seeds * (1 + len(at))
    levels: Sequence[NoiseLevel] = ()
    found: list[Decision] = []
    done = 0
    yield ClaimProgress(done, planned)
    for run in _runs(engine, asked, stop, forkable=True):
        done, levels = done + 1, run.levels
        yield ClaimProgress(done, planned)
        for step in at:
            for event in measure_step(engine, run, step, asked.forks, stop, read_labels, u_turn=True):
                if isinstance(event, Decision):
                    found.append(event)
            if "form" not in curves_of(found):
                return Outcome(translate("claims", "Nothing reads a class off the pictures of this model."), None)
            done += 1
            yield ClaimProgress(done, planned)
    seeds = sorted({each.seed for each in found})

    def widths(of_seeds: Sequence[int]) -> tuple[float, float]:
        curves = curves_of(each for each in found if each.seed in of_seeds)
        return change_width(curves["form"], levels), change_width(curves[BANDS[-1].name], levels)

    def lead(of_seeds: Sequence[int]) -> float:
        of_class, of_detail = widths(of_seeds)
        return of_detail - of_class

    of_class, of_detail = widths(seeds)
    error = jackknife_error(seeds, lead)
    if not math.isfinite(of_detail - of_class):
        far = translate("claims", "The U-turns did not go deep enough, or not near enough to the picture, to tell.")
        return Outcome(far, None)
    ahead, figures = of_detail - of_class, {"class": of_class, "finest": of_detail}
    if math.isnan(error):
        few = translate(
            "claims", "The form changes over within {0:.1f} of log-SNR, the finest band within {1:.1f}; too few runs "
            "to say how sure that is."
        )  # fmt: skip
        return Outcome(few.format(of_class, of_detail), None, figures)
    here = translate(
        "claims", "The form changes over within {0:.1f} of log-SNR, the finest band within {1:.1f}: {2:.1f} ± {3:.1f} "
        "more."
    ).format(of_class, of_detail, ahead, error)  # fmt: skip
    return Outcome(here, _decided(ahead - 2 * error, ahead + 2 * error, 0), figures, {"difference": error})


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {"coarse-to-fine": _coarse_to_fine, "two-dimensional": _two_dimensional, "u-turn": _u_turn}
)
"""The test of each claim, by its key."""
