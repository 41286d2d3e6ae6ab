"""Paths of the files that travel with the program: icons, styles, translations, the embedded model."""

from pathlib import Path, PurePosixPath

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "_resources"
_IN_CHECKOUT = _PACKAGE.parent / "resources"
_missed: dict[str, None] = {}  # in the order in which they were looked for


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
    asked = PurePosixPath(relative)
    if asked.is_absolute() or ".." in asked.parts:
        raise ValueError(f"{relative!r} leads out of the resources folder")
    found = root() / asked
    if not found.exists():
        raise ResourceError(f"{found} is missing: this copy of Sculptor is not whole. Install it again.")
    return found


def find(relative: str) -> Path | None:
    """Where a resource lies that the program can do without; None if it is not there, and `missed` tells of it then."""
    try:
        return path(relative)
    except ResourceError:
        miss(relative)
        return None


def miss(relative: str) -> None:
    """Take note that a resource which the program can do without is missing or damaged."""
    _missed[relative] = None


def missed() -> tuple[Path, ...]:
    """What was looked for with `find` and is not there."""
    return tuple(root() / each for each in _missed)
