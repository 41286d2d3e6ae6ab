"""The library: the runs that were made in the window, each a compact `.sculpt` file, in one folder within a budget.

The folder is all that there is of it: a run's name is that of its file, its age that of the file, and any tool that
copies or deletes files may be used on it. A name that the program gave ends with the time; such runs go, the oldest
first, where the budget is full. A run that a person has named stays until that person removes it.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sculptor_app.core.errors import TrajectoryFileError
from sculptor_app.core.files import atomic_file, make_private, private_folder
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.file import SUFFIX, write_run

MOST_NAME = 100
"""Letters of a name."""
REMOVED = "removed"
"""Folder inside the library of what was removed and may still come back."""
_MOST_WORDS = 40
_OWN_NAME = re.compile(r".* \d{4}-\d\d-\d\d \d\d-\d\d-\d\d(?: \(\d+\))?")
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')
_NOT_ON_WINDOWS = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A file of the library.

    Attributes:
        is_named: Whether a person has named it.
        changed: When it was written, seconds since 1970.
    """

    path: Path
    size_bytes: int
    changed: float
    is_named: bool

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.name.removesuffix(SUFFIX)


class Library:
    """The runs in a folder.

    Args:
        folder: Made, closed to others, with the first run.
        budget_bytes: Most bytes of all runs that nobody has named; 0 keeps none.
    """

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self.folder, self.budget_bytes = folder, budget_bytes

    def runs(self) -> list[KeptRun]:
        """All files that look like runs, the newest first; a folder that cannot be read has none."""
        found = []
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                with contextlib.suppress(OSError):
                    facts = path.stat()
                    if path.suffix.lower() == SUFFIX and not path.name.startswith(".") and path.is_file():
                        is_named = not _OWN_NAME.fullmatch(path.name[: -len(SUFFIX)])
                        found.append(KeptRun(path, facts.st_size, facts.st_mtime, is_named))
        return sorted(found, key=lambda run: (run.changed, run.path.name), reverse=True)

    def keep(self, run: AnyTrajectory, stop: threading.Event | None = None) -> Path | None:
        """Write a run as far as it has come, and let older ones go for it.

        Returns:
            Its file; None where it alone is more than the budget, or has taken no step.

        Raises:
            Cancelled: `stop` was set; nothing was written.
            TrajectoryFileError: It holds what is no number.
            OSError: The disk did not take it.
        """
        run = run.undecoded
        if run.last < 1 or 2 * _numbers(run) > self.budget_bytes:
            return None
        private_folder(self.folder)
        path = self._free(f"{_words(run)} {datetime.now().astimezone():%Y-%m-%d %H-%M-%S}")
        try:
            with atomic_file(path) as file:
                write_run(file, run, compact=True, stop=stop)
        except TrajectoryFileError:  # values that half the figures cannot hold
            with atomic_file(path) as file:
                write_run(file, run, stop=stop)
        make_private(path)
        self.bound(kept=path)
        return path if path.exists() else None

    def bound(self, kept: Path | None = None) -> None:
        """Let the oldest runs that nobody has named go until the others fit into the budget; `kept` goes last."""
        unnamed = [run for run in self.runs() if not run.is_named]
        unnamed.sort(key=lambda run: (run.path == kept, run.changed))
        left = sum(run.size_bytes for run in unnamed)
        for run in unnamed:
            if left <= self.budget_bytes:
                return
            with contextlib.suppress(OSError):
                run.path.unlink()
                left -= run.size_bytes

    def rename(self, path: Path, name: str) -> Path:
        """Give a run a name, by which it stays whatever the budget says.

        Raises:
            TrajectoryFileError: The name cannot be had, or the file is gone.
        """
        name = check_name(name)
        target = self.folder / f"{name}{SUFFIX}"
        if target == path:
            return path
        if target.exists():
            raise TrajectoryFileError(
                translate("errors", "There is a run called {0} already.").format(name),
                translate("errors", "Choose another name."),
            )
        return self._moved(path, target)

    def remove(self, path: Path) -> Path:
        """Put a run aside, from where `restore` brings it back; returns where it is. `TrajectoryFileError` if gone."""
        aside = self.folder / REMOVED
        try:
            private_folder(aside)
        except OSError as error:
            raise _unmoved(path, error) from error
        return self._moved(path, _free_in(aside, path.name.removesuffix(SUFFIX)))

    def restore(self, removed: Path) -> Path:
        """Bring a removed run back, under its name or the next free one; `TrajectoryFileError` if it is gone."""
        return self._moved(removed, self._free(removed.name.removesuffix(SUFFIX)))

    def forget_removed(self) -> None:
        """Delete what was removed, for good; what cannot be deleted stays."""
        with contextlib.suppress(OSError):
            for path in (self.folder / REMOVED).iterdir():
                with contextlib.suppress(OSError):
                    path.unlink()
            (self.folder / REMOVED).rmdir()

    def find(self, name: str) -> KeptRun:
        """The run of that name or file; `TrajectoryFileError` where there is none."""
        wanted = Path(name).name.removesuffix(SUFFIX)
        for run in self.runs():
            if run.name == wanted:
                return run
        raise TrajectoryFileError(
            translate("errors", "The library has no run called {0}.").format(wanted),
            translate("errors", "Choose one of those that it lists."),
        )

    def _free(self, name: str) -> Path:
        return _free_in(self.folder, name)

    def _moved(self, path: Path, target: Path) -> Path:
        try:
            path.rename(target)
        except OSError as error:
            raise _unmoved(path, error) from error
        return target


def check_name(name: str) -> str:
    """A name as every file system takes it; `TrajectoryFileError` where it cannot be one."""
    name = " ".join(name.split())
    while name.endswith(SUFFIX):
        name = name.removesuffix(SUFFIX).rstrip()
    if not name or _NOT_IN_NAMES.search(name) or name.startswith(".") or name.endswith("."):
        raise TrajectoryFileError(
            translate("errors", "“{0}” cannot be the name of a run.").format(name[:MOST_NAME]),
            translate(
                "errors", 'Leave out what names of files cannot hold: / \\ : * ? " < > |, and full stops around it.'
            ),
        )
    if len(name) > MOST_NAME or len(name.encode()) > 2 * MOST_NAME or _NOT_ON_WINDOWS.fullmatch(name):
        raise TrajectoryFileError(
            translate("errors", "“{0}…” cannot be the name of a run.").format(name[:20]),
            translate("errors", "Choose a shorter one, which no device has."),
        )
    return name


def _free_in(folder: Path, name: str) -> Path:
    """The path of a run of that name, or with a number after it where that is taken."""

    def paths() -> Iterator[Path]:
        yield folder / f"{name}{SUFFIX}"
        number = 2
        while True:
            yield folder / f"{name} ({number}){SUFFIX}"
            number += 1

    return next(path for path in paths() if not path.exists())


def _words(run: AnyTrajectory) -> str:
    """The words that a run's file is called by: labels, prompt or picture, and its seed."""
    title, request = run.info.title, run.info.request
    words = re.findall(r"\w+", title.what) or ["run"]
    while len(words) > 1 and len("-".join(words)) > _MOST_WORDS:
        words.pop()
    name = "-".join(words)[:_MOST_WORDS]
    return f"{name}-{request.seed}" if run.info.has_seed else name


def _numbers(run: AnyTrajectory) -> int:
    """How many numbers a saved run holds at least: its states and guesses."""
    channels, height, width = run.shape
    return (2 * run.last + 1) * channels * height * width


def _unmoved(path: Path, error: OSError) -> TrajectoryFileError:
    if isinstance(error, FileNotFoundError):
        return TrajectoryFileError(translate("errors", "{0} is not there any more.").format(path.name))
    return TrajectoryFileError(
        translate("errors", "{0} could not be moved ({1}).").format(path.name, error.strerror or error),
        translate("errors", "Close the run, or whatever else has it open, and try again."),
    )
