"""Frames by number within a byte budget; the oldest ones go to a temporary file and are read through a memory map."""

from pathlib import Path

import numpy as np

from sculptor_app.core.trajectory.array_store import ArrayStore
from sculptor_app.core.trajectory.step import Frame


class FrameStore(ArrayStore):
    """An append-only list of frames of one shape, for one writer thread and any number of readers.

    Args:
        shape: (C, H, W) of every frame.
        budget_bytes: Most bytes of frames in memory; one frame always stays there.
        spill_folder: As in `ArrayStore`.
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
