"""The sheet of keyboard shortcuts, read from the menus so that it is never out of date."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QMainWindow, QVBoxLayout

from sculptor_app.ui.theme import fonts


def _shortcuts(window: QMainWindow) -> list[tuple[str, list[tuple[str, str]]]]:
    """Per menu its title and, per deed that has keys, the keys and the deed."""
    found = []
    for menu_action in window.menuBar().actions():
        rows = [(_keys(action), _plain(action.text())) for action in menu_action.menu().actions() if action.shortcuts()]
        if rows:
            found.append((_plain(menu_action.text()), rows))
    return found


def _keys(action: QAction) -> str:
    form = QKeySequence.SequenceFormat.NativeText
    return ", ".join(keys.toString(form) for keys in action.shortcuts() if keys.toString() != "Ctrl+Enter")


def _plain(text: str) -> str:
    return text.replace("&", "").rstrip("…")


class ShortcutsDialog(QDialog):
    """Two columns of keys and deeds."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout()
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(6)
        sections = [*_shortcuts(window), (self.tr("Over a picture"), self._mouse())]
        half = (sum(len(rows) + 2 for _, rows in sections) + 1) // 2
        line, side = 0, 0
        for title, rows in sections:
            if side == 0 and line >= half:
                line, side = 0, 3
            line = self._add_section(grid, line, side, title, rows)
        grid.setColumnMinimumWidth(2, 24)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 18, 24, 16)
        column.setSpacing(16)
        column.addLayout(grid)
        column.addStretch(1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def _mouse(self) -> list[tuple[str, str]]:
        return [
            (self.tr("Wheel"), self.tr("Zoom all frames")),
            (self.tr("Drag"), self.tr("Move the zoomed picture")),
            (self.tr("Double click"), self.tr("Fit")),
        ]

    def _add_section(self, grid: QGridLayout, line: int, side: int, title: str, rows: list[tuple[str, str]]) -> int:
        heading = QLabel(title, self)
        heading.setFont(fonts.strong())
        grid.addWidget(heading, line, side, 1, 2)
        for keys, deed in rows:
            line += 1
            label = QLabel(deed, self)
            pressed = QLabel(keys, self)
            pressed.setProperty("tone", "muted")
            grid.addWidget(label, line, side)
            grid.addWidget(pressed, line, side + 1)
        return line + 2
