"""The real engine, whose runs break off at step 3 with the error that a test asks for."""

from collections.abc import Iterator
from typing import Any

from sculptor_app.diffusion.sampling import sample as engine
from sculptor_app.diffusion.sampling.sample import Engine as Engine

LAST_STEP = 3
error: BaseException | None = None
"""What the next runs raise after LAST_STEP; None lets them go on."""


def sample(*args: Any, **options: Any) -> Iterator[Any]:
    for event in engine.sample(*args, **options):
        yield event
        step = getattr(event, "step", None)
        if error is not None and step is not None and step.number == LAST_STEP:
            raise error
