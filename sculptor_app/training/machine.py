"""The machine that a run is computed on: its description, fast 16 bits, and available memory."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from sculptor_app.core.texts import byte_text, translate
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.training.errors import TooManyPictures


def describe_machine(device: Device) -> str:
    """Processor, cores, operating system, torch's version, and the device that computed."""
    cores = os.cpu_count() or 1
    where = "the CPU" if device.id == "cpu" else device.name
    return f"{_processor()}, {cores} cores, {_system()}, torch {torch.__version__}, computed on {where}"


def _processor() -> str:
    """The processor's name; Linux has it in a file, and `platform` does not read that."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:  # no Linux, or one that does not say
        return f"{platform.system()} {platform.release()}"


LEFT_TO_OTHERS = 2**30
"""Bytes of memory that pictures leave to the network and to other programs."""


def refuse_too_many(count: int, size: int, available: int | None = None) -> None:
    """Refuse pictures that will not fit into memory.

    Args:
        size: Edge in pixels.
        available: Bytes; None asks the system, and where that is not known nothing is refused.

    Raises:
        TooManyPictures: They will not fit.
    """
    available = available_memory() if available is None else available
    needed = 3 * count * size * size
    if available is not None and needed > available - LEFT_TO_OTHERS:
        raise TooManyPictures(
            translate("errors", "{0:,} pictures of {1} pixels take {2} of memory, and {3} are free.").format(
                count, size, byte_text(needed), byte_text(available)
            )
        )


def available_memory() -> int | None:
    """Bytes that a program can still have, by Linux's own estimate; None on other systems."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def has_fast_16_bits(device: str) -> bool:
    """Whether a device is a CPU that computes in bfloat16, and so about twice as fast as in float32."""
    known = torch.cpu.get_capabilities() if device == "cpu" else {}
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
