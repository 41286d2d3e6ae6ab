"""Paths as people type them, and atomic file writing: a temporary file, renamed when it is complete."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO, Any


def expanded(path: str | Path) -> Path:
    """The path with a person's home in place of "~"; as it is where there is no such person or home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (Path.expanduser raises)


def typed_path(text: str) -> Path:
    """The path that a person typed for a file or folder.

    Raises:
        ValueError: It is empty, which Python takes for the current folder, or holds a zero byte; a sentence.
    """
    if not text.strip():
        raise ValueError("The path is empty; write the name of a file or folder")
    if "\0" in text:
        raise ValueError("The path holds a zero byte, which no file or folder has")
    return expanded(text)


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; False, too, for what cannot be a path or may not be looked at."""
    try:
        return typed_path(str(path)).is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; False, too, for what cannot be a path or may not be looked at."""
    try:
        return typed_path(str(path)).is_dir()
    except (OSError, ValueError):
        return False


def is_same_place(path: Path, other: Path) -> bool:
    """Whether two paths name one file, links followed; the same words where the current folder is gone."""
    try:
        return os.path.realpath(path) == os.path.realpath(other)
    except (OSError, ValueError):
        return path == other


_LOCATED = re.compile(r"(/|\\\\|~|\.{1,2}[/\\]|[A-Za-z]:[/\\])")
"""The beginning of a path that no repository of the hub and no file in the current folder has."""


def without_folder(path: str) -> str:
    """A path by its last part, whichever system wrote it; a file's bare name, or "owner/name" on the hub, as it is."""
    is_path = _LOCATED.match(path) is not None or "\\" in path or path.count("/") > 1 or is_there(path)
    return PureWindowsPath(path).name or path if is_path else path


def is_there(path: str | Path) -> bool:
    """Whether there is a file or folder of that path; False, too, for what cannot be one."""
    return is_file(path) or is_folder(path)


def make_private(path: Path) -> None:
    """Let nobody but its owner read a file (0600) or look into a folder (0700), whatever it was before and umask says.

    Nothing happens where the system has no such rights, or they are not ours to give.
    """
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode
        if mode & 0o077:
            path.chmod(stat.S_IMODE(mode) & 0o700)


def private_folder(path: Path) -> Path:
    """The folder, made where it is missing (0700), and closed to all but its owner; `OSError` if it cannot be made."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_private(path)
    return path


def open_private(path: Path, mode: str = "w", encoding: str | None = "utf-8", errors: str | None = None) -> IO[Any]:
    """A file of the program's own that nobody else may read from its first byte on; arguments are those of `open`."""
    file = open(path, mode, encoding=encoding, errors=errors, opener=lambda p, flags: os.open(p, flags, 0o600))  # noqa: SIM115  # Path.open knows no opener
    make_private(path)
    return file


@contextmanager
def atomic_file(path: Path, temporary: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well; otherwise what was there before stays.

    The content is on the disk before the rename (fsync), so that a power cut leaves one whole file or the other. A
    file that is replaced keeps its permissions.

    Args:
        path: The file to make or replace.
        temporary: Where it is written, in the same folder; deleted on any exception.

    Yields:
        The open temporary file.

    Raises:
        OSError: The folder or the disk did not take it.
    """
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder last; on systems that cannot open a folder there is nothing to do.

    Raises:
        OSError: The disk could not be reached.
    """
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
