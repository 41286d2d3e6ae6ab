"""The filmstrip of a run: one thumbnail per state, with its phase and number, made only when it comes into view."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QFocusEvent, QImage, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from sculptor_app.core.trajectory.levels import PhaseSpan
from sculptor_app.ui.theme import fonts, phase_colour, theme
from sculptor_app.ui.widgets.basics import Subject
from sculptor_app.ui.widgets.names import phase_name
from sculptor_app.ui.widgets.picture_source import Source, Thumbnails

PICTURE_SIDE, LOW_PICTURE_SIDE = 64, 40
"""Edge of a picture, and in a low window, where the frames need the room more."""
LOW_WINDOW_PX = 800
_BESIDE = 10
CELL_WIDTH = PICTURE_SIDE + _BESIDE
_TOP = 9
_NUMBER_HEIGHT = 19
_CELLS_KEPT = 256
"""Painted cells that are kept: more than the widest screen shows, 7 MB of them at the usual scale."""


class _Phases(Protocol):
    fork: int | None

    def phase_key(self, row: int) -> str | None: ...


class CellPainter(QStyledItemDelegate):
    """Paints states; a 64 px picture is shown pixel for pixel."""

    def __init__(self, thumbnails: Thumbnails, phases: _Phases, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._phases = phases
        self.side = PICTURE_SIDE
        self._painted: OrderedDict[tuple[object, ...], QPixmap] = OrderedDict()  # cells that are nothing but themselves
        self.take_fonts()
        theme().changed.connect(self._painted.clear)

    def take_fonts(self) -> None:
        """Look the type scale up once for all cells of a painting: a font for each takes as long as its text."""
        self._small, self._small_strong = fonts.small(), fonts.small_strong()

    @property
    def cell(self) -> QSize:
        """Of a picture with its phase, its number, and the air around them."""
        return QSize(self.side + _BESIDE, _TOP + self.side + 4 + _NUMBER_HEIGHT)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return self.cell

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        cell: QRect = option.rect  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        if not state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.drawPixmap(cell.topLeft(), self._plain_cell(painter.device().devicePixelRatio(), index.row()))
            return
        self._paint_cell(painter, cell, state, index.row())

    def _plain_cell(self, ratio: float, row: int) -> QPixmap:
        """A cell that is neither current nor pointed at, kept: when a state comes, Qt has the whole film painted."""
        is_fork = row == self._phases.fork
        key = (
            row,
            ratio,
            self.side,
            self._phases.phase_key(row),
            is_fork,
            self._small.key(),
            self._thumbnails.generation,
        )
        found = self._painted.get(key)
        if found is not None:
            self._painted.move_to_end(key)
            return found
        cell = QPixmap(self.cell * ratio)
        cell.setDevicePixelRatio(ratio)
        cell.fill(QColor(theme().tokens.window))
        painter = QPainter(cell)
        has_picture = self._paint_cell(painter, QRect(QPoint(), self.cell), QStyle.StateFlag.State_None, row)
        painter.end()
        if has_picture:
            self._painted[key] = cell
            if len(self._painted) > _CELLS_KEPT:
                self._painted.popitem(last=False)
        return cell

    def _paint_cell(self, painter: QPainter, cell: QRect, state: QStyle.StateFlag, row: int) -> bool:
        """Paint a cell; whether there was a picture for it."""
        picture = QRect(cell.left() + 5, cell.top() + _TOP, self.side, self.side)
        painter.save()
        self._paint_phase(painter, picture, row)
        if row == self._phases.fork:  # what comes after is the run's own
            side = QRect(cell.right() - 1, picture.top() - 4, 2, self.side + 8)
            painter.fillRect(side, QColor(theme().tokens.text))
        has_picture = self._paint_picture(painter, picture, row)
        current = bool(state & QStyle.StateFlag.State_Selected)
        self._paint_frame(painter, picture, current, bool(state & QStyle.StateFlag.State_MouseOver))
        below = QRect(cell.left(), picture.bottom() + 4, cell.width(), _NUMBER_HEIGHT)
        self._paint_number(painter, below, row, current, bool(state & QStyle.StateFlag.State_HasFocus))
        painter.restore()
        return has_picture

    def _paint_phase(self, painter: QPainter, picture: QRect, row: int) -> None:
        key = self._phases.phase_key(row)
        if key is not None:
            painter.fillRect(picture.left() - 5, picture.top() - _TOP, self.cell.width(), 3, phase_colour(key))

    def _paint_picture(self, painter: QPainter, picture: QRect, row: int) -> bool:
        ratio = painter.device().devicePixelRatio()
        small = self._thumbnails.get(row, round(self.side * ratio))
        if small is None:
            painter.fillRect(picture, QColor(theme().tokens.well))
            return False
        width, height = small.width() / ratio, small.height() / ratio
        target = QRectF(0, 0, width, height)
        target.moveCenter(QRectF(picture).center())
        painter.drawImage(target, small)
        return True

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


_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_AIR = 5


def picture_side(window_px: int) -> int:
    """Edge of the film's pictures in a window of this height."""
    return PICTURE_SIDE if window_px >= LOW_WINDOW_PX else LOW_PICTURE_SIDE


def film_px(side: int) -> int:
    """Height of a filmstrip of pictures with that edge, with or without any."""
    return _AIR + _TOP + side + 4 + _NUMBER_HEIGHT + 12


_LATER_MS = 20
"""Pictures that a painting had no time for come when the next one has not followed by then: while a film is dragged,
each frame of the display makes its own share of them, and not two."""


class StatesModel(QAbstractListModel):
    """Rows 0..count-1, one per state."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count = 0
        self.planned = 0
        self.spans: tuple[PhaseSpan, ...] = ()
        self.fork: int | None = None  # the last state that the run shares with another one
        self.start_text = self.tr("the untouched block")
        self.counts_layers = False

    def set_count(self, count: int) -> None:
        """Grows by inserting rows, or starts again when there are fewer."""
        if count < self._count:
            self.beginResetModel()
            self._count = count
            self.endResetModel()
        elif count > self._count:
            self.beginInsertRows(_ROOT, self._count, count - 1)
            self._count = count
            self.endInsertRows()

    def phase_key(self, row: int) -> str | None:
        """The phase of the step that made this state; none for the pure noise."""
        return next((s.phase.key for s in self.spans if s.first_step <= row <= s.last_step), None)

    def describe(self, row: int) -> str:
        """The text of a state for tooltips and screen readers."""
        if row == 0:
            first = self.tr("layer 0, {0}") if self.counts_layers else self.tr("state 0, {0}")
            return first.format(self.start_text)
        key = self.phase_key(row)
        one = self.tr("layer {0} of {1}") if self.counts_layers else self.tr("step {0} of {1}")
        text = one.format(row, self.planned or self._count - 1)
        return f"{text}, {phase_name(key).lower()}" if key else text

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else self._count

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return str(index.row())
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self.describe(index.row())
        return None


class Filmstrip(QListView):
    """A horizontal strip of states; a click or the arrow keys ask for one."""

    step_requested = Signal(int)  # the person chose a state

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._states = StatesModel(self)
        self.thumbnails = Thumbnails()
        self._picture: Callable[[int], QImage | None] | None = None
        self._kind = ""
        self._showing = False
        self._following = False
        self._held_by_hand = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_LATER_MS)
        self._later.timeout.connect(self._paint_owed)
        self.setModel(self._states)
        self._cells = CellPainter(self.thumbnails, self._states, self)
        self.setItemDelegate(self._cells)
        self._set_up_view()
        self.setAccessibleName(self.tr("Filmstrip"))
        self.setAccessibleDescription(
            self.tr("One small picture per state of the run; the arrow keys go from state to state")
        )
        self.selectionModel().currentChanged.connect(self._current_was_changed)
        self.horizontalScrollBar().actionTriggered.connect(self._scrolled_by_hand)
        theme().changed.connect(self.viewport().update)

    def set_start_text(self, text: str) -> None:
        self._states.start_text = text

    def count_layers(self) -> None:
        """Count layers of noise from a picture on, instead of steps from the noise on."""
        self._states.counts_layers = True
        self._states.start_text = self.tr("the picture")

    def _set_up_view(self) -> None:
        self.setProperty("kind", "bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        # Qt would scroll by itself when the current row changes, also under the hand of a person who scrolls.
        self.setAutoScroll(False)
        self.setMouseTracking(True)
        # Opaque, so that Qt moves what is painted when the film scrolls, and asks for the new cells alone.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setViewportMargins(0, _AIR, 0, 0)
        self.setFixedHeight(film_px(PICTURE_SIDE))

    def fit_into(self, window_px: int) -> None:
        """Take the size that suits a window of this height."""
        side = picture_side(window_px)
        if side != self._cells.side:
            self._cells.side = side
            self.setFixedHeight(film_px(side))
            self.scheduleDelayedItemsLayout()
            self.viewport().update()

    # What it shows

    def set_source(self, thumbnail: Source | None) -> None:
        """Where a state's picture comes from: called with its number when it is painted first, may return None."""
        self.thumbnails.set_source(thumbnail)
        self.viewport().update()

    def set_pictures(self, picture: Callable[[int], QImage | None], kind: str) -> None:
        """Where a state's picture comes from in full, for copies and files, and the word of what it shows."""
        self._picture, self._kind = picture, kind

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """The picture of a cell, for a context menu."""
        index = self.currentIndex() if place is None else self.indexAt(self.viewport().mapFrom(self, place))
        if not index.isValid() or self._picture is None:
            return None
        return Subject(self._picture(index.row()), self._kind, self._kind, position=index.row())

    def set_count(self, count: int) -> None:
        """How many states there are; fewer than before means another run and starts again.

        Raises:
            ValueError: a negative count.
        """
        if count < 0:
            raise ValueError(f"a run has 0 or more states; got {count}")
        if count < self._states.rowCount():
            self.thumbnails.clear()
            self._held_by_hand = False
        self._showing = True
        self._states.set_count(count)
        self._showing = False

    def clear(self) -> None:
        """No run: no states."""
        self.set_count(0)

    def set_planned(self, steps: int) -> None:
        """N, the number of steps that the run will have."""
        self._states.planned = steps

    def set_spans(self, spans: Sequence[PhaseSpan]) -> None:
        """The phases, for the colour over each picture."""
        self._states.spans = tuple(spans)
        self.viewport().update()

    def set_fork(self, state: int | None) -> None:
        """Mark the last state that the run shares with another one; None for no such."""
        self._states.fork = state
        self.viewport().update()

    def set_following(self, following: bool) -> None:
        """Whether the current state is that of a run in progress; then a person's own scrolling is left alone."""
        if following != self._following:
            self._following = following
            self._held_by_hand = False
            self._bring_into_view(self.currentIndex())

    def set_current(self, step: int) -> None:
        """Marks a state; scrolls there unless a person has scrolled elsewhere while following."""
        index = self._states.index(step)
        if not index.isValid() or index == self.currentIndex():
            return
        was_visible = self._is_visible(self.currentIndex())
        self._showing = True
        self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._showing = False
        if self._held_by_hand and (was_visible or not self._following):
            self._held_by_hand = False
        self._bring_into_view(index)

    @property
    def count(self) -> int:
        return self._states.rowCount()

    @property
    def current(self) -> int:
        """The marked state, -1 for none."""
        return self.currentIndex().row()

    # Inside

    def _paint_owed(self) -> None:
        """Make as many of the pictures that are left as one painting has time for, and paint those cells alone."""
        owed, side_px = list(self.thumbnails.owed), round(self._cells.side * self.devicePixelRatio())
        owed.sort(key=lambda row: (abs(row - self.current), row))
        self.thumbnails.begin_painting()
        for row in owed:
            index = self._states.index(row)
            if not self._is_visible(index):  # what has been scrolled away is not wanted any more
                self.thumbnails.owed.discard(row)
            elif self.thumbnails.get(row, side_px) is not None:
                self.viewport().update(self.visualRect(index))
        if self.thumbnails.owed:
            self._later.start()

    def _is_visible(self, index: _Index) -> bool:
        return index.isValid() and self.viewport().rect().intersects(self.visualRect(index))

    def _bring_into_view(self, index: _Index) -> None:
        if self._held_by_hand or not index.isValid():
            return
        rect = self.visualRect(index)
        bar = self.horizontalScrollBar()
        # One neighbour stays visible at either side, so that it is plain that the film goes on.
        width = self._cells.cell.width()
        margin = min(width, max(0, (self.viewport().width() - width) // 2))
        if rect.left() < margin:
            bar.setValue(bar.value() + rect.left() - margin)
        elif rect.right() > self.viewport().width() - margin:
            bar.setValue(bar.value() + rect.right() - self.viewport().width() + margin)

    def _scrolled_by_hand(self) -> None:
        self._held_by_hand = True

    def _current_was_changed(self, current: QModelIndex) -> None:
        if self._showing or not current.isValid():
            return
        self._held_by_hand = False
        self._bring_into_view(current)
        self.step_requested.emit(current.row())

    def sizeHint(self) -> QSize:
        return QSize(12 * self._cells.cell.width(), film_px(self._cells.side))

    def minimumSizeHint(self) -> QSize:
        return QSize(3 * self._cells.cell.width(), film_px(self._cells.side))

    def paintEvent(self, event: QPaintEvent) -> None:
        self.thumbnails.begin_painting()
        if self._is_visible(self.currentIndex()):  # first of all, whatever there is no time for then
            self.thumbnails.get(self.current, round(self._cells.side * self.devicePixelRatio()))
        self._cells.take_fonts()
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), QColor(theme().tokens.window))
        painter.end()
        super().paintEvent(event)
        if self.thumbnails.owed:
            self._later.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._bring_into_view(self.currentIndex())

    def wheelEvent(self, event: QWheelEvent) -> None:
        # An upright wheel moves the film sideways.
        delta = event.angleDelta()
        pixels = event.pixelDelta()
        sideways = pixels.x() or pixels.y() or round((delta.x() or delta.y()) / 120 * self._cells.cell.width())
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - sideways)
        self._held_by_hand = True
        event.accept()

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Qt marks the first row when focus comes and there is none; that is not a person's choice.
        self._showing = True
        super().focusInEvent(event)
        self._showing = False
