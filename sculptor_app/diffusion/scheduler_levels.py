"""The noise level of every state of a run, read from the scheduler that makes it.

| family | signal a | noise s | level of call i |
| --- | --- | --- | --- |
| DDPM, DDIM, PNDM, LCM, TCD | sqrt(alpha_bar) | sqrt(1 - alpha_bar) | by `timesteps[i]` |
| Euler, Heun, LMS, KDPM2, EDM | 1 | sigma | by `sigmas[i]` |
| DPM-Solver++, UniPC, DEIS, SA | the scheduler's own split of sigma | | by `sigmas[i]` |
| flow matching | 1 - sigma | sigma | by `sigmas[i]` |

A scheduler counts here as what the class is that defines its `step`: a stranger's subclass with arithmetic of its own
is not known, and is not guessed at.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch

from sculptor_app.diffusion.level import CLEAN, NoiseLevel

Scheduler = Any
"""A scheduler of diffusers after `set_timesteps`; diffusers ships no types."""


class Family(Enum):
    """How a scheduler's own numbers give the factors (a, s)."""

    ALPHAS = "alphas"
    SIGMAS = "sigmas"
    SPLIT_SIGMAS = "split sigmas"
    FLOW = "flow"
    EDM = "edm"


FAMILIES = {
    "DDPMScheduler": Family.ALPHAS,
    "DDIMScheduler": Family.ALPHAS,
    "PNDMScheduler": Family.ALPHAS,
    "LCMScheduler": Family.ALPHAS,
    "TCDScheduler": Family.ALPHAS,
    "EulerDiscreteScheduler": Family.SIGMAS,
    "EulerAncestralDiscreteScheduler": Family.SIGMAS,
    "HeunDiscreteScheduler": Family.SIGMAS,
    "LMSDiscreteScheduler": Family.SIGMAS,
    "KDPM2DiscreteScheduler": Family.SIGMAS,
    "DPMSolverMultistepScheduler": Family.SPLIT_SIGMAS,
    "DPMSolverSinglestepScheduler": Family.SPLIT_SIGMAS,
    "UniPCMultistepScheduler": Family.SPLIT_SIGMAS,
    "DEISMultistepScheduler": Family.SPLIT_SIGMAS,
    "SASolverScheduler": Family.SPLIT_SIGMAS,
    "FlowMatchEulerDiscreteScheduler": Family.FLOW,
    "FlowMatchHeunDiscreteScheduler": Family.FLOW,
    "EDMEulerScheduler": Family.EDM,
    "EDMDPMSolverMultistepScheduler": Family.EDM,
}

_TWO_STAGES = ("HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "FlowMatchHeunDiscreteScheduler")


class UnknownSchedulerError(Exception):
    """A scheduler whose noise levels are not known; the text says which, for a person."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `scheduler.step` to come.

    Attributes:
        number: the step it belongs to, 1..N.
        stage: 0 for the first call of a step.
        completes: whether it is the last call of its step.
        before: level of the state that it is given.
        after: level of the state that it returns.
    """

    number: int
    stage: int
    completes: bool
    before: NoiseLevel
    after: NoiseLevel


def kind_of(scheduler: Scheduler) -> str:
    """Name of the class that defines the scheduler's `step`, as `FAMILIES` spells it.

    Raises:
        UnknownSchedulerError: It is none of them.
    """
    for kind in type(scheduler).__mro__:
        if "step" in vars(kind) and not kind.__dict__.get("keeps_step_arithmetic", False):
            if kind.__name__ in FAMILIES and kind.__module__.startswith("diffusers."):
                return kind.__name__
            break
    raise UnknownSchedulerError(f"The noise levels of the sampler {type(scheduler).__name__} are not known.")


def plan_calls(scheduler: Scheduler) -> tuple[Call, ...]:
    """All calls of `scheduler.step` that a whole run makes, in order.

    Args:
        scheduler: After `set_timesteps`; it is not changed.

    Raises:
        UnknownSchedulerError: Its levels are not known.
    """
    kind = kind_of(scheduler)
    count = len(scheduler.timesteps)
    levels = [level_of(scheduler, index) for index in range(count + 1)]
    stages = [_stage(scheduler, kind, index, count) for index in range(count)]
    return tuple(
        Call(number, stage, completes, levels[index], levels[index + 1])
        for index, (number, stage, completes) in enumerate(stages)
    )


def plan_levels(scheduler: Scheduler) -> tuple[NoiseLevel, ...]:
    """Levels of the states 0..N of a whole run, noise first.

    Args:
        scheduler: After `set_timesteps`; it is not changed.

    Raises:
        UnknownSchedulerError: Its levels are not known.
    """
    calls = plan_calls(scheduler)
    return (calls[0].before, *(call.after for call in calls if call.completes))


def level_of(scheduler: Scheduler, index: int) -> NoiseLevel:
    """Level of the state that call `index` of a run is given; `len(timesteps)` is the level of the result.

    Raises:
        UnknownSchedulerError: The scheduler's levels are not known.
    """
    kind = kind_of(scheduler)
    return _READERS[FAMILIES[kind]](scheduler, kind, index)


def call_index(scheduler: Scheduler, timestep: Any, calls_before: int) -> int:
    """Which entry of the schedule the coming call of `step` is for; reads only.

    Args:
        scheduler: Before that call.
        timestep: What the pipeline passes to it.
        calls_before: 0 for the first call of a run, then the entry that follows the one before it.
    """
    index = getattr(scheduler, "step_index", None)
    if index is not None:
        return int(index)
    if calls_before:  # DDPM, DDIM and PNDM keep no count of their own
        return calls_before
    begin = getattr(scheduler, "begin_index", None)
    if begin is not None:
        return int(begin)
    matches = (scheduler.timesteps == timestep).nonzero()
    return int(matches[0]) if len(matches) else 0


def _stage(scheduler: Scheduler, kind: str, index: int, count: int) -> tuple[int, int, bool]:
    """Step number, stage and whether the step is complete, of call `index` out of `count`."""
    if kind in _TWO_STAGES:
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
        alpha_bar = float(scheduler.alphas_cumprod[int(scheduler.timesteps[index])])
    elif kind in ("DDPMScheduler", "LCMScheduler"):
        return CLEAN
    else:
        alpha_bar = float(scheduler.final_alpha_cumprod)
    return NoiseLevel(math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar))


def _from_sigmas(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    halfway = kind == "KDPM2DiscreteScheduler" and index % 2 == 1 and index < len(scheduler.timesteps)
    return NoiseLevel(1.0, float((scheduler.sigmas_interpol if halfway else scheduler.sigmas)[index]))


def _from_split_sigmas(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    # Float64, as float32 loses the last of the signal at the noisy end of a cosine schedule.
    signal, noise = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[index].cpu().to(torch.float64))
    return NoiseLevel(float(signal), float(noise))


def _from_flow(scheduler: Scheduler, kind: str, index: int) -> NoiseLevel:
    sigma = float(scheduler.sigmas[index])
    return NoiseLevel(1 - sigma, sigma)


_READERS: dict[Family, Callable[[Scheduler, str, int], NoiseLevel]] = {
    Family.ALPHAS: _from_alphas,
    Family.SIGMAS: _from_sigmas,
    Family.SPLIT_SIGMAS: _from_split_sigmas,
    Family.FLOW: _from_flow,
    Family.EDM: _from_sigmas,
}
