"""The samplers on offer, each made from the settings that the model was trained with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import diffusers
import torch

from sculptor_app.diffusion.scheduler_levels import Scheduler

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


_CLASSES: dict[str, Any] = {
    "ddim": EvenDDIMScheduler,
    "ddpm": diffusers.DDPMScheduler,
    "dpmpp-2m": diffusers.DPMSolverMultistepScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler-a": diffusers.EulerAncestralDiscreteScheduler,
    "heun": BoundedHeunScheduler,
    "unipc": diffusers.UniPCMultistepScheduler,
}

_MULTISTEP = {"solver_order": 2, "final_sigmas_type": "zero", "use_karras_sigmas": False, "lower_order_final": True}
_SETTINGS: dict[str, dict[str, Any]] = {
    "dpmpp-2m": {**_MULTISTEP, "algorithm_type": "dpmsolver++", "solver_type": "midpoint"},
    "unipc": {**_MULTISTEP, "solver_type": "bh2", "predict_x0": True},
    "heun": {"use_karras_sigmas": False},
    "euler": {"use_karras_sigmas": False, "final_sigmas_type": "zero", "interpolation_type": "linear"},
}


def make_scheduler(sampler: str, base_config: Mapping[str, Any], steps: int) -> Scheduler:
    """A fresh scheduler for one run; its `set_timesteps` is left to the pipeline.

    Args:
        sampler: One of `request.SAMPLERS`.
        base_config: Settings of the model's own scheduler: its betas, prediction type and clipping are kept.
        steps: Reverse steps that it will be asked for, 1 to the model's `num_train_timesteps`.
    """
    settings: dict[str, Any] = {"timestep_spacing": "linspace", **_SETTINGS.get(sampler, {})}
    if sampler == "heun" and 1 < steps < LEAST_EVEN_HEUN_STEPS:
        settings |= {"use_karras_sigmas": True, "timestep_spacing": "trailing"}
    if steps == 1:
        settings["timestep_spacing"] = "trailing"  # "linspace" would start at timestep 0, at the picture
    if sampler == "dpmpp-2m" and base_config.get("beta_schedule") == "squaredcos_cap_v2":
        settings["lambda_min_clipped"] = LEAST_LOG_RATIO
    scheduler = _build(sampler, base_config, settings)
    if sampler in ("dpmpp-2m", "unipc") and _repeats_timesteps(scheduler, steps):
        settings |= {"timestep_spacing": "trailing", "lambda_min_clipped": -float("inf")}
        scheduler = _build(sampler, base_config, settings)
    return scheduler


def make_inverse(scheduler: EvenDDIMScheduler) -> EvenDDIMInverseScheduler:
    """The way back over the timesteps of a DDIM scheduler, before its own `set_timesteps`."""
    accepted = inspect.signature(diffusers.DDIMInverseScheduler.__init__).parameters
    return EvenDDIMInverseScheduler(**{name: value for name, value in scheduler.config.items() if name in accepted})


def _build(sampler: str, base_config: Mapping[str, Any], settings: dict[str, Any]) -> Scheduler:
    accepted = inspect.signature(_CLASSES[sampler].__init__).parameters
    chosen = {name: value for name, value in settings.items() if name in accepted}
    return _CLASSES[sampler].from_config(dict(base_config), **chosen)


def _repeats_timesteps(scheduler: Scheduler, steps: int) -> bool:
    """Whether so many evenly spaced timesteps, rounded to whole ones, repeat some: the solver would divide by zero."""
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.tolist()
    return len(set(timesteps)) < len(timesteps)
