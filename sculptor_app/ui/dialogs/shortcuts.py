"""The sheet of keyboard shortcuts, read from the menus so that it is never out of date."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QMainWindow, QPushButton, QVBoxLayout, QWidget

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
        sections = [*_shortcuts(window), (self.tr("Over a picture"), self._mouse())]
        sections.sort(key=lambda section: -len(section[1]))
        columns = [QVBoxLayout(), QVBoxLayout()]
        lines = [0, 0]
        for title, rows in sections:  # the longest first, each into the shorter column
            side = lines.index(min(lines))
            lines[side] += len(rows) + 2
            columns[side].addWidget(self._section(title, rows))
        beside = QHBoxLayout()
        beside.setSpacing(40)
        for column in columns:
            column.setSpacing(16)
            column.addStretch(1)
            beside.addLayout(column)
        close = QPushButton(self.tr("Close"), self)
        close.clicked.connect(self.close)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 20, 24, 16)
        outer.setSpacing(12)
        outer.addLayout(beside)
        outer.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)

    def _mouse(self) -> list[tuple[str, str]]:
        return [
            (self.tr("Wheel"), self.tr("Zoom all frames")),
            (self.tr("Drag"), self.tr("Move the zoomed picture")),
            (self.tr("Double click"), self.tr("Fit")),
        ]

    def _section(self, title: str, rows: list[tuple[str, str]]) -> QWidget:
        section = QWidget(self)
        grid = QGridLayout(section)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(6)
        grid.setColumnMinimumWidth(0, 170)
        heading = QLabel(title, section)
        heading.setFont(fonts.strong())
        grid.addWidget(heading, 0, 0, 1, 2)
        for line, (keys, deed) in enumerate(rows, start=1):
            pressed = QLabel(keys, section)
            pressed.setProperty("tone", "muted")
            grid.addWidget(QLabel(deed, section), line, 0)
            grid.addWidget(pressed, line, 1)
        return section
