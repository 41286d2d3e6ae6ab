"""The head of the panel of plots: what is plotted in it, and of which frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.folding import BUTTON_PX
from sculptor_app.ui.widgets.names import explained

if TYPE_CHECKING:  # numpy comes with it, and the window is to be on screen before
    from sculptor_app.measures.run_measures import Source

GUESS: Source = "guess"
STATE: Source = "state"


class PanelHead(QWidget):
    """A heading, and beside it the choice of the frame whose frequencies are plotted, where there are two.

    Over curves of something else the heading says so, and the choice is a menu for the spectrum's own title.

    Args:
        sources: The frames to choose from; the first is chosen.
    """

    source_chosen = Signal(str)  # a person wants the frequencies of this frame

    def __init__(self, sources: tuple[Source, ...], counts_layers: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self._sources, self._counts_layers = sources, counts_layers
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.heading = QLabel(self)
        self.heading.setFont(fonts.strong())
        row.addWidget(self.heading)
        row.addSpacing(8)
        self._choice = QButtonGroup(self)
        self.menu = QMenu(self)
        self._entries = QActionGroup(self.menu)
        if len(sources) > 1:
            for source, side in ((GUESS, "left"), (STATE, "right")):
                row.addWidget(self._make_segment(source, side))
                self._add_entry(source)
            self.setMinimumHeight(self._choice.buttons()[0].sizeHint().height())  # whatever stands in it
        row.addStretch(1)
        row.addSpacing(BUTTON_PX)  # of the button that folds the panel
        self.set_source(sources[0])
        self.set_of_frequencies(True)

    def _make_segment(self, source: Source, side: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(self.name(source))
        button.setCheckable(True)
        button.setProperty("segment", side)
        button.setProperty("source", source)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(self._segment_clicked)
        self._choice.addButton(button)
        return button

    def _add_entry(self, source: Source) -> None:
        action = self.menu.addAction(self.name(source))
        action.setCheckable(True)
        action.setData(source)
        action.triggered.connect(lambda: self.source_chosen.emit(source))
        self._entries.addAction(action)

    def name(self, source: Source) -> str:
        """What a frame is called, translated."""
        return self.tr("current guess") if source == GUESS else self.tr("noisy state")

    def set_source(self, source: Source) -> None:
        """Show that the frequencies of this frame are plotted."""
        for button in self._choice.buttons():
            button.setChecked(button.property("source") == source)
        for action in self._entries.actions():
            action.setChecked(action.data() == source)

    def set_of_frequencies(self, are_all: bool) -> None:
        """Whether all that is plotted below are frequencies of that frame; else the heading says what stands first."""
        if are_all:
            text = self.tr("Frequencies of the") if len(self._sources) > 1 else self.tr("Frequencies")
        else:
            text = self.tr("Curves over the layers") if self._counts_layers else self.tr("Curves over the steps")
        self.heading.setText(text)
        self.heading.setToolTip(explained("band") if are_all else "")
        for button in self._choice.buttons():
            button.setVisible(are_all)

    @Slot()
    def _segment_clicked(self) -> None:
        button = self.sender()
        assert isinstance(button, QToolButton)  # they alone are connected
        self.source_chosen.emit(button.property("source"))
