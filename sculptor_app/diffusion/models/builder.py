"""Building of an inspected pipeline, by the loaders of diffusers and transformers or by our own for the embedded kind.

What came out is held against what was announced: names, shapes and finite values of all weights.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import logging
import os
import re
import warnings
from collections.abc import Collection, Iterator
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import safetensors.torch
import torch
from diffusers import SchedulerMixin, UNet2DModel
from torch import nn

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.diffusion.models.classes import OUR_PIPELINE
from sculptor_app.diffusion.models.config_checks import MOST_LABELS, check_settings
from sculptor_app.diffusion.models.folder import Folder, scan
from sculptor_app.diffusion.models.tokenizers import check_tokenizer, check_vocabulary, sentencepiece_models
from sculptor_app.diffusion.models.verdict import (
    Component,
    LoadingProgress,
    LoadingStage,
    Report,
    Unfit,
    Verdict,
    shown,
    shown_path,
)
from sculptor_app.diffusion.models.weights import checked_header
from sculptor_app.diffusion.pipelines import networks
from sculptor_app.diffusion.pipelines.errors import is_out_of_memory
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.pixel_unet import PixelUNet2DModel, network_class

ALIGNMENT = 64
_OTHER = translate("errors", "Its settings belong to another model; copy the folder again.")
_NEVER_STORED = re.compile(r"(^|\.)(position_ids|inv_freq)$")
"""Tables that older versions of transformers wrote beside the weights, and that each model makes for itself."""
_SHAPE = re.compile(r"because (\S+) expected shape|size mismatch for (\S+):")

Network = TypeVar("Network", UNet2DModel, PixelUNet2DModel, LabelEmbedding)

MOST_PARAMETERS = 2_000_000_000
WEIGHTS = "diffusion_pytorch_model.safetensors"
SCHEDULERS = (
    "DDIMScheduler", "DDPMScheduler", "DPMSolverMultistepScheduler", "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler", "HeunDiscreteScheduler", "UniPCMultistepScheduler",
)  # fmt: skip


def build(verdict: Verdict, dtype: str, report: Report | None = None) -> Any:
    """Build a pipeline in evaluation mode on the CPU from files that were inspected.

    Args:
        dtype: What the weights become: "float32", "float16" or "bfloat16".
        report: Called for each component; what it raises ends the building.

    Raises:
        Unfit: It cannot be built, or what was built is not whole.
        ModelFolderError: The same, for a folder of ours.
        RuntimeError: Memory ran out; `is_out_of_memory` knows it.
    """
    torch_dtype, report = getattr(torch, dtype), report or (lambda _: None)
    if verdict.pipeline == OUR_PIPELINE:
        report(LoadingProgress(LoadingStage.READING))
        pipeline = load_sculptor(verdict.path, "cpu", torch_dtype)
        # A tenth faster on CPUs, the pictures the same to a level of 255 (tests/benchmarks/bench_precision.py). Not
        # chosen by a trial of speed: the last bits of a seed's picture would be another's from start to start.
        pipeline.unet.to(memory_format=torch.channels_last)
        return pipeline
    with quiet():
        parts = {}
        for position, component in enumerate(verdict.components, 1):
            report(LoadingProgress(LoadingStage.READING, component.name, position, len(verdict.components)))
            parts[component.name] = _component(component, torch_dtype)
        try:
            pipeline = _assembled(verdict, parts) or verdict.pipeline_class.from_pretrained(
                verdict.path, **parts, **dict.fromkeys(verdict.left_out), torch_dtype=torch_dtype,
                local_files_only=True, use_safetensors=True, trust_remote_code=False,
            )  # fmt: skip
        except Exception as error:
            raise cannot(shown_path(verdict.path), error) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


_PLAIN = (bool, int, float, str)
"""Types of a pipeline's own settings in its index, beside the classes of its parts."""


def _assembled(verdict: Verdict, parts: dict[str, Any]) -> Any:
    """A pipeline put together of its parts, where diffusers cannot read its folder; None where it can.

    WORKAROUND: `from_pretrained` of diffusers 0.42.1 looks for the class of each part even where the part is given, and
    does not find those of modules that moved, as unclip's.
    """
    kind = verdict.pipeline_class
    moved = [each for each in verdict.components if each.component_class.__module__.startswith("diffusers.pipelines.")]
    lost = [each for each in moved if ".deprecated." in each.component_class.__module__]
    if not lost:
        return None
    index = kind.load_config(verdict.path, local_files_only=True)
    own = {name: index[name] for name in kind._get_signature_keys(kind)[1] if isinstance(index.get(name), _PLAIN)}
    left_out = dict.fromkeys((*kind._get_signature_keys(kind)[0], *verdict.left_out))
    return kind(**(left_out | own | parts))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the loaders' progress bars and warnings; one thread at a time."""
    with networks.BUILD_LOCK, warnings.catch_warnings():
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
    path = shown_path(component.folder)
    reads_words = component.kind == "data"
    if reads_words:
        check_tokenizer(component.folder)
    try:
        with sentencepiece_models(component.folder) if reads_words else contextlib.nullcontext():
            loaded = component.component_class.from_pretrained(component.folder, **_arguments(component, dtype))
    except Exception as error:
        raise cannot(path, error) from error
    if component.weights is None:
        check_vocabulary(loaded, component.folder)
        return loaded
    module, info = loaded if isinstance(loaded, tuple) else (loaded, {})
    _check_loading(path, info, borrowed_parts(component.component_class))
    check_values(path, module)
    return module.eval().requires_grad_(False)


def _arguments(component: Component, dtype: torch.dtype) -> dict[str, Any]:
    if component.weights is None:
        return {"local_files_only": True}
    arguments: dict[str, Any] = {
        _dtype_name(component): dtype, "use_safetensors": True, "local_files_only": True, "output_loading_info": True,
    }  # fmt: skip
    if component.weights.variant is not None:
        arguments["variant"] = component.weights.variant
    if component.kind == "network":
        arguments["disable_mmap"] = not component.weights.is_mapped
    else:
        # Mismatched sizes are reported, and refused here.
        arguments |= {"trust_remote_code": False, "ignore_mismatched_sizes": True}
    return arguments


def _dtype_name(component: Component) -> str:
    """Name of the argument for the dtype: version 4.56 of transformers renamed it."""
    if component.kind == "network":
        return "torch_dtype"
    major, minor = metadata.version("transformers").split(".")[:2]
    return "dtype" if (int(major), int(minor)) >= (4, 56) else "torch_dtype"


def borrowed_parts(network: Any) -> frozenset[str]:
    """Parts that a network gets from the pipeline's transformer; a folder that diffusers saved holds them twice."""
    borrow = getattr(network, "from_transformer", None)
    if borrow is None or "controlnet" not in inspect.signature(borrow).parameters:
        return frozenset()
    return frozenset(inspect.unwrap(borrow).__code__.co_names)


def _check_loading(path: str, info: dict[str, Any], borrowed: Collection[str]) -> None:
    """Refuse weights that are not just those of the network, by the loading info of diffusers or transformers."""
    mismatched = [entry[0] if isinstance(entry, tuple) else entry for entry in info.get("mismatched_keys", ())]
    unexpected = [
        name
        for name in info.get("unexpected_keys", ())
        if not _NEVER_STORED.search(name) and name.partition(".")[0] not in borrowed
    ]
    _check_names(path, info.get("missing_keys", ()), unexpected, mismatched)


def _check_names(path: str, missing: Collection[str], unexpected: Collection[str], mismatched: Collection[str]) -> None:
    for names, message in (
        (missing, translate("errors", "{0} lacks {1}.")),
        (unexpected, translate("errors", "{0} has the unknown {1}.")),
        (mismatched, translate("errors", "{0} has a wrong shape for {1}.")),
    ):
        if names:
            first, *others = sorted(names)
            several = translate("errors", "{0} and {1} more").format(shown(first), len(others))
            raise Unfit(message.format(path, several if others else shown(first)), _OTHER)


def check_values(path: str, module: nn.Module) -> None:
    """Refuse weights that are NaN, infinite or missing (`Unfit`); put mapped ones in memory of their own."""
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if tensor.is_meta:
            raise Unfit(
                translate("errors", "{0} leaves {1} without a value.").format(path, shown(name)),
                translate("errors", "It would fail in mid-run; copy it again."),
            )
    for name, parameter in module.named_parameters():
        if not is_finite(parameter):
            raise Unfit(
                translate("errors", "{0} has NaN or infinite values in {1}.").format(path, shown(name)),
                translate("errors", "Every picture would be empty."),
            )
        # Mapped weights are misaligned, which changes the output in the sixth digit, and are gone with their file.
        if parameter.device.type == "cpu" and parameter.data_ptr() % ALIGNMENT:
            parameter.data = parameter.data.clone()


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether no value is NaN or infinite; takes a thirtieth of the time of `torch.isfinite`, and no memory."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    least, most = torch.aminmax(tensor.detach())  # both are NaN if any value is
    return bool(torch.isfinite(least) and torch.isfinite(most))


def cannot(path: str, error: Exception) -> Exception:
    """Refusal for whatever a loader raised; an out-of-memory error stays as it is."""
    if is_out_of_memory(error) or isinstance(error, Unfit):
        return error
    shape = _SHAPE.search(str(error))
    if shape is not None:
        return Unfit(
            translate("errors", "{0} has a wrong shape for {1}.").format(path, shown(shape[1] or shape[2])), _OTHER
        )
    if isinstance(error, ImportError):
        why = translate("errors", "Install it into Sculptor's environment and open the model again.")
        return Unfit(
            translate("errors", "{0} needs something that is not installed ({1}).").format(path, _one_line(error)), why
        )
    return Unfit(
        translate("errors", "{0} describes nothing that can be built ({1}: {2}).").format(
            path, type(error).__name__, _one_line(error)
        ),
        _OTHER,
    )


def _one_line(error: Exception) -> str:
    """A library's message in one line, cut if it is long."""
    message = " ".join(str(error).split())
    return shown_path(message[:200] + ("…" if len(message) > 200 else ""))


def load_sculptor(
    folder: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> SculptorPipeline:
    """Pipeline from a folder that `SculptorPipeline.save_pretrained` or the training program wrote; float32 is exact.

    Raises:
        ModelFolderError: The folder cannot be used; the message says why and what to do.
    """
    try:
        unet, table, scheduler, settings = _read_components(Path(os.path.realpath(folder)), dtype)
    except Unfit as error:
        raise ModelFolderError(error.finding.message, error.finding.explanation) from error
    pipeline = SculptorPipeline(unet, table, scheduler, **settings)
    pipeline.to(device)
    return pipeline


def _read_components(
    folder: Path, dtype: torch.dtype
) -> tuple[UNet2DModel | PixelUNet2DModel, LabelEmbedding, SchedulerMixin, dict[str, Any]]:
    """The U-Net, the label tables, the scheduler and the pipeline's own settings; checked before any is built."""
    found = scan(folder)
    index = found.json("model_index.json")
    if index.get("_class_name") != "SculptorPipeline":
        raise ModelFolderError(
            translate("errors", "{0} holds a {1}, not a SculptorPipeline. Open it as a diffusers folder.").format(
                folder, shown(index.get("_class_name"))
            )
        )
    patch_size = index.get("patch_size", 4)
    _check_bounds(folder / "model_index.json", {"patch_size": patch_size}, used_by=SculptorPipeline)
    settings = {"patch_size": patch_size, "form_names": _names(folder, index, "form_names"),
                "material_names": _names(folder, index, "material_names")}  # fmt: skip
    unet = _read_network(network_class(found.json("unet/config.json")), found, "unet", dtype)
    table = _read_network(LabelEmbedding, found, "label_embedding", dtype)
    _check_fit(folder, unet, table, settings)
    return unet, table, _read_scheduler(found), settings


def _names(folder: Path, index: dict[str, Any], key: str) -> list[str]:
    names = index.get(key, [])
    if not isinstance(names, list) or len(names) > MOST_LABELS or not all(isinstance(name, str) for name in names):
        raise ModelFolderError(
            translate("errors", "{0} in {1} is not a list of words. Restore the file.").format(
                key, folder / "model_index.json"
            )
        )
    return names


def _check_bounds(path: Path, config: dict[str, Any], kind: str = "", used_by: Any = None) -> None:
    for found in check_settings(shown_path(path), config, kind, used_by):
        raise ModelFolderError(found.message, found.explanation)


def _read_network(kind: type[Network], found: Folder, name: str, dtype: torch.dtype) -> Network:
    folder = found.root / name
    config = found.json(f"{name}/config.json")
    _check_bounds(folder / "config.json", config, used_by=kind)
    try:
        with networks.BUILD_LOCK, torch.device("meta"):  # shapes only: a config that asks for terabytes gets none
            network: Network = kind.from_config(config)
    except Exception as error:
        raise ModelFolderError(
            translate("errors", "{0} describes no network that can be built ({1}).").format(
                folder / "config.json", error
            )
        ) from error
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if sum(parameter.numel() for parameter in network.parameters()) > MOST_PARAMETERS:
        raise ModelFolderError(
            translate("errors", "{0} asks for more than {1:,} parameters.").format(
                folder / "config.json", MOST_PARAMETERS
            )
        )
    weights = _read_weights(found, f"{name}/{WEIGHTS}", wanted, dtype)
    network.load_state_dict(weights, strict=True, assign=True)
    check_values(shown_path(folder), network)
    network.eval().requires_grad_(False)
    return network


def _read_weights(
    found_in: Folder, name: str, wanted: dict[str, tuple[int, ...]], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Weights by name; names and shapes are compared from the header before the data is read."""
    path = found_in.root / name
    found = {name: tensor.shape for name, tensor in checked_header(found_in, name).tensors.items()}
    changed = [name for name in wanted.keys() & found.keys() if wanted[name] != found[name]]
    _check_names(shown_path(path), wanted.keys() - found.keys(), found.keys() - wanted.keys(), changed)
    # Read into memory, not mapped: mapped weights are misaligned, which changes the output in the sixth digit. The
    # copy in `to` aligns them.
    return {name: tensor.to(dtype, copy=True) for name, tensor in safetensors.torch.load(path.read_bytes()).items()}


def _check_fit(
    folder: Path, unet: UNet2DModel | PixelUNet2DModel, table: LabelEmbedding, settings: dict[str, Any]
) -> None:
    channels = 3 * settings["patch_size"] ** 2
    taken = (unet.config.in_channels, unet.config.out_channels) if isinstance(unet, UNet2DModel) else (3, 3)
    if taken != (channels, channels):
        raise ModelFolderError(
            translate("errors", "{0}: patch_size {1} needs a U-Net of {2} channels.").format(
                folder, settings["patch_size"], channels
            )
        )
    embedding: Any = unet.time_embedding
    width = embedding.linear_2.out_features
    if unet.config.get("class_embed_type", "identity") != "identity" or table.config.width != width:
        raise ModelFolderError(
            translate("errors", "{0}: the label embedding and the U-Net belong to different models.").format(folder)
        )
    for names, count in (("form_names", table.null_form), ("material_names", table.null_material)):
        if len(settings[names]) not in (0, count):
            raise ModelFolderError(
                translate("errors", "{0}: {1} has {2} words for {3} labels.").format(
                    folder, names, len(settings[names]), count
                )
            )


def _read_scheduler(found: Folder) -> SchedulerMixin:
    path = found.root / "scheduler" / "scheduler_config.json"
    config = found.json("scheduler/scheduler_config.json")
    name = config.get("_class_name")
    _check_bounds(path, config, "scheduler", getattr(diffusers, name) if name in SCHEDULERS else None)
    if name not in SCHEDULERS:
        raise ModelFolderError(
            translate("errors", "{0} names the scheduler {1}; known are {2}.").format(
                path, shown(name), ", ".join(SCHEDULERS)
            )
        )
    try:
        return getattr(diffusers, name).from_config(config)
    except Exception as error:
        raise ModelFolderError(
            translate("errors", "{0} cannot be used ({1}). Restore the file from where it came.").format(path, error)
        ) from error
