"""What an observer looks at in a run, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from sculptor_app.diffusion.observe.frames import Look
from sculptor_app.diffusion.observe.guidance import GuidanceHalves
from sculptor_app.diffusion.samplers.levels import Call, Scheduler


class Follower(Protocol):
    """Who follows a run's calls beside the observer."""

    def begin(self, scheduler: Scheduler) -> None:
        """The run begins; the scheduler is planned."""

    def serve(self, call: Call, real_step: Callable[[], Any]) -> Any | None:
        """What to return for a call in place of the step; None has the step taken, and shown."""

    def made(self, call: Call, state: torch.Tensor) -> None:
        """A step was taken, and returned this state."""


@dataclass(frozen=True, eq=False)
class Watching:
    """What is looked at in a run, and how.

    Attributes:
        look: turns the run's tensors into frames.
        halves: tells the two guesses apart that guidance is made of; None leaves them out.
        most: how many pictures of the batch are watched, its first ones; None is all of them.
        calls_left: says how many calls of `step` the pipeline is going to make, None if it does not say; asked at the
            start.
        stages: how many schedulers the pipeline has. Of several the first is watched that works on pictures and whose
            levels are known; what the others do passes unseen.
        follower: who else is told of what is watched; may serve calls itself.
    """

    look: Look = field(default_factory=Look)
    halves: GuidanceHalves | None = None
    most: int | None = None
    calls_left: Callable[[], int | None] = lambda: None
    stages: int = 1
    follower: Follower | None = None
