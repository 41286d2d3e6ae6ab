"""A training run in the background, beside the sampler: begin, pause, go on, stop, inspect a folder, export a model.

torch and the network are used in the background thread alone; what comes out are records of `training.records.events`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.session import engine as access
from sculptor_app.session.tasks import BackgroundTask
from sculptor_app.training.records.events import Begun, Learned, RunSummary
from sculptor_app.training.records.plan import Plan
from sculptor_app.training.records.run_folder import read_run

if TYPE_CHECKING:
    from sculptor_app.session.engine import Learning


class TrainingState(Enum):
    """State of a training run in memory."""

    IDLE = "idle"
    PREPARING = "preparing"
    LEARNING = "learning"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    WRITING = "writing"


@dataclass(frozen=True, slots=True)
class _Inspected:
    """What is in a folder; None where a run can be begun."""

    folder: Path
    run: RunSummary | None


@dataclass(frozen=True, slots=True)
class _Exported:
    model: Path


class TrainingRunner(QObject):
    """Runner of one training run at a time; call `shutdown` before its owner goes.

    Signals:
        state_changed: a TrainingState.
        progressed: a record of `training.records.events`, in order.
        inspected: a folder, and the `RunSummary` in it or None where a run can be begun.
        exported: folder of the model that was asked for.
        failed: the exception; the run is let go of, and its last checkpoint is whole.
    """

    state_changed = Signal(object)
    progressed = Signal(object)
    inspected = Signal(object, object)
    exported = Signal(str)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._learning: Learning | None = None  # used in the thread; let go of here, when that thread is at rest
        self._state = TrainingState.IDLE
        self._is_over = False  # the run in memory has nothing more to learn
        self._then = TrainingState.IDLE  # after what is being written
        self._to_inspect: Path | None = None
        self._task = BackgroundTask("training", self, cancelled_by=())
        self._task.produced.connect(self._take)
        self._task.finished.connect(self._end)
        self._task.cancelled.connect(self._end)
        self._task.failed.connect(self._fail)

    @property
    def state(self) -> TrainingState:
        """State of the training run now."""
        return self._state

    def start(self, folder: Path, plan: Plan) -> None:
        """Begin a run, or go on with the one in the folder; nothing while one is in memory."""
        if self._state is TrainingState.IDLE:

            def job(stop: threading.Event) -> Iterator[object]:
                self._learning = access.begin_training(folder, plan)
                return self._learning.go(stop)

            self._is_over = False
            self._set_state(TrainingState.PREPARING)
            self._task.start(job)

    @Slot()
    def pause(self) -> None:
        """Keep a checkpoint and wait, with everything in memory; a run that is still being made is stopped."""
        if self._state is TrainingState.LEARNING:
            self._set_state(TrainingState.PAUSING)
            self._task.stop()
        elif self._state is TrainingState.PREPARING:
            self.stop()

    @Slot()
    def resume(self) -> None:
        """Go on with what was paused."""
        if self._state is TrainingState.PAUSED and self._learning is not None:
            self._set_state(TrainingState.LEARNING)
            self._task.start(self._learning.go)

    @Slot()
    def stop(self) -> None:
        """Keep a checkpoint and let go of the run."""
        if self._state is TrainingState.PAUSED:
            self._let_go()
        elif self._state in (TrainingState.PREPARING, TrainingState.LEARNING, TrainingState.PAUSING):
            self._set_state(TrainingState.STOPPING)
            self._task.stop()

    def inspect(self, folder: Path) -> None:
        """Ask what is in a folder; answered by `inspected` or `failed` once no run is in memory."""
        self._to_inspect = folder
        self._inspect_next()

    def export(self, folder: Path) -> None:
        """Make a model of a run's last checkpoint; answered by `exported` or `failed`."""
        if self._state in (TrainingState.IDLE, TrainingState.PAUSED):

            def job(stop: threading.Event) -> Iterator[object]:
                yield _Exported(access.export_training(folder))

            self._then = self._state
            self._set_state(TrainingState.WRITING)
            self._task.start(job)

    @Slot()
    def shutdown(self) -> None:
        """Keep a checkpoint, wait for the thread, and let go of the run."""
        self._to_inspect = None
        self._task.shutdown()
        self._close()

    @Slot(object)
    def _take(self, item: object) -> None:
        match item:
            case _Inspected():
                self.inspected.emit(item.folder, item.run)
            case _Exported():
                self.exported.emit(str(item.model))
            case _:
                if isinstance(item, Begun) and self._state is TrainingState.PREPARING:
                    self._set_state(TrainingState.LEARNING)
                self._is_over = isinstance(item, Learned)
                self.progressed.emit(item)

    @Slot()
    def _end(self) -> None:
        """A job has ended: it saw its event by itself, or it was closed."""
        if self._state is TrainingState.WRITING:
            self._set_state(self._then)
        elif self._state is TrainingState.PAUSING and not self._is_over:
            self._set_state(TrainingState.PAUSED)
        elif self._state is not TrainingState.IDLE:
            self._let_go()
        self._inspect_next()

    @Slot(object)
    def _fail(self, error: BaseException) -> None:
        if self._state is TrainingState.WRITING:
            self._set_state(self._then)
        elif self._state is not TrainingState.IDLE:
            self._let_go()
        self.failed.emit(error)
        self._inspect_next()

    def _let_go(self) -> None:
        self._close()
        self._set_state(TrainingState.IDLE)

    def _close(self) -> None:
        learning, self._learning = self._learning, None
        if learning is not None:
            learning.close()

    def _inspect_next(self) -> None:
        if self._to_inspect is not None and self._state is TrainingState.IDLE:
            folder, self._to_inspect = self._to_inspect, None

            def job(stop: threading.Event) -> Iterator[object]:
                yield _Inspected(folder, read_run(folder))

            self._task.start(job)

    def _set_state(self, state: TrainingState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)
