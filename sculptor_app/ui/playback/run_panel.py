"""The left panel of a page: settings over Start, Stop and progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QVBoxLayout, QWidget

from sculptor_app.session.runner import RunState
from sculptor_app.ui.playback.texts import pace_text, progress_text
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.basics import ScrolledPanel
from sculptor_app.ui.widgets.folding import FoldingPanel

GAP_PX = 6

MOST_NAMED = 3
"""Fields that differ, as far as they are named in the panel; its tip names all."""


def few_names(names: Sequence[str]) -> str:
    """Names of fields that differ, as many as the panel has room for."""
    return ", ".join(names if len(names) <= MOST_NAMED else [*names[:MOST_NAMED], "…"])


class RunPanel(QWidget):
    """One button that starts or stops, and how far the run is."""

    start_requested = Signal()
    stop_requested = Signal()
    going_on_requested = Signal()  # show the run that goes on
    continuation_requested = Signal()  # go on with a run that was stopped
    settings_requested = Signal()  # fill the fields with the settings of the run on screen

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QLabel(self)
        self.line.setProperty("tone", "muted")
        self.line.setFont(fonts.tabular(fonts.body()))
        self.going_on = QLabel(self)  # in the line's place while another run is on screen
        self.going_on.setFont(fonts.tabular(fonts.body()))
        self.going_on.setToolTip(self.tr("Show the run that goes on"))
        self.going_on.linkActivated.connect(self.going_on_requested)
        link = Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        self.going_on.setTextInteractionFlags(link)
        self.pace = QLabel(self)
        self.pace.setProperty("tone", "muted")
        self.pace.setFont(fonts.small())
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the run"))
        self.difference = QLabel(self)
        self.difference.setProperty("tone", "warning")
        self.difference.setFont(fonts.small())
        self.difference.setWordWrap(True)
        self.difference.setTextFormat(Qt.TextFormat.PlainText)
        self.take_over = QToolButton(self)
        self.take_over.setText(self.tr("Use its settings"))
        self.take_over.setProperty("kind", "outlined")
        self.take_over.setFont(fonts.small())
        self.take_over.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.take_over.setToolTip(self.tr("Fill the fields with the settings of the run on screen."))
        self.take_over.clicked.connect(self.settings_requested)
        self.go_on = QToolButton(self)
        self.go_on.setText(self.tr("Go on"))
        self.go_on.setProperty("kind", "outlined")
        self.go_on.setFont(fonts.small())
        self.go_on.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.go_on.setToolTip(self.tr("Take the steps that are left; the picture comes out as if it had not stopped."))
        self.go_on.clicked.connect(self.continuation_requested)
        self.button = QPushButton(self)
        self.button.setProperty("kind", "primary")
        # A click leaves the focus where it is, so that Space goes on to play and pause.
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.clicked.connect(self._pressed)
        self._lay_out()
        self._running = self._can_take_over = self._hidden = self._can_go_on = False
        self._progress = ""
        self._reason = ""
        self._state = RunState.IDLE
        self.set_state(RunState.IDLE, waiting=False)

    def _lay_out(self) -> None:
        """Give what comes and goes the room of the most that it may be: nothing else moves then."""
        status = QWidget(self)
        above = QVBoxLayout(status)
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(GAP_PX)
        above.addStretch(1)
        for widget in (self.line, self.going_on, self.bar, self.pace, self.difference):
            above.addWidget(widget)
        choices = QHBoxLayout()
        choices.setSpacing(GAP_PX)
        choices.addWidget(self.go_on)
        choices.addWidget(self.take_over)
        choices.addStretch(1)
        above.addLayout(choices)
        small = self.difference.fontMetrics().lineSpacing()
        of_run = self.line.sizeHint().height() + self.bar.sizeHint().height() + 2 * small + 2 * GAP_PX
        status.setFixedHeight(max(of_run, 2 * small + self.take_over.sizeHint().height() + GAP_PX))
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 14)
        column.setSpacing(GAP_PX)
        column.addWidget(status)
        column.addWidget(self.button)

    @property
    def tallest_px(self) -> int:
        """Height with everything that it may show."""
        return self.sizeHint().height()

    def set_state(self, state: RunState, waiting: bool) -> None:
        """Show what the runner does; `waiting` says that a run was asked for before the model was there."""
        self._state = state
        self._running = waiting or state in (RunState.STARTING, RunState.RUNNING, RunState.STOPPING)
        self.button.setText(self.tr("Stop") if self._running else self.tr("Start"))
        tip = self.tr("Stop after this step (Esc)") if self._running else self.tr("Carve (Ctrl+Return)")
        self.button.setToolTip(tip)
        if waiting or state is RunState.STARTING:
            self._progress = self.tr("preparing the model…")
            self.bar.setRange(0, 0)
            self.pace.setText("")
        elif state is RunState.STOPPING:
            self._progress = self.tr("stopping after this step…")
        elif state is RunState.PREPARING:
            self._progress = self.tr("loading the model…")
        elif state is RunState.IDLE:
            self._progress = ""
        if not self._running:
            self.bar.setRange(0, 1)
            self.bar.setValue(0)
        self._render()

    def set_progress(self, done: int, planned: int, mean_s: float | None) -> None:
        self._set_bar(done, planned)
        if self._state is not RunState.STOPPING:
            self._progress = progress_text(done, planned, mean_s)
        self.set_pace(mean_s)

    def set_hidden(self, hidden: bool) -> None:
        """Whether the run that goes on is not the one on screen; a click leads to it then."""
        self._hidden = hidden
        self._render()

    def set_pace(self, mean_s: float | None) -> None:
        """Say how long a step takes, or took; None where it is not known."""
        self.pace.setText("" if mean_s is None else pace_text(mean_s))
        self._render()

    def _set_bar(self, done: int, planned: int) -> None:
        # QProgressBar.setValue paints there and then, 7 ms at every step; so it is painted with all the rest.
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, planned)
        self.bar.setValue(done)
        self.bar.setUpdatesEnabled(True)

    def set_ended(self, text: str) -> None:
        """Say how the run ended, until the next begins."""
        self._progress = text
        self._render()

    def set_difference(self, sentence: str, tip: str = "", can_take_over: bool = False) -> None:
        """Say in what the fields differ from the run on screen; empty where they do not, or there is none."""
        self.difference.setText(sentence)
        self.difference.setToolTip(tip)
        self._can_take_over = can_take_over
        self._render()

    def set_can_go_on(self, can: bool) -> None:
        """Whether the run on screen was stopped and can be gone on with."""
        self._can_go_on = can
        self._render()

    def set_reason(self, reason: str) -> None:
        """Say why Start cannot be pressed; empty where it can."""
        self._reason = reason
        self._render()

    @Slot()
    def _pressed(self) -> None:
        (self.stop_requested if self._running else self.start_requested).emit()

    def _render(self) -> None:
        blocked = bool(self._reason) and not self._running
        self.button.setEnabled(not blocked and self._state is not RunState.STOPPING)
        self.line.setText(self.tr("Correct what is marked above.") if blocked else self._progress)
        self.bar.setVisible(self._running)
        # In place of how long the run took; while it goes on in place of its pace, which the status bar says, too.
        differs = bool(self.difference.text()) and not blocked
        is_hidden = self._running and self._hidden
        carving = self.tr("carving · {0}") if self._state is RunState.RUNNING else "{0}"
        self.going_on.setText(f'<a href="#">{carving.format(self._progress)}</a>' if is_hidden else "")
        self.going_on.setVisible(is_hidden)
        self.line.setVisible(not is_hidden and (self._running or not differs or not self._can_take_over))
        can_go_on = self._can_go_on and not self._running
        self.go_on.setVisible(can_go_on)
        self.pace.setVisible(bool(self.pace.text()) and not differs and not blocked and not can_go_on)
        self.difference.setVisible(differs)
        self.take_over.setVisible(differs and self._can_take_over and not self._running)
        if blocked:
            self.button.setToolTip(self._reason)


LEFT_PANEL_PX, LEAVES_PX = 240, 480
"""Width that the left panel takes, and what it leaves to the frames before it folds by itself."""


def block_fold(
    panel: BlockPanel, headings: Sequence[QWidget], title: str, parent: QWidget | None = None
) -> FoldingPanel:
    """A left panel of one width that folds to a rail; see `FoldingPanel`."""
    return FoldingPanel(panel, headings, title, "left", LEFT_PANEL_PX, LEAVES_PX, LEFT_PANEL_PX, parent)


class BlockPanel(ScrolledPanel):
    """The left panel: settings, which scroll where they must, over Start and progress, which are always seen."""

    def __init__(
        self, settings: QWidget, fit_settings: Callable[[int], None], footer: QWidget, parent: QWidget | None = None
    ) -> None:
        super().__init__(settings, footer, parent)
        self._settings, self._fit_settings, self._footer = settings, fit_settings, footer

    @Slot()
    def fit(self) -> None:
        """Fold or unfold the labels, as the height allows; called again when there are other fields."""
        # Progress comes and goes; its room is kept, so that the labels do not jump when a run starts.
        footer = self._footer
        tallest_px = footer.tallest_px if isinstance(footer, RunPanel) else footer.sizeHint().height()
        self._fit_settings(self.height() - tallest_px)

    # Qt overrides ------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(LEFT_PANEL_PX, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        # What scrolls may be short but not narrow: it would be cut off at its right.
        return QSize(max(200, self._settings.minimumSizeHint().width() + self.bar_px), 160)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()
