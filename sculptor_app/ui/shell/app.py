"""The application in a window: everything that can wait comes after the first paint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QLibraryInfo, QLocale, QObject, QSettings, Qt, QTranslator, Signal, Slot
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

from sculptor_app import identity, resources

if TYPE_CHECKING:
    from sculptor_app.logs import ExceptionHook
    from sculptor_app.ui.shell.main_window import MainWindow
    from sculptor_app.ui.widgets.bars import MessageBar

SWITCH_INTERVAL_S = 0.001
"""How long one thread may keep the interpreter while another waits. Python's 5 ms let a worker that computes in Python
hold up the GUI thread's 16 ms timer."""


def make_application(argv: Sequence[str]) -> QApplication:
    """The QApplication with the program's identity and look."""
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication([identity.COMMAND, *argv])
    app.setApplicationName(identity.COMMAND)
    app.setApplicationDisplayName(identity.NAME)
    app.setApplicationVersion(identity.VERSION)
    app.setOrganizationName(identity.COMMAND)
    app.setDesktopFileName(identity.APP_ID)
    return app


def install_translations(app: QApplication, language: QLocale) -> list[QTranslator]:
    """Show the program's texts, and Qt's own, in a language that resources/translations has a catalogue for.

    Args:
        app: what the texts are shown in.
        language: as the system has it.

    Returns:
        What was installed; empty where the program stays English.
    """
    installed = []
    qt_catalogues = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
    for name, folder in (("sculptor", resources.root() / "translations"), ("qtbase", qt_catalogues)):
        translator = QTranslator(app)
        if not translator.load(language, name, "_", str(folder)):
            break  # without the program's own, Qt's buttons are not to be in another language than the rest
        app.installTranslator(translator)
        installed.append(translator)
    return installed


def main(argv: Sequence[str] = ()) -> int:
    """Open the window, with `--model FOLDER` for another model, and stay until it is closed; the exit code."""
    rest = list(argv)
    model = _taken(rest, "--model")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = make_application(rest)
    install_translations(app, QLocale())
    settings = QSettings()
    from sculptor_app.ui import theme

    remembered = str(settings.value("choices/theme", "system"))
    theme.apply(app, remembered if remembered in theme.MODES else "system")
    from sculptor_app.ui.shell.main_window import MainWindow

    window = MainWindow(settings, model)
    window.completed.connect(_AfterFirstPaint(app, window).begin)
    window.completed.connect(window.prepare)
    window.closed.connect(app.quit)  # Qt quits by itself only for windows that are still visible when they close
    window.show()
    return app.exec()


def _taken(arguments: list[str], name: str) -> str | None:
    """Take an option and its value out of the arguments; Qt reads the others."""
    if name not in arguments[:-1]:
        return None
    place = arguments.index(name)
    _, value = arguments.pop(place), arguments.pop(place)
    return value


class CrashReporter(QObject):
    """Shows errors that nobody caught in a window's message bar, with the run still on screen.

    The exception hook may call it from any thread; the signal brings the sentence to the thread that may touch widgets.
    The bar is not modal: a dialog that blocks would hide the run that a person may want to save.
    """

    _happened = Signal(str)

    def __init__(self, messages: MessageBar) -> None:
        super().__init__(messages)
        self._messages = messages
        self._happened.connect(self._show, Qt.ConnectionType.QueuedConnection)

    def report(self, sentence: str, error: BaseException) -> None:
        """Take a sentence from any thread."""
        self._happened.emit(sentence)

    @Slot(str)
    def _show(self, sentence: str) -> None:
        self._messages.show_message(sentence, self.tr("What is on screen stays; save it before you go on."))


class _AfterFirstPaint(QObject):
    """What no first paint needs: the log, the exception hook, the icon."""

    def __init__(self, app: QApplication, window: MainWindow) -> None:
        super().__init__(window)
        self._app, self._window = app, window
        self._hook: ExceptionHook | None = None

    @Slot()
    def begin(self) -> None:
        """Called once the window has been painted."""
        from sculptor_app import logs

        logs.start()
        self._hook = logs.ExceptionHook(CrashReporter(self._window.panels.messages).report)
        self._hook.install()
        icon = QIcon.fromTheme(identity.APP_ID)
        if icon.isNull():
            try:
                icon = QIcon(str(resources.path(f"icons/app/scalable/apps/{identity.APP_ID}.svg")))
            except resources.ResourceError:
                return
        self._app.setWindowIcon(icon)
