"""The choice of an experiment, and the invitation before its first run."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QRectF, QSettings, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.ui.theme import fonts, paint_icon, theme
from sculptor_app.ui.why.cell_grid import CellGrid
from sculptor_app.ui.why.experiments import Experiment

_HEIGHT, _ICON, _PAD = 60, 34.0, 12.0
_LEAST_WITH_PICTOGRAM = 136

translate = QCoreApplication.translate  # a name that lupdate knows


def story(experiment: Experiment) -> str:
    """The sentence over the grid of an experiment."""
    return {
        Experiment.LABELS: translate("Why", "One block of noise: every label finds its own statue in it"),
        Experiment.NOISES: translate("Why", "Every block holds a statue of its own: no noise is without one"),
        Experiment.BLEND: translate("Why", "Between two blocks there is a statue at every place"),
        Experiment.PAINT: translate("Why", "Paint on the block: strokes decide where light, dark and colour go"),
        Experiment.SETTINGS: translate("Why", "The same block, sculpted in other ways: what a setting decides"),
    }[experiment]


def invitation(experiment: Experiment) -> str:
    """The heading of the invitation before the first run of an experiment."""
    return {
        Experiment.LABELS: translate("Why", "The same block, over and over. What is in it?"),
        Experiment.NOISES: translate("Why", "Block beside block. What is in them?"),
        Experiment.BLEND: translate("Why", "One block turns into another. What is in between?"),
        Experiment.PAINT: translate("Why", "Draw on the block: it is carved at once"),
        Experiment.SETTINGS: translate("Why", "One block, many ways to carve it. What do they change?"),
    }[experiment]


class ExperimentCard(QAbstractButton):
    """One of them: a pictogram, its name, and a line about it where there is room."""

    def __init__(self, pictogram: str, title: str, line: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictogram, self._line = pictogram, line
        self.setText(title)
        self.setCheckable(True)
        self.setToolTip(line)
        self.setAccessibleName(title)
        self.setAccessibleDescription(line)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(220, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(92, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme().tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = tokens.accent_soft if self.isChecked() else tokens.hover if self.underMouse() else tokens.field
        edge = tokens.focus if self.hasFocus() else tokens.accent if self.isChecked() else tokens.hairline_strong
        ink = tokens.accent_text if self.isChecked() else tokens.text
        if not self.isEnabled():
            ground, edge, ink = tokens.window, tokens.hairline, tokens.disabled
        painter.setBrush(QColor(ground))
        painter.setPen(QPen(QColor(edge), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        if self._has_pictogram:
            paint_icon(painter, self._pictogram, QRectF(_PAD, (self.height() - _ICON) / 2, _ICON, _ICON), ink)
        self._paint_text(painter, ink, tokens.muted if self.isEnabled() else tokens.disabled)
        painter.end()

    @property
    def _has_pictogram(self) -> bool:
        """Whether there is room for it beside the name."""
        return self.width() >= _LEAST_WITH_PICTOGRAM

    def _paint_text(self, painter: QPainter, ink: str, muted: str) -> None:
        left = 2 * _PAD + _ICON - 2 if self._has_pictogram else _PAD
        room = QRectF(left, 0, self.width() - left - 8, self.height())
        painter.setFont(fonts.small())
        two_lines = painter.fontMetrics().horizontalAdvance(self._line) <= room.width()
        if two_lines:
            painter.setPen(QColor(muted))
            below = room.adjusted(0, room.height() / 2 + 1, 0, 0)
            painter.drawText(below, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, self._line)
            room.setHeight(room.height() / 2)
        painter.setFont(fonts.strong())
        painter.setPen(QColor(ink))
        upright = Qt.AlignmentFlag.AlignBottom if two_lines else Qt.AlignmentFlag.AlignVCenter
        painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft | upright | Qt.TextFlag.TextWordWrap), self.text())


class ExperimentChooser(QWidget):
    """The cards, one of them chosen."""

    chosen = Signal(object)  # another Experiment

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 14, 16, 0)
        row.setSpacing(10)
        group = QButtonGroup(self)
        self.cards: dict[Experiment, ExperimentCard] = {}
        for experiment, (title, line) in self._texts().items():
            card = ExperimentCard(f"why-{experiment.value}", title, line, self)
            group.addButton(card)
            row.addWidget(card, 1)
            card.clicked.connect(self._clicked)
            self.cards[experiment] = card
        self.cards[Experiment.LABELS].setChecked(True)

    def _texts(self) -> dict[Experiment, tuple[str, str]]:
        return {
            Experiment.LABELS: (self.tr("One block"), self.tr("other labels, other statues")),
            Experiment.NOISES: (self.tr("Many blocks"), self.tr("one label, each its statue")),
            Experiment.BLEND: (self.tr("From block to block"), self.tr("a statue at every place")),
            Experiment.PAINT: (self.tr("Paint the block"), self.tr("light and dark steer it")),
            Experiment.SETTINGS: (self.tr("Two settings"), self.tr("sampler × steps, or others")),
        }

    @property
    def experiment(self) -> Experiment:
        return next(experiment for experiment, card in self.cards.items() if card.isChecked())

    def choose(self, experiment: Experiment) -> None:
        """Choose one, as a click does."""
        if experiment is not self.experiment:
            self.cards[experiment].setChecked(True)
            self.chosen.emit(experiment)

    def save(self, settings: QSettings) -> None:
        settings.setValue("why/experiment", self.experiment.value)

    def restore(self, settings: QSettings) -> None:
        remembered = str(settings.value("why/experiment", ""))
        if remembered in [experiment.value for experiment in Experiment]:
            self.choose(Experiment(remembered))

    def set_has_labels(self, has_labels: bool) -> None:
        """Set whether the model knows forms or materials; another experiment takes the place of what needs them."""
        card = self.cards[Experiment.LABELS]
        card.setEnabled(has_labels)
        reason = self.tr("This model knows no forms and no materials.")
        card.setToolTip(card.accessibleDescription() if has_labels else reason)
        if not has_labels and self.experiment is Experiment.LABELS:
            self.choose(Experiment.NOISES)

    @Slot()
    def _clicked(self) -> None:
        self.chosen.emit(self.experiment)


class Invitation(QFrame):
    """A card over the pictures of a grid, with one button; their captions stay free where there is room."""

    start_requested = Signal()

    def __init__(self, over: CellGrid) -> None:
        super().__init__(over)
        self._over = over
        self.heading = QLabel(self)
        self.heading.setFont(fonts.title())
        self.heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button = QPushButton(self.tr("Start"), self)
        self.button.setProperty("kind", "primary")
        self.button.setMinimumWidth(150)
        self.button.clicked.connect(self.start_requested)
        column = QVBoxLayout(self)
        column.setContentsMargins(26, 18, 26, 20)
        column.setSpacing(14)
        column.addWidget(self.heading)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignCenter)
        over.laid_out.connect(self.place)
        theme().changed.connect(self._dress)
        self._dress()

    def set_heading(self, text: str) -> None:
        self.heading.setText(text)
        self.place()

    def _dress(self) -> None:
        tokens = theme().tokens
        self.setObjectName("invitation")
        self.setStyleSheet(
            f"QFrame#invitation {{ background: {tokens.window}; border: 1px solid {tokens.hairline_strong};"
            " border-radius: 12px; }"
        )

    @Slot()
    def place(self) -> None:
        """Lie over the pictures as they are laid out now."""
        self.adjustSize()
        middle = self._over.middle_without_captions(self.height())
        self.move((self._over.width() - self.width()) // 2, middle - self.height() // 2)

    # Qt overrides

    def showEvent(self, event: object) -> None:
        self.place()
