"""Asking the hub for a model and fetching it, in a thread of its own: carving goes on meanwhile."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from sculptor_app.core.errors import Cancelled
from sculptor_app.session.worker import JobThread

TELL_MS = 100
"""How often a download says how far it is; pieces come by the hundred in a second."""


class ModelDownload(QObject):
    """Has to do with one model of the hub at a time.

    Args:
        parent: the owner; call `shutdown` before it goes.

    Signals:
        offered: the `diffusion.models.hub.offer.Offer` that was asked for; None where nothing has to be fetched.
        progressed: bytes that are there and bytes of all. Objects, as they outgrow a C int.
        fetched: all of it is there; the model's name.
        stopped: the fetching was given up; what has come stays.
        failed: the exception.
    """

    offered = Signal(object)
    progressed = Signal(object, object)
    fetched = Signal(str)
    stopped = Signal()
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._offer: Any = None
        self._job_id = 0
        self._jobs = JobThread(cancelled_by=(Cancelled,), parent=self, name="downloading")
        self._jobs.produced.connect(self._take)
        self._jobs.finished.connect(self._finish)
        self._jobs.cancelled.connect(self._cancel)
        self._jobs.failed.connect(self._fail)
        self._counted = self._told = (0, 0)  # the first is written by the download's thread, in one piece
        self._clock = QTimer(self)
        self._clock.setInterval(TELL_MS)
        self._clock.timeout.connect(self._tell)

    @property
    def is_busy(self) -> bool:
        """Whether the hub is being asked, or a model fetched."""
        return self._job_id != 0

    def ask(self, name: str) -> None:
        """Ask the hub what fetching a model would mean.

        Args:
            name: The repository's, "owner/name".
        """

        def job(stop: threading.Event) -> Iterator[object]:
            presence = importlib.import_module("sculptor_app.diffusion.models.hub.presence")
            yield presence.offer_of_missing(name)

        self._offer = None
        self._job_id = self._jobs.start(job)

    def fetch(self, offer: Any) -> None:
        """Fetch what was offered."""

        def job(stop: threading.Event) -> Iterator[object]:
            def count(done: int, total: int) -> None:
                self._counted = (done, total)

            importlib.import_module("sculptor_app.diffusion.models.hub.download").download(offer, count, stop)
            yield offer

        self._offer = offer
        self._counted = self._told = (0, 0)
        self._job_id = self._jobs.start(job)
        self._clock.start()

    @Slot()
    def stop(self) -> None:
        """Give up; an answer of the hub that is still to come is not waited for."""
        self._jobs.cancel()
        if self._offer is None:
            self._job_id = 0

    @Slot()
    def shutdown(self) -> None:
        """End it and wait for the thread."""
        self._end()
        self._jobs.shutdown()

    def _end(self) -> None:
        self._job_id = 0
        self._clock.stop()

    @Slot(int, object)
    def _take(self, job_id: int, item: Any) -> None:
        if job_id == self._job_id and self._offer is None:
            self._end()
            self.offered.emit(item)

    @Slot()
    def _tell(self) -> None:
        if self._counted != self._told:
            self._told = self._counted
            self.progressed.emit(*self._told)

    @Slot(int)
    def _finish(self, job_id: int) -> None:
        if job_id == self._job_id:
            self._end()
            self.fetched.emit(self._offer.name)

    @Slot(int)
    def _cancel(self, job_id: int) -> None:
        if job_id == self._job_id:
            self._tell()
            self._end()
            self.stopped.emit()

    @Slot(int, object)
    def _fail(self, job_id: int, error: Exception) -> None:
        if job_id == self._job_id:
            self._end()
            self.failed.emit(error)
