"""Which numbers stand at an axis: round ones that are there, few enough not to touch."""

import math

_TOO_WIDE = 2.5
_MINUS = "\N{MINUS SIGN}"


def whole_ticks(low: float, high: float, at_most: int) -> list[int]:
    """Whole numbers in [low, high] that are multiples of 1, 2 or 5 times a power of ten, no more than `at_most`.

    Raises:
        ValueError: at_most below 2.
    """
    if at_most < 2:
        raise ValueError(f"an axis needs room for 2 ticks or more; got {at_most}")
    spacing = 1
    for exponent in range(12):
        for factor in (1, 2, 5):
            spacing = factor * 10**exponent
            first = math.ceil(low / spacing - 1e-9)
            last = math.floor(high / spacing + 1e-9)
            if last - first + 1 <= at_most:
                return [index * spacing for index in range(first, last + 1)]
    return []


def power_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Powers of ten to name on [low, high]: whole ones, or halves, fifths and tenths where there is room for no two.

    Raises:
        ValueError: at_most below 2.
    """
    whole = whole_ticks(low, high, at_most)
    if len(whole) >= 2 or high - low >= 2:
        return [float(power) for power in whole]
    return [round(tenth / 10, 1) for tenth in whole_ticks(10 * low, 10 * high, at_most)]


def octave_ticks(low: float, high: float) -> list[int]:
    """Powers of two in [low, high]: the frequencies 1, 2, 4, 8 ... cycles per image."""
    first = max(0, math.ceil(math.log2(low) - 1e-9))
    return [2**exponent for exponent in range(first, math.floor(math.log2(high) + 1e-9) + 1)]


def decade_text(value: float) -> str:
    """A power of ten as its exponent, with a real minus sign."""
    return f"{value:g}".replace("-", _MINUS)


def stable_range(low: float, high: float, known: tuple[float, float] | None) -> tuple[float, float]:
    """A range that holds [low, high] with some air.

    The known one stays as long as it holds them and is not far too wide, so that axes stand still; it grows only at the
    end where it must.
    """
    air = max(0.08 * (high - low), 0.15)
    if known is None or known[1] - known[0] > _TOO_WIDE * (high - low + 2 * air):
        return low - air, high + air
    if known[0] <= low and high <= known[1]:
        return known
    return (low - air if low < known[0] else known[0]), (high + air if high > known[1] else known[1])
