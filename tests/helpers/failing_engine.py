"""The real engine, whose runs break off at step 3 with the error that a test asks for, and one that cannot be had."""

from collections.abc import Iterator
from typing import Any

from sculptor_app.core.trajectory.events import StepTaken
from sculptor_app.session.engine import Sampling

LAST_STEP = 3


class FailingSampling(Sampling):
    """Breaks off after LAST_STEP.

    Attributes:
        error: What the next runs raise; None lets them go on.
    """

    error: BaseException | None = None

    def sample(self, *args: Any, **options: Any) -> Iterator[Any]:
        for event in super().sample(*args, **options):
            yield event
            if self.error is not None and isinstance(event, StepTaken) and event.step.number == LAST_STEP:
                raise self.error


class MissingSampling(Sampling):
    """Has no engine."""

    def make_engine(self, report: Any) -> Any:
        raise ModuleNotFoundError("no_such_engine")
