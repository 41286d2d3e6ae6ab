"""`sculptor-app decide`: what of a picture is decided by which step, measured by forks."""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Iterator
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
    with_models_own,
)
from sculptor_app.commands.saving import run_checked
from sculptor_app.commands.terminal import Interruption, Parser, ProgressBar, file_path, say, stdout, whole_number
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import MAX_SEED, MAX_STEPS, RunRequest
from sculptor_app.core.texts import decimal_text
from sculptor_app.core.trajectory.levels import LEAST_CORRELATION
from sculptor_app.exports.files import OptionError, check_target

if TYPE_CHECKING:
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.measures.likeness import Curve, Decision

MOST_FORKS, MOST_SEEDS = 64, 100_000
EXAMPLES = """examples:
  sculptor-app decide --form bust --steps 20 --seeds 4 --forks 6 --at 2,4,6,8,12,16 --json curve.json
  sculptor-app decide --steps 20 --seeds 20 --forks 8 --json curve.json
  sculptor-app decide --u-turn --steps 20 --seeds 20 --json turned.json
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
    forks.add_argument("--at", type=_steps, metavar="K,K,…", help="steps to fork at; 0 is other noise altogether "
                       "(0, and nine steps over the run)")  # fmt: skip
    forks.add_argument("--closer", action="store_true",
                       help="look closer, step by step, where something is decided between two of them")  # fmt: skip
    forks.add_argument("--u-turn", action="store_true",
                       help="U-turns instead of forks: how much stays of the run's picture")  # fmt: skip
    parser.add_argument("--json", type=file_path, metavar="FILE",
                        help="all results, to be gone on with, and for a program to read")  # fmt: skip
    parser.set_defaults(run=run, parser=parser)


def _steps(text: str) -> tuple[int, ...]:
    """A converter for argparse: whole numbers with commas between them."""
    read = whole_number("step", 0, MAX_STEPS)
    return tuple(sorted({read(each.strip()) for each in text.split(",") if each.strip()}))


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> tuple[RunRequest, tuple[int, ...]]:
        from sculptor_app.measures.likeness import usual_steps  # numpy comes with it

        request = request_of(arguments)
        at = arguments.at or usual_steps(request.steps)
        if 1 in at and not arguments.u_turn:
            raise OptionError("Step 1 comes of the noise at the start alone.", "Choose 0, and 2 or later steps.")
        if at[-1] >= request.steps:
            raise OptionError(
                f"There is nothing left to be decided at step {at[-1]} of {request.steps}.", "Choose earlier ones."
            )
        if request.seed + arguments.seeds > MAX_SEED:
            raise OptionError("There are not so many seeds.", "Choose a smaller --seed.")
        if arguments.json is not None:
            check_target(arguments.json)
        return request, at

    def work(checked: tuple[RunRequest, tuple[int, ...]], interruption: Interruption) -> None:
        request, at = checked
        bring_model(arguments, interruption)
        with interruption.at_once():  # torch takes seconds to import
            from sculptor_app.diffusion.sampling.engine import Engine
        from sculptor_app.exports.decisions import DecisionSet, read_decisions, write_decisions
        from sculptor_app.measures.likeness import curves_of

        request = with_models_own(request, arguments)
        path, forks, u_turn = arguments.json, arguments.forks, arguments.u_turn
        results = [] if path is None else read_decisions(path, request, forks, u_turn)
        seeds = range(request.seed, request.seed + arguments.seeds)
        wanted = [(seed, k) for seed in seeds for k in at]
        with ProgressBar("Deciding", len(wanted), "step") as bar:
            engine = Engine(report=bar.say)
            for seed in seeds:
                known = [each for each in results if each.seed == seed]
                try:
                    for found in _measured(engine, replace(request, seed=seed), at, arguments, known, interruption):
                        results.append(found)
                        if path is not None:
                            write_decisions(path, DecisionSet(request, forks, results, u_turn))
                        done = {(each.seed, each.step) for each in results}
                        bar.move_to(sum(each in done for each in wanted))
                except Cancelled:
                    if path is None or not results:
                        raise
                    kept = f"Interrupted; what was measured is in {path}, and the same command goes on from there."
                    raise Cancelled(kept) from None
        asked = [each for each in results if each.seed in seeds and (arguments.closer or each.step in at)]
        say("\n".join(_table(curves_of(asked), u_turn, request.asked_labels)), stdout())

    return run_checked(check, work)


def _measured(
    engine: Engine,
    request: RunRequest,
    at: tuple[int, ...],
    arguments: argparse.Namespace,
    known: list[Decision],
    interruption: Interruption,
) -> Iterator[Decision]:
    """What is still to be measured of one run, as it comes."""
    from sculptor_app.diffusion.sampling.sample import whole_run
    from sculptor_app.diffusion.studies.decisions import measure_run
    from sculptor_app.measures.likeness import Decision, curves_of, step_to_look_at
    from sculptor_app.training.evaluation.judge_training import read_labels

    is_there = all(any(each.step == k for each in known) for k in at)
    if is_there and not (arguments.closer and step_to_look_at(curves_of(known)) is not None):
        return
    stop, closer, u_turn = interruption.event, arguments.closer, arguments.u_turn
    whole = whole_run(engine, request, stop)
    for event in measure_run(engine, whole, at, arguments.forks, stop, read_labels, known, closer, u_turn):
        if isinstance(event, Decision):
            yield event
    whole.close()


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
