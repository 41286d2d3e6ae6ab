"""One long-lived thread that works through plain Python generators and tells the GUI thread what came of them.

It knows nothing of diffusion: a job is a callable that is given an event and returns an iterator. Idea: superqt's
generator workers.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, Signal, Slot

Job = Callable[[threading.Event], Iterator[object]]
"""Called in the worker thread with the event that asks it to stop; what its iterator yields is handed on."""


class _Worker(QObject):
    """Lives in the worker thread; one run after another.

    Signals:
        produced: run id and what the job yielded.
        ended: run id, "finished", "cancelled" or "failed", and the error or None; exactly once per run.
    """

    produced = Signal(int, object)
    ended = Signal(int, str, object)

    def __init__(self, cancelled_by: tuple[type[BaseException], ...]) -> None:
        super().__init__()
        self._cancelled_by = cancelled_by

    @Slot(int, object, object)
    def run(self, run_id: int, job: Job, stop: threading.Event) -> None:
        """Work through one job; whatever happens in it, one `ended` follows."""
        outcome, error = "finished", None
        try:
            if stop.is_set() or not self._iterate(run_id, job, stop):
                outcome = "cancelled"
        except self._cancelled_by:
            outcome = "cancelled"
        except BaseException as caught:  # an exception that left this slot would end nothing and emit nothing
            outcome, error = "failed", caught
        self.ended.emit(run_id, outcome, error)

    def _iterate(self, run_id: int, job: Job, stop: threading.Event) -> bool:
        """Whether the job came to its own end."""
        items = job(stop)
        for item in items:
            self.produced.emit(run_id, item)
            if stop.is_set():
                close: Any = getattr(items, "close", None)
                if close is not None:
                    close()
                return False
        return True


class JobThread(QObject):
    """Runs jobs in one thread, the newest of them only.

    Starting a job while another runs cancels that one; what the older one still yields is dropped here, so a receiver
    never sees an item of a run that is not the newest. Every run that was started ends with exactly one signal.

    Args:
        cancelled_by: exceptions by which a job says that it has obeyed the event; they end it as cancelled.
        parent: the owner; call `shutdown` before it goes.

    Signals (in the thread this object lives in):
        produced: run id and item.
        finished: run id; the job came to its end.
        cancelled: run id.
        failed: run id and the exception, its traceback attached.
    """

    produced = Signal(int, object)
    finished = Signal(int)
    cancelled = Signal(int)
    failed = Signal(int, object)
    _requested = Signal(int, object, object)

    def __init__(
        self, cancelled_by: tuple[type[BaseException], ...] = (), parent: QObject | None = None, name: str = "worker"
    ) -> None:
        super().__init__(parent)
        self._newest = 0
        self._stops: dict[int, threading.Event] = {}
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
        return bool(self._stops)

    @property
    def newest(self) -> int:
        """Id of the run that was started last; 0 before the first."""
        return self._newest

    def start(self, job: Job) -> int:
        """Run a job as soon as the thread is free; a run that still goes on is cancelled.

        Returns:
            The run's id, larger than all before.

        Raises:
            RuntimeError: after `shutdown`.
        """
        if self._closed:
            raise RuntimeError("the worker thread has been shut down; make a new JobThread")
        self.cancel()
        self._newest += 1
        stop = self._stops[self._newest] = threading.Event()
        if not self._thread.isRunning():
            self._thread.start()
        self._requested.emit(self._newest, job, stop)
        return self._newest

    def cancel(self) -> None:
        """Ask all runs to stop; each of them still ends with its own signal."""
        for stop in self._stops.values():
            stop.set()

    def shutdown(self) -> None:
        """Cancel, wait for the thread however long its step takes, and deliver the end signals that are due."""
        self._closed = True
        self.cancel()
        if self._thread.isRunning():
            # `quit` comes after the jobs that are still queued, each of which ends at once: their events are set.
            self._thread.quit()
            self._thread.wait()
        QCoreApplication.sendPostedEvents(self)
        for run_id in list(self._stops):  # the loop was left before these were begun
            self._end(run_id, "cancelled", None)

    @Slot(int, object)
    def _hand_on(self, run_id: int, item: object) -> None:
        if run_id == self._newest and not self._closed:
            self.produced.emit(run_id, item)

    @Slot(int, str, object)
    def _end(self, run_id: int, outcome: str, error: BaseException | None) -> None:
        if self._stops.pop(run_id, None) is None:
            return
        if outcome == "failed":
            self.failed.emit(run_id, error)
        else:
            (self.finished if outcome == "finished" else self.cancelled).emit(run_id)
