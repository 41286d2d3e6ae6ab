"""What a training run tells about itself: loss, rate, time left, and the loss per noise level."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from sculptor_app.training.files import not_written, written_whole
from sculptor_app.training.pace import duration, seconds_left
from sculptor_app.training.trainer import Trainer, TrainingStep

EDGES = (-8.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)
"""Borders of the noise-level bins on the log-SNR axis."""
LEVELS = len(EDGES) + 1


@dataclass(frozen=True)
class Report:
    """What happened since the report before.

    Attributes:
        pictures: Seen by now.
        loss: Mean squared error of v.
        learning_rate: Now.
        pictures_per_second: Of all processes together.
        minutes_left: Until the run's end.
        loss_by_log_snr: Per noise level, pure noise first; None where no picture was.
        learned_by_log_snr: 1 − loss / loss of always saying 0, per level: 0 where nothing is known yet, 1 where all is.
        refused: Gradients that were far larger than usual and not followed.
    """

    pictures: int
    loss: float
    learning_rate: float
    pictures_per_second: float
    minutes_left: float
    loss_by_log_snr: list[float | None]
    learned_by_log_snr: list[float | None]
    refused: int

    def line(self) -> str:
        """In words, for a log."""
        return (f"{self.pictures:>9,} pictures  loss {self.loss:.4f}  {self.pictures_per_second:.1f} pictures/s  "
                f"{duration(60 * self.minutes_left)} left  {self.levels()}")  # fmt: skip

    def levels(self) -> str:
        """The loss per noise level in words."""
        by_level = " ".join("  – " if loss is None else f"{loss:.2f}" for loss in self.loss_by_log_snr)
        return f"loss from noise to picture {by_level}"


class Ledger:
    """Running means of the loss since the last report, in all and per noise level."""

    def __init__(self) -> None:
        self._sums, self._blind, self._counts = torch.zeros(LEVELS), torch.zeros(LEVELS), torch.zeros(LEVELS)
        self._refused = 0

    def note(self, step: TrainingStep) -> None:
        """Count one step of this process."""
        place = torch.bucketize(step.log_snr, torch.tensor(EDGES))
        self._sums.index_add_(0, place, step.losses)
        self._blind.index_add_(0, place, step.blind_losses)
        self._counts.index_add_(0, place, torch.ones_like(step.losses))
        self._refused += not step.followed

    @property
    def pictures(self) -> int:
        """How many were noted since the last report."""
        return int(self._counts.sum())

    @property
    def loss(self) -> float:
        """Mean of what was noted so far."""
        return float(self._sums.sum() / self._counts.sum().clamp(min=1))

    def report(self, trainer: Trainer, rate: float) -> Report:
        """Sum up what was noted, and begin anew.

        Args:
            trainer: Knows how far the run is.
            rate: Pictures per second.
        """
        left_s = seconds_left(trainer.recipe, trainer.seen, trainer.elapsed_s, rate)
        report = Report(
            trainer.seen, round(self.loss, 5), round(trainer.learning_rate, 8), round(rate, 2), round(left_s / 60, 1),
            _ratios(self._sums, self._counts), _ratios(self._blind - self._sums, self._blind), self._refused,
        )  # fmt: skip
        self.__init__()  # type: ignore[misc]
        return report


def _ratios(above: torch.Tensor, below: torch.Tensor) -> list[float | None]:
    return [round(float(a / b), 4) if b else None for a, b in zip(above, below, strict=True)]


def append_to_log(path: Path, report: Report) -> None:
    """Add a report as one line of JSON.

    Raises:
        NotWritten: The disk did not take it.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(report)) + "\n")
    except OSError as error:
        raise not_written(path, error) from error


def forget_later(path: Path, seen: int) -> None:
    """Take out of the log what a killed run did after its last checkpoint: it will be done again.

    Args:
        path: The log; it need not be there.
        seen: Pictures seen at the checkpoint.

    Raises:
        NotWritten: The disk did not take it.
    """
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if _is_up_to(line, seen)]
    if kept != lines:
        with written_whole(path) as file:
            file.write("".join(f"{line}\n" for line in kept).encode())


def _is_up_to(line: str, seen: int) -> bool:
    try:
        return bool(json.loads(line)["pictures"] <= seen)
    except (ValueError, KeyError, TypeError):  # cut off in mid-line
        return False
