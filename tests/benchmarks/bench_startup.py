"""Time from the start of the process to the first paint of the window, against that of a bare QMainWindow.

The first paint is that of the window's frame and grounds; the time until every control is painted is printed, too.

Both run in fresh processes, by turns, so that a busy machine slows both; what is printed is the ratio of the medians.

    python tests/benchmarks/bench_startup.py [--rounds 9] [--goal 1.5]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BARE = """
import sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
class Window(QMainWindow):
    def paintEvent(self, event):
        super().paintEvent(event)
        QTimer.singleShot(0, self.done)
    def done(self):
        print(time.time(), flush=True)
        QApplication.instance().quit()
app = QApplication([])
window = Window()
window.resize(1440, 900)
window.show()
app.exec()
"""

WHOLE = """
import sys, time
from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication
class Clock(QObject):
    def __init__(self, window):
        super().__init__(window)
        self.window = window
        window.painted.disconnect()  # what comes after the first paint is measured apart
        window.completed.disconnect()  # plots, torch and the model come last
        window.painted.connect(self.stop)
    @Slot()
    def stop(self):
        print(time.time(), "torch" in sys.modules, "numpy" in sys.modules, "pyqtgraph" in sys.modules, flush=True)
        self.window.complete()
        QApplication.processEvents()
        print(time.time(), flush=True)
        self.window.close()
run = QApplication.exec
def timed(self):
    windows = [window for window in QApplication.topLevelWidgets() if hasattr(window, "painted")]
    clock = Clock(windows[0])
    return run()
QApplication.exec = timed
from sculptor_app.ui.shell.app import main
sys.exit(main([]))
"""


def seconds_to_paint(code: str, environment: dict[str, str]) -> tuple[float, list[str]]:
    """Start one process; seconds until it has painted, and what else it printed."""
    begun = time.time()
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    painted, *rest = answer.stdout.split()
    return float(painted) - begun, rest


def main() -> int:
    """Print both medians and their ratio; 1 if it misses the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--goal", type=float, default=1.5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
        # Where Python may not write its compiled files, it compiles the whole program at every start.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = home
        times: dict[str, list[float]] = {"bare": [], "window": []}
        complete: list[float] = []
        imported: list[str] = []
        for turn in range(options.rounds + 1):
            for name, code in (("bare", BARE), ("window", WHOLE)):
                begun = time.time()
                seconds, rest = seconds_to_paint(code, environment)
                if turn:  # the first reads the files from the disk
                    times[name].append(seconds)
                    complete += [float(text) - begun for text in rest[3:]]
                imported = rest[:3] or imported
    bare, window = (statistics.median(times[name]) for name in ("bare", "window"))
    print(f"bare QMainWindow, painted         {bare:.3f} s  (best {min(times['bare']):.3f})")
    print(f"Sculptor's window, painted        {window:.3f} s  (best {min(times['window']):.3f})")
    print(f"Sculptor's window, every control  {statistics.median(complete):.3f} s  (best {min(complete):.3f})")
    print(f"imported before first paint: torch {imported[0]}, numpy {imported[1]}, pyqtgraph {imported[2]}")
    ratio = window / bare
    best = min(times["window"]) / min(times["bare"])
    print(f"ratio of medians   {ratio:.2f}   goal <= {options.goal}   best to best {best:.2f}")
    return int(ratio > options.goal)


if __name__ == "__main__":
    raise SystemExit(main())
