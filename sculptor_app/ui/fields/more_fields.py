"""Fields that are seldom wanted, folded away under a word."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from sculptor_app.ui.fields.field_grid import FieldGrid


class MoreFields(QWidget):
    """The words "More settings", and the fields under them when they are unfolded; not there without fields."""

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
