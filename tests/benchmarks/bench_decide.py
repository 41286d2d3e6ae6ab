"""What several workers and batches gain `decide`, and what a Dask cluster costs it, each against one in the same run.

    python -m tests.benchmarks.bench_decide [--steps 20] [--forks 2] [--seeds 2] [--workers 2] [--rounds 1] [--dask]
    python -m tests.benchmarks.bench_decide --batch 8 [--steps 20] [--rounds 1] [--device cuda]

The embedded model on the CPU, one thread of torch in each process. All processes are warm: each has loaded the model
before the clock starts, which a person pays once. Two workers want two cores that nobody else uses: the processor time
of the busiest process is told, too, which says what they would be on such. `--dask` puts one worker of a local Dask
cluster beside one process, with a tiny model and many units: what Dask costs is per unit, and it is told as a share of
a unit of the default run (50 steps, 8 forks). It needs the package distributed. `--batch` has forks of one step made in
a batch of that size, and as many one after the other, and counts what the network is asked for.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.events import ForkEnded
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import whole_run
from sculptor_app.diffusion.studies.decisions import measure_step
from sculptor_app.diffusion.studies.dispatch import DecisionRequest, Plan, measure_all
from sculptor_app.diffusion.studies.processes import ProcessWorkers
from sculptor_app.measures.likeness import usual_steps
from tests.helpers.tiny_model import write_tiny_model
from tests.helpers.unlucky_workers import nothing

GOAL, DASK_GOAL = 0.9, 0.05
"""Share of the number of workers that a run is to be faster by, and what Dask may cost of it."""
MOST_EVALUATED = 1.1
"""What the network may be asked for, of what the forks of a step need."""
TINY_STEPS, TINY_FORKS, TINY_SEEDS = 6, 2, 12


def main() -> int:
    """Print the figures; 1 if a goal is missed, or the numbers are not the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("steps", 20), ("forks", 2), ("seeds", 2), ("workers", 2), ("rounds", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if options.batch:
        return _bench_batch(options.steps, options.batch, options.rounds, options.device)
    return _bench_dask(options.rounds) if options.dask else _bench_workers(options)


def _bench_workers(options: argparse.Namespace) -> int:
    count, asked = options.workers, _asked(options.steps, options.forks, options.seeds)
    with ProcessWorkers(1, nothing) as one, ProcessWorkers(count, nothing) as several:
        pairs = _pairs(one, several, asked, options.rounds, warm_up=_asked(6, 2, count))
    alone, shared = pairs[len(pairs) // 2]
    units = len(asked.seeds) * len(asked.steps)
    print(f"{units} units of {options.forks} forks, {options.steps} steps: one process {alone}, {count} {shared}")
    ratio = statistics.median(first.seconds / second.seconds for first, second in pairs)
    free = statistics.median(first.busiest / second.busiest for first, second in pairs)
    print(f"{ratio:.2f} times as fast, by processor time of the busiest {free:.2f}; goal {GOAL * count:.2f}")
    if alone.seconds > 1.1 * alone.busiest or shared.seconds > 1.1 * shared.busiest:
        print("the cores were not free: the first of these figures is too low")
    return 0 if ratio >= GOAL * count else 1


def _bench_dask(rounds: int) -> int:
    from distributed import LocalCluster

    from sculptor_app.diffusion.studies.cluster import ClusterWorkers

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        asked = _asked(TINY_STEPS, TINY_FORKS, TINY_SEEDS, str(write_tiny_model(Path(folder) / "tiny")))
        one = stack.enter_context(ProcessWorkers(1, nothing))
        made = stack.enter_context(
            LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None)
        )
        dask = stack.enter_context(ClusterWorkers(made.scheduler_address, nothing))
        pairs = _pairs(one, dask, asked, rounds, warm_up=asked)
        embedded = _asked(6, 2, 1)
        _measured(one, embedded)
        evaluation = _measured(one, embedded).busiest / _evaluations(6, 2)
    units = len(asked.seeds) * len(asked.steps)
    each = statistics.median(second.seconds - first.seconds for first, second in pairs) / units
    whole = evaluation * _evaluations(50, 8) / len(usual_steps(50))
    alone, shared = pairs[len(pairs) // 2]
    print(f"{units} units of a tiny model: one process {alone}, a Dask worker {shared}")
    share = f"{each / whole:.2%} of the {whole:.1f} s that one of a default run takes"
    print(f"Dask costs {each * 1000:+.0f} ms a unit, {share}; goal {DASK_GOAL:.0%}")
    return 0 if each / whole <= DASK_GOAL else 1


def _bench_batch(steps: int, forks: int, rounds: int, device: str) -> int:
    engine, step = Engine(), steps // 2
    whole = whole_run(engine, RunRequest(form="bust", steps=steps, seed=7, device=device), threading.Event())
    network = engine.load(None, device).unet
    evaluated, real = [], network.forward

    def counted(x: Any, *given: Any, **named: Any) -> Any:
        evaluated.append(len(x))
        return real(x, *given, **named)

    network.forward = counted  # stubs of the shared steps take its place
    fans: dict[int, list[Fan]] = {1: [], forks: []}
    for _ in range(1 + rounds):  # the first warms up
        for batch, made in fans.items():
            evaluated.clear()
            begun = time.perf_counter()
            events = list(measure_step(engine, whole, step, forks, threading.Event(), nothing, batch=batch))
            seconds = time.perf_counter() - begun
            pictures = np.stack([event.picture for event in events if isinstance(event, ForkEnded)])
            made.append(Fan(seconds, len(evaluated), sum(evaluated), pictures))
    alone, together = fans[1][-1], fans[forks][-1]
    needed = forks * (steps - step + 1) * 2  # noise is laid on a level before, and guidance takes two
    print(f"{forks} forks at step {step} of {steps}: one at a time {alone.seconds:.2f} s in {alone.calls} calls of the "
          f"network, in a batch {together.seconds:.2f} s in {together.calls}")  # fmt: skip
    print(f"their pictures differ by {np.abs(alone.pictures - together.pictures).max():.1e} at most")
    ratio = statistics.median(one.seconds / other.seconds for one, other in list(zip(*fans.values(), strict=True))[1:])
    share = together.evaluated / needed
    print(f"{ratio:.2f} times as fast; evaluated {share:.2f} of what is needed, goal {MOST_EVALUATED}")
    return 0 if share <= MOST_EVALUATED else 1


@dataclass
class Fan:
    """What the forks of a step took."""

    seconds: float
    calls: int  # of the network
    evaluated: int  # rows in all of them
    pictures: Any


def _asked(steps: int, forks: int, seeds: int, model: str | None = None) -> DecisionRequest:
    request = RunRequest(form="bust", steps=steps, seed=7, device="cpu", model=model)
    return DecisionRequest(request, range(7, 7 + seeds), usual_steps(steps), forks)


def _evaluations(steps: int, forks: int) -> int:
    """Of the network, for a run and its forks."""
    return steps + sum(forks * (steps - k) for k in usual_steps(steps))


@dataclass
class Measured:
    """What it took, and the results."""

    seconds: float
    busiest: float  # processor seconds of the process that had most
    told: str

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.busiest:.2f} of the processor)"


def _measured(workers: Any, asked: DecisionRequest) -> Measured:
    before, begun = _processor_seconds(), time.perf_counter()
    found = list(measure_all(Plan(asked, (), largest_first=True), workers, threading.Event()))
    seconds, after = time.perf_counter() - begun, _processor_seconds()
    busiest = max(took - before.get(process, 0.0) for process, took in after.items())
    return Measured(seconds, busiest, str(sorted(found, key=lambda each: (each.seed, each.step))))


def _processor_seconds() -> dict[int, float]:
    """Of the processes that this one has started, by number."""
    found = {}
    for each in psutil.Process().children(recursive=True):
        times = each.cpu_times()
        found[each.pid] = times.user + times.system
    return found


def _pairs(
    one: Any, others: Any, asked: DecisionRequest, rounds: int, warm_up: DecisionRequest
) -> list[tuple[Measured, Measured]]:
    """One process and the others in turns."""
    for workers in (one, others):
        _measured(workers, warm_up)  # which loads the model
    pairs = []
    for turn in range(rounds):
        if turn % 2:
            second, first = _measured(others, asked), _measured(one, asked)
        else:
            first, second = _measured(one, asked), _measured(others, asked)
        if first.told != second.told:
            raise SystemExit("the numbers are not the same")
        pairs.append((first, second))
    return pairs


if __name__ == "__main__":
    raise SystemExit(main())
