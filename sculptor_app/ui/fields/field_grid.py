"""The layout of labelled fields: labels over their fields where there is room, beside them where there is not."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

WIDE = "wide"
"""Property of a field that needs the whole width, as a text does: its label stays over it."""
LABEL_GAP_PX, ROW_GAP_PX, COMPACT_GAP_PX = 4, 10, 5


class FieldGrid(QWidget):
    """A column of labelled fields that can be folded together; the two of a row stand side by side where they can."""

    def __init__(self, rows: list[list[tuple[str, QWidget]]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = [[(self._label(text, field), field) for text, field in row] for row in rows]
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._is_compact: bool | None = None
        self.roomy_height_px = 0
        self.measure()

    def measure(self) -> None:
        """Put the labels over the fields, and note the height of that: a field has grown or shrunk."""
        self.set_compact(False)
        self.roomy_height_px = self.sizeHint().height()

    def show_field(self, field: QWidget, is_shown: bool) -> None:
        """Show a field with its label, or neither."""
        for label, each in (pair for row in self._rows for pair in row):
            if each is field and each.isHidden() == is_shown:
                label.setVisible(is_shown)
                each.setVisible(is_shown)

    def _label(self, text: str, field: QWidget) -> QLabel:
        label = QLabel(text, self)
        label.setProperty("tone", "muted")
        label.setBuddy(field.findChild(QLineEdit) or field)
        field.setAccessibleName(text)
        return label

    def set_compact(self, compact: bool) -> None:
        """Put the labels beside their fields, or over them."""
        if compact == self._is_compact:
            return
        self._is_compact = compact
        while self._grid.count():
            self._grid.takeAt(0)
        for column in range(4):
            self._grid.setColumnStretch(column, 0)
        (self._put_beside if compact else self._put_over)()

    def _put_over(self) -> None:
        self._grid.setVerticalSpacing(LABEL_GAP_PX)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1)
        for number, row in enumerate(self._rows):
            span = 2 // len(row)
            for side, (label, field) in enumerate(row):
                self._grid.addWidget(label, 3 * number, side * span, 1, span)
                self._grid.addWidget(field, 3 * number + 1, side * span, 1, span)
            is_last = number + 1 == len(self._rows)
            self._grid.setRowMinimumHeight(3 * number + 2, 0 if is_last else ROW_GAP_PX - 2 * LABEL_GAP_PX)

    def _put_beside(self) -> None:
        self._grid.setVerticalSpacing(COMPACT_GAP_PX)
        for line in range(self._grid.rowCount()):
            self._grid.setRowMinimumHeight(line, 0)
        self._grid.setColumnStretch(1, 1)
        line = 0
        for label, field in (pair for row in self._rows for pair in row):
            is_wide = bool(field.property(WIDE))
            self._grid.addWidget(label, line, 0, 1, 2 if is_wide else 1)
            line += is_wide
            self._grid.addWidget(field, line, 0 if is_wide else 1, 1, 2 if is_wide else 1)
            line += 1


class MoreFields(QWidget):
    """The button "More settings", and the fields under them when they are unfolded; not there without fields."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.more = QToolButton(self)
        self.more.setText(self.tr("More settings"))
        self.more.setCheckable(True)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.toggled.connect(self._show)
        self._grid: QWidget = QWidget(self)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self._column.addWidget(self.more)
        self._column.addWidget(self._grid)
        self.set_rows([])

    def set_rows(self, rows: list[list[tuple[str, QWidget]]]) -> None:
        """Hold other fields, folded away; see `FieldGrid`."""
        old, self._grid = self._grid, FieldGrid(rows, self)
        self._column.replaceWidget(old, self._grid)
        old.hide()
        old.deleteLater()
        self.more.setChecked(False)
        self._grid.hide()
        self.setVisible(bool(rows))

    @Slot(bool)
    def _show(self, wanted: bool) -> None:
        self.more.setArrowType(Qt.ArrowType.DownArrow if wanted else Qt.ArrowType.RightArrow)
        self._grid.setVisible(wanted)


def mark(field: QWidget, is_wrong: bool) -> None:
    """Have the theme draw a field as wrong, or as right again."""
    if bool(field.property("problem")) != is_wrong:
        field.setProperty("problem", is_wrong)
        field.style().unpolish(field)
        field.style().polish(field)
