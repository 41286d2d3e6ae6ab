"""Fetching one file of a repository so that it can be stopped anywhere and gone on with later.

huggingface_hub begins a file anew whenever it was broken off, tries a dead network again for half a minute, and its
faster way of fetching (Xet) heeds no stop. What is written here is what it would write: a blob by its hash, and a link
to it in the snapshot.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, BinaryIO

from sculptor_app.diffusion.models.hub.errors import DownloadFailed, is_of_network
from sculptor_app.diffusion.models.verdict import shown

if TYPE_CHECKING:
    from sculptor_app.diffusion.models.hub.offer import Offer

PART = ".incomplete"
PATIENCE_S = 10.0
"""How long the hub may be silent."""
PARTIAL_CONTENT = 206
_PIECE_BYTES = 1 << 20
_BLOB = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")

Add = Callable[[int], None]
"""Is told of so many bytes more, or fewer; what it raises ends the fetching."""


def fetch_file(what: Offer, file: str, size: int, add: Add) -> None:
    """Bring one file into the cache.

    Args:
        what: From `offer`.
        file: One of its files.
        size: Its bytes.
        add: Told of every piece, also of those that were there.

    Raises:
        DownloadFailed: What arrived is not what was announced, or somebody else is at it.
        Exception: Whatever network and disk raise; what has arrived stays.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    parts = PurePosixPath(file).parts
    if ".." in parts or PureWindowsPath(file).parts != parts:
        raise DownloadFailed(f"{shown(file)} is no name of a file in a repository.", "Choose another model.")
    place = what.folder / file
    if place.exists():
        return
    url = hf_hub_url(what.name, file, revision=what.commit, endpoint=what.endpoint)
    summed = get_hf_file_metadata(url, timeout=PATIENCE_S, endpoint=what.endpoint).etag or ""
    if not _BLOB.fullmatch(summed):
        raise DownloadFailed(f"The hub does not say what {shown(file)} is to be like.", "Try another hub.")
    blob = blobs_of(what.cache, what.name) / summed
    if not blob.exists():
        _fetch_blob(what.name, url, blob, size, add)
    _link(place, blob)


def _fetch_blob(name: str, url: str, blob: Path, size: int, add: Add) -> None:
    from filelock import FileLock, Timeout

    blob.parent.mkdir(parents=True, exist_ok=True)
    part, lock = blob.with_name(blob.name + PART), blob.with_name(f"{blob.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            _complete(url, part, size, blob.name, add)
            part.replace(blob)
    except Timeout as error:
        raise DownloadFailed(f"Another program is fetching {name} now.", "Wait until it is done.") from error
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


def blobs_of(cache: Path, name: str) -> Path:
    """Where the cache keeps the content of a repository's files."""
    return cache / f"models--{name.replace('/', '--')}" / "blobs"


def _complete(url: str, path: Path, size: int, etag: str, add: Add) -> None:
    """Fetch what a file lacks. A connection that breaks is made again as long as that brings anything.

    Raises:
        DownloadFailed: What arrived is not what was announced; it is removed.
        Exception: Whatever network and disk raise.
    """
    with path.open("r+b" if path.exists() else "w+b") as file:
        part = _Part(file, add)
        part.take_up()
        if part.count > size:
            part.begin_anew()
        while part.count < size:
            before = part.count
            try:
                _continue(url, part, size)
            except Exception as error:
                if not is_of_network(error) or part.count <= before:
                    raise
            if part.count <= before:
                raise ConnectionError("the hub sent nothing more")
        is_whole = part.count == size and (not _SHA256.fullmatch(etag) or part.sum == etag)
    if not is_whole:
        path.unlink()
        raise DownloadFailed("A file has arrived that is not the one announced.", "Try again; the others are kept.")


def _continue(url: str, part: _Part, size: int) -> None:
    """Append what the hub sends from the part's end on; all of it if the hub sends whole files only.

    Raises:
        Exception: Whatever network and disk raise.
    """
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    # Compressed, a file has no parts to go on from.
    headers = build_hf_headers() | {"Accept-Encoding": "identity", "Range": f"bytes={part.count}-"}
    with get_session().stream("GET", url, headers=headers, timeout=PATIENCE_S) as answer:
        hf_raise_for_status(answer)
        if part.count and answer.status_code != PARTIAL_CONTENT:
            part.begin_anew()
        for piece in answer.iter_bytes():
            part.take(piece)
            if part.count > size:
                return


class _Part:
    """What of a file has arrived.

    Args:
        file: Open for reading and writing.
        add: Told of every piece.

    Attributes:
        count: Its bytes.
    """

    def __init__(self, file: BinaryIO, add: Add) -> None:
        self._file, self._add = file, add
        self._summed = hashlib.sha256()
        self.count = 0

    @property
    def sum(self) -> str:
        """SHA-256 of it, in hexadecimal digits."""
        return self._summed.hexdigest()

    def take_up(self) -> None:
        """Count what is there from before."""
        while piece := self._file.read(_PIECE_BYTES):
            self._note(piece)

    def take(self, piece: bytes) -> None:
        """Append a piece."""
        self._file.write(piece)
        self._note(piece)

    def _note(self, piece: bytes) -> None:
        self._summed.update(piece)
        self.count += len(piece)
        self._add(len(piece))

    def begin_anew(self) -> None:
        """Drop it all."""
        self._add(-self.count)
        self._file.seek(0)
        self._file.truncate()
        self._summed, self.count = hashlib.sha256(), 0
