"""The left panel of the page Learn: settings of a training run, and its start, pause, stop and progress."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sculptor_app import folders
from sculptor_app.core.files import is_there
from sculptor_app.session.training import TrainingState
from sculptor_app.training.records.plan import OWN, OWN_SIZES, PRESETS, SMALL, TINY, Plan, plan_of
from sculptor_app.ui.fields.field_grid import FieldGrid
from sculptor_app.ui.fields.inputs import ChoiceBox, NumberField
from sculptor_app.ui.learn.texts import preset_name, preset_note
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.basics import ElidedLabel

FEWEST_PICTURES, MOST_PICTURES = 1_000, 100_000_000


class FolderField(QWidget):
    """A folder and a button to choose another."""

    chosen = Signal(str)

    def __init__(self, title: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._path = title, ""
        self.label = ElidedLabel("", self)
        self.button = QToolButton(self)
        self.button.setText(self.tr("Choose…"))
        self.button.setProperty("kind", "outlined")
        self.button.setAccessibleName(name)
        self.button.clicked.connect(self.choose)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.label, 1)
        row.addWidget(self.button)
        self.setFocusProxy(self.button)
        self.set_path("")

    @property
    def path(self) -> str:
        """The folder; empty where none is chosen."""
        return self._path

    def set_path(self, path: str) -> None:
        """Show a folder; its name alone, as there is little room."""
        self._path = path
        self.label.setText(Path(path).name if path else self.tr("none yet"))
        self.label.setToolTip(path)

    @Slot()
    def choose(self) -> None:
        start = self._path or str(folders.pictures())
        found = QFileDialog.getExistingDirectory(self, self._title, start)
        if found:
            self.chosen.emit(found)


class TrainingSettings(QWidget):
    """The settings of a training run: preset, pictures, length and folder."""

    edited = Signal()
    run_chosen = Signal(str)  # another folder for the run
    new_run_requested = Signal()  # a run in a new folder

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._begun: Plan | None = None
        self._make_fields()
        self._lay_out()
        self.preset.currentIndexChanged.connect(self._preset_chosen)
        self.edge.currentIndexChanged.connect(self._validate)
        self.total.text_changed.connect(self._validate)
        self.pictures.chosen.connect(self._pictures_chosen)
        self.run.chosen.connect(self.run_chosen)
        self.new_run.clicked.connect(self.new_run_requested)
        self._preset_chosen()

    def _make_fields(self) -> None:
        self.preset = ChoiceBox([(preset_name(key), key) for key in PRESETS], self)
        self.note = QLabel(self)
        self.pictures = FolderField(self.tr("Pictures to learn"), self.tr("Choose pictures to learn"), self)
        self.edge = ChoiceBox([(f"{size} × {size}", str(size)) for size in OWN_SIZES], self)
        self.total = NumberField(FEWEST_PICTURES, MOST_PICTURES, 1000, parent=self)
        self.total.setToolTip(
            self.tr("How many it sees in all, each again and again. Towards the end it learns in smaller steps.")
        )
        self.run = FolderField(self.tr("Folder of the run"), self.tr("Choose the run's folder"), self)
        self.new_run = QToolButton(self)
        self.new_run.setText(self.tr("New run"))
        self.new_run.setProperty("kind", "outlined")
        self.new_run.setToolTip(self.tr("Begin another run in a folder of its own; this one stays as it is"))
        self.problem = QLabel(self)
        for label, tone in ((self.note, "muted"), (self.problem, "warning")):
            label.setProperty("tone", tone)
            label.setWordWrap(True)
            label.setFont(fonts.small())
        self._fixed = (self.preset, self.edge, self.pictures.button)

    def _lay_out(self) -> None:
        self.title = QLabel(self.tr("What to learn"), self)
        self.title.setFont(fonts.strong())
        self._first = FieldGrid([[(self.tr("Model"), self.preset)]], self)
        self._own = FieldGrid([[(self.tr("Pictures"), self.pictures)], [(self.tr("Picture size"), self.edge)]], self)
        self._last = FieldGrid([[(self.tr("Pictures to see"), self.total)], [(self.tr("Folder"), self.run)]], self)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 0)
        column.setSpacing(10)
        for widget in (self.title, self._first, self.note, self._own, self._last):
            column.addWidget(widget)
        column.addWidget(self.new_run)
        column.addWidget(self.problem)
        column.addStretch(1)

    # Values -------------------------------------------------------------------------------------------------------

    @property
    def reason(self) -> str:
        """Why no run can begin with these settings; empty where it can."""
        return self.problem.text()

    @property
    def folder(self) -> Path:
        return Path(self.run.path)

    def plan(self) -> Plan | None:
        """The plan of the run; None while a setting is wrong."""
        if self.reason:
            return None
        if self._begun is not None:
            return replace(self._begun, recipe=replace(self._begun.recipe, total_pictures=self._total()))
        return plan_of(self.preset.currentData(), self._total(), int(self.edge.currentData()), self.pictures.path)

    def set_folder(self, folder: Path) -> None:
        self.run.set_path(str(folder))
        self._validate()

    def show_plan(self, plan: Plan | None) -> None:
        """Show the settings of a run, of which only the length can be changed; None for no run."""
        self._begun = None
        if plan is not None:
            self.preset.setCurrentIndex(self.preset.findData(plan.preset))
            self.edge.setCurrentIndex(max(0, self.edge.findData(str(plan.size))))
            self.pictures.set_path(plan.pictures)
            self.total.set_text(str(plan.recipe.total_pictures))
        self._begun = plan
        for field in self._fixed:
            field.setEnabled(plan is None)
        self.new_run.setVisible(plan is not None)
        self._validate()

    def set_busy(self, busy: bool) -> None:
        """Lock the settings while a run is in memory."""
        fields: tuple[QWidget, ...] = (self.total, self.run.button, self.new_run)
        for field in fields:
            field.setEnabled(not busy)
        for fixed in self._fixed:
            fixed.setEnabled(not busy and self._begun is None)

    # Remembering --------------------------------------------------------------------------------------------------

    def save(self, settings: QSettings) -> None:
        settings.setValue("learn/preset", self.preset.currentData())
        settings.setValue("learn/size", self.edge.currentData())
        settings.setValue("learn/pictures", self.pictures.path)
        settings.setValue("learn/total", self.total.text())
        settings.setValue("learn/folder", self.run.path)

    def restore(self, settings: QSettings) -> None:
        for box, name in ((self.preset, "preset"), (self.edge, "size")):
            row = box.findData(str(settings.value(f"learn/{name}", "")))
            if row >= 0:
                box.setCurrentIndex(row)
        self.pictures.set_path(str(settings.value("learn/pictures", "")))
        total = str(settings.value("learn/total", ""))
        if total:
            self.total.set_text(total)
        self.set_folder(Path(str(settings.value("learn/folder", "")) or new_folder(self.preset.currentData())))

    # Inside -------------------------------------------------------------------------------------------------------

    def _total(self) -> int:
        number = self.total.number()
        return int(number) if number is not None and number == number and abs(number) < 1e12 else 0

    @Slot()
    def _preset_chosen(self) -> None:
        key = self.preset.currentData()
        self.note.setText(preset_note(key))
        self._own.setVisible(key == OWN)
        if self._begun is None:
            self.total.set_text(str(PRESETS[key].recipe.total_pictures))
            if self.run.path and self.folder.parent == folders.runs() and not is_there(self.folder):
                self.run.set_path(str(new_folder(key)))
        self._validate()

    @Slot(str)
    def _pictures_chosen(self, folder: str) -> None:
        self.pictures.set_path(folder)
        self._validate()

    @Slot()
    def _validate(self) -> None:
        reason = ""
        if not FEWEST_PICTURES <= self._total() <= MOST_PICTURES:
            reason = self.tr("Pictures to see: choose {0:,} to {1:,}.").format(FEWEST_PICTURES, MOST_PICTURES)
        elif self.preset.currentData() == OWN and not self.pictures.path:
            reason = self.tr("Choose a folder with 16 pictures or more.")
        self.problem.setText(reason)
        self.problem.setVisible(bool(reason))
        self.edited.emit()


FOLDER_WORDS = {TINY: "busts", SMALL: "sculptures", OWN: "own-pictures"}


def new_folder(preset: str = TINY) -> Path:
    """A folder for a new run, whose name nobody has yet."""
    root, word = folders.runs(), FOLDER_WORDS[preset]
    names = (word if number == 1 else f"{word}-{number}" for number in range(1, 10**6))
    return next(root / name for name in names if not is_there(root / name))


class TrainingRunPanel(QWidget):
    """Start or pause, stop, a progress bar, and a button that opens the model for carving."""

    go_requested = Signal()  # begin, pause or go on, as the button says
    stop_requested = Signal()
    carve_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line, self.pace = ElidedLabel("", self), ElidedLabel("", self)
        self.line.setFont(fonts.tabular(fonts.body()))
        self.pace.setFont(fonts.small())
        for label in (self.line, self.pace):
            label.setProperty("tone", "muted")
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName(self.tr("Progress of learning"))
        self.go, self.halt, self.carve = QPushButton(self), QPushButton(self), QPushButton(self)
        self.go.setProperty("kind", "primary")
        self.halt.setText(self.tr("Stop"))
        self.halt.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.MinimumExpanding)  # as high as Start
        shown = self.bar.sizePolicy()
        shown.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(shown)
        self.halt.setToolTip(self.tr("Keep a checkpoint and let go of the run (Esc); it can go on later"))
        self.carve.setText(self.tr("Carve with this model"))
        for button, signal in (
            (self.go, self.go_requested),
            (self.halt, self.stop_requested),
            (self.carve, self.carve_requested),
        ):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(signal)
        self._lay_out()
        self.show_state(TrainingState.IDLE, has_run=False, reason="")

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.go, 1)
        buttons.addWidget(self.halt)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 14)
        column.setSpacing(6)
        for widget in (self.line, self.bar, self.pace):
            column.addWidget(widget)
        column.addLayout(buttons)
        column.addWidget(self.carve)

    def show_state(self, state: TrainingState, has_run: bool, reason: str) -> None:
        """Set what the buttons do; `reason` says why a run cannot begin, and is empty where it can."""
        texts = {
            TrainingState.IDLE: self.tr("Go on") if has_run else self.tr("Start"),
            TrainingState.PAUSED: self.tr("Go on"),
            TrainingState.WRITING: self.tr("Go on"),
        }
        self.go.setText(texts.get(state, self.tr("Pause")))
        at_rest = state in (TrainingState.IDLE, TrainingState.PAUSED)
        self.bar.setVisible(has_run or state is not TrainingState.IDLE)
        self.go.setEnabled(state is TrainingState.LEARNING or (at_rest and not reason))
        self.go.setToolTip(reason or self._tip(state))
        self.halt.setEnabled(state in (TrainingState.PREPARING, TrainingState.LEARNING, TrainingState.PAUSED))
        self.carve.setEnabled(at_rest and has_run)
        self.carve.setToolTip(
            self.tr("Make a model of the last checkpoint and open it for carving")
            if at_rest
            else self.tr("Pause or stop first: a model is made of a checkpoint")
        )
        activity = {
            TrainingState.PREPARING: self.tr("preparing…"),
            TrainingState.PAUSING: self.tr("pausing after this step…"),
            TrainingState.PAUSED: self.tr("paused"),
            TrainingState.STOPPING: self.tr("stopping after this step…"),
            TrainingState.WRITING: self.tr("writing the model…"),
        }
        self.pace.setText(activity.get(state, ""))

    def _tip(self, state: TrainingState) -> str:
        if state is TrainingState.LEARNING:
            return self.tr("Keep a checkpoint and wait (Ctrl+Return)")
        return self.tr("Learn (Ctrl+Return)")

    def show_progress(self, share: float, line: str, pace: str) -> None:
        """Show the progress, 0 to 1, a line about it, and the pace."""
        self.bar.setUpdatesEnabled(False)  # QProgressBar.setValue would paint there and then
        self.bar.setValue(round(1000 * share))
        self.bar.setUpdatesEnabled(True)
        self.line.setText(line)
        self.pace.setText(pace)
