"""Opening a model, in the model's thread, and downloading one from the hub in the background."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from sculptor_app.session import engine as access
from sculptor_app.session.engine import OpenedModel
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.tasks import BackgroundTask, ModelTask

if TYPE_CHECKING:
    from sculptor_app.session.engine import Engine, Offer


@dataclass(frozen=True, slots=True)
class OpeningFailed:
    """Record of a model that was not opened."""

    is_loaded: bool  # whether the one before is still loaded


class ModelOpening(ModelTask):
    """Opening of one model at a time; the one before is unloaded for it.

    When it fails, requests go on naming the model before.

    Signals:
        opened: an `OpenedModel`.
    """

    opened = Signal(object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(runner, parent)
        self._is_loaded = True
        self.produced.connect(self._take)

    @property
    def is_loaded(self) -> bool:
        """Whether the model before is still loaded, where the newest was stopped or failed."""
        return self._is_loaded

    def open(self, model: str | None, device: str = "auto", *, convert_pickles: bool = False) -> None:
        """Open a model; a run that goes on is stopped for it.

        Args:
            model: Folder, checkpoint file or name in the hub's cache; None is the embedded one.
            convert_pickles: Whether its weights that are pickles are converted first, as a person has agreed to.
        """

        def work(engine: Engine, stop: threading.Event) -> Iterator[object]:
            try:
                if convert_pickles:
                    engine.convert_pickles(model, stop)
                pipeline = engine.load(model, device, stop)
            except BaseException:
                yield OpeningFailed(engine.device is not None)
                raise
            yield access.describe_model(engine, pipeline, model)

        self._is_loaded = True
        self.submit(work)

    @Slot(object)
    def _take(self, item: object) -> None:
        match item:
            case OpeningFailed():
                self._is_loaded = item.is_loaded
            case OpenedModel():
                self._let_go()
                self.opened.emit(item)


REPORT_MS = 100
"""How often a download says how far it is; pieces come by the hundred in a second."""


class ModelDownload(QObject):
    """Download of one model of the hub at a time, asked for first.

    Args:
        parent: the owner; call `shutdown` before it goes.

    Signals:
        offered: the `Offer` that was asked for; None where nothing has to be fetched.
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
        self._offer: Offer | None = None
        self._task = BackgroundTask("download", self)
        self._task.produced.connect(self._take)
        self._task.finished.connect(self._finish)
        self._task.cancelled.connect(self._cancel)
        self._task.failed.connect(self._fail)
        self._counted = self._reported = (0, 0)  # the first is written by the download's thread, in one piece
        self._clock = QTimer(self)
        self._clock.setInterval(REPORT_MS)
        self._clock.timeout.connect(self._report)

    @property
    def is_busy(self) -> bool:
        """Whether the hub is being asked, or a model fetched."""
        return self._task.is_busy

    def ask(self, name: str) -> None:
        """Ask the hub what fetching a model, by its repository's name "owner/name", would mean."""

        def job(stop: threading.Event) -> Iterator[object]:
            yield access.find_missing(name)

        self._offer = None
        self._task.start(job)

    def fetch(self, offer: Offer) -> None:
        """Fetch what was offered."""

        def job(stop: threading.Event) -> Iterator[object]:
            def count(done: int, total: int) -> None:
                self._counted = (done, total)

            access.download(offer, count, stop)
            yield from ()

        self._offer = offer
        self._counted = self._reported = (0, 0)
        self._task.start(job)
        self._clock.start()

    @Slot()
    def stop(self) -> None:
        """Give up; an answer that the hub has not given yet is not waited for."""
        if self._offer is None:
            self._task.drop()
        else:
            self._task.stop()

    @Slot()
    def shutdown(self) -> None:
        """End it and wait for the thread."""
        self._clock.stop()
        self._task.drop()
        self._task.shutdown()

    @Slot(object)
    def _take(self, offer: Offer | None) -> None:
        self._task.drop()
        self.offered.emit(offer)

    @Slot()
    def _report(self) -> None:
        if self._counted != self._reported:
            self._reported = self._counted
            self.progressed.emit(*self._reported)

    @Slot()
    def _finish(self) -> None:
        self._clock.stop()
        if self._offer is not None:
            self.fetched.emit(self._offer.name)

    @Slot()
    def _cancel(self) -> None:
        self._report()
        self._clock.stop()
        self.stopped.emit()

    @Slot(object)
    def _fail(self, error: BaseException) -> None:
        self._clock.stop()
        self.failed.emit(error)
