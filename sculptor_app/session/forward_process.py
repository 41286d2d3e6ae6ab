"""The forward process of a picture, run in the background, and the reverse runs that bring the picture back."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app import folders
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import FORMS, MATERIALS, RequestError, RunRequest
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.worker import JobThread

log = logging.getLogger(__name__)

RENDER_PX = 256
"""Edge of a fresh render: large enough to look at, made in about a second on one core."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A person's own picture."""

    path: Path


@dataclass(frozen=True, slots=True)
class FreshRender:
    """A sculpture that nobody has seen yet.

    Attributes:
        form: one of FORMS.
        material: one of MATERIALS.
        seed: of the scene.
    """

    form: str
    material: str
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class GivenPicture:
    """A picture that is there already, such as a run's result.

    Attributes:
        frame: (3, H, W) float32 in [-1, 1].
        name: what it is called.
    """

    frame: Any
    name: str


Source = PictureFile | FreshRender | GivenPicture


@dataclass(frozen=True, slots=True)
class ForwardProcessOptions:
    """How a picture is drowned.

    Attributes:
        steps: layers between picture and pure noise.
        seed: of the static.
        fresh: whether every layer is static of its own, as in the Markov chain; else one static grows stronger.
        longest_px: the picture is shrunk until its longer side is this.
    """

    steps: int = 50
    seed: int = 7
    fresh: bool = False
    longest_px: int = 512


@dataclass(frozen=True, slots=True, eq=False)
class ForwardResult:
    """What came of it.

    Attributes:
        source: what was drowned.
        picture: the clean picture as it is drowned, (3, H, W) float32.
        name: of the picture, for people.
        notes: what was done to it when it was opened.
        trajectory: noise first, the picture last.
        measures: of the trajectory.
    """

    source: Source
    picture: Any
    name: str
    notes: tuple[str, ...]
    trajectory: Any
    measures: Any


class ForwardProcessRunner(QObject):
    """Drowns one picture at a time; the newest wish wins.

    Signals:
        drowned: a `Drowned`.
        failed: the exception; what was there before stays.
        busy_changed: whether a picture is on its way.
    """

    drowned = Signal(object)
    failed = Signal(object)
    busy_changed = Signal(bool)

    def __init__(self, budget_bytes: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.budget_bytes = budget_bytes
        self._busy = False
        self._opened: tuple[Source, int, Any] | None = None  # in the worker thread: what was opened last, and how large
        self._jobs = JobThread((Cancelled,), self, "drowning")
        self._jobs.produced.connect(self._take)
        for signal in (self._jobs.finished, self._jobs.cancelled):
            signal.connect(self._end)
        self._jobs.failed.connect(self._fail)

    @property
    def is_busy(self) -> bool:
        """Whether a picture is on its way."""
        return self._busy

    def drown(self, source: Source, drowning: ForwardProcessOptions) -> None:
        """Open a picture and drown it; answered by `drowned` or `failed`."""
        self._set_busy(True)
        self._jobs.start(lambda stop: self._job(source, drowning, stop))

    @Slot()
    def shutdown(self) -> None:
        """Wait for the thread; nothing is emitted after this."""
        self._jobs.shutdown()

    # In the worker thread -----------------------------------------------------------------------------------------

    def _job(self, source: Source, drowning: ForwardProcessOptions, stop: threading.Event) -> Iterator[object]:
        forward = importlib.import_module("sculptor_app.core.trajectory.forward")
        measuring = importlib.import_module("sculptor_app.measures.forward")
        picture, name, notes = self._open(source, drowning.longest_px)
        if stop.is_set():
            return
        trajectory = forward.run_forward_process(
            picture, name, steps=drowning.steps, seed=drowning.seed, fresh=drowning.fresh,
            budget_bytes=self.budget_bytes, spill_folder=folders.spill(),
        )  # fmt: skip
        trajectory.draw(stop=stop)
        measures = measuring.ForwardMeasures.of(trajectory)
        yield ForwardResult(source, picture, name, notes, trajectory, measures)

    def _open(self, source: Source, longest_px: int) -> tuple[Any, str, tuple[str, ...]]:
        if self._opened is not None and self._opened[:2] == (source, longest_px):
            return self._opened[2]  # type: ignore[no-any-return]
        if isinstance(source, GivenPicture):
            opened: tuple[Any, str, tuple[str, ...]] = (source.frame, source.name, ())
        elif isinstance(source, FreshRender):
            opened = (_rendered(source, min(RENDER_PX, longest_px)), f"{source.form} · {source.material}", ())
        else:
            file = importlib.import_module("sculptor_app.core.pictures.opening").open_picture(
                source.path, longest_px=longest_px
            )
            opened = (file.frame, file.name, file.notes)
        self._opened = (source, longest_px, opened)
        return opened

    # In the GUI thread --------------------------------------------------------------------------------------------

    @Slot(int, object)
    def _take(self, job_id: int, item: object) -> None:
        self.drowned.emit(item)

    @Slot(int)
    def _end(self, job_id: int) -> None:
        self._set_busy(self._jobs.is_busy)

    @Slot(int, object)
    def _fail(self, job_id: int, error: Exception) -> None:
        self._end(job_id)
        if job_id == self._jobs.newest:
            self.failed.emit(error)

    def _set_busy(self, busy: bool) -> None:
        if busy != self._busy:
            self._busy = busy
            self.busy_changed.emit(busy)


def _rendered(render: FreshRender, size_px: int) -> Any:
    atelier = importlib.import_module("sculptor_app.atelier.renderer")
    picture = atelier.render(
        [render.seed], [FORMS.index(render.form)], [MATERIALS.index(render.material)], size=size_px
    )
    return picture[0].numpy()


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


class InversionRunner(QObject):
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
