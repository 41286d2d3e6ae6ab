"""Scrubbing a long run of large frames through the real window: time per frame, and memory.

    python -m tests.benchmarks.bench_scrub [--states 1001] [--side 512] [--budget-mb 512] [--moves 300] [--goal-ms 10]
                                           [--forward]

The states are made, not sampled: what is measured is showing them. A frame's time is from asking for a step to the end
of painting all that shows it: three frames, timeline, transport bar and filmstrip; the plots are drawn as often as
their share of the time allows, and count in where they are. With --forward it is the page where a picture drowns.
"""

import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QCoreApplication

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.forward import ForwardTrajectory, run_forward_process
from sculptor_app.core.trajectory.levels import NoiseLevel, cosine_snr
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.measures.forward import ForwardMeasures
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.ui.playback.page import Views
from tests.benchmarks import window_bench as bench


def made_run(states: int, side: int, budget_bytes: int, folder: Path) -> tuple[Trajectory, RunMeasures]:
    """A run over a picture of smooth shapes and noise that fades as the cosine schedule says."""
    generator = np.random.default_rng(7)
    down, across = np.mgrid[0:side, 0:side] / side
    picture = np.stack([np.sin(7 * across + c) * np.cos(5 * down - c) for c in range(3)]).astype(np.float32)
    noise = generator.standard_normal((3, side, side), np.float32)
    steps = states - 1
    ratios = [cosine_snr(999 * (1 - k / steps)) for k in range(steps)]
    levels = [NoiseLevel((r / (1 + r)) ** 0.5, (1 / (1 + r)) ** 0.5) for r in ratios] + [NoiseLevel(1.0, 0.0)]
    info = RunInfo(RunRequest(steps=steps), "made", "none", "DDIM")
    run = Trajectory(info, noise, levels, budget_bytes, folder)
    for k in range(1, states):
        level = levels[k]
        state = (level.signal * picture + level.noise * noise).astype(np.float32)
        guess = (picture + 0.2 * level.noise * np.roll(noise, k, axis=2)).astype(np.float32)
        run.append(Step(k, 0, True, float(states - k), levels[k - 1], level, state, guess, "", 0.01))
    return run, RunMeasures.of(run)


def made_drowning(states: int, side: int, budget_bytes: int, folder: Path) -> tuple[ForwardTrajectory, ForwardMeasures]:
    """The same picture, drowned in one noise."""
    down, across = np.mgrid[0:side, 0:side] / side
    picture = np.stack([np.sin(7 * across + c) * np.cos(5 * down - c) for c in range(3)]).astype(np.float32)
    run = run_forward_process(picture, "made", steps=states - 1, budget_bytes=budget_bytes, spill_folder=folder)
    return run, ForwardMeasures.of(run)


def frame_time(views: Views, step: int) -> float:
    """Seconds to show a step and paint everything."""
    begun = time.perf_counter()
    views.session.go_to(step)
    views.presenter.clock.flush()
    QCoreApplication.sendPostedEvents()
    QCoreApplication.processEvents()
    return time.perf_counter() - begun


def memory_mb() -> float:
    """Most memory that this process has held, in MB; pages of the spill file that are mapped count in."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 if sys.platform != "darwin" else most / 2**20


def main() -> int:
    """Print the figures; 1 if the goal is missed."""
    options = bench.parser(__doc__)
    options.add_argument("--states", type=int, default=1001)
    options.add_argument("--side", type=int, default=512)
    options.add_argument("--budget-mb", type=int, default=512)
    options.add_argument("--moves", type=int, default=300)
    options.add_argument("--goal-ms", type=float, default=10)
    options.add_argument("--forward", action="store_true")
    chosen = options.parse_args()
    _app, window = bench.open_window(chosen.model)
    print(bench.machine())
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        make = made_drowning if chosen.forward else made_run
        run, measures = make(chosen.states, chosen.side, chosen.budget_mb * 2**20, Path(folder))
        before = memory_mb()
        views = window.bench.views
        if chosen.forward:
            page = window.bench.pages.show("drown")
            assert page is not None
            assert isinstance(page.views, Views)
            views = page.views
            bench.settle(3)  # plots are loaded, and the page drowns a picture of its own
        views.session.show(run, measures, running=False)
        bench.settle(1)
        generator = random.Random(7)
        here = chosen.states // 2
        walks = {
            "one step on": [(here + move) % chosen.states for move in range(chosen.moves)],
            "dragged": [(here + 7 * move) % chosen.states for move in range(chosen.moves)],
            "at random": [generator.randrange(chosen.states) for _ in range(chosen.moves)],
        }
        worst = 0.0
        for name, steps in walks.items():
            times = [frame_time(views, step) for step in steps]
            p95 = bench.percentile(times, 0.95)
            worst = max(worst, p95)
            print(
                f"{name:12s} {len(times)} frames  median {bench.percentile(times, 0.5):5.1f}  p95 {p95:5.1f}  "
                f"worst {1000 * max(times):6.1f} ms"
            )
        print(
            f"trajectory {run.bytes_in_memory / 2**20:.0f} MB in memory of {chosen.budget_mb}, "
            f"{run.bytes_on_disk / 2**20:.0f} MB on disk; process at most {memory_mb():.0f} MB, "
            f"{before:.0f} before scrubbing"
        )
        print(f"p95 {worst:.1f} ms, goal <= {chosen.goal_ms} ms")
        window.close()
        run.close()
    return int(worst > chosen.goal_ms)


if __name__ == "__main__":
    raise SystemExit(main())
