"""Checkpoints that are whole or not there at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sculptor_app.training.errors import CheckpointDamaged, CheckpointVersionError
from sculptor_app.training.files import written_whole

VERSION = 2
"""Of what a checkpoint holds; one of another version is refused, not guessed at."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint beside its place, flush it to the disk, then put it in place in one go.

    Raises:
        NotWritten: The disk is full or cannot be written; the checkpoint before is still there.
    """
    unharmed = "The checkpoint before it is whole." if path.exists() else ""
    with written_whole(path, unharmed) as file:
        torch.save({"version": VERSION, **state}, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are accepted.

    Raises:
        CheckpointError: The file is damaged, or another version's.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        version = state.get("version", 1)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointDamaged(f"{path} is damaged ({reason}).") from error
    if version != VERSION:
        raise CheckpointVersionError(f"{path} was written by another version of this program.")
    return state
