"""Input fields: drop-down lists, numbers that are typed freely, the device, and the seed."""

from PySide6.QtCore import QRandomGenerator, QRect, QSize, Qt, Slot
from PySide6.QtGui import QPaintEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QWidget,
)

from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import decimal_text
from sculptor_app.ui.theme import inset
from sculptor_app.ui.widgets.names import display, explained

_LIST_FRAME_PX = 24
"""What a list's frame, padding and scroll bar take of its width."""


class ChoiceBox(QComboBox):
    """A QComboBox of texts, each with the key that it stands for."""

    def __init__(self, items: list[tuple[str, str | None]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for text, key in items:
            self.addItem(text, key)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by wheel

    def paintEvent(self, event: QPaintEvent) -> None:
        # WORKAROUND: under a style sheet Qt 6.11 cuts the text of a closed list off in mid-letter; it should elide it.
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideRight, room.width() - 4
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def sizeHint(self) -> QSize:
        return self._with_all_texts(super().sizeHint())

    def minimumSizeHint(self) -> QSize:
        return self._with_all_texts(super().minimumSizeHint())

    def _with_all_texts(self, size: QSize) -> QSize:
        """A size with room for the longest text, where the box is to be as wide as its contents.

        WORKAROUND: Qt 6.11 adds what its own style takes of the width, and not what the style sheet does.
        """
        if self.sizeAdjustPolicy() != QComboBox.SizeAdjustPolicy.AdjustToContents or not self.count():
            return size
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.rect = QRect(0, 0, _LIST_FRAME_PX * 20, size.height())
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self)
        longest = max(self.fontMetrics().horizontalAdvance(self.itemText(row)) for row in range(self.count()))
        return size.expandedTo(QSize(longest + 6 + option.rect.width() - room.width(), 0))

    def showPopup(self) -> None:
        view = self.view()
        view.setMinimumWidth(view.sizeHintForColumn(0) + _LIST_FRAME_PX)  # as wide as its longest entry, not as the box
        super().showPopup()
        # Where the screen has no room for all rows Qt cuts the last one in two; the list then ends with a whole one.
        row, list_window = view.sizeHintForRow(0), view.window()
        rest = view.viewport().height() % row if row > 0 and view.verticalScrollBar().maximum() else 0
        if rest:
            box = list_window.geometry()
            is_above = box.top() < self.mapToGlobal(self.rect().topLeft()).y()
            list_window.setGeometry(box.adjusted(0, rest, 0, 0) if is_above else box.adjusted(0, 0, 0, -rest))

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SamplerBox(ChoiceBox):
    """Samplers by their ids, each with what it does as its tooltip."""

    def __init__(self, samplers: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__([], parent)
        self.set_samplers(samplers, samplers[0])
        self.currentIndexChanged.connect(self._explain)

    def set_samplers(self, samplers: tuple[str, ...], chosen: str | None) -> None:
        """Offer other samplers; nothing is emitted. The first is chosen where the wanted one is not among them."""
        self.blockSignals(True)
        self.clear()
        for row, key in enumerate(samplers):
            self.addItem(display(SAMPLERS[key].label), key)
            self.setItemData(row, explained(f"sampler-{key}"), Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(max(0, self.findData(chosen)))
        self.blockSignals(False)
        self._explain()

    @Slot()
    def _explain(self) -> None:
        key = self.currentData()
        self.setToolTip("\n\n".join((explained(f"sampler-{key}"), explained("sampler"))) if key else "")


class DeviceBox(ChoiceBox):
    """Devices as they are found, Automatic first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__([(self.tr("Automatic"), "auto")], parent)
        self.setToolTip(explained("device"))

    def set_devices(self, devices: tuple[tuple[str, str], ...]) -> None:
        """Offer the devices that were found, the first being what Automatic takes; a choice that is there stays."""
        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        self.addItem(self.tr("{0} (auto)").format(devices[0][1]) if devices else self.tr("Automatic"), "auto")
        for key, label in devices:
            if key != "auto":
                self.addItem(label, key)
        self.setCurrentIndex(max(0, self.findData(chosen)))
        self.blockSignals(False)
        if self.currentData() != chosen:
            self.currentIndexChanged.emit(self.currentIndex())

    def choose(self, kind: str) -> bool:
        """Choose the first device whose id begins so, such as "cpu"; whether there is one."""
        for row in range(self.count()):
            if str(self.itemData(row)).startswith(kind):
                self.setCurrentIndex(row)
                return True
        return False


class NumberField(QAbstractSpinBox):
    """A text field with arrows; keeps what was typed, be it a number or not.

    QSpinBox would clamp 10⁹ to its maximum without a word.

    Args:
        step: what one arrow press adds.
        decimals: digits after the point in what the arrows write.
    """

    def __init__(
        self, low: float, high: float, step: float = 1, decimals: int = 0, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        inset(self)
        self._low, self._high, self._step, self._decimals = low, high, step, decimals
        self.text_changed = self.lineEdit().textChanged
        self.setAccelerated(True)
        self.editingFinished.connect(self.end_editing)

    @Slot()
    def end_editing(self) -> None:
        """The number stands as it is."""
        self.lineEdit().setModified(False)

    def set_text(self, text: str) -> None:
        self.lineEdit().setText(text)

    def set_number(self, number: float) -> None:
        """Write a number the way the arrows do, with more decimals where it has them."""
        text = f"{number:.{self._decimals}f}"
        self.set_text(text if float(text) == number else decimal_text(number))

    def number(self) -> float | None:
        """The number that stands there, None where none does."""
        try:
            return float(self.text().replace(",", "."))
        except ValueError:
            return None

    # Qt overrides

    def stepBy(self, steps: int) -> None:
        number = self.number()
        number = self._low if number is None or number != number else number + steps * self._step
        self.set_number(max(self._low, min(self._high, number)))
        self.selectAll()

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        number = self.number()
        enabled = QAbstractSpinBox.StepEnabledFlag.StepNone
        if number is None or number < self._high:
            enabled |= QAbstractSpinBox.StepEnabledFlag.StepUpEnabled
        if number is None or number > self._low:
            enabled |= QAbstractSpinBox.StepEnabledFlag.StepDownEnabled
        return enabled

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return (QValidator.State.Acceptable, text, position)

    def fixup(self, text: str) -> str:
        return text


NEW_SEED_LIMIT = 10**6
"""New seeds have at most six digits, so that a person can note them down; any up to 2^63 - 1 can be typed."""


class SeedRow(QWidget):
    """A line to type a seed into, and a button beside it; `key` is the shortcut that its tip names."""

    def __init__(self, parent: QWidget | None = None, seed: str = "7", key: str = "") -> None:
        super().__init__(parent)
        self.line = QLineEdit(seed, self)
        self.line.setToolTip(explained("seed"))
        self.line.setAccessibleName(self.tr("Seed"))
        self.line.setInputMethodHints(Qt.InputMethodHint.ImhPreferNumbers)
        self.line.editingFinished.connect(lambda: self.line.setModified(False))
        self.new = QToolButton(self)
        self.new.setText(self.tr("New"))
        self.new.setProperty("kind", "outlined")
        tip = self.tr("Choose a new seed at random")
        self.new.setToolTip(f"{tip} ({key})" if key else tip)
        self.new.setAccessibleName(self.tr("New seed"))
        self.new.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.new.clicked.connect(self.choose_new)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.line, 1)
        row.addWidget(self.new)
        self.setFocusProxy(self.line)

    @Slot()
    def choose_new(self) -> None:
        """Put a random seed into the line; the system's randomness, since a seed is to be new each time."""
        old = self.line.text()
        while self.line.text() == old:
            self.line.setText(str(QRandomGenerator.system().bounded(NEW_SEED_LIMIT)))
