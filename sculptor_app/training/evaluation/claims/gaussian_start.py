"""Claims that the first steps can be left out: where a state is nearly all noise, data is as good as a Gaussian.

One begins late, with all of its few steps at the levels below; the other leaves out the first of its steps. The states
that both begin with are those that the closed form of the Gaussian makes of the same noise. The papers' models knew no
labels, nor does the Gaussian: samples are drawn without any.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Generator

import torch

from sculptor_app.atelier.components import LabelledRenders, PictureGaussian, fit_gaussian, render_rounds
from sculptor_app.core.texts import number_text, steps_text, translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.samplers.levels import level_of
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures.claim_figures import is_above
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
from sculptor_app.training.evaluation.claims.samples import Bench, Plan, open_bench, scheduler_of

ROUNDS = 10
"""Of all forms in all materials: 480 renders, whose mean and covariance the Gaussian has."""
NOISE = NoiseLevel(0.0, 1.0)

FEW_STEPS = 10
"""Most steps of a run that begins late: what was published is of 3 and of 10."""
STARTS = (20.0, 10.0, 5.0, 2.5, 1.25)
"""Noise levels σ at which it begins, of which the best is chosen."""

SKIPPED = (0.15, 0.30)
"""Shares of the steps that are left out: the least and the most that was published."""
PUBLISHED_SIGMA = 12.4
"""Noise level after 30 % of the published steps, which are spaced as in Karras et al. 2022 from σ = 80 on: a share of
another sampler's steps goes another way."""
EQUAL = 1.1
"""A distance that is less than so many times another is as good."""


def late_start(engine: Engine, asked: ClaimRequest, stop: threading.Event) -> Generator[ClaimProgress, None, Outcome]:
    """Test of the distance to renders of few steps from pure noise, and of as many from a Gaussian at a lower level."""
    bench = open_bench(engine, asked, stop)
    if isinstance(bench, Outcome):
        return bench
    steps = min(FEW_STEPS, bench.request.steps)
    planned = len(STARTS) * bench.search_count + 2 * bench.count
    yield bench.foretell(planned, steps * planned)
    gaussian = _gaussian(bench)
    searched = []
    for sigma in STARTS:
        plan = late_plan(bench, gaussian, sigma, steps)
        searched.append(bench.distance((yield from bench.draw(plan, bench.search_count, search=True))))
    best = STARTS[min(range(len(STARTS)), key=searched.__getitem__)]
    plain = yield from bench.draw(Plan(steps), bench.count)
    late = yield from bench.draw(late_plan(bench, gaussian, best, steps), bench.count)
    of_plain, of_late = bench.distance(plain), bench.distance(late)
    gain, error = of_plain - of_late, bench.error_of(lambda one, other: one - other, plain, late)
    said = translate(
        "claims", "Of {0} steps the distance of {1} samples is {2:.3f} from pure noise, and {3:.3f} from a Gaussian at "
        "σ = {4}, the best of {5} levels for other samples: {6:.3f} ± {7:.3f} less."
    )  # fmt: skip
    here = said.format(steps, bench.count, of_plain, of_late, number_text(best), len(STARTS), gain, error)
    figures = {"steps": float(steps), "noise": of_plain, "late": of_late, "sigma": best, "gain": gain}
    return Outcome(here, is_above(gain - 2 * error, gain + 2 * error, 0), figures, {"gain": error})


def closed_form(engine: Engine, asked: ClaimRequest, stop: threading.Event) -> Generator[ClaimProgress, None, Outcome]:
    """Test of the distance to renders with all steps, and with the first of them replaced by the closed form."""
    bench = open_bench(engine, asked, stop)
    if isinstance(bench, Outcome):
        return bench
    steps = bench.request.steps
    shares = [max(1, round(steps * share)) for share in SKIPPED]
    firsts = [*shares, _step_nearest(bench, PUBLISHED_SIGMA)]
    drawn = sorted({0, *firsts})
    planned = len(drawn) * bench.count
    yield bench.foretell(planned, bench.count * sum(steps - each for each in drawn))
    start = _flow(_gaussian(bench))
    sets = {}
    for first in drawn:
        sets[first] = yield from bench.draw(Plan(steps, first=first, start=start if first else None), bench.count)
    whole = bench.distance(sets[0])
    ratios = {first: bench.distance(sets[first]) / whole for first in firsts}
    errors = {first: bench.error_of(lambda one, other: other / one, sets[0], sets[first]) for first in ratios}
    told = [(each, _sigma_at(bench, Plan(steps, first=each)), ratios[each], errors[each]) for each in firsts]
    said = translate(
        "claims", "The distance of {0} samples is {1:.3f} after {2}. With the first {3} left out, down to σ = {4:.1f}, "
        "it is {5:.2f} ± {6:.2f} times that."
    ).format(bench.count, whole, steps_text(steps), *told[0])  # fmt: skip
    here = translate(
        "claims", "{0} With the first {1}, down to {2:.1f}, it is {3:.2f} ± {4:.2f} times; about as deep as published, "
        "with the first {5}, down to {6:.1f}, {7:.2f} ± {8:.2f} times."
    ).format(said, *told[1], *told[2])  # fmt: skip
    names = ("least", "most", "published_depth")
    figures = {"whole": whole, **{name: ratios[each] for name, each in zip(names, firsts, strict=True)},
               **{f"sigma_{name}": row[1] for name, row in zip(names, told, strict=True)}}  # fmt: skip
    ratio, error = ratios[firsts[0]], errors[firsts[0]]
    rises = is_above(ratio - 2 * error, ratio + 2 * error, EQUAL)
    of_names = {name: errors[each] for name, each in zip(names, firsts, strict=True)}
    return Outcome(here, None if rises is None else not rises, figures, of_names)


def _step_nearest(bench: Bench, sigma: float) -> int:
    """How many steps are left out to begin as near to a noise level as can be; one at least."""
    steps = bench.request.steps
    return min(range(1, steps), key=lambda first: abs(math.log(_sigma_at(bench, Plan(steps, first=first)) / sigma)))


def _gaussian(bench: Bench) -> PictureGaussian:
    """The Gaussian of renders, kept for other tests beside the model's judge."""
    size = bench.pipeline.picture_size
    *_, renders = render_rounds(size, None, ROUNDS, bench.request.seed, bench.stop)
    assert isinstance(renders, LabelledRenders)
    gaussian, device = fit_gaussian(renders.pictures), bench.pipeline.device
    return PictureGaussian(*(each.to(device) for each in (gaussian.mean, gaussian.components, gaussian.powers)))


def _flow(gaussian: PictureGaussian) -> functools.partial[torch.Tensor]:
    """What noise becomes at a level."""
    return functools.partial(_noised, gaussian)


def _noised(gaussian: PictureGaussian, noise: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
    return gaussian.flow(noise, NOISE, level)


def late_plan(bench: Bench, gaussian: PictureGaussian, sigma: float, steps: int) -> Plan:
    """All steps at the levels up to σ, the first of them from the Gaussian there."""
    scheduler = bench.pipeline.scheduler
    of_training = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt()
    used = max(steps, int((of_training <= sigma).sum()))
    return Plan(steps, betas=scheduler.betas[:used], start=_flow(gaussian))


def _sigma_at(bench: Bench, plan: Plan) -> float:
    """Noise level σ at which a plan begins."""
    scheduler = scheduler_of(bench.pipeline, bench.request.sampler, plan)
    scheduler.set_timesteps(plan.steps)
    return level_of(scheduler, plan.first * scheduler.order).sigma
