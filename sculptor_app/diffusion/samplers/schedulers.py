"""The samplers on offer, each made from the settings that the model was trained with, and rehearsed before a run.

Schedulers of diffusers accept settings at which they divide by zero or leave their tables: timesteps that repeat, more
steps than a model was trained on, a run from pure noise with a network that predicts noise. A rehearsal takes the very
steps on a few numbers, with the answers of a network that knows its data: white noise of unit variance.
"""

from __future__ import annotations

import functools
import inspect
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import diffusers
import numpy as np
import torch

from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.requests.samplers import OWN_SAMPLER, SAMPLERS, SCHEDULER_CLASSES, Family, Sampler
from sculptor_app.core.texts import steps_text, translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.samplers.levels import Call, Scheduler, UnknownSchedulerError, is_known, kind_of, plan_calls

# Old folders hold settings that no class knows any more; diffusers would say so on the terminal at every run.
logging.getLogger("diffusers.configuration_utils").addFilter(lambda line: "were passed to" not in line.getMessage())

LEAST_LOG_RATIO = -5.1
"""ln(a/s) below which solvers of second order do not start: diffusers' advice for DPM-Solver++ on cosine schedules."""


class EvenDDIMScheduler(diffusers.DDIMScheduler):  # type: ignore[misc]  # diffusers ships no types
    """DDIM that steps to the next of its timesteps.

    WORKAROUND: `DDIMScheduler.step` of diffusers 0.42.1 takes every stride for `num_train_timesteps //
    num_inference_steps`. With evenly spaced ("linspace") timesteps the strides are others: 3 steps of 1000 go 999, 500,
    0, but it would make the second state for timestep 666, and the network would be given 500.
    """

    keeps_step_arithmetic = True

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Plan a run; arguments are those of `DDIMScheduler.set_timesteps`."""
        super().set_timesteps(num_inference_steps, device)
        timesteps = self.timesteps.tolist()
        self._strides = {now: now - later for now, later in zip(timesteps, [*timesteps[1:], -1], strict=True)}

    @functools.wraps(diffusers.DDIMScheduler.step)  # pipelines look whether it takes `eta` and a generator
    def step(self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Take one step of Song et al. 2021, eq. 12; arguments and result are those of `DDIMScheduler.step`."""
        stride = self._strides[int(timestep)]
        steps: Any = self.num_inference_steps  # type: ignore[has-type]
        # The floor division by this fraction gives the stride exactly.
        self.num_inference_steps = Fraction(self.config.num_train_timesteps, stride)
        try:
            return super().step(model_output, timestep, sample, *args, **kwargs)
        finally:
            self.num_inference_steps = steps


class EvenDDIMInverseScheduler(diffusers.DDIMInverseScheduler):  # type: ignore[misc]
    """DDIM inversion steps, from the picture to the noise, over the timesteps of `EvenDDIMScheduler`.

    WORKAROUND: `DDIMInverseScheduler` of diffusers 0.42.1 knows no evenly spaced ("linspace") timesteps, and takes
    every stride for `num_train_timesteps // num_inference_steps`, as `DDIMScheduler` does.
    """

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Plan an inversion; arguments are those of `DDIMInverseScheduler.set_timesteps`."""
        forward = EvenDDIMScheduler.from_config(self.config)
        forward.set_timesteps(num_inference_steps, device)
        self.num_inference_steps = num_inference_steps
        self.timesteps = forward.timesteps.flip(0)
        self._strides = forward._strides

    def step(self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Undo `EvenDDIMScheduler`'s step from `timestep`; arguments and result as of `DDIMInverseScheduler.step`."""
        steps: Any = self.num_inference_steps
        self.num_inference_steps = Fraction(self.config.num_train_timesteps, self._strides[int(timestep)])  # type: ignore[assignment]
        try:
            return super().step(model_output, timestep, sample, *args, **kwargs)
        finally:
            self.num_inference_steps = steps


class BoundedHeunScheduler(diffusers.HeunDiscreteScheduler):  # type: ignore[misc]
    """Heun's method, started where the noise is strong but not without bound.

    WORKAROUND: `HeunDiscreteScheduler` of diffusers 0.42.1 has no `lambda_min_clipped`. A cosine schedule ends at sigma
    20,000, the next of 50 steps is at 32; the mean of the slopes at both ends of that step is off by half of the second
    slope's error times 20,000, which leaves 60 times the power that a picture has in its lowest frequencies.
    """

    keeps_step_arithmetic = True

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        num_train_timesteps: int | None = None,
        timesteps: list[int] | None = None,
    ) -> None:
        """Plan a run; arguments are those of `HeunDiscreteScheduler.set_timesteps`."""
        if num_train_timesteps is None and timesteps is None:
            alpha_bar = self.alphas_cumprod
            num_train_timesteps = int((torch.log(alpha_bar / (1 - alpha_bar)) / 2 >= LEAST_LOG_RATIO).sum())
        super().set_timesteps(num_inference_steps, device, num_train_timesteps, timesteps)


_UNEVEN_LEVELS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas")


class EvenUniPCScheduler(diffusers.UniPCMultistepScheduler):  # type: ignore[misc]
    """UniPC on DDIM's timesteps where these are evenly spaced ("linspace"): both make states of the same levels.

    `UniPCMultistepScheduler` of diffusers 0.42.1 takes the first N of N + 1 timesteps between which 0 is the last; then
    its last stride, to the picture, is as long as the others. The Fréchet distance to renders of the embedded model's
    samples is the same with both, and power in the highest frequencies is nearer to that of renders on DDIM's (0.86
    and 0.77 of it in the last two octaves, 0.84 and 0.70).
    """

    keeps_step_arithmetic = True

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None, **others: Any) -> None:
        """Plan a run; arguments are those of `UniPCMultistepScheduler.set_timesteps`."""
        super().set_timesteps(num_inference_steps, device, **others)
        if self.config.timestep_spacing != "linspace" or any(self.config[name] for name in _UNEVEN_LEVELS):
            return
        timesteps = np.linspace(0, self.config.num_train_timesteps - 1, num_inference_steps).round()[::-1]
        whole = torch.from_numpy(timesteps.astype(np.int64))
        alpha_bar = self.alphas_cumprod.double()[whole]
        end: torch.Tensor = self.sigmas[-1:]  # type: ignore[has-type]
        self.sigmas = torch.cat([((1 - alpha_bar) / alpha_bar).sqrt().float(), end])
        self.timesteps = whole.to(device)


_MENDED = {
    "DDIMScheduler": EvenDDIMScheduler, "HeunDiscreteScheduler": BoundedHeunScheduler,
    "UniPCMultistepScheduler": EvenUniPCScheduler,
}  # fmt: skip
"""Replacements for classes of diffusers that have a fault, or that suit the others less."""


def class_of(sampler: Sampler) -> Any:
    """The scheduler class of a sampler other than the model's own."""
    assert sampler.scheduler is not None
    name = sampler.scheduler.name
    return _MENDED.get(name) or getattr(diffusers, name)


def settings_of(pipeline: Any) -> dict[str, Any]:
    """The settings of a pipeline's own scheduler, its class among them as in a folder's scheduler_config.json.

    Empty for a pipeline that has no single scheduler: only its own ones work there.
    """
    scheduler = getattr(pipeline, "scheduler", None)
    if scheduler is None or len(schedulers_of(pipeline)) != 1:
        return {}
    try:
        name = kind_of(scheduler)
    except UnknownSchedulerError:
        name = type(scheduler).__name__
    return {**scheduler.config, "_class_name": name}


ADD_NOISE_ALONE = ("image_noising_scheduler", "low_res_scheduler")
"""Diffusers' names for one that does, in all pipelines that have one."""


def schedulers_of(pipeline: Any) -> dict[str, Scheduler]:
    """Schedulers that a pipeline samples with, by the names of its components; models in several stages have several.

    One that only adds noise to a given picture, as super-resolution does before it begins, is none of them.
    """
    found = {name: part for name, part in vars(pipeline).items() if isinstance(part, diffusers.SchedulerMixin)}
    return {name: part for name, part in found.items() if name not in ADD_NOISE_ALONE}


_EVEN_LEVELS = dict.fromkeys(
    ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas"), False
)
"""Another spacing of the levels is that of a model's own sampler: no part of what the model learned from."""


def make_scheduler(sampler: str, base_config: Mapping[str, Any], steps: int) -> Scheduler:
    """A fresh scheduler for one run; its `set_timesteps` is left to the pipeline.

    Args:
        sampler: Id of one that the model can be run with, see `samplers_for`.
        base_config: Settings of the model's own scheduler: its betas, prediction type and clipping are kept, and the
            spacing of its timesteps where they say it.
        steps: Reverse steps that it will be asked for, 1 to the model's `num_train_timesteps`.

    Raises:
        RequestError: The model's own is none of diffusers'.
    """
    if sampler == OWN_SAMPLER:
        return _own(base_config)
    row = SAMPLERS[sampler]
    settings: dict[str, Any] = {"timestep_spacing": _spacing(base_config), **_EVEN_LEVELS, **row.settings}
    if 1 < steps < row.even_from_steps:
        settings |= {"use_karras_sigmas": True, "timestep_spacing": "trailing"}
    if steps == 1:
        settings["timestep_spacing"] = "trailing"  # "linspace" would start at timestep 0, at the picture
    if row.starts_late and base_config.get("beta_schedule") == "squaredcos_cap_v2":
        settings["lambda_min_clipped"] = LEAST_LOG_RATIO
    scheduler = _build(row, base_config, settings)
    if row.divides_by_strides and _repeats_timesteps(scheduler, steps):
        settings |= {"timestep_spacing": "trailing", "lambda_min_clipped": -float("inf")}
        scheduler = _build(row, base_config, settings)
    return scheduler


def _spacing(base_config: Mapping[str, Any]) -> str:
    """The spacing of a model's timesteps where its folder says so (diffusers lists what it filled in), else even."""
    if "timestep_spacing" in base_config.get("_use_default_values", ()):
        return "linspace"
    return str(base_config.get("timestep_spacing", "linspace"))


def _own(config: Mapping[str, Any]) -> Scheduler:
    if not config:
        raise UnknownSchedulerError(
            translate("errors", "This model has a sampler for each of its stages; their levels show when it runs.")
        )
    kind = getattr(diffusers, str(config.get("_class_name")), None)
    if not (inspect.isclass(kind) and issubclass(kind, diffusers.SchedulerMixin)):
        raise RequestError(
            translate("errors", "This model's sampler, {0}, is none of diffusers'.").format(config.get("_class_name"))
        )
    return kind.from_config(dict(config))  # type: ignore[attr-defined]  # diffusers ships no types


def make_inverse(scheduler: EvenDDIMScheduler) -> EvenDDIMInverseScheduler:
    """Inverse of a DDIM scheduler, over its timesteps, before its own `set_timesteps`."""
    accepted = inspect.signature(diffusers.DDIMInverseScheduler.__init__).parameters
    return EvenDDIMInverseScheduler(**{name: value for name, value in scheduler.config.items() if name in accepted})


def _build(sampler: Sampler, base_config: Mapping[str, Any], settings: dict[str, Any]) -> Scheduler:
    kind = class_of(sampler)
    accepted = inspect.signature(kind.__init__).parameters
    chosen = {name: value for name, value in settings.items() if name in accepted}
    return kind.from_config(dict(base_config), **chosen)


def _repeats_timesteps(scheduler: Scheduler, steps: int) -> bool:
    """Whether the timesteps, rounded to whole ones, repeat: evenly spaced, the solver would divide by zero."""
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.tolist()
    return len(set(timesteps)) < len(timesteps)


# Rehearsal -----------------------------------------------------------------------------------------------------------

_CHANNELS, _SIDE = 3, 4
_NOT_REHEARSED = (Family.SCORE,)
"""Families whose schedulers have no `step`, but a predictor and a corrector."""


@dataclass(frozen=True, slots=True)
class ScheduleProblem:
    """Why a sampler's steps give no picture."""

    sentence: str  # for a person
    is_of_steps: bool = True  # whether another number of steps may help


def schedule_problem(
    scheduler: Scheduler, name: str, steps: int, first: int = 0, says_begin: bool = False
) -> ScheduleProblem | None:
    """Why a planned scheduler's steps would give no picture; None where they would, or its steps are not known.

    Args:
        scheduler: After `set_timesteps`; it is used up.
        name: Of the sampler, for people.
        steps: How many were asked for.
        first: Which entry of the schedule the run starts with.
        says_begin: Whether the pipeline tells the scheduler so.
    """
    if not is_known(scheduler) or SCHEDULER_CLASSES[kind_of(scheduler)].family in _NOT_REHEARSED:
        return None
    calls: tuple[Call, ...] = ()
    timesteps = scheduler.timesteps.tolist()
    try:
        calls = plan_calls(scheduler, first)
        if _stays_finite(scheduler, calls, first, says_begin):
            return None
    except UnknownSchedulerError:
        return None
    except Exception:  # whatever a scheduler raises at settings that it does not check
        pass
    return _reason(scheduler, name, steps, calls, timesteps[first:])


def why_not_planned(scheduler: Scheduler, name: str, steps: int) -> ScheduleProblem:
    """Why a scheduler refused to plan so many steps."""
    return _reason(scheduler, name, steps, (), [])


def _reason(
    scheduler: Scheduler, name: str, steps: int, calls: tuple[Call, ...], timesteps: list[float]
) -> ScheduleProblem:
    trained = scheduler.config.get("num_train_timesteps")
    if calls and calls[0].before.signal == 0 and scheduler.config.get("prediction_type") == "epsilon":
        at_noise = translate(
            "errors",
            "This model's schedule begins with pure noise, where a model that predicts the noise says nothing of the "
            "picture, and {0} divides by zero.",
        )
        return ScheduleProblem(at_noise.format(name), is_of_steps=False)
    if isinstance(trained, int) and steps > trained:
        sentence = translate(
            "errors", "This model was trained on {1} timesteps, over which {0} cannot take {2} steps."
        ).format(name, trained, steps)
        return ScheduleProblem(sentence)
    if isinstance(trained, int) and timesteps and max(timesteps) >= trained:
        beyond = translate("errors", "With {1}, {0} begins beyond the {2} timesteps that this model was trained on.")
        return ScheduleProblem(beyond.format(name, steps_text(steps), trained))
    stages = SCHEDULER_CLASSES[kind_of(scheduler)].stages if is_known(scheduler) else 1
    own = timesteps[::stages]
    twice = translate("errors", "With {1}, {0} comes to one timestep of this model twice and divides by zero.")
    infinite = translate("errors", "With {1}, the numbers of {0} do not stay finite with this model's settings.")
    return ScheduleProblem((twice if len(set(own)) < len(own) else infinite).format(name, steps_text(steps)))


def _stays_finite(scheduler: Scheduler, calls: tuple[Call, ...], first: int, says_begin: bool) -> bool:
    """Whether all states of a run are finite; whatever the scheduler raises comes out."""
    if says_begin and hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, _CHANNELS, _SIDE, _SIDE, generator=generator) * max(calls[0].before.scale, 1e-3)
    step = _Step(scheduler, generator)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of divisions by zero, which are looked for here
        for index, call in enumerate(calls, start=first):
            x = step(x, index, call)
            if not torch.isfinite(x).all():
                return False
    return True


class _Step:
    """Calls of a scheduler's `step` as a pipeline makes them."""

    def __init__(self, scheduler: Scheduler, generator: torch.Generator) -> None:
        self._scheduler = scheduler
        self._family = SCHEDULER_CLASSES[kind_of(scheduler)].family
        self._accepted = inspect.signature(scheduler.step).parameters
        self._fixed = {"generator": generator} if "generator" in self._accepted else {}
        self._old: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor, index: int, call: Call) -> torch.Tensor:
        """The state that a call returns."""
        scheduler, timesteps = self._scheduler, self._scheduler.timesteps
        timestep = timesteps[index]
        if hasattr(scheduler, "scale_model_input"):
            scheduler.scale_model_input(x, timestep)
        given: dict[str, Any] = {
            **self._fixed,
            "model_output": self._answer(x, call.before),
            "timestep": timestep.reshape(1) if self._family is Family.WUERSTCHEN else timestep,
            "sample": x,
            "return_dict": False,
        }
        later = timesteps[index + 1] if index + 1 < len(timesteps) else None
        others = {
            "old_pred_original_sample": self._old,
            "timestep_back": timesteps[index - 1] if index else None,
            "prev_timestep": later,
        }
        result = scheduler.step(**given, **{name: value for name, value in others.items() if name in self._accepted})
        self._old = result[1] if len(result) > 1 else None
        state: torch.Tensor = result[0]
        return state

    def _answer(self, x: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
        """What a network answers that knows its data: the best guess of the picture is a·x/(a² + s²)."""
        a, s, r = level.signal, level.noise, level.scale
        clean = x * (a / r**2)
        noise = (x - a * clean) / max(s, 1e-9)
        config = self._scheduler.config
        by_kind = {
            "epsilon": noise, "sample": clean, "v_prediction": (a * noise - s * clean) / r,
            "flow_prediction": noise - clean,
        }  # fmt: skip
        kind = {
            Family.FLOW: "flow_prediction", Family.ANGLES: "v_prediction", Family.EDM: "sample",
            Family.CONSISTENCY: "sample", Family.TRIGFLOW: "v_prediction", Family.WUERSTCHEN: "epsilon",
        }.get(self._family) or str(config.get("prediction_type", "epsilon"))  # fmt: skip
        answer = by_kind.get(kind, clean)
        return torch.cat([answer, answer], 1) if str(config.get("variance_type")).startswith("learned") else answer
