"""The noise levels of a run that has not begun, as far as they can be told."""

from __future__ import annotations

from typing import Any

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.pipelines.layout import latent_layout_of
from sculptor_app.diffusion.pipelines.parameters import own_size
from sculptor_app.diffusion.pipelines.signature import parameters_of, words_of
from sculptor_app.diffusion.samplers.levels import Scheduler, UnknownSchedulerError, plan_levels

_PATCH = 2
"""Edge of the patch that becomes one token, in every model whose levels depend on the size of the picture."""


class PlanUnknown(SculptorError):
    """The noise levels of a run are known only when it runs."""


def planned_levels(scheduler: Scheduler, request: RunRequest, pipeline: Any = None) -> tuple[NoiseLevel, ...]:
    """Levels of the states 0..N that a request will give.

    Args:
        scheduler: Fresh, of that request; its timesteps are set.
        request: What is to be made.
        pipeline: The model, where it is loaded.

    Raises:
        PlanUnknown: They cannot be told beforehand.
    """
    told: dict[str, Any] = {}
    parameters = {} if pipeline is None else parameters_of(pipeline)
    if "strength" in parameters:
        raise PlanUnknown("How many steps are left depends on the picture's strength.", _LATER)
    if scheduler.config.get("use_dynamic_shifting"):
        told["mu"] = _shift(scheduler, request, pipeline)
    if "sigmas" in parameters and "linspace" in words_of(pipeline):
        told["sigmas"] = [1 - k / request.steps for k in range(request.steps)]  # np.linspace(1, 1/N, N)
    try:
        scheduler.set_timesteps(None if "sigmas" in told else request.steps, **told)
        return plan_levels(scheduler)
    except UnknownSchedulerError as error:
        raise PlanUnknown(str(error), _LATER) from error


_LATER = "The phases are shown when the run has begun."


def _shift(scheduler: Scheduler, request: RunRequest, pipeline: Any) -> float:
    """How far flows move their levels to the noise for large pictures (Esser et al. 2024, section 5.3.2).

    Diffusers' `calculate_shift`: a straight line through two pairs of token count and shift from the config.
    """
    size = None if pipeline is None else own_size(pipeline)
    sides = [request.told.get(name) or (size and size[place]) for place, name in enumerate(("height", "width"))]
    if "calculate_shift" not in (words_of(pipeline) if pipeline else ()) or not all(sides):
        raise PlanUnknown("The noise levels of this model depend on the size of the picture.", _LATER)
    edge = latent_layout_of(pipeline).factor * _PATCH
    tokens = (int(sides[0] or 0) // edge) * (int(sides[1] or 0) // edge)
    config = scheduler.config
    few, many = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    least, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    slope: float = (most - least) / (many - few)
    return float(tokens * slope + least - slope * few)
