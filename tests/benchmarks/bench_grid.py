"""A grid of runs: time per frame while it is scrubbed, and time per picture and step in chunks of several sizes.

    python -m tests.benchmarks.bench_grid [--cells 24] [--moves 150] [--goal-ms 16] [--chunks 1 2 4 8 16]

The grid that is scrubbed is made, not sampled: 51 states of 64×64 pixels in each cell. A frame's time is from asking
for a step to the end of painting grid, timeline and transport bar; its processor time is shown, too, as a busy machine
takes the rest. In chunks the embedded model takes guided steps; each figure is the best of all its steps.
"""

import random
import time
from itertools import pairwise

import numpy as np
from PySide6.QtWidgets import QApplication

from sculptor_app.core.requests.request import FORMS, MATERIALS, NoiseRecipe
from sculptor_app.session.session import Session
from sculptor_app.ui import theme
from sculptor_app.ui.why.cell_grid import CellGrid, GridPresenter
from sculptor_app.ui.why.experiments import Choices, Experiment, arrange
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar
from tests.benchmarks import window_bench as bench
from tests.helpers.runs import made_run

STATES = 51


def scrub(cells: int, moves: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds and seconds of the processor for each frame, at random after all pictures were forgotten, and onward."""
    from PySide6.QtWidgets import QVBoxLayout, QWidget

    window = QWidget()
    window.resize(1160, 800)
    column = QVBoxLayout(window)
    session, grid, timeline, transport = Session(window), CellGrid(window), Timeline(window), TransportBar(window)
    for widget in (grid, transport, timeline):
        column.addWidget(widget)
    presenter = GridPresenter(session, grid, timeline, transport)
    runs = [made_run(STATES - 1, 64, fresh_noise=True) for _ in range(cells)]
    window.show()
    bench.settle(0.5)
    grid.set_grid(arrange(Choices(Experiment.NOISES, count=cells), FORMS, MATERIALS), runs)
    session.show(runs[0], None, running=False)
    bench.settle(0.5)
    chance = random.Random(7)
    walks = {
        "at random": [chance.randrange(STATES) for _ in range(moves)],
        "one step on": [k % STATES for k in range(moves)],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in walks}
    for name, steps in walks.items():
        for step in steps:
            begun, processor = time.perf_counter(), time.thread_time()
            session.go_to(step)
            presenter.clock.flush()
            window.repaint()
            times[name].append((time.perf_counter() - begun, time.thread_time() - processor))
    presenter.clock.stop()
    window.close()
    return times


def chunk_times(sizes: list[int]) -> dict[int, float]:
    """Seconds per picture and guided step of the embedded model, by how many go through it at once."""
    import threading

    from sculptor_app.core.requests.request import Cell, GridRequest
    from sculptor_app.core.trajectory.events import GridStep
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.diffusion.studies import grid

    engine, found = Engine(), {}
    for size in sizes:
        grid.CHUNK_ON_CPU = grid.CHUNK_ON_GPU = size
        cells = tuple(Cell(NoiseRecipe(seed), "bust") for seed in range(size))
        events = grid.sample_grid(engine, GridRequest(cells, steps=8), threading.Event())
        ends = [time.perf_counter() for event in events if isinstance(event, GridStep)]
        found[size] = min(later - earlier for earlier, later in pairwise(ends)) / size
    return found


def main() -> int:
    """Print the figures; 1 if the goal is missed."""
    options = bench.parser(__doc__)
    options.add_argument("--cells", type=int, default=24)
    options.add_argument("--moves", type=int, default=150)
    options.add_argument("--goal-ms", type=float, default=16)
    options.add_argument("--chunks", type=int, nargs="*", default=[1, 2, 4, 8, 16])
    chosen = options.parse_args()
    app = QApplication([])
    theme.apply(app, "light")
    print(bench.machine())
    worst = 0.0
    for name, times in scrub(chosen.cells, chosen.moves).items():
        wall, processor = (np.percentile(np.array(times)[:, column], 95) * 1000 for column in (0, 1))
        worst = max(worst, wall)
        print(f"{chosen.cells} cells, {name}: p95 {wall:.1f} ms, {processor:.1f} ms of the processor")
    for size, seconds in chunk_times(chosen.chunks).items():
        print(f"chunks of {size}: {seconds * 1000:.1f} ms per picture and step")
    return 0 if worst <= chosen.goal_ms else 1


if __name__ == "__main__":
    raise SystemExit(main())
