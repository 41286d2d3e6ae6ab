"""The library: the runs of before with their pictures, to be found, opened, compared, renamed and removed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QDateTime,
    QLocale,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QImage, QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import byte_text, plural, steps_text
from sculptor_app.core.trajectory.levels import PhaseSpan
from sculptor_app.session.library import LibraryWriter
from sculptor_app.session.tasks import BackgroundTask
from sculptor_app.ui.playback.texts import title_parts
from sculptor_app.ui.theme import fonts, phase_colour, theme
from sculptor_app.ui.widgets.basics import ElidedLabel
from sculptor_app.ui.widgets.names import display
from sculptor_app.ui.widgets.picture_source import shrunk, to_image

if TYPE_CHECKING:  # numpy comes with these
    from sculptor_app.core.trajectory.library import KeptRun

PICTURE_PX, _MARGIN, _GAP, _STRIP_PX = 72, 10, 12, 4
ROW_PX = PICTURE_PX + 2 * _MARGIN
_ROW = Qt.ItemDataRole.UserRole
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


@dataclass(frozen=True, slots=True, eq=False)
class LibraryRow:
    """A run of the library as it is listed."""

    run: KeptRun
    title: tuple[str, ...] = ()  # empty where the file cannot be opened
    when: str = ""
    steps: str = ""
    spans: tuple[PhaseSpan, ...] = ()
    planned: int = 0
    picture: QImage | None = None
    fault: str = ""  # why it cannot be opened

    @property
    def text(self) -> str:
        """Everything that is said of it, to be searched and read out."""
        return " · ".join(filter(None, (self.run.name, *self.title, self.when, self.steps, self.fault)))


def read_row(run: KeptRun) -> LibraryRow:
    """A run with its title, its phases and its last picture; of a file that is no run, why not."""
    from sculptor_app.core.trajectory.file import open_run
    from sculptor_app.measures import pictures
    from sculptor_app.measures.frame_kinds import FrameKind

    try:
        saved = open_run(run.path)
        try:
            picture = pictures.picture(saved, saved.last, FrameKind.CURRENT_GUESS)
            if picture.rgb32 is None:
                picture = pictures.picture(saved, saved.last, FrameKind.NOISY_STATE)
            image = to_image(picture)
            info, steps = saved.info, steps_text(saved.planned_steps)
            taken = display(steps) if saved.is_complete else f"{saved.last} / {saved.planned_steps}"
            facts = title_parts(info)
            spans, planned = saved.spans, saved.planned_steps
        finally:
            saved.close()
    except SculptorError as error:
        return LibraryRow(run, fault=display(error.message))
    return LibraryRow(run, facts, _when(run.changed), taken, spans, planned, image)


def _when(seconds: float) -> str:
    moment = QDateTime.fromSecsSinceEpoch(round(seconds))
    return QLocale().toString(moment, "d MMM yyyy, hh:mm")


class LibraryModel(QAbstractListModel):
    """The rows, the newest first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[LibraryRow] = []

    def set_rows(self, rows: list[LibraryRow]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def add(self, row: LibraryRow) -> None:
        """Show one more, after the others."""
        self.beginInsertRows(_ROOT, len(self.rows), len(self.rows))
        self.rows.append(row)
        self.endInsertRows()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return row.text
        return row if role == _ROW else None


class _RowPainter(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(320, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row: LibraryRow = index.data(_ROW)
        place: QRect = option.rect  # type: ignore[attr-defined]
        state, tokens = option.state, theme().tokens  # type: ignore[attr-defined]
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(place, QColor(tokens.accent_soft))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(place, QColor(tokens.hover))
        picture = QRect(place.left() + _MARGIN, place.top() + _MARGIN, PICTURE_PX, PICTURE_PX)
        self._paint_picture(painter, picture, row.picture)
        left = picture.right() + 1 + _GAP
        lines = QRect(left, picture.top() - 1, place.right() - left - _MARGIN, 22)
        named = row.run.name if row.run.is_named or not row.title else row.title[0]
        self._write(painter, lines, named, fonts.strong(), tokens.text)
        facts = row.title if row.run.is_named else row.title[1:]
        lines.moveTop(lines.top() + 21)
        self._write(painter, lines, row.fault or " · ".join(facts), fonts.small(), tokens.muted)
        lines.moveTop(lines.top() + 18)
        size = byte_text(row.run.size_bytes)
        self._write(painter, lines, " · ".join(filter(None, (row.when, size))), fonts.small(), tokens.muted)
        strip = QRect(left, picture.bottom() + 1 - _STRIP_PX, lines.width(), _STRIP_PX)
        for span in row.spans:
            ends = [strip.left() + strip.width() * k // row.planned for k in (span.first_step - 1, span.last_step)]
            painter.fillRect(ends[0], strip.top(), ends[1] - ends[0], _STRIP_PX, phase_colour(span.phase.key))
        painter.setPen(QColor(tokens.hairline))
        painter.drawLine(place.bottomLeft(), place.bottomRight())
        painter.restore()

    @staticmethod
    def _paint_picture(painter: QPainter, place: QRect, image: QImage | None) -> None:
        if image is None:
            painter.fillRect(place, QColor(theme().tokens.well))
            return
        ratio = painter.device().devicePixelRatio()
        small = shrunk(image, round(PICTURE_PX * ratio))
        small.setDevicePixelRatio(ratio)
        width, height = (round(side / ratio) for side in (small.width(), small.height()))
        painter.drawImage(place.center() - QPoint(width // 2 - 1, height // 2 - 1), small)

    @staticmethod
    def _write(painter: QPainter, place: QRect, text: str, font: Any, ink: str) -> None:
        painter.setFont(font)
        painter.setPen(QColor(ink))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


class LibraryDialog(QDialog):
    """The runs of the library beside the window, which stays free.

    Signals:
        open_requested, compare_requested: the file of a run that is to be put on screen, or beside what is there.
    """

    open_requested = Signal(object)
    compare_requested = Signal(object)

    def __init__(self, writer: LibraryWriter, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Library"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._library = writer.library
        self._removed: Path | None = None
        self._to_choose: str | None = None  # the name of the run that is chosen once it is listed
        self._task = BackgroundTask("library list", self)
        self._task.produced.connect(self._add)
        self._task.finished.connect(self._judge)
        self._model = LibraryModel(self)
        self.shown = QSortFilterProxyModel(self)
        self.shown.setSourceModel(self._model)
        self.shown.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.word_line = QLineEdit(self)
        self.word_line.setPlaceholderText(self.tr("Find a run by its words"))
        self.word_line.setAccessibleName(self.word_line.placeholderText())
        self.word_line.setClearButtonEnabled(True)
        self.word_line.textChanged.connect(self._search)
        self.list = self._make_list()
        self.state = ElidedLabel("", self)
        self.state.setProperty("tone", "muted")
        self.state.setFont(fonts.small())
        self._lay_out()
        writer.kept.connect(self.reload)
        self.finished.connect(self._task.shutdown)
        theme().changed.connect(self.list.viewport().update)
        self.resize(QSize(520, 620).boundedTo(parent.window().screen().availableGeometry().size() * 0.85))
        self._library.forget_removed()  # by whoever looked at it last
        self.reload()

    def _make_list(self) -> QListView:
        view = QListView(self)
        view.setModel(self.shown)
        view.setItemDelegate(_RowPainter(self))
        view.setMouseTracking(True)
        view.setUniformItemSizes(True)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setAccessibleName(self.tr("Runs"))
        view.activated.connect(self._open)
        view.selectionModel().currentChanged.connect(self._judge)
        return view

    def _lay_out(self) -> None:
        self.open_button = self._button(self.tr("Open"), self._open)
        self.compare_button = self._button(self.tr("Compare"), self._compare)
        self.compare_button.setToolTip(self.tr("Put it beside the run on screen"))
        self.rename_button = self._button(self.tr("Rename…"), self.rename)
        self.rename_button.setToolTip(self.tr("A run that has a name of yours stays until you remove it"))
        self.remove_button = self._button(self.tr("Remove"), self.remove)
        self.undo_button = self._button(self.tr("Undo"), self.undo)
        self.undo_button.hide()
        for keys, slot in (("Del", self.remove), ("F2", self.rename), ("Ctrl+F", self.word_line.setFocus)):
            QShortcut(QKeySequence(keys), self.list if keys == "Del" else self, slot)
        buttons = QHBoxLayout()
        for button in (self.open_button, self.compare_button, self.rename_button, self.remove_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.close_button = self._button(self.tr("Close"), self.close)
        buttons.addWidget(self.close_button)
        foot = QHBoxLayout()
        foot.addWidget(self.state, 1)
        foot.addWidget(self.undo_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        self.empty = QLabel(self)
        self.empty.setProperty("tone", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        column.addWidget(self.word_line)
        column.addWidget(self.list, 1)
        column.addWidget(self.empty, 1)
        column.addLayout(foot)
        column.addLayout(buttons)
        self._judge()

    def _button(self, text: str, slot: Any) -> QPushButton:
        button = QPushButton(text, self)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: slot())
        return button

    # The list --------------------------------------------------------------------------------------------------------

    @Slot()
    def reload(self) -> None:
        """List the folder again; what was chosen stays so."""
        row = self.chosen
        self._to_choose = self._to_choose or (row.run.name if row is not None else None)
        known = {(row.run.path, row.run.changed): row for row in self._model.rows}
        library = self._library

        def job(stop: threading.Event) -> Iterator[object]:
            rows = []
            for run in library.runs():
                if stop.is_set():
                    return
                rows.append(known.get((run.path, run.changed)) or run)
            yield rows
            for place, row in enumerate(rows):
                if not isinstance(row, LibraryRow):
                    yield place, read_row(row)

        self._task.start(job)

    @Slot(object)
    def _add(self, item: object) -> None:
        """First all files, then one by one what is in those that are new."""
        if isinstance(item, list):
            self._model.set_rows([each if isinstance(each, LibraryRow) else LibraryRow(each) for each in item])
        elif isinstance(item, tuple):
            place, row = item
            self._model.rows[place] = row
            index = self._model.index(place)
            self._model.dataChanged.emit(index, index)
        self._choose()
        self._judge()

    def _choose(self) -> None:
        """Choose what was chosen before, or else the newest."""
        name, self._to_choose = self._to_choose, None
        places = [place for place, row in enumerate(self._model.rows) if row.run.name == name]
        if places:
            self.list.setCurrentIndex(self.shown.mapFromSource(self._model.index(places[0])))
        elif not self.list.currentIndex().isValid() and self.shown.rowCount():
            self.list.setCurrentIndex(self.shown.index(0, 0))

    @property
    def chosen(self) -> LibraryRow | None:
        """The run that the buttons are about."""
        index = self.list.currentIndex()
        return index.data(_ROW) if index.isValid() else None

    @Slot(str)
    def _search(self, words: str) -> None:
        from PySide6.QtCore import QRegularExpression

        each = "".join(f"(?=.*{QRegularExpression.escape(word)})" for word in words.split())
        option = QRegularExpression.PatternOption.CaseInsensitiveOption
        self.shown.setFilterRegularExpression(QRegularExpression(each, option))
        self._choose()
        self._judge()

    @Slot()
    def _judge(self) -> None:
        row, count = self.chosen, self.shown.rowCount()
        for button in (self.open_button, self.compare_button):
            button.setEnabled(row is not None and not row.fault)
        for button in (self.rename_button, self.remove_button):
            button.setEnabled(row is not None)
        self.list.setVisible(count > 0)
        self.empty.setVisible(count == 0)
        if self._model.rows:
            self.empty.setText(self.tr("No run has all of these words."))
        elif self._task.is_busy:
            self.empty.setText(self.tr("The runs are on their way…"))
        else:
            kept = self.tr("Every run that ends in Carve is kept here, the oldest ones as long as there is room.")
            self.empty.setText(kept)
        if self.undo_button.isHidden():
            total = sum(row.run.size_bytes for row in self._model.rows)
            runs = plural(len(self._model.rows), self.tr("1 run"), self.tr("{0} runs")).format(len(self._model.rows))
            self.state.setText(self.tr("{0}, {1} · {2}").format(runs, byte_text(total), self._library.folder))

    # What people ask for ---------------------------------------------------------------------------------------------

    @Slot()
    def _open(self, *_: object) -> None:
        row = self.chosen
        if row is not None and not row.fault:
            self.open_requested.emit(row.run.path)

    @Slot()
    def _compare(self) -> None:
        row = self.chosen
        if row is not None and not row.fault:
            self.compare_requested.emit(row.run.path)

    @Slot()
    def rename(self) -> None:
        """Ask for a name, and give it to the chosen run."""
        row = self.chosen
        if row is None:
            return
        name, is_given = QInputDialog.getText(
            self, self.tr("Rename"), self.tr("What is this run to be called?"), text=row.run.name
        )
        if is_given and name.strip() != row.run.name:
            try:
                self._to_choose = self._library.rename(row.run.path, name).stem
            except SculptorError as error:
                self._say(f"{display(error.message)} {display(error.advice)}")
                return
            self._forget_removed()
            self.reload()

    @Slot()
    def remove(self) -> None:
        """Remove the chosen run, which Undo brings back."""
        row = self.chosen
        if row is None:
            return
        index = self.list.currentIndex().row()
        following = [self.shown.index(place, 0).data(_ROW) for place in (index + 1, index - 1) if place >= 0]
        try:
            removed = self._library.remove(row.run.path)
        except SculptorError as error:
            self._say(f"{display(error.message)} {display(error.advice)}")
            return
        self._removed = removed
        self._to_choose = next((each.run.name for each in following if each is not None), None)
        self.undo_button.show()
        self.state.setText(self.tr("Removed {0}").format(row.run.name))
        self.reload()

    @Slot()
    def undo(self) -> None:
        """Bring back what was removed last."""
        if self._removed is None:
            return
        try:
            self._to_choose = self._library.restore(self._removed).stem
        except SculptorError as error:
            self._say(display(error.message))
            return
        self._forget_removed()
        self.reload()

    def _forget_removed(self) -> None:
        self._removed = None
        self.undo_button.hide()

    def _say(self, sentence: str) -> None:
        from PySide6.QtWidgets import QMessageBox

        QMessageBox.warning(self, self.windowTitle(), sentence)
