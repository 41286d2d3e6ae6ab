"""Fields for the parameters of a model, made from their descriptions."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLineEdit, QPlainTextEdit, QToolButton, QWidget

from sculptor_app import folders
from sculptor_app.core.files import expanded, is_file
from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.requests.request import OptionValue, RequestError
from sculptor_app.core.texts import decimal_text
from sculptor_app.ui.fields.field_grid import WIDE
from sculptor_app.ui.fields.inputs import ChoiceBox, NumberField
from sculptor_app.ui.widgets.names import display, picture_filter

TEXT_LINES = 3
FAR = 10**6
"""As far as the arrows of a number go whose bounds nobody knows."""


class ConditionField(QWidget):
    """One field for one control."""

    edited = Signal()  # its value changed

    def __init__(self, control: ModelParameter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.control = control
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self._read, self._write = _MAKERS[control.kind](self, row)
        if control.default is not None:
            self._write(control.default)

    def value(self) -> OptionValue:
        """What stands there; None leaves it to the model.

        Raises:
            RequestError: It cannot be used.
        """
        value = self._read()
        self.control.check(value)
        return value

    def set_value(self, value: OptionValue) -> None:
        """Put a value there as if it had been typed."""
        self._write(value)

    def recall(self, value: OptionValue) -> None:
        """Put a remembered value back, if it can be used with this model."""
        before = self._read()
        try:
            self._write(value)
            is_usable = not self.problem
        except (ValueError, TypeError, OverflowError):  # of another type than this model's, or edited by hand
            is_usable = False
        if not is_usable:
            self._write(before)

    @property
    def problem(self) -> str:
        """What is wrong with its value; empty where nothing is."""
        try:
            self.value()
        except RequestError as error:
            return display(error.message)
        return ""

    # One maker for each kind: puts widgets into the row, and says how they are read and written -----------------------

    def _text(self, row: QHBoxLayout) -> tuple[Callable[[], OptionValue], Callable[[OptionValue], None]]:
        text = QPlainTextEdit(self)
        text.setTabChangesFocus(True)
        self.setProperty(WIDE, True)
        text.setFixedHeight(TEXT_LINES * text.fontMetrics().lineSpacing() + 18)
        text.textChanged.connect(self.edited)
        self._hold(row, text)
        return text.toPlainText, lambda value: text.setPlainText(str(value or ""))

    def _number(self, row: QHBoxLayout) -> tuple[Callable[[], OptionValue], Callable[[OptionValue], None]]:
        control = self.control
        whole = control.kind is not ParameterKind.NUMBER
        low, high = (
            (control.low if control.low is not None else -FAR),
            (control.high if control.high is not None else FAR),
        )
        step = control.grain if whole else (0.05 if high - low <= 1 else 0.5)
        field = NumberField(low, high, step, 0 if whole else 2, self)
        field.text_changed.connect(self.edited)
        self._hold(row, field)

        def read() -> OptionValue:
            text = field.text().strip().replace(",", ".")
            if not text:
                return None
            try:
                return int(text) if whole else float(text)
            except ValueError:
                return text[:40]  # refused by the control, which says what is wanted

        return read, lambda value: field.set_text("" if value is None else str(value) if whole else decimal_text(value))

    def _choice(self, row: QHBoxLayout) -> tuple[Callable[[], OptionValue], Callable[[OptionValue], None]]:
        box = ChoiceBox([(self.tr("Model’s own"), None), *((name, name) for name in self.control.choices)], self)
        box.currentIndexChanged.connect(lambda _: self.edited.emit())
        self._hold(row, box)
        return box.currentData, lambda value: box.setCurrentIndex(max(0, box.findData(_key(value))))

    def _label(self, row: QHBoxLayout) -> tuple[Callable[[], OptionValue], Callable[[OptionValue], None]]:
        if not self.control.choices:
            return self._number(row)
        box = ChoiceBox([(name, str(number)) for number, name in enumerate(self.control.choices)], self)
        box.currentIndexChanged.connect(lambda _: self.edited.emit())
        self._hold(row, box)
        return lambda: int(box.currentData()), lambda value: box.setCurrentIndex(max(0, box.findData(str(value))))

    def _flag(self, row: QHBoxLayout) -> tuple[Callable[[], OptionValue], Callable[[OptionValue], None]]:
        box = QCheckBox(self.tr("yes"), self)
        box.toggled.connect(lambda _: self.edited.emit())
        self._hold(row, box)
        return box.isChecked, lambda value: box.setChecked(bool(value))

    def _picture(self, row: QHBoxLayout) -> tuple[Callable[[], OptionValue], Callable[[OptionValue], None]]:
        self._path = QLineEdit(self)
        self._path.textChanged.connect(self.edited)
        choose = QToolButton(self)
        choose.setText("…")
        choose.setProperty("kind", "outlined")
        choose.setAccessibleName(self.tr("Choose a picture"))
        choose.clicked.connect(self._choose_picture)
        self._hold(row, self._path)
        row.addWidget(choose)
        return lambda: self._path.text().strip() or None, lambda value: self._path.setText(str(value or ""))

    @Slot()
    def _choose_picture(self) -> None:
        there = expanded(self._path.text())
        folder = there.parent if is_file(there) else folders.pictures()
        chosen, _ = QFileDialog.getOpenFileName(self, self.tr("Choose a picture"), str(folder), picture_filter())
        if chosen:
            self._path.setText(chosen)

    def _hold(self, row: QHBoxLayout, widget: QWidget) -> None:
        widget.setAccessibleName(display(self.control.title))
        widget.setToolTip(self.control.name)
        row.addWidget(widget, 1)
        self.setFocusProxy(widget)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def _key(value: object) -> str | None:
    """What an entry of a list can go by; Qt cannot take a whole number of any size."""
    return value if isinstance(value, str) else None


_MAKERS: dict[ParameterKind, Callable[..., tuple[Callable[[], OptionValue], Callable[[OptionValue], None]]]] = {
    ParameterKind.TEXT: ConditionField._text,
    ParameterKind.NUMBER: ConditionField._number,
    ParameterKind.WHOLE: ConditionField._number,
    ParameterKind.SIZE: ConditionField._number,
    ParameterKind.CHOICE: ConditionField._choice,
    ParameterKind.LABEL: ConditionField._label,
    ParameterKind.FLAG: ConditionField._flag,
    ParameterKind.PICTURE: ConditionField._picture,
}
