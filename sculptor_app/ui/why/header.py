"""The line over the grid: what is seen, and which frame of every run."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QToolButton, QWidget

from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.basics import ElidedLabel


class GridHeader(QWidget):
    """A sentence at the left; at the right, what can be done.

    Signals:
        kind_chosen: a FrameKind.
        back_requested: show all cells alike again.
        open_requested: open the run that is shown large.
    """

    kind_chosen = Signal(object)
    back_requested = Signal()
    open_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._story = ""
        self.story = ElidedLabel("", self)
        self.story.setFont(fonts.strong())
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
        row.addWidget(self.story, 1)
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
        """Choose it as a click does."""
        (self.guess if kind is FrameKind.CURRENT_GUESS else self.state).setChecked(True)
        self._choose()

    def set_story(self, text: str) -> None:
        """Say what is seen."""
        self._story = text
        self.story.setText(text)

    def set_enlarged(self, words: str) -> None:
        """Say which run is shown large; empty for none."""
        self.back.setVisible(bool(words))
        self.open.setVisible(bool(words))
        self.story.setText(words or self._story)

    @Slot()
    def _choose(self) -> None:
        self.kind_chosen.emit(self.kind)
