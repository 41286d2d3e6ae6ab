"""Events and reports of a training run, and its listener; without torch, so that a window can use them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.training.files import not_written, whole_file
from sculptor_app.training.records.plan import Plan

EDGES = (-8.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)
"""Borders of the noise-level bins on the log-SNR axis."""
LEVELS = len(EDGES) + 1


@dataclass(frozen=True)
class Report:
    """What happened since the report before.

    Attributes:
        learned_by_log_snr: 1 − loss / loss of always saying 0, per level: 0 where nothing is known yet, 1 where all is.
    """

    pictures: int  # seen by now
    loss: float  # mean squared error of v
    learning_rate: float  # now
    pictures_per_second: float  # of all processes together
    minutes_left: float  # until the run's end
    loss_by_log_snr: list[float | None]  # per noise level, pure noise first; None where no picture was
    learned_by_log_snr: list[float | None]
    refused: int  # gradients that were far larger than usual and not followed


def append_to_log(path: Path, report: Report) -> None:
    """Add a report as one line of JSON; `NotWritten` if the disk does not take it."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(report)) + "\n")
    except OSError as error:
        raise not_written(path, error) from error


def forget_later(path: Path, seen: int) -> None:
    """Take out of the log what a killed run did after its last checkpoint: it will be done again.

    Args:
        seen: Pictures seen at the checkpoint.

    Raises:
        NotWritten: The disk did not take it.
    """
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if _is_up_to(line, seen)]
    if kept != lines:
        with whole_file(path) as file:
            file.write("".join(f"{line}\n" for line in kept).encode())


def _is_up_to(line: str, seen: int) -> bool:
    try:
        return bool(json.loads(line)["pictures"] <= seen)
    except (ValueError, KeyError, TypeError):  # cut off in mid-line
        return False


def read_log(path: Path) -> list[Report]:
    """All reports of a log, the oldest first, none without a log; lines that were cut off are left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Report(**json.loads(line)))
        except (ValueError, TypeError):  # cut off in mid-line, or another version's
            continue
    return found


@dataclass(frozen=True, slots=True)
class Stepped:
    """Where a run is after a step."""

    pictures: int  # seen by now
    share: float  # of the run, 0 to 1
    loss: float  # mean since the last report
    rate: float  # pictures per second over the last steps
    left_s: float  # seconds until the end
    elapsed_s: float  # seconds spent so far


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint was written."""

    pictures: int  # seen at it


@dataclass(frozen=True, slots=True)
class Preparing:
    """Pictures are being made or read."""

    is_rendering: bool  # else a folder is read
    done: int  # pictures so far
    of: int  # pictures in all
    note: str = ""  # a sentence about what is waited for until the next event; empty where there is nothing to say


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence about the run."""

    sentence: str  # as the command line would print it


@dataclass(frozen=True, slots=True, eq=False)
class RunSummary:
    """A run as its folder describes it."""

    folder: Path  # of the run
    plan: Plan  # what it learns, and how
    pictures: int  # seen by now
    reports: tuple[Report, ...]  # all of them, the oldest first
    rows: tuple[int, ...]  # pictures seen at each row of the sample history, rising


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """Learning begins, or goes on."""

    run: RunSummary  # what is there already
    different: int  # pictures in the training set
    weights: int  # numbers that are learned


@dataclass(frozen=True, slots=True, eq=False)
class SampleRow:
    """What a model made of the fixed noises after so many pictures."""

    pictures: int  # seen by the model
    guesses: NDArray[np.uint8]  # current guesses, (B, N + 1, H, W, 3) uint8; at state 0, where there is none, the noise
    states: NDArray[np.uint8]  # noisy states, the same shape
    levels: tuple[NoiseLevel, ...]  # of the states 0..N


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """The fixed noises were denoised again."""

    row: SampleRow
    rows: tuple[int, ...]  # pictures seen at each row that is kept, rising


@dataclass(frozen=True, slots=True)
class Learned:
    """The run has come to its end."""

    model: Path  # folder of the model
    pictures: int  # seen in all


StepEvent = Stepped | Report | Saved
"""Events of the steps of a run."""

TrainingEvent = StepEvent | Preparing | Message | Begun | Sampled | Learned
"""Events of a run in a window."""


class RunListener:
    """A listener that shows nothing; the context is open while the run takes steps."""

    def __enter__(self) -> RunListener:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """The steps are over."""

    def message(self, sentence: str) -> None:
        """A sentence about the run."""

    def stepped(self, step: Stepped) -> None:
        """Where the run is after a step."""

    def report(self, report: Report) -> None:
        """The losses since the report before."""
