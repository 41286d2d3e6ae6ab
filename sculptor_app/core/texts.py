"""Texts and units as people read them, without Qt: the marker for translation, sizes in bytes, ratios."""

import math

_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6))


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:  # noqa: N802  # lupdate looks for this very name
    """The text itself, marked so that lupdate finds it; ui shows it with `QCoreApplication.translate(context, text)`.

    Args:
        context: of the translation; "names" for the labels in tables.
        text: English, a literal.
    """
    return text


def byte_text(count: float) -> str:
    """As "12 kB", "4.2 MB", "5.1 GB", in the decimal units of disks and of the hub."""
    for unit, size in _UNITS:
        if count >= 0.99995 * size:  # what would be written as 1000.0 of the smaller unit
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.0f} kB"


def ratio_text(ratio: float, infinite: str = "∞") -> str:
    """A ratio, 0 and more, with two figures that mean something: "0.0021", "0.09", "1.9", "12", "4300".

    Args:
        ratio: as a signal-to-noise ratio, or a noise level σ.
        infinite: word for a ratio without bound.
    """
    if ratio == 0 or math.isinf(ratio):
        return "0" if ratio == 0 else infinite
    if ratio < 1e-4 or ratio >= 1e6:
        return f"{ratio:.1e}"
    if ratio >= 100:
        return f"{float(f'{ratio:.2g}'):.0f}"
    return f"{ratio:.{max(0, 1 - math.floor(math.log10(ratio)))}f}"
