"""The film of a run: one small picture per state, made only when it comes into view."""

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QWidget

from sculptor_app.core.trajectory.phases import PhaseSpan
from sculptor_app.ui.theme import theme
from sculptor_app.ui.widgets.filmstrip_cell import CELL_HEIGHT, CELL_WIDTH, CellPainter
from sculptor_app.ui.widgets.names import phase_name
from sculptor_app.ui.widgets.thumbnails import Source, Thumbnails

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_AIR = 5
_HEIGHT = _AIR + CELL_HEIGHT + 12
_LATER_MS = 20
"""Pictures that a painting had no time for come when the next one has not followed by then: while a film is dragged,
each frame of the display makes its own share of them, and not two."""


class StatesModel(QAbstractListModel):
    """Rows 0..count-1, one per state.

    Attributes:
        start_words: What state 0 is.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count = 0
        self.planned = 0
        self.spans: tuple[PhaseSpan, ...] = ()
        self.start_words = self.tr("the untouched block")

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
        """A state in words, for tooltips and screen readers."""
        if row == 0:
            return self.tr("state 0, %1").replace("%1", self.start_words)
        key = self.phase_key(row)
        text = self.tr("step %1 of %2").replace("%1", str(row)).replace("%2", str(self.planned or self._count - 1))
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
    """A horizontal strip of states; a click or the arrow keys ask for one.

    Signals:
        step_requested(int): the person chose a state.
    """

    step_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._states = StatesModel(self)
        self.thumbnails = Thumbnails()
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

    def set_start_words(self, words: str) -> None:
        """Say what state 0 is."""
        self._states.start_words = words

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
        self.setFixedHeight(_HEIGHT)

    # What it shows

    def set_source(self, thumbnail: Source | None) -> None:
        """Where a state's picture comes from: called with its number when it is painted first, may return None."""
        self.thumbnails.set_source(thumbnail)
        self.viewport().update()

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
        """How many states there are."""
        return self._states.rowCount()

    @property
    def current(self) -> int:
        """The marked state, -1 for none."""
        return self.currentIndex().row()

    # Inside

    def _paint_owed(self) -> None:
        owed = [self._states.index(row) for row in self.thumbnails.owed]
        self.thumbnails.owed.clear()  # what has been scrolled away is not wanted any more
        for index in owed:
            self.viewport().update(self.visualRect(index))

    def _is_visible(self, index: _Index) -> bool:
        return index.isValid() and self.viewport().rect().intersects(self.visualRect(index))

    def _bring_into_view(self, index: _Index) -> None:
        if self._held_by_hand or not index.isValid():
            return
        rect = self.visualRect(index)
        bar = self.horizontalScrollBar()
        # One neighbour stays visible at either side, so that it is plain that the film goes on.
        margin = min(CELL_WIDTH, max(0, (self.viewport().width() - CELL_WIDTH) // 2))
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
        return QSize(12 * CELL_WIDTH, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(3 * CELL_WIDTH, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.thumbnails.begin_painting()
        self._cells.take_fonts()
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), QColor(theme().tokens.window))
        painter.end()
        super().paintEvent(event)
        if self.thumbnails.owed:
            self._later.start()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # An upright wheel moves the film sideways.
        delta = event.angleDelta()
        pixels = event.pixelDelta()
        sideways = pixels.x() or pixels.y() or round((delta.x() or delta.y()) / 120 * CELL_WIDTH)
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - sideways)
        self._held_by_hand = True
        event.accept()

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Qt marks the first row when focus comes and there is none; that is not a person's choice.
        self._showing = True
        super().focusInEvent(event)
        self._showing = False
