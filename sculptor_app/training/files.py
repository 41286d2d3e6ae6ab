"""Files that are whole or not there at all, however the program ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sculptor_app.core.files import atomic_file
from sculptor_app.training.errors import NotWritten


@contextmanager
def written_whole(path: Path, unharmed: str = "") -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well; otherwise what was there before stays.

    The content is on the disk before the rename, so that a power cut leaves one whole file or the other. The file
    beside it always has the same name: a process that is killed again and again leaves one of them behind, not many.

    Args:
        path: The file to make or replace.
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
    return NotWritten(f"{path} could not be written ({reason}).", unharmed)
