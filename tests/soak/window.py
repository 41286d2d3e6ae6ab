"""A seeded random person at the real window: clicks, keys, drags, wheel, resizing, page switches, starts and stops.

    python -m tests.soak.window [--seed N] [--actions 2000 | --minutes 60] [--model FOLDER] [--log FILE]

It watches what a person would be angry about: a traceback, a warning of Qt or of the log, a window larger than the
screen, a pause of the window of more than half a second, memory and threads that grow. The same seed does the same as
far as the machine is as fast; every fault names the number of its action and what was done last. The exit code is 1 if
there was a fault.

File dialogs and other programs are never opened: what would ask for a file is told of none, or of one in a folder of
its own. Time that the machine gave to other processes (Linux tells it) is no pause of the window's.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import logging
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

BEAT_MS = 100
LONGEST_PAUSE_MS = 500
HANG_S = 60
MOST_GROWTH_MB = 1_500  # a run's own budget is 512 MB, and a second run may replace the first
MOST_THREADS = 48
_OWN_MESSAGES = ("This plugin does not support", "Mouse event at")
"""What Qt says of a platform without a window manager, and of a click on what a click before has made smaller."""
_HOSTILE_TEXTS = (
    "",
    "-1",
    "0",
    "1e999",
    "nan",
    "3,5",
    "99999999999999999999",
    "ü𝔘\u202e",
    "a" * 400,
    "{0}%s",
    "7",
    "12",
    "50",
)


class Watch:
    """Everything that may not happen, and the figures of the run."""

    def __init__(self, longest_pause_ms: float = LONGEST_PAUSE_MS) -> None:
        from PySide6.QtCore import QTimer

        self._allowed_pause_ms = longest_pause_ms
        self.faults: list[str] = []
        self.done = 0
        self.beats = 0
        self.last: collections.deque[str] = collections.deque(maxlen=4)
        self.longest_pause_ms = 0.0
        self.most_threads = 0
        self.first_mb = self.most_mb = memory_mb()
        self._gui_thread = threading.get_ident()
        self._native = threading.get_native_id()
        self._beaten, self._waited = time.perf_counter(), self._waiting_s()
        self._stack: list[str] = []
        self._over = threading.Event()
        self._beat = QTimer()
        self._beat.setInterval(BEAT_MS)
        self._beat.timeout.connect(self._beats)
        self._guard = threading.Thread(target=self._look_for_pauses, name="soak-guard")

    def fault(self, what: str) -> None:
        """Note a fault with what was done before it; the same one once."""
        if not any(what.splitlines()[0] in known for known in self.faults):
            self.faults.append(f"after action {self.done} ({' · '.join(self.last)}): {what}")

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks of log, Qt and uncaught exceptions, put back at the end."""
        from PySide6.QtCore import QtMsgType, qInstallMessageHandler

        quiet = (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg)
        qt_before = qInstallMessageHandler(
            lambda kind, _context, text: (
                None if kind in quiet or text.startswith(_OWN_MESSAGES) else self.fault(f"Qt: {text}")
            )
        )
        handler = _Listening(self)
        log = logging.getLogger("sculptor_app")
        log.addHandler(handler)
        hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
        sys.excepthook = lambda kind, error, trace: self._raised(error)  # type: ignore[assignment]
        sys.unraisablehook = lambda args: self._raised(args.exc_value)  # type: ignore[assignment]
        threading.excepthook = lambda args: self._raised(args.exc_value)  # type: ignore[assignment]
        self._beaten, self._waited = time.perf_counter(), self._waiting_s()
        self._beat.start()
        self._guard.start()
        try:
            yield
        finally:
            self._over.set()
            self._guard.join()
            self._beat.stop()
            sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
            log.removeHandler(handler)
            qInstallMessageHandler(qt_before)

    def look(self) -> None:
        """What is to be looked at after each action: sizes, now and then threads and memory."""
        from PySide6.QtWidgets import QApplication

        for widget in QApplication.topLevelWidgets():
            if widget.isVisible() and widget.isWindow():
                room, size = widget.screen().availableGeometry().size(), widget.frameGeometry().size()
                if size.width() > room.width() or size.height() > room.height():
                    name = type(widget).__name__
                    self.fault(f"{name} larger than the screen: {size.width()}×{size.height()} on a screen of "
                               f"{room.width()}×{room.height()}")  # fmt: skip
        if self.done % 50 == 0:
            self.most_threads = max(self.most_threads, threading.active_count())
            self.most_mb = max(self.most_mb, memory_mb())
            if self.most_threads > MOST_THREADS:
                self.fault(f"threads: {self.most_threads}, {sorted(each.name for each in threading.enumerate())}")
            if self.most_mb - self.first_mb > MOST_GROWTH_MB:
                self.fault(f"memory grew from {self.first_mb} to {self.most_mb} MB")

    def _raised(self, error: BaseException | None) -> None:
        if error is not None:
            self.fault("".join(traceback.format_exception(error)[-1:]) + "".join(traceback.format_exception(error)))

    def _waiting_s(self) -> float:
        """How long the GUI thread has been ready to run while the machine ran something else; 0 where unknown."""
        try:
            return int(Path(f"/proc/self/task/{self._native}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def _beats(self) -> None:
        now, waited = time.perf_counter(), self._waiting_s()
        pause_ms = 1000 * (now - self._beaten - (waited - self._waited)) - BEAT_MS
        self._beaten, self._waited = now, waited
        self.longest_pause_ms = max(self.longest_pause_ms, pause_ms)
        if pause_ms > self._allowed_pause_ms:
            where = self._stack[-1] if self._stack else "nowhere to be seen"
            self.fault(f"the window paused in {where}: {pause_ms:.0f} ms")
        self._stack.clear()
        self.beats += 1

    def _look_for_pauses(self) -> None:
        """In a thread of its own: where the GUI thread stands while it is late."""
        while not self._over.wait(0.05):
            if time.perf_counter() - self._beaten > HANG_S:
                faulthandler.dump_traceback()
                print(f"hangs after action {self.done} ({' · '.join(self.last)})", *self.faults, sep="\n", flush=True)
                os._exit(3)
            if time.perf_counter() - self._beaten > (BEAT_MS + LONGEST_PAUSE_MS / 2) / 1000:
                frame = sys._current_frames().get(self._gui_thread)
                calls = traceback.extract_stack(frame)
                own = [each for each in calls if "sculptor_app" in each.filename] or calls
                self._stack.append(" < ".join(f"{Path(each.filename).name}:{each.name}" for each in own[:-4:-1]))


class _Listening(logging.Handler):
    """Faults from the program's log: warnings, errors, tracebacks."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.WARNING)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        trace = "".join(traceback.format_exception(record.exc_info[1])) if record.exc_info else ""
        self._watch.fault(f"log, {record.levelname.lower()}: {record.getMessage()}\n{trace}")


def _is_open(handle: Any) -> bool:
    """Whether a window is still there: a press may have closed it, and Qt's tests would crash."""
    from PySide6.QtGui import QGuiApplication

    return any(each is handle for each in QGuiApplication.topLevelWindows())


class Person:
    """Random actions, each done in the event loop by a timer, also while a dialog or a menu is open."""

    def __init__(self, window: Any, watch: Watch, seed: int, is_over: Callable[[], bool]) -> None:
        from PySide6.QtCore import QEventLoop

        self._window, self._watch, self._random, self._is_over = window, watch, random.Random(seed), is_over
        self._loop = QEventLoop()
        self._depth = 0
        self._actions = (
            (self._click, 34), (self._key, 20), (self._drag, 8), (self._wheel, 8), (self._type, 7), (self._resize, 4),
            (self._switch_page, 6), (self._start_or_stop, 7), (self._use_menu, 6),
        )  # fmt: skip

    def work(self) -> None:
        """Act until it is over."""
        self._next()
        self._loop.exec()

    def _next(self) -> None:
        from PySide6.QtCore import QTimer

        QTimer.singleShot(self._random.choice((0, 0, 1, 5, 20, 60)), self._loop, self._act)

    def _act(self) -> None:
        from PySide6.QtWidgets import QApplication

        self._next()
        if self._is_over():
            self._leave()
            return
        if self._depth:  # an action lets events through, or has opened a menu that it waits for
            popup = QApplication.activePopupWidget()
            if popup is not None:
                popup.close()
            return
        self._depth += 1
        actions, weights = zip(*self._actions, strict=True)
        action = self._random.choices(actions, weights)[0]
        self._watch.done += 1
        try:
            action()
        except RuntimeError as error:
            if "already deleted" not in str(error):  # what is clicked away while it is clicked
                self._watch._raised(error)
        finally:
            self._depth -= 1
        self._watch.look()

    def _leave(self) -> None:
        """Close what is open over the window, one after another, and end."""
        from PySide6.QtWidgets import QApplication

        above = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        if above is not None:
            above.close()
        else:
            self._loop.quit()

    # What it can do

    def _target(self) -> Any:
        """The window that takes what a person does now: an open menu, a dialog, or the main window."""
        from PySide6.QtWidgets import QApplication

        popup = QApplication.activePopupWidget()
        if popup is not None and self._random.random() < 0.2:
            popup.close()  # a person lets go of a menu; it could hold what is random for long
        return QApplication.activePopupWidget() or QApplication.activeModalWidget() or self._window

    def _place(self) -> tuple[Any, Any, str]:
        """A window, a place in it, and what lies there; every visible widget is as likely."""
        from PySide6.QtCore import QPoint
        from PySide6.QtWidgets import QWidget

        top = self._target()
        below = [
            w for w in top.findChildren(QWidget) if w.isVisible() and not w.isWindow() and w.width() and w.height()
        ]
        widget = self._random.choice([top, *below])
        box = widget.visibleRegion().boundingRect() & widget.rect()
        x, y = (
            low + self._random.randrange(max(1, size))
            for low, size in ((box.x(), box.width()), (box.y(), box.height()))
        )
        point = QPoint(x, y)
        text = getattr(widget, "text", str)
        said = text() if callable(text) else ""
        name = widget.objectName() or (said if isinstance(said, str) else "")
        return top.windowHandle(), widget.mapTo(top, point), f"{type(widget).__name__} {name[:24]!r}"

    def _note(self, what: str) -> None:
        self._watch.last.append(what)

    def _click(self) -> None:
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        handle, point, name = self._place()
        button = self._random.choices((Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton), (9, 1))[0]
        is_double = self._random.random() < 0.08 and self._target() is self._window
        self._note(f"{'double ' if is_double else ''}{button.name.lower()[:-6]} click on {name}")
        for send in (QTest.mousePress, QTest.mouseRelease) * (2 if is_double else 1):
            if _is_open(handle):
                send(handle, button, Qt.KeyboardModifier.NoModifier, point)

    def _drag(self) -> None:
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        handle, start, name = self._place()
        _, end, onto = self._place()
        self._note(f"drag from {name} to {onto}")
        if handle is None:
            return
        places = [start, *(start + (end - start) * part / 5 for part in range(1, 6))]
        none = Qt.KeyboardModifier.NoModifier
        sends = [lambda place: QTest.mousePress(handle, Qt.MouseButton.LeftButton, none, place)]
        sends += [lambda place: QTest.mouseMove(handle, place)] * 5
        for send, place in zip(sends, places, strict=True):
            if _is_open(handle):
                send(place)
        if _is_open(handle):
            QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, none, end)

    def _wheel(self) -> None:
        from PySide6.QtCore import QPoint
        from PySide6.QtTest import QTest

        handle, point, name = self._place()
        notches = self._random.choice((-600, -120, -120, 120, 120, 600))
        self._note(f"wheel {notches} on {name}")
        if handle is not None:
            QTest.wheelEvent(handle, point.toPointF(), QPoint(0, notches))

    def _send(self, key: Any, modifier: Any) -> None:
        from PySide6.QtTest import QTest

        handle = self._target().windowHandle()
        for send in (QTest.keyPress, QTest.keyRelease):
            if _is_open(handle):
                send(handle, key, modifier)

    def _key(self) -> None:
        from PySide6.QtCore import Qt

        names = ("Space", "Left", "Right", "Up", "Down", "Home", "End", "PageUp", "PageDown", "Escape", "Return", "Tab",
                 "Backtab", "Delete", "F1", "F11", "L", "P", "R", "B", "F", "N", "1", "9")  # fmt: skip
        name = self._random.choice(names)
        held = self._random.choices(("No", "Shift", "Control"), (8, 1, 2))[0]
        modifier = Qt.KeyboardModifier[f"{held}Modifier"]
        self._note(f"{held}+{name}".removeprefix("No+"))
        self._send(Qt.Key[f"Key_{name}"], modifier)

    def _type(self) -> None:
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QPlainTextEdit, QSpinBox, QWidget

        kinds = (QLineEdit, QPlainTextEdit, QSpinBox, QComboBox)
        fields = [
            w for w in self._target().findChildren(QWidget) if isinstance(w, kinds) and w.isVisible() and w.isEnabled()
        ]
        if not fields:
            return self._key()
        field, text = self._random.choice(fields), self._random.choice(_HOSTILE_TEXTS)
        self._note(f"{text[:12]!r} into {type(field).__name__}")
        field.setFocus()
        if hasattr(field, "selectAll"):
            field.selectAll()
        if text.isascii():
            QTest.keyClicks(QApplication.focusWidget() or field, text)
        elif isinstance(field, QLineEdit):
            field.insert(text)  # Qt's tests know no keys for other letters, and abort
        return None

    def _resize(self) -> None:
        room = self._window.screen().availableGeometry().size()
        if self._random.random() < 0.25:
            self._note("maximised or back")
            self._window.showNormal() if self._window.isMaximized() else self._window.showMaximized()
            return
        width, height = self._random.randint(400, room.width() - 8), self._random.randint(300, room.height() - 40)
        self._note(f"resized to {width}×{height}")
        self._window.resize(width, height)

    def _switch_page(self) -> None:
        from PySide6.QtCore import Qt

        page = self._random.randint(1, 4)
        self._note(f"page {page}")
        self._send(Qt.Key[f"Key_{page}"], Qt.KeyboardModifier.ControlModifier)

    def _start_or_stop(self) -> None:
        from PySide6.QtCore import Qt

        self._note("start or stop")
        self._send(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    def _use_menu(self) -> None:
        """Any entry of any menu but the one that ends the program."""
        from PySide6.QtGui import QAction

        def is_usable(action: QAction) -> bool:
            word = action.text().replace("&", "")
            return action.isEnabled() and action.isVisible() and bool(word) and action.menu() is None and word != "Quit"

        if self._target() is not self._window:
            return self._key()
        # pyqtgraph has actions of its own that stand in no menu
        found, more = [], list(self._window.menuBar().actions())
        while more:
            action = more.pop()
            menu = action.menu()
            more += menu.actions() if menu is not None else []
            found += [action] if is_usable(action) else []
        action = self._random.choice(found)
        self._note(f"menu {action.text()!r}")
        action.trigger()
        return None


@contextlib.contextmanager
def without_other_programs(folder: Path, chance: random.Random) -> Iterator[None]:
    """Files are asked for without a dialog, half of them in vain; no other program is started."""
    from PySide6.QtGui import QDesktopServices
    from PySide6.QtWidgets import QFileDialog, QInputDialog

    def saved(*_: object, **__: object) -> tuple[str, str]:
        return (str(folder / f"file-{chance.randint(0, 9)}"), "") if chance.random() < 0.5 else ("", "")

    with (
        mock.patch.object(QFileDialog, "getSaveFileName", saved),
        mock.patch.object(QInputDialog, "getItem", lambda *args: (args[3][args[4]], True)),
        mock.patch.object(QFileDialog, "getOpenFileName", return_value=("", "")),
        mock.patch.object(QFileDialog, "getOpenFileNames", return_value=([], "")),
        mock.patch.object(QFileDialog, "getExistingDirectory", return_value=""),
        mock.patch.object(QDesktopServices, "openUrl", return_value=True),
    ):
        yield


@contextlib.contextmanager
def staying_open(window: Any) -> Iterator[None]:
    """The window cannot be closed meanwhile: Quit and Alt+F4 have no place in what is to go on."""
    from PySide6.QtCore import QEvent, QObject

    class _Stay(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if watched is window and event.type() == QEvent.Type.Close:
                event.ignore()
                return True
            return False

    stay = _Stay()
    window.installEventFilter(stay)
    try:
        yield
    finally:
        window.removeEventFilter(stay)


def soak(window: Any, watch: Watch, seed: int, actions: int, folder: Path, minutes: float | None = None) -> None:
    """So many random actions, or so many minutes of them, in a window whose engine is ready."""
    from PySide6.QtWidgets import QApplication

    begun = time.monotonic()

    def is_over() -> bool:
        return time.monotonic() - begun > 60 * minutes if minutes else watch.done >= actions

    with staying_open(window), without_other_programs(folder, random.Random(seed)), watch.watching():
        Person(window, watch, seed, is_over).work()
        for widget in QApplication.topLevelWidgets():
            if widget is not window and widget.isVisible():
                widget.close()


def memory_mb() -> int:
    """What this process has in memory now; 0 where that is not known."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (OSError, ValueError):
        return 0


def main() -> int:
    """Open a window with settings of its own and let a person loose on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--actions", type=int, default=2000)
    parser.add_argument("--minutes", type=float, help="instead of a number of actions")
    parser.add_argument("--model", help="folder of a model; a tiny one if left out, `own` is the embedded one")
    options = parser.parse_args()
    faulthandler.enable()
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory(prefix="sculptor-soak-") as name:
        home = Path(name)
        for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            os.environ[variable] = str(home / variable.lower())
            (home / variable.lower()).mkdir()
        from tests.benchmarks.window_bench import open_window
        from tests.helpers.tiny_model import write_tiny_model

        model = options.model or str(write_tiny_model(home / "tiny"))
        app, window = open_window(None if model == "own" else model)
        app.setQuitOnLastWindowClosed(False)
        watch, begun = Watch(), time.monotonic()
        soak(window, watch, options.seed, options.actions, home, options.minutes)
        window.close()
        for fault in watch.faults:
            print(f"seed {options.seed}, {fault}\n", flush=True)
        print(
            f"seed {options.seed}: {watch.done:,} actions in {time.monotonic() - begun:.0f} s, "
            f"{len(watch.faults)} faults; longest pause {watch.longest_pause_ms:.0f} ms, "
            f"{watch.most_threads} threads at most, memory {watch.first_mb} to {watch.most_mb} MB at most",
            flush=True,
        )
        return 1 if watch.faults else 0


if __name__ == "__main__":
    sys.exit(main())
