"""The runner of the model in the worker thread: prepares the engine once, then samples, stops, starts again."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.files import sweep_temporary
from sculptor_app.core.requests.changes import NO_CHANGES, RunChanges
from sculptor_app.core.requests.request import Parting, RequestError, RunRequest
from sculptor_app.core.trajectory.events import Started, StepTaken
from sculptor_app.session.engine import LoadingProgress, MakeStart, Sampling, Work
from sculptor_app.session.worker import Job, JobThread, Outcome, Run

if TYPE_CHECKING:
    from sculptor_app.core.pictures.start import Start
    from sculptor_app.core.requests.painting import Painting
    from sculptor_app.core.trajectory.base import RunInfo
    from sculptor_app.core.trajectory.levels import NoiseLevel
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.session.engine import Engine

DEFAULT_BUDGET_BYTES = 512 * 10**6
"""Memory for one trajectory's frames; `Trajectory` has the same, but comes with numpy."""

log = logging.getLogger(__name__)


class RunState(Enum):
    """State of the runner."""

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
    """

    devices: tuple[tuple[str, str], ...]
    model: str  # name of the model that is loaded; empty where it is not (yet)
    error: BaseException | None = None  # what went wrong; None where nothing did


@dataclass(frozen=True, slots=True)
class _Planned:
    request: RunRequest
    levels: tuple[NoiseLevel, ...]


class ModelRun(Run):
    """Handle of work with the model; see `Run`.

    Signals:
        loading: a `LoadingProgress`, while the model is loaded for it.
    """

    loading = Signal(object)
    was_asked_for = True  # by a person, who is told when something else takes its place

    def __init__(self, runner: SamplingRunner) -> None:
        super().__init__()
        self._runner = runner

    @property
    def is_newest(self) -> bool:
        """Whether nothing else has been asked of the model since."""
        return self._runner._newest() is self

    @Slot()
    def stop(self) -> None:
        """Stop after the step that is being computed, or take it back where it has not begun."""
        if self.is_newest:
            self._runner.stop()

    def receive(self, item: object) -> None:
        """Hand on an item of the job."""
        if isinstance(item, LoadingProgress):
            self.loading.emit(item)
            self._runner.loading.emit(item)
        else:
            self._runner._note_progress()
            self.take(item)

    def take(self, item: object) -> None:
        """Hand on an item that the work itself yielded."""
        self.produced.emit(item)

    def end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        """Report how the work ended."""
        self._runner._note_end(self)
        super().end(outcome, error)
        self._runner._report_end(self, error)


class SampleRun(ModelRun):
    """Handle of a single run of the sampler.

    Attributes:
        trajectory: of the run; None before it has begun.

    Signals:
        started: trajectory and measures; state 0 is there.
        step_taken: number of the newest state.
    """

    started = Signal(object, object)
    step_taken = Signal(int)

    def __init__(self, runner: SamplingRunner) -> None:
        super().__init__(runner)
        self.trajectory: Trajectory | None = None

    def take(self, item: object) -> None:
        """Hand on an event of the sampler."""
        match item:
            case Started():
                self.trajectory = item.trajectory
                self.started.emit(item.trajectory, item.measures)
                self._runner.started.emit(self)
            case StepTaken():
                self.step_taken.emit(item.step.number)


class SamplingRunner(QObject):
    """Runner of the one model: starts and stops runs, each of which reports by the signals of its own handle.

    There is one model on one device, so there is one run at a time, whichever page of the window asked for it: starting
    one cancels the one before. The runner's own signals are for those who follow all runs.

    Args:
        model: folder of the model to prepare; None is the embedded one. Requests name theirs, as the fields have it.
        sampling: makes the engine and runs it; None is the real one.
        parent: the owner; call `shutdown` before it goes.

    Attributes:
        budget_bytes: memory for the frames of the runs that begin from now on.
        watches_guidance: whether they keep the two predictions that guidance is made of.
        engine: made by the first job; None before. It belongs to the worker thread.

    Signals:
        state_changed: a RunState.
        prepared: a Prepared record, once the engine and the model are there.
        loading: a `LoadingProgress`, whoever the model is loaded for.
        planned: the request that was asked about and the noise levels of its states.
        plan_refused: that request and the error, where its run would end without a picture.
        schedules: the request that was asked about, and the levels of its states under other samplers, by their names.
        started: a SampleRun, of which state 0 is there.
        finished: a run, after its own signal.
        cancelled: the same.
        failed: the same, and the exception.
    """

    state_changed = Signal(object)
    prepared = Signal(object)
    loading = Signal(object)
    planned = Signal(object, object)
    plan_refused = Signal(object, object)
    schedules = Signal(object, object)
    started = Signal(object)
    finished = Signal(object)
    cancelled = Signal(object)
    failed = Signal(object, object)

    def __init__(
        self, model: str | None = None, sampling: Sampling | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._sampling = Sampling() if sampling is None else sampling
        self._ready = False
        self._state = RunState.IDLE
        self._waiting: tuple[ModelRun, Job] | None = None
        self._plan_wanted: RunRequest | None = None
        self._plan_asked: RunRequest | None = None  # the one that is being planned
        self._schedules_wanted: RunRequest | None = None
        self._schedules_asked: RunRequest | None = None  # of which they are being made
        self.engine: Engine | None = None
        # Weak, as a run holds its trajectory, which goes with the last view of it.
        self._newest: Callable[[], ModelRun | None] = lambda: None  # the run that was asked for last
        self.budget_bytes = DEFAULT_BUDGET_BYTES
        self.watches_guidance = True
        self._first_model = model
        self._jobs = JobThread(cancelled_by=(Cancelled,), parent=self, name="sampling")
        self._jobs.ended.connect(self._go_on)

    @property
    def state(self) -> RunState:
        """State of the runner now."""
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
            run = Run()
            run.produced.connect(self._take_prepared)
            run.failed.connect(self._fail_preparing)
            self._jobs.start(self._preparing_job, run)

    def start(self, request: RunRequest, start: MakeStart | None = None, changes: RunChanges = NO_CHANGES) -> SampleRun:
        """Sample; before the engine is there the run waits, and one that goes on is cancelled for it.

        Args:
            start: Makes the `core.pictures.start.Start` to begin with instead of the seed's noise; it is called in the
                worker thread with the engine and the request.
            changes: What changes along the run.

        Returns:
            The run's handle; nothing comes of it before this returns.
        """
        run = SampleRun(self)
        self._ask_for(run, self._sampling_job(request, start, changes))
        return run

    def fork(
        self,
        trajectory: Trajectory,
        k: int,
        request: RunRequest,
        parting: Parting = Parting.OWN_STATE,
        painting: Painting | None = None,
    ) -> SampleRun:
        """Go on from state k of a run in another way; rules and handle are those of `start`.

        Args:
            parting, painting: see `Sampling.fork`.
        """
        options: dict[str, Any] = {
            "parting": parting, "painting": painting,
            "budget_bytes": self.budget_bytes, "watch_guidance": self.watches_guidance,
        }  # fmt: skip
        return self._measured(lambda engine, stop: self._sampling.fork(engine, trajectory, k, request, stop, **options))

    def go_on(self, trajectory: Trajectory) -> SampleRun:
        """Take the steps that a stopped run has left, as it would have; rules and handle are those of `start`."""
        options: dict[str, Any] = {"budget_bytes": self.budget_bytes, "watch_guidance": self.watches_guidance}
        return self._measured(lambda engine, stop: self._sampling.go_on(engine, trajectory, stop, **options))

    def make_again(self, info: RunInfo, begun_with: Start | None = None) -> SampleRun:
        """Make a run again from what is told of it, and what it began with; rules and handle are those of `start`."""
        options: dict[str, Any] = {
            "budget_bytes": self.budget_bytes, "watch_guidance": self.watches_guidance, "start": begun_with
        }  # fmt: skip
        return self._measured(lambda engine, stop: self._sampling.make_again(engine, info, stop, **options))

    def _measured(self, events: Callable[[Engine, threading.Event], Generator[Any, None, None]]) -> SampleRun:
        """The handle of a run with these events, called for in the worker thread; it is measured as it goes on."""
        run = SampleRun(self)

        def job(stop: threading.Event) -> Iterator[object]:
            from sculptor_app.measures.run_measures import measured  # numpy comes with it

            return measured(events(self._made_engine(), stop))

        self._ask_for(run, job)
        return run

    @property
    def newest(self) -> ModelRun | None:
        """The run that was asked for last, while somebody holds it."""
        return self._newest()

    def submit(self, work: Work, was_asked_for: bool = True) -> ModelRun:
        """Do other work with the engine, in the worker thread, under the same rules.

        Args:
            work: Is given the engine and the event that asks it to stop.
            was_asked_for: By a person, and not begun by the program itself.

        Returns:
            The work's handle; nothing comes of it before this returns.
        """
        run = ModelRun(self)
        run.was_asked_for = was_asked_for
        self._ask_for(run, lambda stop: work(self._made_engine(), stop))
        return run

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

    def compare_schedules(self, request: RunRequest) -> None:
        """Ask for the noise levels of a request under other samplers; answered by `schedules` when no run goes on."""
        self._schedules_wanted = request
        self._plan_next()

    @Slot()
    def shutdown(self) -> None:
        """Cancel what runs and wait for the thread; nothing is emitted for items that come after this."""
        self._waiting = self._plan_wanted = self._schedules_wanted = self._schedules_asked = None
        self._jobs.shutdown()

    # In the worker thread ---------------------------------------------------------------------------------------------

    def _made_engine(self) -> Engine:
        if self.engine is None:
            self.engine = self._sampling.make_engine(self._jobs.report)
        return self.engine

    def _preparing_job(self, stop: threading.Event) -> Iterator[Prepared]:
        engine = self._made_engine()
        devices = tuple((device.id, device.name) for device in engine.devices())
        yield Prepared(devices, "")
        sweep_temporary()
        if self._waiting is not None:  # a run, which loads what it needs
            return
        try:
            engine.load(self._first_model, "auto", stop)
        except Cancelled:
            raise
        except Exception as error:  # a run on another device may still work, and says so itself if not
            yield Prepared(devices, "", error)
        else:
            yield Prepared(devices, self._first_model or "embedded")

    def _sampling_job(self, request: RunRequest, make_start: MakeStart | None, changes: RunChanges) -> Job:
        """Sample and measure; it yields the events of the sampler with the run's measures."""
        budget_bytes, watch_guidance = self.budget_bytes, self.watches_guidance

        def job(stop: threading.Event) -> Iterator[object]:
            from sculptor_app.measures.run_measures import measured  # numpy comes with it

            engine, start = self._made_engine(), None
            if make_start is not None:
                engine.load(request.model, request.device, stop)  # what makes the start cannot be stopped
                start = make_start(engine, request)
            options: dict[str, Any] = {
                "budget_bytes": budget_bytes, "watch_guidance": watch_guidance, "start": start
            }  # fmt: skip
            if changes:
                return measured(self._sampling.sample_with_changes(engine, request, changes, stop, **options))
            return measured(self._sampling.sample(engine, request, stop, **options))

        return job

    def _planning_job(self, request: RunRequest) -> Job:
        def job(stop: threading.Event) -> Iterator[_Planned]:
            yield _Planned(request, self._made_engine().plan(request))

        return job

    # In the GUI thread: runs ------------------------------------------------------------------------------------------

    def _ask_for(self, run: ModelRun, job: Job) -> None:
        self._take_back_waiting()
        self._newest = weakref.ref(run)
        if self._state is RunState.PREPARING or not self._ready:
            self._waiting = (run, job)
            self.prepare()
            self.state_changed.emit(self._state)
        else:
            self._begin(run, job)

    def _begin(self, run: ModelRun, job: Job) -> None:
        self._jobs.start(job, run)
        self._set_state(RunState.STARTING)

    def _take_back_waiting(self) -> None:
        if self._waiting is not None:
            (run, _), self._waiting = self._waiting, None
            self.state_changed.emit(self._state)
            run.end(Outcome.CANCELLED)

    def _note_progress(self) -> None:
        if self._state is RunState.STARTING:
            self._set_state(RunState.RUNNING)

    def _note_end(self, run: ModelRun) -> None:
        """A run has ended, which its handle is about to report; nothing is done any more if no newer one has begun."""
        if run.is_newest and self._state is not RunState.PREPARING:
            self._set_state(RunState.IDLE)

    def _report_end(self, run: ModelRun, error: BaseException | None) -> None:
        match run.outcome:
            case Outcome.FINISHED:
                self.finished.emit(run)
            case Outcome.CANCELLED:
                self.cancelled.emit(run)
            case Outcome.FAILED:
                self.failed.emit(run, error)

    # In the GUI thread: preparing and planning ------------------------------------------------------------------------

    @Slot(object)
    def _take_prepared(self, item: object) -> None:
        match item:
            case LoadingProgress():
                self.loading.emit(item)
            case Prepared():
                self._ready = True
                self.prepared.emit(item)

    @Slot(object)
    def _fail_preparing(self, error: BaseException) -> None:
        self._set_state(RunState.IDLE)
        self.prepared.emit(Prepared((), "", error))
        self._take_back_waiting()

    @Slot()
    def _go_on(self) -> None:
        if self._jobs.is_busy:
            return
        if self._state is RunState.PREPARING:
            self._set_state(RunState.IDLE)
        if self._waiting is not None and self._ready:
            (run, job), self._waiting = self._waiting, None
            self._begin(run, job)
        else:
            self._plan_next()

    def _plan_next(self) -> None:
        if not self._ready or self._jobs.is_busy:
            return
        if self._plan_wanted is None:
            self._compare_next()
            return
        request = self._plan_asked = self._plan_wanted
        self._plan_wanted = None
        run = Run()
        run.produced.connect(self._take_plan)
        run.failed.connect(self._take_plan_failure)
        self._jobs.start(self._planning_job(request), run)

    def _compare_next(self) -> None:
        request = self._schedules_asked = self._schedules_wanted
        self._schedules_wanted = None
        if request is None:
            return

        def job(stop: threading.Event) -> Iterator[object]:
            yield request, self._made_engine().schedules(request, stop)

        run = Run()
        run.produced.connect(self._take_schedules)
        run.cancelled.connect(self._want_schedules_again)
        run.failed.connect(self._take_schedules_failure)
        self._jobs.start(job, run)

    @Slot()
    def _want_schedules_again(self) -> None:
        """A run had to go first: ask again when that is over, unless others are wanted by now."""
        self._schedules_wanted = self._schedules_wanted or self._schedules_asked

    @Slot(object)
    def _take_schedules_failure(self, error: BaseException) -> None:
        log.warning("the schedules of other samplers could not be made", exc_info=error)

    @Slot(object)
    def _take_schedules(self, found: tuple[RunRequest, dict[str, tuple[NoiseLevel, ...]]]) -> None:
        self.schedules.emit(*found)

    @Slot(object)
    def _take_plan(self, plan: _Planned) -> None:
        self.planned.emit(plan.request, plan.levels)

    @Slot(object)
    def _take_plan_failure(self, error: BaseException) -> None:
        if isinstance(error, RequestError):
            self.plan_refused.emit(self._plan_asked, error)
        elif not isinstance(error, SculptorError):  # that one says what is known only when the run begins
            log.warning("a plan could not be made", exc_info=error)

    def _set_state(self, state: RunState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)
