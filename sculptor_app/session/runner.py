"""Runs of the model in the worker thread: prepare once, then sculpt, stop, start again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session.engine_jobs import EngineJobs, MakeStart, Planned, Prepared, RunState, Work
from sculptor_app.session.worker import Job, JobThread

__all__ = ["MakeStart", "Prepared", "RunState", "SamplingRunner", "Work"]

DEFAULT_BUDGET_BYTES = 512 * 2**20
"""Memory for one trajectory's frames; `Trajectory` has the same, but comes with numpy."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run as it was asked for: its id, what the worker thread does, and whether it is a single carving."""

    id: int
    job: Job
    is_carving: bool


class SamplingRunner(QObject):
    """Starts and stops runs and says what comes of them.

    There is one model on one device, so there is one run at a time, whichever page of the window asked for it: starting
    one cancels the one before. Each ends with exactly one of `finished`, `cancelled` and `failed`; who asked for it
    knows it by its id.

    Args:
        model: folder of the model to prepare; None is the embedded one.
        engine_module: what the first job imports; it offers `Engine` and `sculpt`.
        parent: the owner; call `shutdown` before it goes.

    Attributes:
        budget_bytes: memory for the frames of the runs that begin from now on.
        watches_guidance: whether they keep the two guesses that guidance is made of.

    Signals:
        state_changed: a RunState.
        prepared: a Prepared record, once the engine and the model are there.
        loading: id of the run that a model is being loaded for, 0 while the runner prepares, and what is done with it
            (`diffusion.models.verdict.LoadingProgress`); it comes from the worker thread, so only slots of objects
            hear it well.
        planned: the request that was asked about and the noise levels of its states.
        started: run id, trajectory and measures of a carving; state 0 is there.
        step_taken: run id of a carving and number of the newest state.
        produced: run id of other work and what it yielded.
        finished: run id; every planned step was taken.
        cancelled: run id.
        failed: run id and the exception.
    """

    state_changed = Signal(object)
    prepared = Signal(object)
    loading = Signal(int, object)
    planned = Signal(object, object)
    started = Signal(int, object, object)
    step_taken = Signal(int, int)
    produced = Signal(int, object)
    finished = Signal(int)
    cancelled = Signal(int)
    failed = Signal(int, object)

    def __init__(
        self,
        model: str | None = None,
        engine_module: str = "sculptor_app.diffusion.sampling.sample",
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._work = EngineJobs(engine_module, self.loading.emit)
        self._ready = False
        self._state = RunState.IDLE
        self._newest = 0
        self._runs: dict[int, _Run] = {}  # by the id of their jobs, until they have ended
        self._waiting: _Run | None = None
        self._plan_wanted: RunRequest | None = None
        self.budget_bytes = DEFAULT_BUDGET_BYTES
        self.watches_guidance = True
        self.model = model
        self._jobs = JobThread(cancelled_by=(Cancelled,), parent=self, name="sculpting")
        self._jobs.produced.connect(self._take)
        self._jobs.finished.connect(self._on_finished)
        self._jobs.cancelled.connect(self._on_cancelled)
        self._jobs.failed.connect(self._on_failed)

    @property
    def state(self) -> RunState:
        """What the runner is doing now."""
        return self._state

    @property
    def is_running(self) -> bool:
        """Whether a run was asked for and has not ended."""
        return self._state in (RunState.STARTING, RunState.RUNNING, RunState.STOPPING) or self._waiting is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a run was asked for before the engine was there."""
        return self._waiting is not None

    @property
    def is_ready(self) -> bool:
        """Whether the engine has been imported and the devices are known."""
        return self._ready

    @Slot()
    def prepare(self) -> None:
        """Import the engine, look for devices and load the embedded model, in the worker thread."""
        if self._state is RunState.IDLE and not self._ready:
            self._set_state(RunState.PREPARING)
            job = self._work.preparing(self.model, lambda: self._waiting is None)
            self._jobs.start(self._work.of_run(0, job))

    @property
    def newest(self) -> int:
        """Id of the run that was asked for last; 0 before the first."""
        return self._newest

    def start(self, request: RunRequest, start: MakeStart | None = None) -> int:
        """Carve; before the engine is there the run waits, and one that goes on is cancelled for it.

        Args:
            request: What to make.
            start: Makes the `core.requests.start.Start` to begin with instead of the seed's noise; it is called in the
                worker thread with the engine and the request.

        Returns:
            The run's id.
        """
        job = self._work.carving(request, start, self.budget_bytes, self.watches_guidance)
        return self._ask_for(job, is_carving=True)

    def submit(self, work: Work) -> int:
        """Do other work with the engine, in the worker thread, under the same rules; it comes out of `produced`.

        Args:
            work: Is given the engine and the event that asks it to stop.

        Returns:
            The run's id.
        """
        return self._ask_for(self._work.other(work), is_carving=False)

    def _ask_for(self, job: Job, is_carving: bool) -> int:
        self._take_back_waiting()
        self._newest += 1
        run = _Run(self._newest, job, is_carving)
        if self._state is RunState.PREPARING or not self._ready:
            self._waiting = run
            self.prepare()
            self.state_changed.emit(self._state)
        else:
            self._begin(run)
        return run.id

    def _begin(self, run: _Run) -> None:
        self._runs[self._jobs.start(self._work.of_run(run.id, run.job))] = run
        self._set_state(RunState.STARTING)

    def _take_back_waiting(self) -> None:
        if self._waiting is not None:
            run, self._waiting = self._waiting, None
            self.state_changed.emit(self._state)
            self.cancelled.emit(run.id)

    @Slot()
    def stop(self) -> None:
        """Stop after the step that is being computed, the loading too, or take back a run that has not begun."""
        if self._waiting is not None:
            self._take_back_waiting()
        elif self._state in (RunState.STARTING, RunState.RUNNING):
            self._set_state(RunState.STOPPING)
            self._jobs.cancel()
        elif self._state is RunState.PREPARING and self._ready:
            self._jobs.cancel()

    def plan(self, request: RunRequest) -> None:
        """Ask for the noise levels of a request's states; answered by `planned` when no run goes on."""
        self._plan_wanted = request
        self._plan_next()

    @Slot()
    def shutdown(self) -> None:
        """Cancel what runs and wait for the thread; nothing is emitted for items that come after this."""
        self._waiting = self._plan_wanted = None
        self._jobs.shutdown()

    @Slot(int, object)
    def _take(self, job_id: int, item: Any) -> None:
        run = self._runs.get(job_id)
        if run is not None:
            self._take_event(run, item)
        elif isinstance(item, Prepared):
            self._ready = True
            self.prepared.emit(item)
        elif isinstance(item, Planned):
            self.planned.emit(item.request, item.levels)

    def _take_event(self, run: _Run, event: Any) -> None:
        if self._state is RunState.STARTING:
            self._set_state(RunState.RUNNING)
        if not run.is_carving:
            self.produced.emit(run.id, event)
        elif getattr(event, "step", None) is not None:
            self.step_taken.emit(run.id, event.step.number)
        else:
            self.started.emit(run.id, event.trajectory, event.measures)

    @Slot(int)
    def _on_finished(self, job_id: int) -> None:
        run = self._ended(job_id)
        if run is not None:
            self.finished.emit(run.id)
        self._go_on()

    @Slot(int)
    def _on_cancelled(self, job_id: int) -> None:
        run = self._ended(job_id)
        if run is not None:
            self.cancelled.emit(run.id)
        self._go_on()

    @Slot(int, object)
    def _on_failed(self, job_id: int, error: Exception) -> None:
        run = self._ended(job_id)
        if run is not None:
            self.failed.emit(run.id, error)
        elif self._state is RunState.PREPARING:
            self._set_state(RunState.IDLE)
            self.prepared.emit(Prepared((), "", error))
            self._take_back_waiting()
        else:
            log.warning("a plan could not be made", exc_info=error)
        self._go_on()

    def _ended(self, job_id: int) -> _Run | None:
        """The run whose job has ended; nothing is done any more if no newer one has begun."""
        run = self._runs.pop(job_id, None)
        if run is not None and job_id == self._jobs.newest:
            self._set_state(RunState.IDLE)
        return run

    def _go_on(self) -> None:
        if self._jobs.is_busy:
            return
        if self._state is RunState.PREPARING:
            self._set_state(RunState.IDLE)
        if self._waiting is not None and self._ready:
            run, self._waiting = self._waiting, None
            self._begin(run)
        else:
            self._plan_next()

    def _plan_next(self) -> None:
        if self._plan_wanted is None or not self._ready or self._jobs.is_busy:
            return
        request, self._plan_wanted = self._plan_wanted, None
        self._jobs.start(self._work.planning(request))

    def _set_state(self, state: RunState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)
