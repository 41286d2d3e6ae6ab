"""How far a run is, how fast it goes, and how long it still takes."""

from __future__ import annotations

import math
from collections import deque

from sculptor_app.training.loop.recipe import Recipe

WINDOW = 100
"""Steps over which the rate is taken: sample sheets and checkpoints in between count, an hour ago does not."""


def share_done(recipe: Recipe, seen: int, elapsed_s: float) -> float:
    """Of the run, 0 to 1, by pictures or by time, as the recipe ends it."""
    done = elapsed_s / (60 * recipe.minutes) if recipe.minutes else seen / recipe.total_pictures
    return min(1.0, done)


def seconds_left(recipe: Recipe, seen: int, elapsed_s: float, rate: float) -> float:
    """Until the run ends.

    Args:
        recipe: Says when that is.
        seen: Pictures seen so far.
        elapsed_s: Seconds spent so far.
        rate: Pictures per second; infinitely long if it is 0.
    """
    if recipe.minutes:
        return max(0.0, 60 * recipe.minutes - elapsed_s)
    return max(0, recipe.total_pictures - seen) / rate if rate > 0 else math.inf


class Pace:
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
