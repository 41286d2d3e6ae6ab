"""Arguments of any pipeline's call, from a request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sculptor_app.core.files import expanded
from sculptor_app.core.pictures.file import open_picture
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.requests.request import OptionValue, RequestError, RunRequest, check_strength, label_of
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.diffusion.pipelines.parameters import (
    call_parameters,
    choices_of,
    code_names,
    model_parameters,
    native_size,
    takes_only_lists,
    unsupported_parameters,
    wants_list,
    why_not_callable,
)

Pipeline = Any
_USUAL_SIDE_PX = 512
"""Longer side that a picture is brought to where a model does not say how large its pictures are."""


@dataclass(frozen=True, slots=True, eq=False)
class PipelineCall:
    """A pipeline's call, ready to be made."""

    arguments: dict[str, Any]
    generator: torch.Generator  # the one that draws the run's noise, on the CPU: a seed means the same on every device
    size: tuple[int, int] | None  # height and width in pixels of what will be made; None where it is not known
    conditions: str  # prompt and labels in a few words, or "unconditional"
    origin: str = ""  # the file of the picture that the run starts from, if it does
    notes: tuple[str, ...] = ()  # sentences about what was done to the pictures that it takes, besides resizing


def call_of(pipeline: Pipeline, request: RunRequest, start: Start | None = None) -> PipelineCall:
    """The pipeline's call for a request; nothing is computed.

    The result is left in latents where the pipeline can do so: every state is recorded anyway.

    Args:
        start: What to start from; None is the noise of the seed.

    Raises:
        RequestError: The pipeline does not take what is asked for, or needs what a request cannot hold.
        PictureError: A picture cannot be opened.
    """
    why_not = why_not_callable(pipeline)
    if why_not:
        raise RequestError(
            translate("errors", "{0} Choose a model that makes pictures from words, classes or pictures.").format(
                why_not
            )
        )
    controls = {control.name: control for control in model_parameters(pipeline)}
    options = _options(pipeline, request, controls)
    if "strength" in controls:
        check_strength(request.steps, options.get("strength", call_parameters(pipeline)["strength"].default))
    options |= _size_left_to_callers(pipeline, controls, options)
    generator = torch.Generator("cpu").manual_seed(request.seed)
    size = _size(pipeline, options)
    notes: list[str] = []
    arguments = {
        **{name: _argument(pipeline, controls[name], value, size, notes) for name, value in options.items()},
        **_app_arguments(pipeline, generator),
        **angle_arguments(pipeline, request),
        **schedule_arguments(pipeline, request.steps, options.get("guidance_scale")),
        **_start_arguments(pipeline, request, start),
    }
    origin = Path(str(options["image"])).name if "image" in options and "strength" in controls else ""
    return PipelineCall(arguments, generator, size, _conditions(controls, options), origin, tuple(notes))


def _options(pipeline: Pipeline, request: RunRequest, controls: dict[str, ModelParameter]) -> dict[str, OptionValue]:
    """Values by the names of the pipeline's parameters, without those that the model chooses."""
    for name in request.option_values:
        if name not in controls or controls[name].field:
            raise RequestError(_unknown(pipeline, name, controls))
    for label in ("form", "material"):
        if getattr(request, label) is not None and label not in controls:
            raise RequestError(
                translate("errors", "This model knows no {0}s; leave the {0} to the model.").format(label)
            )
    wanted = {name: getattr(request, control.field) for name, control in controls.items() if control.field}
    wanted |= {"prompt": controls["prompt"].default} if "prompt" in controls else {}
    wanted |= request.option_values
    for name, control in controls.items():
        if control.kind is ParameterKind.LABEL or control.name == "control_mode":
            wanted.setdefault(name, control.default)
        if name not in ("form", "material"):  # those have sentences of their own
            control.check(wanted.get(name))
    return {name: value for name, value in wanted.items() if value is not None}


def _size_left_to_callers(
    pipeline: Pipeline, controls: dict[str, ModelParameter], options: dict[str, OptionValue]
) -> dict[str, OptionValue]:
    """The model's own size where its call fills in none: it neither reads its configs nor has a picture to go by."""
    own, parameters = native_size(pipeline), call_parameters(pipeline)
    reads_it = {"sample_size", "default_sample_size"} & code_names(pipeline) or hasattr(pipeline, "picture_size")
    if own is None or reads_it or any(controls[name].kind is ParameterKind.PICTURE for name in options):
        return {}
    left = [name for name in ("height", "width") if name in controls and parameters[name].default is None]
    return {name: own[name == "width"] for name in left if name not in options}


def _unknown(pipeline: Pipeline, name: str, controls: dict[str, ModelParameter]) -> str:
    for each in unsupported_parameters(pipeline):
        if each.name == name:
            return translate("errors", "The option {0!r} cannot be given. {1}").format(name, each.why)
    if name in controls:
        return translate("errors", "The option {0!r} is the request's {1}; give it there.").format(
            name, controls[name].field
        )
    takes = ", ".join(each for each, control in controls.items() if not control.field) or translate(
        "errors", "no options"
    )
    return translate("errors", "This model knows no option {0!r}; it takes {1}.").format(name, takes)


def _size(pipeline: Pipeline, options: dict[str, OptionValue]) -> tuple[int, int] | None:
    own = native_size(pipeline)
    if "size" in options:
        return int(options["size"] or 0), int(options["size"] or 0)
    if "height" not in options and "width" not in options:
        return own
    parameters = call_parameters(pipeline)
    usual = [parameters[name].default if name in parameters else None for name in ("height", "width")]
    height, width = (
        options.get(name) or (default if isinstance(default, int) else own[place] if own else None)
        for place, (name, default) in enumerate(zip(("height", "width"), usual, strict=True))
    )
    return (int(height), int(width)) if height and width else None


def _argument(
    pipeline: Pipeline, control: ModelParameter, value: OptionValue, size: tuple[int, int] | None, notes: list[str]
) -> Any:
    if control.name in ("form", "material"):
        return label_of(pipeline, control.name, str(value))  # type: ignore[arg-type]
    if control.kind is ParameterKind.LABEL:
        return [value]  # one for each picture
    if control.kind is ParameterKind.TEXT and takes_only_lists(call_parameters(pipeline)[control.name]):
        return [value]
    if control.kind is ParameterKind.PICTURE:
        picture = _picture(expanded(str(value)), max(size) if size else _USUAL_SIDE_PX, notes)
        return [picture] if wants_list(pipeline, control.name) else picture
    if control.kind is ParameterKind.CHOICE:
        return choices_of(call_parameters(pipeline)[control.name])[str(value)]
    return value


def _picture(path: Path, longest_px: int, notes: list[str]) -> Image.Image:
    """A picture as pipelines take it; a large one would fill the memory."""
    opened = open_picture(path, longest_px=longest_px)
    if opened.changes:
        notes.append(translate("errors", "{0}: {1}.").format(opened.name, ", ".join(opened.changes)))
    frame = opened.frame
    return Image.fromarray(((frame.transpose(1, 2, 0) + 1) * 127.5).round().astype(np.uint8))


def _app_arguments(pipeline: Pipeline, generator: torch.Generator) -> dict[str, Any]:
    parameters = call_parameters(pipeline)
    # Diffusers' word for no decoding; everything else can give arrays, and the embedded model tensors.
    output = "latent" if "latent" in code_names(pipeline) else "np"
    offered = {"generator": generator, "output_type": output}
    return {name: value for name, value in offered.items() if name in parameters}


def angle_arguments(pipeline: Pipeline, request: RunRequest) -> dict[str, Any]:
    """The first angle of a trigflow sampler and the one in the middle of two steps; runs of other lengths have none."""
    parameters = call_parameters(pipeline)
    chosen: dict[str, Any] = {
        name: request.option_values.get(name, parameters[name].default)
        for name in ("max_timesteps", "intermediate_timesteps")
        if name in parameters
    }
    middle = "intermediate_timesteps"
    if middle in chosen and request.steps != 2 and chosen[middle] == parameters[middle].default:
        chosen[middle] = None
    return chosen


def schedule_arguments(pipeline: Pipeline, steps: int, guidance: OptionValue) -> dict[str, Any]:
    """The pipeline's usual guidance of each step, spread over the run's steps; none where one guidance is given."""
    parameter = call_parameters(pipeline).get("guidance_schedule")
    if parameter is None or not isinstance(parameter.default, tuple):
        return {}
    usual = parameter.default
    spread = [usual[(2 * step + 1) * len(usual) // (2 * steps)] for step in range(steps)]
    return {"guidance_schedule": spread if guidance is None else None}


def check_takes_noise(pipeline: Pipeline, purpose: str) -> None:
    """Refuse a pipeline that takes no noise or picture at a level (`RequestError`); `purpose` begins the sentence."""
    if not hasattr(pipeline, "picture_size"):
        raise RequestError(
            translate("errors", "{0} needs a model that takes its noise from outside; choose the embedded one.").format(
                purpose
            )
        )


def _start_arguments(pipeline: Pipeline, request: RunRequest, start: Start | None) -> dict[str, Any]:
    if start is None:
        return {}
    check_takes_noise(pipeline, translate("errors", "A run that begins with a noise or a level of its own"))
    start.check_fits(request.steps, pipeline.picture_size)
    return {"noise": _batch(start.noise), "picture": _batch(start.picture), "first_step": start.first_step}


def _batch(frame: Frame | None) -> torch.Tensor | None:
    """A frame (C, H, W) as a batch of its own (1, C, H, W)."""
    return None if frame is None else torch.from_numpy(frame.copy())[None]  # torch has no read-only tensors


def _conditions(controls: dict[str, ModelParameter], options: dict[str, OptionValue]) -> str:
    words = []
    for name, control in controls.items():
        value = options.get(name)
        if control.kind is ParameterKind.LABEL and value is not None:
            words.append(control.choices[int(value)] if control.choices else f"class {value}")
        elif name in ("form", "material", "prompt") and value:
            words.append(str(value))
    return " · ".join(words) or "unconditional"
