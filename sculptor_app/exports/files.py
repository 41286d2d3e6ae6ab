"""Files that are either whole or not there, and the errors of exports; paths are checked before hours of work."""

import errno
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sculptor_app import resources
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.files import atomic_file, is_folder, temporary_beside
from sculptor_app.core.texts import translate

Progress = Callable[[int, int], None]
"""Called with the frames or states that are done, and with how many there are."""


class ExportError(SculptorError):
    """A file could not be written; the run, and the file that was there before, are whole."""


class OptionError(ExportError):
    """An option has a value that is not allowed, or does not go with another."""


class ExportCancelled(Exception):  # no error: a person asked for it
    """An export was stopped on request; the file that was there before is whole."""


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write that becomes `path` when the block ends well.

    On any exception the temporary file is deleted and what was at `path` before is untouched. The content is on the
    disk before the rename (fsync), so that a power cut leaves one whole file or the other.

    Args:
        path: the file to make or replace; a link is followed, and the file keeps its permissions.

    Yields:
        The open temporary file.

    Raises:
        ExportError: the folder or the disk did not take it.
    """
    try:
        target = Path(os.path.realpath(path))
        _refuse_wrong_place(path, target)
        with atomic_file(target) as file:
            yield file
    except OSError as error:
        raise _sentence(path, error) from error


def has_parquet() -> bool:
    """Whether the package that writes Parquet is installed; it is not imported."""
    return importlib.util.find_spec("pyarrow") is not None


def check_parquet() -> None:
    """Refuse (`OptionError`) a Parquet file where the package that writes it is missing."""
    if not has_parquet():
        raise OptionError(
            translate("errors", "A Parquet file needs the Python package pyarrow, which is not here."),
            translate("errors", "Install it (pip install pyarrow), or save as .csv."),
        )


def resource(relative: str) -> Path:
    """A file of the program's own that an export is made with; `ExportError` if this copy of the program lacks it."""
    try:
        return resources.path(relative)
    except resources.ResourceError as error:
        raise ExportError(str(error)) from error


def check_target(path: Path) -> None:
    """Refuse early (`ExportError`) a path that cannot become a file, before hours of work are put into it.

    A temporary file is made and deleted: permissions alone do not say what a file system will take.
    """
    try:
        target = Path(os.path.realpath(path))
        _refuse_wrong_place(path, target)
        temporary = temporary_beside(target)
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except (OSError, ValueError) as error:
        raise _sentence(path, error) from error


def refuse_folder(path: str | Path) -> None:
    """Refuse (`ExportError`) what names a folder: one that is there, or a path whose end is no file's name."""
    if str(path).endswith(("/", os.sep)) or Path(path).name in ("", "..") or is_folder(path):
        raise ExportError(translate("errors", "{0} is a folder.").format(path), translate("errors", "Add a file name."))


def _refuse_wrong_place(path: Path, target: Path) -> None:
    folder = target.parent
    if target.is_symlink():  # realpath follows a link as far as it leads
        raise ExportError(
            translate("errors", "{0} is a link that leads to itself.").format(path),
            translate("errors", "Choose another name."),
        )
    refuse_folder(path)
    if not folder.exists():
        raise ExportError(
            translate("errors", "The folder {0} does not exist.").format(folder),
            translate("errors", "Create it, or choose another."),
        )
    if not folder.is_dir():
        raise ExportError(
            translate("errors", "{0} is no folder.").format(folder), translate("errors", "Choose another place.")
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ExportError(
            translate("errors", "The folder {0} cannot be written to.").format(folder),
            translate("errors", "Choose another, or change its permissions."),
        )
    if target.exists() and not target.is_file():
        raise ExportError(
            translate("errors", "{0} is no regular file.").format(path), translate("errors", "Choose another name.")
        )


def _sentence(path: Path, error: OSError | ValueError) -> ExportError:
    if isinstance(error, ValueError):  # a zero byte, which no name can hold
        return ExportError(
            translate("errors", "{0!r} is no path.").format(str(path)), translate("errors", "Choose another name.")
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ExportError(
            translate("errors", "The disk is full: {0} was not written.").format(path),
            translate("errors", "Free some space, or choose another place."),
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and not is_folder(path.parent):
        return ExportError(
            translate("errors", "The folder {0} has vanished.").format(path.parent),
            translate("errors", "Create it again, or choose another."),
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ExportError(
            translate("errors", "{0} may not be written here.").format(path),
            translate("errors", "Choose another place, or change its permissions."),
        )
    if error.errno == errno.ENAMETOOLONG:
        return ExportError(
            translate("errors", "The name {0}… is too long.").format(path.name[:40]),
            translate("errors", "Choose a shorter one."),
        )
    return ExportError(
        translate("errors", "{0} could not be written ({1}).").format(path, error.strerror or error),
        translate("errors", "Choose another place."),
    )
