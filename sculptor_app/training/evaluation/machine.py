"""What a figure was measured on, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from sculptor_app.diffusion.pipelines.devices import Device


def describe_machine(device: Device) -> str:
    """Processor, cores, operating system, torch's version, and the device that computed.

    Args:
        device: Where the model ran.
    """
    cores = os.cpu_count() or 1
    where = "the CPU" if device.id == "cpu" else device.name
    return f"{_processor()}, {cores} cores, {_system()}, torch {torch.__version__}, computed on {where}"


def _processor() -> str:
    """The processor's name; Linux tells it in a file, and `platform` does not read that."""
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
