"""Resumable download of one file from the Hugging Face hub, and the errors of it.

huggingface_hub begins a file again whenever it was broken off, tries a dead network again for half a minute, and its
faster protocol (Xet) cannot be stopped. What is written here is what it would write: a blob by its hash, and a link
to it in the snapshot.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from sculptor_app.core.errors import Cancelled, ModelFolderError, SculptorError
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.hub import cache as hub
from sculptor_app.diffusion.models.verdict import shown, shown_path

PART = ".incomplete"
PATIENCE_S = 10.0
"""How long the hub may be silent."""
PARTIAL_CONTENT = 206
_PIECE_BYTES = 1 << 20
_BLOB = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEPT = "what is there already is kept."

Add = Callable[[int], None]
"""Called with the bytes that have come, negative for those dropped again; what it raises ends the download."""


@dataclass(frozen=True, slots=True)
class RemoteSnapshot:
    """A repository of the hub at one commit."""

    name: str
    commit: str
    cache: Path  # the cache that its files belong into
    endpoint: str  # the hub's address

    @property
    def folder(self) -> Path:
        """Where its files are found once they are there."""
        return hub.snapshot_of(self.name, self.commit, self.cache)

    @property
    def blobs(self) -> Path:
        """Where the cache keeps the content of its files."""
        return self.folder.parent.parent / "blobs"


def download_file(snapshot: RemoteSnapshot, file: str, size: int, add: Add) -> None:
    """Download one file into the cache.

    Args:
        add: Called for every piece, also for those that were there.

    Raises:
        DownloadFailed: What arrived is not what was announced, or another program downloads it now.
        Exception: Whatever network and disk raise; what has arrived stays.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    parts = PurePosixPath(file).parts
    if ".." in parts or PureWindowsPath(file).parts != parts:
        raise DownloadFailed(
            translate("errors", "{0} is no name of a file in a repository.").format(shown(file)),
            translate("errors", "Choose another model."),
        )
    place = snapshot.folder / file
    if place.exists():
        return
    url = hf_hub_url(snapshot.name, file, revision=snapshot.commit, endpoint=snapshot.endpoint)
    etag = get_hf_file_metadata(url, timeout=PATIENCE_S, endpoint=snapshot.endpoint).etag or ""
    if not _BLOB.fullmatch(etag):
        raise DownloadFailed(
            translate("errors", "The hub does not say what {0} is to be like.").format(shown(file)),
            translate("errors", "Try another hub."),
        )
    blob = snapshot.blobs / etag
    if not blob.exists():
        _download_blob(snapshot.name, url, blob, size, add)
    _link(place, blob)


def _download_blob(name: str, url: str, blob: Path, size: int, add: Add) -> None:
    from filelock import FileLock, Timeout

    blob.parent.mkdir(parents=True, exist_ok=True)
    part, lock = blob.with_name(blob.name + PART), blob.with_name(f"{blob.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            _complete(url, part, size, blob.name, add)
            part.replace(blob)
    except Timeout as error:
        raise DownloadFailed(
            translate("errors", "Another program is fetching {0} now.").format(name),
            translate("errors", "Wait until it is done."),
        ) from error
    lock.unlink(missing_ok=True)


def _link(place: Path, blob: Path) -> None:
    """Make the snapshot's file; where there are no links the content itself goes there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(os.path.relpath(blob, place.parent))
    except FileExistsError:
        if not place.exists():  # a link to nothing
            place.unlink()
            _link(place, blob)
    except OSError:
        shutil.move(blob, place)


def _complete(url: str, path: Path, size: int, etag: str, add: Add) -> None:
    """Download the rest of a file. A connection that breaks is made again as long as that brings anything."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        part = _Part(file, add)
        part.count_existing()
        if part.count > size:
            part.restart()
        while part.count < size:
            before = part.count
            try:
                _continue(url, part, size)
            except Exception as error:
                if not is_network_error(error) or part.count <= before:
                    raise
            if part.count <= before:
                raise ConnectionError(translate("errors", "the hub sent nothing more"))
        is_whole = part.count == size and (not _SHA256.fullmatch(etag) or part.sum == etag)
    if not is_whole:
        path.unlink()
        raise DownloadFailed(
            translate("errors", "A file has arrived that is not the one announced."),
            translate("errors", "Try again; the others are kept."),
        )


def _continue(url: str, part: _Part, size: int) -> None:
    """Append what the hub sends from the part's end on; all of it if the hub sends whole files only."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    # Compressed, a file has no parts to go on from.
    headers = build_hf_headers() | {"Accept-Encoding": "identity", "Range": f"bytes={part.count}-"}
    with get_session().stream("GET", url, headers=headers, timeout=PATIENCE_S) as answer:
        hf_raise_for_status(answer)
        if part.count and answer.status_code != PARTIAL_CONTENT:
            part.restart()
        for piece in answer.iter_bytes():
            part.append(piece)
            if part.count > size:
                return


class _Part:
    """The part of a file that has arrived, open for reading and writing; `count` is its bytes."""

    def __init__(self, file: BinaryIO, add: Add) -> None:
        self._file, self._add = file, add
        self._summed = hashlib.sha256()
        self.count = 0

    @property
    def sum(self) -> str:
        """SHA-256 of it, in hexadecimal digits."""
        return self._summed.hexdigest()

    def count_existing(self) -> None:
        while piece := self._file.read(_PIECE_BYTES):
            self._count(piece)

    def append(self, piece: bytes) -> None:
        self._file.write(piece)
        self._count(piece)

    def _count(self, piece: bytes) -> None:
        self._summed.update(piece)
        self.count += len(piece)
        self._add(len(piece))

    def restart(self) -> None:
        self._add(-self.count)
        self._file.seek(0)
        self._file.truncate()
        self._summed, self.count = hashlib.sha256(), 0


class DownloadFailed(ModelFolderError):
    """Failed download; the part that has come stays and need not be fetched again."""

    may_pass = True
    """Whether it may help to try again."""


class NotGiven(DownloadFailed):
    """Failed download that would fail again until somebody changes something."""

    may_pass = False


def refuse_offline(name: str) -> None:
    """Refuse to ask the hub where HF_HUB_OFFLINE forbids it."""
    if hub.is_offline():
        message = translate(
            "errors", "{0} is no folder and not in the hub's cache, and HF_HUB_OFFLINE forbids to ask the hub for it."
        ).format(name)
        raise NotGiven(
            message, translate("errors", "Unset HF_HUB_OFFLINE and start again, or open a model that is here.")
        )


@contextlib.contextmanager
def hub_errors(name: str, cache: Path) -> Iterator[None]:
    """Turn errors of network, hub and disk into a `DownloadFailed`; those of ours pass."""
    try:
        yield
    except (SculptorError, Cancelled):
        raise
    except Exception as error:
        raise _failure(name, cache, error) from error


def _failure(name: str, cache: Path, error: Exception) -> DownloadFailed:
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # what kept it from asking the hub
    if isinstance(error, errors.GatedRepoError):
        message = translate(
            "errors", "The model {0} is given only to those who agreed to its terms on the hub."
        ).format(name)
        return NotGiven(message, translate("errors", "Do so there, and log in with `hf auth login`."))
    if isinstance(error, errors.RepositoryNotFoundError):
        message = translate("errors", "The model {0} is not on the hub, or not for everyone.").format(name)
        return NotGiven(message, translate("errors", "Look at how its name is written."))
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return NotGiven(
            translate("errors", "{0} has no model_index.json, so it is no diffusers pipeline.").format(name),
            translate("errors", "Choose another."),
        )
    if isinstance(error, errors.LocalEntryNotFoundError) or is_network_error(error):
        message = translate(
            "errors", "The hub cannot be reached, or the connection to it broke off, so {0} cannot be fetched."
        ).format(name)
        return DownloadFailed(message, translate("errors", "Look at the network and try again; {0}").format(_KEPT))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = translate("errors", "The disk of {0} is full, so {1} cannot be fetched whole.").format(
            shown_path(cache), name
        )
        return DownloadFailed(
            message,
            translate("errors", "Free some space and try again, or set HF_HOME to another disk; {0}").format(_KEPT),
        )
    if isinstance(error, PermissionError):
        message = translate("errors", "Nothing may be written into {0}, so {1} cannot be fetched.").format(
            shown_path(cache), name
        )
        return DownloadFailed(message, translate("errors", "Set HF_HOME to a folder of your own."))
    reason = shown_path(" ".join(str(error).split())[:200])
    message = translate("errors", "The model {0} cannot be fetched ({1}: {2}).").format(
        name, type(error).__name__, reason
    )
    return DownloadFailed(message, translate("errors", "Try again later; {0}").format(_KEPT))


def is_network_error(error: BaseException) -> bool:
    """Whether an error is the network's fault; the hub's client has used several libraries for it."""
    names = {each.__name__ for each in type(error).__mro__}
    return bool(names & {"TransportError", "RequestException"}) or isinstance(error, ConnectionError | TimeoutError)
