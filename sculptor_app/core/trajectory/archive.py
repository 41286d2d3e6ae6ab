"""Uncompressed zip files that nobody vouches for: where their members lie, and bytes of them, read by any thread.

What a file says of itself is held against bounds and against its real size before memory is taken.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
import weakref
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.errors import SculptorError, TrajectoryFileError
from sculptor_app.core.texts import translate

_MOST_DIRECTORY = 2**20
"""Bytes that may be read of a zip's directory, which has six entries here."""
_LOCAL_MARK = b"PK\x03\x04"
_LOCAL_HEADER = struct.Struct("<4s22xHH")

DAMAGES = (
    zipfile.BadZipFile, NotImplementedError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError,
    OverflowError, RecursionError, MemoryError, struct.error, OSError, SculptorError,
)  # fmt: skip
"""What reading content that is not what it should be may raise; `explained` makes a sentence of it."""


@dataclass(frozen=True, slots=True)
class Member:
    """Where the content of a member lies."""

    start: int
    size: int
    crc: int  # zip's own check-sum of it


class Source:
    """An open file of whose bytes any thread reads some.

    Raises:
        TrajectoryFileError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
                raise TrajectoryFileError(
                    translate("errors", "{0} is no file.").format(path), translate("errors", "Choose a saved run.")
                )
            self._file = path.open("rb", buffering=0)
            self.size = os.fstat(self._file.fileno()).st_size
        except (OSError, ValueError) as error:
            raise unreadable(path, error) from error
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be read any more."""
        return self._file.closed

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def read_into(self, offset: int, array: NDArray[Any]) -> None:
        """Fill an array with what is there; `TrajectoryFileError` where it ends, or cannot be read."""
        rest = array.reshape(-1).view(np.uint8).data
        try:
            with self._lock:
                self._file.seek(offset)
                while rest:
                    count = self._file.readinto(rest)
                    if not count:
                        raise damaged(self.path, translate("errors", "it has become shorter"))
                    rest = rest[count:]
        except (OSError, ValueError) as error:  # ValueError: it was closed
            raise unreadable(self.path, error) from error

    def read(self, offset: int, count: int) -> bytes:
        """So many bytes; `ValueError` if the file has not that many there."""
        if not 0 <= offset <= offset + count <= self.size:
            raise ValueError("it is too short")
        content = np.empty(count, np.uint8)
        self.read_into(offset, content)
        return content.tobytes()


class _Directory:
    """A file as `zipfile` reads one to find its members, within `_MOST_DIRECTORY` bytes."""

    def __init__(self, source: Source) -> None:
        self._source, self._position = source, 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        position = offset + (0, self._position, self._source.size)[whence]
        if position < 0:
            raise OSError("before the beginning")
        self._position = position
        return position

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._source.size - self._position)
        count = left if count < 0 else min(count, left)
        if count > _MOST_DIRECTORY:
            raise ValueError("its directory is too long")
        content = self._source.read(self._position, count)
        self._position += count
        return content


def find_members(source: Source, needed: str, known: Collection[str]) -> dict[str, Member]:
    """Where the members of a zip lie, by name; one of `DAMAGES` if it is none, or another program's.

    Args:
        needed: the member without which it is another program's.
        known: all names that there may be; each at most once, neither compressed nor encrypted.
    """
    if source.read(0, min(4, source.size)) != _LOCAL_MARK:
        raise no_run(source.path)
    with zipfile.ZipFile(cast("IO[bytes]", _Directory(source))) as archive:
        members = archive.infolist()
    places: dict[str, Member] = {}
    if not any(each.filename == needed for each in members):
        raise no_run(source.path)
    for each in members:
        if each.filename not in known or each.filename in places:
            raise ValueError("it has members that no saved run has")
        if each.compress_type != zipfile.ZIP_STORED or each.flag_bits or each.file_size != each.compress_size:
            raise ValueError("it has compressed members")
        header = source.read(each.header_offset, _LOCAL_HEADER.size + len(each.filename))
        mark, letters, extra = _LOCAL_HEADER.unpack_from(header)
        name = each.filename.encode()
        if (mark, letters, header[_LOCAL_HEADER.size :]) != (_LOCAL_MARK, len(name), name):
            raise ValueError("its members are not where they should be")
        start = each.header_offset + _LOCAL_HEADER.size + letters + extra
        if start + each.file_size > source.size:
            raise ValueError("it is too short")
        places[each.filename] = Member(start, each.file_size, each.CRC)
    return places


def explained(path: Path, error: Exception) -> TrajectoryFileError:
    """What one of `DAMAGES` means, in a sentence."""
    if isinstance(error, TrajectoryFileError):
        return error
    if isinstance(error, SculptorError):  # of the request: a sampler, say, that came later
        return TrajectoryFileError(
            translate("errors", "{0} has settings that this version of Sculptor does not know.").format(path.name),
            translate("errors", "Install the newest version to open it."),
        )
    return damaged(path, "")


def damaged(path: Path, how: str) -> TrajectoryFileError:
    """That of a file whose content is not what was saved; `how` is the end of the sentence, or empty."""
    text = (
        translate("errors", "{0} is damaged: {1}.").format(path.name, how)
        if how
        else translate("errors", "{0} is damaged.").format(path.name)
    )
    return TrajectoryFileError(text, translate("errors", "Copy it again from where it came from, or save it again."))


def no_run(path: Path) -> TrajectoryFileError:
    """That of a file of another kind."""
    return TrajectoryFileError(
        translate("errors", "{0} is no run that was saved here.").format(path.name),
        translate("errors", "Choose a file that ends with .sculpt."),
    )


def unreadable(path: Path, error: OSError | ValueError) -> TrajectoryFileError:
    """That of a file which the system does not give."""
    reason = getattr(error, "strerror", None) or error
    return TrajectoryFileError(
        translate("errors", "{0} cannot be read ({1}).").format(path, reason),
        translate("errors", "Choose another file, or change its permissions."),
    )
