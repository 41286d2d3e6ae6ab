"""What ends a run in the middle of a step, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from sculptor_app.diffusion.pipelines.faults import is_out_of_memory
from sculptor_app.training.errors import DeviceFailed, OtherProcessFailed, TrainingError

_DEVICE_WORDS = ("cuda error", "hip error", "cublas", "cudnn", "nvml", "mps backend", "device-side assert")
_PEER_WORDS = ("connection closed by peer", "connection reset by peer", "connection refused", "nccl", "gloo")


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU no longer answers; its memory must not be read after that."""
    return isinstance(error, torch.AcceleratorError) or _says(error, _DEVICE_WORDS)


def is_peer_lost(error: BaseException) -> bool:
    """Whether another process of the run has gone."""
    return isinstance(error, torch.distributed.DistBackendError) or _says(error, _PEER_WORDS)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)


@contextlib.contextmanager
def faults_told(seen: Callable[[], int], batch: int, checkpoint: Path) -> Iterator[None]:
    """Raise a TrainingError for what torch says when memory, device or another process gives out.

    Args:
        seen: Pictures seen so far.
        batch: Pictures per step and process.
        checkpoint: The last one; it is not touched.
    """
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:
        again = "start the same command again"
        go_on = f"{checkpoint} is whole: {again} to go on from it" if checkpoint.exists() else again.capitalize()
        if is_out_of_memory(error):
            raise DeviceFailed(
                f"There is not enough memory for steps of {batch} pictures.", f"{go_on}, with a --batch below {batch}."
            ) from error
        if is_device_lost(error):
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DeviceFailed(
                f"The GPU stopped working after {seen():,} pictures ({reason}).",
                f"{go_on}; if the GPU does not come back, restart the machine first.",
            ) from error
        if is_peer_lost(error):
            raise OtherProcessFailed(
                f"Another process of this run has gone after {seen():,} pictures.", f"{go_on}."
            ) from error
        raise
