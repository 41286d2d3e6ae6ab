"""Whether a model fits into a device's memory, and in which kind of number: found out before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sculptor_app.diffusion.models.verdict import Unfit, Verdict

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
EXACT_BYTES = 1 << 30
"""A model that takes no more than this runs in float32 everywhere: it is quick enough, and the same on all devices."""
READ_WHOLE_BYTES = 1 << 30
"""A weight file up to this size is read, a larger one is mapped while it is read: a second copy would not fit."""
LEFT_TO_OTHERS = 512 << 20
"""Bytes that a model leaves to its own run and to other programs."""

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is to be loaded.

    Attributes:
        dtype: Name of torch's kind of number: "float32", "float16", "bfloat16".
        offload: Whether only the part that computes is on the GPU at a time.
    """

    dtype: str
    offload: bool = False


def plan_loading(verdict: Verdict, device: str, free: dict[str, int] | None = None) -> Plan:
    """How to load a model onto a device so that it fits.

    Args:
        verdict: Of a model that is fit.
        device: As torch names it: "cpu", "cuda:0", "mps".
        free: Bytes that are free on "cpu" and on the device; None asks the system.

    Raises:
        Unfit: It does not fit in any way.
    """
    free = {name: free_bytes(name) for name in ("cpu", device)} if free is None else free
    needs: list[str] = []
    for dtype in preferred_dtypes(verdict, device):
        held = verdict.numbers * BYTES[dtype]
        needed = held + copied_bytes(verdict)
        if needed + LEFT_TO_OTHERS > free["cpu"]:  # all weights pass through it, whatever the device
            needs.append(_short("the computer's memory", dtype, needed, free["cpu"]))
        elif device == "cpu" or held + LEFT_TO_OTHERS <= free[device]:
            return Plan(dtype)
        elif _may_offload(verdict, device) and _largest(verdict) * BYTES[dtype] + LEFT_TO_OTHERS <= free[device]:
            return Plan(dtype, offload=True)
        else:
            needs.append(_short(f"the memory of {device}", dtype, held, free[device]))
    raise Unfit(f"{needs[-1]}.", "Loading it would end the program; close others, or choose a smaller model.")


def preferred_dtypes(verdict: Verdict, device: str) -> list[str]:
    """Kinds of number for a model on a device, the best first."""
    if verdict.numbers * BYTES["float32"] <= EXACT_BYTES:
        return ["float32"]
    if device == "cpu":
        return ["float32", "bfloat16"]
    stored = {dtype for weights in verdict.weights for dtype in weights.dtypes}
    brain = _knows_bfloat16(device)
    if "F16" in stored and "BF16" not in stored:  # published in it, so made for it
        return ["float16"]
    return ["bfloat16"] if brain else ["float16"]


def copied_bytes(verdict: Verdict) -> int:
    """What reading needs besides the weights themselves: the largest file that is read at once."""
    sizes = [weights.largest_bytes for weights in verdict.weights if weights.largest_bytes <= READ_WHOLE_BYTES]
    return max(sizes, default=0)


def free_bytes(device: str) -> int:
    """Bytes that can still be had on a device; for "cpu" the computer's memory, or what a container leaves of it."""
    import torch

    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    import psutil  # type: ignore[import-untyped]

    return min(int(psutil.virtual_memory().available), *_left_by_container())


def _left_by_container() -> list[int]:
    """What control groups leave; at least one number."""
    left = [1 << 62]
    for most, used in _CGROUPS:
        try:
            left.append(int(Path(most).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii")))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return left


def _knows_bfloat16(device: str) -> bool:
    import torch

    return not device.startswith("cuda") or torch.cuda.is_bf16_supported(including_emulation=False)


def _largest(verdict: Verdict) -> int:
    """Numbers of the largest component."""
    return max(weights.numbers for weights in verdict.weights)


def _may_offload(verdict: Verdict, device: str) -> bool:
    return device.startswith("cuda") and getattr(verdict.made_by, "model_cpu_offload_seq", None) is not None


def _short(where: str, dtype: str, needed: int, free: int) -> str:
    needed_gib, free_gib = needed / 2**30, max(0, free) / 2**30
    return f"The model takes {needed_gib:.1f} GiB of {where} as {dtype}, and {free_gib:.1f} GiB are free"
