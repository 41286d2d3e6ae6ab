"""Texts and units as people read them, without Qt: the marker for translation, sizes in bytes."""

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
