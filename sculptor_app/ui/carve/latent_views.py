"""Runs in latents made visible: through their model's linear map at once, and decoded on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QObject, QSettings, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QStatusBar, QWidget

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.session.engine import OpenedModel
from sculptor_app.session.latents import Latents
from sculptor_app.session.runner import SampleRun, SamplingRunner
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.carve.decoder_choice import DecoderChoice
from sculptor_app.ui.carve.step_decoding import StepDecoding
from sculptor_app.ui.playback.page import Views
from sculptor_app.ui.widgets.actions import MenuEntry
from sculptor_app.ui.widgets.bars import MessageBar

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory


class LatentViews(QObject):
    """Shows runs in latents through their model's linear map as they come, and decodes the one on screen on request."""

    def __init__(
        self,
        views: Views,
        runner: SamplingRunner,
        controls: Controls,
        is_in_front: Callable[[], bool],
        messages: MessageBar,
        status: QStatusBar,
        settings: QSettings,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._session, self._presenter = views.session, views.presenter
        self._runner, self._controls, self._messages, self._status = runner, controls, messages, status
        self.latents = Latents(runner, self)
        self.decoder = DecoderChoice(settings, parent)
        self.step = StepDecoding(views, runner, self.latents, self.decoder, is_in_front, messages, status)
        self.action: QAction | None = None
        self._source: tuple[Any, Any] | None = None  # the run in latents and its measures, while it is seen decoded
        runner.started.connect(self._apply_map)
        runner.finished.connect(self._find_map_again)
        self.latents.mapping.connect(self._show_progress)
        self.latents.mapped.connect(self._apply_map_to_shown)
        self.latents.decoding.connect(self._show_decoded)
        self.latents.decoded.connect(self._grow)
        self.latents.ended.connect(self._end)
        self.latents.failed.connect(self._fail)
        for signal in (self._session.trajectory_changed, self._session.running_changed):
            signal.connect(self._judge)

    def entries(self) -> list[MenuEntry]:
        return [self._add_action, self.step.add_action, self.decoder.add_menu]

    def _add_action(self, menu: QMenu) -> None:
        self.action = menu.addAction(self.tr("&Decode the latents"))
        self.action.setCheckable(True)
        self.action.setToolTip(self.tr("Every state as the model's own decoder shows it, made in the background."))
        self.action.triggered.connect(self._choose)
        self._judge()

    @Slot()
    def _judge(self) -> None:
        if self.action is None:
            return
        trajectory = self._session.trajectory
        space = "" if trajectory is None else trajectory.info.space
        is_decoded = space not in ("", "pixels", "latents")
        self.action.setChecked(is_decoded)
        self.action.setEnabled(is_decoded or (space == "latents" and not self._runner.is_running))
        if not is_decoded:
            self._source = None

    # The map -----------------------------------------------------------------------------------------------------

    @Slot(object)
    def find_map(self, opened: OpenedModel) -> None:
        """Find the linear map of the model that has been opened, in the background."""
        self.decoder.set_model(None if _is_own_kind(opened) else opened.model)
        request = self._controls.request() or self._any_request(opened)
        if opened.model is not None and not _is_own_kind(opened):
            self.latents.find_map(request)

    def _any_request(self, opened: OpenedModel) -> Any:
        from sculptor_app.core.requests.request import RunRequest

        return RunRequest(model=opened.model, device=self._controls.device.currentData())

    @Slot()
    def _find_map_again(self) -> None:
        """A run that began before the map was there has ended it; now there is time."""
        trajectory = self._session.trajectory
        if trajectory is None or trajectory.info.space != "latents" or trajectory.info.latent_map is not None:
            return
        if not self.latents.is_mapped(trajectory.info.request.model) and not self._runner.is_running:
            self.latents.find_map(trajectory.info.request)

    @Slot(object)
    def _apply_map(self, run: SampleRun) -> None:
        if run.trajectory is not None and self.latents.apply_map(run.trajectory):
            self._presenter.refresh()

    @Slot(object)
    def _apply_map_to_shown(self, model: object) -> None:
        self._status.clearMessage()
        trajectory = self._session.trajectory
        if trajectory is not None and self.latents.apply_map(cast("Trajectory", trajectory)):  # that of a model
            self._presenter.refresh()

    @Slot(int, int)
    def _show_progress(self, done: int, planned: int) -> None:
        text = self.tr("finding out how the latents look: {0} of {1}").format(done, planned)
        self._status.showMessage(text, 3000)

    # Decoding ----------------------------------------------------------------------------------------------------

    @Slot(bool)
    def _choose(self, wanted: bool) -> None:
        session = self._session
        if wanted and session.trajectory is not None:
            self._source = (session.trajectory, session.measures)
            run = cast("Trajectory", session.trajectory)  # the action is enabled for a model's latents alone
            self.latents.decode(run, self._runner.budget_bytes, self.decoder.folder)
            self._status.showMessage(self.tr("decoding the run…"), 3000)
        elif self._source is not None:
            self.latents.stop()
            position, (trajectory, measures) = session.position, self._source
            session.show(trajectory, measures, running=False)
            session.go_to(position)

    @Slot(object, object)
    def _show_decoded(self, decoded: Any, measures: Any) -> None:
        session = self._session
        if self._source is not None and session.trajectory is self._source[0]:
            source = self._source
            session.show(decoded, measures, running=True)
            self._source = source

    @Slot(int)
    def _grow(self, k: int) -> None:
        if self._is_shown_decoded:
            self._session.grow(k)

    @Slot()
    def _end(self) -> None:
        if self._is_shown_decoded:
            self._session.end_run()
        self._judge()

    @property
    def _is_shown_decoded(self) -> bool:
        trajectory = self._session.trajectory
        return self._source is not None and trajectory is not None and trajectory is not self._source[0]

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        if isinstance(error, ModelFolderError) and self.decoder.folder is not None:
            self.decoder.choose(None)
        unforeseen = self.tr("The latents could not be shown, for a reason that nobody foresaw ({0}: {1}).")
        self._messages.show_error(error, unforeseen)
        self._judge()


def _is_own_kind(opened: OpenedModel) -> bool:
    """Models of the program's own kind work on pixels."""
    return opened.kind == "SculptorPipeline"
