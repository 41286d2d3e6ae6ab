"""The forward process of a picture, run in the background, and the reverse runs that bring the picture back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app import folders
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session import engine as access
from sculptor_app.session.engine import InversionProgress
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.tasks import BackgroundTask, ModelTask

if TYPE_CHECKING:
    from sculptor_app.core.pictures.start import Start
    from sculptor_app.core.trajectory.forward import ForwardTrajectory
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.measures.forward import ForwardMeasures
    from sculptor_app.session.engine import Engine, Inversion, MakeStart

RENDER_PX = 256
"""Edge of a fresh render: large enough to look at, made in a second at most on one core."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A person's own picture."""

    path: Path


@dataclass(frozen=True, slots=True)
class FreshRender:
    """A sculpture that is rendered for the purpose."""

    form: str  # one of FORMS
    material: str  # one of MATERIALS
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class GivenPicture:
    """A picture that is there already, such as a run's result."""

    frame: Frame  # (3, H, W) float32 in [-1, 1]
    name: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GivenPicture) or (self.name, self.frame.shape) != (other.name, other.frame.shape):
            return False
        return bool((self.frame == other.frame).all())


Source = PictureFile | FreshRender | GivenPicture


@dataclass(frozen=True, slots=True)
class ForwardProcessOptions:
    """How noise is added to a picture.

    Attributes:
        fresh: whether every level has noise of its own, as in the Markov chain; else one noise grows stronger.
    """

    steps: int = 50  # noise levels between picture and pure noise
    seed: int = 7  # of the noise
    fresh: bool = False
    longest_px: int = 512  # the picture is shrunk until its longer side is this


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A clean picture: (3, H, W) float32, its name, and what was done to it when it was opened."""

    picture: Frame
    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ForwardResult:
    """The forward process of a picture."""

    source: Source  # where the picture came from
    picture: Frame  # the clean picture that noise was added to, (3, H, W) float32
    name: str  # of the picture, for people
    notes: tuple[str, ...]  # what was done to it when it was opened
    trajectory: ForwardTrajectory  # noise first, the picture last
    measures: ForwardMeasures  # of the trajectory


@dataclass(frozen=True, slots=True, eq=False)
class PictureForModel:
    """A picture as a model that carves it gets it."""

    source: Source  # where the picture came from
    model: str | None  # as a `RunRequest` names it
    picture: Frame | None  # (3, size, size): its middle square at the model's size; None where the model takes no such


class ForwardProcessRunner(BackgroundTask):
    """Runner of the forward process of one picture at a time; a huge file never holds up the window.

    It produces a `ForwardResult`, then a `PictureForModel`; when it fails, what was there before stays.

    Args:
        parent: the owner; call `shutdown` before it goes.
    """

    def __init__(self, budget_bytes: int, parent: QObject | None = None) -> None:
        super().__init__("forward process", parent)
        self.budget_bytes = budget_bytes
        self._opened: tuple[Source, int, _Opened] | None = None  # in the thread: what was opened last, and how large

    def run(self, source: Source, options: ForwardProcessOptions, model: str | None = None) -> None:
        """Open a picture and add noise to it; answered by `produced` or `failed`.

        Args:
            model: The one that is to carve it; None is the embedded one.
        """
        self.start(lambda stop: self._job(source, options, model, stop))

    # In the thread ----------------------------------------------------------------------------------------------------

    def _job(
        self, source: Source, options: ForwardProcessOptions, model: str | None, stop: threading.Event
    ) -> Iterator[ForwardResult | PictureForModel]:
        from sculptor_app.core.trajectory.forward import run_forward_process  # numpy comes with these
        from sculptor_app.measures.forward import ForwardMeasures

        opened = self._open(source, options.longest_px)
        if stop.is_set():
            return
        trajectory = run_forward_process(
            opened.picture, opened.name, steps=options.steps, seed=options.seed, fresh=options.fresh,
            budget_bytes=self.budget_bytes, spill_folder=folders.spill(),
        )  # fmt: skip
        trajectory.draw(stop=stop)
        measures = ForwardMeasures.of(trajectory)
        yield ForwardResult(source, opened.picture, opened.name, opened.notes, trajectory, measures)
        yield PictureForModel(source, model, access.picture_for(model, opened.picture))

    def _open(self, source: Source, longest_px: int) -> _Opened:
        if self._opened is not None and self._opened[:2] == (source, longest_px):
            return self._opened[2]
        match source:
            case GivenPicture():
                opened = _Opened(source.frame, source.name)
            case FreshRender(form, material, seed):
                picture = access.render_sculpture(form, material, seed, min(RENDER_PX, longest_px))
                opened = _Opened(picture, f"{form.capitalize()} · {material}")
            case PictureFile():
                from sculptor_app.core.pictures.file import open_picture

                file = open_picture(source.path, longest_px=longest_px)
                opened = _Opened(file.frame, file.name, file.notes)
        self._opened = (source, longest_px, opened)
        return opened


# Reverse runs ---------------------------------------------------------------------------------------------------------


def start_from_picture(picture: Frame, name: str, first_step: int, noise: Frame | None = None) -> MakeStart:
    """A start (img2img) that a run in the worker thread makes for itself, as only there the model's size is known.

    Args:
        picture: (3, H, W) float32 in [-1, 1], of any size.
        first_step: the run's first step, 1 to its number of steps.
        noise: what the forward process added to it; the run starts with it where it has the model's size, else with its
            seed's noise.
    """

    def make(engine: Engine, request: RunRequest) -> Start:
        from sculptor_app.core.pictures.start import Start

        at_size = access.fit_picture(engine, request, picture)
        fitting = noise if noise is not None and noise.shape == at_size.shape else None
        return Start(picture=at_size, noise=fitting, first_step=first_step, origin=name)

    return make


class InversionRunner(ModelTask):
    """Finds the noise of one picture at a time (DDIM inversion).

    Attributes:
        done, planned: steps that were inverted, and all of them.

    Signals:
        changed: `is_busy`, `done` or `planned`.
        inverted: the `Inversion`, and the request that makes the picture of its noise again; the model is free by then.
    """

    changed = Signal()
    inverted = Signal(object, object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(runner, parent)
        self._request: RunRequest | None = None
        self._found: Inversion | None = None
        self.done = self.planned = 0
        self.busy_changed.connect(self.changed)
        self.produced.connect(self._take)
        self.finished.connect(self._hand_on)

    def invert(self, request: RunRequest, picture: Frame, name: str) -> None:
        """Find the noise that a request's model makes this picture of; any other run of the model is stopped.

        Args:
            request: model, device, conditions and steps; the sampler is DDIM, and guidance is none, which is exact.
            picture: (3, H, W) float32 in [-1, 1], of any size.
        """
        wanted = self._request = replace(request, sampler="ddim", guidance=1.0)
        self._found = None
        self.done, self.planned = 0, request.steps
        self.submit(lambda engine, stop: access.invert(engine, wanted, picture, name, stop))

    @Slot(object)
    def _take(self, item: InversionProgress | Inversion) -> None:
        match item:
            case InversionProgress():
                self.done = item.done
                self.changed.emit()
            case _:
                self._found = item

    @Slot()
    def _hand_on(self) -> None:
        found, self._found = self._found, None
        if found is not None:
            self.inverted.emit(found, self._request)
