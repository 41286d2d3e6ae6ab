"""What a test left running: threads, timers, windows. Each finding is a sentence that names the culprit."""

import gc
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

PATIENCE_S = 2.0
"""How long a thread that is about to end may take."""


@dataclass
class Snapshot:
    """What ran before the test began; it may go on running after it."""

    threads: set[threading.Thread] = field(default_factory=set)
    qt_objects: list[Any] = field(default_factory=list)
    windows: list[Any] = field(default_factory=list)


def snapshot() -> Snapshot:
    return Snapshot(set(threading.enumerate()), [*_running_qthreads(), *_active_timers()], _visible_windows())


def leftovers(before: Snapshot) -> list[str]:
    """Sentences about everything that runs now and did not run before; empty when the test cleaned up."""
    found = [*_thread_leftovers(before), *_qt_leftovers(before)]
    if not found:
        return []
    _let_go()  # reference cycles and deleteLater are no leak
    return [*_thread_leftovers(before), *_qt_leftovers(before)]


def _thread_leftovers(before: Snapshot) -> list[str]:
    left = []
    for thread in threading.enumerate():
        # a QThread that ran Python leaves a dummy behind; the QThread itself is looked at below
        if thread in before.threads or isinstance(thread, threading._DummyThread):
            continue
        thread.join(PATIENCE_S)
        if thread.is_alive():
            job = getattr(thread, "_target", None)
            left.append(f"the Python thread {thread.name!r} still runs{f' {job!r}' if job else ''}: join it")
    return left


def _qt_leftovers(before: Snapshot) -> list[str]:
    left = []
    for qthread in _fresh(_running_qthreads(), before.qt_objects):
        left.append(f"{_describe(qthread)} still runs: quit() and wait() for it")
    for timer in _fresh(_active_timers(), before.qt_objects):
        left.append(f"{_describe(timer)} is still active, every {timer.interval()} ms: stop it")
    for window in _fresh(_visible_windows(), before.windows):
        left.append(f"{_describe(window)} {window.windowTitle()!r} is still open: close it or give it to qtbot")
    return left


def _fresh(now: list[Any], before: list[Any]) -> list[Any]:
    return [item for item in now if not any(item is old for old in before)]


def _describe(item: Any) -> str:
    parent = item.parent()
    name = f" {item.objectName()!r}" if item.objectName() else ""
    return f"the {type(item).__name__}{name}{f' of a {type(parent).__name__}' if parent is not None else ''}"


def _qt_wrappers() -> list[Any]:
    if "PySide6.QtCore" not in sys.modules:
        return []
    import shiboken6

    return shiboken6.getAllValidWrappers()


def _running_qthreads() -> list[Any]:
    wrappers = _qt_wrappers()
    if not wrappers:
        return []
    from PySide6.QtCore import QCoreApplication, QThread

    application = QCoreApplication.instance()
    main = application.thread() if application is not None else QThread.currentThread()
    return [item for item in wrappers if isinstance(item, QThread) and item is not main and item.isRunning()]


def _active_timers() -> list[Any]:
    wrappers = _qt_wrappers()
    if not wrappers:
        return []
    from PySide6.QtCore import QTimer

    return [item for item in wrappers if isinstance(item, QTimer) and item.isActive()]


def _visible_windows() -> list[Any]:
    if "PySide6.QtWidgets" not in sys.modules:
        return []
    from PySide6.QtWidgets import QApplication

    if not isinstance(QApplication.instance(), QApplication):
        return []
    return [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]


def _let_go() -> None:
    gc.unfreeze()  # what was there when the tests began, and when torch was imported
    gc.collect()
    gc.freeze()
    if "PySide6.QtCore" not in sys.modules:
        return
    from PySide6.QtCore import QCoreApplication, QEvent

    if QCoreApplication.instance() is not None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
