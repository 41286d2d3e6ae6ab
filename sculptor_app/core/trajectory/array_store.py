"""Stores of arrays and frames within a byte budget; the oldest go to a temporary file, read through a memory map."""

from __future__ import annotations

import errno
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

_ALIGNMENT = 64
"""Arrays begin at multiples of it in the file, so that what is read through the map is aligned for every type."""


class ArrayStore:
    """An append-only list of arrays of any shapes and types, for one writer thread and any number of readers.

    The newest arrays stay in memory. The file has no name on POSIX and is deleted by the system when its last handle
    closes elsewhere, so nothing is left behind even if the process dies.

    Args:
        budget_bytes: Most bytes of arrays in memory; the newest one always stays there.
        spill_folder: Folder of the temporary file, made when it is first needed; None is the system's for such files.
    """

    def __init__(self, budget_bytes: int, spill_folder: Path | None) -> None:
        self._budget_bytes = budget_bytes
        self._folder = spill_folder or Path(tempfile.gettempdir())
        self._lock = threading.Lock()
        self._in_memory: dict[int, NDArray[Any]] = {}
        self._bytes_in_memory = self._bytes_on_disk = self._file_bytes = 0
        self._places: list[tuple[int, np.dtype[Any], tuple[int, ...]]] = []  # of the arrays that are in the file
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None

    def __len__(self) -> int:
        with self._lock:
            return len(self._places) + len(self._in_memory)

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the arrays that are in memory."""
        with self._lock:
            return self._bytes_in_memory

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of the arrays that are in the file."""
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
            self._spill_oldest()
        with self._lock:
            number = len(self._places) + len(self._in_memory)
            self._in_memory[number] = array
            self._bytes_in_memory += array.nbytes
        return number

    def shrink(self, budget_bytes: int) -> None:
        """Keep no more than so many bytes in memory from now on; only the one writer thread may call this.

        Raises:
            TrajectoryStorageError: The file could not be written; all arrays are readable.
        """
        self._budget_bytes = min(self._budget_bytes, budget_bytes)
        while self._in_memory and self._bytes_in_memory > self._budget_bytes:
            self._spill_oldest()

    def __getitem__(self, number: int) -> NDArray[Any]:
        with self._lock:
            if number >= len(self._places):
                return self._in_memory[number]
            offset, dtype, shape = self._places[number]
            view = self._view()
        return np.frombuffer(view, dtype, int(np.prod(shape)), offset).reshape(shape)

    def close(self) -> None:
        """Forget all arrays and delete the file; arrays that were handed out stay valid."""
        with self._lock:
            self._in_memory.clear()
            self._places = []
            self._bytes_in_memory = self._bytes_on_disk = self._file_bytes = 0
            self._map = None  # not closed: arrays that were handed out may still look through it
            if self._file is not None:
                self._file.close()
                self._file = None

    def _spill_oldest(self) -> None:
        number, array = next(iter(self._in_memory.items()))
        offset = -(-self._file_bytes // _ALIGNMENT) * _ALIGNMENT
        # Written as a file, not through the map: a full disk is then an OSError instead of a crash of the process.
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  # outlives this block
                weakref.finalize(self, self._file.close)
            self._file.seek(offset)
            _write_all(self._file, array.reshape(-1).data.cast("B"))
        except OSError as error:
            raise TrajectoryStorageError(
                translate("errors", "No more steps can be kept: writing them to {0} failed ({1}).").format(
                    self._folder, error.strerror or error
                ),
                translate("errors", "Free some disk space, or choose fewer steps or a smaller picture."),
            ) from error
        with self._lock:
            self._places.append((offset, array.dtype, array.shape))
            self._file_bytes = offset + array.nbytes
            self._bytes_on_disk += array.nbytes
            self._bytes_in_memory -= array.nbytes
            del self._in_memory[number]

    def _view(self) -> mmap.mmap:
        """A map that covers all that was spilled; made again when the file has outgrown it."""
        if self._map is None or len(self._map) < self._file_bytes:
            assert self._file is not None
            self._map = mmap.mmap(self._file.fileno(), self._file_bytes, access=mmap.ACCESS_READ)
        return self._map


def _write_all(file: IO[bytes], content: memoryview) -> None:
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
    """

    def __init__(self, shape: tuple[int, int, int], budget_bytes: int, spill_folder: Path | None) -> None:
        super().__init__(budget_bytes, spill_folder)
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
