"""What stands on the stage before the first run: what is going to happen, and how to begin."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from sculptor_app.core.trajectory.levels import PHASES, PhaseSpan
from sculptor_app.ui.theme import fonts, paint_icon, theme
from sculptor_app.ui.widgets import names


class _Pictogram(QWidget):
    """The sculptor's pictogram of one phase on its colour."""

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self.setFixedSize(56, 56)
        theme().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme().tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.phases[self._key]))
        painter.drawRoundedRect(QRectF(self.rect()), 12, 12)
        paint_icon(painter, f"phase-{self._key}", QRectF(14, 14, 28, 28), tokens.on_phase)
        painter.end()


class Welcome(QWidget):
    """The invitation, with the four phases and the steps they will take."""

    start_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("ground", "well")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._steps = {phase.key: QLabel(self) for phase in PHASES}
        heading = QLabel(self.tr("Every picture begins as a block of noise"), self)
        font = fonts.title()
        font.setPointSizeF(font.pointSizeF() * 1.5)
        heading.setFont(font)
        heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        story = QLabel(
            self.tr("Press Start and watch the model carve it, step by step. Then go back and forth through it."),
            self,
        )
        story.setProperty("tone", "muted")
        story.setAlignment(Qt.AlignmentFlag.AlignCenter)
        story.setWordWrap(True)
        self.button = QPushButton(self.tr("Start"), self)
        self.button.setProperty("kind", "primary")
        self.button.setMinimumWidth(160)
        self.button.clicked.connect(self.start_requested)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 24, 32, 24)
        column.setSpacing(14)
        column.addStretch(3)
        column.addWidget(heading)
        column.addWidget(story)
        column.addSpacing(14)
        column.addLayout(self._phase_grid())
        column.addWidget(self._caveat())
        column.addSpacing(18)
        column.addLayout(row)
        column.addStretch(4)

    def _phase_grid(self) -> QHBoxLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(5)
        for column, phase in enumerate(PHASES):
            name = QLabel(names.phase_name(phase.key), self)
            name.setFont(fonts.strong())
            action = QLabel(names.phase_action(phase.key), self)
            action.setProperty("tone", "muted")
            action.setWordWrap(True)
            action.setFixedWidth(136)
            self._steps[phase.key].setFont(fonts.small())
            self._steps[phase.key].setProperty("tone", "muted")
            centre = Qt.AlignmentFlag.AlignHCenter
            grid.addWidget(_Pictogram(phase.key, self), 0, column, centre)
            for line, label in ((1, name), (2, self._steps[phase.key]), (3, action)):
                label.setAlignment(centre | Qt.AlignmentFlag.AlignTop)
                grid.addWidget(label, line, column, centre | Qt.AlignmentFlag.AlignTop)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addLayout(grid)
        row.addStretch(1)
        return row

    def _caveat(self) -> QLabel:
        text = self.tr("So it goes as a rule. When a run is over, marks show what was measured on it.")
        caveat = QLabel(text, self)
        caveat.setFont(fonts.small())
        caveat.setProperty("tone", "muted")
        caveat.setAlignment(Qt.AlignmentFlag.AlignCenter)
        caveat.setWordWrap(True)
        return caveat

    def set_plan(self, spans: Sequence[PhaseSpan]) -> None:
        """Say which steps of the planned run belong to each phase."""
        for label in self._steps.values():
            label.setText("")
        for span in spans:
            text = self.tr("step {0}") if span.first_step == span.last_step else self.tr("steps {0}")
            self._steps[span.phase.key].setText(text.format(names.step_range(span.first_step, span.last_step)))

    def set_can_start(self, can: bool) -> None:
        self.button.setEnabled(can)

    def sizeHint(self) -> QSize:
        return QSize(640, 420)
