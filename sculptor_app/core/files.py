"""Paths as people type them, atomic file writing, and temporary folders.

A file is written beside its place and renamed when it is complete. What a process that was killed leaves behind is
removed by the next one that writes there; a lock, which goes with its process, says whether one still writes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
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


_LEFTOVER = re.compile(r"\..{0,40}\.sculptor-[0-9a-f]{8}\.part", re.DOTALL)
_OWNER = ".sculptor-owner"
"""Name of the file in a temporary folder that its process holds a lock of."""
_MAKING_S = 600.0
"""Between making such a folder, and that file in it, or between removing the two, lie moments."""
TEMPORARY = ("sculptor-pasted-", "sculptor-dragged-", "sculptor-sandbox-", "sculptor-settings-")
"""Beginnings of the names of the program's temporary folders."""
SWEEP_S = 1.0


def temporary_beside(path: Path) -> Path:
    """A hidden name for a file on its way to `path`, in the same folder, which `sweep_beside` knows again."""
    return path.with_name(f".{path.name[:40]}.sculptor-{os.urandom(4).hex()}.part")


def sweep_beside(path: Path) -> None:
    """Remove what processes that are gone have left of files on their way into a folder; never raises.

    Args:
        path: A file in that folder.
    """
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if _LEFTOVER.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_unowned(Path(entry.path))


def _remove_unowned(path: Path) -> bool:
    """Whether a file was removed: it is not where a process holds its lock (or, on Windows, has it open)."""
    try:
        with path.open("rb") as file:
            if not lock_file(file.fileno(), patient=False):
                return False
            if os.name == "posix":
                path.unlink()
        if os.name != "posix":
            path.unlink()
    except OSError:
        return False
    return True


def lock_file(handle: int, patient: bool) -> bool:
    """Whether an open file is locked for this process now; False, too, where the system knows no locks.

    Args:
        patient: Whether to wait for another process that has it.
    """
    if os.name != "posix":  # an open file cannot be removed there
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _open_owned(path: Path) -> IO[bytes]:
    """A new file of that name, with its lock; another process that swept between the two is outrun."""
    while True:
        file = path.open("w+b")  # read, too: some formats are completed in place
        lock_file(file.fileno(), patient=True)
        if path.is_symlink() or path.exists():
            return file
        file.close()


def sweep_temporary(prefixes: tuple[str, ...] = TEMPORARY) -> None:
    """Remove the temporary folders that processes which are gone have left, for `SWEEP_S` at most; never raises.

    Args:
        prefixes: Beginnings of their names.
    """
    end = time.monotonic() + SWEEP_S
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if time.monotonic() > end:
                return
            if entry.name.startswith(prefixes):
                with contextlib.suppress(OSError):
                    if _is_left(Path(entry.path)):
                        shutil.rmtree(entry.path, ignore_errors=True)


def _is_left(place: Path) -> bool:
    """Whether a temporary folder is ours and its process is gone; without a lock's file, after `_MAKING_S` alone."""
    status = place.lstat()
    if not stat.S_ISDIR(status.st_mode) or (os.name == "posix" and status.st_uid != os.getuid()):
        return False
    owner = place / _OWNER
    return _remove_unowned(owner) if os.path.lexists(owner) else time.time() - status.st_mtime > _MAKING_S


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder among the system's temporary files, removed at the end; first, those of processes that were killed.

    Args:
        prefix: Beginning of its name, which no other program uses; one of `TEMPORARY`.
    """
    sweep_temporary((prefix,))
    place = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        with _open_owned(place / _OWNER):
            yield place
    finally:
        _remove_tree(place)


def _remove_tree(place: Path) -> None:
    """Remove a folder file by file, by whole paths, which the sandbox of models allows."""
    for folder, folders, files in os.walk(place, topdown=False):
        for name in files + folders:
            with contextlib.suppress(OSError):
                path = Path(folder, name)
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    with contextlib.suppress(OSError):
        place.rmdir()


@contextmanager
def atomic_file(path: Path, temporary: Path | None = None) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well; otherwise what was there before stays.

    The content is on the disk before the rename (fsync), so that a power cut leaves one whole file or the other. A
    file that is replaced keeps its permissions.

    Args:
        path: The file to make or replace.
        temporary: Where it is written, in the same folder; deleted on any exception. None makes a name, and removes
            what other processes left there.

    Yields:
        The open temporary file.

    Raises:
        OSError: The folder or the disk did not take it.
    """
    if temporary is None:
        sweep_beside(path)
        temporary = temporary_beside(path)
    try:
        with _open_owned(temporary) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "posix":  # while the lock is held
                _put_in_place(temporary, path)
        if os.name != "posix":  # where an open file cannot be renamed
            _put_in_place(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _put_in_place(temporary: Path, path: Path) -> None:
    if path.exists():
        temporary.chmod(path.stat().st_mode & 0o7777)
    temporary.replace(path)
    sync_folder(path.parent)


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
