"""A worker's own side of decisions measured in parallel: the engine and the run that it keeps from unit to unit.

It imports torch with its first unit: until then it can be told to stop at once.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.studies.dispatch import Unit, Worker
from sculptor_app.measures.likeness import Decision

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.diffusion.models.verdict import Report
    from sculptor_app.diffusion.sampling.engine import Engine

ReadLabels = Callable[..., Any]
"""As `decisions.ReadLabels`; one that is sent to another process is a function of a module, and imports no torch."""


class UnitMeasurer:
    """The measuring of one unit after another; the model stays loaded, and the last run is there to be forked again.

    Args:
        report: Receives the progress of loading.
    """

    def __init__(self, report: Report | None = None) -> None:
        self._report = report
        self._engine: Engine | None = None
        self._whole: Trajectory | None = None
        self._request: RunRequest | None = None  # of that run

    def measure(self, unit: Unit, stop: threading.Event, read_labels: ReadLabels) -> Decision:
        """How alike the forks of a unit are.

        Raises:
            Cancelled, SculptorError: As `decisions.measure_step`.
        """
        from sculptor_app.diffusion.studies import decisions

        engine, whole = self._ready_for(unit, stop)
        events = decisions.measure_step(
            engine, whole, unit.step, unit.forks, stop, read_labels, unit.u_turn, unit.batch
        )
        return next(each for each in events if isinstance(each, Decision))

    def forget_run(self) -> None:
        """Release the run's memory; the model stays."""
        if self._whole is not None:
            self._whole.close()
        self._whole = None

    def _ready_for(self, unit: Unit, stop: threading.Event) -> tuple[Engine, Trajectory]:
        """The engine, and the whole run that the unit's forks leave, made unless it is there."""
        from sculptor_app.diffusion.sampling.engine import Engine
        from sculptor_app.diffusion.sampling.sample import whole_run

        if self._engine is None:
            self._engine = Engine(report=self._report)
        is_other = self._whole is None or self._request != unit.request
        if is_other or self._engine.threads != unit.threads:
            self.forget_run()
            self._engine.threads = unit.threads
            self._whole, self._request = whole_run(self._engine, unit.request, stop), unit.request
        assert self._whole is not None
        return self._engine, self._whole


@contextlib.contextmanager
def sendable_errors() -> Iterator[None]:
    """Raise each error as another process can be sent it: of the nearest class that is made of its sentences alone."""
    try:
        yield
    except SculptorError as error:
        of_two = inspect.getattr_static(SculptorError, "__init__")
        kind = next(each for each in type(error).__mro__ if inspect.getattr_static(each, "__init__") is of_two)
        raise (error if kind is type(error) else kind(error.message, error.advice)) from None
    except Exception as error:
        if isinstance(error, Cancelled) or type(error).__module__ == "builtins":
            raise
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


class ThisProcess:
    """The one worker that is this process itself: on a GPU, or where others would not be worth their start.

    Args:
        stop: Ends it within a step.
        report: Receives the progress of loading.
    """

    count = 1

    def __init__(self, read_labels: ReadLabels, stop: threading.Event, report: Report | None = None) -> None:
        self._read_labels, self._stop = read_labels, stop
        self._measurer = UnitMeasurer(report)
        self._unit: Unit | None = None

    def idle(self) -> tuple[Worker, ...]:
        """Itself."""
        return (0,)

    def give(self, worker: Worker, unit: Unit) -> None:
        """Take the unit; it is measured when the result is asked for."""
        self._unit = unit

    def collect(self) -> tuple[Worker, Decision | None]:
        """The result of the unit."""
        assert self._unit is not None
        return 0, self._measurer.measure(self._unit, self._stop, self._read_labels)

    def __enter__(self) -> ThisProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._measurer.forget_run()
