"""Background tasks: what runs in a thread of its own, beside whatever the model does."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.errors import Cancelled
from sculptor_app.session.worker import Job, JobThread, Run


class BackgroundTask(QObject):
    """Runs one job at a time in a thread of its own; the newest wins, and nothing more is heard of an older one.

    Args:
        name: of the thread.
        parent: the owner; call `shutdown` before it goes.
        cancelled_by: exceptions by which a job says that it has obeyed its event.

    Signals:
        busy_changed: whether a job was started and has not ended.
        produced: what the job yielded, or reported while it worked.
        finished: the job came to its end.
        cancelled: it was stopped.
        failed: the exception.
    """

    busy_changed = Signal(bool)
    produced = Signal(object)
    finished = Signal()
    cancelled = Signal()
    failed = Signal(object)

    def __init__(
        self,
        name: str,
        parent: QObject | None = None,
        cancelled_by: tuple[type[BaseException], ...] = (Cancelled,),
    ) -> None:
        super().__init__(parent)
        self._jobs = JobThread(cancelled_by, self, name)
        self._run: Run | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a job was started and has not ended."""
        return self._run is not None

    def start(self, job: Job) -> None:
        """Start a job; the one that goes on is stopped for it, without a word."""
        was_busy = self.is_busy
        if self._run is not None:
            self._run.ignore()
        run = self._run = Run()
        run.produced.connect(self._receive)
        run.finished.connect(self._finish)
        run.cancelled.connect(self._cancel)
        run.failed.connect(self._fail)
        self._jobs.start(job, run)
        if not was_busy:
            self.busy_changed.emit(True)

    def report(self, item: object) -> None:
        """Hand on an item besides those that the job yields; to be called by the job, in its thread."""
        self._jobs.report(item)

    @Slot()
    def stop(self) -> None:
        """Stop the job; its end is still to come."""
        self._jobs.cancel()

    def drop(self) -> None:
        """Stop the job, and hear nothing more of it."""
        self._jobs.cancel()
        if self._run is not None:
            self._run.ignore()
            self._end()

    @Slot()
    def shutdown(self) -> None:
        """Stop the job and wait for the thread."""
        self._jobs.shutdown()

    @Slot(object)
    def _receive(self, item: object) -> None:
        self.produced.emit(item)

    @Slot()
    def _finish(self) -> None:
        self._end()
        self.finished.emit()

    @Slot()
    def _cancel(self) -> None:
        self._end()
        self.cancelled.emit()

    @Slot(object)
    def _fail(self, error: BaseException) -> None:
        self._end()
        self.failed.emit(error)

    def _end(self) -> None:
        self._run = None
        self.busy_changed.emit(False)
