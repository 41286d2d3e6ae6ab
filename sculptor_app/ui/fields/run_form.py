"""Base class of the panels that set up a run, with the fields of a request that several pages offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QLabel, QScrollArea, QWidget

from sculptor_app.core.requests.request import FORMS, MATERIALS, MAX_GUIDANCE, MAX_STEPS
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.ui.fields.field_grid import FieldGrid, mark
from sculptor_app.ui.fields.form import FieldError
from sculptor_app.ui.fields.inputs import ChoiceBox, NumberField, SamplerBox
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.names import explained, form_name, material_name


class RunForm(QWidget):
    """A panel of labelled fields, with the errors in them, one a line, in `problem`."""

    edited = Signal()  # a field changed, whether its value is valid or not
    submitted = Signal()  # Return was pressed in a field

    grid: FieldGrid  # the fields; made by the subclass, which lays out grid and `problem`
    form: ChoiceBox  # form, material: made by a subclass that calls `offer_labels`
    material: ChoiceBox

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.problem = QLabel(self)
        self.problem.setProperty("tone", "warning")
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)

    @property
    def reason(self) -> str:
        """Why nothing can be run, one sentence per field; empty where it can."""
        return self.problem.text()

    def fit_into(self, height_px: int) -> None:
        """Fold the labels beside their fields where they would not all be seen otherwise."""
        others = self.sizeHint().height() - self.grid.sizeHint().height()
        self.grid.set_compact(others + self.grid.roomy_height_px > height_px)

    def show_errors(self, errors: Sequence[FieldError], fields: Mapping[str, QWidget]) -> None:
        """Show errors, mark the fields they are in by name, and emit `edited`."""
        wrong = {error.field for error in errors}
        for name, field in fields.items():
            mark(field, name in wrong)
        self._show_problem("\n".join(dict.fromkeys(error.sentence for error in errors)))
        self.edited.emit()

    def show_refusal(self, sentence: str) -> None:
        """Say why the run that the fields describe would end without a picture, until they are edited."""
        self._show_problem(sentence)

    def _show_problem(self, text: str) -> None:
        is_new = text not in ("", self.problem.text())
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        if is_new:
            QTimer.singleShot(0, self.problem, self._bring_problem_into_view)  # once it has been laid out

    def _bring_problem_into_view(self) -> None:
        """Scroll the panel to the end of the sentence, where it has no room for all."""
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QScrollArea):
            parent = parent.parentWidget()
        if parent is not None and self.problem.isVisible():
            parent.ensureWidgetVisible(self.problem, 0, 4)

    # Parts for subclasses

    def heading(self, text: str) -> QLabel:
        """A heading over a group of fields."""
        heading = QLabel(text, self)
        heading.setFont(fonts.strong())
        return heading

    def form_box(self) -> ChoiceBox:
        return self._label_box(FORMS, form_name)

    def material_box(self) -> ChoiceBox:
        return self._label_box(MATERIALS, material_name)

    def offer_labels(self, forms: Sequence[str], materials: Sequence[str]) -> None:
        """Offer the labels that a model knows, in the embedded one's order; what is chosen stays if it is known."""
        known = (self.form, FORMS, forms, form_name), (self.material, MATERIALS, materials, material_name)
        for box, keys, words, name_of in known:
            chosen = box.currentData()
            box.blockSignals(True)
            box.clear()
            box.addItem(self.tr("Model’s own"), None)
            for key in keys:
                if key in words:
                    box.addItem(name_of(key), key)
            box.setCurrentIndex(max(0, box.findData(chosen)))
            box.blockSignals(False)

    def _label_box(self, keys: Sequence[str], name_of: Callable[[str], str]) -> ChoiceBox:
        return ChoiceBox([(self.tr("Model’s own"), None), *((name_of(key), key) for key in keys)], self)

    def steps_field(self, steps: str) -> NumberField:
        """The number of steps, with a first value."""
        field = NumberField(1, MAX_STEPS, parent=self)
        field.set_text(steps)
        field.setToolTip(explained("steps"))
        return field

    def guidance_field(self) -> NumberField:
        """The guidance scale, 2 at first."""
        field = NumberField(0, MAX_GUIDANCE, 0.5, 1, parent=self)
        field.set_text("2.0")
        field.setToolTip(explained("guidance-weight"))
        return field

    def sampler_box(self) -> SamplerBox:
        """A list of the samplers of the embedded model."""
        return SamplerBox(EMBEDDED_SAMPLERS, self)
