"""A diffusion model whose every answer is known: pictures that are a Gaussian random field with power f^-2.

The field is periodic, so its Fourier modes are independent and no window is needed. A mode of power P seen at level
(a, s) has the posterior mean a P / (a^2 P + s^2) times itself (a Wiener filter), and that is what the network returns,
in float64, as epsilon, x0 or v.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, DDIMScheduler, DiffusionPipeline, ModelMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from numpy.typing import NDArray

from sculptor_app.core.trajectory.levels import NoiseLevel

STANDARD_DEVIATION = 0.46
"""Of the field's pixels. With it, and 64x64 of them, the four frequency bands reach half of their final amplitude at
the steps 5, 13, 26 and 36 of 50; of a field with more contrast they would be decided earlier."""

COSINE = {"beta_schedule": "squaredcos_cap_v2", "clip_sample": False, "prediction_type": "v_prediction"}
"""Settings of the embedded model's scheduler, without clipping, which no closed form has."""


@functools.cache
def field_power(size: int, standard_deviation: float = STANDARD_DEVIATION) -> NDArray[np.float64]:
    """Power of each Fourier mode, (size, size), relative to white noise of unit variance; 0 for the mean."""
    frequency = np.fft.fftfreq(size, 1 / size)
    square = frequency[:, None] ** 2 + frequency[None, :] ** 2
    power = np.divide(1.0, square, out=np.zeros_like(square), where=square > 0)
    scale: float = standard_deviation**2 * size**2 / power.sum()
    return scale * power


def posterior_mean(x: NDArray[Any], level: NoiseLevel) -> NDArray[np.float64]:
    """The best guess of the clean picture behind a noisy state, (..., H, W)."""
    power = field_power(x.shape[-1])
    a, s = level.signal, level.noise
    gain = a * power / (a * a * power + s * s) if s else np.ones_like(power) / a
    mean: NDArray[np.float64] = np.fft.ifft2(gain * np.fft.fft2(x.astype(np.float64))).real
    return mean


class GaussianNetwork(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """The perfect network for the field.

    Args:
        prediction_type: "epsilon", "sample", "v_prediction", "flow_prediction" (timesteps are 1000 sigma, the input is
            the state itself) or "edm" (timesteps are ln(sigma)/4, data of standard deviation 0.5).
        beta_schedule: Of the schedule that its timesteps belong to.
        size: Edge of the pictures.
        channels: Of the pictures; all alike and independent.
    """

    @register_to_config
    def __init__(
        self,
        prediction_type: str = "v_prediction",
        beta_schedule: str = "squaredcos_cap_v2",
        size: int = 64,
        channels: int = 3,
    ) -> None:
        super().__init__()
        alpha_bar = DDIMScheduler(beta_schedule=beta_schedule).alphas_cumprod.numpy().astype(np.float64)
        self._sigmas = np.sqrt((1 - alpha_bar) / alpha_bar)
        self.weight = torch.nn.Parameter(torch.zeros(1), requires_grad=False)  # pipelines ask for a device and dtype

    def level(self, timestep: float) -> NoiseLevel:
        """Level of a timestep, interpolated in sigma as diffusers does it; on the unit circle for betas."""
        if self.config.prediction_type == "flow_prediction":
            return NoiseLevel(1 - timestep / 1000, timestep / 1000)
        if self.config.prediction_type == "edm":
            return NoiseLevel(1.0, float(np.exp(4 * timestep)))
        sigma = float(np.interp(timestep, np.arange(len(self._sigmas)), self._sigmas))
        return NoiseLevel(1 / np.hypot(1, sigma), sigma / np.hypot(1, sigma))

    def forward(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """What the network is asked for, of (B, C, H, W) as the scheduler scaled it."""
        level = self.level(float(timestep))
        a, s = level.signal, level.noise
        noisy = x.numpy().astype(np.float64)
        if self.config.prediction_type == "edm":
            return torch.from_numpy(_edm_output(noisy, s)).to(x.dtype)
        clean = posterior_mean(noisy, level)
        noise = (noisy - a * clean) / s
        answers = {"epsilon": noise, "sample": clean, "v_prediction": a * noise - s * clean,
                   "flow_prediction": noise - clean}  # fmt: skip
        return torch.from_numpy(answers[self.config.prediction_type]).to(x.dtype)


def _edm_output(scaled: NDArray[np.float64], sigma: float, data: float = 0.5) -> NDArray[np.float64]:
    """What an EDM network returns for its scaled input (Karras et al. 2022, table 1)."""
    noisy = scaled * np.hypot(sigma, data)
    clean = posterior_mean(noisy, NoiseLevel(1.0, sigma))
    skip, out = data**2 / (sigma**2 + data**2), sigma * data / np.hypot(sigma, data)
    return (clean - skip * noisy) / out


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
