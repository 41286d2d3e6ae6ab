"""Whether pictures fit into memory, found out before hours are put into reading or rendering them."""

from __future__ import annotations

from pathlib import Path

from sculptor_app.training.errors import TooManyPictures

LEFT_TO_OTHERS = 2**30
"""Bytes of memory that pictures leave to the network and to other programs."""


def refuse_too_many(count: int, size: int, available: int | None = None) -> None:
    """Refuse pictures that will not fit into memory.

    Args:
        count: How many.
        size: Edge in pixels.
        available: Bytes; None asks the system, and where it does not tell nothing is refused.

    Raises:
        TooManyPictures: They will not fit.
    """
    available = available_memory() if available is None else available
    needed = 3 * count * size * size
    if available is not None and needed > available - LEFT_TO_OTHERS:
        raise TooManyPictures(
            f"{count:,} pictures of {size} pixels take {needed / 2**30:.1f} GiB of memory, "
            f"and {available / 2**30:.1f} GiB are free."
        )


def available_memory() -> int | None:
    """Bytes that a program can still have, by Linux's own estimate; None on other systems."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None
