"""The Help menu: the sheet of keyboard shortcuts, read from the menus, the log, and About."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from sculptor_app import logs
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.bars import MessageBar


class Help(QObject):
    """Opens the dialogs of the Help menu."""

    def __init__(self, messages: MessageBar, parent: QWidget) -> None:
        super().__init__(parent)
        self._messages, self._parent = messages, parent

    def show_shortcuts(self, menus: Sequence[QMenu]) -> None:
        """Every shortcut of the window, read from its menus."""
        ShortcutsDialog(menus, self._parent).open()

    @Slot()
    def show_about(self) -> None:
        from sculptor_app.ui.dialogs.about import AboutDialog

        AboutDialog(self._parent).open()

    @Slot()
    def show_log(self) -> None:
        """Open the log in the system's text viewer."""
        file = logs.file()
        if file is None:
            self._messages.show_message(
                self.tr("There is no log file."), self.tr("Its folder cannot be written; messages go to the terminal.")
            )
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(file))):
            self._messages.show_message(self.tr("The log is in {0}.").format(file), is_fault=False)


def _shortcuts(menus: Sequence[QMenu]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Per menu its title and, per action that has keys, the keys and its title."""
    found = []
    for menu in menus:
        rows = [(_keys(action), _plain(action.text())) for action in menu.actions() if action.shortcuts()]
        if rows:
            found.append((_plain(menu.title()), rows))
    return found


def _keys(action: QAction) -> str:
    form = QKeySequence.SequenceFormat.NativeText
    return ", ".join(keys.toString(form) for keys in action.shortcuts() if keys.toString() != "Ctrl+Enter")


def _plain(text: str) -> str:
    return text.replace("&", "").rstrip("…")


class ShortcutsDialog(QDialog):
    """Two columns of keys and actions, and what the mouse does."""

    def __init__(self, menus: Sequence[QMenu], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sections = [*_shortcuts(menus), (self.tr("Over a picture"), self._mouse())]
        sections.sort(key=lambda section: -len(section[1]))
        columns = [QVBoxLayout(), QVBoxLayout()]
        lines = [0, 0]
        for title, rows in sections:  # the longest first, each into the shorter column
            shorter = lines.index(min(lines))
            lines[shorter] += len(rows) + 2
            columns[shorter].addWidget(self._section(title, rows))
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
        for line, (keys, action) in enumerate(rows, start=1):
            pressed = QLabel(keys, section)
            pressed.setProperty("tone", "muted")
            grid.addWidget(QLabel(action, section), line, 0)
            grid.addWidget(pressed, line, 1)
        return section
