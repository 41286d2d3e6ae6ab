"""Faults of torch in the middle of a step, as errors of training: memory, device, other processes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

from sculptor_app.diffusion.pipelines.errors import is_out_of_memory
from sculptor_app.training.errors import DeviceLost, OutOfMemory, PeerLost, TrainingError

_DEVICE_TEXTS = ("cuda error", "hip error", "cublas", "cudnn", "nvml", "mps backend", "device-side assert")
_PEER_TEXTS = ("connection closed by peer", "connection reset by peer", "connection refused", "nccl", "gloo")


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU no longer answers; its memory must not be read after that."""
    return isinstance(error, torch.AcceleratorError) or _says(error, _DEVICE_TEXTS)


def is_peer_lost(error: BaseException) -> bool:
    """Whether another process of the run has gone."""
    return isinstance(error, torch.distributed.DistBackendError) or _says(error, _PEER_TEXTS)


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in texts)


@contextlib.contextmanager
def torch_faults(seen: Callable[[], int], batch: int) -> Iterator[None]:
    """Raise a TrainingError in place of what torch raises when memory, device or another process gives out.

    Args:
        seen: Pictures seen so far.
        batch: Pictures per step and process.

    Raises:
        TrainingError: One of them gave out.
    """
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"There is not enough memory for steps of {batch} pictures.") from error
        if is_device_lost(error):
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DeviceLost(f"The GPU stopped working after {seen():,} pictures ({reason}).") from error
        if is_peer_lost(error):
            raise PeerLost(f"Another process of this run has gone after {seen():,} pictures.") from error
        raise
