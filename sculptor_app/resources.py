"""Paths of the files that travel with the program: icons, styles, translations, the embedded model."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "_resources"
_IN_CHECKOUT = _PACKAGE.parent / "resources"


class ResourceError(FileNotFoundError):
    """A file that belongs to the program is not there; the message is for a person."""


def root() -> Path:
    """The folder of all resources: beside the package in a checkout, inside it when installed."""
    return _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT


def path(relative: str) -> Path:
    """Where a resource lies.

    Args:
        relative: Below the resources folder, with forward slashes, such as "icons/app/scalable".

    Raises:
        ResourceError: There is no such file or folder; the installation is not whole.
        ValueError: The path leads out of the resources folder.
    """
    base = root()
    found = (base / relative).resolve()
    if not found.is_relative_to(base.resolve()):
        raise ValueError(f"{relative!r} leads out of the resources folder")
    if not found.exists():
        raise ResourceError(f"{found} is missing: this copy of Sculptor is not whole. Install it again.")
    return found
