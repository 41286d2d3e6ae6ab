"""What the benchmarks of the window share: a window that runs without a person, and figures from lists of times."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from sculptor_app.session.runner import RunState
from sculptor_app.ui import theme
from sculptor_app.ui.shell.app import SWITCH_INTERVAL_S, make_application
from sculptor_app.ui.shell.main_window import MainWindow


def parser(text: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all of them take."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--model", help="folder of a model; the embedded one if left out")
    made.add_argument("--device", default="auto")
    return made


def open_window(model: str | None, folder: Path | None = None) -> tuple[QApplication, MainWindow]:
    """The whole window with its engine ready, as `main` makes it; settings are in this folder or one of its own."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = make_application([])
    theme.apply(app, "light")
    window = MainWindow(QSettings(f"{folder or tempfile.mkdtemp()}/settings.ini", QSettings.Format.IniFormat), model)
    window.show()
    window.prepare()
    wait_until(lambda: window.panels.runner.is_ready and window.panels.runner.state is RunState.IDLE)
    return app, window


def wait_until(is_so: Callable[[], bool], seconds: float = 600) -> None:
    """Run the event loop until something is so.

    Raises:
        TimeoutError: it is not in that time.
    """
    loop = QEventLoop()
    end = time.monotonic() + seconds
    timer = QTimer()
    timer.setInterval(50)  # each look costs the run a little
    timer.timeout.connect(lambda: loop.quit() if is_so() or time.monotonic() > end else None)
    timer.start()
    loop.exec()
    timer.stop()
    if not is_so():
        raise TimeoutError("the window did not get there")


def settle(seconds: float = 0.5) -> None:
    """Let everything that is due be done."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def percentile(times_s: list[float], share: float) -> float:
    """The time below which that share of them lies, in milliseconds."""
    ordered = sorted(times_s)
    return 1000 * ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def machine() -> str:
    """What the figures were measured on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return f"{os.cpu_count()} cores, load {load:.1f} at the start, Qt platform {QApplication.platformName()}"
