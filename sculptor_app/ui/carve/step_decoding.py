"""The step on screen, decoded when it is asked for, without decoding the run around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from sculptor_app.session.latents import Latents
from sculptor_app.session.runner import ModelRun, SampleRun

if TYPE_CHECKING:
    from sculptor_app.ui.carve.decoder_choice import DecoderChoice
    from sculptor_app.ui.shell.main_window import MainWindow
    from sculptor_app.ui.shell.workbench import Workbench


class StepDecoding(QObject):
    """Decodes what the frames show of one step of a run in latents, and has it shown there from then on.

    What comes back is kept by step and kind, so a late picture is never shown at another step.

    Args:
        window: Its session says which run and step.
        bench: Its stage says which kinds; its presenter shows them.
        latents: Decodes.
        decoder: Says with what.
    """

    def __init__(self, window: MainWindow, bench: Workbench, latents: Latents, decoder: DecoderChoice) -> None:
        super().__init__(bench)
        self._window, self._bench, self._latents, self._decoder = window, bench, latents, decoder
        self.action: QAction | None = None
        latents.frame_decoded.connect(self._show)
        latents.frames_ended.connect(self._end)
        decoder.changed.connect(self._forget)
        for signal in (window.session.trajectory_changed, window.session.running_changed):
            signal.connect(self._judge)
        window.runner.finished.connect(self._look_at_once)

    def fill(self, menu: QMenu) -> None:
        """Put the deed into a menu."""
        self.action = menu.addAction(self.tr("Decode this &step"))
        self.action.setShortcut(QKeySequence("Ctrl+D"))
        self.action.setToolTip(self.tr("What the frames show of this step, as the chosen decoder shows it."))
        self.action.triggered.connect(self.decode)
        self._judge()

    @property
    def _run(self) -> Any:
        """The run in latents that is over and on screen; None where there is none."""
        session = self._window.session
        trajectory = session.trajectory
        if trajectory is None or trajectory.info.space != "latents" or session.is_running:
            return None
        return trajectory

    @Slot()
    def _judge(self) -> None:
        if self.action is not None:
            self.action.setEnabled(self._run is not None)

    @Slot()
    def decode(self) -> None:
        """Decode what the frames show and is not decoded yet, the first frame first."""
        run, step = self._run, self._window.session.position
        if run is None or self._bench.pages.page is not None:
            return
        if self._is_in_the_way():
            said = self.tr("The model is at work for another page; stop that, or wait for its end.")
            self._window.messages.show_message(said)
            return
        from sculptor_app.measures import pictures

        source = self._bench.presenter.pictures
        kinds = [kind for kind in dict.fromkeys(self._bench.stage.kinds) if kind.is_picture]
        frames = [(kind, pictures.frame(run, step, kind)) for kind in kinds if not source.has_decoded(step, kind)]
        wanted = [((step, kind), numbers) for kind, numbers in frames if numbers is not None]
        if wanted:
            self._latents.decode_frames(run, wanted, self._decoder.folder)
            self._window.statusBar().showMessage(self.tr("decoding step {0}…").format(step))

    def _is_in_the_way(self) -> bool:
        """Whether asking the worker now would end somebody's run."""
        own = self._latents.is_decoding_frames or self._latents.is_mapping
        return self._window.runner.is_running and not own

    @Slot(object, object)
    def _show(self, trajectory: Any, made: Any) -> None:
        if trajectory is not self._window.session.trajectory:
            return
        step, kind = made.key
        self._bench.presenter.pictures.keep_decoded(step, kind, made.frame, made.note or self.tr("decoded"))
        self._bench.presenter.clock.request()

    @Slot()
    def _end(self) -> None:
        self._window.statusBar().clearMessage()

    @Slot()
    def _forget(self) -> None:
        """Another decoder was chosen: what the one before has made is not what it shows."""
        self._bench.presenter.pictures.forget_decoded()
        self._bench.presenter.clock.request()

    @Slot(object)
    def _look_at_once(self, run: ModelRun) -> None:
        """After a run, where a quick first look is wanted and a small decoder chosen."""
        is_new = isinstance(run, SampleRun) and run.trajectory is self._run is not None
        if is_new and self._decoder.folder is not None and self._decoder.looks_at_once:
            self.decode()
