"""How live the window stays while a model learns in it, and how much of its pace learning keeps.

    python -m tests.benchmarks.bench_learning [--rounds 4] [--seconds 20] [--goal-ms 33] [--goal-ratio 0.9]

Learning goes on in the page and in a process without a window, by turns, from the same checkpoint each time; the page
shows what it learns, is watched, then scrubbed at random, then paused. Rows of samples count in all of them.
"""

import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sculptor_app.session.training import TrainingState
from sculptor_app.training.records.events import Begun, Stepped
from sculptor_app.training.records.plan import PRESETS, TINY, plan_of
from sculptor_app.ui import theme
from sculptor_app.ui.learn.page import LearnPage
from sculptor_app.ui.shell.app import SWITCH_INTERVAL_S, make_application
from sculptor_app.ui.widgets.bars import MessageBar
from tests.benchmarks import window_bench as bench
from tests.benchmarks.bench_gui_timer import TICK_MS, Ticker, report

LONG = 10**7
"""Pictures to see: the run never ends by itself."""


def rate(steps: list[Stepped]) -> float:
    """Pictures per second between the first and the last of these."""
    return (steps[-1].pictures - steps[0].pictures) / (steps[-1].elapsed_s - steps[0].elapsed_s)


def learn_alone(folder: Path, seconds: float) -> float:
    """The rate without a window; called in a process of its own."""
    from sculptor_app.training.loop.live import Learning

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    learning, stop, steps = Learning(folder, plan_of(TINY, LONG)), threading.Event(), []
    for event in learning.go(stop):
        if isinstance(event, Stepped):
            steps.append(event)
            if steps[-1].elapsed_s - steps[0].elapsed_s >= seconds:
                stop.set()
    learning.close()
    return rate(steps)


class Room:
    """The page in a window of its own, learning in a folder."""

    def __init__(self, folder: Path) -> None:
        self.frame = QWidget()
        messages = MessageBar(self.frame)
        settings = QSettings(str(folder.parent / "settings.ini"), QSettings.Format.IniFormat)
        for name, value in (("preset", TINY), ("total", str(LONG)), ("folder", str(folder))):
            settings.setValue(f"learn/{name}", value)
        self.page = LearnPage(settings, messages, self.frame)
        column = QVBoxLayout(self.frame)
        column.addWidget(messages)
        column.addWidget(self.page, 1)
        self.frame.resize(1440, 860)
        self.frame.show()
        self.page.enter()
        self.steps: list[Stepped] = []
        self.begun = False
        self.page.learner.progressed.connect(self._note)

    def _note(self, event: object) -> None:
        if isinstance(event, Stepped):
            self.steps.append(event)
        self.begun = self.begun or isinstance(event, Begun)

    def go(self) -> None:
        """Begin, or go on, and wait until it learns."""
        self.steps = []
        self.page.start()
        bench.wait_until(lambda: len(self.steps) >= 4)
        self.steps = self.steps[-1:]

    def pause(self) -> None:
        """Pause and wait for it."""
        self.page.start()
        bench.wait_until(lambda: self.page.learner.state is TrainingState.PAUSED)

    def scrub(self) -> None:
        """Jump to any cell."""
        rows = max(1, len(self.page.presenter.rows))
        self.page.presenter.go_to_cell(random.randrange(rows), random.randrange(26))


def turn(room: Room, seconds: float) -> tuple[list[float], list[list[float]]]:
    """A turn of the page: its rates, and the timer's gaps, while it is watched, while it is scrubbed, and at rest."""
    rates, gaps = [], []
    room.go()
    ticker, hand = Ticker(), QTimer()
    hand.timeout.connect(room.scrub)
    for is_scrubbed in (False, True):
        if is_scrubbed:
            hand.start(TICK_MS)
        room.steps = room.steps[-1:]
        ticker.start()
        bench.settle(seconds)
        gaps.append(ticker.stop())
        rates.append(rate(room.steps))
    hand.stop()
    room.pause()
    ticker.start()
    bench.settle(seconds / 2)
    gaps.append(ticker.stop())
    return rates, gaps


def turn_alone(folder: Path, copy: Path, seconds: float) -> float:
    """A turn of a process without a window, from the same checkpoint."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    command = [sys.executable, "-m", __spec__.name, "--alone", str(copy), "--seconds", str(seconds)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> int:
    """Print the figures; 1 if a goal is missed."""
    options = bench.parser(__doc__)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--goal-ms", type=float, default=33)
    options.add_argument("--goal-ratio", type=float, default=0.9)
    options.add_argument("--alone", type=Path, help="for its own use: learn in this folder, and print the rate")
    chosen = options.parse_args()
    if chosen.alone:
        print(learn_alone(chosen.alone, chosen.seconds))
        return 0
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = make_application([])
    theme.apply(app, "light")
    print(bench.machine())
    folder = Path(tempfile.mkdtemp()) / "run"
    room = Room(folder)
    bench.settle(2)
    began = time.perf_counter()
    room.page.start()
    bench.wait_until(lambda: room.begun)
    print(f"{PRESETS[TINY].renders} sculptures rendered and learning begun in {time.perf_counter() - began:.1f} s")
    bench.wait_until(lambda: bool(room.steps) and room.steps[-1].pictures >= 1000)
    room.pause()
    rates: list[list[float]] = []
    gaps: list[list[float]] = [[], [], []]
    for number in range(chosen.rounds):
        alone = turn_alone(folder, folder.parent / "alone", chosen.seconds)
        found, found_gaps = turn(room, chosen.seconds)
        rates.append([*found, alone])
        gaps = [[*before, *new] for before, new in zip(gaps, found_gaps, strict=True)]
        print("round {}: {:6.1f} pictures/s watched, {:6.1f} scrubbed, {:6.1f} without a window".format(
            number + 1, *rates[-1]), flush=True)  # fmt: skip
    names = ("learning, watched", "learning, scrubbed at random", "paused")
    p99 = max([report(name, each) for name, each in zip(names, gaps, strict=True)][:2])
    watched, scrubbed, alone = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = watched / alone
    print(f"p99 {p99:.1f} ms, goal <= {chosen.goal_ms} ms")
    print(f"rate over that without a window: watched {ratio:.3f}, goal >= {chosen.goal_ratio}; "
          f"scrubbed {scrubbed / alone:.3f}")  # fmt: skip
    room.page.shutdown()
    room.frame.close()
    shutil.rmtree(folder.parent)
    return int(p99 > chosen.goal_ms or ratio < chosen.goal_ratio)


if __name__ == "__main__":
    raise SystemExit(main())
