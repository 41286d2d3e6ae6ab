"""One run in a folder at a time: two would write each other's checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sculptor_app.training.errors import FolderInUse, FolderNotWritable

NAME = ".lock"
"""It stays: deleting it would let a third process lock a new one beside a second that waits for this."""


@contextmanager
def alone_in(folder: Path, needed: bool = True) -> Iterator[None]:
    """Hold a folder's lock while the block runs; the system lets go of it when the process ends, however it ends.

    Args:
        folder: Of the run; it is made if it is not there.
        needed: False takes no lock: the first process holds it for the others.

    Raises:
        FolderNotWritable: The folder cannot be made or written to.
        FolderInUse: Another run has it.
    """
    if not needed:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / NAME).open("wb")
    except OSError as error:
        raise FolderNotWritable(f"The folder {folder} cannot be written to ({error.strerror}).") from error
    with file:
        if not _locked(file.fileno()):
            raise FolderInUse(f"Another run is going on in {folder}.")
        yield


def _locked(handle: int) -> bool:
    """Whether the lock is ours now; a file system that knows no locks counts as one that gave it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    else:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True
