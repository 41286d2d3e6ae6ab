"""Allowlist of the classes that a model may name: those of the installed diffusers and transformers, and our own.

Nothing is listed by name. A class counts when the library that it is said to be from has it and it is a pipeline, a
network, a scheduler, an encoder, a tokenizer or a feature extractor.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
import typing
from types import ModuleType
from typing import Any

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.verdict import Unfit, shown

OUR_PIPELINE = "SculptorPipeline"
OUR_NETWORKS = (
    ("sculptor_app.diffusion.label_embedding", "LabelEmbedding"),
    ("sculptor_app.diffusion.pixel_unet", "PixelUNet2DModel"),
)
"""Modules and classes of our own that models of the embedded kind name."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}", re.ASCII)
_DATA_CLASSES = (
    ("tokenization_utils_base", "PreTrainedTokenizerBase"),
    ("feature_extraction_utils", "FeatureExtractionMixin"),
    ("image_processing_base", "ImageProcessingMixin"),
    ("processing_utils", "ProcessorMixin"),
)
_PACKAGES = {"vision": "PIL", "opencv": "cv2"}
"""How Python calls what diffusers and transformers call otherwise."""
_UNTRUSTED = translate(
    "errors", "Naming a class makes Python load it; only those of diffusers and transformers are known to be harmless."
)


def pipeline_class(name: object) -> Any:
    """The pipeline of that name; `Unfit` if it is none, no whole one, or needs something that is not installed."""
    if name == OUR_PIPELINE:
        from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline

        return SculptorPipeline
    import diffusers

    found = _look_up(diffusers, name)
    if not isinstance(found, type) or not _is_below(found, diffusers.DiffusionPipeline):
        raise Unfit(
            translate("errors", "The pipeline {0} is not known to diffusers {1}.").format(
                shown(name), diffusers.__version__
            ),
            translate(
                "errors",
                "Sculptor runs no code that comes with a model, and has none of its own for it; a newer version may.",
            ),
        )
    return found


def component_class(library: object, name: object, pipeline: Any = None) -> tuple[Any, str]:
    """Class of a component, and its kind: "network", "encoder", "scheduler", "guider" or "data"; else `Unfit`.

    Args:
        pipeline: The class of the pipeline that it is for; None where that is not known.
    """
    for ours in OUR_NETWORKS:
        if (library, name) == ours:
            return getattr(importlib.import_module(ours[0]), ours[1]), "network"
    found = _imported_by(pipeline, name) if _is_own_module(library) else None
    found = found or _look_up(_library(library, name), name)
    kind = _kind(found) if isinstance(found, type) else None
    if kind is None and isinstance(found, type) and library in ("diffusers", "transformers"):
        raise Unfit(
            translate("errors", "The class {0} of {1} is no part that a pipeline is made of.").format(
                shown(name), shown(library)
            ),
            translate("errors", "Restore the model_index.json; it names networks, samplers, encoders and their data."),
        )
    if kind is None:
        raise Unfit(
            translate("errors", "The class {0} of {1} is not one that a model may name.").format(
                shown(name), shown(library)
            ),
            _UNTRUSTED,
        )
    return found, kind


def _library(library: object, name: object) -> Any:
    import diffusers
    from diffusers import pipelines

    if library == "diffusers":
        return diffusers
    if library == "transformers":
        if importlib.util.find_spec("transformers") is None:
            raise _missing(name, ["transformers"])
        return importlib.import_module("transformers")
    if isinstance(library, str) and _WORD.fullmatch(library):
        module = _attribute(pipelines, library)
        if isinstance(module, ModuleType) and module.__name__.startswith("diffusers.pipelines."):
            return module
    raise Unfit(
        translate("errors", "The library {0} is not one that a model may name.").format(shown(library)), _UNTRUSTED
    )


def _is_own_module(library: object) -> bool:
    """Whether a library is the name of a module of diffusers' pipelines, which may have moved since."""
    return isinstance(library, str) and bool(_WORD.fullmatch(library)) and library != "transformers"


def _imported_by(pipeline: Any, name: object) -> Any:
    """The class of that name that the module of a pipeline works with, if diffusers has it; None if it has none.

    WORKAROUND: diffusers 0.42.1 names modules in a model's index that it cannot find again, as "deprecated".
    """
    module = sys.modules.get(getattr(pipeline, "__module__", ""))
    if module is None or not module.__name__.startswith("diffusers.pipelines.") or not isinstance(name, str):
        return None
    found = vars(module).get(name)
    return found if isinstance(found, type) and found.__module__.startswith("diffusers.") else None


def _look_up(module: ModuleType, name: object) -> Any:
    """What a module has under a plain name; None where it has nothing."""
    if not isinstance(name, str) or not _WORD.fullmatch(name):
        return None
    found = _attribute(module, name)
    if found is None and module.__name__ == "transformers":  # old models name classes that have newer names by now
        from diffusers.utils import _maybe_remap_transformers_class

        found = _attribute(module, _maybe_remap_transformers_class(name) or name)
    if isinstance(found, type) and (".dummy_" in found.__module__ or getattr(found, "is_dummy", False) is True):
        wanted = [_PACKAGES.get(each, each) for each in getattr(found, "_backends", [])]
        backends = [each for each in wanted if importlib.util.find_spec(each) is None]
        raise _missing(name, backends or ["another package"])
    return found


def _attribute(module: ModuleType, name: str) -> Any:
    """A module's attribute or None; diffusers imports lazily, and some of its old modules can no longer be imported."""
    try:
        return getattr(module, name, None)
    except (ImportError, RuntimeError):
        return None


def _missing(name: object, packages: list[str]) -> Unfit:
    missing = " and ".join(packages)
    return Unfit(
        translate("errors", "{0} needs the Python package {1}, which is not installed.").format(shown(name), missing),
        translate(
            "errors", "Install it with `pip install {0}` into Sculptor's environment and open the model again."
        ).format(" ".join(packages)),
    )


def _kind(found: type) -> str | None:
    import diffusers

    if _is_below(found, diffusers.ModelMixin):
        return "network"
    if _is_below(found, diffusers.SchedulerMixin):
        return "scheduler"
    if _is_below(found, importlib.import_module("diffusers.guiders.guider_utils").BaseGuidance):
        return "guider"
    if importlib.util.find_spec("transformers") is None:
        return None
    if _is_below(found, importlib.import_module("transformers").PreTrainedModel):
        return "encoder"
    for module, name in _DATA_CLASSES:
        if _is_below(found, getattr(importlib.import_module(f"transformers.{module}"), name)):
            return "data"
    return None


def _is_below(found: type, base: Any) -> bool:
    """Whether a class derives from another, and is not that itself."""
    return issubclass(found, base) and found is not base


_GUARDS = ("safety_checker",)
"""Components that look at the finished picture; all pipelines work without them."""


def nullable_components(pipeline: Any) -> set[str]:
    """The components of a pipeline class that may be None, though it does not call them optional."""
    if pipeline is None:
        return set()
    required = set(pipeline._get_signature_keys(pipeline)[0]) - set(getattr(pipeline, "_optional_components", ()))
    parameters = inspect.signature(pipeline.__init__).parameters
    return {
        name
        for name in required & parameters.keys()
        if name in _GUARDS or type(None) in typing.get_args(parameters[name].annotation)
    }
