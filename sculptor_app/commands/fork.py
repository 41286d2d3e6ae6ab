"""`sculptor-app fork`: runs that share the first steps of one, and go on in other ways, side by side."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.painting import add_painting, painting_of, with_copied
from sculptor_app.commands.reproduce import info_to_make
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
    check_like,
    request_of,
    step_or_level,
    with_models_own,
)
from sculptor_app.commands.saving import check_files, run_checked, write_files
from sculptor_app.commands.sculpt import add_output, find_map, options_of
from sculptor_app.commands.terminal import Interruption, Parser, ProgressBar, file_path, say, stderr, whole_number
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.files import is_file
from sculptor_app.core.requests.painting import Painting
from sculptor_app.core.requests.request import MAX_SEED, MAX_STEPS, Parting, RunRequest
from sculptor_app.core.requests.samplers import NOISELESS_SAMPLERS
from sculptor_app.core.trajectory.levels import FIRST_FORK_STEP
from sculptor_app.exports.animation.options import NONE
from sculptor_app.exports.files import OptionError

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import RunInfo
    from sculptor_app.core.trajectory.file import SavedTrajectory
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.diffusion.sampling.engine import Engine

MOST_FORKS = 64
_OF_THE_RUN = {"form": None, "material": None, "seed": 7, "steps": 50, "sampler": None, "guidance": None,
               "options": None, "loras": None, "like": None}  # fmt: skip
"""What makes a run, with the values of where nothing is typed."""
EXAMPLES = """examples:
  sculptor-app fork --form bust --at 12 --then guidance=1 --then form=vase --out three.png
  sculptor-app fork --form head --sampler ddpm --at 20 --noise 5 --count 8 --out sheet.png --numbers energies.csv
  sculptor-app fork --form bust --at 12 --u-turn 1 --count 4 --out turned.png
  sculptor-app fork --form bust --at 12 --paint "guess #c04030 0.5,0.4 0.6,0.5 radius 0.08" --out painted.png
  sculptor-app fork --form bust --at 12 --copy-from vase.sculpt --box 0.25,0,0.5,0.5 --out copied.png
  sculptor-app fork run.sculpt --at snr=0.3 --noise 5 --count 8 --out sheet.png
  sculptor-app fork --model FOLDER --prompt "a lion" --at 10 --then prompt="a horse" --save-each runs --out both.mp4
"""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "fork",
        help="go on from a step of a run in other ways",
        description="Make a run, and forks of it: each shares its states up to a step, bit for bit, asks the network "
        "for none of these again, and goes on with another setting or other noise. All stand side by side, the run "
        "itself first. A saved run is made again first, and must come out as it is in its file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_file", type=file_path, nargs="?", metavar="FILE",
                        help="the run, as `--save` wrote it; its settings are those of the file")  # fmt: skip
    make = parser.add_argument_group("the run")
    add_like(make)
    add_labels(make)
    add_seed(make, "the noise at the start")
    for add in (add_steps, add_sampler, add_guidance, add_model, add_conditions):
        add(make)
    forks = parser.add_argument_group("the forks")
    forks.add_argument("--at", type=step_or_level(1, MAX_STEPS), required=True, metavar="K",
                       help="the last step that all share, or the noise level that it leads to: 12, snr=0.3, "
                       "sigma=1.5")  # fmt: skip
    forks.add_argument("--then", action="append", default=[], metavar="NAME=VALUE",
                       help="a fork with another form, material, guidance, sampler, number of steps, prompt or "
                       "parameter from there on; can be repeated")  # fmt: skip
    forks.add_argument("--noise", type=whole_number("seed", 0, MAX_SEED), metavar="N",
                       help="forks with other noise from there on, of this seed and those after it; of a sampler that "
                       "draws none it is laid on at this step")  # fmt: skip
    forks.add_argument("--u-turn", type=whole_number("seed", 0, MAX_SEED), metavar="N",
                       help="U-turns: the finished picture, drowned to the level of this step in noise of this seed "
                       "and those after it, and sculpted again from there")  # fmt: skip
    forks.add_argument("--count", type=whole_number("number of forks", 1, MOST_FORKS), metavar="N",
                       help="how many with other noise, and how many U-turns (1)")  # fmt: skip
    add_painting(forks)
    files, _ = add_output(parser)
    files.add_argument("--save-each", type=file_path, metavar="FOLDER",
                       help="save the run and each fork there as .sculpt")  # fmt: skip
    parser.set_defaults(run=run, parser=parser)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A fork that was asked for."""

    change: dict[str, Any]  # fields of a request, "options" being those that differ
    caption: str
    is_of_noise: bool = False
    is_u_turn: bool = False
    painting: Painting | None = None


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> tuple[RunRequest, list[Wanted], SavedTrajectory | None]:
        saved = None if arguments.run_file is None else _opened(arguments)
        check_like(arguments)
        request = request_of(arguments) if saved is None else info_to_make(saved, arguments).request
        wanted = list(_wanted(arguments, request))
        if not wanted:
            raise OptionError(
                "There is nothing in which a fork would differ.",
                "Add --then NAME=VALUE, --noise N, --u-turn N or --paint STROKE.",
            )
        if len(wanted) > MOST_FORKS:
            raise OptionError(f"There would be {len(wanted)} forks.", f"Ask for {MOST_FORKS} at most.")
        for each in wanted:
            if (seed := each.change.get("seed")) is not None:
                replace(request, seed=seed)
        if arguments.save_each is not None and is_file(arguments.save_each):
            raise OptionError(f"{arguments.save_each} is a file.", "Name a folder.")
        if arguments.save_each is None or arguments.out is not None or arguments.csv is not None:
            check_files(arguments)
        elif not arguments.save_each.parent.is_dir():
            raise OptionError(f"There is no folder {arguments.save_each.parent}.", "Create it first.")
        options_of(arguments)
        if saved is not None and not isinstance(arguments.at, int):
            arguments.at = arguments.at.step_in(saved.levels)
        if isinstance(arguments.at, int):
            _check_step(arguments.at, request, arguments, None if saved is None else saved.planned_steps)
        return request, wanted, saved

    def work(checked: tuple[RunRequest, list[Wanted], SavedTrajectory | None], interruption: Interruption) -> None:
        request, wanted, saved = checked
        bring_model(arguments, interruption)
        with interruption.at_once():  # torch takes seconds to import
            from sculptor_app.diffusion.sampling.engine import Engine

        with ProgressBar("Sculpting", request.steps, "step") as bar:
            engine = Engine(report=bar.say)
            if saved is None:
                request = with_models_own(request, arguments)
            if not isinstance(arguments.at, int):
                engine.load(request.model, request.device, interruption.event)
                arguments.at = arguments.at.step_in(engine.plan(request))
                _check_step(arguments.at, request, arguments)
            if saved is None:
                whole = _whole(engine, request, interruption, bar)
            else:
                whole = _made_again(engine, saved, info_to_make(saved, arguments), interruption, bar)
        if whole.info.space == "latents" and (arguments.out is not None or arguments.save_each is not None):
            find_map(engine, whole, interruption)
        if arguments.copy_from is not None:
            wanted = [_with_copied(each, whole, arguments) for each in wanted]
        runs = [whole, *(_fork(engine, whole, arguments.at, each, interruption) for each in wanted)]
        captions = (f"the run, seed {request.seed}, {whole.info.sampler_name}", *(each.caption for each in wanted))
        if arguments.save_each is not None:
            _save_each(arguments, runs, interruption)
        if arguments.out is not None or arguments.csv is not None:
            from sculptor_app.exports.animation.plan import RunGrid  # numpy comes with it

            options = replace(options_of(arguments, whole), caption=True)  # else nobody knows which is which
            if whole.info.space == "latents":
                options = replace(options, decode=NONE)
            write_files(arguments, options, RunGrid.of_runs(runs, captions), None, whole.last, interruption)

    return run_checked(check, work)


def _opened(arguments: argparse.Namespace) -> SavedTrajectory:
    """The saved run that is to be forked; refused where it cannot be made again, or settings are given beside it."""
    from sculptor_app.core.trajectory.comparison import why_not_repeatable
    from sculptor_app.core.trajectory.file import open_run

    typed = [name for name, usual in _OF_THE_RUN.items() if getattr(arguments, name, usual) != usual]
    if typed:
        named = typed[0].replace("_", "-")
        raise OptionError(f"The file tells the run's own {named}.", f"Leave out --{named}, or give it after --then.")
    saved = open_run(arguments.run_file)
    if reason := why_not_repeatable(saved):
        raise OptionError(reason, "Choose a run whose file has what it began with.")
    return saved


def _made_again(
    engine: Engine, saved: SavedTrajectory, info: RunInfo, interruption: Interruption, bar: ProgressBar
) -> Trajectory:
    """A saved run made again, to its end; `OptionError` where it does not come out as it is in the file."""
    from sculptor_app.core.pictures.start import start_of
    from sculptor_app.core.trajectory.comparison import Comparison
    from sculptor_app.diffusion.studies.fork import make_again

    found, made = Comparison(0), None
    bar.plan(saved.planned_steps)
    for event in make_again(engine, info, interruption.event, start_of(saved)):
        if made is None:
            bar.say("")
            bar.note(engine.notes)
        made = event.trajectory
        while found.states <= min(made.last, saved.last):
            found = found.with_state(saved, made)
        if found.parted is not None:
            raise OptionError(
                f"The run does not come out here as it is in its file: they part at step {found.parted}.",
                "`reproduce` tells by how much, and what is not as it was.",
            )
        bar.move_to(made.last)
    if made is None or interruption.event.is_set():
        raise Cancelled
    return made


def _check_step(step: int, request: RunRequest, arguments: argparse.Namespace, planned: int | None = None) -> None:
    """Refuse a step at which nothing can part from a run of so many steps, else of the request's."""
    steps = request.steps if planned is None else planned
    if step > steps:
        raise OptionError(f"The step is {step}; the run has {steps}.", "Choose one that it has.")
    if step == steps:
        raise OptionError(f"No steps are left at step {step} of {steps}.", "Choose an earlier one.")
    if step < 1:
        raise OptionError("No step of the run comes before that noise level.", "Choose one of less noise.")
    is_noiseless = request.sampler in NOISELESS_SAMPLERS  # noise is laid on, which step 1 has no room for
    if arguments.noise is not None and is_noiseless and step < FIRST_FORK_STEP:
        raise OptionError(f"Step {step} cannot be noised back.", f"Choose --at {FIRST_FORK_STEP} or a later one.")


def _wanted(arguments: argparse.Namespace, request: RunRequest) -> Iterator[Wanted]:
    """The forks that were asked for; `RequestError` for a value that is not allowed."""
    for text in arguments.then:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise OptionError(f"{text!r} sets nothing.", "Write NAME=VALUE, as in guidance=1.")
        if name in ("seed", "model", "device"):
            raise OptionError(f"A fork cannot have another {name}.", "For another seed, add --noise N.")
        change = change_of(name, value.strip())
        replace(request, **{key: each for key, each in change.items() if key != "options"})
        yield Wanted(change, f"{name} {value.strip()}")
    if arguments.noise is None and arguments.u_turn is None and arguments.count is not None:
        raise OptionError(
            "There is a --count of forks with other noise.", "Add --noise N or --u-turn N, the first of the seeds."
        )
    if arguments.noise is not None:
        for seed in _seeds(arguments.noise, arguments.count or 1, request.seed):
            yield Wanted({"seed": seed}, f"noise of seed {seed}", is_of_noise=True)
    if arguments.u_turn is not None:
        for seed in _seeds(arguments.u_turn, arguments.count or 1, request.seed):
            yield Wanted({"seed": seed}, f"U-turn, noise of seed {seed}", is_u_turn=True)
    painting = painting_of(arguments)
    if painting is not None:
        yield Wanted({}, f"painted, {painting.words}", painting=painting)


def _with_copied(wanted: Wanted, whole: Trajectory, arguments: argparse.Namespace) -> Wanted:
    if wanted.painting is None:
        return wanted
    return replace(wanted, painting=with_copied(wanted.painting, whole, arguments.at, arguments.copy_from))


def _seeds(first: int, count: int, own: int) -> Iterator[int]:
    """So many seeds from the first on, without the run's own, whose noise is in it already; refused as the first."""
    if first == own:
        raise OptionError(f"The noise of seed {first} is that of the run itself.", "Choose another seed.")
    return itertools.islice((seed for seed in itertools.count(first) if seed != own), count)


def _whole(engine: Engine, request: RunRequest, interruption: Interruption, bar: ProgressBar) -> Trajectory:
    from sculptor_app.diffusion.sampling.sample import whole_run

    def show(run: Trajectory) -> None:
        if not run.last:
            bar.say("")
            bar.note(engine.notes)
        bar.move_to(run.last)

    return whole_run(engine, request, interruption.event, show)


def _fork(engine: Engine, whole: Trajectory, at: int, wanted: Wanted, interruption: Interruption) -> Trajectory:
    from sculptor_app.diffusion.studies.fork import fork
    from sculptor_app.diffusion.studies.parting import parted, parting_of_noise

    request = whole.info.request
    change = dict(wanted.change)
    if "options" in change:
        change["options"] = request.option_values | change["options"]
    parting = Parting.U_TURN if wanted.is_u_turn else Parting.OWN_STATE
    if wanted.is_of_noise:
        parting = parting_of_noise(whole)
    if wanted.painting is not None:
        parting = Parting.PAINTED
    new = replace(request, **change)
    at, state = parted(whole, at, parting, new.seed, wanted.painting)
    how: dict[str, Any] = {"state": state, "parting": parting, "painting": wanted.painting}
    made: Trajectory | None = None
    with ProgressBar(f"{wanted.caption[:1].upper()}{wanted.caption[1:]}", whole.planned_steps - at, "step") as bar:
        for event in fork(whole, at, engine, interruption.event, new, **how):
            made = event.trajectory
            bar.plan(made.planned_steps - at)
            bar.move_to(made.last - at)
    if interruption.event.is_set():
        raise Cancelled
    assert made is not None
    made.info = replace(made.info, latent_map=whole.info.latent_map)
    return made


def _save_each(arguments: argparse.Namespace, runs: list[Trajectory], interruption: Interruption) -> None:
    """Save all of them under their numbers, the run itself as 0."""
    from sculptor_app.exports.animation.options import Disclosure
    from sculptor_app.exports.formats import FORMATS, Export

    folder: Path = arguments.save_each
    folder.mkdir(exist_ok=True)
    row = FORMATS["sculpt"]
    width = len(str(len(runs) - 1))
    for number, each in enumerate(runs):
        path = folder / f"fork-{number:0{width}}{row.suffix}"
        row.write(path, Export(each, stop=interruption.event, disclosure=Disclosure(arguments.metadata)))
    say(f"{len(runs)} runs saved in {folder}", stderr())
