"""Runs that reverse a forward process: from one of its levels, or from the noise that DDIM inversion finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session.forward_process import (
    ForwardResult,
    FreshRender,
    InversionRunner,
    PictureFile,
    start_from_picture,
)
from sculptor_app.session.runner import SampleRun, SamplingRunner
from sculptor_app.ui.widgets.bars import MessageBar

if TYPE_CHECKING:
    from sculptor_app.session.engine import Inversion, MakeStart


@dataclass(frozen=True, slots=True)
class CarvePage:
    """What is asked of the page Carve; requests are None while its settings cannot be run."""

    run: Callable[[RunRequest, MakeStart], SampleRun]  # shows it and runs a request there, from what makes its start
    request: Callable[[], RunRequest | None]  # its settings
    labelled: Callable[[str, str], RunRequest | None]  # the same with form and material, as far as the model knows them
    model: Callable[[], str | None]  # that its runs are made with; None is the embedded one
    result: Callable[[], tuple[Any, str] | None]  # its finished picture and that's name; None while there is none


class ReverseRuns(QObject):
    """Starts runs from a noised or inverted picture, and reports an inversion's error; arguments as in `DrownPage`."""

    changed = Signal()  # `is_busy` or `progress_text`
    failed = Signal(object)  # the exception

    def __init__(
        self,
        runner: SamplingRunner,
        carve_page: CarvePage,
        messages: MessageBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._carve_page, self._messages = carve_page, messages
        self._inversion = InversionRunner(runner, self)
        self._awaited: tuple[SampleRun, Inversion] | None = None  # the run of an inverted picture, and the inversion
        self._inversion.changed.connect(self.changed)
        self._inversion.inverted.connect(self._take_inversion)
        self._inversion.failed.connect(self.failed)

    @property
    def is_busy(self) -> bool:
        """Whether an inversion is running."""
        return self._inversion.is_busy

    @property
    def progress_text(self) -> str:
        """Progress of the inversion; empty while there is none."""
        if not self.is_busy:
            return ""
        return self.tr("step {0} of {1}").format(self._inversion.done, self._inversion.planned)

    def carve(self, forward: ForwardResult, position: int) -> None:
        """Run the model from the level of a state of a forward process."""
        request = self._request_for(forward)
        if request is not None:
            noise = forward.trajectory.noise
            first_step = min(position + 1, request.steps)
            self._carve_page.run(request, start_from_picture(forward.picture, forward.name, first_step, noise))

    def invert(self, forward: ForwardResult) -> None:
        """Invert a picture, and run the model from the noise found."""
        request = self._request_for(forward)
        if request is not None:
            self._messages.clear()
            self._inversion.invert(request, forward.picture, forward.name)

    @Slot()
    def stop(self) -> None:
        self._inversion.stop()

    def _request_for(self, forward: ForwardResult) -> RunRequest | None:
        """The request of the page Carve with the steps and seed of the forward process, and the labels of a render."""
        page, source = self._carve_page, forward.source
        request = page.labelled(source.form, source.material) if isinstance(source, FreshRender) else page.request()
        if request is None:
            sentence = self.tr("The settings on the page Carve cannot be run.")
            self._messages.show_message(sentence, self.tr("Correct them first."))
            return None
        request = replace(request, steps=forward.trajectory.planned_steps, seed=forward.trajectory.info.request.seed)
        return replace(request, form=None, material=None) if isinstance(source, PictureFile) else request

    @Slot(object, object)
    def _take_inversion(self, inversion: Inversion, request: RunRequest) -> None:
        """Run the model from the noise that was found."""
        run = self._carve_page.run(request, lambda engine, request: inversion.start)
        self._awaited = (run, inversion)
        run.finished.connect(self._report_error)

    @Slot()
    def _report_error(self) -> None:
        if self._awaited is None:
            return
        (run, inversion), self._awaited = self._awaited, None
        trajectory = run.trajectory
        assert trajectory is not None  # it is finished
        sentence = self.tr(
            "Found the noise of {0}, and carved the picture out of it again: it comes back with a peak signal-to-noise "
            "ratio of {1:.0f} dB (more is nearer). State 0 is that noise."
        )
        error_db = inversion.error_db(trajectory.state(trajectory.last))
        self._messages.show_message(sentence.format(inversion.name, error_db), is_fault=False)
