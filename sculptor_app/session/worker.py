"""A long-lived worker thread that runs plain Python generators, and the handle of each run.

It knows nothing of diffusion: a job is a callable that is given an event and returns an iterator. Idea: superqt's
generator workers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Qt, QThread, Signal, Slot

PATIENCE_MS = 10
"""How long a thread is waited for before this one's events have their turn again."""

Job = Callable[[threading.Event], Iterator[object]]
"""Called in the worker thread with the event that asks it to stop; what its iterator yields is handed on."""


class Outcome(Enum):
    """How a run ended."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Run(QObject):
    """Handle of one job: its results and its end, in the thread that the handle was made in.

    It ends with exactly one of `finished`, `cancelled` and `failed`. A newer run in the same thread cancels it: nothing
    that it yields comes out from then on, only its end is reported.

    Attributes:
        stop_requested: asks the job to stop; it is read between steps and within one.
        outcome: how it ended; None before.

    Signals:
        produced: what the job yielded, or reported while it worked.
        finished: the job came to its end.
        cancelled: it was stopped.
        failed: the exception, its traceback attached.
    """

    produced = Signal(object)
    finished = Signal()
    cancelled = Signal()
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()  # without a parent: whoever holds the handle may ask it long after its end
        self.stop_requested = threading.Event()
        self.outcome: Outcome | None = None

    @Slot()
    def stop(self) -> None:
        """Ask the job to stop; the end comes later, by signal."""
        self.stop_requested.set()

    def ignore(self) -> None:
        """Silence the handle: no item and no end comes out any more."""
        self.blockSignals(True)

    def receive(self, item: object) -> None:
        """Hand on an item of the job."""
        self.produced.emit(item)

    def end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        """Report how the job ended."""
        self.outcome = outcome
        match outcome:
            case Outcome.FINISHED:
                self.finished.emit()
            case Outcome.CANCELLED:
                self.cancelled.emit()
            case Outcome.FAILED:
                self.failed.emit(error)


class _Worker(QObject):
    """The object that lives in the worker thread and works through one job after another.

    Signals:
        produced: number of the job and what it yielded.
        ended: number of the job, its Outcome, and the error or None; exactly once per job.
    """

    produced = Signal(int, object)
    ended = Signal(int, object, object)

    def __init__(self, cancelled_by: tuple[type[BaseException], ...]) -> None:
        super().__init__()
        self._cancelled_by = cancelled_by
        self._number = 0

    @Slot(int, object, object)
    def run(self, number: int, job: Job, stop: threading.Event) -> None:
        """Work through one job; whatever happens in it, one `ended` follows."""
        self._number = number
        outcome, error = Outcome.FINISHED, None
        try:
            if stop.is_set() or not self._iterate(job, stop):
                outcome = Outcome.CANCELLED
        except self._cancelled_by:
            outcome = Outcome.CANCELLED
        except BaseException as caught:  # an exception that left this slot would end nothing and emit nothing
            outcome, error = Outcome.FAILED, caught
        self.ended.emit(number, outcome, error)

    def report(self, item: object) -> None:
        """Hand on an item of the job that runs; called by that job."""
        self.produced.emit(self._number, item)

    def _iterate(self, job: Job, stop: threading.Event) -> bool:
        """Whether the job came to its own end."""
        items = job(stop)
        for item in items:
            self.report(item)
            if stop.is_set():
                close: Any = getattr(items, "close", None)
                if close is not None:
                    close()
                return False
        return True


class JobThread(QObject):
    """A thread for jobs, of which only the newest goes on.

    Starting a job while another runs cancels that one. What the older one yields after that is dropped here and nowhere
    else, so a receiver never sees an item of a run that is not the newest.

    Args:
        cancelled_by: exceptions by which a job says that it has obeyed the event; they end it as cancelled.
        parent: the owner; call `shutdown` or `retire` before it goes.
        name: of the thread.

    Signals (in the thread this object lives in):
        ended: a run's own signal has reported its end.
    """

    ended = Signal()
    _requested = Signal(int, object, object)

    def __init__(
        self, cancelled_by: tuple[type[BaseException], ...] = (), parent: QObject | None = None, name: str = "worker"
    ) -> None:
        super().__init__(parent)
        self._newest = 0
        # By number: a handle must not cross to the worker thread, which could be the last to let go of it.
        self._runs: dict[int, Run] = {}
        self._closed = False
        self._thread = QThread()
        self._thread.setObjectName(name)
        self._worker = _Worker(cancelled_by)
        self._worker.moveToThread(self._thread)
        self._requested.connect(self._worker.run, Qt.ConnectionType.QueuedConnection)
        self._worker.produced.connect(self._hand_on, Qt.ConnectionType.QueuedConnection)
        self._worker.ended.connect(self._end, Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether any run has not yet been reported as ended."""
        return bool(self._runs)

    @property
    def has_ended(self) -> bool:
        """Whether its thread runs no more."""
        return not self._thread.isRunning()

    def start(self, job: Job, run: Run | None = None) -> Run:
        """Run a job as soon as the thread is free; a run that still goes on is cancelled.

        Args:
            run: The handle to use; None makes one.

        Raises:
            RuntimeError: after `shutdown`.
        """
        if self._closed:
            raise RuntimeError("the worker thread has been shut down; make a new JobThread")
        self.cancel()
        run = Run() if run is None else run
        self._newest += 1
        self._runs[self._newest] = run
        if not self._thread.isRunning():
            self._thread.start()
        self._requested.emit(self._newest, job, run.stop_requested)
        return run

    def report(self, item: object) -> None:
        """Hand on an item besides those that a job yields; to be called by the job, in the worker thread."""
        self._worker.report(item)

    @Slot()
    def cancel(self) -> None:
        """Ask all runs to stop; each of them still ends with its own signal."""
        for run in self._runs.values():
            run.stop_requested.set()

    def retire(self, keeper: RetiredThreads) -> None:
        """Cancel, report nothing more, and let the thread end by itself: nobody waits for the step that it computes.

        Args:
            keeper: Holds this until the thread has ended; the owner may go before.
        """
        self._closed = True
        self.cancel()
        for run in self._runs.values():
            run.ignore()
        if self._thread.isRunning():
            self.setParent(None)  # which goes, and would destroy a thread that runs
            keeper.keep(self)
            self._thread.finished.connect(keeper.let_go_of_ended)
            self._thread.quit()

    def shutdown(self) -> None:
        """Cancel, wait for the thread however long its step takes, and deliver the end signals that are due.

        Meanwhile this thread's timers, and what other threads have to say, go on.
        """
        self._closed = True
        self.cancel()
        if self._thread.isRunning():
            # It comes after the jobs that are still queued, each of which ends at once: their events are set.
            self._thread.quit()
            # No loop of its own: that would also delete what was to go only when this function has returned.
            while not self._thread.wait(PATIENCE_MS):
                QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        QCoreApplication.sendPostedEvents(self)
        for number in list(self._runs):  # the loop was left before these were begun
            self._end(number, Outcome.CANCELLED, None)

    @Slot(int, object)
    def _hand_on(self, number: int, item: object) -> None:
        if number == self._newest and not self._closed:
            self._runs[number].receive(item)

    @Slot(int, object, object)
    def _end(self, number: int, outcome: Outcome, error: BaseException | None) -> None:
        run = self._runs.pop(number, None)
        if run is not None:
            run.end(outcome, error)
            self.ended.emit()


class RetiredThreads(QObject):
    """Threads that nobody waits for, kept until they have ended.

    Args:
        parent: the owner; call `finish` before it goes.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: set[JobThread] = set()

    @property
    def is_empty(self) -> bool:
        """Whether all of them have ended."""
        return not self._kept

    def keep(self, jobs: JobThread) -> None:
        """Hold one that was retired."""
        self._kept.add(jobs)

    @Slot()
    def let_go_of_ended(self) -> None:
        """Drop those whose thread has ended."""
        self._kept = {jobs for jobs in self._kept if not jobs.has_ended}

    def finish(self) -> None:
        """Wait for those that have not ended: a program must not go before them."""
        for jobs in list(self._kept):
            jobs.shutdown()
        self._kept.clear()
