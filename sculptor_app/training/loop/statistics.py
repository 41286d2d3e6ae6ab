"""What a training run tells about itself: loss, rate, time left, and the loss per noise level."""

from __future__ import annotations

import torch

from sculptor_app.training.loop.pace import seconds_left
from sculptor_app.training.loop.report import EDGES, LEVELS, Report
from sculptor_app.training.loop.trainer import Trainer, TrainingStep


class Ledger:
    """Running means of the loss since the last report, in all and per noise level."""

    def __init__(self) -> None:
        self._sums, self._blind, self._counts = (torch.zeros(LEVELS, dtype=torch.float32) for _ in range(3))
        self._refused = 0

    def note(self, step: TrainingStep) -> None:
        """Count one step of this process."""
        place = torch.bucketize(step.log_snr, torch.tensor(EDGES, dtype=torch.float32))
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
