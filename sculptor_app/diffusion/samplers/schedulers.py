"""The samplers on offer, each made from the settings that the model was trained with."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import diffusers
import torch

from sculptor_app.core.requests.request import OWN_SAMPLER, SAMPLER_NAMES, RequestError
from sculptor_app.diffusion.samplers.levels import FAMILIES, Scheduler, UnknownSchedulerError, kind_of

LEAST_LOG_RATIO = -5.1
"""ln(a/s) below which solvers of second order do not start: diffusers' advice for DPM-Solver++ on cosine schedules."""

LEAST_EVEN_HEUN_STEPS = 40
"""Below it Heun's method takes the spacing of Karras et al. 2022, eq. 5: with evenly spaced timesteps its strides in
sigma are too long at the noisy end. Measured on a field of known power with 20 steps, the lowest band held 2.44 of the
power that it should, against 0.75 with Karras' spacing and 0.72 of the same noise in the limit of many steps."""


class EvenDDIMScheduler(diffusers.DDIMScheduler):  # type: ignore[misc]  # diffusers ships no types
    """DDIM that steps to the next of its timesteps.

    WORKAROUND: `DDIMScheduler.step` of diffusers 0.42.1 takes every stride for `num_train_timesteps //
    num_inference_steps`. With evenly spaced ("linspace") timesteps the strides are others: 3 steps of 1000 go 999, 500,
    0, but it would make the second state for timestep 666, and the network would be told 500.
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
    """DDIM backwards, from the picture to the noise, over the very timesteps of `EvenDDIMScheduler`.

    WORKAROUND: `DDIMInverseScheduler` of diffusers 0.42.1 knows no evenly spaced ("linspace") timesteps, and takes
    every stride for `num_train_timesteps // num_inference_steps`, as `DDIMScheduler` does.
    """

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Plan the way back; arguments are those of `DDIMInverseScheduler.set_timesteps`."""
        forward = EvenDDIMScheduler.from_config(self.config)
        forward.set_timesteps(num_inference_steps, device)
        self.num_inference_steps = num_inference_steps
        self.timesteps = forward.timesteps.flip(0)
        self._strides = forward._strides

    def step(self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Undo the step that `EvenDDIMScheduler` takes from `timestep` if the network's answer is the given one.

        Arguments and result are those of `DDIMInverseScheduler.step`.
        """
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


CLASSES: dict[str, Any] = {
    "ddim": EvenDDIMScheduler,
    "ddpm": diffusers.DDPMScheduler,
    "dpmpp-2m": diffusers.DPMSolverMultistepScheduler,
    "dpmpp-2m-karras": diffusers.DPMSolverMultistepScheduler,
    "dpmpp-2s": diffusers.DPMSolverSinglestepScheduler,
    "dpmpp-2s-karras": diffusers.DPMSolverSinglestepScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler-karras": diffusers.EulerDiscreteScheduler,
    "euler-a": diffusers.EulerAncestralDiscreteScheduler,
    "heun": BoundedHeunScheduler,
    "unipc": diffusers.UniPCMultistepScheduler,
    "kdpm2": diffusers.KDPM2DiscreteScheduler,
    "kdpm2-a": diffusers.KDPM2AncestralDiscreteScheduler,
    "lms": diffusers.LMSDiscreteScheduler,
    "pndm": diffusers.PNDMScheduler,
    "deis": diffusers.DEISMultistepScheduler,
    "sa": diffusers.SASolverScheduler,
    "lcm": diffusers.LCMScheduler,
    "tcd": diffusers.TCDScheduler,
    "edm-euler": diffusers.EDMEulerScheduler,
    "edm-dpmpp-2m": diffusers.EDMDPMSolverMultistepScheduler,
    "flow-euler": diffusers.FlowMatchEulerDiscreteScheduler,
    "flow-heun": diffusers.FlowMatchHeunDiscreteScheduler,
}
"""The class of each sampler but the model's own."""

_MULTISTEP = {"solver_order": 2, "final_sigmas_type": "zero", "use_karras_sigmas": False, "lower_order_final": True}
_SINGLESTEP = {
    "solver_order": 2,
    "algorithm_type": "dpmsolver++",
    "final_sigmas_type": "zero",
    "lower_order_final": True,
}
_EULER = {"final_sigmas_type": "zero", "interpolation_type": "linear"}
_KARRAS = {"use_karras_sigmas": True}
_EVEN = {"use_karras_sigmas": False}
_SETTINGS: dict[str, dict[str, Any]] = {
    "dpmpp-2m": {**_MULTISTEP, "algorithm_type": "dpmsolver++", "solver_type": "midpoint"},
    "dpmpp-2m-karras": {**_MULTISTEP, "algorithm_type": "dpmsolver++", "solver_type": "midpoint", **_KARRAS},
    "dpmpp-2s": {**_SINGLESTEP, **_EVEN},
    "dpmpp-2s-karras": {**_SINGLESTEP, **_KARRAS},
    "unipc": {**_MULTISTEP, "solver_type": "bh2", "predict_x0": True},
    "heun": _EVEN,
    "euler": {**_EULER, **_EVEN},
    "euler-karras": {**_EULER, **_KARRAS},
    **dict.fromkeys(("kdpm2", "kdpm2-a", "lms", "deis", "sa"), _EVEN),
    "pndm": {"skip_prk_steps": True},
}
_SOLVERS = ("dpmpp-2m", "dpmpp-2s", "deis", "sa")
"""Multistep solvers that diffusers advises not to start where a cosine schedule has almost no signal."""


def settings_of(pipeline: Any) -> dict[str, Any]:
    """What a pipeline's own scheduler is made from, its class among it as in a folder's scheduler_config.json.

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


def schedulers_of(pipeline: Any) -> dict[str, Scheduler]:
    """All schedulers of a pipeline by the names of its components; models in several stages have several."""
    return {name: part for name, part in vars(pipeline).items() if isinstance(part, diffusers.SchedulerMixin)}


def make_scheduler(sampler: str, base_config: Mapping[str, Any], steps: int) -> Scheduler:
    """A fresh scheduler for one run; its `set_timesteps` is left to the pipeline.

    Args:
        sampler: One of `request.EVERY_SAMPLER` that the model can be run with, see `samplers_for`.
        base_config: Settings of the model's own scheduler: its betas, prediction type and clipping are kept, and the
            spacing of its timesteps where they say it.
        steps: Reverse steps that it will be asked for, 1 to the model's `num_train_timesteps`.

    Raises:
        UnknownSchedulerError: The model's own is asked for and is none of those whose noise levels are known.
        RequestError: The sampler cannot take so many steps.
    """
    if sampler == OWN_SAMPLER:
        return _own(base_config)
    settings: dict[str, Any] = {"timestep_spacing": _spacing(base_config), **_SETTINGS.get(sampler, {})}
    if sampler == "heun" and 1 < steps < LEAST_EVEN_HEUN_STEPS:
        settings |= {"use_karras_sigmas": True, "timestep_spacing": "trailing"}
    if steps == 1:
        settings["timestep_spacing"] = "trailing"  # "linspace" would start at timestep 0, at the picture
    if sampler in _SOLVERS and base_config.get("beta_schedule") == "squaredcos_cap_v2":
        settings["lambda_min_clipped"] = LEAST_LOG_RATIO
    scheduler = _build(sampler, base_config, settings)
    if sampler in ("dpmpp-2m", "unipc") and _repeats_timesteps(scheduler, steps):
        settings |= {"timestep_spacing": "trailing", "lambda_min_clipped": -float("inf")}
        scheduler = _build(sampler, base_config, settings)
    if "karras" in sampler and _repeats_timesteps(scheduler, steps, first=2):
        # Most pipelines say where in its schedule a run begins. The others' begin with the second of the two.
        raise RequestError(f"{SAMPLER_NAMES[sampler]} begins twice with {steps} steps; choose another sampler.")
    return scheduler


def _spacing(base_config: Mapping[str, Any]) -> str:
    """How a model spaces its timesteps, where its folder says so; else evenly, from pure noise on.

    Diffusers fills settings that a folder leaves out with those of the class that is named there, and lists which.
    """
    if "timestep_spacing" in base_config.get("_use_default_values", ()):
        return "linspace"
    return str(base_config.get("timestep_spacing", "linspace"))


def _own(config: Mapping[str, Any]) -> Scheduler:
    name = config.get("_class_name")
    if name not in FAMILIES:
        raise UnknownSchedulerError(f"The noise levels of the sampler {name} are not known.")
    return getattr(diffusers, name).from_config(dict(config))


def make_inverse(scheduler: EvenDDIMScheduler) -> EvenDDIMInverseScheduler:
    """The way back over the timesteps of a DDIM scheduler, before its own `set_timesteps`."""
    accepted = inspect.signature(diffusers.DDIMInverseScheduler.__init__).parameters
    return EvenDDIMInverseScheduler(**{name: value for name, value in scheduler.config.items() if name in accepted})


def _build(sampler: str, base_config: Mapping[str, Any], settings: dict[str, Any]) -> Scheduler:
    accepted = inspect.signature(CLASSES[sampler].__init__).parameters
    chosen = {name: value for name, value in settings.items() if name in accepted}
    return CLASSES[sampler].from_config(dict(base_config), **chosen)


def _repeats_timesteps(scheduler: Scheduler, steps: int, first: int | None = None) -> bool:
    """Whether so many timesteps, rounded to whole ones, repeat some: evenly spaced, the solver would divide by zero.

    Args:
        scheduler: Is planned anew.
        steps: Of the run.
        first: Look at so many of them alone; None looks at all.
    """
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.tolist()[:first]
    return len(set(timesteps)) < len(timesteps)
