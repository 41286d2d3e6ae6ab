"""What a training run tells whoever drives it step by step; without torch, so that a window can know them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sculptor_app.training.loop.growth_rows import GrowthRow
from sculptor_app.training.loop.plan import Plan
from sculptor_app.training.loop.report import Report


@dataclass(frozen=True, slots=True)
class Stepped:
    """Where a run is after a step.

    Attributes:
        pictures: Seen by now.
        share: Of the run, 0 to 1.
        loss: Mean since the last report.
        rate: Pictures per second over the last steps.
        left_s: Seconds until the end.
        elapsed_s: Seconds spent so far.
    """

    pictures: int
    share: float
    loss: float
    rate: float
    left_s: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint was written.

    Attributes:
        pictures: Seen at it.
    """

    pictures: int


@dataclass(frozen=True, slots=True)
class Preparing:
    """Pictures are being made or read.

    Attributes:
        is_rendering: Else a folder is read.
        done: Pictures so far.
        of: Pictures in all.
    """

    is_rendering: bool
    done: int
    of: int


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence about the run.

    Attributes:
        sentence: As the command line would print it.
    """

    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class RunSeen:
    """A run as its folder tells of it.

    Attributes:
        folder: Of the run.
        plan: What it learns, and how.
        pictures: Seen by now.
        reports: All of them, the oldest first.
        rows: Pictures seen at each row of growth, rising.
    """

    folder: Path
    plan: Plan
    pictures: int
    reports: tuple[Report, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """Learning begins, or goes on.

    Attributes:
        run: What is there already.
        different: Pictures in the training set.
        weights: Numbers that are learned.
    """

    run: RunSeen
    different: int
    weights: int


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """The fixed noises were sculpted again.

    Attributes:
        row: What came of it.
        rows: Pictures seen at each row that is kept, rising.
    """

    row: GrowthRow
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """The run has come to its end.

    Attributes:
        model: Folder of the model.
        pictures: Seen in all.
    """

    model: Path
    pictures: int


RunEvent = Stepped | Report | Saved
"""Events of the steps of a run."""

LearningEvent = RunEvent | Preparing | Told | Begun | Grown | Learned
"""Events of a run in a window."""
