"""`sculptor-app decide`: what of a picture is decided by which step, measured by forks."""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sculptor_app.commands.run_options import (
    add_conditions,
    add_guidance,
    add_labels,
    add_model,
    add_sampler,
    add_seed,
    add_steps,
    bring_model,
    request_of,
    step_or_level,
    with_models_own,
)
from sculptor_app.commands.saving import run_checked, say_written
from sculptor_app.commands.terminal import Interruption, Parser, ProgressBar, file_path, say, stdout, whole_number
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.changes import Place
from sculptor_app.core.requests.request import MAX_SEED, MAX_STEPS, RunRequest
from sculptor_app.core.texts import decimal_text
from sculptor_app.core.trajectory.levels import LEAST_CORRELATION
from sculptor_app.exports.files import OptionError, check_target

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.diffusion.studies.cluster import ClusterWorkers
    from sculptor_app.diffusion.studies.dispatch import DecisionRequest, Plan
    from sculptor_app.diffusion.studies.processes import ProcessWorkers
    from sculptor_app.diffusion.studies.worker import ThisProcess
    from sculptor_app.measures.likeness import Curve, Decision

MOST_FORKS, MOST_SEEDS, MOST_WORKERS = 64, 100_000, 256
EXAMPLES = """examples:
  sculptor-app decide --form bust --steps 20 --seeds 4 --forks 6 --at 2,4,6,8,12,16 --json curve.json
  sculptor-app decide --steps 20 --seeds 20 --forks 8 --json curve.json
  sculptor-app decide --u-turn --steps 20 --seeds 20 --json turned.json
  sculptor-app decide --seeds 100 --json curve.json --cluster tcp://head-node:8786
The file is written after every step of every seed; the same command goes on from what is in it.
"""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "decide",
        help="measure what is decided by which step",
        description="Fork runs at some of their steps, each time with several other noises, and measure how alike the "
        "pictures are that come of it: band by band, pixel by pixel, and by what the program's classifier reads off "
        "them. What they share was decided by that step. Or, with --u-turn, drown their finished pictures to the level "
        "of some of their steps, sculpt them again from there, and measure how much stays.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make = parser.add_argument_group("the runs")
    add_labels(make)
    add_seed(make, "the first run; the others have those after it")
    for add in (add_steps, add_sampler, add_guidance, add_model, add_conditions):
        add(make)
    forks = parser.add_argument_group("the forks")
    forks.add_argument("--seeds", type=whole_number("number of runs", 1, MOST_SEEDS), default=1, metavar="N",
                       help="runs, each of the next seed (1)")  # fmt: skip
    forks.add_argument("--forks", type=whole_number("number of forks", 2, MOST_FORKS), default=8, metavar="N",
                       help="pictures for each step of each run (8)")  # fmt: skip
    forks.add_argument("--at", type=_steps, metavar="K,K,…", help="steps to fork at, or noise levels, as in "
                       "4,snr=0.3,sigma=1; 0 is other noise altogether (0, and nine steps over the run)")  # fmt: skip
    forks.add_argument("--closer", action="store_true",
                       help="look closer, step by step, where something is decided between two of them")  # fmt: skip
    forks.add_argument("--u-turn", action="store_true",
                       help="U-turns instead of forks: how much stays of the run's picture")  # fmt: skip
    where = parser.add_argument_group(
        "where it is computed; the numbers are the same, however many workers share in it"
    )
    where.add_argument("--workers", type=whole_number("number of workers", 1, MOST_WORKERS), metavar="N",
                       help="processes of this machine, of one thread each (as many as it has cores, where memory "
                       "and work suffice), or of one GPU each where there are several (1)")  # fmt: skip
    where.add_argument("--cluster", metavar="ADDRESS", help="or the workers of a Dask cluster, by its scheduler's "
                       "address, tcp://HOST:PORT; program and model must be where they are")  # fmt: skip
    where.add_argument("--batch", type=whole_number("size of a batch", 1, MOST_FORKS), metavar="N",
                       help="forks that go through the network at once, where the model can do so: one evaluation "
                       "for all of them. The pictures are the same but for rounding, and the file says which size was "
                       "used; forks to the last bit, with all their steps, come from the command fork "
                       "(on a GPU as many as its memory allows, on the CPU 1)")  # fmt: skip
    parser.add_argument("--json", type=file_path, metavar="FILE",
                        help="all results, to be gone on with, and for a program to read")  # fmt: skip
    parser.set_defaults(run=run, parser=parser)


def _steps(text: str) -> tuple[int | Place, ...]:
    """A converter for argparse: steps and noise levels with commas between them."""
    read = step_or_level(0, MAX_STEPS)
    return tuple(read(each.strip()) for each in text.split(",") if each.strip())


def _steps_of(arguments: argparse.Namespace, request: RunRequest) -> tuple[int, ...]:
    """The steps to fork at, in order; noise levels take the model's scheduler, but not its weights."""
    from sculptor_app.measures.likeness import usual_steps  # numpy comes with it

    at: tuple[int | Place, ...] = arguments.at or usual_steps(request.steps)
    if not all(isinstance(each, int) for each in at):
        from sculptor_app.diffusion.sampling.engine import Engine

        levels = Engine().plan(request)
        at = tuple(each if isinstance(each, int) else each.step_in(levels) for each in at)
    steps = tuple(sorted({each for each in at if isinstance(each, int)}))
    if 1 in steps and not arguments.u_turn:
        raise OptionError("Step 1 comes of the noise at the start alone.", "Choose 0, and 2 or later steps.")
    if steps[-1] >= request.steps:
        raise OptionError(
            f"There is nothing left to be decided at step {steps[-1]} of {request.steps}.", "Choose earlier ones."
        )
    return steps


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> RunRequest:
        request = request_of(arguments)
        if all(isinstance(each, int) for each in arguments.at or ()):
            _steps_of(arguments, request)
        if request.seed + arguments.seeds > MAX_SEED:
            raise OptionError("There are not so many seeds.", "Choose a smaller --seed.")
        _check_cluster(arguments)
        if arguments.json is not None:
            check_target(arguments.json)
        return request

    def work(request: RunRequest, interruption: Interruption) -> None:
        bring_model(arguments, interruption)
        with interruption.at_once():  # torch takes seconds to import
            from sculptor_app.diffusion.studies import decisions  # noqa: F401
        from sculptor_app.diffusion.studies.dispatch import DecisionRequest
        from sculptor_app.exports.decisions import read_decisions
        from sculptor_app.measures.likeness import curves_of

        request = with_models_own(request, arguments)
        at = _steps_of(arguments, request)
        path, forks, u_turn = arguments.json, arguments.forks, arguments.u_turn
        results = [] if path is None else read_decisions(path, request, forks, u_turn)
        seeds = range(request.seed, request.seed + arguments.seeds)
        try:
            asked = DecisionRequest(request, seeds, at, forks, u_turn, arguments.closer, batch=arguments.batch)
            _measure(asked, arguments, results, interruption)
        except Cancelled:
            if path is None or not results:
                raise
            kept = f"Interrupted; what was measured is in {path}, and the same command goes on from there."
            raise Cancelled(kept) from None
        found = [each for each in results if each.seed in seeds and (arguments.closer or each.step in at)]
        ordered = sorted(found, key=lambda each: each.seed)
        say("\n".join(_table(curves_of(ordered), u_turn, request.asked_labels)), stdout())
        if path is not None and results:
            say_written(path, arguments)

    return run_checked(check, work)


def _check_cluster(arguments: argparse.Namespace) -> None:
    if arguments.cluster is None:
        return
    if arguments.workers is not None:
        raise OptionError("A cluster has workers of its own.", "Leave out --workers, or --cluster.")
    from sculptor_app.diffusion.studies.cluster import why_no_cluster

    if why := why_no_cluster(arguments.cluster):
        raise why


def _measure(
    asked: DecisionRequest, arguments: argparse.Namespace, results: list[Decision], interruption: Interruption
) -> None:
    """Measure what is not among the results yet, add it to them, and write them each time."""
    from sculptor_app.diffusion.studies.dispatch import Plan, measure_all
    from sculptor_app.exports.decisions import DecisionSet, write_decisions

    wanted = {(seed, k) for seed in asked.seeds for k in asked.steps}
    done = len(wanted & {(each.seed, each.step) for each in results})
    asked, count = _shared_out(asked, Plan(asked, results, largest_first=False), arguments)
    plan = Plan(asked, results, largest_first=count != 1)
    with ProgressBar("Deciding", len(wanted), "step") as bar:
        if plan.is_over:
            return
        with _workers(count, asked, arguments, bar, interruption) as workers:
            for found in measure_all(plan, workers, interruption.event):
                results.append(found)
                if arguments.json is not None:
                    write_decisions(arguments.json, DecisionSet(asked.request, asked.forks, results, asked.u_turn))
                done += (found.seed, found.step) in wanted
                bar.move_to(done)
                if workers.count > 1:
                    bar.say(f"{workers.count} workers")


def _shared_out(asked: DecisionRequest, plan: Plan, arguments: argparse.Namespace) -> tuple[DecisionRequest, int]:
    """What is asked, with the threads of each worker, and how many of them there are: 0 stands for a cluster's."""
    from sculptor_app.diffusion.pipelines.devices import devices_for
    from sculptor_app.diffusion.studies.processes import usual_workers

    if arguments.cluster is not None:
        return asked, 0
    devices = devices_for(asked.request.device)
    if devices[0].id != "cpu":
        count = arguments.workers or 1
        if count > len(devices):
            fewer = f"Choose {len(devices)} or fewer" if len(devices) > 1 else "Leave out --workers"
            raise OptionError(f"One process uses all of {devices[0].name}.", f"{fewer}, or add --device cpu.")
        return asked, count
    if arguments.workers is not None:
        return asked, arguments.workers
    count, threads = usual_workers(asked.request.model, plan.units, plan.evaluations)
    return replace(asked, threads=threads), count


def _workers(
    count: int, asked: DecisionRequest, arguments: argparse.Namespace, bar: ProgressBar, interruption: Interruption
) -> ClusterWorkers | ProcessWorkers | ThisProcess:
    """The workers, to be left as a context."""
    from sculptor_app.diffusion.pipelines.devices import devices_for
    from sculptor_app.diffusion.studies.cluster import ClusterWorkers
    from sculptor_app.diffusion.studies.processes import ProcessWorkers
    from sculptor_app.diffusion.studies.worker import ThisProcess

    if count == 0:
        return ClusterWorkers(arguments.cluster, _read_labels, lambda sentence: bar.note([sentence]))
    if count == 1:
        return ThisProcess(_read_labels, interruption.event, bar.say)
    devices = [device.id for device in devices_for(asked.request.device)]
    return ProcessWorkers(count, _read_labels, devices)


def _read_labels(pictures: Sequence[Frame], run: Trajectory) -> dict[str, list[str]]:
    """As the judge reads them; workers import torch with their first unit, and not by the name of this function."""
    from sculptor_app.training.evaluation.judge_training import read_labels

    return read_labels(pictures, run)


def _table(curves: dict[str, Curve], u_turn: bool, asked: Collection[str]) -> Iterator[str]:
    """Means over the seeds for each step, with the standard error, and by when each was decided, or stays.

    Args:
        asked: labels that all runs were asked for; of these nothing was left to be decided.
    """
    yield "Mean correlation with the run's picture" if u_turn else "Mean correlation of all pairs of forks"
    yield "(of labels the share that are the same), ± standard error:"
    yield f"{'step':>5}  " + "  ".join(f"{name:>14}" for name in curves)
    for k in sorted({step for curve in curves.values() for step in curve.steps}):
        yield f"{k:>5}  " + "  ".join(f"{_cell(curve, k):>14}" for curve in curves.values())
    for name, curve in curves.items():
        if name in asked:
            yield f"{name}: asked for, and so decided before the first step"
            continue
        by, after = curve.decided_by()
        if u_turn:
            when = "from none of these steps on" if by is None else f"from step {by} on"
        else:
            when = "not by any of these steps" if by is None else f"by step {by}"
        yield f"{name}: alike to {decimal_text(LEAST_CORRELATION)} {when}" + (
            f", not yet at {after}" if by is not None and after >= 0 else ""
        )


def _cell(curve: Curve, k: int) -> str:
    if k not in curve.steps:
        return "-"
    place = curve.steps.index(k)
    error = curve.errors[place]
    return f"{curve.means[place]:.2f}" + (f" ± {error:.2f}" if math.isfinite(error) else "")
