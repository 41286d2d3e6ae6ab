"""About, the sheet of shortcuts, and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from sculptor_app import logs

if TYPE_CHECKING:
    from sculptor_app.ui.shell.main_window import MainWindow


class Help(QObject):
    """Opens the dialogs of the Help menu."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window

    @Slot()
    def show_shortcuts(self) -> None:
        """Every shortcut of the window, read from its menus."""
        from sculptor_app.ui.dialogs.shortcuts import ShortcutsDialog

        ShortcutsDialog(self._window).open()

    @Slot()
    def show_about(self) -> None:
        """What this program is."""
        from sculptor_app.ui.dialogs.about import AboutDialog

        AboutDialog(self._window).open()

    @Slot()
    def show_log(self) -> None:
        """Open the log in the system's text viewer."""
        file = logs.file()
        if file is None:
            self._window.messages.show_message(
                self.tr("There is no log file."), self.tr("Its folder cannot be written; messages go to the terminal.")
            )
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(file))):
            self._window.messages.show_message(self.tr("The log is in {0}.").format(file), is_fault=False)
