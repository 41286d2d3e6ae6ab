"""What several workers gain `decide`, and what a Dask cluster costs it, each against one process in the same run.

    python -m tests.benchmarks.bench_decide [--steps 20] [--forks 2] [--seeds 2] [--workers 2] [--rounds 1] [--dask]

The embedded model on the CPU, one thread of torch in each process. All processes are warm: each has loaded the model
before the clock starts, which a person pays once. Two workers want two cores that nobody else uses. `--dask` puts one
worker of a local Dask cluster beside one process; what it costs is per unit, which is why it is also told as a share of
a unit of the default run (50 steps, 8 forks). It needs the package distributed.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.studies.dispatch import DecisionRequest, Plan, measure_all
from sculptor_app.diffusion.studies.processes import ProcessWorkers
from sculptor_app.measures.likeness import Decision, usual_steps
from tests.helpers.unlucky_workers import nothing

GOAL, DASK_GOAL = 0.9, 0.05
"""Share of the number of workers that a run is to be faster by, and what Dask may cost of it."""


def main() -> int:
    """Print the figures; 1 if a goal is missed, or the numbers are not the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("steps", 20), ("forks", 2), ("seeds", 2), ("workers", 2), ("rounds", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--dask", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        one = stack.enter_context(ProcessWorkers(1, nothing))
        if options.dask:
            name, others, count = "a Dask worker", _dask_workers(stack), 1
        else:
            count = options.workers
            name, others = f"{count} workers", stack.enter_context(ProcessWorkers(count, nothing))
        for workers, number in ((one, 1), (others, count)):
            _decide(workers, _asked(6, 2, number))  # which loads the model
        pairs = [_pair(one, others, options, turn % 2 == 1) for turn in range(options.rounds)]
    units = options.seeds * len(usual_steps(options.steps))
    alone, shared = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(
        f"{units} units of {options.forks} forks, {options.steps} steps: one process {alone:.1f} s, {name} {shared:.1f}"
    )
    ratio = statistics.median(first / second for first, second in pairs)
    if not options.dask:
        print(f"{ratio:.2f} times as fast; goal {GOAL * count:.2f}")
        return 0 if ratio >= GOAL * count else 1
    each = (shared - alone) / units
    print(f"Dask takes {1 / ratio - 1:+.1%} of this run: {each * 1000:+.0f} ms a unit; goal {DASK_GOAL:.0%}")
    whole = alone / units * _mean_cost(50, 8) / _mean_cost(options.steps, options.forks)
    print(f"that is {each / whole:+.2%} of a default run, whose units take {whole:.1f} s")
    return 0 if each / whole <= DASK_GOAL else 1


def _asked(steps: int, forks: int, seeds: int) -> DecisionRequest:
    request = RunRequest(form="bust", steps=steps, seed=7, device="cpu")
    return DecisionRequest(request, range(7, 7 + seeds), usual_steps(steps), forks)


def _mean_cost(steps: int, forks: int) -> float:
    """Evaluations of the network for a unit, with its share of the run."""
    at = usual_steps(steps)
    return (steps + sum(forks * (steps - k) for k in at)) / len(at)


def _decide(workers: Any, asked: DecisionRequest) -> tuple[float, list[Decision]]:
    begun = time.perf_counter()
    found = list(measure_all(Plan(asked, (), largest_first=True), workers, threading.Event()))
    return time.perf_counter() - begun, sorted(found, key=lambda each: (each.seed, each.step))


def _pair(one: Any, others: Any, options: argparse.Namespace, others_first: bool) -> tuple[float, float]:
    """Seconds of one process, and of the others."""
    asked = _asked(options.steps, options.forks, options.seeds)
    order: list[Callable[[], tuple[float, list[Decision]]]] = [
        lambda: _decide(one, asked), lambda: _decide(others, asked)
    ]  # fmt: skip
    found = [job() for job in (reversed(order) if others_first else order)]
    (alone, first), (shared, second) = reversed(found) if others_first else found
    if str(first) != str(second):
        raise SystemExit("the numbers are not the same")
    return alone, shared


def _dask_workers(stack: ExitStack) -> Any:
    from distributed import LocalCluster

    from sculptor_app.diffusion.studies.cluster import ClusterWorkers

    cluster: AbstractContextManager[Any] = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    )
    address = stack.enter_context(cluster).scheduler_address
    return stack.enter_context(ClusterWorkers(address, nothing))


if __name__ == "__main__":
    raise SystemExit(main())
