"""Statistics of a training run: loss, loss per noise level, rate, share done and time left."""

from __future__ import annotations

import math
from collections import deque

import torch

from sculptor_app.training.loop.trainer import Trainer, TrainingStep
from sculptor_app.training.records.events import EDGES, LEVELS, Report
from sculptor_app.training.records.plan import Recipe

WINDOW = 100
"""Steps over which the rate is taken: sample sheets and checkpoints in between count, an hour ago does not."""


def share_done(recipe: Recipe, seen: int, elapsed_s: float) -> float:
    """Of the run, 0 to 1, by pictures or by time, as the recipe ends it."""
    done = elapsed_s / (60 * recipe.minutes) if recipe.minutes else seen / recipe.total_pictures
    return min(1.0, done)


def seconds_left(recipe: Recipe, seen: int, elapsed_s: float, rate: float) -> float:
    """Seconds until the run ends, at a rate in pictures per second; infinitely long if it is 0."""
    if recipe.minutes:
        return max(0.0, 60 * recipe.minutes - elapsed_s)
    return max(0, recipe.total_pictures - seen) / rate if rate > 0 else math.inf


class RateMeter:
    """The rate over the last steps."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, float]] = deque(maxlen=WINDOW + 1)

    def mark(self, seen: int, elapsed_s: float) -> None:
        """Note where the run is."""
        self._marks.append((seen, elapsed_s))

    @property
    def rate(self) -> float:
        """Pictures per second; 0 while nothing is known."""
        if len(self._marks) < 2:
            return 0.0
        (first, since), (last, now) = self._marks[0], self._marks[-1]
        return (last - first) / max(now - since, 1e-9)


class LossStatistics:
    """Running means of the loss since the last report, in all and per noise level."""

    def __init__(self) -> None:
        self._sums, self._baseline, self._counts = (torch.zeros(LEVELS, dtype=torch.float32) for _ in range(3))
        self._refused = 0

    def note(self, step: TrainingStep) -> None:
        """Count one step of this process."""
        place = torch.bucketize(step.log_snr, torch.tensor(EDGES, dtype=torch.float32))
        self._sums.index_add_(0, place, step.losses)
        self._baseline.index_add_(0, place, step.baseline_losses)
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
        """Sum up what was noted, and begin again."""
        left_s = seconds_left(trainer.recipe, trainer.seen, trainer.elapsed_s, rate)
        report = Report(
            trainer.seen, round(self.loss, 5), round(trainer.learning_rate, 8), round(rate, 2), round(left_s / 60, 1),
            _ratios(self._sums, self._counts), _ratios(self._baseline - self._sums, self._baseline), self._refused,
        )  # fmt: skip
        self.__init__()  # type: ignore[misc]
        return report


def _ratios(above: torch.Tensor, below: torch.Tensor) -> list[float | None]:
    return [round(float(a / b), 4) if b else None for a, b in zip(above, below, strict=True)]
