"""Learning in a thread of its own, which goes on while a person carves: begin, pause, go on, stop, look at a run.

torch and the model that learns are used in that thread alone; what comes out of it are records of `training.events`.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.session.worker import Job, JobThread
from sculptor_app.training.loop.events import Begun, Learned
from sculptor_app.training.loop.plan import Plan

LEARNING_MODULE = "sculptor_app.training.loop.live"


class TrainingState(Enum):
    """What the learner is doing."""

    IDLE = "idle"
    PREPARING = "preparing"
    LEARNING = "learning"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    WRITING = "writing"


class TrainingRunner(QObject):
    """Runs one training run at a time and says what comes of it.

    Args:
        module: What the first job imports; it offers `Learning` and `export`.
        parent: The owner; call `shutdown` before it goes.

    Signals:
        state_changed: a LearnState.
        told: a record of `training.events`, in order.
        seen: a folder, and the `RunSeen` in it or None where a run can be begun.
        exported: folder of the model that was asked for.
        failed: the exception; the run is let go of, and its last checkpoint is whole.
    """

    state_changed = Signal(object)
    told = Signal(object)
    seen = Signal(object, object)
    exported = Signal(str)
    failed = Signal(object)

    def __init__(self, module: str = LEARNING_MODULE, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._module = module
        self._learning: Any = None  # used in the worker thread; let go of here, when that thread is at rest
        self._state = TrainingState.IDLE
        self._is_over = False  # the run in memory has nothing more to learn
        self._then = TrainingState.IDLE  # after what is being written
        self._looked_for: Path | None = None
        self._jobs = JobThread(parent=self, name="learning")
        self._jobs.produced.connect(self._take)
        self._jobs.finished.connect(self._end)
        self._jobs.cancelled.connect(self._end)
        self._jobs.failed.connect(self._fail)

    @property
    def state(self) -> TrainingState:
        """What the learner is doing now."""
        return self._state

    def start(self, folder: Path, plan: Plan) -> None:
        """Begin a run, or go on with the one in the folder; nothing while one is in memory."""
        if self._state is TrainingState.IDLE:
            self._is_over = False
            self._set_state(TrainingState.PREPARING)
            self._jobs.start(self._learn_job(folder, plan))

    @Slot()
    def pause(self) -> None:
        """Keep a checkpoint and wait, with everything in memory; a run that is still being made is stopped."""
        if self._state is TrainingState.LEARNING:
            self._set_state(TrainingState.PAUSING)
            self._jobs.cancel()
        elif self._state is TrainingState.PREPARING:
            self.stop()

    @Slot()
    def resume(self) -> None:
        """Go on with what was paused."""
        if self._state is TrainingState.PAUSED:
            self._set_state(TrainingState.LEARNING)
            self._jobs.start(self._go)

    @Slot()
    def stop(self) -> None:
        """Keep a checkpoint and let go of the run."""
        if self._state is TrainingState.PAUSED:
            self._let_go()
        elif self._state in (TrainingState.PREPARING, TrainingState.LEARNING, TrainingState.PAUSING):
            self._set_state(TrainingState.STOPPING)
            self._jobs.cancel()

    def look_at(self, folder: Path) -> None:
        """Ask what is in a folder; answered by `seen` or `failed` once no run is in memory."""
        self._looked_for = folder
        self._look_next()

    def export(self, folder: Path) -> None:
        """Make a model of a run's last checkpoint; answered by `exported` or `failed`."""
        if self._state in (TrainingState.IDLE, TrainingState.PAUSED):
            self._then = self._state
            self._set_state(TrainingState.WRITING)
            self._jobs.start(self._export_job(folder))

    @Slot()
    def shutdown(self) -> None:
        """Keep a checkpoint, wait for the thread, and let go of the run."""
        self._looked_for = None
        self._jobs.shutdown()
        self._close()

    # In the worker thread -----------------------------------------------------------------------------------------

    def _learn_job(self, folder: Path, plan: Plan) -> Job:
        def job(stop: threading.Event) -> Iterator[object]:
            self._learning = importlib.import_module(self._module).Learning(folder, plan)
            return self._go(stop)

        return job

    def _go(self, stop: threading.Event) -> Iterator[object]:
        return self._learning.go(stop)  # type: ignore[no-any-return]

    def _export_job(self, folder: Path) -> Job:
        def job(stop: threading.Event) -> Iterator[object]:
            yield importlib.import_module(self._module).export(folder)

        return job

    # In the GUI thread --------------------------------------------------------------------------------------------

    @Slot(int, object)
    def _take(self, run_id: int, item: Any) -> None:
        if self._state is TrainingState.IDLE:
            self.seen.emit(*item)
        elif self._state is TrainingState.WRITING:
            self.exported.emit(str(item))
        else:
            if isinstance(item, Begun) and self._state is TrainingState.PREPARING:
                self._set_state(TrainingState.LEARNING)
            self._is_over = isinstance(item, Learned)
            self.told.emit(item)

    @Slot(int)
    def _end(self, run_id: int) -> None:
        """A job has ended, be it that it saw the wish to stop by itself or that it was closed."""
        if run_id != self._jobs.newest:
            return
        if self._state is TrainingState.WRITING:
            self._set_state(self._then)
        elif self._state is TrainingState.PAUSING and not self._is_over:
            self._set_state(TrainingState.PAUSED)
        elif self._state is not TrainingState.IDLE:
            self._let_go()
        self._look_next()

    @Slot(int, object)
    def _fail(self, run_id: int, error: Exception) -> None:
        if run_id != self._jobs.newest:
            return
        if self._state is TrainingState.WRITING:
            self._set_state(self._then)
        elif self._state is not TrainingState.IDLE:
            self._let_go()
        self.failed.emit(error)
        self._look_next()

    def _let_go(self) -> None:
        self._close()
        self._set_state(TrainingState.IDLE)

    def _close(self) -> None:
        learning, self._learning = self._learning, None
        if learning is not None:
            learning.close()

    def _look_next(self) -> None:
        if self._looked_for is not None and self._state is TrainingState.IDLE:
            folder, self._looked_for = self._looked_for, None
            self._jobs.start(_look_job(folder))

    def _set_state(self, state: TrainingState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)


def _look_job(folder: Path) -> Job:
    def job(stop: threading.Event) -> Iterator[object]:
        module = importlib.import_module("sculptor_app.training.loop.run_folder")
        yield folder, module.look_at(folder)

    return job
