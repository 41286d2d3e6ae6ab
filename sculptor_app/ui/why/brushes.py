"""The brushes for noise: light, dark, colours and other noise, and how large they are."""

from __future__ import annotations

from PySide6.QtCore import QSettings, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QButtonGroup, QSlider, QToolButton, QVBoxLayout, QWidget

from sculptor_app.ui.theme import icon
from sculptor_app.ui.why.canvas import Brush

STRENGTH = 1.2
"""Standard deviations of the noise by which one stroke shifts it where it is strongest."""

BUTTON_PX = 28
OTHER = "other"

_COLOURS = {
    "light": ("#ffffff", (1.0, 1.0, 1.0)),
    "dark": ("#141210", (-1.0, -1.0, -1.0)),
    "red": ("#d8452e", (1.2, -0.6, -0.6)),
    "gold": ("#e0a52e", (1.0, 0.3, -1.0)),
    "green": ("#3f9a5b", (-0.7, 0.9, -0.4)),
    "blue": ("#3b74c9", (-0.8, -0.1, 1.2)),
}
"""Of each brush, its colour on the canvas and the direction in which it shifts red, green and blue."""

BRUSHES = (*_COLOURS, OTHER)
"""Keys of all brushes."""

_OTHER_COLOUR = "#9a8f80"


def veil_colour(key: str) -> QColor:
    """In which colour the strokes of a brush are shown on the canvas."""
    return QColor(_OTHER_COLOUR if key == OTHER else _COLOURS[key][0])


class BrushBox(QWidget):
    """A column of brushes; the slider for their size is put elsewhere.

    Signals:
        chosen: another brush or size.
    """

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.buttons: dict[str, QToolButton] = {}
        for key, name in self._names().items():
            button = self.buttons[key] = self._button(key, name)
            group.addButton(button)
            column.addWidget(button)
        column.addStretch(1)
        self.buttons["light"].setChecked(True)
        self.reach = QSlider(Qt.Orientation.Horizontal, self)
        self.reach.setRange(5, 40)
        self.reach.setValue(18)
        self.reach.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.reach.setToolTip(self.tr("Size of the brush"))
        self.reach.setAccessibleName(self.tr("Size of the brush"))
        self.reach.valueChanged.connect(self._tell)

    def _names(self) -> dict[str, str]:
        return {
            "light": self.tr("Light"),
            "dark": self.tr("Dark"),
            "red": self.tr("Red"),
            "gold": self.tr("Gold"),
            "green": self.tr("Green"),
            "blue": self.tr("Blue"),
            OTHER: self.tr("Other noise"),
        }

    def _button(self, key: str, name: str) -> QToolButton:
        button = QToolButton(self)
        button.setCheckable(True)
        button.setFixedSize(BUTTON_PX, BUTTON_PX)
        button.setIconSize(QSize(18, 18))
        button.setIcon(icon("dice") if key == OTHER else _dot(_COLOURS[key][0]))
        button.setToolTip(name)
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(self._tell)
        return button

    @property
    def chosen_key(self) -> str:
        """The brush that is chosen: "light", "dark", a colour, or OTHER."""
        return next(key for key, button in self.buttons.items() if button.isChecked())

    @property
    def brush(self) -> Brush:
        """What a stroke is made with now."""
        radius = self.reach.value() / 100
        if self.chosen_key == OTHER:
            return Brush(veil_colour(OTHER), None, radius)
        shift = _COLOURS[self.chosen_key][1]
        red, green, blue = (STRENGTH * value for value in shift)
        return Brush(veil_colour(self.chosen_key), (red, green, blue), radius)

    def save(self, settings: QSettings) -> None:
        """Remember brush and size."""
        settings.setValue("why/paint/brush", self.chosen_key)
        settings.setValue("why/paint/reach", self.reach.value())

    def restore(self, settings: QSettings) -> None:
        """Take up what was remembered; what is no longer on offer stays as it is."""
        button = self.buttons.get(str(settings.value("why/paint/brush", "")))
        if button is not None:
            button.setChecked(True)
        reach = str(settings.value("why/paint/reach", ""))
        if reach.isdecimal() and len(reach) < 4:
            self.reach.setValue(int(reach))
        self.chosen.emit()

    @Slot()
    def _tell(self) -> None:
        self.chosen.emit()


def _dot(colour: str) -> QIcon:
    """A round spot of a colour with an edge that shows on any ground."""
    pixmap = QPixmap(36, 36)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(colour))
    painter.setPen(QPen(QColor("#8a8378"), 2))
    painter.drawEllipse(3, 3, 30, 30)
    painter.end()
    return QIcon(pixmap)
