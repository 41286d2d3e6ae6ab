"""A diffusion model whose network is perfect: that of a Gaussian random field, in closed form, as a diffusers pipeline.

It is run as any other model is, through sampler, observer and measures, to see that these are right. The network
answers in float64 for the level that its timestep stands for, as epsilon, x0, v, a flow's velocity, or as networks of
Karras et al. 2022 do; what it returns is rounded to the pipeline's own type.
"""
# No postponed annotations: which samplers a pipeline takes is read from the annotation of its scheduler.

import contextlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import ConfigMixin, DiffusionPipeline, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.schedulers import KarrasDiffusionSchedulers
from numpy.typing import NDArray

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.samplers import OWN_SAMPLER, SAMPLERS, SCHEDULER_CLASSES, Family, Networks
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.pipelines.compatibility import can_run
from sculptor_app.diffusion.pipelines.networks import BUILD_LOCK
from sculptor_app.diffusion.samplers.schedulers import make_scheduler, settings_of
from sculptor_app.measures.gaussian_field import posterior_mean

Floats = NDArray[np.float64]

SIZE = 64
"""Edge of the field's pictures in pixels."""
_EDM_DATA = 0.5
"""Standard deviation of the data that EDM's scaling is made for."""
_OF_BETAS = ("epsilon", "sample", "v_prediction")

OTHER_SCHEDULES: Mapping[Networks, Mapping[str, Any]] = {
    Networks.BETAS: {"_class_name": "DDIMScheduler", "beta_schedule": "linear", "prediction_type": "v_prediction"},
    Networks.FEW_STEPS: {"_class_name": "LCMScheduler", "beta_schedule": "squaredcos_cap_v2",
                         "prediction_type": "v_prediction"},
    Networks.FLOW: {"_class_name": "FlowMatchEulerDiscreteScheduler"},
    Networks.EDM: {"_class_name": "EDMEulerScheduler"},
}  # fmt: skip
"""What samplers are checked on that the model at hand does not take: a schedule of the networks that they are for."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkCall:
    """One evaluation of the perfect network, as it was told and as it answered, before any rounding."""

    level: NoiseLevel  # that its timestep stands for
    is_between: bool  # whether the timestep lies between two whole ones, which networks of betas were trained on
    state: Floats  # (C, H, W), what it was given, on the scale of that level
    clean: Floats  # (C, H, W), the best guess
    answer: Floats  # (C, H, W), what it returned


class FieldNetwork(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers ships no types
    """The perfect network for the field of `measures.gaussian_field`.

    Args:
        prediction_type: "epsilon", "sample", "v_prediction", "flow_prediction" (timesteps are 1000 sigma, the input is
            the state itself) or "edm" (timesteps are ln(sigma)/4, data of standard deviation 0.5).
        alphas_cumprod: alpha_bar of each timestep; empty where timesteps say the level themselves.
        size: Edge of the pictures.
        channels: Of the pictures; all alike and independent.

    Attributes:
        on_call: Is given every evaluation of a single state.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        prediction_type: str = "v_prediction",
        alphas_cumprod: list[float] | tuple[float, ...] = (),
        size: int = SIZE,
        channels: int = 3,
    ) -> None:
        super().__init__()
        alpha_bar = np.array(alphas_cumprod, np.float64)
        with np.errstate(divide="ignore"):
            self._sigmas = np.sqrt((1 - alpha_bar) / alpha_bar)  # infinite for pure noise
        self.on_call: Callable[[NetworkCall], None] | None = None
        self.weight = torch.nn.Parameter(torch.zeros(1), requires_grad=False)  # pipelines ask for a device and dtype

    @property
    def sigmas(self) -> Floats:
        """Noise level of each whole timestep; empty where timesteps say the level themselves."""
        return self._sigmas

    def level(self, timestep: float) -> NoiseLevel:
        """Level of a timestep, interpolated in sigma as diffusers does it; on the unit circle for betas."""
        if self.config.prediction_type == "flow_prediction":
            return NoiseLevel(1 - timestep / 1000, timestep / 1000)
        if self.config.prediction_type == "edm":
            return NoiseLevel(1.0, float(np.exp(4 * timestep)))
        whole = float(timestep).is_integer() and 0 <= timestep < len(self._sigmas)
        places = np.arange(len(self._sigmas))
        sigma = float(self._sigmas[int(timestep)] if whole else np.interp(timestep, places, self._sigmas))
        return (
            NoiseLevel(0.0, 1.0) if np.isinf(sigma) else NoiseLevel(1 / np.hypot(1, sigma), sigma / np.hypot(1, sigma))
        )

    def forward(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """What the network is asked for, of (B, C, H, W) as the scheduler scaled it."""
        level, kind = self.level(float(timestep)), self.config.prediction_type
        noisy = x.detach().cpu().numpy().astype(np.float64)
        if kind == "edm":
            noisy = noisy * np.hypot(level.noise, _EDM_DATA)
        clean = posterior_mean(noisy, level)
        answer = _answer(kind, noisy, clean, level)
        if self.on_call is not None and len(noisy) == 1:
            is_between = not float(timestep).is_integer() and bool(len(self._sigmas))
            self.on_call(NetworkCall(level, is_between, noisy[0], clean[0], answer[0]))
        return torch.from_numpy(answer).to(x.dtype).to(x.device)


def _answer(kind: str, noisy: Floats, clean: Floats, level: NoiseLevel) -> Floats:
    """A network's answer of this kind that goes with a guess (Karras et al. 2022, table 1, for "edm")."""
    a, s = level.signal, level.noise
    if kind == "sample":
        return clean
    if kind == "edm":
        skip, out = _EDM_DATA**2 / (s**2 + _EDM_DATA**2), s * _EDM_DATA / np.hypot(s, _EDM_DATA)
        return np.asarray((clean - skip * noisy) / out)
    noise = (noisy - a * clean) / s
    if kind == "v_prediction":
        return np.asarray(a * noise - s * clean)
    return np.asarray(noise - clean if kind == "flow_prediction" else noise)


class FieldPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Runs the perfect network with any of diffusers' samplers.

    Args:
        unet: The network.
        scheduler: Any of diffusers'.
    """

    def __init__(self, unet: FieldNetwork, scheduler: KarrasDiffusionSchedulers) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(self, num_inference_steps: int = 50, generator: torch.Generator | None = None) -> torch.Tensor:
        """The final states, (1, C, H, W)."""
        size, channels = self.unet.config.size, self.unet.config.channels
        self.scheduler.set_timesteps(num_inference_steps, device=self._execution_device)
        x = torch.randn(1, channels, size, size, generator=generator).to(self._execution_device)
        x = x * getattr(self.scheduler, "init_noise_sigma", 1)
        accepted = inspect.signature(self.scheduler.step).parameters
        extra = {"generator": generator} if "generator" in accepted else {}
        for t in self.scheduler.timesteps:
            # Flow matching scales nothing.
            seen = self.scheduler.scale_model_input(x, t) if hasattr(self.scheduler, "scale_model_input") else x
            x = self.scheduler.step(self.unet(seen, t), t, x, **extra, return_dict=False)[0]
        return x


def field_pipeline(base: Mapping[str, Any], sampler: str, steps: int) -> tuple[FieldPipeline, bool]:
    """A pipeline on a model's noise schedule and prediction type, and whether these are the model's own.

    It does not clip, which no closed form has. A sampler that the model does not take gets a schedule of the networks
    that it is for, see `OTHER_SCHEDULES`.

    Args:
        base: Settings of the model's own scheduler; empty for a model in several stages.
        sampler: Id of the sampler that it will be run with.
        steps: Reverse steps that it will be run with.

    Raises:
        SculptorError: No closed form is known for networks of that kind.
    """
    plain = {**base, "clip_sample": False, "thresholding": False, "use_dynamic_shifting": False}
    if str(base.get("variance_type")).startswith("learned"):
        plain["variance_type"] = "fixed_small"
    row = SAMPLERS[sampler]
    if sampler == OWN_SAMPLER:
        return _pipeline(plain, sampler, steps), True
    with contextlib.suppress(SculptorError):  # of the model's own schedule, which the sampler is not for
        pipeline = _pipeline(plain, sampler, steps)
        if can_run(pipeline, sampler, settings_of(pipeline)):
            return pipeline, True
    return _pipeline({**OTHER_SCHEDULES[row.networks], "clip_sample": False}, sampler, steps), False


def _pipeline(settings: Mapping[str, Any], sampler: str, steps: int) -> FieldPipeline:
    kind = _prediction(settings)
    alphas = getattr(make_scheduler(sampler, settings, steps), "alphas_cumprod", None)
    is_of_betas = kind in _OF_BETAS
    with BUILD_LOCK:
        network = FieldNetwork(kind, tuple(map(float, alphas)) if is_of_betas and alphas is not None else ())
    return FieldPipeline(network, make_scheduler(OWN_SAMPLER, settings, steps))


def _prediction(settings: Mapping[str, Any]) -> str:
    """What the network answers for a schedule of these settings; see `FieldNetwork`."""
    name = str(settings.get("_class_name"))
    known = SCHEDULER_CLASSES.get(name)
    config = {} if known is None else getattr(diffusers, name).from_config(dict(settings)).config
    kind = str(config.get("prediction_type", "epsilon"))
    special = config.get("use_flow_sigmas") or config.get("timestep_type", "discrete") != "discrete"
    if known is not None and known.family is Family.FLOW:
        return "flow_prediction"
    if known is not None and known.family is Family.EDM:
        return "edm"
    of_betas = known is not None and known.family in (Family.ALPHAS, Family.SIGMAS, Family.SPLIT_SIGMAS)
    if of_betas and kind in _OF_BETAS and not special:
        return kind
    raise SculptorError(
        translate("errors", "No closed-form model is known for networks that are sampled as {0} does it.").format(
            name if settings.get("_class_name") else translate("errors", "a model in several stages")
        ),
        translate("errors", "Choose one of the other samplers."),
    )
