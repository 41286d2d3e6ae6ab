"""How a drowned picture comes back: carved out again from a level, or out of the noise that is found for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session.forward_process import (
    ForwardResult,
    FreshRender,
    GivenPicture,
    InversionRunner,
    start_from_picture,
)
from sculptor_app.session.runner import SampleRun, SamplingRunner
from sculptor_app.ui.widgets.bars import MessageBar

if TYPE_CHECKING:
    from sculptor_app.session.engine import Inversion, MakeStart

Carve = Callable[[RunRequest, "MakeStart"], SampleRun]
"""Shows the page Carve and runs a request there."""


class WayBack(QObject):
    """Asks for the runs that bring a picture back, and says how near one came.

    Args:
        runner: Does the model's work.
        carve: Runs a request on the page Carve, from what makes its start (see `SamplingRunner.start`).
        request: What the page Carve would run now; None while that is wrong.
        messages: Tells what comes of it.
        parent: The page.

    Signals:
        changed: `is_busy` or `words`.
        failed: the exception.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(
        self,
        runner: SamplingRunner,
        carve: Carve,
        request: Callable[[], RunRequest | None],
        messages: MessageBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._carve, self._request, self._messages = carve, request, messages
        self._inverting = InversionRunner(runner, self)
        self._awaited: tuple[SampleRun, Inversion] | None = None  # the run of an inverted picture, and the inversion
        self._inverting.changed.connect(self.changed)
        self._inverting.inverted.connect(self._take_inversion)
        self._inverting.failed.connect(self.failed)

    @property
    def is_busy(self) -> bool:
        """Whether a noise is being looked for."""
        return self._inverting.is_busy

    @property
    def words(self) -> str:
        """How far that is; empty while nothing is looked for."""
        if not self.is_busy:
            return ""
        return self.tr("looking for its noise: step {0} of {1}").format(self._inverting.done, self._inverting.planned)

    def carve(self, drowned: ForwardResult, position: int) -> None:
        """Have the model carve a picture out again from the level of a state."""
        request = self._request_for(drowned)
        if request is not None:
            static = getattr(drowned.trajectory, "noise", None)
            first_step = min(position + 1, request.steps)
            self._carve(request, start_from_picture(drowned.picture, drowned.name, first_step, static))

    def invert(self, drowned: ForwardResult) -> None:
        """Find the noise that the model carves a picture out of, and carve it back."""
        request = self._request_for(drowned)
        if request is not None:
            self._messages.clear()
            self._inverting.invert(request, drowned.picture, drowned.name)

    @Slot()
    def stop(self) -> None:
        """Give up looking for a noise."""
        self._inverting.stop()

    def _request_for(self, drowned: ForwardResult) -> RunRequest | None:
        """What Carve would run, with as many steps as there are layers, and of a render with its own labels."""
        request = self._request()
        if request is None:
            said = self.tr("The settings on the page Carve cannot be run.")
            self._messages.show_message(said, self.tr("Correct them first."))
            return None
        request = replace(request, steps=drowned.trajectory.planned_steps, seed=drowned.trajectory.info.request.seed)
        source = drowned.source
        if isinstance(source, FreshRender):
            return replace(request, form=source.form, material=source.material)
        return request if isinstance(source, GivenPicture) else replace(request, form=None, material=None)

    @Slot(object, object)
    def _take_inversion(self, inversion: Inversion, request: RunRequest) -> None:
        """Carve the picture out of its noise, and see how near that comes."""
        run = self._carve(request, lambda engine, request: inversion.start)
        self._awaited = (run, inversion)
        run.finished.connect(self._report_error)

    @Slot()
    def _report_error(self) -> None:
        if self._awaited is None:
            return
        (run, inversion), self._awaited = self._awaited, None
        trajectory = run.trajectory
        assert trajectory is not None  # it is finished
        said = self.tr(
            "Found the noise of {0}, and carved the picture out of it again: it comes back to within {1:.0f} dB. "
            "State 0 is that noise."
        )
        error_db = inversion.error_db(trajectory.state(trajectory.last))
        self._messages.show_message(said.format(inversion.name, error_db), is_fault=False)
