"""Screenshots of all pages, their states, lists, menus and dialogs, in both themes and four sizes, to be looked at.

    python -m tests.screenshots FOLDER [--sizes 1024x700 1280x720x2 ...] [--only WORD ...] [--model FOLDER] [--steps N]
    python -m tests.screenshots FOLDER --window   the README's picture: a finished run, the scrubber in its middle

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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

OPENING = (
    "Library…",
    "Export: GIF, film, web page, poster…",
    "Model from the hub…",
    "What am I seeing?",
    "Keyboard shortcuts",
    "About Sculptor",
)
"""Entries of menus that open dialogs of the program's own; the others ask the system's for a file."""
SIZES = ("1024x700", "1280x720", "1440x900", "1280x720x2")
FRAME = (8, 40)  # what the window leaves of a screen for its frame
PARTS = (
    "pages",
    "running",
    "menus",
    "lists",
    "bars",
    "full-screen",
    "dialogs",
    "drown",
    "why",
    "when",
    "learn",
    "loras",
    "compare",
)
WINDOW = "1440x900"
"""Size of the README's picture."""
NO_HUB = "http://127.0.0.1:9"  # nobody listens there: what is asked of the hub fails at once
USUAL_COLOURS = 64
LONG = 200
"""Steps of a run that is shown while it goes on."""


def main() -> int:
    """One process per size, or, inside of one, its pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="*", default=SIZES)
    parser.add_argument("--model", help="folder of a model; the embedded one if left out")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="parts of the set; all if left out")
    parser.add_argument("--window", action="store_true", help="window.png alone, in the light theme")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        shots = Shots(options.folder, options.here, options.model, options.steps)
        shots.take_window() if options.window else shots.take(options.only)
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.window:
        options.sizes, options.steps = (WINDOW,), 50
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
            "HF_ENDPOINT": NO_HUB, "QT_QPA_PLATFORM": f"offscreen:configfile={plan}", "QT_SCALE_FACTOR": str(factor),
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.screenshots", str(options.folder), "--here", size]
        command += ["--steps", str(options.steps), *(["--model", options.model] if options.model else [])]
        command += ["--only", *options.only, *(["--window"] if options.window else [])]
        return subprocess.run(command, env=surroundings, check=False).returncode


class Shots:
    """The window at one size, and its pictures."""

    def __init__(self, folder: Path, size: str, model: str | None, steps: int) -> None:
        from tests.benchmarks.window_bench import open_window

        self._folder, self._size, self._steps = folder, size, steps
        self._app, self._window = open_window(model)
        width, height = (int(part) for part in size.split("x")[:2])
        self._window.resize(width, height)

    def take_window(self) -> None:
        """The picture of the README, as a PNG of 256 colours."""
        self._run()
        path = self._folder / "window.png"
        self._window.grab().save(str(path))
        _pack(path)
        self._window.close()

    def take(self, parts: Sequence[str]) -> None:
        """Everything before a run, while one goes on, and after one, in both themes."""
        if "pages" in parts:
            self._take_pages()
        if "running" in parts:
            self._take_running()
        self._run()
        self._shoot("carve")
        takers = {
            "menus": self._take_menus, "lists": self._take_lists, "bars": self._take_bars,
            "full-screen": self._take_full_screen, "dialogs": self._take_dialogs, "drown": self._take_drown,
            "why": self._take_why, "when": self._take_when, "learn": self._take_learn, "loras": self._take_loras,
            "compare": self._take_compare,
        }  # fmt: skip
        for part in (part for part in takers if part in parts):
            self._press("Ctrl+1")
            takers[part]()
        self._window.close()

    # Parts of the set ------------------------------------------------------------------------------------------------

    def _take_pages(self) -> None:
        """The pages before a run."""
        self._shoot("carve-empty")
        for page, name in ((2, "drown"), (4, "why"), (5, "when"), (3, "learn")):
            self._press(f"Ctrl+{page}")
            self._shoot(name, seconds=2.5)
        self._press("Ctrl+1")

    def _take_running(self) -> None:
        """A run that goes on, with fields that differ from it, and one that was stopped."""
        panels = self._window.panels
        self._start(LONG)
        self._wait(lambda: panels.session.last > LONG // 8)
        self._shoot("carve-running")
        panels.controls.seed.setText("99")
        self._shoot("carve-running-others")
        panels.run_panel.button.click()
        self._wait(lambda: not panels.runner.is_running)
        self._settle(0.5)
        self._shoot("carve-stopped-others")
        panels.controls.seed.setText("x")
        self._shoot("carve-wrong-field")
        panels.controls.seed.setText("7")

    def _take_lists(self) -> None:
        for page, name in ((1, "carve"), (2, "drown"), (4, "why"), (3, "learn")):
            self._press(f"Ctrl+{page}")
            self._lists(name)

    def _take_bars(self) -> None:
        """Messages and the progress of work, short and long, over two pages."""
        panels = self._window.panels
        many = "\n".join(f"Reason {number} of those why it cannot be opened." for number in range(1, 31))
        for page in (1, 2):
            self._press(f"Ctrl+{page}")
            self._settle(1)
            panels.messages.show_message("The picture cannot be opened.", "Choose another one.")
            self._shoot(f"bar-message-{page}")
            panels.messages.show_message("Saved /home/me/bust.gif (386 kB).", action="Show", is_fault=False)
            panels.opening_bar.show_work("reading unet (2 of 5)", [("Stop", lambda: None)])
            panels.saving_bar.show_work("Saving bust.gif", [("Stop", lambda: None)])
            panels.saving_bar.set_progress(0.4, "20 of 50")
            self._shoot(f"bar-work-{page}")
            panels.opening_bar.hide()
            panels.saving_bar.hide()
            panels.messages.show_message(f"{'/long' * 200} cannot be opened.\n{many}", action="All reasons")
            self._shoot(f"bar-long-{page}")
            panels.messages.clear()
        self._press("Ctrl+1")
        self._window.bench.models.downloads.suggest("owner/name")
        self._shoot("bar-ask-the-hub")
        self._window.bench.models.downloads.put_aside()
        panels.messages.clear()

    def _take_full_screen(self) -> None:
        for page, name in ((1, "carve"), (2, "drown"), (4, "why"), (3, "learn")):
            self._press(f"Ctrl+{page}")
            self._press("F11")
            self._shoot(f"full-screen-{name}")
            self._press("F11")

    def _take_drown(self) -> None:
        """A picture that was dropped, half drowned; carved out from there, with the way back to the run before."""
        from PIL import Image

        panels, path = self._window.panels, Path(tempfile.mkdtemp()) / "a house by the sea in the evening.png"
        Image.linear_gradient("L").resize((640, 360)).save(path)
        self._press("Ctrl+2")
        page = self._window.bench.pages.page
        page.open_path(path)
        self._wait(lambda: page.forward_result is not None and page.forward_result.name == path.name)
        page.session.go_to(30)
        self._settle(1)
        self._shoot("drown-dropped")
        page.controls.carve_button.click()
        self._wait(lambda: not panels.runner.is_running)
        self._settle(1)
        self._shoot("carve-from-drown")
        path.unlink()

    def _take_compare(self) -> None:
        """Two runs on one scrubber: of another seed, and of another sampler and number of steps, as a wipe."""
        panels = self._window.panels
        panels.controls.seed.setText("8")
        self._run()
        panels.session.compare_with(panels.session.run_before)
        panels.session.go_to(self._steps // 2)
        self._shoot("compare-seeds")
        panels.controls.sampler.setCurrentIndex(panels.controls.sampler.findData("heun"))
        self._start(2 * self._steps)
        self._wait(lambda: not panels.runner.is_running and panels.session.last == 2 * self._steps)
        panels.session.set_lock("snr")
        panels.session.go_to(self._steps)
        self._window.bench.stage.contrast_requested.emit("wipe")
        self._shoot("compare-wipe")
        panels.session.compare_with(None)

    def _take_why(self) -> None:
        """Each experiment before and after its runs, and one of them opened."""
        from sculptor_app.ui.why.experiments import Experiment

        self._press("Ctrl+4")
        page = self._window.bench.pages.page
        for experiment in Experiment:
            page.chooser.cards[experiment].click()
            self._settle(1)
            self._shoot(f"why-{experiment.value}-empty")
            page.start()
            self._wait(lambda: not page.is_busy)
            page.session.go_to(page.session.last // 2)
            self._settle(1)
            self._shoot(f"why-{experiment.value}")
        page.enlarge(0)
        self._settle(1)
        self._shoot("why-enlarged")

    def _take_when(self) -> None:
        """The forks of a run: while they are made, and when all are there."""
        self._press("Ctrl+5")
        page = self._window.bench.pages.page
        self._wait(lambda: page.plot is not None)
        page.forks.setCurrentIndex(page.forks.findData("3"))
        self._shoot("when-empty")
        page.start()
        self._wait(lambda: page.study is not None and len(page.study.decisions) > 3)
        self._shoot("when-running")
        self._wait(lambda: not page.is_busy)
        page.session.go_to(4)
        self._settle(1)
        self._shoot("when")
        self._press("F11")
        self._shoot("when-full-screen")
        self._press("F11")

    def _take_learn(self) -> None:
        """While a model learns, and when it was stopped."""
        self._press("Ctrl+3")
        page = self._window.bench.pages.page
        page.start()
        self._wait(lambda: page.session.trajectory is not None or page.session.last > 0, 120)
        self._settle(10)
        self._shoot("learn-learning")
        page.stop()
        self._wait(lambda: not page.is_busy, 120)
        self._settle(1)
        self._shoot("learn-stopped")

    def _take_loras(self) -> None:
        """A tiny text-to-image model: its fields, LoRAs that are there, wrong and gone, and what its run looks like."""
        from tests.helpers.loras import by_diffusers, pairs
        from tests.helpers.stable_diffusion import stable_diffusion

        panels, bench = self._window.panels, self._window.bench
        with tempfile.TemporaryDirectory(prefix="sculptor-shots-") as folder:
            pipeline = stable_diffusion()
            pipeline.save_pretrained(Path(folder) / "tiny-sd")
            file = by_diffusers(pipeline, pairs(pipeline, {"unet": ("to_q",)}), Path(folder) / "marble.safetensors")
            bench.models.open(str(Path(folder) / "tiny-sd"))
            self._settle(0.5)
            self._shoot("model-opening")
            self._wait(lambda: panels.controls.model is not None and panels.runner.is_ready, 180)
            self._settle(1)
            self._shoot("model-fields")
            field = panels.controls.loras
            for path in (file, Path(folder) / "a file that is not there any more.safetensors"):
                field.add_file(path)
            self._shoot("lora-gone")
            field.rows[-1].removed.emit(field.rows[-1])
            field.rows[0].weight.set_text("much")
            self._shoot("lora-wrong")
            field.rows[0].weight.set_text("0.8")
            self._run()
            self._shoot("model-run")
            bench.models.open(None)
            self._wait(lambda: panels.controls.model is None, 120)

    # How ------------------------------------------------------------------------------------------------------------

    def _settle(self, seconds: float = 0.25) -> None:
        from tests.benchmarks.window_bench import settle

        settle(seconds)

    def _action(self, keys: str) -> Any:
        from PySide6.QtGui import QAction, QKeySequence

        return next(each for each in self._window.findChildren(QAction) if QKeySequence(keys) in each.shortcuts())

    def _press(self, keys: str) -> None:
        self._action(keys).trigger()
        self._settle(1)

    def _wait(self, is_so: Callable[[], bool], seconds: float = 300) -> None:
        from tests.benchmarks.window_bench import wait_until

        wait_until(is_so, seconds)

    def _start(self, steps: int) -> None:
        panels = self._window.panels
        panels.controls.steps.lineEdit().setText(str(steps))
        panels.run_panel.button.click()

    def _run(self) -> None:
        panels = self._window.panels
        self._start(self._steps)
        self._wait(lambda: not panels.runner.is_running and panels.session.last == self._steps)
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

    def _take_menus(self) -> None:
        """Every menu of the menu bar with its submenus, of the frames and of the transport bar, and context menus."""
        bar, bench = self._window.menuBar(), self._window.bench
        for action in bar.actions():
            at = bar.mapToGlobal(bar.actionGeometry(action).bottomLeft())
            self._menu(action.menu(), at, f"menu-{_word(action.text())}")
            for entry in action.menu().actions():
                if entry.menu() is not None and entry.isEnabled():
                    self._menu(entry.menu(), at, f"menu-{_word(action.text())}-{_word(entry.text())}")
        frame, transport = bench.stage.panels[0], self._window.panels.transport
        buttons = {"frame": frame.title_button, "zoom": frame.zoom_button, "loop": transport.loop_button}
        for name, button in buttons.items():
            self._menu(button.menu(), button.mapToGlobal(button.rect().bottomLeft()), f"menu-of-{name}")
        plot = self._window.panels.plots.band_plot
        for name, widget in (("picture", frame), ("cell", bench.film), ("plot", plot)):
            if widget is not None and not widget.visibleRegion().isEmpty():
                middle = widget.rect().center()
                subject = widget.subject_at(middle)
                if subject is not None:
                    self._menu(bench.picture_menu.menu_of(subject), widget.mapToGlobal(middle), f"menu-on-{name}")

    def _menu(self, menu: Any, at: Any, name: str) -> None:
        menu.popup(at)
        self._settle()
        self._shoot(name)
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


def _pack(path: Path) -> None:
    """Reduce a PNG to 256 colours: those of most of its pixels, which the window is painted in, stay as they are."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    colours, places, counts = np.unique(
        np.asarray(picture).reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    usual = colours[np.argsort(-counts)[:USUAL_COLOURS]]
    others = picture.quantize(256 - USUAL_COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=8).getpalette() or []
    palette = np.concatenate([usual, np.reshape(others, (-1, 3))])[:256].astype(np.int32)
    parts = np.array_split(colours.astype(np.int32), 1 + len(colours) // 4096)
    nearest = np.concatenate([((part[:, None] - palette) ** 2).sum(axis=2).argmin(axis=1) for part in parts])
    packed = Image.fromarray(nearest[places].reshape(picture.height, picture.width).astype(np.uint8))
    packed.putpalette(palette.astype(np.uint8).tobytes())
    packed.save(path, optimize=True)


def _word(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


if __name__ == "__main__":
    sys.exit(main())
