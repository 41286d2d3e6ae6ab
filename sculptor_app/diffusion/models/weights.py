"""Weight files of a component: which ones a loader reads, and checks of their safetensors headers to the last byte.

Source: the description of the format in the README of huggingface/safetensors.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.folder import INDEX, MOST_JSON_BYTES, File, Folder, parse_json
from sculptor_app.diffusion.models.verdict import PickledWeights, Unfit, Weights, shown, shown_path

STEMS = {"network": "diffusion_pytorch_model", "encoder": "model"}
"""How diffusers and transformers call a component's weight files."""
PICKLE_STEMS = {"network": "diffusion_pytorch_model", "encoder": "pytorch_model"}
"""How they call those that are pickles."""

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz")
OTHER_WEIGHTS = (".msgpack", ".h5", ".onnx", ".onnx_data", ".pb", ".tflite", ".gguf", ".flashpack", ".mlmodel")
MOST_INDEX_BYTES = 16 << 20

_SHARD_NUMBER = re.compile(r"-\d{5}-of-\d{5}$")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*\.safetensors", re.ASCII)
_PICKLED_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*\.bin", re.ASCII)
_COPY = translate("errors", "Copy the file again from where it came.")

MOST_HEADER_BYTES = 16 << 20
MOST_DIMENSIONS = 16
MOST_NAME = 512
DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4,
    "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
"""Bytes of a number by the format's name for its kind; kinds of less than a byte belong to quantised models."""


@dataclass
class Source:
    """The files of one variant: a single one, an index of shards, or both."""

    single: str | None = None
    index: str | None = None


def sources(names: Iterable[str], stem: str, suffix: str = "safetensors") -> dict[str | None, Source]:
    """The variants of a component's weights by name, from its files and their stem; None is the plain one."""
    single = re.compile(rf"{stem}(?:\.([\w\-]+))?\.{suffix}", re.ASCII)
    index = re.compile(rf"{stem}\.{suffix}\.index(?:\.([\w\-]+))?\.json", re.ASCII)
    found: dict[str | None, Source] = {}
    for name in names:
        if (match := index.fullmatch(name)) is not None:
            found.setdefault(match[1], Source()).index = name
        elif (match := single.fullmatch(name)) is not None and not _SHARD_NUMBER.search(match[1] or ""):
            found.setdefault(match[1], Source()).single = name
    return found


def find_pickles(folder: Folder, place: str, kind: str, name: str) -> PickledWeights | None:
    """The pickles that hold a component's weights, the plain ones first; None if there are none.

    Args:
        place: Name of the component's folder; empty is the model's own.
        kind: "network" or "encoder".

    Raises:
        Unfit: One of them is missing.
    """
    offers, prefix = sources(folder.within(place), PICKLE_STEMS[kind], "bin"), f"{place}/" if place else ""
    if not offers:
        return None
    source = offers.get(None) or next(iter(offers.values()))
    names = [source.single] if source.single is not None else _pickled_shards(folder, prefix + str(source.index))
    if not names:
        return None
    files = [folder.file(prefix + each) for each in names]
    settings = [(each, folder.files[prefix + each]) for each in sorted(folder.within(place))
                if each.endswith(".json") and ".index" not in each and each != INDEX]  # fmt: skip
    return PickledWeights(
        name,
        files=tuple(file.real for file in files),
        settings=tuple((each, file.real) for each, file in settings if file.size <= MOST_JSON_BYTES),
        stem=STEMS[kind],
        label=names[0],
        stored_bytes=sum(file.size for file in files),
    )


def _pickled_shards(folder: Folder, index: str) -> list[str]:
    shards = folder.json(index, MOST_INDEX_BYTES).get("weight_map")
    names = set(shards.values()) if isinstance(shards, dict) else set()
    whole = all(isinstance(name, str) and _PICKLED_NAME.fullmatch(name) for name in names)
    return sorted(names) if whole else []


def choose_variants(offers: Mapping[str, Mapping[str | None, Any]], wanted: str | None = None) -> dict[str, str | None]:
    """One variant for each component: the wanted one or the plain one where they are there, else one for all.

    A component that offers nothing is not in the result.
    """
    offers = {name: offer for name, offer in offers.items() if offer}
    needed = [offer for offer in offers.values() if None not in offer]
    shared = [variant for variant in sorted({v for offer in needed for v in offer if v is not None})
              if all(variant in offer for offer in needed)]  # fmt: skip
    order = [wanted, None, *shared]
    return {
        name: next((variant for variant in order if variant in offer), next(iter(offer)))
        for name, offer in offers.items()
    }


def check_weights(folder: Folder, component: str, kind: str, variant: str | None, source: Source) -> Weights:
    """Check every file that is read for a component; `Unfit` if one is missing, damaged, or contradicts the others."""
    place = f"{component}/" if component else ""
    # Where both are there, diffusers takes the shards and transformers the single file.
    if source.index is not None and (kind == "network" or source.single is None):
        headers = _sharded(folder, place, source.index)
    else:
        assert source.single is not None
        headers = {source.single: checked_header(folder, place + source.single)}
    files = [folder.files[place + name] for name in headers]
    return weights_of(files, headers.values(), variant)


def weights_of(files: Iterable[File], headers: Iterable[Header], variant: str | None = None) -> Weights:
    """Weights of a component, from its files and their headers."""
    files, tensors = list(files), [tensor for header in headers for tensor in header.tensors.values()]
    return Weights(
        files=tuple(file.path for file in files),
        variant=variant,
        parameter_count=sum(tensor.element_count for tensor in tensors),
        stored_bytes=sum(file.size for file in files),
        largest_bytes=max(file.size for file in files),
        dtypes=frozenset(tensor.dtype for tensor in tensors),
    )


def checked_header(folder: Folder, name: str) -> Header:
    """The header of a weight file; `Unfit` if the file is missing or damaged."""
    path = shown_path(folder.root / name)
    try:
        header = read_header(folder.file(name))
    except BrokenHeader as error:
        other = folder.mistaken(name, is_weights=True)
        if other is not None:
            raise other from error
        raise Unfit(translate("errors", "{0} is damaged ({1}).").format(path, error.args[0]), _COPY) from error
    except OSError as error:
        raise Unfit(
            translate("errors", "{0} cannot be read ({1}).").format(path, error.strerror or error), _COPY
        ) from error
    folder.note(name, header.raw)
    return header


def _sharded(folder: Folder, place: str, index: str) -> dict[str, Header]:
    """The headers of all shards by their names, each holding just what the index says."""
    path = shown_path(folder.root / (place + index))
    content = folder.json(place + index, MOST_INDEX_BYTES)
    shards = content.get("weight_map")
    if not isinstance(shards, dict) or not shards or not isinstance(content.get("metadata"), dict):
        raise Unfit(
            translate("errors", "{0} has no weight_map with metadata.").format(path),
            translate("errors", "It cannot say where which weights lie; copy it again."),
        )
    for shard in shards.values():
        if not isinstance(shard, str) or not _PLAIN_NAME.fullmatch(shard):
            raise Unfit(
                translate("errors", "{0} names the weight file {1}.").format(path, shown(shard)),
                translate(
                    "errors", "Only safetensors files beside the index are read; others can lie anywhere, or run code."
                ),
            )
    headers = _headers(folder, place, sorted(set(shards.values())))
    found = {name: shard for shard, header in headers.items() for name in header.tensors}
    for name in [*shards, *found]:
        if found.get(name) != shards.get(name):
            raise Unfit(
                translate("errors", "{0} and the files that it names disagree about {1}.").format(path, shown(name)),
                translate("errors", "Copy all of them again."),
            )
    if sum(len(header.tensors) for header in headers.values()) != len(found):
        raise Unfit(
            translate("errors", "{0} names files that hold the same weights twice.").format(path),
            translate("errors", "Copy all of them again."),
        )
    return headers


def _headers(folder: Folder, place: str, names: list[str]) -> dict[str, Header]:
    """The headers of shards; `Unfit` with the first reason, and the number of those for which there is one, too."""
    headers, unfit = {}, []
    for name in names:
        try:
            headers[name] = checked_header(folder, place + name)
        except Unfit as error:
            unfit.append(error)
    if not unfit:
        return headers
    first = unfit[0].finding
    if len(unfit) == 1:
        raise unfit[0]
    message = translate("errors", "{0} So it is with {1} of {2} files of these weights.").format(
        first.message, len(unfit), len(names)
    )
    raise Unfit(message, first.explanation, first.missing) from unfit[0]


class BrokenHeader(ValueError):
    """A header that contradicts itself or its file; the message fits into brackets."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One entry of a header."""

    dtype: str  # one of `DTYPE_BYTES`
    shape: tuple[int, ...]

    @property
    def element_count(self) -> int:
        """Product of the shape."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """Header of a safetensors file: the tensors that it announces by name, and its bytes."""

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
            raise BrokenHeader(translate("errors", "its size in bytes, {0}, is too small for a header").format(size))
        length = int.from_bytes(start, "little")
        if not 2 <= length <= min(MOST_HEADER_BYTES, size - 8):
            raise BrokenHeader(
                translate("errors", "the size of its header, {0:,}, does not fit a file of {1:,} bytes").format(
                    length, size
                )
            )
        raw = source.read(length)
    if len(raw) < length:
        raise BrokenHeader(translate("errors", "it shrinks while it is read"))
    return Header(_parse_entries(raw, size - 8 - length), raw)


def _parse_entries(raw: bytes, data_bytes: int) -> dict[str, Tensor]:
    """The entries of a header in front of so many bytes of data."""
    if not raw.startswith(b"{"):
        raise BrokenHeader(translate("errors", "its header is no JSON object"))
    try:
        entries = parse_json(raw)
    except (ValueError, RecursionError) as error:
        raise BrokenHeader(translate("errors", "its header is no JSON: {0}").format(error)) from error
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise BrokenHeader(translate("errors", "its metadata are no words"))
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
        raise BrokenHeader(translate("errors", "a tensor's name has {0} letters").format(len(name)))
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise BrokenHeader(
            translate("errors", "the entry of {0} has not just dtype, shape and data_offsets").format(shown(name))
        )
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise BrokenHeader(translate("errors", "{0} has the unknown dtype {1}").format(shown(name), shown(dtype)))
    if not _are_counts(shape) or len(shape) > MOST_DIMENSIONS:
        raise BrokenHeader(translate("errors", "{0} has the shape {1}").format(shown(name), shown(shape)))
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise BrokenHeader(translate("errors", "{0} has the offsets {1}").format(shown(name), shown(offsets)))
    tensor = Tensor(dtype, tuple(shape))
    begin, end = offsets
    if tensor.element_count * DTYPE_BYTES[dtype] != end - begin:
        raise BrokenHeader(
            translate("errors", "{0} of shape {1} in {2} has another size in bytes than {3:,}").format(
                shown(name), shown(shape), dtype, end - begin
            )
        )
    return tensor, begin, end


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and 0 <= each < 2**63 for each in value)


def _check_spans(spans: list[tuple[int, int, str]], data_bytes: int) -> None:
    """The tensors' data must follow each other without overlap or hole, to the file's end."""
    place = 0
    for begin, end, name in spans:
        if begin != place:
            overlap = translate("errors", "the data of {0} overlaps another")
            hole = translate("errors", "the data of {0} leaves a hole before it")
            raise BrokenHeader((overlap if begin < place else hole).format(shown(name)))
        place = end
    if place != data_bytes:
        raise BrokenHeader(
            translate("errors", "its tensors ask for {0:,} bytes of data, and the file has {1:,}").format(
                place, data_bytes
            )
        )


BLOCK_BYTES = 4096
HASHED_BLOCKS = 256


def weights_hash(weights: Iterable[Weights]) -> str:
    """A hash that tells models apart by their weights, wherever they lie and whatever they are called.

    SHA-256 over the sorted SHA-256 of each file's size and of `HASHED_BLOCKS` blocks of `BLOCK_BYTES`, spread evenly
    from its first byte to its last (all bytes of a file that has no more): training changes every block, and gigabytes
    need not be read again.

    Returns:
        64 hexadecimal digits; empty where there are no files, or one of them is gone.
    """
    files = {file for each in weights for file in each.files}
    try:
        digests = sorted(_sampled_digest(file) for file in files)
    except OSError:
        return ""
    return hashlib.sha256(b"".join(digests)).hexdigest() if digests else ""


def _sampled_digest(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(size.to_bytes(8, "little"))
        span = size - BLOCK_BYTES
        whole = size <= HASHED_BLOCKS * BLOCK_BYTES
        starts = (
            range(0, size, BLOCK_BYTES) if whole else (n * span // (HASHED_BLOCKS - 1) for n in range(HASHED_BLOCKS))
        )
        for start in starts:
            file.seek(start)
            digest.update(file.read(BLOCK_BYTES))
    return digest.digest()
