"""The step on screen, decoded when it is asked for, without decoding the run around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QStatusBar

from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session.latents import Latents
from sculptor_app.session.runner import ModelRun, SampleRun, SamplingRunner
from sculptor_app.ui.playback.page import Views
from sculptor_app.ui.widgets.bars import MessageBar

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.session.engine import DecodedFrame
    from sculptor_app.ui.carve.decoder_choice import DecoderChoice


class StepDecoding(QObject):
    """Decodes what the frames show of one step of a run in latents, and has it shown there from then on.

    What comes back is kept by step and kind, so a late picture is never shown at another step.
    """

    def __init__(
        self,
        views: Views,
        runner: SamplingRunner,
        latents: Latents,
        decoder: DecoderChoice,
        is_in_front: Callable[[], bool],
        messages: MessageBar,
        status: QStatusBar,
    ) -> None:
        super().__init__(latents)
        self._session, self._stage, self._presenter = views.session, views.stage, views.presenter
        self._runner, self._latents, self._decoder, self._is_in_front = runner, latents, decoder, is_in_front
        self._messages, self._status = messages, status
        self.action: QAction | None = None
        latents.frame_decoded.connect(self._show)
        latents.frames_ended.connect(self._end)
        decoder.changed.connect(self._forget)
        for signal in (self._session.trajectory_changed, self._session.running_changed):
            signal.connect(self._judge)
        runner.finished.connect(self._decode_at_once)

    def add_action(self, menu: QMenu) -> None:
        self.action = menu.addAction(self.tr("Decode this &step"))
        self.action.setShortcut(QKeySequence("Ctrl+D"))
        self.action.setToolTip(self.tr("What the frames show of this step, as the chosen decoder shows it."))
        self.action.triggered.connect(self.decode)
        self._judge()

    @property
    def _run(self) -> Any:
        """The run in latents that is over and on screen; None where there is none."""
        trajectory = self._session.trajectory
        if trajectory is None or trajectory.info.space != "latents" or self._session.is_running:
            return None
        return trajectory

    @Slot()
    def _judge(self) -> None:
        if self.action is not None:
            self.action.setEnabled(self._run is not None)

    @Slot()
    def decode(self) -> None:
        """Decode what the frames show and is not decoded yet, the first frame first."""
        run, step = self._run, self._session.position
        if run is None or not self._is_in_front():
            return
        if self.is_in_the_way():
            text = self.tr("The model is at work for another page; stop that, or wait for its end.")
            self._messages.show_message(text)
            return
        from sculptor_app.measures import pictures

        source = self._presenter.pictures
        kinds = [kind for kind in dict.fromkeys(self._stage.kinds) if kind.is_picture]
        frames = [(kind, pictures.frame(run, step, kind)) for kind in kinds if not source.has_decoded(step, kind)]
        wanted: list[tuple[object, Frame]] = [
            ((step, kind), numbers) for kind, numbers in frames if numbers is not None
        ]
        if wanted:
            self._latents.decode_frames(run, wanted, self._decoder.folder)
            self._status.showMessage(self.tr("decoding step {0}…").format(step))

    def is_in_the_way(self) -> bool:
        """Whether asking the worker now would end somebody's run."""
        own = self._latents.is_decoding_frames or self._latents.is_mapping
        return self._runner.is_running and not own

    @Slot(object, object)
    def _show(self, trajectory: Any, made: DecodedFrame) -> None:
        if trajectory is not self._session.trajectory:
            return
        step, kind = cast(tuple[int, FrameKind], made.key)  # as `decode` has asked for it
        self._presenter.pictures.keep_decoded(step, kind, made.frame, made.note or self.tr("decoded"))
        self._presenter.clock.request()

    @Slot()
    def _end(self) -> None:
        self._status.clearMessage()

    @Slot()
    def _forget(self) -> None:
        """Another decoder was chosen: what the one before has made is not what it shows."""
        self._presenter.pictures.forget_decoded()
        self._presenter.clock.request()

    @Slot(object)
    def _decode_at_once(self, run: ModelRun) -> None:
        """After a run, where a quick first look is wanted and a small decoder chosen."""
        is_new = isinstance(run, SampleRun) and run.trajectory is self._run is not None
        if is_new and self._decoder.folder is not None and self._decoder.decodes_at_once:
            self.decode()
