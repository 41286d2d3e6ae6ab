"""Which samplers a loaded model can be run with."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Mapping
from typing import Any

import diffusers

from sculptor_app.core.requests.request import EVERY_SAMPLER, OWN_SAMPLER, SAMPLERS, RequestError
from sculptor_app.diffusion.pipelines.signature import words_of
from sculptor_app.diffusion.samplers.levels import FAMILIES, Family
from sculptor_app.diffusion.samplers.schedulers import CLASSES, settings_of

_FLOW = ("flow-euler", "flow-heun")
_EDM = ("edm-euler", "edm-dpmpp-2m")
_FEW_STEPS = ("lcm", "tcd")
_BETAS = tuple(each for each in EVERY_SAMPLER if each not in (OWN_SAMPLER, *_FLOW, *_EDM, *_FEW_STEPS))
_NEED_SCIPY = ("lms",)
_KNOW_VARIANCE = ("ddpm", "dpmpp-2m", "dpmpp-2m-karras", "dpmpp-2s", "dpmpp-2s-karras")
"""Samplers that leave a learned variance aside, or use it."""

_NO_SAMPLE = ("euler-a", "kdpm2", "kdpm2-a")
"""Samplers that diffusers does not have for networks that predict the clean picture itself."""


def samplers_for(pipeline: Any, settings: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The samplers that a pipeline can be run with, the one to begin with first.

    A model of flow matching takes those of flow matching, one of EDM those of EDM. Others are offered where the
    pipeline's code shows that they work: it scales the network's input as the sampler wants it, or the sampler wants
    none; and it gives the sampler no argument that this one does not take. What is the model's own sampler anyway is
    not offered once more.

    Args:
        pipeline: Any of diffusers, or the embedded model's.
        settings: What `settings_of` said when it was loaded; None if it still has the scheduler that it came with.
    """
    if hasattr(pipeline, "label_embedding"):  # the embedded model's kind; they were chosen for it
        return SAMPLERS
    own = settings_of(pipeline) if settings is None else settings
    name = own.get("_class_name")
    able = (each for each in EVERY_SAMPLER if can_run(pipeline, each, own))
    return (OWN_SAMPLER, *(each for each in able if each != OWN_SAMPLER and not _is_own(each, name)))


def check_sampler(pipeline: Any, sampler: str, settings: Mapping[str, Any]) -> None:
    """Refuse a sampler that a pipeline cannot be run with.

    Args:
        pipeline: Any.
        sampler: Of a request.
        settings: As for `samplers_for`.

    Raises:
        RequestError: It cannot; the sentence names those that it can.
    """
    if not can_run(pipeline, sampler, settings):
        able = ", ".join(samplers_for(pipeline, settings))
        raise RequestError(f"This model cannot be run with the sampler {sampler!r}; choose one of {able}.")


def can_run(pipeline: Any, sampler: str, settings: Mapping[str, Any]) -> bool:
    """Whether a pipeline can be run with a sampler; arguments are those of `check_sampler`."""
    if sampler == OWN_SAMPLER:
        return True
    if hasattr(pipeline, "label_embedding"):
        return sampler in SAMPLERS
    name = settings.get("_class_name")
    return name in FAMILIES and sampler in _of_its_family(name, settings) and _works(sampler, name, settings, pipeline)


def _is_own(sampler: str, own_name: Any) -> bool:
    return own_name in {each.__name__ for each in CLASSES[sampler].__mro__} and "karras" not in sampler


def _of_its_family(name: str, own: Mapping[str, Any]) -> tuple[str, ...]:
    family = FAMILIES[name]
    if family is Family.FLOW:
        return _FLOW
    if family is Family.EDM:
        return _EDM
    if name in ("LCMScheduler", "TCDScheduler"):  # networks that were distilled for a few large steps
        return _FEW_STEPS
    return () if family is Family.CONSISTENCY or _is_special(own) else _BETAS


def _is_special(own: Mapping[str, Any]) -> bool:
    """Whether a network of betas knows flows, or levels in place of timesteps: only its own sampler does so, too."""
    flows = own.get("prediction_type") == "flow_prediction" or own.get("use_flow_sigmas")
    return bool(flows or own.get("timestep_type", "discrete") != "discrete")


def _works(sampler: str, own_name: str, own: Mapping[str, Any], pipeline: Any) -> bool:
    kind, own_kind, words = CLASSES[sampler], getattr(diffusers, own_name), words_of(pipeline)
    if sampler in _NEED_SCIPY and importlib.util.find_spec("scipy") is None:
        return False
    if sampler in _NO_SAMPLE and own.get("prediction_type") == "sample":
        return False
    if str(own.get("variance_type")).startswith("learned") and sampler not in _KNOW_VARIANCE:
        return False
    if "karras" in sampler and own.get("beta_schedule") == "squaredcos_cap_v2":
        return False  # its spacing begins at sigma 20,000 there, and spends most steps where nothing can be seen
    if sampler in _FEW_STEPS:
        return _takes_any(pipeline)
    if FAMILIES.get(kind.__name__) is Family.FLOW:
        return not own.get("use_dynamic_shifting") and not _hands_over_levels(words, kind)
    if _scales_input(kind) and "scale_model_input" not in words:
        return False
    looks = {"prepare_extra_step_kwargs", "signature"} & words  # it looks what arguments a sampler takes
    return bool(looks) or _takes_any(pipeline) or _parameters(own_kind.step) <= _parameters(kind.step)


def _takes_any(pipeline: Any) -> bool:
    """Whether a pipeline says that it works with all of diffusers' usual samplers."""
    annotation = inspect.signature(type(pipeline).__init__).parameters["scheduler"].annotation
    return annotation is diffusers.schedulers.KarrasDiffusionSchedulers


def _hands_over_levels(words: frozenset[str], kind: Any) -> bool:
    """Whether the pipeline plans the noise levels itself, and the sampler wants to do so, too."""
    return "linspace" in words and "sigmas" not in _parameters(kind.set_timesteps)


def _scales_input(kind: Any) -> bool:
    family = next(FAMILIES[each.__name__] for each in kind.__mro__ if each.__name__ in FAMILIES)
    return family is Family.SIGMAS


def _parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)
