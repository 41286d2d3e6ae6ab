"""Jobs that use the sampling engine. It belongs to the worker thread and is never touched from another.

torch is imported by the first job, in that thread, so that the window is on screen long before.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session.worker import Job


class RunState(Enum):
    """What the runner is doing."""

    IDLE = "idle"
    PREPARING = "preparing"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Prepared:
    """How far the engine is: the devices are known first, then the model is loaded.

    Attributes:
        devices: (id, name) of each device, the default first; empty where the engine itself could not be imported.
        model: name of the model that is loaded; empty where it is not (yet).
        error: what went wrong; None where nothing did.
    """

    devices: tuple[tuple[str, str], ...]
    model: str
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What a request's run would look like.

    Attributes:
        request: that was asked about.
        levels: noise levels of its states.
    """

    request: RunRequest
    levels: tuple[Any, ...]


Work = Callable[[Any, threading.Event], Iterator[object]]
"""Called in the worker thread with the engine and the event that asks it to stop; what it yields is handed on."""

MakeStart = Callable[[Any, RunRequest], Any]


class EngineJobs:
    """Makes the jobs of one worker thread around the one engine that they share.

    Args:
        engine_module: what the first job imports; it offers `Engine` and `sculpt`.
        report: told in the worker thread of which run a model is being loaded, and what is done with it
            (`diffusion.models.verdict.LoadingProgress`).

    Attributes:
        engine: made by the first job; None before.
    """

    def __init__(self, engine_module: str, report: Callable[[int, Any], None]) -> None:
        self._module_name, self._report_of = engine_module, report
        self._run_id = 0
        self.engine: Any = None

    def _report(self, doing: Any) -> None:
        self._report_of(self._run_id, doing)

    def of_run(self, run_id: int, job: Job) -> Job:
        """The same job, known to be a run's; 0 is that of no run."""

        def begin(stop: threading.Event) -> Iterator[object]:
            self._run_id = run_id
            return job(stop)

        return begin

    def preparing(self, model: str | None, is_wanted: Callable[[], bool]) -> Job:
        """Import the engine, look for devices and load a model; it yields `Prepared` records.

        Args:
            model: folder of the model; None is the embedded one.
            is_wanted: asked when the devices are known, whether the model is to be loaded.
        """

        def job(stop: threading.Event) -> Iterator[object]:
            module = importlib.import_module(self._module_name)
            if self.engine is None:
                self.engine = module.Engine(report=self._report)
            devices = tuple((device.id, device.name) for device in self.engine.devices())
            yield Prepared(devices, "")
            if not is_wanted():
                return
            try:
                self.engine.load(model, "auto", stop)
            except Cancelled:
                raise
            except Exception as error:  # a run on another device may still work, and says so itself if not
                yield Prepared(devices, "", error)
            else:
                yield Prepared(devices, model or "embedded")

        return job

    def carving(
        self, request: RunRequest, start: MakeStart | None, budget_bytes: int, watch_guidance: bool = False
    ) -> Job:
        """Carve and measure; it yields the events of `engine.sample` with the run's measures."""

        def job(stop: threading.Event) -> Iterator[object]:
            module = importlib.import_module(self._module_name)
            recording = importlib.import_module("sculptor_app.measures.run_measures")
            options: dict[str, Any] = {"watch_guidance": watch_guidance}
            if start is not None:
                self.engine.load(request.model, request.device, stop)  # what makes the start cannot be stopped
                options["start"] = start(self.engine, request)
            return recording.measured(  # type: ignore[no-any-return]
                module.sample(self.engine, request, stop, budget_bytes=budget_bytes, **options)
            )

        return job

    def other(self, work: Work) -> Job:
        """Whatever else is done with the engine."""
        return lambda stop: work(self.engine, stop)

    def planning(self, request: RunRequest) -> Job:
        """Find out what a request's run would look like; it yields one `Planned`."""

        def job(stop: threading.Event) -> Iterator[object]:
            yield Planned(request, tuple(self.engine.plan(request)))

        return job
