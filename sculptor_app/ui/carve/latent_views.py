"""How a run in latents is looked at: through its model's linear map at once, and decoded on request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from sculptor_app.core.errors import ModelFolderError, SculptorError
from sculptor_app.session.engine import OpenedModel
from sculptor_app.session.latents import Latents
from sculptor_app.session.runner import SampleRun
from sculptor_app.ui.carve.decoder_choice import DecoderChoice
from sculptor_app.ui.carve.step_decoding import StepDecoding

if TYPE_CHECKING:
    from sculptor_app.ui.shell.main_window import MainWindow
    from sculptor_app.ui.shell.workbench import Workbench

log = logging.getLogger(__name__)


class LatentViews(QObject):
    """Dresses runs in their model's map as they come, and decodes the one on screen when it is asked for.

    Args:
        window: Its session is looked at.
        bench: Its presenter shows it.
    """

    def __init__(self, window: MainWindow, bench: Workbench) -> None:
        super().__init__(bench)
        self._window, self._bench = window, bench
        self.latents = Latents(window.runner, self)
        self.decoder = DecoderChoice(window, self)
        self.step = StepDecoding(window, bench, self.latents, self.decoder)
        self.action: QAction | None = None
        self._source: tuple[Any, Any] | None = None  # the run in latents and its measures, while it is seen decoded
        bench.models.opening.opened.connect(self._find_map)
        window.runner.started.connect(self._dress)
        window.runner.finished.connect(self._find_map_again)
        self.latents.mapping.connect(self._show_progress)
        self.latents.mapped.connect(self._dress_shown)
        self.latents.decoding.connect(self._show_decoded)
        self.latents.decoded.connect(self._grow)
        self.latents.ended.connect(self._end)
        self.latents.failed.connect(self._fail)
        for signal in (window.session.trajectory_changed, window.session.running_changed):
            signal.connect(self._judge)

    def fill(self, menu: QMenu) -> None:
        """Put the choice into a menu."""
        self.action = menu.addAction(self.tr("&Decode the latents"))
        self.action.setCheckable(True)
        self.action.setToolTip(self.tr("Every state as the model's own decoder shows it, made in the background."))
        self.action.triggered.connect(self._choose)
        self.step.fill(menu)
        self.decoder.fill(menu)
        self._judge()

    @Slot()
    def _judge(self) -> None:
        if self.action is None:
            return
        trajectory = self._window.session.trajectory
        space = "" if trajectory is None else trajectory.info.space
        is_decoded = space not in ("", "pixels", "latents")
        self.action.setChecked(is_decoded)
        self.action.setEnabled(is_decoded or (space == "latents" and not self._window.session.is_running))
        if not is_decoded:
            self._source = None

    # The map -----------------------------------------------------------------------------------------------------

    @Slot(object)
    def _find_map(self, opened: OpenedModel) -> None:
        self.decoder.set_model(None if _is_ours(opened) else opened.model)
        request = self._window.controls.request() or self._any_request(opened)
        if opened.model is not None and not _is_ours(opened):
            self.latents.find_map(request)

    def _any_request(self, opened: OpenedModel) -> Any:
        from sculptor_app.core.requests.request import RunRequest

        return RunRequest(model=opened.model, device=self._window.controls.device.currentData())

    @Slot()
    def _find_map_again(self) -> None:
        """A run that began before the map was there has ended it; now there is time."""
        trajectory = self._window.session.trajectory
        if trajectory is None or trajectory.info.space != "latents" or trajectory.info.latent_map is not None:
            return
        if not self.latents.is_mapped(trajectory.info.request.model) and not self._window.runner.is_running:
            self.latents.find_map(trajectory.info.request)

    @Slot(object)
    def _dress(self, run: SampleRun) -> None:
        if run.trajectory is not None and self.latents.apply_map(run.trajectory):
            self._bench.presenter.refresh()

    @Slot(object)
    def _dress_shown(self, model: object) -> None:
        self._window.statusBar().clearMessage()
        trajectory = self._window.session.trajectory
        if trajectory is not None and self.latents.apply_map(trajectory):
            self._bench.presenter.refresh()

    @Slot(int, int)
    def _show_progress(self, done: int, planned: int) -> None:
        said = self.tr("finding out how the latents look: {0} of {1}").format(done, planned)
        self._window.statusBar().showMessage(said, 3000)

    # Decoding ----------------------------------------------------------------------------------------------------

    @Slot(bool)
    def _choose(self, wanted: bool) -> None:
        session = self._window.session
        if wanted and session.trajectory is not None:
            self._source = (session.trajectory, session.measures)
            self.latents.decode(session.trajectory, self._window.runner.budget_bytes, self.decoder.folder)
            self._window.statusBar().showMessage(self.tr("decoding the run…"), 3000)
        elif self._source is not None:
            self.latents.stop()
            position, (trajectory, measures) = session.position, self._source
            session.show(trajectory, measures, running=False)
            session.go_to(position)

    @Slot(object, object)
    def _show_decoded(self, decoded: Any, measures: Any) -> None:
        session = self._window.session
        if self._source is not None and session.trajectory is self._source[0]:
            source = self._source
            session.show(decoded, measures, running=True)
            self._source = source

    @Slot(int)
    def _grow(self, k: int) -> None:
        if self._is_shown_decoded:
            self._window.session.grow(k)

    @Slot()
    def _end(self) -> None:
        if self._is_shown_decoded:
            self._window.session.end_run()
        self._judge()

    @property
    def _is_shown_decoded(self) -> bool:
        trajectory = self._window.session.trajectory
        return self._source is not None and trajectory is not None and trajectory is not self._source[0]

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        if isinstance(error, ModelFolderError) and self.decoder.folder is not None:
            self.decoder.choose(None)
        if isinstance(error, SculptorError):
            self._window.messages.show_message(error.message, error.advice)
        else:
            log.error("latents could not be shown", exc_info=error)
            what = self.tr("The latents could not be shown, for a reason that nobody foresaw ({0}: {1}).")
            self._window.messages.show_message(what.format(type(error).__name__, error))
        self._judge()


def _is_ours(opened: OpenedModel) -> bool:
    """Models of the program's own kind work on pixels."""
    return opened.kind == "SculptorPipeline"
