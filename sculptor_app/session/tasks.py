"""Tasks: one job at a time, of which the newest wins; in a thread of their own, or with the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.errors import Cancelled
from sculptor_app.session.engine import Work
from sculptor_app.session.runner import ModelRun, SamplingRunner
from sculptor_app.session.worker import Job, JobThread, RetiredThreads, Run


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is: so much of the whole, in units of its own."""

    done: int
    total: int


class Task(QObject):
    """Base of tasks: reports its newest run by signal, and no older one.

    Signals:
        busy_changed: whether a run was started and has not ended.
        produced: what the run yielded, or reported while it worked.
        finished: it came to its end.
        cancelled: it was stopped.
        failed: the exception.
    """

    busy_changed = Signal(bool)
    produced = Signal(object)
    finished = Signal()
    cancelled = Signal()
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._run: Run | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a run was started and has not ended."""
        return self._run is not None

    @Slot()
    def stop(self) -> None:
        """Stop the run; its end comes later, by signal."""
        if self._run is not None:
            self._run.stop()

    def _follow(self, start: Callable[[], Run]) -> None:
        """Start a run; an older one is stopped for it, and not reported."""
        was_busy = self.is_busy
        if self._run is not None:
            self._run.ignore()
        run = self._run = start()
        run.produced.connect(self._receive)
        run.finished.connect(self._finish)
        run.cancelled.connect(self._cancel)
        run.failed.connect(self._fail)
        if not was_busy:
            self.busy_changed.emit(True)

    def _let_go(self) -> None:
        """Report nothing more of the run: it has ended, or its end does not matter."""
        if self._run is not None:
            self._run.ignore()
            self._run = None
            self.busy_changed.emit(False)

    @Slot(object)
    def _receive(self, item: object) -> None:
        self.produced.emit(item)

    @Slot()
    def _finish(self) -> None:
        self._let_go()
        self.finished.emit()

    @Slot()
    def _cancel(self) -> None:
        self._let_go()
        self.cancelled.emit()

    @Slot(object)
    def _fail(self, error: BaseException) -> None:
        self._let_go()
        self.failed.emit(error)


class BackgroundTask(Task):
    """Task in a thread of its own, beside the runs of the model.

    Args:
        parent: the owner; call `shutdown` or `retire` before it goes.
        cancelled_by: exceptions by which a job says that it has obeyed its event.
    """

    def __init__(
        self,
        name: str,
        parent: QObject | None = None,
        cancelled_by: tuple[type[BaseException], ...] = (Cancelled,),
    ) -> None:
        super().__init__(parent)
        self._jobs = JobThread(cancelled_by, self, name)

    def start(self, job: Job) -> None:
        """Start a job; the one that goes on is stopped for it."""
        self._follow(lambda: self._jobs.start(job))

    def report(self, item: object) -> None:
        """Hand on an item besides those that the job yields; to be called by the job, in its thread."""
        self._jobs.report(item)

    def report_progress(self, done: int, total: int) -> None:
        """Hand on a `Progress`; to be called by the job, in its thread."""
        self.report(Progress(done, total))

    def drop(self) -> None:
        """Stop the job, and report nothing more of it."""
        self._jobs.cancel()
        self._let_go()

    def retire(self, keeper: RetiredThreads) -> None:
        """Stop the job without waiting for it, and report nothing more; see `JobThread.retire`."""
        self._jobs.retire(keeper)
        self._let_go()

    @Slot()
    def shutdown(self) -> None:
        """Stop the job and wait for the thread."""
        self._jobs.shutdown()


class ModelTask(Task):
    """Task in the model's thread; any other run of the model is stopped for it.

    Args:
        runner: Does the model's work; a run of another page ends this one.
        was_asked_for: By a person, and not begun by the program itself.

    Signals:
        loading: a `LoadingProgress`, while the model is loaded for it.
    """

    loading = Signal(object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None, was_asked_for: bool = True) -> None:
        super().__init__(parent)
        self._runner, self._was_asked_for = runner, was_asked_for

    def submit(self, work: Work) -> None:
        """Begin to work with the model; the run before is stopped for it."""
        self._follow(lambda: self._submitted(work))

    def drop(self) -> None:
        """Stop the work, and report nothing more of it."""
        self.stop()
        self._let_go()

    def _submitted(self, work: Work) -> ModelRun:
        run = self._runner.submit(work, self._was_asked_for)
        run.loading.connect(self.loading)
        return run
