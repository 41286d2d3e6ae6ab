"""Checkpoints that are whole or not there at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


class CheckpointError(Exception):
    """A checkpoint could not be written or read; the message says why and what to do."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint beside its place, flush it to the disk, then put it in place in one go.

    Raises:
        CheckpointError: The disk is full or cannot be written; the checkpoint before is still there.
    """
    temporary = path.with_suffix(".partial")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(
            f"The checkpoint {path} could not be written ({error}). The one before is unharmed. "
            "Free some disk space and start the same command again."
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are accepted.

    Raises:
        CheckpointError: The file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} is damaged ({error}). Delete it to start from the beginning.") from error
    return state
