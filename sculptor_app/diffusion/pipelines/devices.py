"""Devices of this machine that torch can compute on, with names for people."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch

from sculptor_app.core.errors import DeviceMissing
from sculptor_app.core.texts import translate

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of the cores' time that a container may take in a period, and those of the period."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of this machine."""

    id: str  # what torch calls it: "cuda:0", "mps", "cpu"
    name: str  # "NVIDIA H200", "Apple M2 GPU", "CPU, 3 threads"


def devices() -> tuple[Device, ...]:
    """All devices of this machine that torch can use, the one to prefer first."""
    found = []
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        for number in range(count):
            suffix = f" ({number})" if count > 1 else ""
            found.append(Device(f"cuda:{number}", torch.cuda.get_device_name(number) + suffix))
    if torch.backends.mps.is_available():
        found.append(Device("mps", f"{_apple_chip()} GPU"))
    threads = cpu_threads()
    return (*found, Device("cpu", f"CPU, {threads} thread{'s' if threads > 1 else ''}"))


def find_device(wanted: str) -> Device:
    """The device of that name; "auto" is the best, "cuda" the first of its kind. `DeviceMissing` if there is none."""
    available = devices()
    if wanted == "auto":
        return available[0]
    for device in available:
        if wanted in (device.id, device.id.partition(":")[0]):
            return device
    raise DeviceMissing(
        translate("errors", "The device {0!r} is not available here.").format(wanted),
        translate("errors", "Choose {0}, or auto.").format(" or ".join(device.id for device in available)),
    )


def devices_for(wanted: str) -> tuple[Device, ...]:
    """All devices that a name stands for, the one of `find_device` first: for "auto" and "cuda" every CUDA device.

    Raises:
        DeviceMissing: There is none.
    """
    first = find_device(wanted)
    kind = first.id.partition(":")[0]
    if kind != "cuda" or wanted == first.id:
        return (first,)
    return tuple(device for device in devices() if device.id.partition(":")[0] == kind)


def cpu_threads() -> int:
    """Threads for torch on the CPU: one fewer than there are cores, so that a window beside it stays smooth."""
    return max(1, _allowed_cores() - 1)


def cpu_workers() -> int:
    """Processes of one thread each that the CPU has cores for, or of which a container leaves the time."""
    return max(1, min(_allowed_cores(), _cores_of_container()))


def _allowed_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cores_of_container() -> int:
    """What a control group leaves of the cores' time, in cores; many where none is set."""
    try:
        quota, period = CPU_QUOTA.read_text(encoding="ascii").split()
        return round(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # there is none, or it says "max"
        return 1 << 16


def _apple_chip() -> str:
    """Name of the chip, "Apple M2"; platform.processor() says "arm" only."""
    if platform.system() != "Darwin":
        return "Apple"
    try:
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip() or "Apple"
    except (OSError, subprocess.SubprocessError):
        return "Apple"
