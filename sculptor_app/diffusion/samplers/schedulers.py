"""The samplers on offer, each made from the settings that the model was trained with."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import diffusers
import torch

from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.requests.samplers import OWN_SAMPLER, SAMPLERS, Sampler
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.samplers.levels import Scheduler, UnknownSchedulerError, kind_of

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


_MENDED = {"DDIMScheduler": EvenDDIMScheduler, "HeunDiscreteScheduler": BoundedHeunScheduler}
"""Replacements for classes of diffusers that have a fault."""


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


_ADDS_NOISE_ALONE = "image_noising_scheduler"
"""Diffusers' name for it, in all pipelines that have one."""


def schedulers_of(pipeline: Any) -> dict[str, Scheduler]:
    """Schedulers that a pipeline samples with, by the names of its components; models in several stages have several.

    One that only adds noise to a given picture, as super-resolution does before it begins, is none of them.
    """
    parts = vars(pipeline).items()
    return {
        name: part for name, part in parts if isinstance(part, diffusers.SchedulerMixin) and name != _ADDS_NOISE_ALONE
    }


def make_scheduler(sampler: str, base_config: Mapping[str, Any], steps: int) -> Scheduler:
    """A fresh scheduler for one run; its `set_timesteps` is left to the pipeline.

    Args:
        sampler: Id of one that the model can be run with, see `samplers_for`.
        base_config: Settings of the model's own scheduler: its betas, prediction type and clipping are kept, and the
            spacing of its timesteps where they say it.
        steps: Reverse steps that it will be asked for, 1 to the model's `num_train_timesteps`.

    Raises:
        RequestError: The sampler cannot take so many steps, or the model's own is none of diffusers'.
    """
    if sampler == OWN_SAMPLER:
        return _own(base_config)
    row = SAMPLERS[sampler]
    settings: dict[str, Any] = {"timestep_spacing": _spacing(base_config), **row.settings}
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
    if row.has_karras_spacing and _repeats_timesteps(scheduler, steps, first=2):
        # Most pipelines say where in its schedule a run begins. The others' begin with the second of the two.
        raise RequestError(
            translate("errors", "{0} begins twice with {1} steps; choose another sampler.").format(row.label, steps)
        )
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


def _repeats_timesteps(scheduler: Scheduler, steps: int, first: int | None = None) -> bool:
    """Whether the (first) timesteps, rounded to whole ones, repeat: evenly spaced, the solver would divide by zero."""
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.tolist()[:first]
    return len(set(timesteps)) < len(timesteps)
