"""The claim that copies of a run come to share their class at the speciation time, which the data's covariance gives.

| code | Biroli et al. 2024 |
| --- | --- |
| `power` | Λ, the largest eigenvalue of the data's covariance |
| `time` | t of the Ornstein-Uhlenbeck process: a state is e^-t x_0 + √(1 - e^-2t) n |
| `expected` | t_S, the speciation time |
| `shared` | φ(t), how often two copies that part at t share the class |
"""

from __future__ import annotations

import math
import threading
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sculptor_app.atelier.components import LabelledRenders, between_power, main_power, render_rounds
from sculptor_app.core.requests.request import FORMS
from sculptor_app.core.requests.samplers import SAMPLERS, draws_noise
from sculptor_app.core.texts import number_text, translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.pipelines.sculptor import makes_sculptures
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.claims.runs import runs_of, steps_of_run
from sculptor_app.diffusion.studies.decisions import ReadLabels, measure_step
from sculptor_app.measures.claim_figures import crossing
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
from sculptor_app.measures.likeness import Decision, curves_of, jackknife_error, usual_steps

SHARED = 0.775
"""φ at the speciation time: of two clouds far apart it is E[1 + tanh²(1 + n)]/2 there, n of unit variance."""
LOW, HIGH = 0.82, 1.02
"""The times at which φ was there, over the speciation time, of five sets of pictures: 0.965, 0.821, 1.020, 0.960 and
0.860 (MNIST, CIFAR, ImageNet of 16 and of 32 pixels, LSUN)."""
MOST_ERROR = 0.1
"""Of that ratio, with which it can be told whether it lies there: half of the width."""
ROUNDS, ROUNDS_OF_ONE_MATERIAL = 16, 96
"""768 renders in either case, of 96 scenes."""
MOST_CLOSER = 3
"""Steps that are looked at between the two where the crossing was."""


def ou_time(level: NoiseLevel) -> float:
    """Time of the Ornstein-Uhlenbeck process at a noise level, ½ ln(1 + 1/SNR); infinite for pure noise."""
    return math.inf if level.snr == 0 else 0.5 * math.log1p(1 / level.snr)


def speciation_time(power: float) -> float:
    """When the main component of the data is as strong as the noise: e^-2t Λ = 1 - e^-2t.

    The paper has e^-2t Λ = 1, which is the same for a large Λ.
    """
    return 0.5 * math.log1p(power)


@dataclass(frozen=True)
class MainComponents:
    """How far renders spread: along their main component, and their forms along that of their means."""

    power: float
    power_error: float
    forms: float
    forms_error: float


def measure_components(renders: LabelledRenders) -> MainComponents:
    """Main components of renders with their standard errors."""
    means = renders.means_of_forms
    rounds = list(range(renders.rounds))
    error = jackknife_error(rounds, lambda kept: between_power(means[list(kept)]))
    return MainComponents(*main_power(renders.pictures, len(FORMS)), between_power(means), error)


def time_of_sharing(found: Iterable[Decision], times: Sequence[float]) -> float:
    """Time at which two copies share the form as often as at the speciation time; NaN outside of what was measured.

    Args:
        found: at several steps of several runs.
        times: of the states of the runs.
    """
    curve = curves_of(found)["form"]
    points = [(-times[step], mean) for step, mean in zip(curve.steps, curve.means, strict=True)]
    points = [(place, mean) for place, mean in points if math.isfinite(place)]
    if not points:
        return math.nan
    places, means = np.array(points).T
    shared = np.maximum.accumulate(means)
    return math.nan if shared[0] >= SHARED else -crossing(places, shared, SHARED)


def step_at(time: float, times: Sequence[float]) -> float:
    """Where on the axis of a run's steps a time lies, 0 before the first of its states."""
    known = [(-each, step) for step, each in enumerate(times) if math.isfinite(each)]
    places, steps = np.array(known).T
    return float(np.interp(-time, places, steps))


def steps_between(found: Iterable[Decision]) -> tuple[int, ...]:
    """Up to MOST_CLOSER steps between the last where copies shared the form too seldom and the next; none left: ()."""
    curve = curves_of(found)["form"]
    shared = np.maximum.accumulate(curve.means)
    after = int(np.argmax(shared >= SHARED))
    if after == 0:
        return ()
    low, high = curve.steps[after - 1], curve.steps[after]
    count = min(MOST_CLOSER, high - low - 1)
    return tuple(sorted({round(low + (high - low) * (n + 1) / (count + 1)) for n in range(count)}))


def speciation(
    engine: Engine, asked: ClaimRequest, stop: threading.Event, read_labels: ReadLabels
) -> Generator[ClaimProgress, None, Outcome]:
    """Test of when two copies of a run share the form, beside the speciation time of renders."""
    request = asked.request
    if not makes_sculptures(engine.load(request.model, request.device, stop)):
        unknown = translate(
            "claims", "Neither the data of this model nor its classes are known here: only those of models that "
            "learned rendered sculptures are."
        )  # fmt: skip
        return Outcome(unknown, None)
    asked = replace(asked, request=replace(request, form=None, sampler=_with_noise(request.sampler)))
    first = (1, *(step for step in usual_steps(request.steps) if step))
    rounds = ROUNDS if request.material is None else ROUNDS_OF_ONE_MATERIAL
    steps, progress = request.steps, _Progress(rounds + asked.seeds * steps_of_run(asked, first))
    yield progress.so_far
    found: list[Decision] = []
    times: tuple[float, ...] = ()
    size = 0
    for closer in (False, True):
        at = steps_between(found) if closer else first
        progress.planned += asked.seeds * steps_of_run(asked, at) if closer and at else 0
        for run in runs_of(engine, asked, stop, forkable=True) if at else ():
            times, size = tuple(map(ou_time, run.levels)), run.shape[1]
            yield progress.next(steps)
            for step in at:
                events = measure_step(engine, run, step, asked.forks, stop, read_labels)
                found += [each for each in events if isinstance(each, Decision)]
                if "form" not in curves_of(found):
                    return Outcome(translate("claims", "Nothing reads a class off the pictures of this model."), None)
                yield progress.next(asked.forks * (steps - step))
    for event in render_rounds(size, request.material, rounds, request.seed, stop, shared_scenes=True):
        if isinstance(event, LabelledRenders):
            components = measure_components(event)
        else:
            yield progress.next()
    return judge(found, times, components)


def _with_noise(sampler: str) -> str:
    """A sampler whose copies go on in noise of their own, as those of the paper: the one asked for, or DDPM."""
    row = SAMPLERS[sampler]
    named = {} if row.scheduler is None else {"_class_name": row.scheduler.name}
    return sampler if draws_noise({**row.settings, **named}) else "ddpm"


class _Progress:
    """Counter of the steps that are done; a round of renders takes about as long as one."""

    def __init__(self, planned: int) -> None:
        self.done, self.planned = 0, planned

    @property
    def so_far(self) -> ClaimProgress:
        return ClaimProgress(self.done, self.planned)

    def next(self, steps: int = 1) -> ClaimProgress:
        self.done += steps
        return self.so_far


def judge(found: Sequence[Decision], times: Sequence[float], components: MainComponents) -> Outcome:
    """What was measured beside what was published.

    Args:
        found: how often forks share the form, of all seeds.
        times: of the states of a run.
    """
    expected, of_forms = speciation_time(components.power), speciation_time(components.forms)
    figures = {
        "eigenvalue": components.power, "t_s": expected, "step_of_t_s": step_at(expected, times),
        "eigenvalue_forms": components.forms, "t_forms": of_forms, "step_of_t_forms": step_at(of_forms, times),
    }  # fmt: skip
    errors = {"eigenvalue": components.power_error, "eigenvalue_forms": components.forms_error}
    time = time_of_sharing(found, times)
    where = translate(
        "claims", "The main component of renders (Λ = {0:.0f} ± {1:.0f}) lets one expect step {2} of {3}."
    )
    expects = where.format(components.power, components.power_error, _step(expected, times), len(times) - 1)
    if math.isnan(time):
        never = translate("claims", "{0} At none of the steps that were measured did copies begin to share the form.")
        return Outcome(never.format(expects), None, figures, errors)
    figures |= {"t_phi": time, "step_of_t_phi": step_at(time, times), "ratio": time / expected,
                "ratio_forms": time / of_forms if of_forms else math.nan}  # fmt: skip
    by_seed = sorted({each.seed for each in found})
    error = jackknife_error(by_seed, lambda kept: time_of_sharing([each for each in found if each.seed in kept], times))
    ratio, ratio_error = time / expected, _ratio_error(time, error, components.power, components.power_error)
    errors |= {"t_phi": error, "ratio": ratio_error,
               "ratio_forms": _ratio_error(time, error, components.forms, components.forms_error)}  # fmt: skip
    said = translate(
        "claims", "{0} Copies that part at step {1} share the form with probability 0.775: its time is {2:.2f} ± "
        "{3:.2f} of the one expected. Beside the forms' own main component (Λ = {4:.0f} ± {5:.0f}, step {6}) it is "
        "{7:.2f} ± {8:.2f}."
    )  # fmt: skip
    if math.isnan(ratio_error):
        few = translate("claims", "{0} Copies that part at step {1} share the form with probability 0.775: its time is "
                        "{2:.2f} of the one expected; too few runs to say how sure that is.")  # fmt: skip
        return Outcome(few.format(expects, _step(time, times), ratio), None, figures)
    here = said.format(
        expects, _step(time, times), ratio, ratio_error, components.forms, components.forms_error,
        _step(of_forms, times), figures["ratio_forms"], errors["ratio_forms"],
    )  # fmt: skip
    return Outcome(here, _holds(ratio, ratio_error), figures, errors)


def _step(time: float, times: Sequence[float]) -> str:
    return number_text(round(step_at(time, times), 1))


def _ratio_error(time: float, error: float, power: float, power_error: float) -> float:
    """Standard error of a time over the speciation time of an eigenvalue; both have errors of their own."""
    expected = speciation_time(power)
    if not expected:
        return math.nan
    return math.hypot(error / expected, time / expected**2 * 0.5 * power_error / (1 + power))


def _holds(ratio: float, error: float) -> bool | None:
    """Whether a ratio is one of those published, within two standard errors; None where that says nothing."""
    if ratio - 2 * error > HIGH or ratio + 2 * error < LOW:
        return False
    return True if error <= MOST_ERROR else None
