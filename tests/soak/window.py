"""A seeded random person at the real window: clicks, keys, drags, drops, resizing, page switches, starts and stops.

    python -m tests.soak.window [--seed N] [--actions 2000 | --minutes 60] [--model FOLDER] [--settings FILE]

It watches what a person would be angry about: a traceback, a warning of Qt or of the log, a window larger than the
screen, a pause of the window of more than half a second, memory and threads that grow, a window that does not close.
The same seed does the same as far as the machine is as fast; every fault names the number of its action and what was
done last. The exit code is 1 if there was a fault.

A choice of files is cancelled, answered without a dialog, or in vain; no other program is started. A pause is told with
the time that the machine gave to other processes (Linux tells it), which is not the window's.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tests.soak.person import Person, odd_files
from tests.soak.watch import Watch

CLOSES_WITHIN_S = 10.0


@contextlib.contextmanager
def without_other_programs(folder: Path, files: list[Path], chance: random.Random) -> Iterator[None]:
    """Files are asked for in a dialog that is cancelled, or without one and half in vain; nothing else is started."""
    from PySide6.QtGui import QDesktopServices
    from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox

    def asked(name: str, nothing: object, found: Callable[[], object]) -> Any:
        real = getattr(QFileDialog, name)

        def ask(*args: Any, **options: Any) -> object:
            match chance.randint(0, 3):
                case 0:
                    return real(*args, **options)
                case 1:
                    return nothing
                case _:
                    return found()

        return mock.patch.object(QFileDialog, name, ask)

    def odd() -> str:
        return str(chance.choice(files))

    with (
        asked("getSaveFileName", ("", ""), lambda: (str(folder / f"file-{chance.randint(0, 9)}"), "")),
        asked("getOpenFileName", ("", ""), lambda: (odd(), "")),
        asked("getOpenFileNames", ([], ""), lambda: ([odd(), odd()], "")),
        asked("getExistingDirectory", "", lambda: str(folder)),
        mock.patch.object(QInputDialog, "getItem", lambda *args: (args[3][args[4]], True)),
        mock.patch.object(QMessageBox, "exec", lambda box: box.defaultButton().click()),
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

    files = odd_files(folder / "odd files")
    with staying_open(window), without_other_programs(folder, files, random.Random(seed)), watch.watching():
        Person(window, watch, seed, files, is_over).work()
        for widget in QApplication.topLevelWidgets():
            if widget is not window and widget.isVisible():
                widget.close()


def close_during_a_run(window: Any, watch: Watch) -> float:
    """Start a run on the page in front and close the window at once; how long that took, in seconds."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    window.showNormal()
    QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    begun = time.monotonic()
    window.close()
    took_s = time.monotonic() - begun
    if took_s > CLOSES_WITHIN_S:
        watch.fault(f"the window took {took_s:.1f} s to close during a run")
    return took_s


def main() -> int:
    """Open a window with settings of its own and let a person loose on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--actions", type=int, default=2000)
    parser.add_argument("--minutes", type=float, help="instead of a number of actions")
    parser.add_argument("--model", help="folder of a model; a tiny one if left out, `own` is the embedded one")
    parser.add_argument("--settings", type=Path, help="begin with a copy of these settings, as of an older program")
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

        if options.settings:
            shutil.copy(options.settings, home / "settings.ini")
        model = options.model or str(write_tiny_model(home / "tiny"))
        app, window = open_window(None if model == "own" else model, home)
        app.setQuitOnLastWindowClosed(False)
        watch = Watch(says=True)
        soak(window, watch, options.seed, options.actions, home, options.minutes)
        figures = watch.figures()
        closed_s = close_during_a_run(window, watch)
        memory = " ".join(map(str, watch.memory_mb))
        said = (
            "menu",
            "chose",
            "dropped",
            "pasted",
            "pull",
            "start",
            "full",
            "mini",
            "tile",
            "maxi",
            "cancel",
            "system",
        )
        done = collections.Counter(next((word for word in said if word in what), "") for what in watch.tally.elements())
        pressed = collections.Counter(what for what in watch.tally.elements() if "Button" in what)
        print(f"of these {dict(done)}, {dict(pressed.most_common(60))}")
        print(f"memory in MB, every 50 actions: {memory}\nseed {options.seed}, {len(watch.faults)} faults: {figures}; "
              f"closed during a run in {closed_s:.1f} s", flush=True)  # fmt: skip
        return 1 if watch.faults else 0


if __name__ == "__main__":
    sys.exit(main())
