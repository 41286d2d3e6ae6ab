"""Stores of arrays and frames within a byte budget; the oldest go to a temporary file, read through a memory map."""

from __future__ import annotations

import errno
import logging
import mmap
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.errors import TrajectoryStorageError
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame

log = logging.getLogger(__name__)

_ALIGNMENT = 64
"""Arrays begin at multiples of it in the file, so that what is read through the map is aligned for every type."""


class SpillFile:
    """A file of arrays, one after the other, read through a memory map; one thread writes, any thread reads.

    This one has no name on POSIX and is deleted by the system when its last handle closes elsewhere, so nothing is left
    behind even if the process dies. It is made when it is first written.

    Args:
        folder: Where it lies; None is the system's for temporary files.
    """

    keeps_all = False
    """Whether every array is to be written as it comes, and not only what has no room in memory."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder or Path(tempfile.gettempdir())
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._bytes = 0

    def write(self, array: NDArray[Any]) -> int:
        """Write an array; returns where it begins. `OSError` if the disk does not take it; all others are readable."""
        offset = -(-self._bytes // _ALIGNMENT) * _ALIGNMENT
        # Written as a file, not through the map: a full disk is then an OSError instead of a crash of the process.
        if self._file is None:
            self._file = self._open()
            weakref.finalize(self, self._file.close)
        self._file.seek(offset)
        write_all(self._file, array.reshape(-1).data.cast("B"))
        self._bytes = offset + array.nbytes
        return offset

    def read(self, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """The array that begins there, read-only; it stays valid when the file is closed."""
        return np.frombuffer(self._view(), dtype, int(np.prod(shape)), offset).reshape(shape)

    def close(self) -> None:
        """Delete the file; arrays that were handed out stay valid."""
        self._map = None  # not closed: arrays that were handed out may still look through it
        self._bytes = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self.folder, buffering=0)

    def _view(self) -> mmap.mmap:
        """A map that covers all that was written; made again when the file has outgrown it."""
        if self._map is None or len(self._map) < self._bytes:
            assert self._file is not None
            self._map = mmap.mmap(self._file.fileno(), self._bytes, access=mmap.ACCESS_READ)
        return self._map


class ArrayStore:
    """An append-only list of arrays of any shapes and types, for one writer thread and any number of readers.

    The newest arrays stay in memory.

    Args:
        budget_bytes: Most bytes of arrays in memory; the newest one always stays there.
        spill_folder: Folder of the temporary file, made when it is first needed; None is the system's for such files.
        journal: A file that every array is written to as it comes; those beyond the budget are then read from there.
    """

    def __init__(self, budget_bytes: int, spill_folder: Path | None, journal: SpillFile | None = None) -> None:
        self._budget_bytes = budget_bytes
        self._spill, self._journal = SpillFile(spill_folder), journal
        self._files = [self._spill, *([] if journal is None else [journal])]
        self._lock = threading.Lock()
        self._in_memory: dict[int, NDArray[Any]] = {}
        self._bytes_in_memory = self._bytes_on_disk = self._count = 0
        self._written: dict[int, tuple[SpillFile, int, np.dtype[Any], tuple[int, ...]]] = {}

    def __len__(self) -> int:
        with self._lock:
            return self._count

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the arrays that are in memory."""
        with self._lock:
            return self._bytes_in_memory

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of the arrays that are in a file alone."""
        with self._lock:
            return self._bytes_on_disk

    def append(self, array: NDArray[Any]) -> int:
        """Keep an array and return its number; only the one writer thread may call this.

        Args:
            array: It belongs to the store from now on and becomes read-only.

        Raises:
            TrajectoryStorageError: The file could not be written; the array was not kept, all others are readable.
        """
        array = np.ascontiguousarray(array)
        array.setflags(write=False)
        while self._in_memory and self._bytes_in_memory + array.nbytes > self._budget_bytes:
            self._drop_oldest()
        offset = self._note(array)
        with self._lock:
            number = self._count
            self._count += 1
            self._in_memory[number] = array
            self._bytes_in_memory += array.nbytes
            if offset is not None:
                assert self._journal is not None
                self._written[number] = (self._journal, offset, array.dtype, array.shape)
        return number

    def shrink(self, budget_bytes: int) -> None:
        """Keep no more than so many bytes in memory from now on; only the one writer thread may call this.

        Raises:
            TrajectoryStorageError: The file could not be written; all arrays are readable.
        """
        self._budget_bytes = min(self._budget_bytes, budget_bytes)
        while self._in_memory and self._bytes_in_memory > self._budget_bytes:
            self._drop_oldest()

    def __getitem__(self, number: int) -> NDArray[Any]:
        with self._lock:
            if number in self._in_memory:
                return self._in_memory[number]
            file, offset, dtype, shape = self._written[number]
            return file.read(offset, dtype, shape)

    def forget_journal(self) -> None:
        """Close the journal, if no array is there alone: all are in memory then. Only the one writer may call this."""
        with self._lock:
            noted = [number for number, place in self._written.items() if place[0] is not self._spill]
            if all(number in self._in_memory for number in noted):
                for number in noted:
                    del self._written[number]
                self._journal = None
                for file in self._files[1:]:
                    file.close()
                del self._files[1:]

    def close(self) -> None:
        """Forget all arrays and delete the files; arrays that were handed out stay valid."""
        with self._lock:
            self._in_memory.clear()
            self._written = {}
            self._bytes_in_memory = self._bytes_on_disk = self._count = 0
            for file in self._files:
                file.close()

    def _note(self, array: NDArray[Any]) -> int | None:
        """Write an array into the journal; without one, or where it can be written no more, None."""
        if self._journal is None:
            return None
        try:
            return self._journal.write(array)
        except OSError as error:
            log.warning("The journal in %s is written no more: %s", self._journal.folder, error)
            self._journal = None  # what is in it stays readable
            return None

    def _drop_oldest(self) -> None:
        """Take the oldest array out of memory; it is in a file then."""
        number, array = next(iter(self._in_memory.items()))
        if number not in self._written:
            try:
                offset = self._spill.write(array)
            except OSError as error:
                raise TrajectoryStorageError(
                    translate("errors", "No more steps can be kept: writing them to {0} failed ({1}).").format(
                        self._spill.folder, error.strerror or error
                    ),
                    translate("errors", "Free some disk space, or choose fewer steps or a smaller picture."),
                ) from error
            with self._lock:
                self._written[number] = (self._spill, offset, array.dtype, array.shape)
        with self._lock:
            self._bytes_on_disk += array.nbytes
            self._bytes_in_memory -= array.nbytes
            del self._in_memory[number]


def write_all(file: IO[bytes], content: memoryview) -> None:
    """Write all of it, however little the system takes at a time; `OSError` if it takes no more."""
    while content:
        written = file.write(content)
        if not written:
            raise OSError(errno.ENOSPC, translate("errors", "the disk took no more"))
        content = content[written:]


class FrameStore(ArrayStore):
    """An append-only list of frames of one shape, for one writer thread and any number of readers.

    Args:
        shape: (C, H, W) of every frame.
        budget_bytes: Most bytes of frames in memory; one frame always stays there.
        journal: As for `ArrayStore`.
    """

    def __init__(
        self, shape: tuple[int, int, int], budget_bytes: int, spill_folder: Path | None,
        journal: SpillFile | None = None,
    ) -> None:  # fmt: skip
        super().__init__(budget_bytes, spill_folder, journal)
        self._shape = shape

    def append(self, frame: Frame) -> int:
        """Keep a frame and return its number; only the one writer thread may call this.

        Args:
            frame: (C, H, W) float32; it belongs to the store from now on and becomes read-only.

        Raises:
            TrajectoryStorageError: The file could not be written; the frame was not kept, all others are readable.
            ValueError: The frame has another shape.
        """
        if frame.shape != self._shape:
            raise ValueError(f"a frame has shape {frame.shape}; this trajectory holds {self._shape}")
        return super().append(np.asarray(frame, np.float32))
