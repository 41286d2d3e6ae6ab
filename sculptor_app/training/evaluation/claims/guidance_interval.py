"""The claim that samples are better if guidance works within an interval of noise levels alone."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator

from sculptor_app.core.texts import number_text, translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures.claim_figures import is_above
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
from sculptor_app.training.evaluation.claims.samples import Bench, Plan, open_bench

INTERVALS = ((0.19, 1.61), (0.19, 5.0), (0.5, 10.0), (1.0, 20.0))
"""Noise levels σ = s/a above the first and up to the second; the first interval is the one published."""


def within(scale: float, low: float, high: float) -> Callable[[NoiseLevel], float]:
    """Guidance of a scale in the steps that start from a level in (low, high], and none in others."""
    return lambda level: scale if low < level.sigma <= high else 1.0


def guidance_interval(
    engine: Engine, asked: ClaimRequest, stop: threading.Event
) -> Generator[ClaimProgress, None, Outcome]:
    """Test of the distance to renders with guidance in all steps, and within the best of several intervals alone."""
    bench = open_bench(engine, asked, stop)
    if isinstance(bench, Outcome):
        return bench
    scale = _scale(bench)
    if scale == 1:
        return Outcome(translate("claims", "At a guidance of 1 there is none whose levels could be chosen."), None)
    steps = bench.request.steps
    planned = len(INTERVALS) * bench.search_count + 2 * bench.count
    yield bench.foretell(planned, 1.7 * steps * planned)  # of a guided step two, of others one
    searched = []
    for interval in INTERVALS:
        plan = Plan(steps, within(scale, *interval))
        searched.append(bench.distance((yield from bench.draw(plan, bench.search_count, search=True))))
    low, high = INTERVALS[min(range(len(INTERVALS)), key=searched.__getitem__)]
    everywhere = yield from bench.draw(Plan(steps, lambda level: scale), bench.count)
    inside = yield from bench.draw(Plan(steps, within(scale, low, high)), bench.count)
    of_all, of_some = bench.distance(everywhere), bench.distance(inside)
    error = bench.error_of(lambda one, other: one - other, everywhere, inside)
    said = translate(
        "claims", "The distance of {0} samples is {1:.3f} with a guidance of {2} at all noise levels, and {3:.3f} with "
        "it at σ from {4} to {5} alone, the best of {6} intervals for other samples: {7:.3f} ± {8:.3f} less."
    )  # fmt: skip
    here = said.format(bench.count, of_all, number_text(scale), of_some, number_text(low), number_text(high),
                       len(INTERVALS), of_all - of_some, error)  # fmt: skip
    figures = {"everywhere": of_all, "interval": of_some, "low": low, "high": high, "gain": of_all - of_some}
    gain = of_all - of_some
    return Outcome(here, is_above(gain - 2 * error, gain + 2 * error, 0), figures, {"gain": error})


def _scale(bench: Bench) -> float:
    """The guidance that was asked for, or the model's own usual one."""
    if bench.request.guidance is not None:
        return bench.request.guidance
    return float(inspect.signature(type(bench.pipeline).__call__).parameters["guidance_scale"].default)
