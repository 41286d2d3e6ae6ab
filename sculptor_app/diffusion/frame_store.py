"""Frames by number within a byte budget; the oldest ones go to a temporary file and are read through a memory map."""

import errno
import mmap
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO

import numpy as np

from sculptor_app.diffusion.errors import TrajectoryStorageError
from sculptor_app.diffusion.step import Frame


class FrameStore:
    """An append-only list of frames of one shape, for one writer thread and any number of readers.

    The newest frames stay in memory. The file has no name on POSIX and is deleted by the system when its last handle
    closes elsewhere, so nothing is left behind even if the process dies.

    Args:
        shape: (C, H, W) of every frame.
        budget_bytes: Most bytes of frames in memory; one frame always stays there.
        spill_folder: Folder of the temporary file; made when it is first needed.
    """

    def __init__(self, shape: tuple[int, int, int], budget_bytes: int, spill_folder: Path) -> None:
        self._shape = shape
        self._frame_bytes = int(np.prod(shape)) * 4
        self._most_in_memory = max(1, budget_bytes // self._frame_bytes)
        self._folder = spill_folder
        self._lock = threading.Lock()
        self._in_memory: dict[int, Frame] = {}
        self._spilled = 0  # frames 0.._spilled-1 are in the file
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None

    def __len__(self) -> int:
        with self._lock:
            return self._spilled + len(self._in_memory)

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the frames that are in memory."""
        with self._lock:
            return len(self._in_memory) * self._frame_bytes

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of the frames that are in the file."""
        with self._lock:
            return self._spilled * self._frame_bytes

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
        frame = np.ascontiguousarray(frame, dtype=np.float32)
        frame.setflags(write=False)
        while len(self._in_memory) >= self._most_in_memory:
            self._spill_oldest()
        with self._lock:
            number = self._spilled + len(self._in_memory)
            self._in_memory[number] = frame
        return number

    def __getitem__(self, number: int) -> Frame:
        with self._lock:
            if number >= self._spilled:
                return self._in_memory[number]
            view = self._view()
        pixels = int(np.prod(self._shape))
        return np.frombuffer(view, np.float32, pixels, number * self._frame_bytes).reshape(self._shape)

    def close(self) -> None:
        """Forget all frames and delete the file; arrays that were handed out stay valid."""
        with self._lock:
            self._in_memory.clear()
            self._spilled = 0
            self._map = None  # not closed: frames that were handed out may still look through it
            if self._file is not None:
                self._file.close()
                self._file = None

    def _spill_oldest(self) -> None:
        number = self._spilled
        frame = self._in_memory[number]
        # Written as a file, not through the map: a full disk is then an OSError instead of a crash of the process.
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  # outlives this block
                weakref.finalize(self, self._file.close)
            self._file.seek(number * self._frame_bytes)
            _write_all(self._file, memoryview(frame.data).cast("B"))
        except OSError as error:
            raise TrajectoryStorageError(
                f"No more steps can be kept: writing them to {self._folder} failed ({error.strerror or error}).",
                "Free some disk space, or choose fewer steps or a smaller picture.",
            ) from error
        with self._lock:
            self._spilled = number + 1
            del self._in_memory[number]

    def _view(self) -> mmap.mmap:
        """A map that covers every spilled frame; made anew when the file has outgrown it."""
        wanted = self._spilled * self._frame_bytes
        if self._map is None or len(self._map) < wanted:
            assert self._file is not None
            self._map = mmap.mmap(self._file.fileno(), wanted, access=mmap.ACCESS_READ)
        return self._map


def _write_all(file: IO[bytes], content: memoryview) -> None:
    while content:
        written = file.write(content)
        if not written:
            raise OSError(errno.ENOSPC, "the disk took no more")
        content = content[written:]
