"""Parameters of any diffusers pipeline, from the signature of its call and the configs of its components."""

from __future__ import annotations

import dis
import inspect
import itertools
import types
import typing
from enum import Enum
from inspect import Parameter
from typing import Any

import PIL.Image
import torch

from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind, UnsupportedParameter
from sculptor_app.core.requests.request import MAX_GUIDANCE, MAX_STEPS, known_labels
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.pipelines.layout import Pipeline, latent_layout_of

_OURS = translate("errors", "Sculptor sets it itself.")
_ONE = translate("errors", "Sculptor shows one picture at a time.")
_SAMPLER = translate("errors", "It is the sampler's choice.")
_SHARED = translate("errors", "It is for runs that two models share.")
_ADAPTER = translate("errors", "It is for models with an image adapter, which a folder does not bring along.")
NUMBERS = translate("errors", "It is made of numbers that a program makes, not a person.")

SET_BY_APP = {
    **dict.fromkeys(("return_dict", "output_type", "generator", "latents", "noise", "picture", "first_step"), _OURS),
    **dict.fromkeys(("callback", "callback_steps", "callback_on_step_end", "use_clipped_model_output"), _OURS),
    **dict.fromkeys(("num_images_per_prompt", "num_videos_per_prompt", "batch_size"), _ONE),
    **dict.fromkeys(("timesteps", "sigmas", "mu"), _SAMPLER),
    **dict.fromkeys(("guidance_schedule", "do_patching"), _OURS),
    **dict.fromkeys(("denoising_start", "denoising_end"), _SHARED),
    **dict.fromkeys(("ip_adapter_image", "negative_ip_adapter_image"), _ADAPTER),
}
"""Parameters without a control, and why."""

FIELDS = {"num_inference_steps": "steps", "guidance_scale": "guidance", "form": "form", "material": "material"}
"""Parameters for which a request has a field."""

TITLES = {
    "prompt": translate("names", "Prompt"),
    "prompt_2": translate("names", "Prompt for the second encoder"),
    "prompt_3": translate("names", "Prompt for the third encoder"),
    "negative_prompt": translate("names", "Negative prompt"),
    "negative_prompt_2": translate("names", "Negative prompt for the second encoder"),
    "negative_prompt_3": translate("names", "Negative prompt for the third encoder"),
    "num_inference_steps": translate("names", "Steps"),
    "guidance_scale": translate("names", "Guidance"),
    "true_cfg_scale": translate("names", "True guidance"),
    "image": translate("names", "Picture to start from"),
    "mask_image": translate("names", "Mask"),
    "control_image": translate("names", "Picture to follow"),
    "class_labels": translate("names", "Class"),
    "eta": translate("names", "Fresh noise (eta)"),
    "strength": translate("names", "Img2img strength"),
}
"""Plain names where the parameter's own is none."""

SIZES = ("height", "width", "size")
LABELS = ("class_labels",)
PICTURES = ("image", "mask_image", "control_image")
"""Pictures that pipelines take, whatever their annotation says (a tensor, in some)."""
_NAMED_KINDS = {"prompt": ParameterKind.TEXT}

WORDS = {"prompt", *LABELS}
"""Parameters that say what to make; without any of them a pipeline starts from a picture."""

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

MOST_SIDE_PX = 4096
_NO_CLASSES = translate("errors", "This model knows no classes.")
_NO_LABELS = translate("errors", "This model knows no such labels.")
_NOTHING_TO_GUIDE = translate("errors", "Guidance pulls towards form and material, and this model knows neither.")


def model_parameters(pipeline: Pipeline) -> tuple[ModelParameter, ...]:
    """The supported parameters of a pipeline, in the order of its call."""
    return tuple(each for each in _described(pipeline) if isinstance(each, ModelParameter))


def unsupported_parameters(pipeline: Pipeline) -> tuple[UnsupportedParameter, ...]:
    """The unsupported parameters of a pipeline's call, each with the reason."""
    return tuple(each for each in _described(pipeline) if isinstance(each, UnsupportedParameter))


def why_not_callable(pipeline: Pipeline) -> str:
    """The reason why a pipeline cannot be called with supported parameters alone, in one sentence; empty if it can."""
    parameters = call_parameters(pipeline)
    missing = [
        each.name
        for each in unsupported_parameters(pipeline)
        if each.name not in SET_BY_APP
        and (parameters[each.name].default is Parameter.empty or _is_needed_list(pipeline, parameters[each.name]))
        and not (isinstance(pipeline, type) and each.name in LABELS)  # which it knows is in its configs
    ]
    if not missing:
        return ""
    name = pipeline.__name__ if isinstance(pipeline, type) else type(pipeline).__name__
    return translate("errors", "{0} wants {1}, which another program has to make.").format(name, " and ".join(missing))


def _is_needed_list(pipeline: Pipeline, parameter: Parameter) -> bool:
    """Whether a parameter is a list of words, numbers or pictures that a call fails without, though it may be None."""
    texts = [str(each) for each in _members(parameter.annotation)]
    is_list = any(text.startswith("list[") for text in texts) and not any("Tensor" in text for text in texts)
    is_plan = parameter.name.endswith(("timesteps", "sigmas"))
    return is_list and not is_plan and parameter.default is None and fails_without(pipeline, parameter.name)


def native_size(pipeline: Pipeline) -> tuple[int, int] | None:
    """Height and width in pixels that a pipeline makes by default; None where its configs do not say it."""
    size = getattr(pipeline, "picture_size", None)
    if size is None:
        size = _network_size(pipeline)
        scale = getattr(pipeline, "vae_scale_factor", 1)
        size = None if size is None else tuple(edge * scale for edge in _pair(size))
    return None if size is None else _pair(size)


def _network_size(pipeline: Pipeline) -> Any:
    """Edge of what the network takes, or both edges."""
    default = getattr(pipeline, "default_sample_size", None)
    networks = [getattr(pipeline, name, None) for name in ("unet", "transformer")]
    return default or next((size for each in networks if (size := _config(each, "sample_size")) is not None), None)


def _described(pipeline: Pipeline) -> list[ModelParameter | UnsupportedParameter]:
    parameters = call_parameters(pipeline)
    return [_describe(pipeline, each, parameters) for each in parameters.values()]


def _describe(
    pipeline: Pipeline, parameter: Parameter, others: dict[str, Parameter]
) -> ModelParameter | UnsupportedParameter:
    name = parameter.name
    if name in SET_BY_APP:
        return UnsupportedParameter(name, SET_BY_APP[name])
    if name in ("form", "material"):
        words = known_labels(pipeline, name)
        if not words:
            return UnsupportedParameter(name, _NO_LABELS)
        return _control(parameter, ParameterKind.CHOICE, choices=tuple(words))
    if name == "guidance_scale" and {"form", "material"} <= others.keys() and not _knows_labels(pipeline):
        return UnsupportedParameter(name, _NOTHING_TO_GUIDE)
    if name in LABELS:
        return _class_label(pipeline, parameter)
    if name in SIZES:
        return _size(pipeline, parameter)
    kind = ParameterKind.PICTURE if name in PICTURES else _NAMED_KINDS.get(name) or kind_by_type(parameter)
    if kind is None:
        return UnsupportedParameter(name, NUMBERS)
    if name == "prompt" and kind is ParameterKind.TEXT:
        default = parameter.default if isinstance(parameter.default, str) else ""
        return _control(parameter, kind, default=default)  # every pipeline takes an empty prompt
    if kind is ParameterKind.PICTURE:
        is_start = name in PICTURES and (name != "image" or "strength" in others or not others.keys() & WORDS)
        needed = is_start or parameter.default is Parameter.empty or fails_without(pipeline, name)
        return _control(parameter, kind, required=needed)
    if name == "control_mode" and fails_without(pipeline, name):
        return _control(parameter, ParameterKind.WHOLE, low=0, default=0, required=True)
    choices = tuple(choices_of(parameter)) if kind is ParameterKind.CHOICE else ()
    return _control(parameter, kind, choices=choices, required=parameter.default is Parameter.empty)


def _knows_labels(pipeline: Pipeline) -> bool:
    return any(known_labels(pipeline, kind) for kind in ("form", "material"))


def _control(parameter: Parameter, kind: ParameterKind, **known: Any) -> ModelParameter:
    name, default = parameter.name, parameter.default
    low, high = BOUNDS.get(name, (None, None))
    if kind is ParameterKind.CHOICE and not isinstance(default, str):
        default = getattr(default, "name", None)  # of an enumeration
    described: dict[str, Any] = {
        "title": TITLES.get(name, name.replace("_", " ").capitalize()),
        "default": default if isinstance(default, str | int | float) else None,
        "low": low,
        "high": high,
        "field": FIELDS.get(name, ""),
    }
    return ModelParameter(name, kind=kind, **(described | known))


def _class_label(pipeline: Pipeline, parameter: Parameter) -> ModelParameter | UnsupportedParameter:
    networks = [getattr(pipeline, name, None) for name in ("transformer", "unet")]
    counts = [_config(network, key) for network in networks for key in ("num_embeds_ada_norm", "num_class_embeds")]
    count = next((each for each in counts if each is not None), None)
    if count is None:
        return UnsupportedParameter(parameter.name, _NO_CLASSES)
    names: dict[int, str] = {}
    for word, number in (getattr(pipeline, "labels", None) or {}).items():
        names.setdefault(number, word)  # of several words for a class the first one
    choices = tuple(names[number] for number in range(len(names))) if set(names) == set(range(len(names))) else ()
    default = 0 if parameter.default is Parameter.empty else None
    return _control(parameter, ParameterKind.LABEL, low=0, high=count - 1, choices=choices, default=default)


def _size(pipeline: Pipeline, parameter: Parameter) -> ModelParameter:
    layout, own = latent_layout_of(pipeline), native_size(pipeline)
    grain = layout.factor * max(1, layout.patch) if layout.is_picture else 1
    if hasattr(pipeline, "picture_size"):
        grain = pipeline.grain
    default = parameter.default
    if default is None and own is not None:
        default = own[parameter.name == "width"]
    return _control(parameter, ParameterKind.SIZE, default=default, low=grain, high=MOST_SIDE_PX, grain=grain)


def _pair(size: Any) -> tuple[int, int]:
    return (int(size[0]), int(size[1])) if isinstance(size, tuple | list) else (int(size), int(size))


def _config(network: Any, key: str) -> Any:
    return getattr(getattr(network, "config", None), key, None)


def call_parameters(pipeline: Any) -> dict[str, inspect.Parameter]:
    """The named parameters of a pipeline's call, with annotations that are types where they can be resolved."""
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


def function_of(pipeline: Any) -> Any:
    """The function behind the call of a pipeline, or of a pipeline class, without the wrappers around it."""
    kind = pipeline if isinstance(pipeline, type) else type(pipeline)
    return inspect.unwrap(kind.__call__)


def fails_without(pipeline: Any, name: str) -> bool:
    """Whether a pipeline's call fails where a parameter is None, by its code.

    It does where it uses the value and never asks whether it is there, or asks only to raise an error. A method of its
    own that the value is handed on to may ask, too; one that only checks it is left out.
    """
    return _fails_without(function_of(pipeline), pipeline, name)


def _fails_without(function: Any, pipeline: Any, name: str) -> bool:
    steps, is_used, is_asked = list(dis.get_instructions(function)), False, False
    for place, step in enumerate(steps[:-1]):
        if is_asked and not is_used and step.argval == name and _stores_another(steps, place):
            return False
        if step.argval != name or not step.opname.startswith("LOAD"):
            continue
        asks = _given_to(steps, place, pipeline)
        if asks is not None and name in asks.__code__.co_varnames:
            if asks.__name__ == "check_inputs":
                continue
            if not _fails_without(asks, pipeline, name):
                is_asked = True
                continue
        is_used = True
        test = steps[place + 1].opname
        if _is_opened_unless_list(steps, place):
            return True
        if test.endswith("IF_NONE") and _is_prepared_at(steps, steps[place + 1].argval, name):
            return True
        if test.endswith(("IF_NONE", "IF_FALSE", "IF_TRUE")):
            return False
        if test.endswith("IF_NOT_NONE"):
            target = steps[place + 1].argval
            branch = [each.opname for each in steps[place + 2 :] if each.offset < target]
            if "RAISE_VARARGS" not in branch:
                return False
    return is_used


def wants_list(pipeline: Any, name: str) -> bool:
    """Whether a pipeline counts what it is given without a look at its type: one picture has no length."""
    call = function_of(pipeline)
    steps = list(dis.get_instructions(call))
    given = [_given_to(steps, place, pipeline) for place, step in enumerate(steps) if step.argval == name]
    return any(each is not None and _is_counted(each, name) for each in given)


def _is_counted(function: types.FunctionType, name: str) -> bool:
    """Whether the first function of Python's own that an argument is given to is `len`."""
    for now, later in itertools.pairwise(dis.get_instructions(function)):
        if later.argval == name and now.opname == "LOAD_GLOBAL":
            return bool(now.argval == "len")
    return False


def _stores_another(steps: list[dis.Instruction], place: int) -> bool:
    """Whether an instruction stores a variable in a statement that does not read it: what it was given is gone."""
    if not steps[place].opname.startswith("STORE"):
        return False
    for step in reversed(steps[:place]):
        if step.argval == steps[place].argval:
            return bool(step.opname.startswith("STORE"))
        if step.opname.startswith(("STORE", "POP_TOP", "RETURN")):
            return True
    return True


def _given_to(steps: list[dis.Instruction], place: int, pipeline: Any) -> types.FunctionType | None:
    """The method of a pipeline that a variable is an argument of: `self._validated(x, …)`; None if of none."""
    for at in range(place - 1, 0, -1):
        name = steps[at].opname
        if name in ("LOAD_METHOD", "LOAD_ATTR") and steps[at - 1].argval == "self":
            found = getattr(pipeline, str(steps[at].argval), None)
            found = inspect.unwrap(getattr(found, "__func__", found)) if callable(found) else None
            return found if isinstance(found, types.FunctionType) else None
        if not name.startswith("LOAD"):
            return None
    return None


def _is_opened_unless_list(steps: list[dis.Instruction], place: int) -> bool:
    """Whether a variable is asked for an attribute if it is not of a type: `x[0] if isinstance(x, list) else x.size`.

    Args:
        place: Of the instruction that loads it for `isinstance`.
    """
    before, after = steps[place - 1], steps[place + 1 : place + 5]
    jump = next((each for each in after if each.opname.endswith("IF_FALSE")), None)
    if "isinstance" not in str(before.argval) or jump is None:
        return False
    block = [each for each in steps if each.offset >= jump.argval][:2]
    reads = [each.opname for each in block]
    return (
        len(block) == 2
        and block[0].argval == steps[place].argval
        and reads[0].startswith("LOAD")
        and reads[1] in ("LOAD_ATTR", "LOAD_METHOD")
    )


def _is_prepared_at(steps: list[dis.Instruction], target: int, name: str) -> bool:
    """Whether the lines that a jump leads to prepare a picture, before any other jump: `else: preprocess(image)`."""
    called = ""
    for each in steps:
        if each.offset < target:
            continue
        if "JUMP" in each.opname or (each.opname.startswith(("RETURN", "STORE")) and each.argval == name):
            return False
        if each.argval == name and called == "preprocess":
            return True
        called = str(each.argval) if each.opname in ("LOAD_METHOD", "LOAD_ATTR") else called
    return False


def code_names(pipeline: Any) -> frozenset[str]:
    """The names and texts that the code of a pipeline's call mentions, read from its compiled form.

    It shows what a pipeline does where its signature does not: whether it can skip the decoding ("latent"),
    whether it scales the network's input ("scale_model_input").
    """
    code = function_of(pipeline).__code__
    return frozenset((*code.co_names, *(text for text in code.co_consts if isinstance(text, str))))


def plans_sigmas(pipeline: Any) -> bool:
    """Whether a pipeline hands its scheduler the evenly spaced noise levels of a flow, and leaves none to its choice.

    They are made in its call, or in a function of its module that the call names.
    """
    call: Any = function_of(pipeline)
    named = [call.__globals__.get(name) for name in call.__code__.co_names]
    own = [each for each in named if isinstance(each, types.FunctionType) and each.__module__ == call.__module__]
    return any("linspace" in each.__code__.co_names for each in (call, *own))


def kind_by_type(parameter: inspect.Parameter) -> ParameterKind | None:
    """The kind of control for a parameter, by its annotation or else its default; None for none."""
    members = _members(parameter.annotation)
    if parameter.annotation is parameter.empty:
        members = [type(parameter.default)]
    if any(isinstance(each, type) and issubclass(each, Enum) for each in members) or _literals(parameter):
        return ParameterKind.CHOICE
    if takes_only_lists(parameter):
        return ParameterKind.TEXT
    for wanted, kind in (
        (bool, ParameterKind.FLAG), (str, ParameterKind.TEXT), (PIL.Image.Image, ParameterKind.PICTURE),
        (float, ParameterKind.NUMBER), (int, ParameterKind.WHOLE),
    ):  # fmt: skip
        if wanted in members and isinstance(parameter.default, _defaults(wanted)):
            return kind
    return None


def takes_only_lists(parameter: inspect.Parameter) -> bool:
    """Whether a text is to be given as a list of one: some pipelines take their words for a batch only."""
    members = _members(parameter.annotation)
    return list[str] in members and str not in members and parameter.default is parameter.empty


def choices_of(parameter: inspect.Parameter) -> dict[str, Any]:
    """The choices of a parameter, by their labels."""
    found = {str(value): value for value in _literals(parameter)}
    for each in _members(parameter.annotation):
        if isinstance(each, type) and issubclass(each, Enum):
            found |= {member.name: member for member in each}
    return found


def _defaults(wanted: type) -> tuple[type, ...]:
    numbers = (float, int) if wanted is float else (wanted,)
    return (*numbers, type(None), type)  # `type`: without a default there is inspect.Parameter.empty


def _literals(parameter: inspect.Parameter) -> tuple[Any, ...]:
    members = _members(parameter.annotation)
    return tuple(value for each in members if typing.get_origin(each) is typing.Literal for value in each.__args__)


def _members(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [member for each in typing.get_args(annotation) for member in _members(each)]
    if isinstance(annotation, str):
        known = {each.__name__: each for each in (bool, str, int, float, torch.Tensor)}
        return [known.get(word.strip(" '\""), word) for word in annotation.split("|")]
    return [annotation]
