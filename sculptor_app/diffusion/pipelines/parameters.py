"""The controls of any diffusers pipeline, found in the signature of its call and the configs of its components."""

from __future__ import annotations

from inspect import Parameter
from typing import Any

from sculptor_app.core.labels import known_labels
from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind, UnsupportedParameter
from sculptor_app.diffusion.pipelines.layout import latent_layout_of
from sculptor_app.diffusion.pipelines.signature import (
    BOUNDS,
    FIELDS,
    LABELS,
    NUMBERS,
    PICTURES,
    SET_HERE,
    SIZES,
    TITLES,
    choices_of,
    kind_by_type,
    parameters_of,
)

MOST_SIDE_PX = 4096
_NO_CLASSES = "This model knows no classes."
_NO_LABELS = "This model knows no such labels."

Pipeline = Any


def controls_of(pipeline: Pipeline) -> tuple[ModelParameter, ...]:
    """Everything that a person can tell a pipeline, in the order of its call.

    Args:
        pipeline: Any of diffusers, or the embedded model's.
    """
    return tuple(each for each in _described(pipeline) if isinstance(each, ModelParameter))


def left_out_of(pipeline: Pipeline) -> tuple[UnsupportedParameter, ...]:
    """The parameters of a pipeline's call that there is no control for, each with a word why."""
    return tuple(each for each in _described(pipeline) if isinstance(each, UnsupportedParameter))


def why_not_callable(pipeline: Pipeline) -> str:
    """Why nobody can call a pipeline with what a person can give: one sentence; empty where it can be called."""
    parameters = parameters_of(pipeline)
    missing = [
        each.name
        for each in left_out_of(pipeline)
        if parameters[each.name].default is Parameter.empty and each.name not in SET_HERE
    ]
    if not missing:
        return ""
    name = type(pipeline).__name__
    return f"{name} wants {' and '.join(missing)}, which another program has to make."


def own_size(pipeline: Pipeline) -> tuple[int, int] | None:
    """Height and width in pixels that a pipeline makes without being told; None where its configs do not say it."""
    size = getattr(pipeline, "picture_size", None)
    if size is None:
        size = _network_size(pipeline)
        scale = getattr(pipeline, "vae_scale_factor", 1)
        size = None if size is None else tuple(side * scale for side in _pair(size))
    return None if size is None else _pair(size)


def _network_size(pipeline: Pipeline) -> Any:
    """Edge of what the network takes, or both edges."""
    default = getattr(pipeline, "default_sample_size", None)
    networks = [getattr(pipeline, name, None) for name in ("unet", "transformer")]
    return default or next((size for each in networks if (size := _config(each, "sample_size")) is not None), None)


def _described(pipeline: Pipeline) -> list[ModelParameter | UnsupportedParameter]:
    parameters = parameters_of(pipeline)
    return [_describe(pipeline, each, parameters) for each in parameters.values()]


def _describe(
    pipeline: Pipeline, parameter: Parameter, others: dict[str, Parameter]
) -> ModelParameter | UnsupportedParameter:
    name = parameter.name
    if name in SET_HERE:
        return UnsupportedParameter(name, SET_HERE[name])
    if name in ("form", "material"):
        words = known_labels(pipeline, name)
        return (
            _control(parameter, ParameterKind.CHOICE, choices=tuple(words))
            if words
            else UnsupportedParameter(name, _NO_LABELS)
        )
    if name in LABELS:
        return _class_label(pipeline, parameter)
    if name in SIZES:
        return _size(pipeline, parameter)
    kind = kind_by_type(parameter)
    if kind is None:
        return UnsupportedParameter(name, NUMBERS)
    if name == "prompt" and kind is ParameterKind.TEXT:
        default = parameter.default if isinstance(parameter.default, str) else ""
        return _control(parameter, kind, default=default)  # no words are words that every pipeline takes
    if name in PICTURES:
        needed = parameter.default is Parameter.empty or name != "image" or "strength" in others
        return _control(parameter, kind, required=needed)
    choices = tuple(choices_of(parameter)) if kind is ParameterKind.CHOICE else ()
    return _control(parameter, kind, choices=choices, required=parameter.default is Parameter.empty)


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
    layout, own = latent_layout_of(pipeline), own_size(pipeline)
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
