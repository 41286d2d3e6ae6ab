"""The choice of what a run is exported as: first what a person wants to have, then the kind of file."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QToolButton, QWidget

from sculptor_app.exports.formats import GROUPS, AnimationFormat
from sculptor_app.ui.fields.inputs import ChoiceBox
from sculptor_app.ui.widgets.names import display


class FormatChoice(QWidget):
    """A row of a few kinds, such as film and poster, and the list of the kinds of file that the chosen one can be.

    Args:
        rows: the formats on offer; those of one of GROUPS are one kind.
    """

    changed = Signal()  # another format was chosen

    def __init__(self, rows: Sequence[AnimationFormat], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = {row.id: row for row in rows}
        self._last = {row.group: row.id for row in reversed(rows)}  # of each kind, what was chosen last
        self._row = rows[0]
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(0)
        words = [word for word in GROUPS if word in self._last]
        for number, word in enumerate(words if len(words) > 1 else ()):
            side = "left" if number == 0 else "right" if number == len(words) - 1 else "middle"
            line.addWidget(self._button(word, side))
        line.addStretch(1)
        self.types_label = QLabel(self.tr("File type"), self)
        self.types = ChoiceBox([], self)
        self.types.setAccessibleName(self.tr("File type"))
        self.types_label.setBuddy(self.types)
        line.addSpacing(18)
        line.addWidget(self.types_label)
        line.addSpacing(8)
        line.addWidget(self.types)
        self._group.idClicked.connect(self._choose_kind)
        self.types.currentIndexChanged.connect(self._choose_type)
        self._show()

    def _button(self, word: str, side: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(display(GROUPS[word]))
        button.setCheckable(True)
        button.setProperty("segment", side)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.buttons[word] = button
        self._group.addButton(button, len(self.buttons) - 1)
        return button

    @property
    def row(self) -> AnimationFormat:
        """The format that is chosen."""
        return self._row

    def choose(self, id: str) -> None:
        """Choose a format by its id; one that is not on offer changes nothing."""
        row = self._rows.get(id)
        if row is None or row is self._row:
            return
        self._row = row
        self._last[row.group] = row.id
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        """Press the button of the kind, and list the kinds of file that it can be, if there are several."""
        if self._row.group in self.buttons:
            self.buttons[self._row.group].setChecked(True)
        rows = [row for row in self._rows.values() if row.group == self._row.group]
        self.types.blockSignals(True)
        self.types.clear()
        for row in rows:
            self.types.addItem(display(row.short_name), row.id)
        self.types.setCurrentIndex(rows.index(self._row))
        self.types.blockSignals(False)
        for part in (self.types, self.types_label):
            part.setVisible(len(rows) > 1)

    @Slot(int)
    def _choose_kind(self, number: int) -> None:
        self.choose(self._last[list(self.buttons)[number]])

    @Slot()
    def _choose_type(self) -> None:
        self.choose(str(self.types.currentData()))
