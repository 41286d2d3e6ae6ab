"""The left panel of the page "Why noise?": the settings of each experiment."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSettings, QSize, Slot
from PySide6.QtWidgets import QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from sculptor_app.core.requests.request import FORMS, MATERIALS, GridRequest, RequestError, RunRequest, Stroke
from sculptor_app.core.texts import decimal_text, translate
from sculptor_app.ui.fields.field_grid import FieldGrid
from sculptor_app.ui.fields.form import FieldError, FormFields, read_form
from sculptor_app.ui.fields.inputs import ChoiceBox, SeedRow
from sculptor_app.ui.fields.run_form import RunForm
from sculptor_app.ui.why.axes import NONE, KnownLabels, axis_name
from sculptor_app.ui.why.experiments import Choices, Experiment, GridPlan, Labels, arrange
from sculptor_app.ui.widgets.names import display

COUNTS = {Experiment.NOISES: (6, 12, 24, 48), Experiment.BLEND: (6, 12, 24, 48), Experiment.PAINT: (1, 2, 3, 4)}
_FIRST_COUNT = {Experiment.NOISES: 12, Experiment.BLEND: 12, Experiment.PAINT: 2}
_FIRST_FORM = {
    Experiment.LABELS: None, Experiment.NOISES: "bust", Experiment.BLEND: "bust", Experiment.PAINT: "bust",
    Experiment.SETTINGS: "bust",
}  # fmt: skip
_FIRST_SEED = {
    Experiment.LABELS: "21", Experiment.NOISES: "12", Experiment.BLEND: "21", Experiment.PAINT: "21",
    Experiment.SETTINGS: "21",
}  # fmt: skip
_FIRST_AXES = {"x": "sampler", "y": "steps"}
_FIELDS = {
    Experiment.LABELS: ("labels", "form", "material", "seed"),
    Experiment.NOISES: ("form", "material", "seed", "count"),
    Experiment.BLEND: ("form", "material", "seed", "towards", "count"),
    Experiment.PAINT: ("form", "material", "seed", "count"),
    Experiment.SETTINGS: ("x_axis", "x_values", "y_axis", "y_values", "form", "material", "seed"),
}
_OWN_FIELDS = {"labels", "form", "material", "seed", "towards", "count", "x_axis", "x_values", "y_axis", "y_values"}


class ExperimentControls(RunForm):
    """The settings of one experiment; each experiment remembers its own."""

    def __init__(self, experiment: Experiment, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.experiment = experiment
        self._forms: tuple[str, ...] = FORMS  # that the model knows, as `_materials`
        self._materials: tuple[str, ...] = MATERIALS
        self._make_fields()
        self._lay_out()
        self._connect()
        self._validate()

    # Making

    def _make_fields(self) -> None:
        self.form, self.material = self.form_box(), self.material_box()
        self.form.setCurrentIndex(self.form.findData(_FIRST_FORM[self.experiment]))
        self.labels = ChoiceBox([(text, labels.value) for text, labels in self._kinds_of_labels()], self)
        # What a person has chosen: kept where a model does not know it, for the next one that does.
        self._wished = {name: getattr(self, name).currentData() for name in ("form", "material", "labels")}
        self.count = ChoiceBox([(str(count), str(count)) for count in COUNTS.get(self.experiment, ())], self)
        self.count.setCurrentIndex(self.count.findData(str(_FIRST_COUNT.get(self.experiment))))
        self._seeds, self._ends = SeedRow(self, _FIRST_SEED[self.experiment]), SeedRow(self, "17")
        self.seed, self.towards = self._seeds.line, self._ends.line
        self.choose_new_seed = self._seeds.choose_new
        known = KnownLabels(self._forms, self._materials)
        self.x_axis, self.y_axis = (ChoiceBox(self._axes(name), self) for name in ("x", "y"))
        self.x_values, self.y_values = QLineEdit(self), QLineEdit(self)
        for name, key in _FIRST_AXES.items():
            box, line = self._axis(name)
            box.setCurrentIndex(box.findData(key))
            _fill(line, known.first_values(key))
            line.setToolTip(self.tr("Values with commas between them."))
        self.steps = self.steps_field("20")
        self.guidance = self.guidance_field()
        self.sampler = self.sampler_box()

    def _lay_out(self) -> None:
        names = self._names = {
            "labels": self.tr("Labels"),
            "form": self.tr("Form"),
            "material": self.tr("Material"),
            "seed": self.tr("First seed") if self.experiment is Experiment.NOISES else self.tr("Seed"),
            "towards": self.tr("To seed"),
            "count": self.tr("Blocks") if self.experiment is Experiment.PAINT else self.tr("Pictures"),
            "x_axis": self.tr("Columns"),
            "x_values": self.tr("In the columns"),
            "y_axis": self.tr("Rows"),
            "y_values": self.tr("In the rows"),
        }
        if self.experiment is Experiment.BLEND:
            names["seed"] = self.tr("From seed")
        chosen = _FIELDS[self.experiment]
        rows = [[(names[key], self._row_of(key))] for key in chosen]
        self._names |= {
            "steps": self.tr("Steps"), "guidance": self.tr("Guidance"), "sampler": self.tr("Sampler"),
            "model": self.tr("Model"), "painting": self.tr("Painting"),
        }  # fmt: skip
        rows.append([(names["steps"], self.steps), (names["guidance"], self.guidance)])
        rows.append([(names["sampler"], self.sampler)])
        for key in _OWN_FIELDS - set(chosen):
            self._row_of(key).hide()
        self.grid = FieldGrid(rows, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 0)
        column.setSpacing(10)
        self.title = self.heading(self.tr("The experiment"))
        for widget in (self.title, self.grid, self.problem):
            column.addWidget(widget)
        column.addStretch(1)

    def _row_of(self, key: str) -> QWidget:
        """The field, with its button for a new seed if it is one."""
        field: QWidget = {"seed": self._seeds, "towards": self._ends}.get(key) or getattr(self, key)
        return field

    def _connect(self) -> None:
        for name in self._wished:
            getattr(self, name).currentIndexChanged.connect(functools.partial(self._note_wish, name))
        for name in ("x", "y"):
            self._axis(name)[0].currentIndexChanged.connect(functools.partial(self._take_axis, name))
        for box in (self.form, self.material, self.labels, self.count, self.sampler):
            box.currentIndexChanged.connect(self._validate)
        lines = (self.x_values, self.y_values)
        for field in (self.seed, self.towards, self.steps.lineEdit(), self.guidance.lineEdit(), *lines):
            field.textChanged.connect(self._validate)
            field.returnPressed.connect(self.submitted)

    def _axis(self, name: str) -> tuple[ChoiceBox, QLineEdit]:
        """The fields of an axis, "x" or "y": which setting it is, and its values."""
        return (self.x_axis, self.x_values) if name == "x" else (self.y_axis, self.y_values)

    def _axes(self, name: str) -> list[tuple[str, str | None]]:
        """The settings that can be an axis; that of the rows may be none."""
        keys = KnownLabels(self._forms, self._materials).axes
        return [(axis_name(key), key) for key in ((*keys, NONE) if name == "y" else keys)]

    def _take_axis(self, name: str, _: int = 0) -> None:
        """Another setting is an axis: fill in values of it."""
        box, line = self._axis(name)
        key = box.currentData() or NONE
        _fill(line, KnownLabels(self._forms, self._materials).first_values(key))
        self._validate()

    def _note_wish(self, name: str, _: int = 0) -> None:
        self._wished[name] = getattr(self, name).currentData()

    # Values

    def request(self) -> RunRequest | None:
        """The settings that all runs share; None while a field is wrong."""
        read = read_form(self._fields(self.seed.text()))
        return read if isinstance(read, RunRequest) and not self.reason else None

    def choices(self, strokes: tuple[Stroke, ...] = (), stays_noise: bool = True) -> Choices | None:
        """The choices for the grid; None while a field is wrong."""
        request = self.request()
        if request is None:
            return None
        towards = read_form(self._fields(self.towards.text()))
        axes = self._read_axes() if self.experiment is Experiment.SETTINGS else {}
        return Choices(
            self.experiment,
            request.form,
            request.material,
            Labels(self.labels.currentData() or Labels.FORMS.value),
            request.seed,
            towards.seed if isinstance(towards, RunRequest) else 0,
            int(self.count.currentData() or 0),
            strokes,
            stays_noise,
            **axes,
        )

    def _read_axes(self) -> dict[str, Any]:
        """The axes and their values, as `Choices` has them; `RequestError` where they are none."""
        known = KnownLabels(self._forms, self._materials)
        x, y = self.x_axis.currentData(), self.y_axis.currentData() or NONE
        if x == y:
            raise RequestError(translate("errors", "Columns and rows are the same setting; choose another for one."))
        values = known.read(y, self.y_values.text()) if y else ()
        return {"x_axis": x, "x_values": known.read(x, self.x_values.text()), "y_axis": y, "y_values": values}

    def names_of(self, keys: Sequence[str]) -> list[str]:
        """What settings are called, in a sentence."""
        return [self._names[key].lower() for key in keys]

    def use(self, choices: Choices, request: GridRequest) -> None:
        """Fill the fields with the settings of a grid of this experiment."""
        chosen = {
            "form": choices.form, "material": choices.material, "labels": choices.labels.value,
            "count": str(choices.count), "sampler": request.sampler,
        }  # fmt: skip
        for name, key in chosen.items():
            box: ChoiceBox = getattr(self, name)
            if box.findData(key) >= 0:
                box.setCurrentIndex(box.findData(key))
        if self.experiment is Experiment.SETTINGS:
            known = KnownLabels(self._forms, self._materials)
            for name, axis, values in (
                ("x", choices.x_axis, choices.x_values),
                ("y", choices.y_axis, choices.y_values),
            ):
                chooser, line = self._axis(name)
                chooser.setCurrentIndex(max(0, chooser.findData(axis)))
                _fill(line, known.written(axis, values))
        self.seed.setText(str(choices.seed))
        self.towards.setText(str(choices.towards))
        self.steps.set_text(str(request.steps))
        self.guidance.set_text(decimal_text(request.guidance))

    def set_labels(self, forms: tuple[str, ...], materials: tuple[str, ...]) -> None:
        """Offer the forms and materials that the model knows, and the grids that can be made of them."""
        self._forms, self._materials = forms, materials
        self.offer_labels(forms, materials)
        self.labels.blockSignals(True)
        self.labels.clear()
        for text, labels in self._kinds_of_labels():
            self.labels.addItem(text, labels.value)
        self.labels.blockSignals(False)
        self._offer_axes()
        for name, key in self._wished.items():
            box: ChoiceBox = getattr(self, name)
            box.blockSignals(True)  # what the model does not know is still wished for
            box.setCurrentIndex(max(0, box.findData(key)))
            box.blockSignals(False)
        self._validate()

    def _offer_axes(self) -> None:
        """Offer what can be an axis of this model; of labels that are others now all stand in the field."""
        known = KnownLabels(self._forms, self._materials)
        for name in ("x", "y"):
            box, line = self._axis(name)
            axis = box.currentData()
            box.blockSignals(True)
            box.clear()
            for text, each in self._axes(name):
                box.addItem(text, each)
            is_known = box.findData(axis) >= 0
            box.setCurrentIndex(box.findData(axis) if is_known else 0)
            box.blockSignals(False)
            if not is_known or axis in ("form", "material"):
                _fill(line, known.first_values(box.currentData()))

    def _kinds_of_labels(self) -> list[tuple[str, Labels]]:
        """What can vary over one noise."""
        kinds = [
            (self.tr("All forms"), Labels.FORMS, self._forms),
            (self.tr("All materials"), Labels.MATERIALS, self._materials),
            (self.tr("Forms × materials"), Labels.BOTH, self._forms and self._materials),
        ]
        return [(text, labels) for text, labels, known in kinds if known]

    # Remembering

    def save(self, settings: QSettings) -> None:
        """Remember the contents, if they can be run; of labels what was chosen, whether this model knows it or not."""
        if self.request() is None:
            return
        for name in ("form", "material", "labels", "count", "sampler"):
            settings.setValue(self._key(name), self._wished.get(name, getattr(self, name).currentData()) or "")
        for name in ("x", "y"):
            settings.setValue(self._key(name), self._axis(name)[0].currentData())
        for name in ("seed", "towards", "steps", "guidance", "x_values", "y_values"):
            settings.setValue(self._key(name), getattr(self, name).text())

    def restore(self, settings: QSettings) -> None:
        """Restore the remembered contents; values that are no longer offered are ignored."""
        for name in ("form", "material", "labels", "count", "sampler"):
            key = settings.value(self._key(name))
            box: ChoiceBox = getattr(self, name)
            row = -1 if key is None else box.findData(str(key) or None)
            if row >= 0:
                box.setCurrentIndex(row)
        for name in ("x", "y"):
            key, box = settings.value(self._key(name)), self._axis(name)[0]
            if key is not None and box.findData(str(key)) >= 0:
                box.setCurrentIndex(box.findData(str(key)))
        for name in ("seed", "towards", "steps", "guidance", "x_values", "y_values"):
            text = settings.value(self._key(name))
            field = getattr(self, name)
            if text is not None:
                (field.setText if isinstance(field, QLineEdit) else field.set_text)(str(text))

    def _key(self, name: str) -> str:
        return f"why/{self.experiment.value}/{name}"

    # Inside

    def _fields(self, seed: str) -> FormFields:
        return FormFields(
            form=self.form.currentData(), material=self.material.currentData(), seed=seed, steps=self.steps.text(),
            sampler=self.sampler.currentData(), guidance=self.guidance.text(),
        )  # fmt: skip

    @Slot()
    def _validate(self) -> None:
        wrong = list(self._errors(self.seed.text()))
        if self.experiment is Experiment.BLEND:
            ends = [error for error in self._errors(self.towards.text()) if error.field == "seed"]
            wrong += [FieldError("towards", error.sentence) for error in ends]
        labels = self.labels.currentData() if self.experiment is Experiment.LABELS else None
        self.form.setEnabled(self.form.count() > 1 and labels in (None, Labels.MATERIALS.value))
        self.material.setEnabled(self.material.count() > 1 and labels in (None, Labels.FORMS.value))
        self.guidance.setEnabled(bool(self._forms or self._materials))  # which pulls towards them
        texts: dict[str, QWidget] = {
            "seed": self.seed, "towards": self.towards, "steps": self.steps, "guidance": self.guidance,
            "x_values": self.x_values, "y_values": self.y_values,
        }  # fmt: skip
        if self.experiment is Experiment.SETTINGS:
            self._show_other_fields()
            wrong += self._wrong_axes()
        self.show_errors(wrong, texts)

    def _show_other_fields(self) -> None:
        """What is an axis has no field of its own, and rows that are none have no values."""
        axes = {self.x_axis.currentData(), self.y_axis.currentData()}
        for key in ("form", "material", "seed", "steps", "guidance", "sampler"):
            self.grid.show_field(self._row_of(key), key not in axes)
        self.grid.show_field(self.y_values, bool(self.y_axis.currentData()))

    def _wrong_axes(self) -> list[FieldError]:
        """What is wrong with the values of the axes, by their fields; else with all of them together."""
        known = KnownLabels(self._forms, self._materials)
        wrong = []
        for name in ("x", "y"):
            box, line = self._axis(name)
            try:
                if box.currentData():
                    known.read(box.currentData(), line.text())
            except RequestError as error:
                wrong.append(FieldError(f"{name}_values", display(error.message)))
        if wrong:
            return wrong
        try:
            request, axes = read_form(self._fields(self.seed.text())), self._read_axes()
            if isinstance(request, RunRequest):
                choices = Choices(self.experiment, request.form, request.material, seed=request.seed, **axes)
                cells = arrange(choices, self._forms, self._materials).cells
                GridRequest(cells, request.steps, request.sampler, request.guidance or 0.0)
        except RequestError as error:
            return [FieldError("", display(error.message))]
        return []

    def _errors(self, seed: str) -> tuple[FieldError, ...]:
        try:
            read = read_form(self._fields(seed))
        except RequestError as error:
            return (FieldError("", display(error.message)),)
        return () if isinstance(read, RunRequest) else read


def _fill(line: QLineEdit, text: str) -> None:
    """Put a text into a field, and show its beginning."""
    line.setText(text)
    line.setCursorPosition(0)


class ControlsStack(QStackedWidget):
    """The controls of all experiments, one on top; only that one counts for the size."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.controls = {experiment: ExperimentControls(experiment, self) for experiment in Experiment}
        self._shown = self.controls[Experiment.LABELS]
        for each in self.controls.values():
            self.addWidget(each)

    def show_controls(self, experiment: Experiment) -> None:
        """Bring those of an experiment to the front."""
        self._shown = self.controls[experiment]
        self.setCurrentWidget(self._shown)
        self.updateGeometry()

    def use(self, plan: GridPlan) -> None:
        """Fill the fields of a grid's experiment with its settings."""
        self.controls[plan.choices.experiment].use(plan.choices, plan.request)

    def show_refusal(self, sentence: str) -> None:
        """Say below the fields of all why nothing can be started; empty where it can."""
        for each in self.controls.values():
            each.show_refusal(sentence)

    def set_labels(self, forms: tuple[str, ...], materials: tuple[str, ...]) -> None:
        """Offer the forms and materials that the model knows."""
        for each in self.controls.values():
            each.set_labels(forms, materials)

    def save(self, settings: QSettings) -> None:
        for each in self.controls.values():
            each.save(settings)

    def restore(self, settings: QSettings) -> None:
        for each in self.controls.values():
            each.restore(settings)

    def fit_into(self, height_px: int) -> None:
        """Fold the labels beside their fields where they would not all be seen otherwise."""
        for each in self.controls.values():
            each.fit_into(height_px)

    # Qt overrides

    def sizeHint(self) -> QSize:
        return self._shown.sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self._shown.minimumSizeHint()
