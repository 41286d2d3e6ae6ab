"""Where the program keeps what it writes, by the platform's own rules."""

import tempfile
from pathlib import Path

import platformdirs

from sculptor_app.core.files import expanded
from sculptor_app.identity import COMMAND


def cache() -> Path:
    """What can be made again: the older states of long runs, while they are on screen."""
    return platformdirs.user_cache_path(COMMAND, appauthor=False, ensure_exists=True)


def spill() -> Path:
    """Where what outgrows its memory goes: on a disk, while the system's temporary files often lie in memory."""
    try:
        return cache()
    except OSError:
        return Path(tempfile.gettempdir())


def logs() -> Path:
    """Log files."""
    return platformdirs.user_log_path(COMMAND, appauthor=False, ensure_exists=True)


def runs() -> Path:
    """Runs that are learned in the window, a folder each. Not made when it is missing."""
    return platformdirs.user_data_path(COMMAND, appauthor=False) / "runs"


def pictures() -> Path:
    """Where a person keeps pictures: the folder that an export offers first. Not made when it is missing."""
    found = platformdirs.user_pictures_path()
    return found if found.is_dir() else expanded("~")
