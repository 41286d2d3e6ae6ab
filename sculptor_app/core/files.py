"""Paths as people type them, and atomic file writing: a temporary file, renamed when it is complete."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO


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
