"""Exporting a run: what it becomes, all choices, one frame as it will look, about how large it is, and the saving."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QSettings, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QImage
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sculptor_app import folders
from sculptor_app.core.files import expanded, is_file
from sculptor_app.core.texts import byte_text
from sculptor_app.exports.animation.options import NONE, AnimationOptions, Disclosure
from sculptor_app.exports.animation.plan import (
    DecodedFrames,
    RunGrid,
    Wanted,
    frames_to_decode,
    latents_of,
    shown_states,
)
from sculptor_app.exports.files import ExportCancelled, ExportError, refuse_folder
from sculptor_app.exports.formats import AnimationFormat, Export, animation_formats
from sculptor_app.session.tasks import BackgroundTask, Progress
from sculptor_app.session.worker import RetiredThreads
from sculptor_app.ui import theme
from sculptor_app.ui.fields.inputs import ChoiceBox
from sculptor_app.ui.playback.texts import title_parts
from sculptor_app.ui.saving.export_preview import LEAST_PX, ExportPreview, WholePicture
from sculptor_app.ui.saving.format_choice import FormatChoice
from sculptor_app.ui.saving.gif_form import FORMAT, ask_to_replace, form_for, key_of, remember, remembered_for
from sculptor_app.ui.saving.gif_jobs import Estimate, Preview, Saved, export_job, facts_text, preview_job
from sculptor_app.ui.widgets.bars import error_texts
from sculptor_app.ui.widgets.names import disclosure_tip, disclosure_title, disclosures, display, filter_text

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.exports.animation.plan import RunOrGrid
    from sculptor_app.measures.run_measures import RunMeasures
    from sculptor_app.session.engine import DecodedFrame
    from sculptor_app.session.latents import FrameDecoder

SETTLE_MS = 150
"""How long a choice stands before its preview is made."""

LIKED_SIZE = (1080, 700)
"""Width and height of the dialog where the screen has room."""


class ExportGifDialog(QDialog):
    """Leaves the window free: it writes in a thread of its own, and has frames decoded in the model's before.

    Args:
        filmed: the run, or many, as far as they are when the saving begins.
        measures: a run's measures; None for many.
        retired: keeps the thread while it ends, when the dialog has been closed.
        decoder: of a run in latents; None shows all its frames through their linear map.
    """

    saved = Signal(object, object)  # path of the file that was written, and its size in bytes
    disclosure_chosen = Signal(object)  # a Disclosure: what saved files are to tell from now on
    closed = Signal()  # it goes

    def __init__(
        self,
        filmed: RunOrGrid,
        measures: RunMeasures | None,
        settings: QSettings,
        path: Path,
        position: int,
        retired: RetiredThreads,
        parent: QWidget | None = None,
        decoder: FrameDecoder | None = None,
    ) -> None:
        super().__init__(parent)
        self._decoder, self._decoded = decoder, DecodedFrames(spill_folder=folders.spill())
        self._wanted: dict[object, Wanted] = {}  # the frames that are being decoded, by step and kind
        self._filmed, self._measures, self._settings = filmed, measures, settings
        self._position, self._formats = position, animation_formats()
        self._title = " · ".join(_title_parts(filmed))
        self._retired, self._is_saving, self._target = retired, False, path
        self._is_decoding = False  # for the file: the first part of the saving
        self._task = BackgroundTask("gif", self, cancelled_by=(ExportCancelled,))
        self._alarm = QTimer(self)
        self._alarm.setSingleShot(True)
        self._alarm.setInterval(SETTLE_MS)
        self._make_parts(path)
        self._lay_out()
        self._connect()
        self._set_saving(False)
        self.form.set_options(remembered_for(settings, filmed))
        self.format.choose(str(settings.value(FORMAT, "")))
        self._show_format()
        self._take_room()

    # Building ----------------------------------------------------------------------------------------------------

    def _make_parts(self, path: Path) -> None:
        self.form = form_for(self._filmed, self, self._decoder is not None)
        self.preview = ExportPreview(self)
        self.preview.setMinimumSize(QSize(LEAST_PX, LEAST_PX))
        self.preview.setAccessibleName(self.tr("Preview"))
        self.holds = QLabel(self)
        self.holds.setProperty("tone", "muted")
        self.holds.setWordWrap(True)
        self.holds.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.facts = QLabel(self)
        self.facts.setProperty("tone", "muted")
        self.facts.setFont(theme.fonts.tabular(theme.fonts.body()))
        self.facts.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.facts.setFixedHeight(2 * self.facts.fontMetrics().lineSpacing() + 2)
        self.path = QLineEdit(str(path), self)
        self.path.setAccessibleName(self.tr("File"))
        self.format = FormatChoice(self._formats, self)
        self.format.setVisible(len(self._formats) > 1)
        self.browse = QPushButton(self.tr("Browse…"), self)
        self.told = ChoiceBox([(text.replace("&", ""), word.value) for text, word in disclosures()], self)
        self.told.setToolTip(disclosure_tip())
        self.problem = QLabel(self)
        self.problem.setProperty("tone", "warning")
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress of the saving"))
        self.save_button = QPushButton(self.tr("Save"), self)
        self.save_button.setProperty("kind", "primary")
        self.save_button.setDefault(True)
        self.cancel_button = QPushButton(self.tr("Close"), self)
        self.cancel_button.setAutoDefault(False)
        self.browse.setAutoDefault(False)

    def _lay_out(self) -> None:
        file_row = QHBoxLayout()
        file_row.addWidget(self.path, 1)
        file_row.addWidget(self.browse)
        told_row = QHBoxLayout()
        told_label = QLabel(disclosure_title(), self)
        told_label.setBuddy(self.told)
        told_row.addWidget(told_label)
        told_row.addWidget(self.told, 1)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addWidget(self.progress, 1)
        foot.addStretch(0)
        foot.addWidget(self.cancel_button)
        foot.addWidget(self.save_button)
        grid = QGridLayout()
        grid.setHorizontalSpacing(22)
        grid.addWidget(self.form, 0, 0, 3, 1)
        grid.addWidget(self.preview, 0, 1)
        grid.addWidget(self.holds, 1, 1)
        grid.addWidget(self.facts, 2, 1, Qt.AlignmentFlag.AlignHCenter)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        column.addWidget(self.format)
        column.addLayout(grid, 1)
        column.addLayout(told_row)
        column.addLayout(file_row)
        column.addWidget(self.problem)
        column.addLayout(foot)

    def _connect(self) -> None:
        self.form.edited.connect(self.refresh)
        self.told.currentIndexChanged.connect(self._choose_disclosure)
        self.format.changed.connect(self._change_format)
        self.preview.clicked.connect(self._show_whole)
        self.path.textChanged.connect(self._judge)
        self.browse.clicked.connect(self._browse)
        self.save_button.clicked.connect(self.save)
        self.cancel_button.clicked.connect(self._cancel)
        self._alarm.timeout.connect(self._begin_preview)
        self._task.produced.connect(self._take)
        self._task.cancelled.connect(self._cancelled)
        self._task.failed.connect(self._fail)
        if self._decoder is not None:
            self._decoder.latents.frame_decoded.connect(self._keep_decoded)
            self._decoder.latents.frames_ended.connect(self._write_decoded)

    # Choosing ----------------------------------------------------------------------------------------------------

    def _row(self) -> AnimationFormat:
        return self.format.row

    def _show_format(self) -> None:
        title = self.tr("Export: {0}").format(self._title) if self._title else self.tr("Export")
        self.setWindowTitle(title)
        row = self._row()
        holds = row.holds_of_many if isinstance(self._filmed, RunGrid) else row.holds
        self.holds.setText(display(holds))
        self.holds.setVisible(bool(holds))
        self.form.offer(row)
        self.refresh()

    def _take_room(self) -> None:
        """Begin as large as the screen allows: what is left beside the choices is the preview's."""
        room = self.screen().availableSize() - QSize(60, 60)  # for the frame of the window
        self.resize(QSize(*LIKED_SIZE).boundedTo(room).expandedTo(self.minimumSizeHint()))

    @Slot()
    def _show_whole(self) -> None:
        """The preview in a window of its own."""
        if self.preview.image is not None:
            WholePicture(self.preview.image, self.windowTitle(), self).show()

    @Slot()
    def _change_format(self) -> None:
        path = Path(self.path.text())
        if path.suffix.lower() in {row.suffix for row in self._formats}:
            self.path.setText(str(path.with_suffix(self._row().suffix)))
        self._show_format()

    @property
    def disclosure(self) -> Disclosure:
        """What the file will tell of prompts and paths."""
        return Disclosure(self.told.currentData())

    @property
    def is_saving(self) -> bool:
        """Whether a file is being made."""
        return self._is_saving

    def set_disclosure(self, disclosure: Disclosure) -> None:
        """Show what saved files tell, as it is chosen elsewhere."""
        self.told.setCurrentIndex(self.told.findData(disclosure.value))

    @Slot()
    def _choose_disclosure(self) -> None:
        self.disclosure_chosen.emit(self.disclosure)
        self.refresh()  # captions tell it, too

    @Slot(int)
    def set_position(self, position: int) -> None:
        if position != self._position:
            self._position = position
            self.refresh()

    @Slot(str)
    def set_settling_rule(self, rule: str) -> None:
        """Mark in the plot where bands have settled by a rule, as the window does."""
        if rule != self.form.settling_rule:
            self.form.settling_rule = rule
            self.refresh()

    @Slot()
    def refresh(self) -> None:
        """A choice changed, or the run has more to show."""
        self._judge()
        if not self._is_saving:
            self._alarm.start()

    @Slot()
    def _judge(self) -> None:
        options = self.form.options()
        wrong = isinstance(options, ExportError)
        self.problem.setText(str(options) if wrong else "")
        self.problem.setVisible(wrong)
        self.save_button.setEnabled(not wrong and not self._is_saving and bool(self.path.text().strip()))

    @Slot()
    def _begin_preview(self) -> None:
        options = self.form.options()
        if isinstance(options, AnimationOptions) and not self._is_saving:
            self.facts.setText(self.tr("estimating…"))
            export = Export(
                self._filmed, options, self._position, self._measures, disclosure=self.disclosure
            )  # fmt: skip
            self._task.start(preview_job(self._row(), export))

    @Slot()
    def _browse(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, self.windowTitle(), self.path.text(), filter_text(self._row()),
            options=QFileDialog.Option.DontConfirmOverwrite,  # asked once, when it is saved
        )  # fmt: skip
        if chosen:
            self.path.setText(chosen)

    def target(self) -> Path:
        """The file to write, with its ending; `ExportError` where a folder's name is typed."""
        typed = self.path.text().strip()
        refuse_folder(typed)
        return self._row().named(expanded(typed))

    # Saving ------------------------------------------------------------------------------------------------------

    @Slot()
    def save(self) -> None:
        """Write the file; asks first where there is one already."""
        try:
            self._target = target = self.target()
        except ExportError as error:
            self._show_problem(str(error))
            return
        if not is_file(target):  # nor is a name that no file can have; the saving says so
            self._begin_saving()
            return
        ask_to_replace(target, self._begin_saving, self)

    @Slot()
    def _begin_saving(self) -> None:
        options = self.form.options()
        if isinstance(options, ExportError) or self._is_saving:
            return
        wanted = self._frames_to_decode(options)
        if wanted and self._decoder is not None and self._decoder.is_in_the_way():
            self._show_problem(self.tr("The model is at work: wait for its end, or have no frame decoded."))
            return
        self._alarm.stop()
        self._task.drop()  # a preview or an estimate: nobody waits for it any more
        remember(self._settings, options, key_of(self._filmed))
        self._settings.setValue(FORMAT, self._row().id)
        self._set_saving(True)
        if not wanted or self._decoder is None:
            self._write()
            return
        self._is_decoding, self._wanted = True, {(k, kind): (run, k, kind) for run, k, kind in wanted}
        frames: list[tuple[object, Frame]] = [((k, kind), numbers) for (_, k, kind), numbers in latents_of(wanted)]
        self._decoder.latents.decode_frames(cast("Trajectory", self._filmed), frames)

    def _frames_to_decode(self, options: AnimationOptions) -> list[Wanted]:
        """What the model's own decoder is to make before the file is written."""
        if self._decoder is None or options.decode == NONE:
            return []
        with contextlib.suppress(ExportError):
            own, _ = frames_to_decode(self._filmed, options, shown_states(self._filmed, options))
            return [each for each in own if each not in self._decoded]
        return []

    @Slot(object, object)
    def _keep_decoded(self, run: object, made: DecodedFrame) -> None:
        if run is self._filmed and made.key in self._wanted:
            self._decoded.keep(self._wanted.pop(made.key), made.frame)

    @Slot()
    def _write_decoded(self) -> None:
        """Decoding is over; what of it failed, which the window says, is seen through the linear map."""
        if self._is_decoding:
            self._is_decoding, self._wanted = False, {}
            self._write()

    def _stop_decoding(self) -> None:
        if self._is_decoding and self._decoder is not None:
            self._is_decoding, self._wanted = False, {}
            self._decoder.latents.stop_frames()

    def _write(self) -> None:
        options = self.form.options()
        assert isinstance(options, AnimationOptions)  # the form is locked since it was read
        export = Export(
            self._filmed, options, self._position, self._measures, self._task.report_progress, decoded=self._decoded,
            disclosure=self.disclosure,
        )  # fmt: skip
        self._task.start(export_job(self._row(), self._target, export))

    def _set_saving(self, saving: bool) -> None:
        self._is_saving = saving
        self.form.setEnabled(not saving)
        self.told.setEnabled(not saving)
        self.path.setEnabled(not saving)
        self.format.setEnabled(not saving)
        self.browse.setEnabled(not saving)
        self.cancel_button.setText(self.tr("Cancel") if saving else self.tr("Close"))
        self.progress.setRange(0, 0 if saving else 1)
        self.progress.reset()
        self.progress.setVisible(saving)
        self._judge()

    @Slot()
    def _cancel(self) -> None:
        if self._is_decoding:
            self._stop_decoding()
            self._cancelled()
        elif self._is_saving:
            self._task.stop()
        else:
            self.close()

    # What the thread says ----------------------------------------------------------------------------------------

    @Slot(object)
    def _take(self, item: object) -> None:
        match item:
            case Preview():
                self.preview.set_picture(QImage.fromData(item.picture).convertToFormat(QImage.Format.Format_RGB32))
                self._frames = item
                self.facts.setText(self._facts("…"))
            case Estimate():
                self.facts.setText(self._facts(self.tr("about {0}").format(byte_text(item.size_bytes))))
            case Progress():
                self.progress.setRange(0, item.total)
                self.progress.setValue(item.done)
            case Saved():
                self._set_saving(False)
                self.saved.emit(item.path, item.size_bytes)
                self.close()

    def _facts(self, size: str) -> str:
        options = self.form.options()
        return "" if isinstance(options, ExportError) else facts_text(options, self._frames, size, self._row())

    @Slot()
    def _cancelled(self) -> None:
        if self._is_saving:
            self._set_saving(False)
            self._show_problem(self.tr("Cancelled; no file was written."))
            self._alarm.start()

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self._set_saving(False)
        self.facts.setText("")
        message, advice = error_texts(error, self.tr("The file could not be made ({0}: {1})."))
        self._show_problem(f"{message} {advice}".strip())

    def _show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.show()

    # Qt overrides ------------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        self._alarm.stop()
        self.hide()
        self._stop_decoding()
        if not self._is_saving:
            self._decoded.close()
        self._task.retire(self._retired)  # a frame, or an estimate, may take seconds
        super().closeEvent(event)
        self.closed.emit()
        self.deleteLater()

    def reject(self) -> None:
        self.close()


def _title_parts(filmed: RunOrGrid) -> tuple[str, ...]:
    """What is exported, in a person's words."""
    return tuple(map(display, filmed.title.parts)) if isinstance(filmed, RunGrid) else title_parts(filmed.info)
