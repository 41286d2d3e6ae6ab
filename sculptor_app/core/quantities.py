"""Sizes as people read them, in the decimal units of disks and of the hub."""

_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6))


def byte_text(count: float) -> str:
    """As "12 kB", "4.2 MB", "5.1 GB"."""
    for unit, size in _UNITS:
        if count >= 0.99995 * size:  # what would be written as 1000.0 of the smaller unit
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.0f} kB"
