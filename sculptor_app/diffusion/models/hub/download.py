"""Download of a model from the Hugging Face hub: which files it takes, how large they are, and fetching them."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.files import is_there
from sculptor_app.core.texts import byte_text, plural, translate
from sculptor_app.diffusion.models.folder import INDEX, MOST_JSON_BYTES, parse_json
from sculptor_app.diffusion.models.hub import cache as hub
from sculptor_app.diffusion.models.hub.file_download import (
    PART,
    PATIENCE_S,
    DownloadFailed,
    RemoteSnapshot,
    download_file,
    hub_errors,
    refuse_offline,
)
from sculptor_app.diffusion.models.inspection import inspect_folder, programs_to_run
from sculptor_app.diffusion.models.verdict import Finding, ModelRefused, Unfit, shown, shown_path
from sculptor_app.diffusion.models.weights import PICKLE_STEMS, STEMS, Source, choose_variants, sources

DATA_FILES = (".json", ".txt", ".model", ".jinja")
"""Settings and vocabularies. Programs are never fetched, pickles only where they are wanted."""
_ASKED = translate(
    "errors",
    "Opening a pickle can run code in it; --convert-pickles fetches it and reads it in a sandbox, where none is run.",
)
MOST_FILES = 2_000


@dataclass(frozen=True, slots=True)
class Offer(RemoteSnapshot):
    """Offer of a download: the files that a model takes, and their sizes."""

    files: tuple[tuple[str, int], ...]  # names and sizes in bytes of what would be downloaded
    missing_bytes: int  # how much of that is not in the cache yet
    free_bytes: int  # what the cache's disk has left

    @property
    def summary(self) -> str:
        """As "owner/name: 5.1 GB in 14 files, 3.2 GB of it not here yet; the disk of … has 80.0 GB left"."""
        whole = byte_text(self.total_bytes)
        rest = f", {byte_text(self.missing_bytes)} of it not here yet" if self.is_begun else ""
        files = plural(len(self.files), "1 file", f"{len(self.files)} files")
        return translate("errors", "{0}: {1} in {2}{3}; the disk of {4} has {5} left").format(
            self.name, whole, files, rest, shown_path(self.cache), byte_text(self.free_bytes)
        )

    @property
    def is_begun(self) -> bool:
        """Whether a part worth mentioning is in the cache; the index always is."""
        return self.missing_bytes < 0.99 * self.total_bytes

    @property
    def has_pickles(self) -> bool:
        """Whether weights are among the files that are pickles."""
        return any(name.endswith(".bin") for name, _ in self.files)

    @property
    def total_bytes(self) -> int:
        """Size of all files."""
        return sum(size for _, size in self.files)


def find_offer(
    name: str,
    *,
    variant: str | None = None,
    settings_only: bool = False,
    pickles: bool = False,
    cache: Path | None = None,
    endpoint: str | None = None,
) -> Offer:
    """Ask the hub what downloading a model would take; fetches its index alone.

    Args:
        variant: Which weights to prefer where there is a choice, such as "fp16".
        settings_only: Without the weights, as a checkpoint needs it.
        pickles: Whether weights are fetched, too, that are there only as pickles; opening them asks first.
        endpoint: Another hub than the usual one; HF_ENDPOINT names one, too.

    Raises:
        DownloadFailed: The hub cannot be reached, does not know it, or does not give it.
        ModelRefused: It is no pipeline that could be opened safely.
    """
    from huggingface_hub import constants

    if not hub.is_name(name):
        raise DownloadFailed(
            translate("errors", "{0} is no name of a repository.").format(shown(name)),
            translate("errors", "Such a name has the form owner/name."),
        )
    refuse_offline(name)
    cache = cache or hub.cache_folder()
    with hub_errors(name, cache):
        snapshot = _find_snapshot(name, cache, endpoint or constants.ENDPOINT)
        listed = _list_files(snapshot)
    sizes = {file: size for file, (size, _) in listed.items()}
    try:
        chosen = _choose_files(snapshot, sizes, variant, settings_only, pickles)
    except Unfit as unfit:
        raise ModelRefused([unfit.finding]) from unfit
    missing = sum(size - _cached_bytes(snapshot, file, size, listed.get(file, (0, ""))[1]) for file, size in chosen)
    return Offer(name, snapshot.commit, cache, snapshot.endpoint, chosen, missing,
                 free_bytes=shutil.disk_usage(snapshot.folder).free)  # fmt: skip


def _find_snapshot(name: str, cache: Path, endpoint: str) -> RemoteSnapshot:
    """The main branch's commit of a repository; its index is in the cache then."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(name, INDEX, revision=hub.MAIN, endpoint=endpoint)
    about = get_hf_file_metadata(url, timeout=PATIENCE_S, endpoint=endpoint)
    commit, size = about.commit_hash or "", about.size or 0
    if not hub.is_commit(commit):
        raise DownloadFailed(
            translate("errors", "The hub does not say which state of {0} it has.").format(name),
            translate("errors", "Try another hub."),
        )
    if not 0 < size <= MOST_JSON_BYTES:
        message = translate("errors", "The {0} of {1} is {2} large.").format(INDEX, name, byte_text(size))
        raise ModelRefused(
            [Finding(message, translate("errors", "It would say what the pipeline is made of, in a few lines."))]
        )
    snapshot = RemoteSnapshot(name, commit, cache, endpoint)
    download_file(snapshot, INDEX, size, lambda _: None)
    return snapshot


def _list_files(snapshot: RemoteSnapshot) -> dict[str, tuple[int, str]]:
    """All files of the repository: their sizes in bytes and, of the large ones, their sums (SHA-256)."""
    from huggingface_hub import HfApi

    info = HfApi(endpoint=snapshot.endpoint).model_info(snapshot.name, revision=snapshot.commit, files_metadata=True)
    return {each.rfilename: (int(each.size or 0), each.lfs.sha256 if each.lfs else "") for each in info.siblings or []}


def _cached_bytes(snapshot: RemoteSnapshot, file: str, size: int, sha256: str) -> int:
    part = snapshot.blobs / f"{sha256}{PART}"
    if is_there(snapshot.folder / file) or (sha256 and is_there(snapshot.blobs / sha256)):
        return size
    return min(size, part.stat().st_size) if sha256 and is_there(part) else 0


def _choose_files(
    snapshot: RemoteSnapshot, sizes: dict[str, int], variant: str | None, settings_only: bool, pickles: bool
) -> tuple[tuple[str, int], ...]:
    """The files that will be opened, with their sizes."""
    name = snapshot.name
    index = _index(snapshot.folder / INDEX)
    programs = [file for file in sizes if file.lower() in programs_to_run(index)]
    if programs:
        why = translate("errors", "Sculptor runs no code that comes with a model, and opens none that needs it.")
        raise Unfit(translate("errors", "{0} has the program {1} run.").format(name, shown(programs[0])), why)
    parts = [part for part, entry in index.items() if part.isidentifier() and _is_class(entry)]
    folders = {file.partition("/")[0] for file in sizes if "/" in file}
    places = {part: part if part in folders else "" for part in parts}  # the oldest models lie beside their index
    offers = {part: _offered(_within(sizes, place)) for part, place in places.items()}
    variants = {} if settings_only else choose_variants(offers, variant)
    chosen = {INDEX}
    for part, place in places.items():
        names, prefix = _within(sizes, place), f"{place}/" if place else ""
        chosen |= {prefix + each for each in names if each.endswith(DATA_FILES) and ".index." not in each}
        if part in variants:
            chosen |= {prefix + each for each in _weight_files(names, offers[part][variants[part]])}
        elif not settings_only and (pickled := _offered(names, PICKLE_STEMS, "bin")):
            if not pickles:
                raise Unfit(
                    translate("errors", "{0} has the weights of {1} only as pickles.").format(name, part), _ASKED
                )
            source = pickled.get(None) or next(iter(pickled.values()))
            chosen |= {prefix + each for each in _weight_files(names, source, "bin")}
        elif not settings_only and any(each.endswith((".ckpt", ".msgpack", ".onnx")) for each in names):
            raise Unfit(
                translate("errors", "{0} has the weights of {1} only as pickles.").format(name, part),
                translate("errors", "Opening a pickle runs the code in it."),
            )
    if len(chosen) > MOST_FILES:
        raise Unfit(
            translate("errors", "{0} has {1:,} files to fetch.").format(name, len(chosen)),
            translate("errors", "No pipeline is built so."),
        )
    return tuple((file, sizes.get(file, 0)) for file in sorted(chosen))


def _index(index_path: Path) -> dict[str, Any]:
    try:
        return dict(parse_json(index_path.read_bytes()[: MOST_JSON_BYTES + 1]).items())
    except (ValueError, AttributeError) as error:
        message = translate("errors", "{0} cannot be read ({1}).").format(shown_path(index_path), error)
        raise Unfit(message, translate("errors", "It says what the pipeline is made of.")) from error


def _is_class(entry: Any) -> bool:
    return isinstance(entry, list) and [type(each) for each in entry] == [str, str]


def _within(sizes: Iterable[str], part: str) -> list[str]:
    return [file.rpartition("/")[2] for file in sizes if file.rpartition("/")[0] == part]


def _offered(names: list[str], stems: dict[str, str] = STEMS, suffix: str = "safetensors") -> dict[str | None, Source]:
    """The variants of a component's weights, whichever library it is of."""
    return next((found for stem in stems.values() if (found := sources(names, stem, suffix))), {})


def _weight_files(names: list[str], source: Source, suffix: str = "safetensors") -> set[str]:
    """The files of one variant; of shards those whose names say so, as the index itself is not there yet."""
    if source.index is None:
        return {str(source.single)}
    stem, _, variant = source.index.removesuffix(".json").partition(f".{suffix}.index")
    new, old = rf"{stem}{re.escape(variant)}-\d+-of-\d+", rf"{stem}-\d+-of-\d+{re.escape(variant)}"
    shard = re.compile(rf"(?:{new}|{old})\.{suffix}", re.ASCII)
    return {source.index, *(name for name in names if shard.fullmatch(name))}


def find_missing(model: str, pickles: bool = False) -> Offer | None:
    """The download that a model needs before it can be opened; None if all is here, or it is no name of a repository.

    The hub is asked only for what is not here, or not fit to be opened as it is.

    Args:
        pickles: See `find_offer`.

    Raises:
        DownloadFailed: Nothing of it is here, and the hub cannot be reached or does not give it.
        ModelRefused: The same, and what the hub has could not be opened safely.
    """
    model = hub.from_address(model)
    if not hub.is_of_the_hub(model):
        return None
    begun = hub.is_begun(model)
    if begun and _is_fit(model):
        return None
    try:
        found = find_offer(model, pickles=pickles)
    except DownloadFailed as error:
        try:
            hub.find_begun(model)  # loading it says what it lacks
        except hub.NotInCache:
            raise error from None
        return None
    return found if found.missing_bytes or not begun else None


def _is_fit(name: str) -> bool:
    from sculptor_app.diffusion.models.builder import quiet  # torch takes seconds to import

    try:
        with quiet():
            return inspect_folder(hub.find_cached(name).resolve()).fit
    except (OSError, ValueError):  # something of it vanished in between
        return False


Progress = Callable[[int, int], None]
"""Called with the bytes that are there, and with all of them."""


def download(offer: Offer, progress: Progress | None = None, stop: threading.Event | None = None) -> Path:
    """Download a model into the cache, into the folder that is returned and that `find_cached` finds from now on.

    Args:
        stop: Ends it at the next piece; what has come stays, and is gone on with the next time.

    Raises:
        Cancelled: It was stopped.
        DownloadFailed: The network or the disk failed.
    """
    if offer.missing_bytes > offer.free_bytes:
        raise DownloadFailed(
            translate("errors", "{0} takes {1} more, and the disk of {2} has {3} left.").format(
                offer.name, byte_text(offer.missing_bytes), offer.cache, byte_text(offer.free_bytes)
            ),
            translate("errors", "Free some space, or set HF_HOME to a folder on another disk."),
        )
    counter = _Counter(offer.total_bytes, progress or (lambda *_: None), stop)
    with hub_errors(offer.name, offer.cache):
        for file, size in offer.files:
            counter.begin(size)
            download_file(offer, file, size, counter.add)
            counter.end()
        hub.note_main(offer.name, offer.commit, offer.cache)
    return offer.folder


class _Counter:
    """Progress over all files; raises `Cancelled` when a stop was asked for."""

    def __init__(self, total: int, progress: Progress, stop: threading.Event | None) -> None:
        self._total, self._progress, self._stop = total, progress, stop
        self._whole = self._size = self._piece = 0
        self.add(0)

    def begin(self, size: int) -> None:
        self._size, self._piece = size, 0
        self.add(0)

    def add(self, count: int) -> None:
        self._end_if_stopped()
        self._piece = min(self._size, max(0, self._piece + count))
        self._progress(self._whole + self._piece, self._total)
        self._end_if_stopped()  # the next piece may be long in coming

    def _end_if_stopped(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Cancelled

    def end(self) -> None:
        self._whole, self._size, self._piece = self._whole + self._size, 0, 0
        self.add(0)
