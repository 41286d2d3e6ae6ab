"""The foot of the left panel: start, pause, stop, and how far the run is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from sculptor_app.session.training import TrainingState
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.basics import ElidedLabel


class Foot(QWidget):
    """Two buttons that always stand there, a bar, and a way to carve with what was learned.

    Signals:
        go_requested: begin, pause or go on, as the button says.
        stop_requested: stop.
        carve_requested: carve with this model.
    """

    go_requested = Signal()
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
        """What the buttons do now.

        Args:
            state: Of the learner.
            has_run: Whether there is a run in the folder.
            reason: Why a run cannot begin; empty where it can.
        """
        texts = {
            TrainingState.IDLE: self.tr("Go on") if has_run else self.tr("Start"),
            TrainingState.PAUSED: self.tr("Go on"),
            TrainingState.WRITING: self.tr("Go on"),
        }
        self.go.setText(texts.get(state, self.tr("Pause")))
        at_rest = state in (TrainingState.IDLE, TrainingState.PAUSED)
        self.go.setEnabled(state is TrainingState.LEARNING or (at_rest and not reason))
        self.go.setToolTip(reason or self._tip(state))
        self.halt.setEnabled(state in (TrainingState.PREPARING, TrainingState.LEARNING, TrainingState.PAUSED))
        self.carve.setEnabled(at_rest and has_run)
        self.carve.setToolTip(
            self.tr("Make a model of the last checkpoint and open it for carving")
            if at_rest
            else self.tr("Pause or stop first: a model is made of a checkpoint")
        )
        words = {
            TrainingState.PREPARING: self.tr("preparing…"),
            TrainingState.PAUSING: self.tr("pausing after this step…"),
            TrainingState.PAUSED: self.tr("paused"),
            TrainingState.STOPPING: self.tr("stopping after this step…"),
            TrainingState.WRITING: self.tr("writing the model…"),
        }
        self.pace.setText(words.get(state, ""))

    def _tip(self, state: TrainingState) -> str:
        if state is TrainingState.LEARNING:
            return self.tr("Keep a checkpoint and wait (Ctrl+Return)")
        return self.tr("Learn (Ctrl+Return)")

    def show_progress(self, share: float, line: str, pace: str) -> None:
        """How far it is, 0 to 1, in words, and how fast."""
        self.bar.setUpdatesEnabled(False)  # QProgressBar.setValue would paint there and then
        self.bar.setValue(round(1000 * share))
        self.bar.setUpdatesEnabled(True)
        self.line.setText(line)
        self.pace.setText(pace)

    @Slot()
    def press(self) -> None:
        """Do what the first button says, if it can be pressed."""
        if self.go.isEnabled():
            self.go_requested.emit()
