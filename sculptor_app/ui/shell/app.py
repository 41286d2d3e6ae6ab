"""The application in a window: everything that can wait comes after the first paint."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QLibraryInfo,
    QLocale,
    QMessageLogContext,
    QObject,
    QSettings,
    Qt,
    QTimer,
    QtMsgType,
    QTranslator,
    Signal,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

from sculptor_app import folders, identity, resources
from sculptor_app.ui.shell.signals import EndSignals

if TYPE_CHECKING:
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


def main(
    argv: Sequence[str] = (), say: Callable[[str], object] | None = None, shown: Callable[[], object] | None = None
) -> int:
    """Open the window, with `--model FOLDER` for another model, and stay until it is closed.

    With `--open FILE`, a saved run, it goes to the window that is open already, if there is one.

    Args:
        say: Tells a person why no window can be opened; None writes to the error stream.
        shown: Called once the window has been painted.

    Returns:
        The exit code.
    """
    rest = list(argv)
    model, opened = _taken(rest, "--model"), _taken(rest, "--open")
    if opened is not None and _is_handed_over(Path(opened)):
        return 0
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _take_qt_messages(say or _write_error)
    app = make_application(rest)
    signals = EndSignals(lambda: _close_all(app))
    signals.start()
    install_translations(app, QLocale())
    settings = QSettings()
    from sculptor_app.ui import theme

    remembered = str(settings.value("choices/theme", "system"))
    theme.apply(app, remembered if remembered in theme.MODES else "system")
    from sculptor_app.ui.shell.main_window import MainWindow

    window = MainWindow(settings, model)
    hook = UncaughtErrors(app, window, say or _write_error)
    hook.install()
    if shown is not None:
        window.completed.connect(shown)
    window.completed.connect(_AfterFirstPaint(app, window, hook).begin)
    window.completed.connect(window.prepare)
    if opened is not None:
        window.completed.connect(lambda: window.bench.saved_runs.open(Path(opened)))
    window.closed.connect(app.quit)  # Qt quits by itself only for windows that are still visible when they close
    window.show()
    code = app.exec()
    return signals.code or code


def _is_handed_over(path: Path) -> bool:
    """Whether a window that is open has taken a saved run."""
    from sculptor_app.ui.shell.handover import hand_over

    return hand_over(path)


def _close_all(app: QApplication) -> bool:
    """Close the window for a signal, or leave where there is none yet; whether a checkpoint is being written."""
    from sculptor_app.ui.shell.main_window import MainWindow

    for window in app.topLevelWidgets():
        if isinstance(window, MainWindow):
            return window.close_for_signal()
    QTimer.singleShot(0, app.quit)
    return False


def _write_error(sentence: str) -> None:
    if sys.stderr is not None:  # a windowed program on Windows has none
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()


def _take_qt_messages(say: Callable[[str], object]) -> None:
    """Send Qt's own messages to the log; one that would abort the process becomes a sentence and exit code 1."""
    log = logging.getLogger("sculptor_app.qt")
    log.addHandler(logging.NullHandler())  # Python's last resort would print to the terminal
    told: list[str] = []
    levels = {QtMsgType.QtWarningMsg: logging.WARNING, QtMsgType.QtCriticalMsg: logging.ERROR}

    def take(kind: QtMsgType, _: QMessageLogContext, message: str) -> None:
        if kind == QtMsgType.QtFatalMsg:
            reasons = [each for each in told if "display" in each or "plugin" in each] or [message.splitlines()[0]]
            platform, display = (os.environ.get(name, "") for name in ("QT_QPA_PLATFORM", "DISPLAY"))
            where = (
                f" on display {display!r}" if display and not platform else f" with {platform!r}" if platform else ""
            )
            say(f"The window cannot be opened{where[:80]}: {reasons[0].strip()[:200]} Start Sculptor from a desktop "
                "session, or work without a window: `sculptor-app sculpt --help`.")  # fmt: skip
            os._exit(1)
        told.append(message)
        del told[:-20]
        log.log(levels.get(kind, logging.DEBUG), "%s", message)

    qInstallMessageHandler(take)


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


class UncaughtErrors:
    """The exception hook of the window: into its message bar; before that is there, to the terminal, and the end.

    Args:
        say: Tells a person why no window can be opened.
    """

    def __init__(self, app: QApplication, window: MainWindow, say: Callable[[str], object]) -> None:
        self._app, self._window, self._say = app, window, say
        self.reporter: CrashReporter | None = None

    def install(self) -> None:
        """Take over from Python's own hooks; what destructors raise goes to the log."""
        from sculptor_app.logs import ExceptionHook

        ExceptionHook(self._show).install()

    def _show(self, sentence: str, error: BaseException) -> None:
        if self.reporter is not None:
            self.reporter.report(sentence, error)
            return
        self._say(sentence if not isinstance(error, resources.ResourceError) else str(error))
        QTimer.singleShot(0, self._app, lambda: self._app.exit(1))


class _AfterFirstPaint(QObject):
    """What no first paint needs: the log, the message bar for errors, the icon."""

    def __init__(self, app: QApplication, window: MainWindow, errors: UncaughtErrors) -> None:
        super().__init__(window)
        self._app, self._window, self._errors = app, window, errors

    @Slot()
    def begin(self) -> None:
        """Called once the window has been painted."""
        from sculptor_app import logs

        logs.start()
        self._errors.reporter = CrashReporter(self._window.panels.messages)
        icon = QIcon.fromTheme(identity.APP_ID)
        if icon.isNull():
            file = resources.find(f"icons/app/scalable/apps/{identity.APP_ID}.svg")
            icon = QIcon() if file is None else QIcon(str(file))
        self._app.setWindowIcon(icon)
        self._listen()
        self._window.bench.saved_runs.offer_leftovers(folders.journals())
        self._tell_of_missing_parts()

    def _listen(self) -> None:
        from sculptor_app.ui.shell.handover import HandoverServer

        server = HandoverServer(self)
        server.opened.connect(self._open)
        server.listen()
        self._window.closed.connect(server.close)

    @Slot(object)
    def _open(self, path: Path) -> None:
        """Bring the window to the front with a run that another start was given."""
        self._window.setWindowState(self._window.windowState() & ~Qt.WindowState.WindowMinimized)
        self._window.raise_()
        self._window.activateWindow()
        self._window.bench.saved_runs.open(path)

    def _tell_of_missing_parts(self) -> None:
        missed = resources.missed()
        if missed:
            logging.getLogger(__name__).warning("Missing: %s", ", ".join(map(str, missed)))
            self._window.panels.messages.show_message(
                self.tr("This copy of Sculptor is not whole: {0} is missing.").format(missed[0])
                if len(missed) == 1
                else self.tr("This copy of Sculptor is not whole: {0} and more files are missing.").format(missed[0]),
                self.tr("Everything works, but it may look bare; install it again."),
            )
