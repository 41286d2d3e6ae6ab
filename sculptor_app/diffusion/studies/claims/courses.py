"""Claims about the course of a run: that bands settle from coarse to fine, and that it lies nearly in a plane."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Generator, Mapping, Sequence

import numpy as np

from sculptor_app.core.requests.samplers import draws_noise
from sculptor_app.core.texts import number_text, translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.claims.runs import runs_of
from sculptor_app.diffusion.studies.decisions import ReadLabels
from sculptor_app.measures.claim_figures import is_above, percent, share_interval
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS

TWO_COMPONENTS = 0.97
"""Share of a trajectory's variance that its first two principal components hold by Wang and Vastola."""


# Coarse to fine -------------------------------------------------------------------------------------------------------


def is_in_order(settled: Sequence[int | None]) -> bool:
    """Whether no band settled before a coarser one, and the finest later than the coarsest.

    A band that holds nothing is left out.
    """
    steps = [step for step in settled if step is not None]
    return len(steps) > 1 and steps[0] < steps[-1] and all(one <= other for one, other in itertools.pairwise(steps))


def coarse_to_fine(
    engine: Engine, asked: ClaimRequest, stop: threading.Event, _: ReadLabels
) -> Generator[ClaimProgress, None, Outcome]:
    """Test of the order in which the bands of runs settle."""
    in_order, steps = 0, []
    yield ClaimProgress(0, asked.seeds)
    for number, run in enumerate(runs_of(engine, asked, stop, forkable=False), start=1):
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
    here = said.format(in_order, asked.seeds, percent(low), percent(high), told)
    figures = {"share": in_order / asked.seeds, "low": low, "high": high, **medians}
    return Outcome(here, is_above(low, high, 0.5), figures)


# Two dimensions -------------------------------------------------------------------------------------------------------


def share_of_two_components(trajectory: AnyTrajectory) -> float:
    """Share of the variance of a run's states, each on the scale of variance 1, that two principal components hold."""
    states = range(trajectory.last + 1)
    table = np.array([trajectory.state(k).ravel() / trajectory.levels[k].scale for k in states], np.float64)
    table -= table.mean(axis=0)
    powers = np.linalg.eigvalsh(table @ table.T)  # ascending
    return float(powers[-2:].sum() / powers.sum())


def two_dimensional(
    engine: Engine, asked: ClaimRequest, stop: threading.Event, _: ReadLabels
) -> Generator[ClaimProgress, None, Outcome]:
    """Test of how much of the variance of runs two principal components hold."""
    shares: list[float] = []
    name = ""
    settings: Mapping[str, object] = {}
    yield ClaimProgress(0, asked.seeds)
    for run in runs_of(engine, asked, stop, forkable=False):
        shares.append(share_of_two_components(run))
        name, settings = run.info.sampler_name, run.info.sampler_settings
        yield ClaimProgress(len(shares), asked.seeds)
    mean, error = float(np.mean(shares)), float(np.std(shares, ddof=1) / math.sqrt(len(shares)))
    said = translate("claims", "With {0} two components hold {1:.2f} ± {2:.2f} % of the variance.")
    here = said.format(name, 100 * mean, 100 * error)
    holds = is_above(mean - 2 * error, mean + 2 * error, TWO_COMPONENTS)
    if draws_noise(settings):
        beside = translate("claims", "{0} It adds noise in its steps, and the finding is about those that do not.")
        here, holds = beside.format(here), None
    return Outcome(here, holds, {"share": mean}, {"share": error})
