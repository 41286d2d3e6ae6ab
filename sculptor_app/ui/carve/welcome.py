"""What stands on the stage before the first run: what is going to happen, and how to begin."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
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


MARGIN_PX, GAP_PX = 24, 18
COLUMN_PX = 88, 136
"""Least and greatest width of what is said about a phase."""


class Welcome(QWidget):
    """The invitation, with the four phases and the steps they will take."""

    start_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("ground", "well")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._actions: list[QLabel] = []
        self._sentences: list[QLabel] = []  # over the whole width
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
        self._heading = heading
        story.setProperty("tone", "muted")
        story.setAlignment(Qt.AlignmentFlag.AlignCenter)
        story.setWordWrap(True)
        self._sentences.append(story)
        self.button = QPushButton(self.tr("Start"), self)
        self.button.setProperty("kind", "primary")
        self.button.setMinimumWidth(160)
        self.button.clicked.connect(self.start_requested)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 20, MARGIN_PX, 20)
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
        grid.setHorizontalSpacing(GAP_PX)
        grid.setVerticalSpacing(5)
        for column, phase in enumerate(PHASES):
            name = QLabel(names.phase_name(phase.key), self)
            name.setFont(fonts.strong())
            action = QLabel(names.phase_action(phase.key), self)
            action.setProperty("tone", "muted")
            action.setWordWrap(True)
            self._actions.append(action)
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
        self._sentences.append(caveat)
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

    def _fit_columns(self) -> None:
        line = self._heading.fontMetrics().horizontalAdvance(self._heading.text())
        self._heading.setWordWrap(line > self.width() - 2 * MARGIN_PX)
        room = self.width() - 2 * MARGIN_PX - (len(self._actions) - 1) * GAP_PX
        width = min(COLUMN_PX[1], max(COLUMN_PX[0], room // len(self._actions)))
        for label in self._actions:
            label.setFixedWidth(width)
            label.setMinimumHeight(label.heightForWidth(width))
        for label in self._sentences:
            label.setMinimumHeight(label.heightForWidth(self.width() - 2 * MARGIN_PX))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def minimumSizeHint(self) -> QSize:
        count = len(self._actions)
        least = 2 * MARGIN_PX + (count - 1) * GAP_PX + count * COLUMN_PX[0]
        return QSize(least, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        return QSize(640, 420)
