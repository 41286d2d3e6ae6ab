"""The dialog that asks what changes after a step of the next run: a field for each setting that can, empty for none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.core.requests.changes import FIXED_OPTIONS, with_settings
from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.requests.request import MAX_GUIDANCE, OptionValue, RequestError, RunRequest
from sculptor_app.core.texts import decimal_text, translate
from sculptor_app.ui.fields.field_grid import WIDE, FieldGrid
from sculptor_app.ui.fields.inputs import ChoiceBox, NumberField
from sculptor_app.ui.theme import fonts, inset
from sculptor_app.ui.widgets.names import display

if TYPE_CHECKING:
    from sculptor_app.ui.carve.controls import Controls

WIDTH_PX, TEXT_LINES = 380, 3
_NUMBERS = (ParameterKind.NUMBER, ParameterKind.WHOLE)


@dataclass(frozen=True, slots=True)
class ChangingSetting:
    """A setting of the open model that may change along a run."""

    name: str  # of a field of a `RunRequest`, or of an option
    title: str  # for people, translated
    choices: tuple[tuple[str, OptionValue], ...] = ()  # shown and meant; empty where a value is typed
    parameter: ModelParameter | None = None  # of an option

    def shown(self, value: OptionValue) -> str:
        """A value as the fields show it."""
        for text, each in self.choices:
            if each == value:
                return text
        return decimal_text(value) if isinstance(value, float) else str(value)

    def takes(self, value: OptionValue) -> bool:
        """Whether a value is on offer, or can be typed."""
        if self.choices:
            return any(each == value for _, each in self.choices)
        try:
            if self.parameter is not None:
                self.parameter.check(value)
        except RequestError:
            return False
        return value is not None


def changing_settings(controls: Controls) -> tuple[ChangingSetting, ...]:
    """The settings of the model whose fields these are that may change along a run."""
    found = []
    for name, title, box in (
        ("form", display(translate("names", "Form")), controls.form),
        ("material", display(translate("names", "Material")), controls.material),
    ):
        if box.count() > 1:
            found.append(ChangingSetting(name, title, _entries(box)))
    if controls.has_guidance:
        found.append(ChangingSetting("guidance", display(translate("names", "Guidance"))))
    found.append(ChangingSetting("sampler", display(translate("names", "Sampler")), _entries(controls.sampler)))
    for parameter in (field.control for field in controls.conditions):
        if parameter.name in FIXED_OPTIONS or parameter.kind in (ParameterKind.PICTURE, ParameterKind.SIZE):
            continue
        choices: tuple[tuple[str, OptionValue], ...] = ()
        if parameter.kind is ParameterKind.CHOICE:
            choices = tuple((each, each) for each in parameter.choices)
        elif parameter.kind is ParameterKind.LABEL:
            choices = tuple((each, number) for number, each in enumerate(parameter.choices))
        elif parameter.kind is ParameterKind.FLAG:
            choices = (display(translate("names", "yes")), True), (display(translate("names", "no")), False)
        found.append(ChangingSetting(parameter.name, display(parameter.title), choices, parameter))
    return tuple(found)


def _entries(box: QComboBox) -> tuple[tuple[str, OptionValue], ...]:
    return tuple((box.itemText(row), box.itemData(row)) for row in range(box.count()))


class _SettingField(QWidget):
    """A field for another value of a setting; empty where it stays as before."""

    def __init__(self, setting: ChangingSetting, value: OptionValue, is_set: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setting = setting
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        kind = None if setting.parameter is None else setting.parameter.kind
        self.read: Callable[[], tuple[bool, OptionValue]]
        if setting.choices:
            widget: QWidget = self._choice(value, is_set)
        elif kind is ParameterKind.TEXT:
            widget = self._text(value, is_set)
        else:
            widget = self._number(value, is_set)
        widget.setAccessibleName(setting.title)
        row.addWidget(widget, 1)
        self.setFocusProxy(widget)

    def _choice(self, value: OptionValue, is_set: bool) -> QWidget:
        values = [each for _, each in self.setting.choices]
        keys = [str(number) for number in range(len(values))]
        entries = [(text, key) for (text, _), key in zip(self.setting.choices, keys, strict=True)]
        box = ChoiceBox([(self.tr("as before"), None), *entries], self)
        if is_set and value in values:
            box.setCurrentIndex(1 + values.index(value))

        def read() -> tuple[bool, OptionValue]:
            key = box.currentData()
            return (False, None) if key is None else (True, values[int(key)])

        self.read = read
        return box

    def _text(self, value: OptionValue, is_set: bool) -> QWidget:
        text = QPlainTextEdit(str(value or "") if is_set else "", self)
        text.setPlaceholderText(self.tr("as before"))
        text.setTabChangesFocus(True)
        text.setFixedHeight(TEXT_LINES * text.fontMetrics().lineSpacing() + 18)
        self.setProperty(WIDE, True)
        self.read = lambda: (bool(text.toPlainText().strip()), text.toPlainText())
        return text

    def _number(self, value: OptionValue, is_set: bool) -> QWidget:
        parameter = self.setting.parameter
        is_whole = parameter is not None and parameter.kind is not ParameterKind.NUMBER
        low, high = (0.0, MAX_GUIDANCE) if parameter is None else (parameter.low or 0, parameter.high or 10**6)
        field = NumberField(low, high, 1 if is_whole else 0.5, 0 if is_whole else 2, self)
        field.lineEdit().setPlaceholderText(self.tr("as before"))
        if is_set and isinstance(value, int | float):
            field.set_text(decimal_text(value))

        def read() -> tuple[bool, OptionValue]:
            text = field.text().strip().replace(",", ".")
            try:
                return bool(text), (int(text) if is_whole else float(text)) if text else None
            except ValueError:
                return True, text

        self.read = read
        return field


class ChangeDialog(QDialog):
    """What changes after a step: the step, and a field for each setting.

    Signals:
        decided: after which step it was, after which it is, and the other values by the names of settings.
    """

    decided = Signal(int, int, object)

    def __init__(
        self, controls: Controls, after: int, steps: int, settings: dict[str, OptionValue], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Change along the run"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFixedWidth(WIDTH_PX)
        self._after = after
        self._levels: tuple[str, ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 14)
        column.setSpacing(12)
        column.addLayout(self._place(after, steps))
        offered = changing_settings(controls)
        self.fields = [_SettingField(each, settings.get(each.name), each.name in settings, self) for each in offered]
        self.grid = FieldGrid([[(field.setting.title, field)] for field in self.fields], self)
        self.grid.set_compact(True)
        column.addWidget(self.grid)
        self.problem = QLabel(self)
        self.problem.setProperty("tone", "warning")
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.hide()
        column.addWidget(self.problem)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Cancel, self)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column.addWidget(self.buttons)
        if self.fields:
            self.fields[0].setFocus()

    def _place(self, after: int, steps: int) -> QHBoxLayout:
        row = QHBoxLayout()
        label = QLabel(self.tr("After step"), self)
        label.setFont(fonts.strong())
        self.step = QSpinBox(self)
        self.step.setRange(1, max(1, steps - 1))
        self.step.setValue(after)
        inset(self.step)
        self.step.setAccessibleName(label.text())
        label.setBuddy(self.step)
        self.level = QLabel(self)
        self.level.setProperty("tone", "muted")
        self.step.valueChanged.connect(self._show_level)
        for widget in (label, self.step, self.level):
            row.addWidget(widget)
        row.addStretch(1)
        return row

    def set_levels(self, snr: Sequence[str]) -> None:
        """Signal-to-noise ratios of the states 0..N, as words."""
        self._levels = tuple(snr)
        self._show_level()

    def set_has_band(self, has_band: bool) -> None:
        """Whether guidance is between two places, so that it cannot change at a step besides."""
        for field in self.fields:
            if field.setting.name == "guidance" and has_band:
                field.setEnabled(False)
                field.setToolTip(self.tr("Guidance is between two noise levels only: drag its band."))

    @Slot()
    def _show_level(self) -> None:
        step = self.step.value()
        known = self._levels[step] if step < len(self._levels) else ""
        self.level.setText(self.tr("SNR {0}").format(known) if known else "")

    @property
    def settings(self) -> dict[str, OptionValue]:
        """Other values by the names of settings; `RequestError` if one is not allowed."""
        found: dict[str, OptionValue] = {}
        for field in self.fields:
            is_set, value = field.read()
            if is_set and field.isEnabled():
                if field.setting.parameter is not None:
                    field.setting.parameter.check(value)
                elif field.setting.name == "guidance" and not isinstance(value, int | float):
                    raise RequestError(self.tr("The guidance is no number: give one, or leave it empty."))
                found[field.setting.name] = value
        with_settings(RunRequest(), found)
        return found

    def accept(self) -> None:
        try:
            settings = self.settings
        except RequestError as error:
            self.problem.setText(display(error.message))
            self.problem.show()
            return
        self.decided.emit(self._after, self.step.value(), settings)
        super().accept()
