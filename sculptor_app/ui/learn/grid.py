"""The grid of samples during training: pictures seen downwards, denoising steps to the right, with a cross-hair."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from sculptor_app.core.texts import pictures_text
from sculptor_app.ui.learn.cells import CellPainter, GridGeometry, ImageSource, grid_geometry
from sculptor_app.ui.learn.texts import count_text
from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.basics import Subject
from sculptor_app.ui.widgets.names import display

TOP_PX = 22


class SampleGrid(QWidget):
    """The grid widget; it shows a cross-hair on one cell and asks for another by signal."""

    cell_requested = Signal(int, int)  # row and state to put the cross-hair on

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[int, ...] = ()
        self._steps = 0
        self._source: ImageSource | None = None
        self._cell = (0, 0)
        self._cells = CellPainter()
        self._geometry: GridGeometry | None = None
        self._grip: tuple[int, int] | None = None
        self._wheel = 0
        self._more = QTimer(self)
        self._more.setSingleShot(True)
        self._more.timeout.connect(self.update)
        self.setFont(fonts.small())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Grid of training time against denoising time"))
        theme().changed.connect(self.update)

    # Content

    def set_source(self, source: ImageSource | None) -> None:
        """Set where pictures come from; the painted ones are dropped."""
        self._source = source
        self._cells.set_source(source)
        self.update()

    def forget(self) -> None:
        """Drop all painted pictures: another noise, or another kind, is shown now."""
        self._cells.forget()
        self.update()

    def set_axes(self, rows: tuple[int, ...], steps: int) -> None:
        """Set the pictures seen at each row, and N of the states 0..N."""
        if (rows, steps) != (self._rows, self._steps):
            self._rows, self._steps = rows, steps
            self._arrange()

    def set_cell(self, row: int, state: int) -> None:
        """Put the cross-hair on a cell."""
        if (row, state) != self._cell:
            self._cell = (row, state)
            self._arrange()
            self.setAccessibleDescription(self._description())

    @property
    def cell(self) -> tuple[int, int]:
        """Row and state that the cross-hair is on."""
        return self._cell

    @property
    def cell_geometry(self) -> GridGeometry:
        """Which cells are shown, and where."""
        if self._geometry is None:
            left = QFontMetricsF(self.font()).horizontalAdvance("8.8k") + 10
            counts = (len(self._rows), self._steps + 1)
            self._geometry = grid_geometry(self.width(), self.height() - 1, left, TOP_PX, counts, self._cell)
        return self._geometry

    def _arrange(self) -> None:
        self._geometry = None
        self.update()

    def _description(self) -> str:
        row, state = self._cell
        seen = self._rows[row] if row < len(self._rows) else 0
        return self.tr("after {0}, step {1}").format(display(pictures_text(seen)), state)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """The picture of a cell, for a context menu; for the keyboard that under the cross-hair."""
        if not self._rows:
            return None
        row, state = self._cell if place is None else self.cell_geometry.shown_at(place.x(), place.y())
        seen = self._rows[row] if row < len(self._rows) else 0
        image = None if self._source is None else self._source(row, state)
        return Subject(image, f"after-{seen}-step-{state}", "learned")

    # Painting

    def _paint_cells(self, painter: QPainter) -> None:
        hole = theme().tokens.pressed
        cells, is_whole = self._cells.painted(
            self.cell_geometry, self._rows, self.size(), self.devicePixelRatioF(), hole
        )
        painter.drawPixmap(0, 0, cells)
        if not is_whole:
            self._more.start(0)

    def _numbers(self) -> list[tuple[bool, QRectF, Qt.AlignmentFlag, str]]:
        """The numbers at the edges: whether it is the cross-hair's, its rectangle, alignment and text."""
        at, middle = self.cell_geometry, Qt.AlignmentFlag.AlignCenter
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        found = []
        for x, state in enumerate(at.columns):
            place = QRectF(at.corner(0, x)[0] - 4, 0, at.cell_px + 8, TOP_PX - 4)
            found.append((state == self._cell[1], place, middle, str(state)))
        for y, row in enumerate(at.rows):
            place = QRectF(0, at.corner(y, 0)[1], at.left - 8, at.cell_px)
            found.append((row == self._cell[0], place, right, count_text(self._rows[row])))
        return found

    def _paint_numbers(self, painter: QPainter) -> None:
        numbers, tokens = self._numbers(), theme().tokens
        for chosen, font, ink in ((False, fonts.small(), tokens.muted), (True, fonts.small_strong(), tokens.text)):
            painter.setFont(font)
            painter.setPen(QColor(ink))
            for is_chosen, place, flags, text in numbers:
                if is_chosen == chosen:
                    painter.drawText(place, flags, text)

    def _paint_cross(self, painter: QPainter) -> None:
        """Hairlines around the row and the column, and a frame around the cell."""
        at = self.cell_geometry
        row, state = self._cell
        if row not in at.rows or state not in at.columns:
            return
        y, x = at.rows.index(row), at.columns.index(state)
        left, top = at.corner(y, x)
        wide, high = len(at.columns) * at.pitch, len(at.rows) * at.pitch
        line = QPen(QColor(theme().tokens.accent), 1)
        painter.setPen(line)
        painter.drawRect(QRectF(at.left - 1.5, top - 1.5, wide + 1, at.cell_px + 2))
        painter.drawRect(QRectF(left - 1.5, at.top - 1.5, at.cell_px + 2, high + 1))
        ink = theme().tokens.focus if self.hasFocus() else theme().tokens.accent
        frame = QPen(QColor(ink), 3)
        frame.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(frame)
        painter.drawRect(QRectF(left - 1.5, top - 1.5, at.cell_px + 2, at.cell_px + 2))

    # Qt overrides

    def sizeHint(self) -> QSize:
        return QSize(720, 480)

    def minimumSizeHint(self) -> QSize:
        return QSize(400, 160)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._rows:
            self._paint_cells(painter)
            self._paint_numbers(painter)
            self._paint_cross(painter)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._rows:
            self._grip = self.cell_geometry.shown_at(event.position().x(), event.position().y())
            self._ask(*self._grip)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not event.buttons() & Qt.MouseButton.LeftButton or not self._rows:
            return
        x, y = event.position().x(), event.position().y()
        if self._grip == self.cell_geometry.shown_at(x, y):
            return  # a press means the cell that is seen; a drag also those between
        self._grip = None
        self._ask(self.cell_geometry.row_at(y), self.cell_geometry.column_at(x))

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._wheel += event.angleDelta().y()
        notches = int(self._wheel / 120)
        self._wheel -= notches * 120
        if notches:
            self._ask(self._cell[0] - notches, self._cell[1])
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row, state = self._cell
        match event.key():
            case Qt.Key.Key_Up:
                self._ask(row - 1, state)
            case Qt.Key.Key_Down:
                self._ask(row + 1, state)
            case Qt.Key.Key_Left:
                self._ask(row, state - 1)
            case Qt.Key.Key_Right:
                self._ask(row, state + 1)
            case Qt.Key.Key_Home:
                self._ask(row, 0)
            case Qt.Key.Key_End:
                self._ask(row, self._steps)
            case _:
                event.ignore()

    def _ask(self, row: int, state: int) -> None:
        cell = (min(max(row, 0), len(self._rows) - 1), min(max(state, 0), self._steps))
        if self._rows and cell != self._cell:
            self.cell_requested.emit(*cell)
