"""The noise level of every state of a run, read from the scheduler that makes it.

| family | signal a | noise s | level of call i |
| --- | --- | --- | --- |
| DDPM, DDIM, PNDM, LCM, TCD, UnCLIP, CogVideoX | sqrt(alpha_bar) | sqrt(1 - alpha_bar) | by `timesteps[i]` |
| Euler, Heun, LMS, KDPM2, EDM, consistency models | 1 | sigma | by `sigmas[i]` |
| DPM-Solver++, UniPC, DEIS, SA | the scheduler's own split of sigma | | by `sigmas[i]` |
| flow matching | 1 - sigma | sigma | by `sigmas[i]` |
| SCM (trigflow), data of standard deviation d | d cos(t) | d sin(t) | by `timesteps[i]` |
| IPNDM | cos | sin | by `alphas[i]`, `betas[i]` |
| Wuerstchen's DDPM | sqrt(alpha_bar) | sqrt(1 - alpha_bar) | alpha_bar is a function of `timesteps[i]` |
| ScoreSdeVe | 1 | sigma | a geometric series, by `timesteps[i]` |

A scheduler counts here as what the class is that defines its `step`: an untrusted subclass with arithmetic of its
own is not known, and is not guessed at. Of one that is not known the levels are those that the network is told, where
the scheduler keeps them openly, see `open_calls`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from sculptor_app.core.requests.samplers import SCHEDULER_CLASSES, Family
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import CLEAN, UNKNOWN, NoiseLevel

Scheduler = Any
"""A scheduler of diffusers after `set_timesteps`; diffusers ships no types."""

INVERTED_LEVELS = translate(
    "errors", "This model counts its noise levels the other way round, which is not known here."
)


class UnknownSchedulerError(Exception):
    """A scheduler whose noise levels are not known; the text says which, for a person."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `scheduler.step` to come."""

    number: int  # the step it belongs to, 1..N
    stage: int  # 0 for the first call of a step
    completes: bool  # whether it is the last call of its step
    before: NoiseLevel  # level of the state that it is given
    after: NoiseLevel  # level of the state that it returns


def kind_of(scheduler: Scheduler) -> str:
    """Name in `SCHEDULER_CLASSES` of the class that defines the scheduler's `step`; else `UnknownSchedulerError`."""
    for kind in type(scheduler).__mro__:
        step = vars(kind).get("step", vars(kind).get("step_pred"))  # a predictor beside a corrector
        if getattr(step, "is_inherited", False):  # a hook of the observer on a class without a `step` of its own
            continue
        if step is not None and not vars(kind).get("keeps_step_arithmetic", False):
            if kind.__name__ in SCHEDULER_CLASSES and kind.__module__.startswith("diffusers."):
                return kind.__name__
            break
    raise UnknownSchedulerError(unknown_steps(type(scheduler).__name__))


def unknown_steps(name: str) -> str:
    """The sentence about a scheduler class whose arithmetic is not known."""
    return translate(
        "errors", "How the sampler {0} takes its steps is not known here, so no guess can be shown."
    ).format(name)


def is_known(scheduler: Scheduler) -> bool:
    """Whether a scheduler's arithmetic is known."""
    try:
        kind_of(scheduler)
    except UnknownSchedulerError:
        return False
    return True


def calls_in(scheduler: Scheduler) -> int:
    """Calls of `step` that the whole schedule makes, after `set_timesteps`; some end it with the picture's timestep.

    Raises:
        UnknownSchedulerError: Its timesteps do not say so.
    """
    timesteps = getattr(scheduler, "timesteps", None)
    if timesteps is None:
        raise UnknownSchedulerError(
            translate("errors", "{0} does not say how many steps it takes.").format(type(scheduler).__name__)
        )
    count = len(timesteps)
    if not is_known(scheduler):
        return count
    kind = kind_of(scheduler)
    if kind == "LTXEulerAncestralRFScheduler":
        return min(count, len(scheduler.sigmas) - 1)
    return count - (SCHEDULER_CLASSES[kind].family in (Family.TRIGFLOW, Family.WUERSTCHEN))


def plan_calls(scheduler: Scheduler, first: int = 0) -> tuple[Call, ...]:
    """The calls of `scheduler.step` that a run makes, in order, after `set_timesteps`; the scheduler is not changed.

    Args:
        first: Which entry of the schedule the run starts with. Steps are counted from 1 at the schedule's beginning.

    Raises:
        UnknownSchedulerError: Its levels are not known.
    """
    kind, count = kind_of(scheduler), calls_in(scheduler)
    levels = [level_of(scheduler, index) for index in range(count + 1)]
    if kind == "PNDMScheduler" and first:
        return _plan_late_pndm(scheduler, levels, first)
    stages = [_stage(scheduler, kind, index, count) for index in range(count)]
    return tuple(
        Call(number, stage, completes, levels[index], levels[index + 1])
        for index, (number, stage, completes) in enumerate(stages)
    )[first:]


def open_calls(scheduler: Scheduler, first: int = 0, count: int | None = None) -> tuple[Call, ...]:
    """The calls of a scheduler whose arithmetic is not known, one for each step; it is not changed.

    The level of a state is what the network is told: by the class that the scheduler inherits from, if that is known,
    or by a table `alphas_cumprod` over whole timesteps. Otherwise, and for the last state, it is `UNKNOWN`.

    Args:
        first: Which of the timesteps the run starts with.
        count: How many calls are expected; None is one for each timestep that is left.

    Raises:
        UnknownSchedulerError: The timesteps are asked for, and there are none.
    """
    count = calls_in(scheduler) - first if count is None else count
    levels = [*_open_levels(scheduler)[first:], *[UNKNOWN] * (count + 1)]
    return tuple(
        Call(number, 0, True, levels[number - 1], levels[number] if number < count else UNKNOWN)
        for number in range(1, count + 1)
    )


def _open_levels(scheduler: Scheduler) -> list[NoiseLevel]:
    """Levels of the states that a network is given, one for each timestep; empty where they cannot be told."""
    try:
        timesteps = [float(timestep) for timestep in scheduler.timesteps]
        if any(later >= now for now, later in pairwise(timesteps)):
            return []  # it goes to and fro
        for kind in type(scheduler).__mro__:
            if kind.__name__ in SCHEDULER_CLASSES and kind.__module__.startswith("diffusers."):
                read = _READERS[SCHEDULER_CLASSES[kind.__name__].family]
                levels = [read(scheduler, kind.__name__, index) for index in range(len(timesteps))]
                break
        else:
            table = scheduler.alphas_cumprod
            if not all(timestep == int(timestep) and 0 <= timestep < len(table) for timestep in timesteps):
                return []
            levels = [_of_alpha_bar(float(table[int(timestep)])) for timestep in timesteps]
    except Exception:  # an untrusted scheduler's attributes may be anything
        return []
    snrs = [level.snr for level in levels]
    return levels if all(now < later for now, later in pairwise(snrs)) else []


def _of_alpha_bar(alpha_bar: float) -> NoiseLevel:
    return NoiseLevel(math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar))


def _plan_late_pndm(scheduler: Scheduler, levels: list[NoiseLevel], first: int) -> tuple[Call, ...]:
    """The calls of the linear multistep variant when it starts in mid-schedule, as diffusers has it.

    Its second call always repeats the first step. At the schedule's beginning an entry is doubled for that. Later on
    the second call is for the next entry, whose level the state has by then, and the third for the one after it: one
    level of the schedule is passed over. Starting at the doubled entry itself leaves a state between the levels.
    """
    count = len(scheduler.timesteps)
    if (
        len(scheduler.prk_timesteps)
        or count - first < 2
        or scheduler.timesteps[first] == scheduler.timesteps[first + 1]
    ):
        raise UnknownSchedulerError(
            translate("errors", "PNDM cannot be followed from this place of its schedule; change the strength.")
        )
    return tuple(
        Call(
            number=first - 1 + max(place, 1),
            stage=int(place == 1),
            completes=place > 0,
            before=levels[first + place],
            after=levels[first + place + int(place != 1)],
        )
        for place in range(count - first)
    )


def plan_levels(scheduler: Scheduler) -> tuple[NoiseLevel, ...]:
    """Levels of the states 0..N of a run, noise first, after `set_timesteps`; errors are those of `plan_calls`."""
    return levels_of(plan_calls(scheduler))


def levels_of(calls: Sequence[Call]) -> tuple[NoiseLevel, ...]:
    """Levels of the states 0..N that the planned calls of a run lead through, noise first."""
    return (calls[0].before, *(call.after for call in calls if call.completes))


def level_of(scheduler: Scheduler, index: int) -> NoiseLevel:
    """Level of the state that call `index` is given, `len(timesteps)` for the result; errors are those of `kind_of`."""
    kind = kind_of(scheduler)
    return _READERS[SCHEDULER_CLASSES[kind].family](scheduler, kind, index)


def call_index(scheduler: Scheduler, timestep: Any, calls_before: int, calls_left: int | None = None) -> int:
    """Index in the schedule of the coming call of `step`; reads only.

    Args:
        calls_before: 0 for the first call of a run, then the entry that follows the one before it.
        calls_left: How many calls the pipeline says that the run makes; distinguishes entries of the same timestep.
    """
    index = getattr(scheduler, "step_index", None)
    if index is not None:
        return int(index)
    if calls_before:  # DDPM, DDIM and PNDM keep no count of their own
        return calls_before
    begin = getattr(scheduler, "begin_index", None)
    if begin is not None:
        return int(begin)
    if timestep is None:  # a corrector comes first, which is given none
        return 0
    matches = (scheduler.timesteps == timestep).nonzero().flatten().tolist()
    said = len(scheduler.timesteps) - (calls_left or 0)
    return said if said in matches else int((matches or [0])[0])


def _stage(scheduler: Scheduler, kind: str, index: int, count: int) -> tuple[int, int, bool]:
    """Step number, stage and whether the step is complete, of call `index` out of `count`."""
    if SCHEDULER_CLASSES[kind].stages == 2:
        return index // 2 + 1, index % 2, index % 2 == 1 or index == count - 1
    if kind != "PNDMScheduler":
        return index + 1, 0, True
    warm_up = len(scheduler.prk_timesteps)  # four Runge-Kutta calls for each of the first three steps, or none
    if index < warm_up:
        return index // 4 + 1, index % 4, index % 4 == 3
    if warm_up:
        return index - warm_up + warm_up // 4 + 1, 0, True
    # The linear multistep variant takes its first step twice.
    return max(index, 1), int(index == 1), index > 0 or count == 1


def _from_alphas(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    if index < len(scheduler.timesteps):
        return _of_alpha_bar(float(scheduler.alphas_cumprod[int(scheduler.timesteps[index])]))
    return CLEAN if SCHEDULER_CLASSES[kind].ends_clean else _of_alpha_bar(float(scheduler.final_alpha_cumprod))


def _from_sigmas(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    halfway = kind.startswith("KDPM2") and index % 2 == 1 and index < len(scheduler.timesteps)
    if halfway:  # both keep the levels between, one of them a place earlier
        return NoiseLevel(1.0, float(scheduler.sigmas_interpol[index - ("Ancestral" in kind)]))
    return NoiseLevel(1.0, float(scheduler.sigmas[index]))


def _from_split_sigmas(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    # Float64, as float32 loses the last of the signal at the noisy end of a cosine schedule.
    signal, noise = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[index].cpu().to(torch.float64))
    return NoiseLevel(float(signal), float(noise))


def _from_flow(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    if scheduler.config.get("invert_sigmas"):
        raise UnknownSchedulerError(INVERTED_LEVELS)
    sigma = float(scheduler.sigmas[index])
    return NoiseLevel(1 - sigma, sigma)


def _of_consistency(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    """As `sigmas` says, but for the result: it gets no noise again (Song et al. 2023, algorithm 1)."""
    return NoiseLevel(1.0, float(scheduler.sigmas[index])) if index < len(scheduler.timesteps) else CLEAN


def _from_angles(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    """Of IPNDM, which keeps cosines and sines as `alphas` and `betas`."""
    return NoiseLevel(float(scheduler.alphas[index]), float(scheduler.betas[index]))


def _of_trigflow(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    """Of an angle and the data's standard deviation (Lu and Song 2025, section 3); the first angle is just over 90°."""
    angle, deviation = float(scheduler.timesteps[index]), float(scheduler.config.sigma_data)
    return NoiseLevel(deviation * max(0.0, math.cos(angle)), deviation * math.sin(angle))


def _of_wuerstchen(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    timestep = scheduler.timesteps[index].reshape(1).cpu()
    return _of_alpha_bar(float(scheduler._alpha_cumprod(timestep, torch.device("cpu"))))


def _of_score(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    """As the network is told (Song et al. 2021, appendix C); the pipeline ends with the mean of the last state."""
    if index >= len(scheduler.timesteps):
        return CLEAN
    least, most = scheduler.config.sigma_min, scheduler.config.sigma_max
    return NoiseLevel(1.0, least * (most / least) ** float(scheduler.timesteps[index]))


_READERS: dict[Family, Callable[[Scheduler, str, int], NoiseLevel]] = {
    Family.ALPHAS: _from_alphas,
    Family.SIGMAS: _from_sigmas,
    Family.SPLIT_SIGMAS: _from_split_sigmas,
    Family.FLOW: _from_flow,
    Family.EDM: _from_sigmas,
    Family.CONSISTENCY: _of_consistency,
    Family.TRIGFLOW: _of_trigflow,
    Family.ANGLES: _from_angles,
    Family.WUERSTCHEN: _of_wuerstchen,
    Family.SCORE: _of_score,
}
