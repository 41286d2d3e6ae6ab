"""The field for LoRA files: each with a tick, its weight, and a button that removes it; files can be dropped on it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.core.files import is_file
from sculptor_app.core.requests.request import MAX_LORA_WEIGHT, MOST_LORAS, Lora, RequestError
from sculptor_app.core.texts import fill
from sculptor_app.ui.fields.field_grid import WIDE, mark
from sculptor_app.ui.fields.inputs import NumberField
from sculptor_app.ui.widgets.basics import ElidedLabel, FileDrop
from sculptor_app.ui.widgets.names import display

translate = QCoreApplication.translate  # a name that lupdate knows

WEIGHT_PX = 84
SUFFIX = ".safetensors"

RememberedLoras = dict[str, list[str | bool]]
"""Weight as typed, and whether it is ticked, by the path of the file."""


class LoraRow(QWidget):
    """One LoRA of the list."""

    edited = Signal()
    removed = Signal(object)  # the row

    def __init__(self, file: str, weight: str, is_on: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.file = file
        name = Lora(file).name
        self.tick = QCheckBox(self)
        self.tick.setChecked(is_on)
        self.tick.setAccessibleName(name)
        self.tick.setToolTip(self.tr("Whether the next run uses it."))
        self.name = ElidedLabel(name.removesuffix(SUFFIX), self)
        self.setToolTip(file)
        self._weight_label = QLabel(self.tr("Weight"), self)
        self._weight_label.setProperty("tone", "muted")
        self.weight = NumberField(-MAX_LORA_WEIGHT, MAX_LORA_WEIGHT, 0.1, 2, self)
        self.weight.set_text(weight)
        self.weight.setFixedWidth(WEIGHT_PX)
        self.weight.setAccessibleName(self.tr("Weight of {0}").format(name))
        self.weight.setToolTip(
            fill(self.tr("How much it counts, {0:g} to {1:g}; 0 is none of it."), (-MAX_LORA_WEIGHT, MAX_LORA_WEIGHT))
        )
        self.remove = QToolButton(self)
        self.remove.setText("✕")
        self.remove.setAccessibleName(self.tr("Remove {0}").format(name))
        self.remove.setToolTip(self.tr("Take it out of the list; the file stays."))
        self._missing = QLabel(self.tr("The file is not there any more."), self)
        self._missing.setProperty("tone", "warning")
        self._lay_out()
        self.tick.toggled.connect(self.edited)
        self.weight.text_changed.connect(self.edited)
        self.remove.clicked.connect(lambda: self.removed.emit(self))

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.tick, 0, 0)
        grid.addWidget(self.name, 0, 1, 1, 2)
        grid.addWidget(self.remove, 0, 3)
        grid.addWidget(self._weight_label, 1, 1)
        grid.addWidget(self.weight, 1, 2, 1, 2)
        grid.addWidget(self._missing, 2, 0, 1, 4)

    @property
    def is_there(self) -> bool:
        """Whether there is such a file now."""
        return is_file(self.file)

    def lora(self) -> Lora:
        """The LoRA as it stands; `RequestError` if it cannot be used."""
        number = self.weight.number()
        if number is None:
            sentence = translate("Form", "“{0}” is no weight for the LoRA {1}: choose {2:g} to {3:g}.")
            name = Lora(self.file).name
            raise RequestError(fill(sentence, (self.weight.text()[:24], name, -MAX_LORA_WEIGHT, MAX_LORA_WEIGHT)))
        lora = Lora(self.file, number)
        lora.check_file()
        return lora

    def judge(self) -> str:
        """What is wrong with it where it is ticked, in one sentence, else empty; the row shows it."""
        is_there = self.is_there
        self._missing.setVisible(not is_there)
        self._weight_label.setVisible(is_there)
        self.weight.setVisible(is_there)
        self.name.setEnabled(self.tick.isChecked())
        problem = ""
        if self.tick.isChecked():
            try:
                self.lora()
            except RequestError as error:
                problem = display(error.message)
        mark(self.weight, bool(problem) and is_there)
        return problem


class LoraField(QWidget):
    """A list of LoRA files for a model that takes them."""

    edited = Signal()
    resized = Signal()  # there are more rows, or fewer

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty(WIDE, True)
        self.rows: list[LoraRow] = []
        self.add = QToolButton(self)
        self.add.setText(self.tr("Add a file…"))
        self.add.setProperty("kind", "outlined")
        self.add.clicked.connect(self._choose)
        self.hint = QLabel(self.tr("or drop it here"), self)
        self.hint.setProperty("tone", "muted")
        self.hint.setWordWrap(True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        line = QHBoxLayout()
        line.addWidget(self.add)
        line.addWidget(self.hint, 1)
        self._column.addLayout(line)
        self.setFocusProxy(self.add)
        FileDrop(self, SUFFIX).dropped.connect(self.add_file)

    @property
    def loras(self) -> tuple[Lora, ...]:
        """Those that are ticked and can be used."""
        return tuple(row.lora() for row in self.rows if row.tick.isChecked() and not row.judge())

    @property
    def problem(self) -> str:
        """What is wrong with one that is ticked; empty where nothing is."""
        return next(filter(None, [row.judge() for row in self.rows]), "")

    @Slot(object)
    def add_file(self, path: Path) -> None:
        """Add a file, ticked; one that is in the list already is ticked."""
        known = {row.file: row for row in self.rows}
        if str(path) in known:
            known[str(path)].tick.setChecked(True)
            return
        self._insert(str(path), "1", True)

    def remembered(self) -> RememberedLoras:
        """What to remember of the list."""
        return {row.file: [row.weight.text(), row.tick.isChecked()] for row in self.rows}

    def recall(self, remembered: RememberedLoras) -> None:
        """Take up what was remembered, in place of what is there; a file that is gone is not ticked."""
        for row in list(self.rows):
            self._remove(row)
        for file, values in list(remembered.items())[:MOST_LORAS]:
            match values:
                case [str() as weight, bool() as is_on] if file.strip():
                    self._insert(file, weight, is_on)
                    row = self.rows[-1]
                    row.tick.setChecked(is_on and not row.judge())

    @Slot()
    def _choose(self) -> None:
        folder = str(Path(self.rows[-1].file).parent) if self.rows else ""
        caption, kinds = self.tr("Add LoRA files"), self.tr("LoRA files (*{0})").format(SUFFIX)
        self.add_files(QFileDialog.getOpenFileNames(self, caption, folder, kinds)[0])

    def add_files(self, names: Iterable[str]) -> None:
        """Add several files."""
        for name in names:
            self.add_file(Path(name))

    def _insert(self, file: str, weight: str, is_on: bool) -> None:
        if len(self.rows) >= MOST_LORAS:
            full = self.tr("{0} was not added: {1} LoRAs are the most. Remove one first.")
            self._say(full.format(Lora(file).name, MOST_LORAS), "warning")
            return
        row = LoraRow(file, weight, is_on, self)
        row.edited.connect(self.edited)
        row.removed.connect(self._take_removal)
        self.rows.append(row)
        self._column.insertWidget(len(self.rows) - 1, row)
        row.show()
        row.judge()
        self._take_count()

    @Slot(object)
    def _take_removal(self, row: LoraRow) -> None:
        self.add.setFocus()
        self._remove(row)

    def _remove(self, row: LoraRow) -> None:
        self.rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()
        self._take_count()

    def _say(self, text: str, tone: str) -> None:
        self.hint.setText(text)
        self.hint.setProperty("tone", tone)
        self.hint.style().polish(self.hint)
        self.resized.emit()

    def _take_count(self) -> None:
        self._say(self.tr("or drop it here"), "muted")
        self.add.setEnabled(len(self.rows) < MOST_LORAS)
        self.updateGeometry()
        self.resized.emit()
        self.edited.emit()
