"""What fetching a model from the Hugging Face hub would mean: which files, and how large they are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sculptor_app.core.texts import byte_text
from sculptor_app.diffusion.models import bounded_json
from sculptor_app.diffusion.models.folder import MOST_JSON_BYTES
from sculptor_app.diffusion.models.hub import cache as hub
from sculptor_app.diffusion.models.hub.errors import DownloadFailed, refuse_offline, told
from sculptor_app.diffusion.models.hub.file_download import PART, PATIENCE_S, blobs_of, fetch_file
from sculptor_app.diffusion.models.inspection import INDEX, PROGRAMS
from sculptor_app.diffusion.models.verdict import Finding, ModelRefused, Unfit, shown, shown_path
from sculptor_app.diffusion.models.weights import STEMS, Source, choose_variants, sources

DATA_FILES = (".json", ".txt", ".model", ".jinja")
"""Settings and vocabularies. Neither programs nor pickles are ever fetched."""
MOST_FILES = 2_000

__all__ = ["DownloadFailed", "Offer", "offer"]


@dataclass(frozen=True, slots=True)
class Offer:
    """What fetching a model would mean.

    Attributes:
        name: The repository's, "owner/name".
        commit: Which state of it.
        files: Names and sizes in bytes of what would be fetched.
        missing_bytes: How much of that is not in the cache yet.
        free_bytes: What the cache's disk has left.
        cache: The cache.
        endpoint: The hub's address.
    """

    name: str
    commit: str
    files: tuple[tuple[str, int], ...]
    missing_bytes: int
    free_bytes: int
    cache: Path
    endpoint: str

    @property
    def words(self) -> str:
        """As "owner/name: 5.1 GB in 14 files, 3.2 GB of it not here yet; the disk of … has 80.0 GB left"."""
        whole = byte_text(self.total_bytes)
        rest = f", {byte_text(self.missing_bytes)} of it not here yet" if self.is_begun else ""
        files = f"{len(self.files)} file{'' if len(self.files) == 1 else 's'}"
        return (
            f"{self.name}: {whole} in {files}{rest}; the disk of {shown_path(self.cache)} has "
            f"{byte_text(self.free_bytes)} left"
        )

    @property
    def folder(self) -> Path:
        """Where its files are found once they are there."""
        return hub.snapshot_of(self.name, self.commit, self.cache)

    @property
    def is_begun(self) -> bool:
        """Whether a part of it that is worth a word is here; the index always is."""
        return self.missing_bytes < 0.99 * self.total_bytes

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return sum(size for _, size in self.files)


def offer(
    name: str,
    *,
    variant: str | None = None,
    settings_only: bool = False,
    cache: Path | None = None,
    endpoint: str | None = None,
) -> Offer:
    """Find out what fetching a model would mean; fetches its index alone.

    Args:
        name: "owner/name".
        variant: Which weights to prefer where there is a choice, such as "fp16".
        settings_only: Leave the weights out: what a checkpoint needs.
        cache: Another cache than this computer's.
        endpoint: Another hub than the usual one; HF_ENDPOINT names one, too.

    Raises:
        DownloadFailed: The hub cannot be reached, does not know it, or does not give it.
        ModelRefused: It is no pipeline that could be opened safely.
    """
    from huggingface_hub import constants

    if not hub.is_name(name):
        raise DownloadFailed(f"{shown(name)} is no name of a repository.", "Such a name has the form owner/name.")
    refuse_offline(name)
    cache = cache or hub.cache_folder()
    with told(name, cache):
        begun = _begun(name, cache, endpoint or constants.ENDPOINT)
        listed = _listed(name, begun.commit, begun.endpoint)
    sizes = {file: size for file, (size, _) in listed.items()}
    try:
        chosen = _chosen(name, begun.folder / INDEX, sizes, variant, settings_only)
    except Unfit as unfit:
        raise ModelRefused([unfit.finding]) from unfit
    place, blobs = begun.folder, blobs_of(cache, name)
    missing = sum(size - _there(place / file, size, blobs, listed.get(file, (0, ""))[1]) for file, size in chosen)
    return replace(begun, files=chosen, missing_bytes=missing, free_bytes=shutil.disk_usage(place).free)


def _begun(name: str, cache: Path, endpoint: str) -> Offer:
    """An offer of nothing yet; the repository's index is in the cache.

    Raises:
        ModelRefused: The index is none.
        Exception: Whatever network, hub and disk raise.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(name, INDEX, revision=hub.MAIN, endpoint=endpoint)
    about = get_hf_file_metadata(url, timeout=PATIENCE_S, endpoint=endpoint)
    commit, size = about.commit_hash or "", about.size or 0
    if not hub.is_commit(commit):
        raise DownloadFailed(f"The hub does not say which state of {name} it has.", "Try another hub.")
    if not 0 < size <= MOST_JSON_BYTES:
        what = f"The {INDEX} of {name} is {byte_text(size)} large."
        raise ModelRefused([Finding(what, "It would say what the pipeline is made of, in a few lines.")])
    begun = Offer(name, commit, (), 0, 0, cache, endpoint)
    fetch_file(begun, INDEX, size, lambda _: None)
    return begun


def _listed(name: str, commit: str, endpoint: str) -> dict[str, tuple[int, str]]:
    """All files of the repository: their sizes in bytes and, of the large ones, their sums (SHA-256)."""
    from huggingface_hub import HfApi

    listed = HfApi(endpoint=endpoint).model_info(name, revision=commit, files_metadata=True).siblings or []
    return {each.rfilename: (int(each.size or 0), each.lfs.sha256 if each.lfs else "") for each in listed}


def _there(file: Path, size: int, blobs: Path, summed: str) -> int:
    """How many bytes of a file are in the cache."""
    part = blobs / f"{summed}{PART}"
    if file.exists() or (summed and (blobs / summed).exists()):
        return size
    return min(size, part.stat().st_size) if summed and part.exists() else 0


def _chosen(
    name: str, index_path: Path, sizes: dict[str, int], variant: str | None, settings_only: bool
) -> tuple[tuple[str, int], ...]:
    """Which files will be opened.

    Raises:
        Unfit: The repository holds programs, or a component's weights only as pickles.
    """
    programs = [file for file in sizes if PurePosixPath(file.lower()).suffix in PROGRAMS]
    if programs:
        why = "Sculptor runs no code that comes with a model, and opens none that may need it."
        raise Unfit(f"{name} holds the program {shown(programs[0])}.", why)
    parts = _components(index_path)
    offers = {part: _offered(_within(sizes, part)) for part in parts}
    variants = {} if settings_only else choose_variants(offers, variant)
    chosen = {INDEX}
    for part in parts:
        names = _within(sizes, part)
        chosen |= {f"{part}/{each}" for each in names if each.endswith(DATA_FILES) and ".index." not in each}
        if part in variants:
            chosen |= {f"{part}/{each}" for each in _weight_files(names, offers[part][variants[part]])}
        elif not settings_only and any(each.endswith((".bin", ".ckpt", ".msgpack", ".onnx")) for each in names):
            raise Unfit(f"{name} has the weights of {part} only as pickles.", "Opening a pickle runs the code in it.")
    if len(chosen) > MOST_FILES:
        raise Unfit(f"{name} has {len(chosen):,} files to fetch.", "No pipeline is built so.")
    return tuple((file, sizes.get(file, 0)) for file in sorted(chosen))


def _components(index_path: Path) -> list[str]:
    """The folders that an index names."""
    try:
        index = bounded_json.parse(index_path.read_bytes()[: MOST_JSON_BYTES + 1])
        return [name for name, entry in index.items() if name.isidentifier() and _is_class(entry)]
    except (ValueError, AttributeError) as error:
        what = f"{shown_path(index_path)} cannot be read ({error})."
        raise Unfit(what, "It says what the pipeline is made of.") from error


def _is_class(entry: Any) -> bool:
    return isinstance(entry, list) and [type(each) for each in entry] == [str, str]


def _within(sizes: Iterable[str], part: str) -> list[str]:
    return [file.rpartition("/")[2] for file in sizes if file.rpartition("/")[0] == part]


def _offered(names: list[str]) -> dict[str | None, Source]:
    """The variants of a component's weights, whichever library it is of."""
    return next((found for stem in STEMS.values() if (found := sources(names, stem))), {})


def _weight_files(names: list[str], source: Source) -> set[str]:
    """The files of one variant; of shards those whose names say so, as the index itself is not there yet."""
    if source.index is None:
        return {str(source.single)}
    stem, _, variant = source.index.removesuffix(".json").partition(".safetensors.index")
    new, old = rf"{stem}{re.escape(variant)}-\d+-of-\d+", rf"{stem}-\d+-of-\d+{re.escape(variant)}"
    shard = re.compile(rf"(?:{new}|{old})\.safetensors", re.ASCII)
    return {source.index, *(name for name in names if shard.fullmatch(name))}
