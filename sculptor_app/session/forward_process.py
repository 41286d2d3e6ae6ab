"""Opening, rendering and drowning pictures in a thread of its own, so that a huge file never holds up the window."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app import folders
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import FORMS, MATERIALS
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
class Drowning:
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
class Drowned:
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


class Drowner(QObject):
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

    def drown(self, source: Source, drowning: Drowning) -> None:
        """Open a picture and drown it; answered by `drowned` or `failed`."""
        self._set_busy(True)
        self._jobs.start(lambda stop: self._job(source, drowning, stop))

    @Slot()
    def shutdown(self) -> None:
        """Wait for the thread; nothing is emitted after this."""
        self._jobs.shutdown()

    # In the worker thread -----------------------------------------------------------------------------------------

    def _job(self, source: Source, drowning: Drowning, stop: threading.Event) -> Iterator[object]:
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
        yield Drowned(source, picture, name, notes, trajectory, measures)

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
