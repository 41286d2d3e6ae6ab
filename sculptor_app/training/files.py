"""Atomic files and folders of training: complete or not there at all, however the program ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sculptor_app.core.files import atomic_file, is_there, sync_folder
from sculptor_app.core.texts import translate
from sculptor_app.training.errors import NotWritten


@contextmanager
def whole_file(path: Path, unharmed: str = "") -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well; otherwise what was there before stays.

    The content is on the disk before the rename, so that a power cut leaves one whole file or the other. The file
    beside it always has the same name: a process that is killed again and again leaves one of them behind, not many.

    Args:
        unharmed: What to say of what was there before, one sentence.

    Raises:
        NotWritten: The disk or the folder did not take it.
    """
    try:
        with atomic_file(path, path.with_name(path.name + ".partial")) as file:
            yield file
    except (OSError, RuntimeError) as error:  # torch says RuntimeError when a file does not take what it writes
        raise not_written(path, error, unharmed) from error


def not_written(path: Path, error: BaseException, unharmed: str = "") -> NotWritten:
    """The error for something that could not be written, with the operating system's own reason."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    reason = (cause.strerror if isinstance(cause, OSError) else None) or str(cause or error)
    return NotWritten(translate("errors", "{0} could not be written ({1}).").format(path, reason), unharmed)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends well."""
    folder = Path(os.path.realpath(folder))
    beside, before = (folder.with_name(f".{folder.name}.{word}") for word in ("partial", "before"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if before.exists() and not folder.exists():  # killed between two renames
            before.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
        beside.mkdir()
        yield beside
        _flush(beside)
        _swap(beside, folder, before)
    except Exception as error:  # safetensors has an error of its own for a full disk
        raise not_written(
            folder, error, translate("errors", "What was there before is whole.") if is_there(folder) else ""
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _swap(beside: Path, folder: Path, before: Path) -> None:
    if not folder.exists():
        beside.rename(folder)
    else:
        shutil.rmtree(before, ignore_errors=True)
        folder.rename(before)
        try:
            beside.rename(folder)
        except BaseException:  # an impatient Ctrl-C, too
            before.rename(folder)
            raise
        shutil.rmtree(before, ignore_errors=True)
    sync_folder(folder.parent)


def _flush(folder: Path) -> None:
    """Have all files on the disk before the folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
