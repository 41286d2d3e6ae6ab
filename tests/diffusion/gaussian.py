"""The perfect network of `diffusion.studies.gaussian_field` on any of diffusers' schedules, for tests.

Every answer of it is known: pictures are a Gaussian random field with power f^-2, and the guess is a Wiener filter.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from diffusers import DDIMScheduler, DiffusionPipeline, SchedulerMixin

from sculptor_app.diffusion.studies.gaussian_field import FieldNetwork
from sculptor_app.measures.gaussian_field import STANDARD_DEVIATION as STANDARD_DEVIATION
from sculptor_app.measures.gaussian_field import field_power as field_power
from sculptor_app.measures.gaussian_field import posterior_mean as posterior_mean

COSINE = {"beta_schedule": "squaredcos_cap_v2", "clip_sample": False, "prediction_type": "v_prediction"}
"""Settings of the embedded model's scheduler, without clipping, which no closed form has."""


class GaussianNetwork(FieldNetwork):
    """The perfect network for the field, on the schedule that its timesteps belong to; see `FieldNetwork`."""

    def __init__(
        self,
        prediction_type: str = "v_prediction",
        beta_schedule: str = "squaredcos_cap_v2",
        size: int = 64,
        channels: int = 3,
    ) -> None:
        alpha_bar = DDIMScheduler(beta_schedule=beta_schedule).alphas_cumprod
        super().__init__(prediction_type, tuple(map(float, alpha_bar)), size, channels)


class GaussianPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Runs the perfect network; takes what the embedded model's pipeline takes, and ignores what to sculpt.

    Args:
        unet: The network.
        scheduler: Any of diffusers'.
    """

    def __init__(self, unet: GaussianNetwork, scheduler: SchedulerMixin) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.freed = 0

    @torch.no_grad()
    def __call__(
        self, num_inference_steps: int = 50, generator: torch.Generator | None = None, **ignored: Any
    ) -> torch.Tensor:
        """The final states, (1, C, H, W)."""
        size, channels = self.unet.config.size, self.unet.config.channels
        self.scheduler.set_timesteps(num_inference_steps)
        x = torch.randn(1, channels, size, size, generator=generator) * getattr(self.scheduler, "init_noise_sigma", 1)
        accepted = inspect.signature(self.scheduler.step).parameters
        extra = {"generator": generator} if "generator" in accepted else {}
        scale = getattr(self.scheduler, "scale_model_input", lambda x, t: x)  # flow matching has none
        for t in self.scheduler.timesteps:
            output = self.unet(scale(x, t), t)
            x = self.scheduler.step(output, t, x, **extra, return_dict=False)[0]
        return x

    def maybe_free_model_hooks(self) -> None:
        """Counts how often it was called."""
        self.freed += 1
        super().maybe_free_model_hooks()


def gaussian_pipeline(size: int = 64, **changes: Any) -> GaussianPipeline:
    """A pipeline on the cosine schedule with a DDIM scheduler; `changes` go into the scheduler's settings."""
    settings = {**COSINE, **changes}
    network = GaussianNetwork(settings["prediction_type"], settings["beta_schedule"], size)
    return GaussianPipeline(network, DDIMScheduler.from_config(settings))
