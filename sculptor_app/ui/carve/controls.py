"""The left panel of the page Carve: what to carve and how, Start and Stop, and how far the run is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.requests.request import FIRST_GUIDANCE, FIRST_SAMPLER, RunRequest, differing_fields
from sculptor_app.core.texts import decimal_text, number_text
from sculptor_app.session.engine import OpenedModel
from sculptor_app.ui.fields.field_grid import FieldGrid, MoreFields
from sculptor_app.ui.fields.form import FieldError, FormFields, read_form
from sculptor_app.ui.fields.inputs import ChoiceBox, DeviceBox, SeedRow
from sculptor_app.ui.fields.lora_field import LoraField
from sculptor_app.ui.fields.parameter_fields import ConditionField
from sculptor_app.ui.fields.remembered_settings import ModelSettings, RememberedSettings
from sculptor_app.ui.fields.run_form import RunForm
from sculptor_app.ui.widgets.basics import ElidedLabel
from sculptor_app.ui.widgets.folding import BUTTON_PX
from sculptor_app.ui.widgets.names import display

LABELS = ("form", "material")
CHOICES, TEXTS = (*LABELS, "sampler"), ("steps", "guidance")
"""Fields that are remembered for each model; seed and device are the same for all."""

Rows = list[list[tuple[str, QWidget]]]
"""Of a grid of fields: labels and fields of each."""


class Controls(RunForm):
    """The settings of the next run; `model` None is the embedded one."""

    rebuilt = Signal()  # there are other fields

    def __init__(self, model: str | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._has_guidance, self._takes_loras = True, False
        self._is_known = model is None  # which parameters the model takes
        self._labels: frozenset[str] = frozenset(LABELS if self._is_known else ())  # that the model knows
        self._remembered = RememberedSettings()
        self.conditions: list[ConditionField] = []
        self._make_fields()
        self._lay_out()
        self._connect()
        self._judge()

    def _make_fields(self) -> None:
        self.form, self.material = self.form_box(), self.material_box()
        if self._is_known:  # else a run that is started before the model is open would name labels it may not know
            self._choose_first_labels()
        self._seeds = SeedRow(self, key="Ctrl+N")
        self.seed, self.new_seed = self._seeds.line, self._seeds.new
        self.choose_new_seed = self._seeds.choose_new
        self.steps = self.steps_field("50")
        self.guidance = self.guidance_field()
        self.sampler = self.sampler_box()
        if self._is_known:
            self.guidance.set_text(number_text(FIRST_GUIDANCE))
            self.sampler.setCurrentIndex(self.sampler.findData(FIRST_SAMPLER))
        self.device = DeviceBox(self)
        self.loras = LoraField(self)
        self.loras.hide()

    def _lay_out(self) -> None:
        self.model_name = ElidedLabel("", self)
        self.model_name.setProperty("tone", "muted")
        self.model_name.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.model_name.hide()
        labels: Rows = [[(self.tr("Form"), self.form)], [(self.tr("Material"), self.material)]]
        self.grid = FieldGrid(self._rows(labels), self)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 14, 16, 0)
        self._column.setSpacing(10)
        title = QHBoxLayout()
        self.title = self.heading(self.tr("The block"))
        title.addWidget(self.title)
        title.addWidget(self.model_name, 1)
        title.addSpacing(BUTTON_PX)  # of the button that folds the panel
        self._column.addLayout(title)
        self._rest = MoreFields(self)
        for widget in (self.grid, self.problem, self._rest):
            self._column.addWidget(widget)
        self._column.addStretch(1)

    def _rows(self, own: Rows) -> Rows:
        """The rows of the grid: the parameters of this model alone, then those of all."""
        steps: list[tuple[str, QWidget]] = [(self.tr("Steps"), self.steps)]
        if self._has_guidance:
            steps.append((self.tr("Guidance"), self.guidance))
        return [
            *own,
            [(self.tr("Seed"), self._seeds)],
            steps,
            [(self.tr("Sampler"), self.sampler)],
            [(self.tr("Device"), self.device)],
        ]

    def _connect(self) -> None:
        for box in (self.form, self.material, self.sampler, self.device):
            box.currentIndexChanged.connect(self._judge)
        for field in (self.seed, self.steps.lineEdit(), self.guidance.lineEdit()):
            field.textChanged.connect(self._judge)
            field.returnPressed.connect(self.submitted)
        self.loras.edited.connect(self._judge)
        self.loras.resized.connect(self._fit_again)

    # What it says -------------------------------------------------------------------------------------------------

    def fields(self) -> FormFields:
        return FormFields(
            form=self.form.currentData(), material=self.material.currentData(), seed=self.seed.text(),
            steps=self.steps.text(), sampler=self.sampler.currentData(), guidance=self.guidance.text(),
            device=self.device.currentData(), model=self._model,
            options=tuple((field.control.name, field.value()) for field in self.conditions if not field.problem),
            loras=self.loras.loras if self._takes_loras else (), has_guidance=self._has_guidance,
        )  # fmt: skip

    @property
    def has_guidance(self) -> bool:
        """Whether the model knows guidance."""
        return self._has_guidance

    def request(self) -> RunRequest | None:
        if any(self._own_problems.values()):
            return None
        read = read_form(self.fields())
        return read if isinstance(read, RunRequest) else None

    @property
    def _own_problems(self) -> dict[str, str]:
        """What is wrong with the fields of this model alone, by name; empty for one that can be used."""
        loras = {"loras": self.loras.problem} if self._takes_loras else {}
        return {field.control.name: field.problem for field in self.conditions} | loras

    def _take_labels(self, is_first: bool) -> None:
        """Note which labels are on offer; the first model that knows both kinds gets those of a first run."""
        boxes = {"form": self.form, "material": self.material}
        self._labels = frozenset(name for name, box in boxes.items() if box.count() > 1)
        if is_first and len(self._labels) == len(boxes) and not any(box.currentIndex() for box in boxes.values()):
            self._choose_first_labels()

    def _choose_first_labels(self) -> None:
        """Choose the form and material of a first run: bust and bronze, or the first that the model knows."""
        for box, usual in ((self.form, "bust"), (self.material, "bronze")):
            box.setCurrentIndex(max(1, box.findData(usual)))

    def labelled(self, form: str, material: str) -> RunRequest | None:
        """The request with other labels, as far as the model knows them; None where the fields cannot be run."""
        request = self.request()
        known = {
            name: word if box.findData(word) >= 0 else None
            for name, word, box in (("form", form, self.form), ("material", material, self.material))
        }
        return None if request is None else replace(request, form=known["form"], material=known["material"])

    # A run's settings ----------------------------------------------------------------------------------------------

    def differences(self, request: RunRequest) -> tuple[str, ...]:
        """Names of the settings in which the fields differ from a run's, as labelled; what is wrong differs, too."""
        fields, wrong = self.fields(), {name for name, problem in self._own_problems.items() if problem}
        read = read_form(fields)
        if not isinstance(read, RunRequest):
            wrong |= {error.field for error in read}
            seed = str(request.seed) if "seed" in wrong else fields.seed
            steps = str(request.steps) if "steps" in wrong else fields.steps
            guidance = "1" if "guidance" in wrong else fields.guidance
            read = read_form(replace(fields, seed=seed, steps=steps, guidance=guidance))
        names = differing_fields(read, request) if isinstance(read, RunRequest) else ()
        judged = {"guidance": fields.has_guidance and "guidance" not in wrong}  # those whose difference counts here
        names = tuple(name for name in names if judged.get(name, True))
        return tuple(self._label_of(name) for name in dict.fromkeys((*names, *sorted(wrong))))

    def use(self, request: RunRequest) -> None:
        """Fill the fields with the settings of a run of this model; the device stays."""
        _choose(self.form, request.form)
        _choose(self.material, request.material)
        _choose(self.sampler, request.sampler)
        self.seed.setText(str(request.seed))
        self.steps.set_text(str(request.steps))
        if request.guidance is not None:
            self.guidance.set_number(request.guidance)
        options = request.option_values
        for field in self.conditions:
            field.set_value(options.get(field.control.name, field.control.default))
        if self._takes_loras:
            self.loras.recall({each.file: [decimal_text(each.weight), True] for each in request.loras})

    def without_field(self, fields: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of settings, by those of `RunRequest`, that this model's fields cannot take, as people call them."""
        boxes = {"form": self.form, "material": self.material, "sampler": self.sampler}
        missing = [name for name, box in boxes.items() if fields.get(name) and box.findData(fields[name]) < 0]
        if fields.get("guidance") is not None and not self._has_guidance:
            missing.append("guidance")
        own = {field.control.name for field in self.conditions}
        missing += [name for name in fields.get("options", {}) if name not in own]
        size = {"width", "height"} & set(missing)
        words = [self._label_of(name) for name in missing if name not in size]
        return (*words, self.tr("size")) if size else tuple(words)

    def _label_of(self, name: str) -> str:
        own = {field.control.name: display(field.control.title) for field in self.conditions}
        labels = {
            "model": self.tr("model"), "form": self.tr("form"), "material": self.tr("material"),
            "seed": self.tr("seed"), "steps": self.tr("steps"), "sampler": self.tr("sampler"),
            "guidance": self.tr("guidance"), "loras": self.tr("LoRAs"), "prompt": self.tr("prompt"),
            "negative_prompt": self.tr("negative prompt"),
        }  # fmt: skip
        return own.get(name) or labels.get(name, name)

    # Another model ------------------------------------------------------------------------------------------------

    @property
    def model(self) -> str | None:
        return self._model

    def set_model(self, opened: OpenedModel) -> None:
        """Offer the parameters of a model, and have requests name it."""
        was_known = self._is_known
        is_another = opened.model != self._model or not was_known
        if was_known:
            self._keep()
        self._model, self._is_known = opened.model, True
        by_field = {control.field: control for control in opened.parameters if control.field}
        self._has_guidance, self._takes_loras = "guidance" in by_field, opened.takes_loras
        words = {name: by_field[name].choices if name in by_field else () for name in LABELS}
        self.offer_labels(words["form"], words["material"])
        offered = [(self.tr("Form"), self.form), (self.tr("Material"), self.material)]
        own: Rows = [[(text, box)] for text, box in offered if box.count() > 1]
        self.conditions = [ConditionField(control, self) for control in opened.parameters if not control.field]
        own += [[(display(field.control.title), field)] for field in self.conditions if _is_first(field.control)]
        own += [[(self.tr("LoRAs"), self.loras)]] if opened.takes_loras else []
        rest: Rows = [
            [(display(field.control.title), field)] for field in self.conditions if not _is_first(field.control)
        ]
        self._take_labels(is_first=not was_known)
        self._offer_samplers(opened.samplers, keep=not is_another or opened.model is None)
        guidance = by_field.get("guidance")
        is_remembered = not is_another or opened.model is None or "guidance" in self._remembered.of(opened.model).texts
        if guidance is not None and guidance.default is not None and not is_remembered:
            self.guidance.set_number(float(guidance.default))
        self._lay_out_again(own, rest)
        self.model_name.setText(opened.name)
        self.model_name.setToolTip(f"{opened.kind}\n{opened.model or ''}".strip())
        self.model_name.setVisible(opened.model is not None)
        if is_another:
            self._recall(with_texts=was_known)
        for field in self.conditions:
            field.edited.connect(self._judge)
        self._judge()

    def _offer_samplers(self, samplers: tuple[str, ...], keep: bool) -> None:
        self.sampler.set_samplers(samplers, self.sampler.currentData() if keep else None)

    def _lay_out_again(self, own: Rows, rest: Rows) -> None:
        """Put other fields into the grid; those that are not for this model wait outside of it."""
        old = self.grid
        self.grid = FieldGrid(self._rows(own), self)
        shown = [field for row in self._rows(own) for _, field in row]
        for field in (self.form, self.material, self.guidance, self.loras):
            if field not in shown:
                field.setParent(self)
            field.setVisible(field in shown)
        self._column.replaceWidget(old, self.grid)
        old.hide()
        old.deleteLater()
        self.grid.show()
        self._rest.set_rows(rest)
        self.rebuilt.emit()

    @Slot()
    def _fit_again(self) -> None:
        """Have the room of the grid divided again: the list of LoRAs is longer or shorter."""
        self.grid.measure()
        self.rebuilt.emit()

    # Remembering --------------------------------------------------------------------------------------------------

    def save(self, settings: QSettings) -> None:
        """Remember the contents, as far as they can be run."""
        request = self.request()
        if request is not None:
            for name in ("seed", "device"):
                settings.setValue(f"request/{name}", str(getattr(request, name)))
        self._keep()
        self._remembered.save(settings)

    def restore(self, settings: QSettings) -> None:
        """Take up what was remembered; what is no longer on offer stays as it is."""
        seed, device = settings.value("request/seed"), settings.value("request/device")
        if seed is not None:
            self.seed.setText(str(seed))
        _choose(self.device, str(device))
        self._remembered.restore(settings)
        self._recall()

    def _keep(self) -> None:
        """Remember the settings of this model, as far as they can be run."""
        read = read_form(self.fields())
        wrong = () if isinstance(read, RunRequest) else [error.field for error in read]
        texts = {name: getattr(self, name).text() for name in TEXTS if name not in wrong}
        choices = {name: getattr(self, name).currentData() for name in CHOICES}
        options = {field.control.name: field.value() for field in self.conditions if not field.problem}
        loras = self.loras.remembered() if self._takes_loras else {}
        choices = {name: key for name, key in choices.items() if name not in LABELS or name in self._labels}
        if not self._is_known:  # neither its own fields nor its labels and samplers are there yet
            before = self._remembered.of(self._model)
            choices, options, loras = before.choices, before.options, before.loras
        self._remembered.keep(self._model, ModelSettings(choices, texts, options, loras))

    def _recall(self, with_texts: bool = True) -> None:
        """Put back the last settings of this model."""
        remembered = self._remembered.of(self._model)
        for name, key in remembered.choices.items():
            if name in CHOICES and (name not in LABELS or name in self._labels):
                _choose(getattr(self, name), key)
        for name, text in remembered.texts.items():
            if with_texts and name in TEXTS:
                getattr(self, name).set_text(str(text))
        for field in self.conditions:
            if field.control.name in remembered.options:
                field.recall(remembered.options[field.control.name])
        self.loras.recall(remembered.loras if self._takes_loras else {})

    @Slot()
    def _judge(self) -> None:
        read = read_form(self.fields())
        errors: tuple[FieldError, ...] = () if isinstance(read, RunRequest) else read
        errors += tuple(FieldError(name, problem) for name, problem in self._own_problems.items() if problem)
        self.show_errors(errors, {"seed": self.seed, "steps": self.steps, "guidance": self.guidance})


def _choose(box: ChoiceBox, key: object) -> None:
    """Choose what goes by a key, if it is on offer."""
    row = box.findData(key) if key is None or isinstance(key, str) else -1  # edited by hand
    if row >= 0:
        box.setCurrentIndex(row)


def _is_first(control: ModelParameter) -> bool:
    """Whether a control stands among the first: what is asked of a model, and not how it is computed."""
    return control.required or control.kind in (
        ParameterKind.TEXT, ParameterKind.PICTURE, ParameterKind.LABEL, ParameterKind.CHOICE
    )  # fmt: skip
