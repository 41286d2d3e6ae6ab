"""The page Drown: the forward process of a picture on the same scrubber, and the runs that reverse it."""

from __future__ import annotations

import errno
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QRandomGenerator, QSettings, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication, QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from sculptor_app import folders
from sculptor_app.core.files import temporary_folder
from sculptor_app.core.requests.request import FORMS, MATERIALS
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session.forward_process import (
    ForwardProcessOptions,
    ForwardProcessRunner,
    ForwardResult,
    FreshRender,
    GivenPicture,
    PictureFile,
    PictureForModel,
    Source,
)
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui.drown.controls import DrownControls
from sculptor_app.ui.drown.frames import ForwardPresenter, ForwardStage
from sculptor_app.ui.drown.reverse_runs import CarvePage, ReverseRuns
from sculptor_app.ui.playback.page import FILM_MARGINS, Page, Views, scrubber_column
from sculptor_app.ui.playback.run_panel import BlockPanel, block_fold
from sculptor_app.ui.plots.panel_head import STATE
from sculptor_app.ui.plots.plots_panel import NARROW_PX, ROOMY_PX, ROOMY_WINDOW_PX, PlotsPanel, plots_fold
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.basics import FileDrop
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.folding import FilmSwitch, Folds
from sculptor_app.ui.widgets.frame_clock import FrameClock
from sculptor_app.ui.widgets.names import picture_filter
from sculptor_app.ui.widgets.picture_source import png_of, to_image
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.step import Frame

PASTED_FORMATS = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp")
"""Kinds of picture on the clipboard, the best first; Qt's own is written as a PNG."""

EDITED_MS = 250
"""Pause in typing after which the forward process is run again."""


def _image_of(picture: Frame) -> QImage | None:
    from sculptor_app.measures.pictures import coloured  # numpy comes with it; there is a picture by now

    return to_image(coloured(picture, FrameKind.CURRENT_GUESS, "pixels"))


class DrownPage(Page):
    """A picture, noise, and the mixture of both at every noise level.

    Args:
        carve_page: Its settings and result, and how a run is begun there.
    """

    into_noise = True

    def __init__(
        self,
        runner: SamplingRunner,
        carve_page: CarvePage,
        settings: QSettings,
        messages: MessageBar,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(settings, messages, parent)
        self._carve_page, self._result = carve_page, carve_page.result
        self._forward = ForwardProcessRunner(runner.budget_bytes, self)
        self._reverse_runs = ReverseRuns(runner, carve_page, messages, self)
        self._source: Source | None = None
        self._wanted: Source | None = None
        self._before: Source | None = None
        self._model: str | None = None  # that the picture was last made ready for
        self._for_model: PictureForModel | None = None
        self.forward_result: ForwardResult | None = None
        self._make_parts()
        self._lay_out()
        self.controls.restore(settings)
        self._connect()
        FileDrop(self).dropped.connect(self.open_path)
        paste = QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), self)
        paste.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        paste.activated.connect(self.paste)
        self._pasted: Path | None = None  # a folder, which goes with the page
        self._kept = ExitStack()
        self._paste_count = 0

    # Making

    def _make_parts(self) -> None:
        self.controls = DrownControls(self)
        self.stage = ForwardStage(self)
        self.timeline, self.transport, self.film = Timeline(self), TransportBar(self), Filmstrip(self)
        self.plots = PlotsPanel(self.session, self, (STATE,))
        self.presenter = ForwardPresenter(self.session, self.stage, self.timeline, self.transport, self.film)
        self.plot_clock = FrameClock(share=0.5, parent=self)
        self.views = Views(self.session, self.stage, self.presenter)
        self.transport.leave_out_following()
        self.timeline.set_empty_text(self.stage.empty_text())
        for view in (self.timeline, self.film, self.transport):
            view.count_layers()
        self._edited = QTimer(self)
        self._edited.setSingleShot(True)
        self._edited.setInterval(EDITED_MS)

    def _lay_out(self) -> None:
        block = self._block = BlockPanel(self.controls, self.controls.fit_into, self.controls.run_panel, self)
        left = block_fold(block, (self.controls.title,), self.tr("The picture"), self)
        self._right = plots_fold(self.plots, self.plots, self.tr("Frequencies"), self)
        self.folds = Folds("drown", {"block": left, "plots": self._right}, self)
        self.folds.restore(self.settings)
        upper = QHBoxLayout()
        upper.setSpacing(0)
        upper.addWidget(left)
        upper.addWidget(self.stage, 1)
        upper.addWidget(self._right)
        self._film_row = QWidget(self)
        film = QVBoxLayout(self._film_row)
        film.setContentsMargins(*FILM_MARGINS)
        film.addWidget(self.film)
        self.film_switch = FilmSwitch("drown", self.transport.film_button, self._film_row.setVisible, self)
        self.film_switch.fitted.connect(self.film.fit_into)
        self.film_switch.restore(self.settings)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(upper, 1)
        column.addWidget(self._film_row)
        column.addLayout(scrubber_column(self.transport, self.timeline))

    def _connect(self) -> None:
        controls, session = self.controls, self.session
        controls.open_requested.connect(self.open_file)
        controls.render_requested.connect(self.render_new)
        controls.result_requested.connect(self.take_result)
        controls.before_requested.connect(self.take_before)
        controls.edited.connect(self._edited.start)
        self._edited.timeout.connect(self._run_again)
        controls.play_requested.connect(self.start)
        controls.carve_requested.connect(self.carve)
        controls.invert_requested.connect(self.invert)
        self._forward.produced.connect(self._take)
        self._forward.failed.connect(self._fail)
        self._forward.busy_changed.connect(self._show_reverse_runs)
        self._reverse_runs.changed.connect(self._show_reverse_runs)
        self._reverse_runs.failed.connect(self._fail_to_invert)
        session.trajectory_changed.connect(self.plots.show_trajectory)
        for signal in (session.length_changed, session.step_changed):
            signal.connect(self._show_reverse_runs)
        self.plots.follow(self.presenter.clock, self.plot_clock)
        self.plots.step_requested.connect(session.go_to)
        self._show_reverse_runs()

    # Page ---------------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self._reverse_runs.is_busy or bool(self.session.direction)

    @property
    def status_text(self) -> str:
        forward = self.forward_result
        return "" if forward is None else " · ".join((forward.name, self.controls.about_text))

    @property
    def can_start(self) -> bool:
        return self.forward_result is not None

    def full_screen_parts(self) -> tuple[QWidget, ...]:
        return self.stage, self.timeline

    def enter(self) -> None:
        """Load the plots, and open a first picture."""
        screen = self.screen()
        if screen is not None:
            self.presenter.clock.set_frame_rate(screen.refreshRate())
            self.plot_clock.set_frame_rate(screen.refreshRate())
        if self.plots.band_plot is None:
            QTimer.singleShot(0, self.plots.load)
        self.offer_result()
        if self._wanted is not None:
            self._follow_model()
        elif self._result() is not None:
            self.take_result()
        else:
            self._run(FreshRender("bust", "bronze", 7))

    @Slot()
    def offer_result(self) -> None:
        """Offer the result of the page Carve, if there is one now."""
        self.controls.result_button.setEnabled(self._result() is not None)

    @Slot()
    def take_model(self) -> None:
        """Another model has been opened; while another page is in front it is looked at by `enter`."""
        if self.isVisible():
            self._follow_model()

    def _follow_model(self) -> None:
        if self._model != self._carve_page.model():
            self._drown_wanted()

    @Slot()
    def start(self) -> None:
        """Play from the picture into the noise."""
        if self.forward_result is None:
            return
        self.session.play(1)
        self.stage.setFocus()

    def stop(self) -> None:
        self.session.pause()
        self._reverse_runs.stop()

    def fit_into(self, width_px: int, height_px: int) -> None:
        right_px = ROOMY_PX if width_px >= ROOMY_WINDOW_PX else NARROW_PX
        self._right.set_width(right_px, right_px)
        self.film_switch.fit(height_px)
        super().fit_into(width_px, height_px)

    def save_choices(self) -> None:
        super().save_choices()
        self.film_switch.save(self.settings)
        self.controls.save(self.settings)

    def shutdown(self) -> None:
        self._edited.stop()
        self.presenter.clock.stop()
        self.plot_clock.stop()
        self._forward.shutdown()
        self._kept.close()

    # Source -------------------------------------------------------------------------------------------------------

    @Slot()
    def open_file(self) -> None:
        folder = str(self.settings.value("drown/folder", "")) or str(folders.pictures())
        chosen, _ = QFileDialog.getOpenFileName(self, self.tr("Open a picture"), folder, picture_filter())
        if chosen:
            self.settings.setValue("drown/folder", str(Path(chosen).parent))
            self.open_path(Path(chosen))

    def open_path(self, path: Path) -> None:
        self._run(PictureFile(path))

    @Slot()
    def paste(self) -> None:
        """Open the picture, or the file, that is on the clipboard, by the readers of all other doors."""
        mime = QGuiApplication.clipboard().mimeData()
        path = next((Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()), None)
        if path is not None:
            self.open_path(path)
            return
        kind = next(filter(mime.hasFormat, PASTED_FORMATS), None)
        content = bytes(mime.data(kind).data()) if kind else png_of(QGuiApplication.clipboard().image())
        if content:
            self._open_kept(content, self.tr("clipboard"))
        else:
            self.messages.show_message(
                self.tr("There is no picture on the clipboard."), self.tr("Copy one first, or open a file.")
            )

    def open_image(self, image: QImage, name: str) -> None:
        """Open a picture that is on screen."""
        self._open_kept(png_of(image), name)

    def _open_kept(self, content: bytes, name: str) -> None:
        """Open a picture that is no file, from one that is kept as long as the page; a message if there is no room."""
        path = None
        try:
            if self._pasted is None:
                self._pasted = self._kept.enter_context(temporary_folder("sculptor-pasted-"))
            self._paste_count += 1
            path = self._pasted / f"{name} {self._paste_count}.png"
            path.write_bytes(content)
        except OSError as error:
            if path is not None:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            self._say_no_room(error)
            return
        self.open_path(path)

    def _say_no_room(self, error: OSError) -> None:
        folder = self._pasted.parent if self._pasted is not None else tempfile.tempdir or ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = self.tr("There is no room for the picture in the temporary folder {0}.").format(folder)
        else:
            reason = error.strerror or error
            message = self.tr("The picture cannot be kept in the temporary folder {0} ({1}).").format(folder, reason)
        self.messages.show_message(message, self.tr("Free some space there, or open a file."))

    @Slot()
    def render_new(self) -> None:
        """Render a random sculpture and open it."""
        chance = QRandomGenerator.system()
        form, material = FORMS[chance.bounded(len(FORMS))], MATERIALS[chance.bounded(len(MATERIALS))]
        self._run(FreshRender(form, material, chance.bounded(10**6)))

    @Slot()
    def take_result(self) -> None:
        """Open the result of the page Carve."""
        result = self._result()
        if result is not None:
            self._run(GivenPicture(*result))

    @Slot()
    def take_before(self) -> None:
        """Open the picture that was here before this one."""
        if self._before is not None:
            self._run(self._before)

    def _run(self, source: Source) -> None:
        self.messages.clear()
        self._wanted = source
        self._edited.stop()
        self._drown_wanted()

    @Slot()
    def _run_again(self) -> None:
        if self.controls.options() is not None:
            self.messages.clear()
            self._drown_wanted()

    def _drown_wanted(self) -> None:
        if self._wanted is not None:
            self._model = self._carve_page.model()
            self._forward.run(self._wanted, self.controls.options() or ForwardProcessOptions(), self._model)

    @Slot(object)
    def _take(self, item: ForwardResult | PictureForModel) -> None:
        match item:
            case ForwardResult():
                self._show(item)
            case PictureForModel():
                self._show_for_model(item)

    def _show_for_model(self, made: PictureForModel) -> None:
        """Show the picture as the model gets it, before anything is carved."""
        self._for_model = made
        image = None if made.picture is None else _image_of(made.picture)
        height, width = (1, 1) if self.forward_result is None else self.forward_result.picture.shape[1:]
        self.controls.show_picture_for_model(image, is_whole=height == width)
        self._block.fit()  # the picture, and what is said of it, need other room
        self._show_reverse_runs()

    def _show(self, forward: ForwardResult) -> None:
        old = self.session.trajectory
        share = self.session.position / old.planned_steps if old is not None and self._source == forward.source else 0.0
        if self._source is not None and self._source != forward.source:
            self._before = self._source
        self.controls.before_button.setEnabled(self._before is not None)
        self.forward_result, self._source = forward, forward.source
        self.session.show(forward.trajectory, forward.measures, running=False)
        self.session.go_to(round(share * forward.trajectory.planned_steps))  # the same picture stays at its level
        height, width = forward.picture.shape[1:]
        self.controls.set_picture(forward.name, self.tr("{0}×{1} px").format(width, height), forward.notes)
        self.timeline.set_settled(self.plots.emerging_marks(), self.tr("{0} drowns here"))
        self._show_reverse_runs()
        self.ability_changed.emit()

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self._wanted = self._source
        unforeseen = self.tr("The picture could not be drowned, for a reason that nobody foresaw ({0}: {1}).")
        self.messages.show_error(error, unforeseen)
        self._show_reverse_runs()

    @Slot(object)
    def _fail_to_invert(self, error: Exception) -> None:
        unforeseen = self.tr("The picture's noise could not be found, for a reason that nobody foresaw ({0}: {1}).")
        self.messages.show_error(error, unforeseen)

    # Reverse runs -------------------------------------------------------------------------------------------------

    @Slot()
    def carve(self) -> None:
        """Run the model from the level shown, on the page Carve."""
        if self.forward_result is not None:
            self.session.pause()
            self._reverse_runs.carve(self.forward_result, self.session.state)

    @Slot()
    def invert(self) -> None:
        """Start the inversion of this picture, or stop it."""
        if self._reverse_runs.is_busy:
            self._reverse_runs.stop()
        elif self.forward_result is not None:
            self.session.pause()
            self._reverse_runs.invert(self.forward_result)

    @Slot()
    def _show_reverse_runs(self) -> None:
        busy, there = self._reverse_runs.is_busy, self.forward_result is not None
        takes_pictures = self._for_model is None or self._for_model.picture is not None
        progress = self._reverse_runs.progress_text or (self.tr("on its way…") if self._forward.is_busy else "")
        self.controls.show_reverse_runs(
            can_carve=there and not busy and takes_pictures and self.session.position > 0,
            can_invert=there and takes_pictures, is_inverting=busy, progress=progress,
        )  # fmt: skip
        self.controls.play_button.setEnabled(there)
        self.ability_changed.emit()
