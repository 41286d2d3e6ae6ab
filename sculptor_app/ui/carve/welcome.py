"""What stands on the stage before the first run: the whole idea in three pictures, what will happen, how to begin."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from sculptor_app import resources
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


def _wrapped_px(font: QFont, text: str, width: int) -> int:
    """Height of a text in a width; `QLabel.heightForWidth` is never less than the height that it was given before."""
    return QFontMetrics(font).boundingRect(QRect(0, 0, width, 10_000), int(Qt.TextFlag.TextWordWrap), text).height() + 2


DROWN, LEARN, CARVE = range(3)
TILES = {DROWN: (0, 1, 2), LEARN: (3, None, 4), CARVE: (5, 6, 7)}
"""Which pictures of `resources/styles/welcome.png` belong to each part of the idea; None is the model between two."""
LEAST_TILE_PX, MOST_TILE_PX, BETWEEN_TILES_PX, BETWEEN_PARTS_PX = 28, 84, 14, 28


class IdeaStrip(QWidget):
    """Pictures drown in noise; a model learns to take noise off; so it can begin with pure noise.

    The pictures are of real runs of the embedded model: `packaging/welcome.py` makes them.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        file = resources.find("styles/welcome.png")
        self._sheet = QImage() if file is None else QImage(str(file))
        self._side = MOST_TILE_PX
        self.sentences = (
            self.tr("Pictures drown in noise."),
            self.tr("A model learns to take noise off."),
            self.tr("So it can begin with pure noise."),
        )
        self.setAccessibleName(" ".join(self.sentences))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def _part_px(self, side: int) -> int:
        return 3 * side + 2 * BETWEEN_TILES_PX

    def _text_px(self) -> int:
        """Height of the sentences in the width of a part."""
        return max(_wrapped_px(fonts.strong(), text, self._part_px(self._side)) for text in self.sentences)

    def fit_into(self, width: int) -> None:
        """Be as large as a width allows."""
        room = (width - 2 * BETWEEN_PARTS_PX) // 3 - 2 * BETWEEN_TILES_PX
        self._side = min(MOST_TILE_PX, max(LEAST_TILE_PX, room // 3))
        self.setFixedHeight(self._text_px() + 8 + self._side)
        self.update()

    def _paint_model(self, painter: QPainter, box: QRectF) -> None:
        tokens = theme().tokens
        painter.setPen(QPen(QColor(tokens.hairline_strong), 1))
        painter.setBrush(QColor(tokens.field))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        inner = box.adjusted(box.width() * 0.28, box.width() * 0.28, -box.width() * 0.28, -box.width() * 0.28)
        paint_icon(painter, "phase-refinement", inner, tokens.accent_text)

    def _paint_part(self, painter: QPainter, left: float, part: int) -> None:
        tokens, side = theme().tokens, self._side
        top = self.height() - side
        painter.setPen(QColor(tokens.text))
        painter.setFont(fonts.strong())
        above = QRectF(left, 0, self._part_px(side), top - 8)
        flags = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        painter.drawText(above, int(flags), self.sentences[part])
        tile_px = self._sheet.height()
        # Larger than its place a tile would lose rows of pixels.
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, tile_px > side)
        for place, tile in enumerate(TILES[part]):
            box = QRectF(left + place * (side + BETWEEN_TILES_PX), top, side, side)
            if tile is None:
                self._paint_model(painter, box)
            else:
                painter.drawImage(box, self._sheet, QRectF(tile * tile_px, 0, tile_px, tile_px))
            if place:
                painter.setPen(QColor(tokens.muted))
                painter.setFont(fonts.body())
                gap = QRectF(box.left() - BETWEEN_TILES_PX, top, BETWEEN_TILES_PX, side)
                painter.drawText(gap, int(Qt.AlignmentFlag.AlignCenter), "→")

    def sizeHint(self) -> QSize:
        return QSize(3 * self._part_px(self._side) + 2 * BETWEEN_PARTS_PX, self._text_px() + 8 + self._side)

    def minimumSizeHint(self) -> QSize:
        return QSize(3 * self._part_px(LEAST_TILE_PX) + 2 * BETWEEN_PARTS_PX, 8 + LEAST_TILE_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        width = self._part_px(self._side)
        left = (self.width() - 3 * width - 2 * BETWEEN_PARTS_PX) / 2
        for part in TILES:
            self._paint_part(painter, left + part * (width + BETWEEN_PARTS_PX), part)
        painter.end()


MARGIN_PX, GAP_PX, SPACING_PX, PHASE_GAP_PX = 24, 18, 12, 5
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
        self.strip, self._caveat = IdeaStrip(self), self._make_caveat()
        self._phases = self._phase_grid()
        self._folded = 0  # how much of it is left out
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
        self.button.setMinimumWidth(160)
        self.button.clicked.connect(self.start_requested)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 20, MARGIN_PX, 20)
        column.setSpacing(SPACING_PX)
        column.addStretch(3)
        column.addWidget(heading)
        column.addWidget(story)
        column.addWidget(self.strip)
        column.addSpacing(8)
        column.addWidget(self._phases)
        column.addWidget(self._caveat)
        column.addSpacing(4)
        column.addLayout(row)
        column.addStretch(4)

    def _phase_grid(self) -> QWidget:
        phases, grid = QWidget(self), QGridLayout()
        grid.setHorizontalSpacing(GAP_PX)
        grid.setVerticalSpacing(PHASE_GAP_PX)
        for column, phase in enumerate(PHASES):
            name = QLabel(names.phase_name(phase.key), self)
            name.setFont(fonts.strong())
            name.setToolTip(names.explained(f"phase-{phase.key}"))
            action = QLabel(names.phase_action(phase.key), self)
            action.setProperty("tone", "muted")
            action.setWordWrap(True)
            self._actions.append(action)
            self._steps[phase.key].hide()
            self._steps[phase.key].setFont(fonts.small())
            self._steps[phase.key].setProperty("tone", "muted")
            centre = Qt.AlignmentFlag.AlignHCenter
            grid.addWidget(_Pictogram(phase.key, self), 0, column, centre)
            for line, label in ((1, name), (2, self._steps[phase.key]), (3, action)):
                label.setAlignment(centre | Qt.AlignmentFlag.AlignTop)
                grid.addWidget(label, line, column, centre | Qt.AlignmentFlag.AlignTop)
        row = QHBoxLayout(phases)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addLayout(grid)
        row.addStretch(1)
        return phases

    def _make_caveat(self) -> QLabel:
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
        for label in self._steps.values():  # an empty line would part names from what is said of them
            label.setVisible(bool(spans))

    def set_can_start(self, can: bool) -> None:
        self.button.setEnabled(can)

    def _fit_columns(self) -> None:
        self.strip.fit_into(self.width() - 2 * MARGIN_PX)
        line = self._heading.fontMetrics().horizontalAdvance(self._heading.text())
        is_long = line > self.width() - 2 * MARGIN_PX
        if is_long != self._heading.wordWrap():
            self._heading.setWordWrap(is_long)
        room = self.width() - 2 * MARGIN_PX - (len(self._actions) - 1) * GAP_PX
        width = min(COLUMN_PX[1], max(COLUMN_PX[0], room // len(self._actions)))
        for label in self._actions:
            label.setFixedWidth(width)
            label.setMinimumHeight(_wrapped_px(label.font(), label.text(), width))
        for label in self._sentences:
            label.setMinimumHeight(_wrapped_px(label.font(), label.text(), self.width() - 2 * MARGIN_PX))

    def _whole_px(self) -> int:
        """Height with all that is said, whether it is said now or not."""
        layout = self.layout()
        assert layout is not None
        return layout.minimumSize().height() + sum(self._foldable_px()[: self._folded])

    def _foldable_px(self) -> tuple[int, int, int]:
        """Heights of what goes where the room is short, in this order.

        What the phases do, which is in their tooltips; the phases, which the timeline has; the idea in pictures.
        """
        actions = max(label.minimumHeight() for label in self._actions) + PHASE_GAP_PX
        phases = self._phases.layout()
        assert phases is not None
        named = phases.minimumSize().height() - (0 if self._folded else actions)
        return actions + self._caveat.minimumHeight() + SPACING_PX, named + SPACING_PX, self.strip.height() + SPACING_PX

    def _fold(self) -> None:
        whole, parts = self._whole_px(), self._foldable_px()
        folded = next((count for count in range(len(parts)) if whole - sum(parts[:count]) <= self.height()), len(parts))
        if folded != self._folded:
            self._folded = folded
            for label in (*self._actions, self._caveat):
                label.setVisible(folded < 1)
            self._phases.setVisible(folded < 2)
            self.strip.setVisible(folded < 3)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # fonts or texts are others now
            self._fit_columns()
            self._fold()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()
        self._fold()

    def minimumSizeHint(self) -> QSize:
        count = len(self._actions)
        least = 2 * MARGIN_PX + max((count - 1) * GAP_PX + count * COLUMN_PX[0], self.strip.minimumSizeHint().width())
        return QSize(least, self._whole_px() - sum(self._foldable_px()))

    def sizeHint(self) -> QSize:
        return QSize(640, 420)
