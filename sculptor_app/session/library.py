"""The library of runs in the background: what has ended is written to it, one run after the other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.session.tasks import BackgroundTask

if TYPE_CHECKING:  # numpy comes with these
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.library import Library

PATIENT_BYTES = 256 * 10**6
"""Of frames: the window waits for a run of this size to be written when it is closed, and gives up a larger one."""


class LibraryWriter(QObject):
    """Writes runs that have ended; call `shutdown` before its parent goes.

    Signals:
        kept: a run is in the library now; its file.
        failed: a run could not be written; the exception.
    """

    kept = Signal(object)
    failed = Signal(object)

    def __init__(self, folder: Path, budget_bytes: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder, self._budget_bytes = folder, budget_bytes
        self._library: Library | None = None
        self._waiting: deque[AnyTrajectory] = deque()
        self._written: AnyTrajectory | None = None  # while it is asked to be written
        self._begun = threading.Event()
        self._is_closed = False
        self._task = BackgroundTask("library", self)
        self._task.produced.connect(self.kept)
        self._task.finished.connect(self._go_on)
        self._task.cancelled.connect(self._go_on_after_stop)
        self._task.failed.connect(self._fail)

    @property
    def library(self) -> Library:
        """The library; numpy is imported for it when it is first asked for."""
        if self._library is None:
            from sculptor_app.core.trajectory.library import Library

            self._library = Library(self._folder, self._budget_bytes)
        return self._library

    @property
    def budget_bytes(self) -> int:
        """Most bytes of the runs that nobody has named; 0 keeps none from now on."""
        return self._budget_bytes

    @budget_bytes.setter
    def budget_bytes(self, count: int) -> None:
        self._budget_bytes = count
        if self._library is not None:
            self._library.budget_bytes = count

    @property
    def is_busy(self) -> bool:
        """Whether a run is being written, or waits for it."""
        return self._task.is_busy or bool(self._waiting)

    def keep(self, run: AnyTrajectory) -> None:
        """Write a run as soon as those before it are written; what comes to it later is not in the file."""
        if not self._budget_bytes or run.last < 1:
            return
        self._waiting.append(run)
        if not self._task.is_busy:
            self._go_on()

    @Slot()
    def shutdown(self) -> None:
        """Write what is small, give the rest up, and wait."""
        self._is_closed = True
        self._task.shutdown()
        for run in self._waiting:
            if _is_small(run):
                try:
                    self.library.keep(run)
                except Exception:
                    return

    @Slot()
    def _go_on(self) -> None:
        self._written = None
        if not self._waiting or self._is_closed:
            return
        run, library = self._waiting.popleft(), self.library
        begun = self._begun = threading.Event()
        self._written = run

        def job(stop: threading.Event) -> Iterator[object]:
            begun.set()
            path = library.keep(run, None if _is_small(run) else stop)
            if path is not None:
                yield path

        self._task.start(job)

    @Slot()
    def _go_on_after_stop(self) -> None:
        run = self._written
        if run is not None and _is_small(run) and not self._begun.is_set():
            self._waiting.appendleft(run)  # all work was stopped before its turn came; once begun, it is written whole
        self._go_on()

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self.failed.emit(error)
        self._go_on()


def _is_small(run: AnyTrajectory) -> bool:
    return run.bytes_in_memory + run.bytes_on_disk <= PATIENT_BYTES
