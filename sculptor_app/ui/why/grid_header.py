"""The header over a grid: which one is on screen, the way back to the one before, and the kind of frames."""

from __future__ import annotations

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QToolButton, QWidget

from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.playback.stage import StageTitle


class GridHeader(QWidget):
    """Which grid is on screen, or a sentence about the experiment, and buttons for frames and the enlarged run."""

    kind_chosen = Signal(object)  # a FrameKind
    back_requested = Signal()  # show all cells at the same size again
    open_requested = Signal()  # open the run that is shown large

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._story = self._enlarged = ""
        self._parts: tuple[str, ...] = ()  # what the grid on screen shows, and what made it
        self._before: tuple[str, ...] = ()
        self.title = StageTitle(self)
        self.title.back.setText(self.tr("← Grid before"))
        self.back = QPushButton(self.tr("Show all"), self)
        self.back.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.back.clicked.connect(self.back_requested)
        self.open = QPushButton(self.tr("Open in Carve"), self)
        self.open.setToolTip(self.tr("Look at this very run with all its frames and frequencies"))
        self.open.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.open.clicked.connect(self.open_requested)
        self.guess = self._segment(self.tr("Current guess"), "left")
        self.state = self._segment(self.tr("Noisy state"), "right")
        self.guess.setChecked(True)
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 12, 16, 0)
        row.setSpacing(8)
        row.addWidget(self.title, 1)
        row.addWidget(self.open)
        row.addWidget(self.back)
        pair = QHBoxLayout()
        pair.setSpacing(0)
        for button in (self.guess, self.state):
            group.addButton(button)
            pair.addWidget(button)
            button.clicked.connect(self._choose)
        row.addLayout(pair)
        self.setMinimumHeight(self.open.sizeHint().height() + 12)  # the same with the buttons and without
        self.set_enlarged("")

    def _segment(self, text: str, side: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setCheckable(True)
        button.setProperty("segment", side)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    @property
    def kind(self) -> FrameKind:
        """Which frame of every run is to be seen."""
        return FrameKind.CURRENT_GUESS if self.guess.isChecked() else FrameKind.NOISY_STATE

    def choose_kind(self, kind: FrameKind) -> None:
        """Choose a kind as a click does."""
        (self.guess if kind is FrameKind.CURRENT_GUESS else self.state).setChecked(True)
        self._choose()

    def save(self, settings: QSettings) -> None:
        settings.setValue("why/kind", self.kind.value)

    def restore(self, settings: QSettings) -> None:
        if settings.value("why/kind") == FrameKind.NOISY_STATE.value:
            self.choose_kind(FrameKind.NOISY_STATE)

    def set_story(self, text: str) -> None:
        """Set the sentence about the experiment, which is seen until there is a grid."""
        self._story = text
        self._render()

    def set_titles(self, shown: tuple[str, ...], before: tuple[str, ...]) -> None:
        """Set what the grid on screen, and the one before it, show and what made them; empty where there is none."""
        self._parts, self._before = shown, before
        self._render()

    def set_enlarged(self, description: str) -> None:
        """Set the description of the enlarged run; empty for none."""
        self._enlarged = description
        self.back.setVisible(bool(description))
        self.open.setVisible(bool(description))
        self._render()

    def _render(self) -> None:
        what, *facts = self._parts or (self._story,)
        self.title.set_parts((self._enlarged or what, *facts))
        tip = self.tr("Back to the grid before (Ctrl+B): {0}").format(" · ".join(self._before))
        # Beside the buttons of an enlarged run a small window has no room for it.
        self.title.set_way_back(bool(self._before) and not self._enlarged, tip)

    @Slot()
    def _choose(self) -> None:
        self.kind_chosen.emit(self.kind)
