"""Opening a model in the worker thread, and downloading one from the hub in a thread of its own."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.parameter import ModelParameter, UnsupportedParameter
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.worker import JobThread


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that is loaded.

    Attributes:
        model: As a `RunRequest` names it; None is the embedded one.
        name: For people.
        kind: The class of its pipeline.
        controls: What a person can tell it.
        left_out: What its call takes besides, and why that is not on offer.
        samplers: It can be run with these, the first being the one to begin with.
    """

    model: str | None
    name: str
    kind: str
    controls: tuple[ModelParameter, ...]
    left_out: tuple[UnsupportedParameter, ...]
    samplers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpeningFailed:
    """A model was not opened.

    Attributes:
        is_loaded: Whether the one before is still loaded.
    """

    is_loaded: bool


class ModelOpening(QObject):
    """Opens one model at a time; the one before is unloaded for it.

    Signals:
        busy_changed: whether a model is being opened.
        opened: an `OpenedModel`.
        doing: what is done with the model now, a `diffusion.models.verdict.LoadingProgress`.
        stopped: it was given up.
        failed: the exception; requests go on naming the model before.
    """

    busy_changed = Signal(bool)
    opened = Signal(object)
    doing = Signal(object)
    stopped = Signal()
    failed = Signal(object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._run_id = 0
        self._busy = False
        self._is_loaded = True
        runner.loading.connect(self._hear)
        runner.produced.connect(self._take)
        runner.finished.connect(self._end)
        runner.cancelled.connect(self._cancel)
        runner.failed.connect(self._fail)

    @property
    def is_busy(self) -> bool:
        """Whether a model is being opened."""
        return self._busy

    @property
    def is_loaded(self) -> bool:
        """Whether the model before is still loaded, where the newest was stopped or failed."""
        return self._is_loaded

    def open(self, model: str | None, device: str = "auto") -> None:
        """Open a model; a run that goes on is stopped for it.

        Args:
            model: Folder, checkpoint file or name in the hub's cache; None is the embedded one.
            device: As a request names it.
        """
        self._run_id, self._is_loaded = self._runner.newest + 1, True
        self._set_busy(True)
        self._runner.submit(lambda engine, stop: _work(engine, model, device, stop))

    @Slot()
    def stop(self) -> None:
        """Give up."""
        if self._busy and self._runner.newest == self._run_id:
            self._runner.stop()

    @Slot(int, object)
    def _take(self, run_id: int, item: object) -> None:
        if run_id != self._run_id:
            return
        if isinstance(item, OpeningFailed):
            self._is_loaded = item.is_loaded
        else:
            self._end(run_id)
            self.opened.emit(item)

    @Slot(int, object)
    def _hear(self, run_id: int, doing: object) -> None:
        if run_id == self._run_id and self._busy:
            self.doing.emit(doing)

    @Slot(int)
    def _end(self, run_id: int) -> None:
        if run_id == self._run_id:
            self._set_busy(False)

    @Slot(int)
    def _cancel(self, run_id: int) -> None:
        if run_id == self._run_id and self._busy:
            self._end(run_id)
            self.stopped.emit()

    @Slot(int, object)
    def _fail(self, run_id: int, error: Exception) -> None:
        if run_id == self._run_id:
            self._end(run_id)
            self.failed.emit(error)

    def _set_busy(self, busy: bool) -> None:
        if busy != self._busy:
            self._busy = busy
            self.busy_changed.emit(busy)


def _work(engine: Any, model: str | None, device: str, stop: threading.Event) -> Iterator[object]:
    """In the worker thread: load it, and look at what it can be told."""
    try:
        pipeline = engine.load(model, device, stop)
    except BaseException:
        yield OpeningFailed(engine.device is not None)
        raise
    controls = importlib.import_module("sculptor_app.diffusion.pipelines.parameters")
    samplers = importlib.import_module("sculptor_app.diffusion.pipelines.compatibility")
    loading = importlib.import_module("sculptor_app.diffusion.sampling.engine")
    why_not = controls.why_not_callable(pipeline)
    if why_not:
        request = importlib.import_module("sculptor_app.core.requests.request")
        raise request.RequestError(f"{why_not} Choose a model that makes pictures from words, classes or pictures.")
    yield OpenedModel(
        model=model,
        name=loading.model_name(model),
        kind=type(pipeline).__name__,
        controls=controls.model_parameters(pipeline),
        left_out=controls.unsupported_parameters(pipeline),
        samplers=samplers.samplers_for(pipeline, engine.settings),
    )


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
            presence = importlib.import_module("sculptor_app.diffusion.models.hub.download")
            yield presence.find_missing(name)

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
