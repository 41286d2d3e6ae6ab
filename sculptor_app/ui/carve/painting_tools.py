"""The tools for carving by hand: which frame is painted on, brushes with colour, size and strength, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QColorDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.core.requests.painting import PaintedFrame
from sculptor_app.ui.fields.inputs import ChoiceBox
from sculptor_app.ui.theme import fonts, icon

TOOLS_PX = 200
BRUSHES = ("colour", "noise", "erase", "copy")
"""Keys of the brushes, whichever frame they paint on."""
COLOURS = ("#ffffff", "#141210", "#c04030", "#e0a52e", "#3f9a5b", "#3b74c9", "#8a5fb0")
_DOT_PX = 20
_SIZES, _USUAL_SIZE = (1, 40), 9
"""Of a brush, in hundredths of the picture's width."""
_STRENGTHS, _USUAL_STRENGTH = (5, 100), 80


@dataclass(frozen=True, slots=True)
class Brush:
    """What the next stroke is made with."""

    key: str  # one of BRUSHES
    radius: float  # as a share of the picture's width
    strength: float  # above 0, up to 1
    colour: str  # "#c04030"
    run: int | None  # number of the run that it copies from; None where there is none


class PaintingTools(QWidget):
    """A column of tools; it knows nothing of what is painted.

    Signals:
        chosen: another brush, or another colour, size or strength of it.
        frame_requested: the `PaintedFrame` to be painted on.
        undo_requested, redo_requested, clear_requested: of strokes.
        going_on_requested, cancel_requested: ends of painting.
    """

    chosen = Signal()
    frame_requested = Signal(object)
    undo_requested = Signal()
    redo_requested = Signal()
    clear_requested = Signal()
    going_on_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedWidth(TOOLS_PX)
        self._colour = COLOURS[2]
        self.frames = {
            frame: self._button(text, segment)
            for frame, text, segment in (
                (PaintedFrame.GUESS, self.tr("Guess"), "left"), (PaintedFrame.STATE, self.tr("Noisy state"), "right"),
            )
        }  # fmt: skip
        for button in self.frames.values():
            button.clicked.connect(self._ask_for_frame)
        self.brushes = {key: self._brush_button(key, text) for key, text in self._brush_names().items()}
        self.brushes["colour"].setChecked(True)
        self.swatches = self._make_swatches()
        self.runs = ChoiceBox([], self)
        self.runs.setAccessibleName(self.tr("Run to copy from"))
        self.runs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.runs.currentIndexChanged.connect(self._choose)
        self.radius = self._slider(_SIZES, _USUAL_SIZE, self.tr("Size of the brush ([ and ])"))
        self.strength = self._slider(_STRENGTHS, _USUAL_STRENGTH, self.tr("Strength of the brush"))
        self._make_actions()
        self._lay_out()
        self._choose()

    # Making ----------------------------------------------------------------------------------------------------------

    def _brush_names(self) -> dict[str, str]:
        return {
            "colour": self.tr("Colour"), "noise": self.tr("Noise"), "erase": self.tr("Erase"), "copy": self.tr("Copy"),
        }  # fmt: skip

    def _button(self, text: str, segment: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setProperty("segment", segment)
        button.setCheckable(True)
        button.setAutoExclusive(False)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return button

    def _brush_button(self, key: str, text: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setIcon(icon({"colour": "brush", "noise": "dice"}.get(key, key)))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.setProperty("kind", "brush")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(self._choose)
        return button

    def _make_swatches(self) -> QWidget:
        swatches = QWidget(self)
        row = QHBoxLayout(swatches)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        self._group = QButtonGroup(swatches)
        for number, colour in enumerate(COLOURS):
            button = self._swatch(colour, swatches)
            button.setIcon(_dot(colour))
            button.setCheckable(True)
            button.setChecked(colour == self._colour)
            self._group.addButton(button, number)
            row.addWidget(button)
        self._group.idClicked.connect(self._take_swatch)
        self.own_colour = self._swatch(self.tr("Another colour…"), swatches)
        self.own_colour.setText("…")
        self.own_colour.clicked.connect(self._ask_for_colour)
        row.addWidget(self.own_colour)
        row.addStretch(1)
        return swatches

    def _swatch(self, name: str, parent: QWidget) -> QToolButton:
        button = QToolButton(parent)
        button.setFixedSize(_DOT_PX + 4, _DOT_PX + 8)
        button.setIconSize(QSize(_DOT_PX - 4, _DOT_PX - 4))
        button.setAccessibleName(name)
        button.setToolTip(self.tr("{0} – Alt and a click on the picture takes a colour from there").format(name))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _slider(self, bounds: tuple[int, int], value: int, tip: str) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal, self)
        slider.setRange(*bounds)
        slider.setValue(value)
        slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        slider.setToolTip(tip)
        slider.setAccessibleName(tip)
        slider.valueChanged.connect(self._choose)
        return slider

    def _make_actions(self) -> None:
        self.undo, self.redo, self.clear = (QToolButton(self) for _ in range(3))
        for button, name, text, tip, signal in (
            (self.undo, "undo", "", self.tr("Take the last stroke back (Ctrl+Z)"), self.undo_requested),
            (self.redo, "redo", "", self.tr("Make it again (Ctrl+Shift+Z)"), self.redo_requested),
            (self.clear, "", self.tr("Clear"), self.tr("Take all strokes back"), self.clear_requested),
        ):
            button.setProperty("kind", "outlined")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setText(text)
            if name:
                button.setIcon(icon(name))
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(signal)
        self.go_on = QPushButton(self.tr("Go on from here"), self)
        self.go_on.setProperty("kind", "primary")
        self.go_on.setToolTip(self.tr("A new run that shares the steps up to here, and goes on from what is painted"))
        self.go_on.clicked.connect(self.going_on_requested)
        self.cancel = QPushButton(self.tr("Cancel"), self)
        self.cancel.setToolTip(self.tr("Back to the run (Esc); what is painted is kept for the next time at this step"))
        self.cancel.clicked.connect(self.cancel_requested)
        for push in (self.go_on, self.cancel):
            push.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _lay_out(self) -> None:
        self.detail = QStackedWidget(self)  # what the chosen brush has besides
        self.hints = {key: self._small(text) for key, text in self._brush_hints().items()}
        for widget in (self.swatches, self.runs, *self.hints.values()):
            self.detail.addWidget(widget)
        self.detail.setFixedHeight(max(self.runs.sizeHint().height(), _DOT_PX + 8))
        frames = QHBoxLayout()
        frames.setSpacing(0)
        for button in self.frames.values():
            frames.addWidget(button)
        brushes = QGridLayout()
        brushes.setSpacing(6)
        for number, brush in enumerate(self.brushes.values()):
            brushes.addWidget(brush, number // 2, number % 2)
        sliders = QGridLayout()
        sliders.setHorizontalSpacing(10)
        sliders.setVerticalSpacing(4)
        for row, (text, slider) in enumerate(((self.tr("Size"), self.radius), (self.tr("Strength"), self.strength))):
            sliders.addWidget(self._small(text), row, 0)
            sliders.addWidget(slider, row, 1)
        actions = QHBoxLayout()
        actions.setSpacing(6)
        for action in (self.undo, self.redo, self.clear):
            actions.addWidget(action)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(9)
        for layout in (frames, brushes):
            column.addLayout(layout)
        column.addWidget(self.detail)
        for layout in (sliders, actions):
            column.addLayout(layout)
        column.addStretch(1)
        for push in (self.go_on, self.cancel):
            column.addWidget(push)

    def _brush_hints(self) -> dict[str, str]:
        return {
            "noise": self.tr("Other noise, anew with each stroke"),
            "erase": self.tr("Back to what the run had"),
        }

    def _small(self, text: str) -> QLabel:
        label = QLabel(text, self)
        label.setProperty("tone", "muted")
        label.setFont(fonts.small())
        return label

    # What it shows ---------------------------------------------------------------------------------------------------

    @property
    def brush(self) -> Brush:
        """What is chosen."""
        key = next(key for key, button in self.brushes.items() if button.isChecked())
        return Brush(key, self.radius.value() / 100, self.strength.value() / 100, self._colour, self.runs.currentData())

    def set_runs(self, runs: list[tuple[str, int]]) -> None:
        """Offer runs to copy from: a title and a number of each."""
        chosen = self.runs.currentData()
        self.runs.blockSignals(True)
        self.runs.clear()
        for title, number in runs:
            self.runs.addItem(title, number)
            self.runs.setItemData(self.runs.count() - 1, title, Qt.ItemDataRole.ToolTipRole)
        self.runs.setCurrentIndex(max(0, self.runs.findData(chosen)) if runs else -1)
        self.runs.blockSignals(False)

    def set_frame(self, frame: PaintedFrame, why_fixed: str) -> None:
        """Mark the frame that is painted on; `why_fixed` says why the other one cannot be chosen, if it cannot."""
        for each, button in self.frames.items():
            button.setChecked(each is frame)
            button.setEnabled(each is frame or not why_fixed)
            button.setToolTip(why_fixed if each is not frame and why_fixed else self._frame_tip(each))

    def _frame_tip(self, frame: PaintedFrame) -> str:
        if frame is PaintedFrame.GUESS:
            return self.tr("Paint on what the model sees in the block; the noise around it stays")
        return self.tr("Paint on the noise itself: what the model sees in it then is up to the model")

    def set_brushes(self, whys: dict[str, str]) -> None:
        """Enable the brushes; `whys` says of each why it cannot be used, or nothing."""
        for key, button in self.brushes.items():
            button.setEnabled(not whys[key])
            button.setToolTip(whys[key] or self._brush_tip(key))
        if whys[self.brush.key]:
            first = next((key for key in ("colour", "noise", "erase") if not whys[key]), "erase")
            self.brushes[first].setChecked(True)
        self._choose()

    def _brush_tip(self, key: str) -> str:
        return {
            "colour": self.tr("Brings what is there towards a colour"),
            "noise": self.tr("Puts other noise in place of what is there"),
            "erase": self.tr("Brings back what the run had there, to the last bit where the brush was in full"),
            "copy": self.tr("Brings what another run has there at this step"),
        }[key]

    def set_changes(self, has_strokes: bool, can_undo: bool, can_redo: bool) -> None:
        """Enable what can be done with the strokes that there are."""
        self.undo.setEnabled(can_undo)
        self.redo.setEnabled(can_redo)
        self.clear.setEnabled(has_strokes)
        self.go_on.setEnabled(has_strokes)

    def change_size(self, by: int) -> None:
        """Make the brush larger (+) or smaller (-), in steps of about a sixth."""
        value = self.radius.value()
        self.radius.setValue(value + by * max(1, value // 6))

    def set_colour(self, colour: str) -> None:
        """Paint with a colour, "#c04030"; it is marked among those on offer if it is one of them."""
        self._colour = colour
        self._group.setExclusive(False)
        for number, each in enumerate(COLOURS):
            self._group.button(number).setChecked(each == colour)
        self._group.setExclusive(True)
        is_own = colour not in COLOURS
        self.own_colour.setIcon(_dot(colour) if is_own else QIcon())
        self.chosen.emit()

    # What people ask for ---------------------------------------------------------------------------------------------

    @Slot()
    def _ask_for_frame(self) -> None:
        asked = next(frame for frame, button in self.frames.items() if button is self.sender())
        self.frame_requested.emit(asked)

    @Slot(int)
    def _take_swatch(self, number: int) -> None:
        self.set_colour(COLOURS[number])

    @Slot()
    def _ask_for_colour(self) -> None:
        colour = QColorDialog.getColor(QColor(self._colour), self, self.tr("Colour of the brush"))
        if colour.isValid():
            self.set_colour(colour.name())

    @Slot()
    def _choose(self) -> None:
        key = self.brush.key
        self.runs.setToolTip(self.runs.currentText())
        self.detail.setCurrentWidget({"colour": self.swatches, "copy": self.runs}.get(key) or self.hints[key])
        self.chosen.emit()


def _dot(colour: str) -> QIcon:
    """A round spot of a colour with an edge that shows on any ground."""
    pixmap = QPixmap(36, 36)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(colour))
    painter.setPen(QColor("#8a8378"))
    painter.drawEllipse(2, 2, 31, 31)
    painter.end()
    return QIcon(pixmap)
