"""Suitability of a pipeline class for being watched: one table of causes, each with its sentence.

What a pipeline makes is read from the record that its call returns, what it needs from the call's signature: both are
known before anything of a model is built. No pipeline is named here.
"""

from __future__ import annotations

import dataclasses
import dis
import importlib.util
import inspect
import itertools
import sys
from collections.abc import Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any

import diffusers
from diffusers.utils import BaseOutput

from sculptor_app.core.requests.samplers import SCHEDULER_CLASSES
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.pipelines.compatibility import samplers_for, why_scheduler_misfits
from sculptor_app.diffusion.pipelines.layout import AUTOENCODERS, latent_layout_of, why_unknown_decoder
from sculptor_app.diffusion.pipelines.parameters import (
    MOST_SIDE_PX,
    call_parameters,
    code_names,
    function_of,
    native_size,
    why_not_callable,
)
from sculptor_app.diffusion.samplers.levels import INVERTED_LEVELS, unknown_steps
from sculptor_app.diffusion.samplers.schedulers import schedulers_of

PipelineClass = Any

PICTURES_ONLY = translate("errors", "Choose a model that makes pictures.")
MOST_FACTOR = 128
"""Pixels along the edge of a latent: those of the strongest autoencoder of diffusers, DC-AE f128."""
_HUGE = translate("errors", "It would fill the memory; restore its settings from where they came.")
_DRAWS = translate("errors", "Open the model that draws from it, or the one that holds both.")

_MAKES: Mapping[str, tuple[str, str]] = {
    "video": (
        translate("errors", "{0} makes a video; Sculptor shows how a single picture comes to be."), PICTURES_ONLY
    ),
    "sound": (translate("errors", "{0} makes sound, which is no picture."), PICTURES_ONLY),
    "text": (translate("errors", "{0} makes text, which is no picture."), PICTURES_ONLY),
    "embedding": (translate("errors", "{0} makes what another model draws from, not a picture."), _DRAWS),
    "map": (
        translate("errors", "{0} measures a given picture, as its depth or normals, and makes none."), PICTURES_ONLY
    ),
    "depth": (translate("errors", "{0} makes a picture and its depth in one, which cannot be shown."), PICTURES_ONLY),
    "solid": (translate("errors", "{0} makes a solid, whose states are no picture."), PICTURES_ONLY),
    "other": (translate("errors", "{0} makes no picture."), PICTURES_ONLY),
}  # fmt: skip
"""Causes by what a pipeline makes: the sentence about it, and what to do."""

_FIELDS = (
    ("video", {"frames", "video"}), ("sound", {"audio", "audios", "sound"}), ("map", {"prediction", "uncertainty"}),
    ("depth", {"depth"}), ("picture", {"images", "image"}), ("text", {"text", "texts", "sequences"}),
    ("embedding", {"image_embeds", "image_embeddings", "prompt_embeds", "negative_image_embeds"}),
)  # fmt: skip
"""What a pipeline makes, by fields of the record that it returns; the first row with one of its fields counts."""

_VIDEO_PARAMETERS = {"num_frames", "video_length", "video"}
_RENDERERS = ("shap_e_renderer",)
_OPTIONAL_PACKAGES = {
    "BeautifulSoup": "bs4", "OmniGenMultiModalProcessor": "torchvision",
    "CosmosSafetyChecker": "cosmos_guardrail",
}  # fmt: skip
"""Names that diffusers' code has only where a package is installed, and that package."""


CAUSES = (
    *_MAKES, "no call", "inversion", "broken", "package", "tokens", "parallel", "grid", "argument", "layout",
    "scheduler", "size",
)  # fmt: skip
"""All causes, in one word each."""


@dataclasses.dataclass(frozen=True, slots=True)
class Obstacle:
    """A cause why a model cannot be run here."""

    cause: str  # which of the causes, in one word
    message: str  # what the model makes or needs, in one sentence
    advice: str  # what to do, in one sentence

    def __str__(self) -> str:
        return f"{self.message} {self.advice}"


def obstacle_of_class(kind: PipelineClass) -> Obstacle | None:
    """The cause why no model of a pipeline class can be run here, from the class alone; None if there is none."""
    name = kind.__name__
    if hasattr(kind, "picture_size"):  # of the embedded kind
        return None
    found = _makes_no_picture(kind)
    if found is not None:
        return found
    if callable(getattr(kind, "invert", None)):
        return Obstacle(
            "inversion",
            translate("errors", "{0} edits a picture that another call has to turn back into noise first.").format(
                name
            ),
            translate("errors", "Choose a model that makes pictures from words, classes or pictures."),
        )
    found = _broken(kind) or _lost_dual_transformer(kind) or _lost_method(kind)
    found = found or _other_process(kind) or _missing_argument(kind, kind)
    why_not = why_unknown_decoder(name, inspect.signature(kind.__init__).parameters)
    return found or (Obstacle("layout", why_not, PICTURES_ONLY) if why_not else _missing_package(kind))


def obstacle_of(pipeline: Any) -> Obstacle | None:
    """The cause why a built pipeline cannot be run here: that of its class, or one of its components' configs."""
    kind = type(pipeline)
    if hasattr(kind, "picture_size"):
        return _too_large(pipeline)
    found = obstacle_of_class(kind) or _missing_argument(kind, pipeline)
    if found is not None:
        return found
    schedulers = schedulers_of(pipeline)
    why_not = why_scheduler_misfits(pipeline, schedulers)
    if why_not and (len(schedulers) > 1 or len(samplers_for(pipeline)) == 1):  # there is no other to choose
        advice = translate("errors", "They belong to different models: restore model_index.json and the scheduler.")
        return Obstacle("scheduler", why_not, advice)
    why_not = latent_layout_of(pipeline).why_not
    return Obstacle("layout", why_not, PICTURES_ONLY) if why_not else _too_large(pipeline)


def watching_obstacle_of(pipeline: Any) -> Obstacle | None:
    """The cause why the calls that somebody else makes to a pipeline cannot be watched; None if there is none.

    What a call needs, and whether this program could make it, does not count then.
    """
    kind = type(pipeline)
    if hasattr(kind, "picture_size"):
        return None
    found = _makes_no_picture(kind) or _other_process(kind)
    if found is not None:
        return found
    why_not = latent_layout_of(pipeline).why_not
    return Obstacle("layout", why_not, PICTURES_ONLY) if why_not else None


def _makes_no_picture(kind: PipelineClass) -> Obstacle | None:
    name = kind.__name__
    if not isinstance(inspect.unwrap(kind.__call__), FunctionType):
        return Obstacle(
            "no call",
            translate("errors", "{0} bundles several pipelines and makes nothing by itself.").format(name),
            translate("errors", "Open the same folder as one of them: change _class_name in its model_index.json."),
        )
    made = what_it_makes(kind)
    if made == "picture":
        return None
    message, advice = _MAKES[made]
    return Obstacle(made, message.format(name), advice)


def _too_large(pipeline: Any) -> Obstacle | None:
    """A picture, or a piece of it that one latent becomes, that is larger than any model's."""
    factor, size = latent_layout_of(pipeline).factor, native_size(pipeline)
    if factor > MOST_FACTOR:
        message = translate("errors", "One latent becomes {0} × {0} pixels in its autoencoder; allowed are {1} × {1}.")
        return Obstacle("size", message.format(factor, MOST_FACTOR), _HUGE)
    if size is not None and not all(1 <= edge <= MOST_SIDE_PX for edge in size):
        message = translate("errors", "Its pictures have {0} × {1} pixels by its settings; allowed are 1 to {2}.")
        return Obstacle("size", message.format(size[1], size[0], MOST_SIDE_PX), _HUGE)
    return None


def why_no_guess(settings: Mapping[str, Any]) -> str:
    """The reason why there is no guess with a scheduler of such settings; empty where there is one.

    Args:
        settings: As in a scheduler_config.json, with the name of the class.
    """
    name = str(settings.get("_class_name"))
    if name not in SCHEDULER_CLASSES:
        return unknown_steps(name)
    if settings.get("invert_sigmas"):
        return INVERTED_LEVELS
    return ""


def what_it_makes(kind: PipelineClass) -> str:
    """What a pipeline makes: "picture", or a key of the causes."""
    parameters = call_parameters(kind)
    if any(name in inspect.signature(kind.__init__).parameters for name in _RENDERERS):
        return "solid"
    if _VIDEO_PARAMETERS & parameters.keys():
        return "video"
    fields = _result_fields(kind)
    return next((made for made, names in _FIELDS if names & fields), "other" if fields else _by_components(kind))


def _result_fields(kind: PipelineClass) -> set[str]:
    """Fields of the records that a pipeline's call makes, or says that it returns."""
    call = function_of(kind)
    records = [call.__globals__.get(name) for name in call.__code__.co_names]
    records += _members(call.__annotations__.get("return"), call.__globals__)
    known = [each for each in records if isinstance(each, type) and issubclass(each, BaseOutput)]
    return {field.name for each in known if dataclasses.is_dataclass(each) for field in dataclasses.fields(each)}


def _members(annotation: Any, scope: dict[str, Any]) -> Iterable[Any]:
    if isinstance(annotation, str):
        return [scope.get(word.strip(" '\"")) for word in annotation.split("|")]
    return getattr(annotation, "__args__", (annotation,))


def _by_components(kind: PipelineClass) -> str:
    """What a pipeline makes whose call names no record: a picture where it holds what decodes one."""
    parts = inspect.signature(kind.__init__).parameters
    decodes = {*AUTOENCODERS, "vqgan", "unet", "decoder"} & parts.keys()
    return "picture" if decodes and "scheduler" in " ".join(parts) else "other"


def _missing_argument(kind: PipelineClass, pipeline: Any) -> Obstacle | None:
    why_not = why_not_callable(pipeline)
    if not why_not:
        return None
    advice = translate("errors", "Choose a model that makes pictures from words, classes or pictures.")
    return Obstacle("argument", why_not, advice)


def _other_process(kind: PipelineClass) -> Obstacle | None:
    """A process that is no sequence of noisy states: of tokens, or with all of its steps at once."""
    choose = translate("errors", "Choose a model that takes its noise off step by step.")
    part = inspect.signature(kind.__init__).parameters.get("scheduler")
    if part is not None and isinstance(part.annotation, type):
        settings = inspect.signature(part.annotation).parameters
        if {"mask_token_id", "num_vec_classes"} & settings.keys():
            message = translate("errors", "{0} fills in the tokens of a vocabulary; its states hold no noise.")
            return Obstacle("tokens", message.format(kind.__name__), choose)
    unpack = getattr(kind, "_unpack_latents", None)
    if "task_prompt" in call_parameters(kind) or (unpack and "sizes" in inspect.signature(unpack).parameters):
        message = translate("errors", "{0} works on a grid of pictures, one beside the other, of several sizes.")
        return Obstacle("grid", message.format(kind.__name__), PICTURES_ONLY)
    if hasattr(kind, "_combine") and hasattr(kind, "_split_joint"):
        message = translate("errors", "{0} works on pictures and words in one row of numbers, which cannot be shown.")
        return Obstacle("layout", message.format(kind.__name__), PICTURES_ONLY)
    if any(name.startswith("batch_step") for name in code_names(kind)):
        message = translate("errors", "{0} takes all of its steps at once and again, not one after the other.")
        return Obstacle("parallel", message.format(kind.__name__), choose)
    return None


def _broken(kind: PipelineClass) -> Obstacle | None:
    """A setting that the call asks the network for, and that networks of its class never have: a fault of diffusers."""
    steps = [each.argval for each in dis.get_instructions(function_of(kind)) if each.opname != "CACHE"]
    part = inspect.signature(kind.__init__).parameters.get("transformer")
    if part is None or not isinstance(part.annotation, type):
        return None
    known = inspect.signature(part.annotation.__init__).parameters  # type: ignore[misc]
    asked = [
        name for a, b, name in zip(steps, steps[1:], steps[2:], strict=False) if (a, b) == ("transformer", "config")
    ]
    lacking = [name for name in asked if isinstance(name, str) and name.isidentifier() and name not in known]
    return _broken_by(kind, lacking[0]) if lacking else None


def _lost_dual_transformer(kind: PipelineClass) -> Obstacle | None:
    """A transformer of two conditions that the pipeline puts into its network, and that cannot be called from there."""
    dual = getattr(sys.modules[kind.__module__], "DualTransformer2DModel", None)
    given = "encoder_attention_mask"  # what the blocks of diffusers' networks hand to all of their transformers
    if dual is None or given in inspect.signature(dual.forward).parameters:
        return None
    return _broken_by(kind, given)


def _broken_by(kind: PipelineClass, lacking: str) -> Obstacle:
    message = translate("errors", "{0} of diffusers {1} asks its network for {2}, which such networks do not have.")
    return Obstacle(
        "broken",
        message.format(kind.__name__, diffusers.__version__, lacking),
        translate("errors", "Open the same folder as another pipeline: change _class_name in its model_index.json."),
    )


def _lost_method(kind: PipelineClass) -> Obstacle | None:
    """What an encoder of diffusers' own asks itself for, and transformers, which it is built on, has given up."""
    import transformers

    for part in inspect.signature(kind.__init__).parameters.values():
        encoder = part.annotation
        is_own = isinstance(encoder, type) and encoder.__module__.startswith("diffusers.")
        if is_own and issubclass(encoder, transformers.PreTrainedModel) and (lost := _never_made(encoder)):
            message = translate("errors", "{0} of diffusers {1} works with older transformers alone: {2} has no {3}.")
            names = kind.__name__, diffusers.__version__, transformers.__version__, lost
            advice = translate("errors", "Choose another model; a newer diffusers may have mended this one.")
            return Obstacle("broken", message.format(*names), advice)
    return None


def _never_made(network: type) -> str:
    """An attribute that a network's forward pass reads of it, and that nothing makes; empty where there is none."""
    made = {
        each.argval
        for base in network.__mro__
        if isinstance(init := inspect.unwrap(vars(base).get("__init__", object)), FunctionType)
        for each in dis.get_instructions(init)
        if each.opname == "STORE_ATTR"
    }
    steps = [each for each in dis.get_instructions(inspect.unwrap(network.forward)) if each.opname != "CACHE"]  # type: ignore[attr-defined]
    asked = [
        later.argval
        for now, later in itertools.pairwise(steps)
        if now.argval == "self" and now.opname.startswith("LOAD_") and later.opname in ("LOAD_ATTR", "LOAD_METHOD")
    ]
    return next((name for name in asked if name not in made and not hasattr(network, name)), "")


def _missing_package(kind: PipelineClass) -> Obstacle | None:
    """A package that the pipeline's code uses without asking whether it is there."""
    module = sys.modules[kind.__module__]
    codes = list(_codes(module, kind))
    names = {name for code in codes for name in code.co_names}
    for word, package in _OPTIONAL_PACKAGES.items():
        asks = f"is_{package}_available" in names
        if word in names and not asks and importlib.util.find_spec(package) is None:
            return lacks_package(kind.__name__, package)
    parts = [each for each in inspect.signature(kind.__init__).parameters.values() if each.default is each.empty]
    lacking = next((package for part in parts if (package := package_lacking_for(part.annotation))), "")
    return lacks_package(kind.__name__, lacking) if lacking else None


def lacks_package(name: str, package: str) -> Obstacle:
    """The obstacle that a package is not installed which a class needs."""
    return Obstacle(
        "package",
        translate("errors", "{0} needs the Python package {1}, which is not installed.").format(name, package),
        translate(
            "errors", "Install it with `pip install {0}` into Sculptor's environment and open the model again."
        ).format(package),
    )


def package_lacking_for(part: Any) -> str:
    """A package without which a component's class can be named, but not built; empty where none lacks.

    transformers puts a placeholder in place of such a class, and of the parts of a processor.
    """
    import transformers

    if getattr(part, "is_dummy", False) is True:
        return str((*part._backends, "")[0])
    takes_videos = isinstance(part, type) and "video_processor" in inspect.signature(part.__init__).parameters  # type: ignore[misc]
    return package_lacking_for(transformers.BaseVideoProcessor) if takes_videos else ""


def _codes(module: Any, kind: PipelineClass) -> Iterable[CodeType]:
    """The code of a module's functions, of its other classes that are no pipelines, and of a class's methods."""
    own = [each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
    helpers = [each for each in own if isinstance(each, type) and not issubclass(each, diffusers.DiffusionPipeline)]
    methods = [part for base in (*kind.__mro__, *helpers) for part in vars(base).values()]
    for each in (*vars(module).values(), *methods):
        function = inspect.unwrap(getattr(each, "__func__", each)) if inspect.isroutine(each) else None
        if isinstance(function, FunctionType) and function.__module__.startswith("diffusers.pipelines"):
            yield function.__code__
