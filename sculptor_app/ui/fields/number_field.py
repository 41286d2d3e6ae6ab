"""A number that a person types freely: it is judged and explained elsewhere, never silently repaired."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QAbstractSpinBox, QWidget

from sculptor_app.ui.theme import inset


class NumberField(QAbstractSpinBox):
    """A text field with arrows; keeps what was typed, be it a number or not.

    QSpinBox would clamp 10⁹ to its maximum without a word.

    Args:
        low: least value that the arrows reach.
        high: greatest value that the arrows reach.
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

    @property
    def is_being_typed(self) -> bool:
        """Whether a person is in the middle of a number."""
        return self.lineEdit().isModified()

    @Slot()
    def end_editing(self) -> None:
        """The number stands as it is."""
        self.lineEdit().setModified(False)

    def set_text(self, text: str) -> None:
        """Put a text there as if it had been typed."""
        self.lineEdit().setText(text)

    def set_number(self, number: float) -> None:
        """Write a number the way the arrows do."""
        self.set_text(f"{number:.{self._decimals}f}")

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

    def validate(self, text: str, position: int) -> object:
        return (QValidator.State.Acceptable, text, position)

    def fixup(self, text: str) -> str:
        return text
