"""LoRA files: checked, read without running anything, loaded into a pipeline by diffusers, and taken out again.

A LoRA adds w·(alpha/r)·B·A to weights of a network, with matrices A (r, in) and B (out, r) of a small rank r and the
weight w that a request gives it (Hu et al. 2022, section 4.1). diffusers reads what it wrote itself, kohya's files and
LoCons, and lays the product beside each layer; the network's own weights stay as they are.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from sculptor_app.core.errors import Cancelled, ModelFolderError, SculptorError
from sculptor_app.core.files import expanded
from sculptor_app.core.requests.request import Lora, RequestError
from sculptor_app.core.texts import byte_text, translate
from sculptor_app.diffusion.models.builder import is_finite, quiet
from sculptor_app.diffusion.models.folder import File, Folder, parse_json
from sculptor_app.diffusion.models.loader import LEFT_TO_OTHERS, free_bytes
from sculptor_app.diffusion.models.verdict import (
    LoadingProgress,
    LoadingStage,
    Report,
    Unfit,
    shown,
    shown_path,
    stoppable,
)
from sculptor_app.diffusion.models.weights import Header, checked_header
from sculptor_app.diffusion.pipelines.errors import is_out_of_memory

Pipeline = Any
Tensors = dict[str, torch.Tensor]
HashKey = tuple[Path, int, int]
"""Path, size and time of the last change of a file, for which its hash is remembered."""

_CHUNK = 16 << 20
_MOST_ALPHA = 1e6
_DTYPES = (torch.float16, torch.bfloat16, torch.float32)
_ADAPTER = "sculptor_"
_KOHYA = ("lora_unet_", "lora_te")
_CONFIG = "lora_adapter_metadata"
"""Where diffusers writes what `LoraConfig` a file was trained with: alpha, and the ranks."""
_PART = re.compile(r"(?:[._](?:lora|lokr)(?:_linear_layer)?[._](?:down|up|A|B|w1|w2|magnitude_vector)\w*(?:\.\w+)*)$")
_UP = re.compile(r"(?:\.lora(?:_linear_layer)?\.up|_lora\.up|\.lora_B)\.weight$")
_SHAPE = re.compile(r"size mismatch for (\S+):")
_OTHER_KINDS = {
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "oft_": "OFT",
    "glora_": "GLoRA",
    "a1.weight": "GLoRA",
    "on_input": "IA³",
}
"""Kinds of adapters by a part of their tensors' names; diffusers reads few of them."""
_MADE_FOR = ("modelspec.architecture", "ss_base_model_version")
"""Where training programs write what a file is for."""
_ANOTHER = translate("errors", "Choose a LoRA that was made for this kind of model.")
_COPY = translate("errors", "Copy the file again from where it came.")


class LoraRefused(ModelFolderError):
    """A LoRA file that is broken, or does not fit the model."""


@dataclass(frozen=True, slots=True, eq=False)
class _LoraFile:
    """A LoRA in memory."""

    path: str  # for people
    tensors: Tensors
    metadata: dict[str, str]  # of its header

    @property
    def advice(self) -> str:
        """What to do where it does not fit: choose another, and what this one is for, if it says so."""
        for key in _MADE_FOR:
            if self.metadata.get(key):
                return translate("errors", "{0} This one says that it is for {1}.").format(
                    _ANOTHER, shown(self.metadata[key])
                )
        return _ANOTHER


def takes_loras(pipeline: Pipeline) -> bool:
    """Whether diffusers loads LoRAs into this pipeline; Kandinsky 3 says that it does, but its network cannot."""
    if not hasattr(pipeline, "load_lora_weights") or not getattr(pipeline, "_lora_loadable_modules", ()):
        return False
    return any(hasattr(part, "load_lora_adapter") for part in _parts(pipeline).values())


def apply_loras(
    pipeline: Pipeline,
    loras: Sequence[Lora],
    hashes: dict[HashKey, str],
    stop: threading.Event | None = None,
    report: Report | None = None,
) -> tuple[Lora, ...]:
    """Lay just these LoRAs over a pipeline's weights, on its device and in its dtype; without any it is bare again.

    What is loaded already is not read again. After a failure the pipeline is bare.

    Args:
        hashes: Hashes of the files that were read before; added to.
        stop: Ends it between two pieces of a file and between two files.

    Returns:
        The same LoRAs, with the hash of each file's content.

    Raises:
        RequestError: The pipeline takes none, there is no such file, or one is given twice.
        LoraRefused: A file is broken, is another than it was, or does not fit the model.
        Cancelled: It was stopped.
    """
    if not loras:
        if takes_loras(pipeline) and any(hasattr(part, "peft_config") for part in _parts(pipeline).values()):
            unload_loras(pipeline)
        return ()
    if not takes_loras(pipeline):
        raise RequestError(
            translate("errors", "This model, a {0}, takes no LoRAs; leave them out, or choose another.").format(
                type(pipeline).__name__
            )
        )
    report, loaded = stoppable(report, stop), _loaded(pipeline)
    try:
        known, read = _read_new(loras, loaded, hashes, stop, report)
        if loaded != {_adapter(lora.sha256) for lora in known}:
            unload_loras(pipeline)
            for lora in known:
                report(LoadingProgress(LoadingStage.MOVING))
                _load(pipeline, read.get(lora.sha256) or _read(lora, _file_of(lora), stop)[1], _adapter(lora.sha256))
        pipeline.set_adapters([_adapter(lora.sha256) for lora in known], [float(lora.weight) for lora in known])
    except BaseException:
        unload_loras(pipeline)
        raise
    return tuple(known)


def _read_new(
    loras: Sequence[Lora], loaded: set[str], hashes: dict[HashKey, str], stop: threading.Event | None, report: Report
) -> tuple[list[Lora], dict[str, _LoraFile]]:
    """The LoRAs with their hashes, and by hash the content of those that are not loaded."""
    known: list[Lora] = []
    read: dict[str, _LoraFile] = {}
    for number, lora in enumerate(loras, 1):
        report(LoadingProgress(LoadingStage.READING, lora.name, number, len(loras)))
        file = _file_of(lora)
        key = (file.real, file.size, file.changed_ns)
        if _adapter(hashes.get(key, "")) not in loaded:
            hashes[key], read[hashes[key]] = _read(lora, file, stop)
        known.append(_identified(lora, hashes[key], known))
    return known, read


def unload_loras(pipeline: Pipeline) -> None:
    """Take every LoRA out of a pipeline: its layers are the very ones of before."""
    resets = "reset_to_overwritten_params" in inspect.signature(pipeline.unload_lora_weights).parameters
    with quiet():
        pipeline.unload_lora_weights(**({"reset_to_overwritten_params": True} if resets else {}))


def _adapter(sha256: str) -> str:
    """Name under which a LoRA is loaded."""
    return f"{_ADAPTER}{sha256[:32]}"


def _parts(pipeline: Pipeline) -> dict[str, nn.Module]:
    """The components of a pipeline that take LoRAs."""
    parts = {name: getattr(pipeline, name, None) for name in pipeline._lora_loadable_modules}
    return {name: part for name, part in parts.items() if isinstance(part, nn.Module)}


def _loaded(pipeline: Pipeline) -> set[str]:
    return {name for names in pipeline.get_list_adapters().values() for name in names}


def _identified(lora: Lora, sha256: str, others: list[Lora]) -> Lora:
    """A LoRA with its hash; refused if that is another than it was, or the one of another file."""
    if lora.sha256 and lora.sha256 != sha256:
        raise LoraRefused(
            translate("errors", "{0} is not the file that the run was made with: its content is another.").format(
                shown_path(lora.file)
            ),
            translate("errors", "Bring the old file back, or start a new run."),
        )
    for other in others:
        if other.sha256 == sha256:
            raise RequestError(
                translate("errors", "The LoRAs {0} and {1} are the same; give one of them.").format(
                    other.name, lora.name
                )
            )
    return replace(lora, sha256=sha256)


# Reading --------------------------------------------------------------------------------------------------------------


def _file_of(lora: Lora) -> File:
    """The file of a LoRA, links followed; `RequestError` if there is none."""
    lora.check_file()
    path = expanded(lora.file)
    real = Path(os.path.realpath(path))
    status = real.stat()
    return File(path, real, status.st_size, status.st_mtime_ns)


def _read(lora: Lora, file: File, stop: threading.Event | None) -> tuple[str, _LoraFile]:
    """Hash and content of a file; `LoraRefused` if it is broken."""
    path = shown_path(file.path)
    _check_memory(path, file.size)
    try:
        header = checked_header(Folder(file.path.parent, {file.path.name: file}), file.path.name)
        content = _content(file, stop)
        if len(content) != file.size or content[8 : 8 + len(header.raw)] != header.raw:
            raise Unfit(translate("errors", "{0} changed while it was read.").format(path), _COPY)
        tensors = safetensors.torch.load(content)
    except Unfit as unfit:
        raise LoraRefused(unfit.finding.message, unfit.finding.explanation) from unfit
    except (OSError, safetensors.SafetensorError) as error:
        raise LoraRefused(translate("errors", "{0} cannot be read ({1}).").format(path, error), _COPY) from error
    for name, tensor in tensors.items():
        if not is_finite(tensor.float() if tensor.dtype not in _DTYPES else tensor):
            raise LoraRefused(
                translate("errors", "{0} has NaN or infinite values in {1}.").format(path, shown(name)),
                translate("errors", "Every picture would be empty."),
            )
    tensors = {name: tensor if tensor.dtype in _DTYPES else tensor.float() for name, tensor in tensors.items()}
    metadata = _metadata(header)
    _scale_by_alphas(tensors)
    _scale_by_config(tensors, metadata.get(_CONFIG, ""))
    return hashlib.sha256(content).hexdigest(), _LoraFile(path, tensors, metadata)


def _check_memory(path: str, size: int) -> None:
    """Refuse a file that would fill the memory: its bytes, its tensors, and those beside the network's weights."""
    free = free_bytes("cpu")
    if 3 * size + LEFT_TO_OTHERS > free:
        message = translate("errors", "{0} takes up to {1} of memory while it is read, and {2} are free.")
        advice = translate("errors", "Close other programs, or leave it out.")
        raise LoraRefused(message.format(path, byte_text(3 * size), byte_text(free)), advice)


def _content(file: File, stop: threading.Event | None) -> bytes:
    pieces = []
    with os.fdopen(file.open(), "rb") as source:
        while piece := source.read(_CHUNK):
            if stop is not None and stop.is_set():
                raise Cancelled
            pieces.append(piece)
    return b"".join(pieces)


def _metadata(header: Header) -> dict[str, str]:
    found = parse_json(header.raw).get("__metadata__")
    return found if isinstance(found, dict) else {}


def _scale_by_alphas(tensors: Tensors) -> None:
    """Bring alpha/r into the matrices B of a file with kohya's names.

    WORKAROUND: diffusers 0.42.1 looks for the alphas of Stable Diffusion's attention and text encoders under names that
    the layers do not have; where alphas differ between layers, all of them get the commonest.
    """
    for name in [name for name in tensors if name.startswith(_KOHYA) and name.endswith(".alpha")]:
        up = name.removesuffix("alpha") + "lora_up.weight"
        if up in tensors and _rank(tensors[up]) and tensors[name].numel() == 1:
            tensors[up] = tensors[up].float() * (tensors.pop(name).item() / _rank(tensors[up]))


def _rank(up: torch.Tensor) -> int:
    """Rank r of a matrix B (out, r, ...); 0 for what is none."""
    return up.shape[1] if up.ndim > 1 else 0


def _scale_by_config(tensors: Tensors, text: str) -> None:
    """Bring alpha/r into the matrices B of a file whose config has it; nothing else of the config is used.

    diffusers would make a `LoraConfig` of whatever a file brings along, regular expressions among it.
    """
    try:
        config = parse_json(text.encode()) if text else {}
    except (ValueError, RecursionError):
        config = {}
    if not isinstance(config, dict):
        return
    for name in [name for name in tensors if _UP.search(name) and _rank(tensors[name])]:
        part, _, module = _UP.sub("", name).partition(".")
        rank = _rank(tensors[name])
        alpha = _of_module(config.get(f"{part}.alpha_pattern"), module, config.get(f"{part}.lora_alpha"))
        if isinstance(alpha, int | float) and not isinstance(alpha, bool) and abs(alpha) <= _MOST_ALPHA:
            scale = alpha / (math.sqrt(rank) if config.get(f"{part}.use_rslora") is True else rank)
            if scale != 1:
                tensors[name] = tensors[name].float() * scale


def _of_module(pattern: object, module: str, usual: object) -> object:
    """The value for a module: of the longest name in the pattern that it ends with, else the usual one."""
    names = pattern if isinstance(pattern, dict) else {}
    ends = {name.removeprefix("^").removesuffix("$"): value for name, value in names.items()}
    fitting = [name for name in ends if module == name or module.endswith(f".{name}")]
    return ends[max(fitting, key=len)] if fitting else usual


# Loading --------------------------------------------------------------------------------------------------------------


def _load(pipeline: Pipeline, file: _LoraFile, adapter: str) -> None:
    """Have diffusers load a file; `LoraRefused` if any of it does not fit."""
    has_offload = bool(getattr(pipeline, "_all_hooks", None))
    device = getattr(pipeline, "_offload_device", None)
    # Layers draw the values that are overwritten at once from the global generator.
    with quiet(), torch.random.fork_rng(devices=[]):
        try:
            announced = _modules_in(pipeline, file)
            pipeline.load_lora_weights(dict(file.tensors), adapter_name=adapter)
        except Exception as error:
            if is_out_of_memory(error) or isinstance(error, SculptorError):
                raise
            raise _refusal(pipeline, file, adapter, error) from error
        finally:
            if has_offload and device is not None:
                # diffusers puts the hooks back for the first GPU, whichever it was, and after an error not at all
                pipeline.enable_model_cpu_offload(device=device)
    fitting = sum(_has_values(layer, adapter) for part in _parts(pipeline).values() for layer in _layers(part, adapter))
    if fitting < len(announced):
        raise _misfit(pipeline, file, len(announced), fitting)
    if not fitting:
        raise LoraRefused(translate("errors", "{0} holds no LoRA.").format(file.path), file.advice)


def _modules_in(pipeline: Pipeline, file: _LoraFile) -> set[str]:
    """Names of the layers that a file has weights for, as diffusers translates them for this kind of pipeline."""
    config = getattr(getattr(pipeline, "unet", None), "config", None)
    translated = pipeline.lora_state_dict(dict(file.tensors), unet_config=config)
    state = translated[0] if isinstance(translated, tuple) else translated
    return {_PART.sub("", name) for name in state if _PART.search(name)}


def _layers(part: nn.Module, adapter: str) -> Iterator[nn.Module]:
    """The layers of a component that a LoRA lies beside."""
    for module in part.modules():
        if any(adapter in getattr(module, name, ()) for name in ("lora_A", "lora_embedding_A", "lokr_w1")):
            yield module


def _has_values(layer: Any, adapter: str) -> bool:
    """Whether a file had every matrix of a layer; what it lacks has no memory, and would fail in mid-run."""
    held = [getattr(layer, name, {}) for name in layer.adapter_layer_names]
    matrices = [each[adapter] for each in held if adapter in each]
    tensors = [matrix.parameters() if isinstance(matrix, nn.Module) else [matrix] for matrix in matrices]
    return not any(tensor.is_meta for some in tensors for tensor in some)


def _misfit(pipeline: Pipeline, file: _LoraFile, announced: int, fitting: int) -> LoraRefused:
    if fitting:
        message = translate(
            "errors",
            "{0} does not fit this model ({1}): it changes {3} of its places, and the model lacks {2} of them.",
        )
    else:
        message = translate(
            "errors", "{0} does not fit this model ({1}), which has none of the layers that it changes ({3})."
        )
    missing = announced - fitting
    return LoraRefused(message.format(file.path, type(pipeline).__name__, missing, announced), file.advice)


def _refusal(pipeline: Pipeline, file: _LoraFile, adapter: str, error: Exception) -> LoraRefused:
    """Refusal for whatever diffusers or peft raised."""
    shape = _SHAPE.search(str(error))
    if shape is not None:
        layer = shown(shape[1].replace(f".{adapter}", ""))
        message = translate("errors", "{0} does not fit this model ({1}): it has a wrong shape for {2}.")
        return LoraRefused(message.format(file.path, type(pipeline).__name__, layer), file.advice)
    for part, kind in _OTHER_KINDS.items():
        if any(part in name for name in file.tensors):
            message = translate("errors", "{0} is a {1}, which diffusers does not read for a {2}.")
            advice = translate("errors", "Choose a LoRA or a LoCon.")
            return LoraRefused(message.format(file.path, kind, type(pipeline).__name__), advice)
    if type(error).__name__ == "NoMatchingPeftModuleError" or not any("lora" in name for name in file.tensors):
        names = {_PART.sub("", name) for name in file.tensors if _PART.search(name)}
        if names:
            return _misfit(pipeline, file, len(names), 0)
        return LoraRefused(translate("errors", "{0} holds no LoRA.").format(file.path), file.advice)
    message = translate("errors", "{0} is no LoRA that diffusers can load into a {1}.")
    return LoraRefused(message.format(file.path, type(pipeline).__name__), file.advice)
