"""The left panel: what to carve and how, Start and Stop, and how far the run is."""

from PySide6.QtCore import QRandomGenerator, QSettings, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.diffusion.control import Control, ControlKind
from sculptor_app.diffusion.request import (
    FORMS,
    MATERIALS,
    MAX_GUIDANCE,
    MAX_STEPS,
    SAMPLER_NAMES,
    SAMPLERS,
    SculptRequest,
)
from sculptor_app.session.model_opening import OpenedModel
from sculptor_app.ui.choice_box import ChoiceBox
from sculptor_app.ui.condition_fields import ConditionField
from sculptor_app.ui.field_grid import FieldGrid
from sculptor_app.ui.form import FieldError, FormFields, read_form
from sculptor_app.ui.number_field import NumberField
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.elided_label import ElidedLabel
from sculptor_app.ui.widgets.words import form_name, material_name

NEW_SEED_LIMIT = 10**6
"""New seeds have at most six digits, so that a person can note them down; any up to 2^63 - 1 can be typed."""


class Controls(QWidget):
    """The settings of the next run.

    Args:
        model: folder of the model that requests name; None is the embedded one.

    Signals:
        edited: some setting changed, for better or worse.
        rebuilt: there are other fields.
        submitted: a person pressed Return in a field.
    """

    edited = Signal()
    rebuilt = Signal()
    submitted = Signal()

    def __init__(self, model: str | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._has_guidance = True
        self._is_known = False  # what the model can be told
        self.conditions: list[ConditionField] = []
        self._make_fields()
        self._lay_out()
        self._connect()
        self._judge()

    def _make_fields(self) -> None:
        free = (self.tr("Left to the model"), None)
        self.form = ChoiceBox([free, *((form_name(key), key) for key in FORMS)], self)
        self.material = ChoiceBox([free, *((material_name(key), key) for key in MATERIALS)], self)
        self.form.setCurrentIndex(1)
        self.material.setCurrentIndex(2)
        self.seed = QLineEdit("7", self)
        self.seed.setToolTip(self.tr("The same seed starts from the same noise on every device."))
        self.new_seed = QToolButton(self)
        self.new_seed.setText(self.tr("New"))
        self.new_seed.setProperty("kind", "outlined")
        self.new_seed.setToolTip(self.tr("Choose a new seed at random (Ctrl+N)"))
        self.new_seed.setAccessibleName(self.tr("New seed"))
        self.new_seed.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.steps = NumberField(1, MAX_STEPS, parent=self)
        self.steps.set_text("50")
        self.steps.setToolTip(self.tr("How many reverse steps lead from noise to picture, 1 to {0}.").format(MAX_STEPS))
        self.guidance = NumberField(0, MAX_GUIDANCE, 0.5, 1, parent=self)
        self.guidance.set_text("2.0")
        self.guidance.setToolTip(
            self.tr("How strongly form and material pull at the picture; 1 is no pull beyond the model's own.")
        )
        self.sampler = ChoiceBox([(SAMPLER_NAMES[key], key) for key in SAMPLERS], self)
        self.device = ChoiceBox([(self.tr("Automatic"), "auto")], self)
        self.device.setToolTip(self.tr("Where the model runs."))

    def _lay_out(self) -> None:
        self.problem = QLabel(self)
        self.problem.setProperty("tone", "warning")
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        heading = QLabel(self.tr("The block"), self)
        heading.setFont(fonts.strong())
        self.model_name = ElidedLabel("", self)
        self.model_name.setProperty("tone", "muted")
        self.model_name.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.model_name.hide()
        self._seeds = self._seed_row()
        labels = [[(self.tr("Form"), self.form)], [(self.tr("Material"), self.material)]]
        self.grid = FieldGrid(self._rows(labels), self)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 14, 16, 0)
        self._column.setSpacing(10)
        title = QHBoxLayout()
        title.addWidget(heading)
        title.addWidget(self.model_name, 1)
        self._column.addLayout(title)
        self.more = QToolButton(self)
        self.more.setText(self.tr("More settings"))
        self.more.setCheckable(True)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.toggled.connect(self._show_more)
        self.more.hide()
        self._rest = QWidget(self)
        for widget in (self.grid, self.problem, self.more, self._rest):
            self._column.addWidget(widget)
        self._column.addStretch(1)
        self.seed.setAccessibleName(self.tr("Seed"))

    def _rows(self, own: list[list[tuple[str, QWidget]]]) -> list[list[tuple[str, QWidget]]]:
        """The rows of the grid: what only this model can be told, then what all can."""
        steps = [(self.tr("Steps"), self.steps)]
        if self._has_guidance:
            steps.append((self.tr("Guidance"), self.guidance))
        return [
            *own,
            [(self.tr("Seed"), self._seeds)],
            steps,
            [(self.tr("Sampler"), self.sampler)],
            [(self.tr("Device"), self.device)],
        ]

    def _seed_row(self) -> QWidget:
        seed_row = QWidget(self)
        row = QHBoxLayout(seed_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.seed, 1)
        row.addWidget(self.new_seed)
        seed_row.setFocusProxy(self.seed)
        return seed_row

    def fit_into(self, height_px: int) -> None:
        """Fold the labels beside their fields where they would not all be seen otherwise."""
        others = self.sizeHint().height() - self.grid.sizeHint().height()
        self.grid.set_compact(others + self.grid.roomy_height_px > height_px)

    def _connect(self) -> None:
        self.new_seed.clicked.connect(self.choose_new_seed)
        for box in (self.form, self.material, self.sampler, self.device):
            box.currentIndexChanged.connect(self._judge)
        for field in (self.seed, self.steps.lineEdit(), self.guidance.lineEdit()):
            field.textChanged.connect(self._judge)
            field.returnPressed.connect(self.submitted)

    # What it says -------------------------------------------------------------------------------------------------

    def fields(self) -> FormFields:
        """The contents as they stand."""
        return FormFields(
            form=self.form.currentData(), material=self.material.currentData(), seed=self.seed.text(),
            steps=self.steps.text(), sampler=self.sampler.currentData(), guidance=self.guidance.text(),
            device=self.device.currentData(), model=self._model,
            options=tuple((field.control.name, field.value()) for field in self.conditions if not field.problem),
            has_guidance=self._has_guidance,
        )  # fmt: skip

    def request(self) -> SculptRequest | None:
        """What would be run; None while something is wrong."""
        if any(field.problem for field in self.conditions):
            return None
        read = read_form(self.fields())
        return read if isinstance(read, SculptRequest) else None

    # Another model ------------------------------------------------------------------------------------------------

    @property
    def model(self) -> str | None:
        """The model that requests name; None is the embedded one."""
        return self._model

    def set_model(self, opened: OpenedModel) -> None:
        """Offer what a model can be told, and have requests name it."""
        is_another = opened.model != self._model or not self._is_known
        self._model, self._is_known = opened.model, True
        by_field = {control.field: control for control in opened.controls if control.field}
        self._has_guidance = "guidance" in by_field
        labelled = [(self.tr("Form"), self.form, "form"), (self.tr("Material"), self.material, "material")]
        own: list[list[tuple[str, QWidget]]] = [[(text, box)] for text, box, name in labelled if name in by_field]
        self.conditions = [ConditionField(control, self) for control in opened.controls if not control.field]
        own += [[(field.control.title, field)] for field in self.conditions if _is_first(field.control)]
        rest = [[(field.control.title, field)] for field in self.conditions if not _is_first(field.control)]
        for _, box, name in labelled:
            if name not in by_field:
                box.setCurrentIndex(0)
        self._offer_samplers(opened.samplers, keep=not is_another or opened.model is None)
        guidance = by_field.get("guidance")
        if guidance is not None and is_another and opened.model is not None and guidance.default is not None:
            self.guidance.set_number(float(guidance.default))
        self._lay_out_anew(own, rest)
        self.model_name.setText(opened.name)
        self.model_name.setToolTip(f"{opened.kind}\n{opened.model or ''}".strip())
        self.model_name.setVisible(opened.model is not None)
        for field in self.conditions:
            field.edited.connect(self._judge)
        self._judge()

    def _offer_samplers(self, samplers: tuple[str, ...], keep: bool) -> None:
        chosen = self.sampler.currentData() if keep else None
        self.sampler.blockSignals(True)
        self.sampler.clear()
        for key in samplers:
            self.sampler.addItem(SAMPLER_NAMES[key], key)
        self.sampler.setCurrentIndex(max(0, self.sampler.findData(chosen)))
        self.sampler.blockSignals(False)

    @Slot(bool)
    def _show_more(self, wanted: bool) -> None:
        self.more.setArrowType(Qt.ArrowType.DownArrow if wanted else Qt.ArrowType.RightArrow)
        self._rest.setVisible(wanted)

    def _lay_out_anew(self, own: list[list[tuple[str, QWidget]]], rest: list[list[tuple[str, QWidget]]]) -> None:
        """Put other fields into the grid; those that are not for this model wait outside of it."""
        old = self.grid
        self.grid = FieldGrid(self._rows(own), self)
        shown = [field for row in self._rows(own) for _, field in row]
        for field in (self.form, self.material, self.guidance):
            if field not in shown:
                field.setParent(self)
            field.setVisible(field in shown)
        old_rest, self._rest = self._rest, FieldGrid(rest, self)
        for before, after in ((old, self.grid), (old_rest, self._rest)):
            self._column.replaceWidget(before, after)
            before.hide()
            before.deleteLater()
        self.grid.show()
        self.more.setChecked(False)
        self.more.setVisible(bool(rest))
        self._rest.hide()
        self.rebuilt.emit()

    @property
    def reason(self) -> str:
        """Why nothing can be run, one sentence per field; empty where it can."""
        return self.problem.text()

    @Slot()
    def choose_new_seed(self) -> None:
        """Put a random seed into the field; the system's randomness, since a seed is to be new each time."""
        old = self.seed.text()
        while self.seed.text() == old:
            self.seed.setText(str(QRandomGenerator.system().bounded(NEW_SEED_LIMIT)))

    def set_devices(self, devices: tuple[tuple[str, str], ...]) -> None:
        """Offer the devices that were found, the first being what Automatic takes; a choice that is there stays."""
        chosen = self.device.currentData()
        self.device.blockSignals(True)
        self.device.clear()
        name = self.tr("{0} (auto)").format(devices[0][1]) if devices else self.tr("Automatic")
        self.device.addItem(name, "auto")
        for key, label in devices:
            if key != "auto":
                self.device.addItem(label, key)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen)))
        self.device.blockSignals(False)
        if self.device.currentData() != chosen:
            self._judge()

    def choose_device(self, kind: str) -> bool:
        """Choose the first device whose id begins so, such as "cpu"; whether there is one."""
        for row in range(self.device.count()):
            if str(self.device.itemData(row)).startswith(kind):
                self.device.setCurrentIndex(row)
                return True
        return False

    # Remembering --------------------------------------------------------------------------------------------------

    def save(self, settings: QSettings) -> None:
        """Remember the contents, if they can be run."""
        request = self.request()
        if request is None:
            return
        for name in ("form", "material", "seed", "steps", "sampler", "guidance", "device"):
            value = getattr(request, name)
            settings.setValue(f"request/{name}", "" if value is None else str(value))

    def restore(self, settings: QSettings) -> None:
        """Take up what was remembered; what is no longer on offer stays as it is."""
        for name in ("form", "material", "sampler", "device"):
            key = settings.value(f"request/{name}")
            box: ChoiceBox = getattr(self, name)
            row = -1 if key is None else box.findData(str(key) or None)
            if row >= 0:
                box.setCurrentIndex(row)
        for name in ("seed", "steps", "guidance"):
            text = settings.value(f"request/{name}")
            field = getattr(self, name)
            if text is not None:
                (field.setText if isinstance(field, QLineEdit) else field.set_text)(str(text))

    @Slot()
    def _judge(self) -> None:
        read = read_form(self.fields())
        errors: tuple[FieldError, ...] = () if isinstance(read, SculptRequest) else read
        errors += tuple(FieldError(field.control.name, field.problem) for field in self.conditions if field.problem)
        wrong = {error.field for error in errors}
        for name in ("seed", "steps", "guidance"):
            self._mark(getattr(self, name), name in wrong)
        self.problem.setText("\n".join(error.sentence for error in errors))
        self.problem.setVisible(bool(errors))
        self.edited.emit()

    @staticmethod
    def _mark(field: QLineEdit | QAbstractSpinBox, is_wrong: bool) -> None:
        if bool(field.property("problem")) != is_wrong:
            field.setProperty("problem", is_wrong)
            field.style().unpolish(field)
            field.style().polish(field)


def _is_first(control: Control) -> bool:
    """Whether a control stands among the first: what is asked of a model, and not how it is computed."""
    return control.required or control.kind in (
        ControlKind.TEXT, ControlKind.PICTURE, ControlKind.LABEL, ControlKind.CHOICE
    )  # fmt: skip
