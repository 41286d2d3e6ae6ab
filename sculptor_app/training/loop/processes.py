"""Several processes of one run: what they agree on, and faults of torch as errors of training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, gather_object

from sculptor_app.core.texts import pictures_text, translate
from sculptor_app.diffusion.pipelines.errors import is_out_of_memory
from sculptor_app.training.errors import DeviceLost, OtherProcessFailed, OutOfMemory, PeerLost, TrainingError

PATIENCE = timedelta(hours=12)
"""How long processes wait for each other: one of them renders, draws sample sheets and writes checkpoints for all."""


def new_accelerator(precision: str) -> Accelerator:
    """Accelerate's view of this process's place among the others, and of its device.

    Args:
        precision: "bf16", "fp16" or "no".
    """
    return Accelerator(mixed_precision=precision, kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)])


def largest(accelerator: Accelerator, *values: float) -> list[float]:
    """The largest of each value over all processes; every process gets the same."""
    if accelerator.num_processes == 1:
        return list(values)
    own = torch.tensor([values], dtype=torch.float32, device=accelerator.device)
    found: list[float] = accelerator.gather(own).amax(dim=0).tolist()
    return found


def gathered(accelerator: Accelerator, tensor: torch.Tensor) -> list[torch.Tensor]:
    """A tensor on the CPU of every process, in the order of the processes."""
    return [tensor] if accelerator.num_processes == 1 else list(gather_object([tensor]))


def agreed(accelerator: Accelerator, job: Callable[[], None]) -> None:
    """Do something whose failure on any process must end all of them.

    Raises:
        OtherProcessFailed: It failed elsewhere; where it failed, its own exception is raised.
    """
    failure: Exception | None = None
    try:
        job()
    except Exception as error:
        failure = error
        if isinstance(error, TrainingError) and accelerator.num_processes > 1:
            error.everywhere = False
    failed = largest(accelerator, float(failure is not None))[0] > 0
    if failure is not None:
        raise failure
    if failed:
        raise OtherProcessFailed(translate("errors", "Another process of this run has failed; its message says why."))


def on_first(accelerator: Accelerator, job: Callable[[], None]) -> None:
    """Have the first process do something for all; see `agreed`."""
    agreed(accelerator, job if accelerator.is_main_process else lambda: None)


def accelerator_alone(precision: str) -> Accelerator:
    """The same for a window, which trains by itself: one run after another, each in its own precision.

    WORKAROUND: accelerate 1.15 keeps the first precision for the whole process and refuses another.
    """
    AcceleratorState._reset_state(reset_partial_state=True)
    return new_accelerator(precision)


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
        batch: Pictures per step and process.
    """
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(
                translate("errors", "There is not enough memory for steps of {0}.").format(pictures_text(batch))
            ) from error
        if is_device_lost(error):
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DeviceLost(
                translate("errors", "The GPU stopped working after {0} ({1}).").format(pictures_text(seen()), reason)
            ) from error
        if is_peer_lost(error):
            raise PeerLost(
                translate("errors", "Another process of this run has gone after {0}.").format(pictures_text(seen()))
            ) from error
        raise
