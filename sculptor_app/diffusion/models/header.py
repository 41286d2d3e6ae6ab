"""The header of a safetensors file, checked to the last byte: what follows may then be read without surprises.

Source: the format's description in the README of huggingface/safetensors.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from sculptor_app.diffusion.models import bounded_json
from sculptor_app.diffusion.models.folder import File
from sculptor_app.diffusion.models.verdict import shown

MOST_HEADER_BYTES = 16 << 20
MOST_DIMENSIONS = 16
MOST_NAME = 512
DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4,
    "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
"""Bytes of a number by the format's name for its kind; kinds of less than a byte belong to quantised models."""

_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


class BrokenHeader(ValueError):
    """The header says something that cannot be; the message fits into brackets."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One entry of a header.

    Attributes:
        dtype: One of `DTYPE_BYTES`.
        shape: Whole numbers, 0 and up.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file announces.

    Attributes:
        tensors: By name.
        raw: The header's bytes.
    """

    tensors: dict[str, Tensor]
    raw: bytes


def read_header(file: File) -> Header:
    """Read and check the header of a file; the data itself is left alone.

    Raises:
        BrokenHeader: The file is no safetensors file, or its header contradicts itself or the file's size.
        OSError: The file cannot be read.
    """
    with os.fdopen(file.open(), "rb") as source:
        size = os.fstat(source.fileno()).st_size
        start = source.read(8)
        if len(start) < 8:
            raise BrokenHeader(f"it has {size} bytes, too few for a header")
        length = int.from_bytes(start, "little")
        if not 2 <= length <= min(MOST_HEADER_BYTES, size - 8):
            if start.startswith(_PICKLES):
                raise BrokenHeader("it is a pickle under another name")
            raise BrokenHeader(f"its header claims {length:,} bytes of a file of {size:,}")
        raw = source.read(length)
    if len(raw) < length:
        raise BrokenHeader("it shrinks while it is read")
    return Header(_parse(raw, size - 8 - length), raw)


def _parse(raw: bytes, data_bytes: int) -> dict[str, Tensor]:
    """The entries of a header in front of so many bytes of data."""
    if not raw.startswith(b"{"):
        raise BrokenHeader("its header is no JSON object")
    try:
        entries = bounded_json.parse(raw)
    except (ValueError, RecursionError) as error:
        raise BrokenHeader(f"its header is no JSON: {error}") from error
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise BrokenHeader("its metadata are no words")
    spans, tensors = [], {}
    for name, entry in entries.items():
        tensor, begin, end = _entry(name, entry)
        spans.append((begin, end, name))
        tensors[name] = tensor
    _check_spans(sorted(spans), data_bytes)
    return tensors


def _entry(name: str, entry: Any) -> tuple[Tensor, int, int]:
    """One tensor and where its data begins and ends."""
    if len(name) > MOST_NAME:
        raise BrokenHeader(f"a tensor's name has {len(name)} letters")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise BrokenHeader(f"the entry of {shown(name)} has not just dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise BrokenHeader(f"{shown(name)} has the unknown dtype {shown(dtype)}")
    if not _are_counts(shape) or len(shape) > MOST_DIMENSIONS:
        raise BrokenHeader(f"{shown(name)} has the shape {shown(shape)}")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise BrokenHeader(f"{shown(name)} has the offsets {shown(offsets)}")
    tensor = Tensor(dtype, tuple(shape))
    begin, end = offsets
    if tensor.numbers * DTYPE_BYTES[dtype] != end - begin:
        raise BrokenHeader(f"{shown(name)} of shape {shown(shape)} in {dtype} does not take {end - begin:,} bytes")
    return tensor, begin, end


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and 0 <= each < 2**63 for each in value)


def _check_spans(spans: list[tuple[int, int, str]], data_bytes: int) -> None:
    """The tensors' data must follow each other without overlap or hole, to the file's end."""
    place = 0
    for begin, end, name in spans:
        if begin != place:
            what = "overlaps another" if begin < place else "leaves a hole before it"
            raise BrokenHeader(f"the data of {shown(name)} {what}")
        place = end
    if place != data_bytes:
        raise BrokenHeader(f"its tensors take {place:,} bytes of data, and the file has {data_bytes:,}")
