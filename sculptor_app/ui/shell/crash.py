"""What nobody caught, shown to a person: logged first, told from the GUI thread, with the run still on screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot

from sculptor_app import logs

if TYPE_CHECKING:
    from sculptor_app.ui.shell.main_window import MainWindow


class CrashTeller(QObject):
    """Shows the sentence of the exception hook in the window's message bar.

    The hook may be called from any thread; the signal brings the sentence to the thread that may touch widgets. The bar
    is not modal: a dialog that blocks would hide the run that a person may want to save.
    """

    _happened = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._happened.connect(self._show, Qt.ConnectionType.QueuedConnection)

    def tell(self, sentence: str, error: BaseException) -> None:
        """Take a sentence from any thread."""
        self._happened.emit(sentence)

    @Slot(str)
    def _show(self, sentence: str) -> None:
        self._window.messages.show_message(sentence, self.tr("What is on screen stays; save it before you go on."))


def install(window: MainWindow) -> logs.ExceptionHook:
    """Let the one exception hook speak through this window."""
    hook = logs.ExceptionHook(CrashTeller(window).tell)
    hook.install()
    return hook
