"""Which files of a component hold its weights, and whether they are what they claim to be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sculptor_app.diffusion.models.folder import File, Folder
from sculptor_app.diffusion.models.header import BrokenHeader, Header, read_header
from sculptor_app.diffusion.models.verdict import Unfit, Weights, shown, shown_path

STEMS = {"network": "diffusion_pytorch_model", "encoder": "model"}
"""How diffusers and transformers call a component's weight files."""

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz")
OTHER_WEIGHTS = (".msgpack", ".h5", ".onnx", ".onnx_data", ".pb", ".tflite", ".gguf", ".flashpack", ".mlmodel")
MOST_INDEX_BYTES = 16 << 20

_SHARD_NUMBER = re.compile(r"-\d{5}-of-\d{5}$")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*\.safetensors", re.ASCII)
_COPY = "Copy the file again from where it came."


@dataclass
class Source:
    """The files of one variant: a single one, an index of shards, or both."""

    single: str | None = None
    index: str | None = None


def sources(names: Iterable[str], stem: str) -> dict[str | None, Source]:
    """The variants of a component's weights by name; None is the plain one.

    Args:
        names: Of the files in the component's folder.
        stem: One of `STEMS`.
    """
    single = re.compile(rf"{stem}(?:\.([\w\-]+))?\.safetensors", re.ASCII)
    index = re.compile(rf"{stem}\.safetensors\.index(?:\.([\w\-]+))?\.json", re.ASCII)
    found: dict[str | None, Source] = {}
    for name in names:
        if (match := index.fullmatch(name)) is not None:
            found.setdefault(match[1], Source()).index = name
        elif (match := single.fullmatch(name)) is not None and not _SHARD_NUMBER.search(match[1] or ""):
            found.setdefault(match[1], Source()).single = name
    return found


def choose_variants(offers: Mapping[str, Mapping[str | None, Any]], wanted: str | None = None) -> dict[str, str | None]:
    """One variant for each component: the wanted one or the plain one where they are there, else one for all.

    Args:
        offers: What each component has; a component that has nothing is left out of the answer.
        wanted: A variant to prefer, such as "fp16".
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
    """Check every file that a loader would read for a component.

    Raises:
        Unfit: One is missing, damaged, or contradicts the others.
    """
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
    """What files with these headers hold together."""
    files, tensors = list(files), [tensor for header in headers for tensor in header.tensors.values()]
    return Weights(
        files=tuple(file.path for file in files),
        variant=variant,
        numbers=sum(tensor.numbers for tensor in tensors),
        stored_bytes=sum(file.size for file in files),
        largest_bytes=max(file.size for file in files),
        dtypes=frozenset(tensor.dtype for tensor in tensors),
    )


def checked_header(folder: Folder, name: str) -> Header:
    """The header of a weight file.

    Raises:
        Unfit: The file is missing or damaged.
    """
    path = shown_path(folder.root / name)
    file = folder.files.get(name)
    if file is None:
        raise Unfit(f"{path} is missing.", "Choose a folder that holds a complete model.")
    try:
        header = read_header(file)
    except BrokenHeader as error:
        raise Unfit(f"{path} is damaged ({error}).", _COPY) from error
    except OSError as error:
        raise Unfit(f"{path} cannot be read ({error.strerror or error}).", _COPY) from error
    folder.note(name, header.raw)
    return header


def _sharded(folder: Folder, place: str, index: str) -> dict[str, Header]:
    """The headers of all shards by their names, each holding just what the index says."""
    path = shown_path(folder.root / (place + index))
    content = folder.json(place + index, MOST_INDEX_BYTES)
    shards = content.get("weight_map")
    if not isinstance(shards, dict) or not shards or not isinstance(content.get("metadata"), dict):
        raise Unfit(f"{path} has no weight_map with metadata.", "It cannot say where which weights lie; copy it again.")
    for shard in shards.values():
        if not isinstance(shard, str) or not _PLAIN_NAME.fullmatch(shard):
            raise Unfit(
                f"{path} names the weight file {shown(shard)}.",
                "Only safetensors files beside the index are read; others can lie anywhere, or run code.",
            )
    headers = {shard: checked_header(folder, place + shard) for shard in sorted(set(shards.values()))}
    found = {name: shard for shard, header in headers.items() for name in header.tensors}
    for name in [*shards, *found]:
        if found.get(name) != shards.get(name):
            raise Unfit(f"{path} and the files that it names disagree about {shown(name)}.", "Copy all of them again.")
    if sum(len(header.tensors) for header in headers.values()) != len(found):
        raise Unfit(f"{path} names files that hold the same weights twice.", "Copy all of them again.")
    return headers
