"""How one state of the filmstrip is painted: phase, picture, number, and a frame around the current one."""

from typing import Protocol

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from sculptor_app.ui.theme import fonts, phase_colour, theme
from sculptor_app.ui.widgets.thumbnails import Thumbnails

PICTURE_SIDE = 64
CELL_WIDTH = PICTURE_SIDE + 10
_TOP = 9
_NUMBER_HEIGHT = 19
CELL_HEIGHT = _TOP + PICTURE_SIDE + 4 + _NUMBER_HEIGHT


class _Phases(Protocol):
    def phase_key(self, row: int) -> str | None: ...


class CellPainter(QStyledItemDelegate):
    """Paints states; a 64 px picture is shown pixel for pixel."""

    def __init__(self, thumbnails: Thumbnails, phases: _Phases, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._phases = phases
        self.take_fonts()

    def take_fonts(self) -> None:
        """Look the type scale up once for all cells of a painting: a font for each takes as long as its text."""
        self._small, self._small_strong = fonts.small(), fonts.small_strong()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(CELL_WIDTH, CELL_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        cell: QRect = option.rect  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        picture = QRect(cell.left() + 5, cell.top() + _TOP, PICTURE_SIDE, PICTURE_SIDE)
        painter.save()
        self._paint_phase(painter, picture, index.row())
        self._paint_picture(painter, picture, index.row())
        current = bool(state & QStyle.StateFlag.State_Selected)
        self._paint_frame(painter, picture, current, bool(state & QStyle.StateFlag.State_MouseOver))
        below = QRect(cell.left(), picture.bottom() + 4, cell.width(), _NUMBER_HEIGHT)
        self._paint_number(painter, below, index.row(), current, bool(state & QStyle.StateFlag.State_HasFocus))
        painter.restore()

    def _paint_phase(self, painter: QPainter, picture: QRect, row: int) -> None:
        key = self._phases.phase_key(row)
        if key is not None:
            painter.fillRect(picture.left() - 5, picture.top() - _TOP, CELL_WIDTH, 3, phase_colour(key))

    def _paint_picture(self, painter: QPainter, picture: QRect, row: int) -> None:
        ratio = painter.device().devicePixelRatio()
        small = self._thumbnails.get(row, round(PICTURE_SIDE * ratio))
        if small is None:
            painter.fillRect(picture, QColor(theme().tokens.well))
            return
        width, height = small.width() / ratio, small.height() / ratio
        target = QRectF(0, 0, width, height)
        target.moveCenter(QRectF(picture).center())
        painter.drawImage(target, small)

    def _paint_frame(self, painter: QPainter, picture: QRect, current: bool, hovered: bool) -> None:
        tokens = theme().tokens
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if current:
            painter.setPen(QPen(QColor(tokens.accent), 2.5))
            painter.drawRoundedRect(QRectF(picture).adjusted(-2.75, -2.75, 2.75, 2.75), 3, 3)
        elif hovered:
            painter.setPen(QPen(QColor(tokens.muted), 1))
            painter.drawRect(QRectF(picture).adjusted(-0.5, -0.5, 0.5, 0.5))

    def _paint_number(self, painter: QPainter, place: QRect, row: int, current: bool, has_focus: bool) -> None:
        tokens = theme().tokens
        painter.setFont(self._small_strong if current else self._small)
        ink = tokens.accent_text if current else tokens.muted
        if current and has_focus:
            # The keyboard's focus shows as a filled number, as there is a frame already.
            width = painter.fontMetrics().horizontalAdvance(str(row)) + 14
            pill = QRectF(place.center().x() - width / 2 + 0.5, place.top() + 1, width, place.height() - 2)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.accent))
            painter.drawRoundedRect(pill, pill.height() / 2, pill.height() / 2)
            ink = tokens.on_accent
        painter.setPen(QColor(ink))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(row))
