"""What is known of the parameters of diffusers' pipelines by their names, and what their annotations tell of others."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any

import PIL.Image
import torch

from sculptor_app.core.requests.parameter import ParameterKind
from sculptor_app.core.requests.request import MAX_GUIDANCE, MAX_STEPS

_OURS = "Sculptor sets it itself."
_ONE = "Sculptor shows one picture at a time."
_SAMPLER = "It is the sampler's choice."
_SHARED = "It is for runs that two models share."
_ADAPTER = "It is for models with an image adapter, which a folder does not bring along."
NUMBERS = "It is made of numbers that a program makes, not a person."

SET_HERE = {
    **dict.fromkeys(("return_dict", "output_type", "generator", "latents", "noise", "picture", "first_step"), _OURS),
    **dict.fromkeys(("callback", "callback_steps", "callback_on_step_end", "use_clipped_model_output"), _OURS),
    **dict.fromkeys(("num_images_per_prompt", "num_videos_per_prompt", "batch_size"), _ONE),
    **dict.fromkeys(("timesteps", "sigmas", "mu"), _SAMPLER),
    **dict.fromkeys(("denoising_start", "denoising_end"), _SHARED),
    **dict.fromkeys(("ip_adapter_image", "negative_ip_adapter_image"), _ADAPTER),
}
"""Parameters that no control is for, and why."""

FIELDS = {"num_inference_steps": "steps", "guidance_scale": "guidance", "form": "form", "material": "material"}
"""Parameters that a request has a field of its own for."""

TITLES = {
    "prompt": "Prompt",
    "prompt_2": "Prompt for the second encoder",
    "prompt_3": "Prompt for the third encoder",
    "negative_prompt": "Negative prompt",
    "negative_prompt_2": "Negative prompt for the second encoder",
    "negative_prompt_3": "Negative prompt for the third encoder",
    "num_inference_steps": "Steps",
    "guidance_scale": "Guidance",
    "true_cfg_scale": "True guidance",
    "image": "Picture to start from",
    "mask_image": "Mask",
    "control_image": "Picture to follow",
    "class_labels": "Class",
    "eta": "Fresh noise (eta)",
    "strength": "How much is made anew (strength)",
}
"""Plain names where the parameter's own is none."""

SIZES = ("height", "width", "size")
LABELS = ("class_labels",)
PICTURES = ("image", "mask_image", "control_image")
"""Pictures that pipelines need although some of them have None for a default."""

_SHARE = (0.0, 1.0)
BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "num_inference_steps": (1, MAX_STEPS),
    **dict.fromkeys(("guidance_scale", "true_cfg_scale", "prior_guidance_scale", "decoder_guidance_scale"),
                    (0, MAX_GUIDANCE)),
    **dict.fromkeys(("strength", "eta", "guidance_rescale"), _SHARE),
    **dict.fromkeys(("control_guidance_start", "control_guidance_end"), _SHARE),
    **dict.fromkeys(("clip_skip", "noise_level"), (0, None)),
    "max_sequence_length": (1, None),
}  # fmt: skip
"""Least and greatest value where the papers, or the pipelines' own checks, have one."""


def parameters_of(pipeline: Any) -> dict[str, inspect.Parameter]:
    """The named parameters of a pipeline's call, with annotations that are types where they can be resolved.

    Args:
        pipeline: any of diffusers.
    """
    call = function_of(pipeline)
    try:
        hints = typing.get_type_hints(call)
    except Exception:  # an annotation of an optional library that is not there: strings are kept
        hints = {}
    named = (each for each in inspect.signature(call).parameters.values() if each.name != "self")
    return {
        each.name: each.replace(annotation=hints.get(each.name, each.annotation))
        for each in named
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }


def function_of(pipeline: Any) -> Callable[..., Any]:
    """The function behind a pipeline's call, without the wrappers around it."""
    call: Callable[..., Any] = inspect.unwrap(type(pipeline).__call__)
    return call


def words_of(pipeline: Any) -> frozenset[str]:
    """The names and texts that the code of a pipeline's call mentions, read from its compiled form.

    It tells what a pipeline does where its signature does not: whether it can leave out the decoding ("latent"),
    whether it scales the network's input ("scale_model_input").
    """
    code = function_of(pipeline).__code__
    return frozenset((*code.co_names, *(text for text in code.co_consts if isinstance(text, str))))


def kind_by_type(parameter: inspect.Parameter) -> ParameterKind | None:
    """What sort of control a parameter wants by its annotation, or by its default where it has none; None for none."""
    members = _members(parameter.annotation)
    if parameter.annotation is parameter.empty:
        members = [type(parameter.default)]
    if any(isinstance(each, type) and issubclass(each, Enum) for each in members) or _literals(parameter):
        return ParameterKind.CHOICE
    for wanted, kind in (
        (bool, ParameterKind.FLAG), (str, ParameterKind.TEXT), (PIL.Image.Image, ParameterKind.PICTURE),
        (float, ParameterKind.NUMBER), (int, ParameterKind.WHOLE),
    ):  # fmt: skip
        if wanted in members and isinstance(parameter.default, _defaults(wanted)):
            return kind
    return None


def choices_of(parameter: inspect.Parameter) -> dict[str, Any]:
    """What can be chosen, by the words for it."""
    found = {str(value): value for value in _literals(parameter)}
    for each in _members(parameter.annotation):
        if isinstance(each, type) and issubclass(each, Enum):
            found |= {member.name: member for member in each}
    return found


def _defaults(wanted: type) -> tuple[type, ...]:
    """The types that a default of this kind of value may have."""
    numbers = (float, int) if wanted is float else (wanted,)
    return (*numbers, type(None), type)  # `type`: without a default there is inspect.Parameter.empty


def _literals(parameter: inspect.Parameter) -> tuple[Any, ...]:
    members = _members(parameter.annotation)
    return tuple(value for each in members if typing.get_origin(each) is typing.Literal for value in each.__args__)


def _members(annotation: Any) -> list[Any]:
    """The alternatives of an annotation."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [member for each in typing.get_args(annotation) for member in _members(each)]
    if isinstance(annotation, str):
        known = {each.__name__: each for each in (bool, str, int, float, torch.Tensor)}
        return [known.get(word.strip(" '\""), word) for word in annotation.split("|")]
    return [annotation]
