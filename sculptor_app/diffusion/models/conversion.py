"""Conversion of pickled weights into safetensors, in the sandbox's subprocess: only plain tensors pass.

Written tensor by tensor, so that one of them is in memory at a time.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.verdict import Unfit, shown, shown_path
from sculptor_app.diffusion.models.weights import MOST_HEADER_BYTES, MOST_NAME

_NESTED = ("state_dict", "model_state_dict", "module", "model")
"""Under which training programs keep the weights, beside their own notes."""
_DTYPES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.float16: "F16",
    torch.bfloat16: "BF16", torch.int32: "I32", torch.float32: "F32", torch.int64: "I64", torch.float64: "F64",
}  # fmt: skip
_PLAIN = (str, int, float, bool, type(None))
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_STAYS = translate("errors", "Sculptor runs no code that comes with a model; look for a copy with safetensors files.")
_COPY = translate("errors", "Copy the file again from where it came.")
_MOST_GROWTH = 2
"""How many times as large as its file the weights may be: some are there under two names."""
_SPARE_BYTES = 1 << 20


def convert_files(files: Sequence[Path], target: Path, stem: str) -> None:
    """Write the weights of pickles as safetensors files of the same number, and an index where they are several.

    Raises:
        Unfit: A file holds more than weights, or is damaged.
        OSError: A copy cannot be written.
        MemoryError, RuntimeError: It takes more memory than there is.
    """
    placed: dict[str, str] = {}
    for number, file in enumerate(files, 1):
        name = f"{stem}.safetensors" if len(files) == 1 else f"{stem}-{number:05}-of-{len(files):05}.safetensors"
        tensors = read_pickle(file)
        write_safetensors(target / name, tensors, shown_path(file))
        placed |= dict.fromkeys(tensors, name)
    if len(files) > 1:
        index = {"metadata": {"total_size": 0}, "weight_map": placed}
        (target / f"{stem}.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def read_pickle(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a pickle by name; `Unfit` if it holds anything but weights."""
    path = shown_path(file)
    with file.open("rb") as source:
        is_zip = source.read(4) == b"PK\x03\x04"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip)
    except MemoryError:
        raise
    except UnpicklingError as error:
        named = _GLOBAL.search(str(error))
        what = named[1] if named else translate("errors", "instructions that no weights need")
        raise Unfit(translate("errors", "{0} holds more than weights: {1}.").format(path, what), _STAYS) from error
    except Exception as error:
        first = str(error).strip().split("\n")[0][:120]
        raise Unfit(
            translate("errors", "{0} cannot be read as weights ({1}: {2}).").format(path, type(error).__name__, first),
            _COPY,
        ) from error
    tensors = _tensors(path, content)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > _MOST_GROWTH * file.stat().st_size + _SPARE_BYTES:
        message = translate("errors", "{0} holds weights of {1:,} bytes in a file of {2:,}.")
        raise Unfit(message.format(path, size, file.stat().st_size), _COPY)
    return tensors


def _tensors(path: str, content: Any) -> dict[str, torch.Tensor]:
    """The weights of what was in a pickle, without the plain notes beside them."""
    for key in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not any(isinstance(value, torch.Tensor) for value in content.values()):
        raise Unfit(translate("errors", "{0} holds no weights by name.").format(path), _STAYS)
    tensors = {}
    for name, value in content.items():
        if isinstance(value, _PLAIN):
            continue
        if not isinstance(name, str) or len(name) > MOST_NAME:
            raise Unfit(translate("errors", "{0} names a weight {1}.").format(path, shown(name)), _STAYS)
        is_plain = isinstance(value, torch.Tensor) and value.layout is torch.strided and value.device.type == "cpu"
        if not is_plain or value.dtype not in _DTYPES:
            kind = getattr(value, "dtype", type(value).__name__)
            message = translate("errors", "{0} holds {1} of a kind that is none of weights ({2}).")
            raise Unfit(message.format(path, shown(name), kind), _STAYS)
        tensors[name] = value.detach()
    return tensors


def write_safetensors(target: Path, tensors: Mapping[str, torch.Tensor], source: str) -> None:
    """Write tensors as one safetensors file, each in full, wherever they share memory."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [place, place + size],
        }
        place += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MOST_HEADER_BYTES:
        raise Unfit(translate("errors", "{0} names too many weights.").format(source), _COPY)
    with target.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            if tensor.numel():
                file.write(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        file.flush()
        os.fsync(file.fileno())
