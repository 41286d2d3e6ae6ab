"""The ways back from a picture: carved again from a level, or by way of the noise that it is carved out of."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.session.runner import SamplingRunner


def start_from_picture(
    picture: Any, name: str, first_step: int, static: Any = None
) -> Callable[[Any, RunRequest], Any]:
    """A start that a run in the worker thread makes for itself, as only there the model's size is known.

    Args:
        picture: (3, H, W) float32 in [-1, 1], of any size.
        name: of the picture.
        first_step: the run's first step, 1 to its number of steps.
        static: what it drowned in; the run starts with it where it has the model's size, else with its seed's noise.
    """

    def make(engine: Any, request: RunRequest) -> Any:
        start = importlib.import_module("sculptor_app.core.requests.start")
        at_size = fitted(engine, request, picture)
        noise = static if static is not None and static.shape == at_size.shape else None
        return start.Start(picture=at_size, noise=noise, first_step=first_step, origin=name)

    return make


def fitted(engine: Any, request: RunRequest, picture: Any) -> Any:
    """The middle of a picture, brought to the size of a request's model.

    Raises:
        RequestError: The model is of another kind, which is told pictures in its own way.
    """
    size = getattr(engine.load(request.model, request.device), "picture_size", None)
    if size is None:
        raise RequestError(
            "This model takes pictures in its own way, or none; open the embedded model, or one that was learned here."
        )
    return importlib.import_module("sculptor_app.core.pictures.fitting").fit_square(picture, size)


class Inverting(QObject):
    """Looks for the noise of one picture at a time.

    Signals:
        changed: `is_busy`, `done` or `planned`.
        inverted: the `diffusion.studies.inversion.Inversion` and the request to carve it back with.
        failed: the exception.
    """

    changed = Signal()
    inverted = Signal(object, object)
    failed = Signal(object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._run_id = 0
        self._request: RunRequest | None = None
        self.done = self.planned = 0
        runner.produced.connect(self._take)
        for signal in (runner.finished, runner.cancelled):
            signal.connect(self._end)
        runner.failed.connect(self._fail)

    @property
    def is_busy(self) -> bool:
        """Whether a noise is being looked for."""
        return self._request is not None

    def invert(self, request: RunRequest, picture: Any, name: str) -> None:
        """Find the noise that a request's model carves this picture out of; what else runs is stopped for it.

        Args:
            request: model, device, conditions and steps; the sampler is DDIM, and guidance is none, which is exact.
            picture: (3, H, W) float32 in [-1, 1], of any size.
            name: of the picture.
        """
        self._request = replace(request, sampler="ddim", guidance=1.0)
        self.done, self.planned = 0, request.steps
        wanted = self._request

        def work(engine: Any, stop: threading.Event) -> Iterator[object]:
            inversion = importlib.import_module("sculptor_app.diffusion.studies.inversion")
            engine.load(wanted.model, wanted.device, stop)
            yield from inversion.invert(engine, wanted, fitted(engine, wanted, picture), stop, name=name)

        self._run_id = self._runner.newest + 1
        self._runner.submit(work)
        self.changed.emit()

    @Slot()
    def stop(self) -> None:
        """Give up, within a step."""
        if self.is_busy and self._runner.newest == self._run_id:
            self._runner.stop()

    @Slot(int, object)
    def _take(self, run_id: int, item: Any) -> None:
        if run_id != self._run_id:
            return
        if hasattr(item, "noise"):
            request = self._request
            self._end(run_id)
            self.inverted.emit(item, request)
        else:
            self.done = item.done
            self.changed.emit()

    @Slot(int)
    def _end(self, run_id: int) -> None:
        if run_id == self._run_id and self._request is not None:
            self._request = None
            self.changed.emit()

    @Slot(int, object)
    def _fail(self, run_id: int, error: Exception) -> None:
        if run_id == self._run_id:
            self._end(run_id)
            self.failed.emit(error)
