"""Time from the start of the process to the first paint of the window, against that of a bare QMainWindow.

The first paint is that of the window's frame and grounds; the time until every control is painted is printed, too.

The floor of the first is a bare window with Fusion's style that names one enum of Qt: PySide builds all of them then.

All run in fresh processes, by turns, so that a busy machine slows all; what is printed is the ratio of the medians. The
floor of the second is a window of as many plain Qt widgets of the same kinds, without a word, a layout, a style or a
module of this program: what PySide takes for them.

    python -m tests.benchmarks.bench_startup [--rounds 9] [--goal 1.2]
"""

import argparse
import json
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

NAMED = BARE.replace("import QTimer", "import Qt, QTimer").replace(
    "app = QApplication([])",
    "app = QApplication([]); app.setStyle('Fusion'); named = Qt.ConnectionType.QueuedConnection",
)

PLAIN = """
import json, sys, time
from PySide6 import QtCore, QtGui, QtSvg, QtWidgets
from PySide6.QtCore import Qt
class Window(QtWidgets.QMainWindow):
    def paintEvent(self, event):
        super().paintEvent(event)
        QtCore.QTimer.singleShot(0, self.done)
    def done(self):
        print(time.time(), flush=True)
        QtWidgets.QApplication.instance().quit()
app = QtWidgets.QApplication([])
window = Window()
window.resize(1440, 900)
middle = QtWidgets.QWidget()
window.setCentralWidget(middle)
for at, name in enumerate(name for name, count in json.loads(sys.argv[1]).items() for _ in range(count)):
    part = getattr(QtWidgets, name)(middle)
    part.setGeometry(at % 20 * 70, at // 20 * 40, 68, 38)
window.show()
app.exec()
"""

WHOLE = """
import collections, json, sys, time
from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication, QWidget
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
        shown = (each for each in self.window.findChildren(QWidget) if each.isVisible())
        lines = ([base.__name__ for base in type(each).mro() if "PySide6" in base.__module__] for each in shown)
        counts = collections.Counter(line[0].replace("QAbstractButton", "QPushButton") for line in lines)
        del counts["QMainWindow"]
        print(json.dumps(counts, separators=(",", ":")), flush=True)
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


def seconds_to_paint(code: str, environment: dict[str, str], *arguments: str) -> tuple[float, list[str]]:
    """Start one process; seconds until it has painted, and what else it printed."""
    begun = time.time()
    command = [sys.executable, "-c", code, *arguments]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120)
    painted, *rest = answer.stdout.split()
    return float(painted) - begun, rest


def main() -> int:
    """Print both medians and their ratio; 1 if it misses the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--goal", type=float, default=1.2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
        # Where Python may not write its compiled files, it compiles the whole program at every start.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = home
        times: dict[str, list[float]] = {"bare": [], "named": [], "window": [], "plain": []}
        counts = "{}"
        complete: list[float] = []
        imported: list[str] = []
        for turn in range(options.rounds + 1):
            for name, code in (("bare", BARE), ("named", NAMED), ("window", WHOLE), ("plain", PLAIN)):
                begun = time.time()
                seconds, rest = seconds_to_paint(code, environment, *([counts] if name == "plain" else []))
                if turn:  # the first reads the files from the disk
                    times[name].append(seconds)
                    complete += [float(text) - begun for text in rest[3:4]]
                imported = rest[:3] or imported
                counts = rest[4] if rest else counts
    bare, named, window, plain = (statistics.median(each) for each in times.values())
    every = statistics.median(complete)
    print(f"bare QMainWindow, painted         {bare:.3f} s  (best {min(times['bare']):.3f})")
    print(
        f"with a style and an enum of Qt    {named:.3f} s  (best {min(times['named']):.3f})  {named / bare:.2f} of bare"
    )
    print(f"Sculptor's window, painted        {window:.3f} s  (best {min(times['window']):.3f})")
    print(f"Sculptor's window, every control  {every:.3f} s  (best {min(complete):.3f})  {every / bare:.2f} of bare")
    number = sum(json.loads(counts).values())
    print(
        f"{number} plain widgets, painted       {plain:.3f} s  (best {min(times['plain']):.3f})  "
        f"{plain / bare:.2f} of bare"
    )
    print(f"imported before first paint: torch {imported[0]}, numpy {imported[1]}, pyqtgraph {imported[2]}")
    ratio = window / bare
    best = min(times["window"]) / min(times["bare"])
    print(f"ratio of medians   {ratio:.2f}   goal <= {options.goal}   best to best {best:.2f}")
    return int(ratio > options.goal)


if __name__ == "__main__":
    raise SystemExit(main())
