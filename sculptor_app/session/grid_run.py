"""Many runs in the model's worker thread: a grid, forks, claims, a check; in the background previews and measures."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.requests.request import GridRequest, RunRequest
from sculptor_app.core.trajectory.events import ForkEnded, GridPart, GridStarted, GridStep
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest
from sculptor_app.session import engine as access
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.tasks import BackgroundTask, ModelTask

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.measures.likeness import Decision


class _ManyRuns(ModelTask):
    """Base of what makes many runs: its end, whichever it is, comes by one signal.

    Args:
        runner: Does the model's work; a run of another page ends this one.

    Signals:
        ended: "finished", "cancelled" or "failed", and the exception or None.
    """

    ended = Signal(str, object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(runner, parent)
        self.produced.connect(self._hand_on)
        self.finished.connect(self._report_finished)
        self.cancelled.connect(self._report_cancelled)
        self.failed.connect(self._report_failed)

    @Slot(object)
    def _hand_on(self, event: object) -> None:
        """Emit the signal of an event."""
        raise NotImplementedError

    @Slot()
    def _report_finished(self) -> None:
        self.ended.emit("finished", None)

    @Slot()
    def _report_cancelled(self) -> None:
        self.ended.emit("cancelled", None)

    @Slot(object)
    def _report_failed(self, error: BaseException) -> None:
        self.ended.emit("failed", error)


class GridRunner(_ManyRuns):
    """Runner of one grid of runs at a time.

    Signals:
        started: the trajectories of all cells; state 0 of each is there.
        went_on: number of a step, and how many cells have taken it; the others have not yet.
        stepped: number of a step that all cells have taken.
    """

    started = Signal(object)
    went_on = Signal(int, int)
    stepped = Signal(int)

    @property
    def budget_bytes(self) -> int:
        """Memory for the frames of a grid: half of that for a run, of which there may be one beside it."""
        return self._runner.budget_bytes // 2

    def start(self, request: GridRequest) -> None:
        """Run a grid; any other run of the model is cancelled for it; an older grid is not reported."""
        budget_bytes = self.budget_bytes
        self.submit(lambda engine, stop: access.sample_grid(engine, request, stop, budget_bytes))

    @Slot(object)
    def _hand_on(self, event: object) -> None:
        match event:
            case GridStarted():
                self.started.emit(event.trajectories)
            case GridPart():
                self.went_on.emit(event.number, event.cells)
            case GridStep():
                self.stepped.emit(event.number)


class ForkRunner(_ManyRuns):
    """Runner of the forks of one run, which tell what was decided by which of its steps.

    Signals:
        fork_ended: a `ForkEnded`.
        decided: the `Decision` of a step.
    """

    fork_ended = Signal(object)
    decided = Signal(object)

    def start(self, run: Trajectory, forks: int, known: Sequence[Decision], closer: bool, u_turn: bool) -> None:
        """Fork a complete run at its steps; any other run of the model is cancelled for it.

        Args:
            forks: so many at each step.
            known: what was measured before with as many.
            closer: look closer where something is decided between two steps.
            u_turn: turn back from its picture instead, and see what stays of that.
        """
        self.submit(lambda engine, stop: access.decisions(engine, run, forks, stop, known, closer, u_turn))

    @Slot(object)
    def _hand_on(self, event: object) -> None:
        match event:
            case ForkEnded():
                self.fork_ended.emit(event)
            case _:
                self.decided.emit(event)


class ClaimRunner(_ManyRuns):
    """Runner of the test of one claim at a time.

    Signals:
        went_on: a `ClaimProgress`.
        told: the `Outcome`.
    """

    went_on = Signal(object)
    told = Signal(object)

    def start(self, key: str, asked: ClaimRequest) -> None:
        """Test a claim by its key; any other run of the model is cancelled for it."""
        self.submit(lambda engine, stop: access.test_claim(engine, key, asked, stop))

    @Slot(object)
    def _hand_on(self, event: object) -> None:
        match event:
            case ClaimProgress():
                self.went_on.emit(event)
            case _:
                self.told.emit(event)


class InstrumentRunner(_ManyRuns):
    """Runner of one check of the instrument at a time.

    Signals:
        went_on: how many steps are taken, and how many are planned.
        checked: the `InstrumentCheck`.
    """

    went_on = Signal(int, int)
    checked = Signal(object)

    def start(self, request: RunRequest) -> None:
        """Check with the sampler and the steps of a request; any other run of the model is cancelled for it."""
        self.submit(lambda engine, stop: access.check_instrument(engine, request, stop))

    @Slot(object)
    def _hand_on(self, event: object) -> None:
        from sculptor_app.measures.instrument import CheckProgress  # numpy comes with it

        match event:
            case CheckProgress():
                self.went_on.emit(event.done, event.planned)
            case _:
                self.checked.emit(event)


@dataclass(frozen=True, slots=True, eq=False)
class _Noises:
    """The noises of a grid: a trajectory for each cell that holds its noise alone."""

    request: GridRequest
    trajectories: tuple[Trajectory, ...]


class NoisePreview(BackgroundTask):
    """Preview of the noises that a grid will start from, drawn in the background.

    Args:
        parent: the owner; call `shutdown` before it goes.

    Signals:
        drawn: the request that was asked about, and a trajectory for each cell that holds its noise alone.
        facts_known: what the model's folder says of it, a `ModelFacts`.
    """

    drawn = Signal(object, object)
    facts_known = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__("noise preview", parent)
        self.produced.connect(self._hand_on)

    def draw(self, model: str | None, request: GridRequest | None) -> None:
        """Read a model's facts, and draw the noises of a grid; what was asked before and is not there yet is dropped.

        Args:
            request: None where there is no grid whose noises are to be seen.
        """

        def job(stop: threading.Event) -> Iterator[object]:
            yield access.model_facts(model)
            if request is not None:
                yield _Noises(request, access.grid_noises(request))

        self.start(job)

    @Slot(object)
    def _hand_on(self, item: object) -> None:
        match item:
            case _Noises():
                self.drawn.emit(item.request, item.trajectories)
            case _:
                self.facts_known.emit(item)


class Measuring(BackgroundTask):
    """Measuring of a run that came without measures, as those of a grid do, in the background; the newest wins.

    Args:
        parent: the owner; call `shutdown` before it goes.

    Signals:
        measured: the trajectory and its `RunMeasures`.
    """

    measured = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__("measures", parent)
        self.produced.connect(self._hand_on)

    def measure(self, trajectory: AnyTrajectory) -> None:
        """Measure all states that a run has so far."""

        def job(stop: threading.Event) -> Iterator[object]:
            from sculptor_app.measures.run_measures import RunMeasures  # numpy comes with it

            measures = RunMeasures(trajectory.planned_steps, trajectory.info.space)
            for k in range(trajectory.last + 1):
                if stop.is_set():
                    return
                measures.append(trajectory, k)
            yield trajectory, measures

        self.start(job)

    @Slot(object)
    def _hand_on(self, item: tuple[AnyTrajectory, object]) -> None:
        self.measured.emit(*item)
