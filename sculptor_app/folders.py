"""Where the program keeps what it writes, by the platform's own rules; nobody but its owner may look there.

Settings, logs, notes and runs hold prompts and the paths of models and pictures.
"""

import contextlib
import os
import tempfile
from pathlib import Path

import platformdirs

from sculptor_app.core.files import expanded, is_folder, make_private, open_private, private_folder
from sculptor_app.identity import COMMAND


def cache() -> Path:
    """What can be made again: the older states of long runs, while they are on screen."""
    return _own(platformdirs.user_cache_path(COMMAND, appauthor=False))


def spill() -> Path:
    """Where what outgrows its memory goes: on a disk, while the system's temporary files often lie in memory."""
    try:
        return cache()
    except OSError:
        return Path(tempfile.gettempdir())


def logs() -> Path:
    """Log files."""
    return _own(platformdirs.user_log_path(COMMAND, appauthor=False))


def journals() -> Path:
    """Journals of the runs that go on, and of those whose process died. Not made when it is missing."""
    return platformdirs.user_state_path(COMMAND, appauthor=False) / "journals"


def runs() -> Path:
    """Runs that are learned in the window, a folder each. Not made when it is missing."""
    return _data() / "runs"


def library() -> Path:
    """Runs that were made in the window, a file each. Not made when it is missing."""
    return _data() / "library"


def _data() -> Path:
    data = platformdirs.user_data_path(COMMAND, appauthor=False)
    with contextlib.suppress(OSError):  # what is kept there says so
        private_folder(data)
    return data


def _own(folder: Path) -> Path:
    """A folder of the program's own, and the one under its name that it may lie in, made and closed to others."""
    if folder.parent.name == COMMAND:
        private_folder(folder.parent)
    return private_folder(folder)


def close_settings(file: Path) -> None:
    """Close the settings' file, and its folder if that is the program's own, to all but their owner.

    One that is not there yet is made, empty: whoever writes it anew keeps its rights.
    """
    if os.name != "posix":  # Windows keeps them in the registry, under the person's own key
        return
    with contextlib.suppress(OSError):  # written they cannot be then, either
        if file.parent.name == COMMAND:
            private_folder(file.parent)
        if file.exists():
            make_private(file)
        else:
            open_private(file).close()


def pictures() -> Path:
    """Where a person keeps pictures: the folder that an export offers first. Not made when it is missing."""
    found = platformdirs.user_pictures_path()
    return found if is_folder(found) else expanded("~")
