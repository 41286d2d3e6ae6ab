"""The folder of a training run, read without torch: plan, log, sample history, and the lock of the run."""

from __future__ import annotations

import contextlib
import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from sculptor_app.core.files import is_file, is_folder, is_there
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.training.errors import BadInput, FolderInUse, FolderNotWritable
from sculptor_app.training.files import not_written, whole_file
from sculptor_app.training.records.events import RunSummary, SampleRow, read_log
from sculptor_app.training.records.plan import load_plan

CHECKPOINT, LOG, MODEL, RENDERS = "checkpoint.pt", "log.jsonl", "model", "renders"
LOCK = ".lock"
_OWN_PARTIAL = re.compile(r"(checkpoint\.pt|plan\.json|samples-\d+\.png|row-\d+\.npz|shard-\d+\.npz)\.partial")
"""Names under which `training.files.whole_file` writes in a run's folder."""
"""It stays: deleting it would let a third process lock a new one beside a second that waits for this."""
HISTORY_FOLDER = "growth"
MOST_ROWS = 64
"""Kept of a run; more than a person can distinguish."""
RATIO, FIRST = 1.15, 192
"""A row is due when so many times as many pictures were seen as at the row before, and at least so many more: a model
changes with the logarithm of what it has seen."""
SHARE, HEAD_START_S = 0.05, 3.0
"""Of the training time that rows may cost, and what they may cost beyond it: at first a model changes quickly."""


class SampleHistory:
    """The rows of a run on disk."""

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder / HISTORY_FOLDER

    def rows(self) -> tuple[int, ...]:
        """Pictures seen at each row that is there, rising."""
        names = [path.stem.partition("-")[2] for path in self._folder.glob("row-*.npz")]
        return tuple(sorted(int(name) for name in names if name.isdecimal()))

    def write(self, row: SampleRow) -> tuple[int, ...]:
        """Keep a row, thin out evenly if there are too many, return what is there; `NotWritten` if the disk fails."""
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise not_written(self._folder, error) from error
        with whole_file(self._path(row.pictures)) as file:
            levels = np.array([(level.signal, level.noise) for level in row.levels])
            np.savez(file, guesses=row.guesses, states=row.states, levels=levels)
        kept = thinned(self.rows())
        self._drop(set(self.rows()) - set(kept))
        return kept

    def read(self, pictures: int) -> SampleRow:
        """The row at so many pictures; `OSError` if it is gone, `ValueError` if it is damaged."""
        try:
            with self._path(pictures).open("rb") as file, np.load(file) as found:
                levels = tuple(NoiseLevel(float(a), float(s)) for a, s in found["levels"])
                return SampleRow(pictures, found["guesses"], found["states"], levels)
        except (KeyError, EOFError, ValueError, BadZipFile) as error:
            raise ValueError(f"{self._path(pictures)} is damaged") from error

    def forget_after(self, pictures: int) -> None:
        """Take out what a killed run drew after its last checkpoint: it will be drawn again."""
        self._drop({row for row in self.rows() if row > pictures})

    def _drop(self, rows: set[int]) -> None:
        for row in rows:
            self._path(row).unlink(missing_ok=True)

    def _path(self, pictures: int) -> Path:
        return self._folder / f"row-{pictures:012d}.npz"


def thinned(rows: tuple[int, ...], most: int = MOST_ROWS) -> tuple[int, ...]:
    """Rows that are spread as evenly as can be on a logarithmic axis; the first and the last stay.

    Args:
        rows: Pictures seen, rising.
        most: How many to keep, 2 or more.
    """
    kept = list(rows)
    while len(kept) > most:
        gaps = [math.log((kept[i + 1] + FIRST) / (kept[i - 1] + FIRST)) for i in range(1, len(kept) - 1)]
        del kept[1 + gaps.index(min(gaps))]
    return tuple(kept)


class SampleSchedule:
    """When the next row is due; `last` is pictures seen at the newest row that is there, None if there is none."""

    def __init__(self, last: int | None) -> None:
        self._last, self._cost_s, self._spent_s = last, 0.0, 0.0

    @property
    def spent_s(self) -> float:
        """Seconds that rows have cost since this clock was made."""
        return self._spent_s

    def is_due(self, pictures: int, elapsed_s: float) -> bool:
        """Whether a row is due, with pictures seen by now and seconds since this clock was made."""
        if self._last is None:
            return True
        is_time = pictures >= max(self._last * RATIO, self._last + FIRST)
        return is_time and self._spent_s + self._cost_s <= HEAD_START_S + SHARE * elapsed_s

    def note(self, pictures: int, cost_s: float) -> None:
        """A row was made."""
        self._last, self._cost_s = pictures, cost_s
        self._spent_s += cost_s


def read_run(folder: Path) -> RunSummary | None:
    """The run in a folder; None where there is none and one can be begun.

    Raises:
        BadInput: Something else is in it.
        CheckpointError: Its plan cannot be read.
    """
    plan = load_plan(folder)
    if plan is None:
        refuse_other_contents(folder)
        return None
    reports = tuple(read_log(folder / LOG))
    rows = SampleHistory(folder).rows()
    pictures = max([0, *(report.pictures for report in reports[-1:]), *rows[-1:]])
    return RunSummary(folder, plan, pictures, reports, rows)


def refuse_other_contents(folder: Path) -> None:
    """Refuse a folder without a plan in which a run cannot be begun.

    Raises:
        BadInput: It is a file, or something other than a run of a window, or the renders for one, is in it.
    """
    if is_file(folder):
        raise BadInput(
            translate("errors", "{0} is a file.").format(folder), translate("errors", "Choose a folder for the run.")
        )
    if is_there(folder / CHECKPOINT):
        raise BadInput(
            translate("errors", "The run in {0} was begun by `sculptor-app train`.").format(folder),
            translate("errors", "Go on with it there, or choose another folder."),
        )
    if is_folder(folder) and any(not path.name.startswith(".") and path.name != RENDERS for path in _content(folder)):
        raise BadInput(
            translate("errors", "{0} holds other things already.").format(folder),
            translate("errors", "Choose an empty or a new folder for the run."),
        )


def _content(folder: Path) -> tuple[Path, ...]:
    """What is in a folder; `FolderNotWritable` where nobody may look."""
    try:
        return tuple(folder.iterdir())
    except OSError as error:
        raise _not_writable(folder, error) from error


def _not_writable(folder: Path, error: OSError) -> FolderNotWritable:
    return FolderNotWritable(
        translate("errors", "The folder {0} cannot be written to ({1}).").format(folder, error.strerror)
    )


@contextmanager
def locked_folder(folder: Path, needed: bool = True) -> Iterator[None]:
    """Hold a folder's lock while the block runs; the system lets go of it when the process ends, however it ends.

    Args:
        folder: Of the run; it is made if it is not there.
        needed: False takes no lock: the first process holds it for the others.

    Raises:
        FolderNotWritable: The folder cannot be made or written to.
        FolderInUse: Another run has it.
    """
    if not needed:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("wb")
    except OSError as error:
        raise _not_writable(folder, error) from error
    with file:
        if not _locked(file.fileno()):
            raise FolderInUse(translate("errors", "Another run is going on in {0}.").format(folder))
        _sweep(folder)
        yield


def _sweep(folder: Path) -> None:
    """Remove the half-written files of a run that was killed; the folder's lock is held, so nobody writes them."""
    for place in (folder, folder / HISTORY_FOLDER, folder / RENDERS):
        for each in place.glob("*.partial"):
            if _OWN_PARTIAL.fullmatch(each.name) and each.is_file() and not each.is_symlink():
                with contextlib.suppress(OSError):
                    each.unlink()


def _locked(handle: int) -> bool:
    """Whether the lock is ours now; a file system that knows no locks counts as one that gave it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    else:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True
