"""What watching costs: time per step in the window over the bare diffusers loop, same model, thread and torch threads.

    python -m tests.benchmarks.bench_step_overhead [--steps 50] [--rounds 7] [--model FOLDER] [--goal 1.02]
        [--one-guess]

Both run in the window's worker thread, by turns. "Bare" is the pipeline's own call with diffusers' own scheduler and
nobody watching; "watched" is a run from Start: observer, trajectory, spectra, and the window that follows and draws.
"""

from __future__ import annotations

import importlib
import statistics
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session.engine import Work
from sculptor_app.session.worker import Job
from tests.benchmarks import window_bench as bench

if TYPE_CHECKING:
    from sculptor_app.session.engine import Engine


def bare_work(request: RunRequest, times_s: list[float]) -> Work:
    """Work that calls the pipeline as a script would."""

    def work(engine: Engine, stop: threading.Event) -> Iterator[object]:
        torch = importlib.import_module("torch")
        calling = importlib.import_module("sculptor_app.diffusion.pipelines.call")
        pipeline = engine.load(request.model, request.device)
        arguments = calling.call_of(pipeline, request).arguments
        pipeline.scheduler = engine.scheduler(request)
        begun = time.perf_counter()
        with torch.no_grad():
            pipeline(**arguments)
        times_s.append(time.perf_counter() - begun)
        yield None

    return work


def watched_job(job: Job, times_s: list[float]) -> Job:
    """The runner's own job, timed from its first event to its end in the same thread."""

    def timed(stop: threading.Event) -> Iterator[object]:
        begun = time.perf_counter()
        yield from job(stop)
        times_s.append(time.perf_counter() - begun)

    return timed


def main() -> int:
    """Print both times per step and their ratio; 1 if it misses the goal."""
    options = bench.parser(__doc__)
    options.add_argument("--steps", type=int, default=50)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--goal", type=float, default=1.02)
    options.add_argument("--one-guess", action="store_true", help="leave out the two guesses that guidance mixes")
    chosen = options.parse_args()
    _app, window = bench.open_window(chosen.model)
    print(bench.machine())
    runner = window.panels.runner
    window.panels.controls.steps.set_text(str(chosen.steps))
    request = window.panels.controls.request()
    assert request is not None
    bare_s: list[float] = []
    watched_s: list[float] = []
    runner.watches_guidance = not chosen.one_guess
    make_job = runner._sampling_job
    runner._sampling_job = lambda *how: watched_job(make_job(*how), watched_s)  # type: ignore[method-assign]
    for turn in range(chosen.rounds + 1):
        turns = [lambda: runner.submit(bare_work(request, bare_s)), window.panels.run_control.start]
        for begin in turns if turn % 2 else reversed(turns):
            begin()
            bench.wait_until(lambda: not runner._jobs.is_busy and not runner.is_running)
            bench.settle(0.1)
        if turn == 0:  # what the libraries do once
            bare_s.clear()
            watched_s.clear()
    bare, watched = (1000 * statistics.median(times) / chosen.steps for times in (bare_s, watched_s))
    pairs = [after / before for before, after in zip(bare_s, watched_s, strict=True)]
    trajectory = window.panels.session.trajectory
    assert trajectory is not None
    print(f"device {trajectory.info.device_name}, {chosen.steps} steps, {chosen.rounds} rounds")
    print(f"bare loop   {bare:7.2f} ms per step   best {1000 * min(bare_s) / chosen.steps:7.2f}")
    print(f"watched     {watched:7.2f} ms per step   best {1000 * min(watched_s) / chosen.steps:7.2f}")
    ratio = statistics.median(pairs)
    best = min(watched_s) / min(bare_s)
    print(f"ratio, median of the pairs {ratio:.3f}, best to best {best:.3f}, goal <= {chosen.goal}")
    window.close()
    return int(ratio > chosen.goal)


if __name__ == "__main__":
    raise SystemExit(main())
