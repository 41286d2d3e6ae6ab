"""Errors of a running pipeline: out of memory and exceptions of torch and diffusers, as `SculptorError`s."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import traceback
from collections.abc import Iterator

import torch

from sculptor_app.core.errors import Cancelled, OutOfDeviceMemory, SamplerFailed, SculptorError
from sculptor_app.core.texts import translate

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; MPS and the CPU say so in a plain RuntimeError."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _MEMORY_WORDS)


def release_memory() -> None:
    """Release cached memory to the device and to the system."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if sys.platform == "linux":  # glibc keeps hundreds of megabytes of what was freed
        with contextlib.suppress(OSError, AttributeError):  # another C library has no such function
            ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def memory_errors(device_name: str) -> Iterator[None]:
    """Raise OutOfDeviceMemory when the block runs out of memory; everything else passes."""
    try:
        yield
    except (Exception, MemoryError) as error:
        if isinstance(error, SculptorError) or not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # their locals hold the tensors that filled the memory
        release_memory()
        advice = (
            translate(
                "errors",
                "Choose a smaller model, or close other programs that use it; the steps so far are kept.",
            )
            if device_name.startswith("CPU")
            else translate("errors", "Choose the CPU, or close other programs that use it; the steps so far are kept.")
        )
        message = translate("errors", "There is not enough memory on {0}.").format(device_name)
        raise OutOfDeviceMemory(message, advice) from error


@contextlib.contextmanager
def run_errors(device_name: str) -> Iterator[None]:
    """Raise a SculptorError for whatever goes wrong in a running pipeline; `Cancelled` passes."""
    try:
        with memory_errors(device_name):
            yield
    except (SculptorError, Cancelled):
        raise
    except Exception as error:
        raise SamplerFailed(
            translate("errors", "The model failed in mid-run ({0}: {1}).").format(type(error).__name__, error),
            translate("errors", "Choose another sampler or other settings; the steps so far are kept."),
        ) from error
