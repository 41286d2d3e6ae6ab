"""The middle of the page Learn: the grid of samples between choices and a timeline; an invitation while it is empty."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.session.session import Session
from sculptor_app.training.records.plan import NOISES
from sculptor_app.ui.learn.cells import GUESS, STATE
from sculptor_app.ui.learn.grid import SampleGrid
from sculptor_app.ui.theme import fonts, icon, theme
from sculptor_app.ui.widgets.basics import ElidedLabel
from sculptor_app.ui.widgets.timeline import Timeline


class DenoisingTimeline(Timeline):
    """A timeline that leaves the arrows up and down to the training time."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            event.ignore()
        else:
            super().keyPressEvent(event)


SKETCH_ROWS, SKETCH_COLUMNS, SKETCH_CELL_PX, SKETCH_GAP_PX = 4, 7, 34, 5


class GridSketch(QWidget):
    """The grid that will grow, with empty cells: what it counts downwards and to the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setAccessibleName(self.tr("Sketch of the grid: pictures seen downwards, denoising steps to the right"))
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        pitch, line = SKETCH_CELL_PX + SKETCH_GAP_PX, self.fontMetrics().height() + 4
        return QSize(SKETCH_COLUMNS * pitch + 2 * line, SKETCH_ROWS * pitch + line)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        line = self.fontMetrics().height() + 4
        pitch = min(SKETCH_CELL_PX + SKETCH_GAP_PX, (self.height() - line) / SKETCH_ROWS, self.width() / 9)
        if pitch < 2 * SKETCH_GAP_PX:
            return
        tokens, side = theme().tokens, pitch - SKETCH_GAP_PX
        wide, high = SKETCH_COLUMNS * pitch, SKETCH_ROWS * pitch
        left, top = (self.width() - wide) / 2, float(line)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(tokens.hairline_strong), 1))
        painter.setBrush(QColor(tokens.pressed))
        for row in range(SKETCH_ROWS):
            for column in range(SKETCH_COLUMNS):
                painter.drawRoundedRect(QRectF(left + column * pitch, top + row * pitch, side, side), 3, 3)
        painter.setPen(QColor(tokens.muted))
        painter.setFont(fonts.small())
        middle = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextDontClip)
        painter.drawText(QRectF(left, 0, wide, line), middle, self.tr("denoising steps →"))
        painter.translate(left - line / 2 - 2, top + high / 2)
        painter.rotate(-90)
        painter.drawText(QRectF(-high / 2, -line / 2, high, line), middle, self.tr("← pictures seen"))
        painter.end()


class SamplesView(QWidget):
    """Grid, choices of noise and kind, and timeline."""

    noise_requested = Signal(int)  # which of the fixed noises
    kind_requested = Signal(object)  # GUESS or STATE
    newest_requested = Signal()  # go to the newest row, and along with those that come

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setProperty("ground", "well")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.grid, self.timeline = SampleGrid(self), DenoisingTimeline(self)
        self.timeline.setAccessibleName(self.tr("Denoising time"))
        self.note = ElidedLabel("", self)
        self.note.setProperty("tone", "muted")
        self._kinds, self._noises = QButtonGroup(self), QButtonGroup(self)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._invitation())
        self._stack.addWidget(self._samples_panel())
        self._kinds.idClicked.connect(self._kind_clicked)
        self._noises.idClicked.connect(self.noise_requested)
        session.playback_changed.connect(self._show_playing)

    def _samples_panel(self) -> QWidget:
        panel = QWidget(self)
        column = QVBoxLayout(panel)
        column.setContentsMargins(16, 12, 16, 4)
        column.setSpacing(10)
        column.addLayout(self._choices(panel))
        column.addWidget(self.grid, 1)
        column.addWidget(self._axis_note(panel))
        column.addLayout(self._scrubber(panel))
        return panel

    def _choices(self, panel: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(0)
        heading = ElidedLabel(self.tr("The same noise:"), panel)
        heading.setFont(fonts.strong())
        heading.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        row.addWidget(heading)
        row.addSpacing(8)
        for number in range(NOISES):
            side = "left" if number == 0 else "middle" if number + 1 < NOISES else "right"
            button = self._segment(self._noises, number, str(number + 1), side, panel)
            button.setToolTip(self.tr("Fixed noise {0}").format(number + 1))
            button.setAccessibleName(button.toolTip())
            row.addWidget(button)
        row.addSpacing(10)
        row.addWidget(self.note, 1)
        self.newest = QToolButton(panel)
        self.newest.setText(self.tr("Newest"))
        self.newest.setIcon(icon("follow"))
        self.newest.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.newest.setToolTip(self.tr("Go to the newest row, and along with those that come"))
        self.newest.clicked.connect(self.newest_requested)
        row.addWidget(self.newest)
        row.addSpacing(8)
        row.addWidget(self._segment(self._kinds, 0, self.tr("Current guess"), "left", panel))
        row.addWidget(self._segment(self._kinds, 1, self.tr("Noisy state"), "right", panel))
        return row

    def _segment(self, group: QButtonGroup, number: int, text: str, side: str, panel: QWidget) -> QToolButton:
        button = QToolButton(panel)
        button.setText(text)
        button.setCheckable(True)
        button.setChecked(number == 0)
        button.setProperty("segment", side)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        group.addButton(button, number)
        return button

    def _axis_note(self, panel: QWidget) -> QLabel:
        label = ElidedLabel(self.tr("Down: pictures seen · To the right: denoising steps · Drag, or ↑ ↓ ← →"), panel)
        label.setProperty("tone", "muted")
        label.setFont(fonts.small())
        return label

    def _scrubber(self, panel: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(10)
        self.play = QToolButton(panel)
        self.play.setProperty("kind", "outlined")
        self.play.setIconSize(QSize(18, 18))
        self.play.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.play.clicked.connect(self._session.toggle_play)
        row.addWidget(self.play, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.timeline, 1)
        self._show_playing()
        return row

    def _invitation(self) -> QWidget:
        panel = QWidget(self)
        self.title, self.text = QLabel(panel), QLabel(panel)
        self.title.setFont(fonts.title())
        self.text.setProperty("tone", "muted")
        self.text.setWordWrap(True)
        for label in (self.title, self.text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sketch = GridSketch(panel)
        self.set_invitation("", "")
        inner = QWidget(panel)
        inner.setMaximumWidth(480)
        column = QVBoxLayout(inner)
        column.setSpacing(10)
        column.addStretch(2)
        column.addWidget(self.sketch)
        column.addSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addStretch(3)
        row = QHBoxLayout(panel)
        row.addWidget(inner)
        return panel

    @property
    def foot_px(self) -> int:
        """Height of the scrubber, which bars leave free."""
        return self.height() - self.timeline.y() if self._stack.currentIndex() else 0

    # Content

    def set_invitation(self, title: str, text: str) -> None:
        """Set the text while there is no row; empty for the invitation, or what of it holds while the model learns."""
        idea = self.tr(
            "It is shown pictures drowned in noise and learns to tell one from the other. As it learns, the same "
            "four noises are sculpted again and again: from top to bottom you see what it has learned, from left "
            "to right how it takes the noise away."
        )
        stays = (
            self.tr("The window stays yours meanwhile.") if title else self.tr("Press Start; the window stays yours.")
        )
        self.title.setText(title or self.tr("Watch a model learn what noise looks like"))
        self.text.setText(text or f"{idea} {stays}")

    def set_has_samples(self, has_samples: bool) -> None:
        """Show the grid, or the invitation."""
        self._stack.setCurrentIndex(int(has_samples))

    def set_choice(self, noise: int, kind: str) -> None:
        """Mark the noise and the kind that are shown."""
        self._noises.button(noise).setChecked(True)
        self._kinds.button(int(kind == STATE)).setChecked(True)
        self.grid.forget()

    @Slot(int)
    def _kind_clicked(self, number: int) -> None:
        self.kind_requested.emit((GUESS, STATE)[number])

    @Slot()
    def _show_playing(self) -> None:
        playing = self._session.direction != 0
        self.play.setIcon(icon("pause" if playing else "play"))
        text = self.tr("Pause (Space)") if playing else self.tr("Play the denoising (Space)")
        self.play.setToolTip(text)
        self.play.setAccessibleName(text)
