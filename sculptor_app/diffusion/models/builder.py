"""Building a pipeline whose folder was judged, and holding what came out against what was announced."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import re
import warnings
from collections.abc import Iterator
from importlib import metadata
from itertools import chain
from typing import Any

import torch
from torch import nn

from sculptor_app.diffusion.models.classes import OUR_PIPELINE
from sculptor_app.diffusion.models.memory import READ_WHOLE_BYTES
from sculptor_app.diffusion.models.progress import LoadingProgress, LoadingStage, Report
from sculptor_app.diffusion.models.verdict import Component, Unfit, Verdict, shown, shown_path
from sculptor_app.diffusion.pipelines import build_lock
from sculptor_app.diffusion.pipelines.faults import is_out_of_memory

ALIGNMENT = 64
_OTHER = "Its settings belong to another model; copy the folder again."
_NEVER_STORED = re.compile(r"(^|\.)(position_ids|inv_freq)$")
"""Tables that older versions of transformers wrote beside the weights, and that each model makes for itself."""
_SHAPE = re.compile(r"because (\S+) expected shape|size mismatch for (\S+):")


def build(verdict: Verdict, dtype: str, report: Report | None = None) -> Any:
    """Build a pipeline on the CPU from files that were judged.

    Args:
        verdict: Of a folder that is fit.
        dtype: What the weights become: "float32", "float16" or "bfloat16".
        report: Told of each component; what it raises ends the building.

    Returns:
        The pipeline, in evaluation mode.

    Raises:
        Unfit: It cannot be built, or what was built is not whole.
        ModelFolderError: The same, for a folder of ours.
        RuntimeError: Memory ran out; `is_out_of_memory` knows it.
    """
    number, tell = getattr(torch, dtype), report or (lambda _: None)
    if verdict.pipeline == OUR_PIPELINE:
        tell(LoadingProgress(LoadingStage.READING))
        return verdict.made_by.load(verdict.path, "cpu", number)
    with quiet():
        parts = {}
        for position, component in enumerate(verdict.components, 1):
            tell(LoadingProgress(LoadingStage.READING, component.name, position, len(verdict.components)))
            parts[component.name] = _component(component, number)
        try:
            pipeline = verdict.made_by.from_pretrained(
                verdict.path, **parts, torch_dtype=number, local_files_only=True, use_safetensors=True,
                trust_remote_code=False,
            )  # fmt: skip
        except Exception as error:
            raise cannot(shown_path(verdict.path), error) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep loaders from writing bars and warnings to a terminal that is not theirs; one thread at a time."""
    with build_lock.building, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = []
        for library in ("diffusers", "transformers"):
            if importlib.util.find_spec(library) is not None:
                log = importlib.import_module(f"{library}.utils.logging")
                before.append((log, log.get_verbosity(), log.is_progress_bar_enabled()))
                log.set_verbosity(logging.CRITICAL)
                log.disable_progress_bar()
        try:
            yield
        finally:
            for log, level, bars in before:
                log.set_verbosity(level)
                if bars:
                    log.enable_progress_bar()


def _component(component: Component, dtype: torch.dtype) -> Any:
    """One component with its weights.

    Raises:
        Unfit: It cannot be built, or its weights are not whole.
    """
    path = shown_path(component.folder)
    try:
        loaded = component.made_by.from_pretrained(component.folder, **_arguments(component, dtype))
    except Exception as error:
        raise cannot(path, error) from error
    if component.weights is None:
        return loaded
    module, told = loaded if isinstance(loaded, tuple) else (loaded, {})
    _check_names(path, told)
    check_values(path, module)
    return module.eval().requires_grad_(False)


def _arguments(component: Component, dtype: torch.dtype) -> dict[str, Any]:
    """What the class's `from_pretrained` is to be told."""
    if component.weights is None:
        return {"local_files_only": True}
    arguments: dict[str, Any] = {
        _dtype_name(component): dtype, "use_safetensors": True, "local_files_only": True, "output_loading_info": True,
    }  # fmt: skip
    if component.weights.variant is not None:
        arguments["variant"] = component.weights.variant
    if component.kind == "network":
        arguments["disable_mmap"] = component.weights.largest_bytes <= READ_WHOLE_BYTES
    else:
        arguments |= {"trust_remote_code": False, "ignore_mismatched_sizes": True}  # they are told, and refused here
    return arguments


def _dtype_name(component: Component) -> str:
    """What the class calls the kind of number: version 4.56 of transformers renamed it."""
    if component.kind == "network":
        return "torch_dtype"
    major, minor = metadata.version("transformers").split(".")[:2]
    return "dtype" if (int(major), int(minor)) >= (4, 56) else "torch_dtype"


def _check_names(path: str, told: dict[str, Any]) -> None:
    """Whether the file held just the weights that the network has.

    Args:
        path: As it is shown.
        told: What diffusers or transformers say about the loading.
    """
    mismatched = [entry[0] if isinstance(entry, tuple) else entry for entry in told.get("mismatched_keys", ())]
    unexpected = [name for name in told.get("unexpected_keys", ()) if not _NEVER_STORED.search(name)]
    missing = told.get("missing_keys", ())
    for names, what in ((missing, "lacks"), (unexpected, "has the unknown"), (mismatched, "has a wrong shape for")):
        if names:
            first, *others = sorted(names)
            raise Unfit(f"{path} {what} {shown(first)}{f' and {len(others)} more' if others else ''}.", _OTHER)


def check_values(path: str, module: nn.Module) -> None:
    """Refuse weights without a value and values that are no numbers; put mapped ones in memory of their own.

    Args:
        path: Where they are from, as it is shown.
        module: Any network.

    Raises:
        Unfit: With the name of the first.
    """
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if tensor.is_meta:
            raise Unfit(f"{path} leaves {shown(name)} without a value.", "It would fail in mid-run; copy it again.")
    for name, parameter in module.named_parameters():
        if not is_finite(parameter):
            raise Unfit(f"{path} has values that are no numbers in {shown(name)}.", "Every picture would be empty.")
        # Mapped weights are misaligned, which changes the output in the sixth digit, and are gone with their file.
        if parameter.device.type == "cpu" and parameter.data_ptr() % ALIGNMENT:
            parameter.data = parameter.data.clone()


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether all values are numbers; a thirtieth of the time of `torch.isfinite`, and no memory."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    least, most = torch.aminmax(tensor.detach())  # both are NaN if any value is
    return bool(torch.isfinite(least) and torch.isfinite(most))


def cannot(path: str, error: Exception) -> Exception:
    """The refusal for whatever a loader raised; lack of memory stays what it is."""
    if is_out_of_memory(error) or isinstance(error, Unfit):
        return error
    shape = _SHAPE.search(str(error))
    if shape is not None:
        return Unfit(f"{path} has a wrong shape for {shown(shape[1] or shape[2])}.", _OTHER)
    if isinstance(error, ImportError):
        why = "Install it into Sculptor's environment and open the model again."
        return Unfit(f"{path} needs something that is not installed ({_said(error)}).", why)
    return Unfit(f"{path} describes nothing that can be built ({type(error).__name__}: {_said(error)}).", _OTHER)


def _said(error: Exception) -> str:
    """What a library said, in one line and not all of it if it is long."""
    said = " ".join(str(error).split())
    return shown_path(said[:200] + ("…" if len(said) > 200 else ""))
