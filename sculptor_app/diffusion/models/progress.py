"""What is being done with a model that is on its way in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sculptor_app.core.errors import Cancelled


class LoadingStage(Enum):
    """The stages of opening a model, in their order; a model of ours needs no trial."""

    CHECKING = "checking"
    TRYING = "trying"
    READING = "reading"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class LoadingProgress:
    """What is done now.

    Attributes:
        stage: The stage that has begun.
        part: The component that is read; empty where all of them are read at once.
        number: Which of them it is, from 1; 0 where all are read at once.
        of: How many there are.
    """

    stage: LoadingStage
    part: str = ""
    number: int = 0
    of: int = 0

    def __str__(self) -> str:
        """In a word or two, as "reading unet (2 of 5)"."""
        part = f" {self.part} ({self.number} of {self.of})" if self.part else " the model"
        return f"{self.stage.value}{part}"


Report = Callable[[LoadingProgress], None]
"""Is told what is being done, in the thread that does it."""


def stoppable(report: Report | None, stop: threading.Event | None) -> Report:
    """A report that ends the work where it is told something after it was to stop.

    Args:
        report: Is told; None tells nobody.
        stop: Set from any thread.

    Raises:
        Cancelled: From what is returned.
    """

    def tell(doing: LoadingProgress) -> None:
        if stop is not None and stop.is_set():
            raise Cancelled
        if report is not None:
            report(doing)

    return tell
