"""`sculptor-app grid`: runs that differ in one or two settings, as the rows and columns of a sheet or a film."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.run_options import (
    add_conditions,
    add_guidance,
    add_labels,
    add_like,
    add_model,
    add_sampler,
    add_seed,
    add_steps,
    bring_model,
    change_of,
    changed,
    check_like,
    request_of,
    with_models_own,
)
from sculptor_app.commands.saving import check_files, run_checked, write_files
from sculptor_app.commands.sculpt import add_output, find_map, options_of
from sculptor_app.commands.terminal import Interruption, Parser, ProgressBar
from sculptor_app.core.requests.request import MOST_CELLS, RunRequest
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import number_text
from sculptor_app.core.trajectory.levels import LOCKS
from sculptor_app.exports.animation.options import NONE
from sculptor_app.exports.files import OptionError

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.exports.animation.plan import RunGrid

EXAMPLES = """examples:
  sculptor-app grid --x sampler=ddim,heun,dpmpp-2m --y steps=5,10,20,50 --out grid.png
  sculptor-app grid --form vase --x guidance=0,1,2,4,8 --y seed=1,2,3 --out grid.mp4
  sculptor-app grid --model FOLDER --x "prompt=a lion|a horse, at night" --y seed=1,2 --out grid.html --numbers grid.csv
Values are parted by commas, or by | where there is one. Runs of other numbers of steps go together by their
signal-to-noise ratio.
"""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "grid",
        help="runs that differ in one or two settings, side by side",
        description="Make a run for every pair of two settings' values: seed, form, material, prompt, sampler, steps, "
        "guidance, or any parameter of the model. They are the columns and rows of a sheet, a film or a page.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    axes = parser.add_argument_group("the axes")
    axes.add_argument("--x", required=True, metavar="NAME=V,V,…", help="a setting, and its value in each column")
    axes.add_argument("--y", metavar="NAME=V,V,…", help="another one, and its value in each row")
    axes.add_argument("--lock", choices=LOCKS, help="which states go together: those of one number, or of one "
                      "signal-to-noise ratio (snr where the numbers of steps differ)")  # fmt: skip
    make = parser.add_argument_group("what all runs share")
    add_like(make)
    add_labels(make)
    add_seed(make, "the noise at the start")
    for add in (add_steps, add_sampler, add_guidance, add_model, add_conditions):
        add(make)
    add_output(parser)
    parser.set_defaults(run=run, parser=parser)


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting and its values."""

    name: str
    changes: tuple[dict[str, Any], ...]  # of a request, one for each value
    titles: tuple[str, ...]


NO_AXIS = Axis("", ({},), ())


def read_axis(text: str) -> Axis:
    """An axis from "NAME=V,V,…"; `OptionError` or `RequestError` where it is none."""
    name, equals, listed = text.partition("=")
    name = name.strip().replace("-", "_")
    values = [each.strip() for each in listed.split("|" if "|" in listed else ",") if each.strip()]
    if not equals or not name or not values:
        raise OptionError(f"{text!r} is no axis.", "Write NAME=V,V,… as in steps=5,10,20.")
    if name in ("model", "device"):
        raise OptionError(f"A grid has one {name}.", "Choose another setting.")
    changes = tuple(change_of(name, each) for each in values)
    if any(each in changes[:place] for place, each in enumerate(changes)):  # as numbers: 1 and 1.0
        raise OptionError(f"A value of {name} is there twice.", "Leave one out.")
    return Axis(name, changes, tuple(_title(name, each) for each in values))


def _title(name: str, value: str) -> str:
    if name == "sampler" and value in SAMPLERS:
        return SAMPLERS[value].label
    return value if name in ("form", "material", "prompt") else f"{name.replace('_', ' ')} {_number(value)}"


def _number(value: str) -> str:
    try:
        return number_text(float(value))
    except ValueError:
        return value


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> tuple[Axis, Axis, RunRequest]:
        check_like(arguments)
        request = request_of(arguments)
        x, y = read_axis(arguments.x), NO_AXIS if arguments.y is None else read_axis(arguments.y)
        if x.name == y.name:
            raise OptionError(f"Both axes are {x.name}.", "Choose another setting for one of them.")
        count = len(x.changes) * len(y.changes)
        if count > MOST_CELLS:
            raise OptionError(f"There would be {count} runs.", f"Ask for {MOST_CELLS} at most.")
        for each in (*x.changes, *y.changes):
            changed(request, each)
        check_files(arguments)
        options_of(arguments)
        return x, y, request

    def work(checked: tuple[Axis, Axis, RunRequest], interruption: Interruption) -> None:
        x, y, request = checked
        bring_model(arguments, interruption)
        with interruption.at_once():  # torch takes seconds to import
            from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES
            from sculptor_app.diffusion.sampling.engine import Engine
            from sculptor_app.diffusion.sampling.sample import whole_run

        request = with_models_own(request, arguments)
        requests = [changed(changed(request, row), column) for row in y.changes for column in x.changes]
        runs: list[Trajectory] = []
        with ProgressBar("Sculpting", sum(each.steps for each in requests), "step") as bar:
            engine = Engine(report=bar.say)
            budget, done = DEFAULT_BUDGET_BYTES // len(requests), 0  # they share the memory for one
            for each in requests:
                move = lambda run, past=done: bar.move_to(past + run.last)  # noqa: E731
                runs.append(whole_run(engine, each, interruption.event, move, budget, forkable=False))
                done += each.steps
        if runs[0].info.space == "latents" and arguments.out is not None:
            find_map(engine, runs[0], interruption)
            for each_run in runs[1:]:
                each_run.info = replace(each_run.info, latent_map=runs[0].info.latent_map)
        grid = _grid(runs, x, y, arguments.lock)
        options = replace(options_of(arguments, grid.lead_run), caption=True)  # else nobody knows which is which
        if runs[0].info.space == "latents":
            options = replace(options, decode=NONE)
        write_files(arguments, options, grid, None, grid.lead_run.last, interruption)

    return run_checked(check, work)


def _grid(runs: list[Trajectory], x: Axis, y: Axis, lock: str | None) -> RunGrid:
    """The runs as columns and rows; the longest one's steps are counted."""
    from sculptor_app.exports.animation.plan import RunGrid

    shapes = {run.shape[1:] for run in runs}
    if len(shapes) > 1:
        raise OptionError("The runs have pictures of different sizes.", "Choose other axes than those of the size.")
    lengths = [run.planned_steps for run in runs]
    chosen = lock or ("step" if len(set(lengths)) == 1 else "snr")
    lead = lengths.index(max(lengths))
    return RunGrid.of_runs(
        runs, columns=len(x.changes), column_titles=x.titles, row_titles=y.titles, lead=lead, lock=chosen
    )
