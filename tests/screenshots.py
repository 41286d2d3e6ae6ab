"""Screenshots of all pages, lists, menus and dialogs, in both themes and four sizes, to be looked at.

    python -m tests.screenshots FOLDER [--sizes 1024x700 1280x720x2 ...] [--model FOLDER] [--steps N]

Needs no display: each size has a process and a screen of its own, which has just that room; a third number is the
scale. Files are called SIZE-THEME-WHAT.png.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

OPENING = ("Save as GIF…", "Model from the hub…", "Keyboard shortcuts", "About Sculptor")
"""Entries of menus that open dialogs of the program's own; the others ask the system's for a file."""
SIZES = ("1024x700", "1280x720", "1440x900", "1280x720x2")
FRAME = (8, 40)  # what the window leaves of a screen for its frame


def main() -> int:
    """One process per size, or, inside of one, its pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="*", default=SIZES)
    parser.add_argument("--model", help="folder of a model; the embedded one if left out")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        Shots(options.folder, options.here, options.model, options.steps).take()
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    return max(_in_a_process(options, size) for size in options.sizes)


def _in_a_process(options: argparse.Namespace, size: str) -> int:
    width, height, *scale = (int(part) for part in size.split("x"))
    factor = scale[0] if scale else 1
    with tempfile.TemporaryDirectory(prefix="sculptor-shots-") as home:
        screen = {"name": "screen", "x": 0, "y": 0, "dpr": 1, "logicalDpi": 96, "logicalBaseDpi": 96,
                  "width": (width + FRAME[0]) * factor, "height": (height + FRAME[1]) * factor}  # fmt: skip
        plan = Path(home) / "screens.json"
        plan.write_text(json.dumps({"synchronousWindowSystemEvents": False, "windowFrameMargins": False,
                                    "screens": [screen]}))  # fmt: skip
        surroundings = os.environ | {
            "HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home, "XDG_CACHE_HOME": home,
            "HF_HUB_OFFLINE": "1", "QT_QPA_PLATFORM": f"offscreen:configfile={plan}", "QT_SCALE_FACTOR": str(factor),
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.screenshots", str(options.folder), "--here", size]
        command += ["--steps", str(options.steps), *(["--model", options.model] if options.model else [])]
        return subprocess.run(command, env=surroundings, check=False).returncode


class Shots:
    """The window at one size, and its pictures."""

    def __init__(self, folder: Path, size: str, model: str | None, steps: int) -> None:
        from tests.benchmarks.window_bench import open_window

        self._folder, self._size, self._steps = folder, size, steps
        self._app, self._window = open_window(model)
        width, height = (int(part) for part in size.split("x")[:2])
        self._window.resize(width, height)

    def take(self) -> None:
        """Everything before a run, then everything after one, in both themes."""
        self._shoot("carve-empty")
        for page, name in ((2, "drown"), (4, "why"), (3, "learn")):
            self._press(f"Ctrl+{page}")
            self._shoot(name, seconds=2.5)
        self._press("Ctrl+1")
        self._run()
        self._shoot("carve")
        self._menus()
        for page, name in ((1, "carve"), (2, "drown"), (4, "why"), (3, "learn")):
            self._press(f"Ctrl+{page}")
            self._lists(name)
        self._press("Ctrl+1")
        self._take_dialogs()
        self._window.close()

    def _settle(self, seconds: float = 0.25) -> None:
        from tests.benchmarks.window_bench import settle

        settle(seconds)

    def _action(self, keys: str) -> Any:
        from PySide6.QtGui import QAction, QKeySequence

        return next(each for each in self._window.findChildren(QAction) if QKeySequence(keys) in each.shortcuts())

    def _press(self, keys: str) -> None:
        self._action(keys).trigger()
        self._settle(1)

    def _run(self) -> None:
        from tests.benchmarks.window_bench import wait_until

        panels = self._window.panels
        panels.controls.steps.lineEdit().setText(str(self._steps))
        panels.run_panel.button.click()
        wait_until(lambda: not panels.runner.is_running and panels.session.last == self._steps, 300)
        panels.session.go_to(self._steps // 2)
        self._settle(1)

    def _shoot(self, name: str, seconds: float = 0.25, widget: Any = None) -> None:
        """The window with the lists over it, or a dialog, in both themes."""
        from PySide6.QtGui import QPainter

        from sculptor_app.ui import theme

        shown = widget or self._window
        for mode in ("light", "dark"):
            theme.apply(self._app, mode)
            self._settle(seconds)
            picture = shown.grab()
            popup = self._app.activePopupWidget()
            if popup is not None:
                painter = QPainter(picture)
                painter.drawPixmap(popup.pos() - shown.mapToGlobal(shown.rect().topLeft()), popup.grab())
                painter.end()
            picture.save(str(self._folder / f"{self._size}-{mode}-{name}.png"))
        theme.apply(self._app, "light")

    def _menus(self) -> None:
        """Every menu of the menu bar."""
        bar = self._window.menuBar()
        for action in bar.actions():
            menu = action.menu()
            menu.popup(bar.mapToGlobal(bar.actionGeometry(action).bottomLeft()))
            self._settle()
            self._shoot(f"menu-{_word(action.text())}")
            menu.close()

    def _lists(self, page: str, top: Any = None) -> None:
        """Every list of a page or a dialog."""
        from sculptor_app.ui.fields.inputs import ChoiceBox

        for number, box in enumerate((top or self._window).findChildren(ChoiceBox)):
            if box.isVisible() and box.isEnabled() and not box.visibleRegion().isEmpty():
                box.showPopup()
                self._settle()
                self._shoot(f"{page}-list-{number}-{_word(box.accessibleName())}", widget=top)
                box.hidePopup()

    def _take_dialogs(self) -> None:
        """Every entry of a menu that opens a dialog of the program's own."""
        from PySide6.QtWidgets import QDialog

        for bar_action in self._window.menuBar().actions():
            for action in bar_action.menu().actions():
                word = action.text().replace("&", "")
                if word in OPENING and action.isEnabled():
                    action.trigger()
                    self._settle(1)
                    for dialog in [each for each in self._app.topLevelWidgets() if isinstance(each, QDialog)]:
                        if dialog.isVisible():
                            self._shoot(f"dialog-{_word(word)}", seconds=1, widget=dialog)
                            self._lists(f"dialog-{_word(word)}", dialog)
                            dialog.close()


def _word(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


if __name__ == "__main__":
    sys.exit(main())
