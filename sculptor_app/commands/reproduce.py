"""`sculptor-app reproduce`: make a saved run again, and say whether it is the same, bit for bit."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from sculptor_app.commands.run_options import add_model, bring_model
from sculptor_app.commands.saving import run_checked
from sculptor_app.commands.terminal import RUN_FAILED, Interruption, Parser, ProgressBar, file_path, say, stderr, stdout
from sculptor_app.core.texts import number_text, plural
from sculptor_app.exports.files import OptionError

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import RunInfo
    from sculptor_app.core.trajectory.comparison import Comparison
    from sculptor_app.core.trajectory.file import SavedTrajectory

EXAMPLES = """examples:
  sculptor-app reproduce bust.sculpt
  sculptor-app reproduce lion.sculpt --model FOLDER --json
exit code 0 if every state is the same, bit for bit, and 4 if one is not.
"""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "reproduce",
        help="make a saved run again, and say whether it is the same",
        description="Make a saved run again with the settings that its file tells, and compare every state with the "
        "saved one. The two part where something is not as it was: the model, a library, the device. A file tells no "
        "folders: name that of the model, unless it is the embedded one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_file", type=file_path, metavar="FILE", help="a run that `--save` wrote")
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="for a program to read")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""
    is_same = False

    def check() -> SavedTrajectory:
        from sculptor_app.core.trajectory.comparison import why_not_repeatable
        from sculptor_app.core.trajectory.file import open_run

        saved = open_run(arguments.run_file)
        if reason := why_not_repeatable(saved):
            raise OptionError(reason, "Choose a run whose file has what it began with.")
        return saved

    def work(saved: SavedTrajectory, interruption: Interruption) -> None:
        nonlocal is_same
        bring_model(arguments, interruption)
        found, made = _compared(saved, info_to_make(saved, arguments), interruption)
        is_same = found.parted is None
        _say(arguments, saved, found, made)

    code = run_checked(check, work)
    return code or (0 if is_same else RUN_FAILED)


def info_to_make(saved: SavedTrajectory, arguments: argparse.Namespace) -> RunInfo:
    """What is told of a saved run and of those that it left, of the model and on the device that are named here."""
    from sculptor_app.core.trajectory.comparison import with_copied, with_model

    request = saved.info.request
    if request.loras:
        raise OptionError("This run has LoRAs, whose files its file does not hold.", "Choose a run without any.")
    model = arguments.model if arguments.model is not None else request.model
    device = arguments.device if arguments.device != "auto" else request.device
    return with_model(with_copied(saved), None if model is None else str(model), device)


def _compared(saved: SavedTrajectory, info: RunInfo, interruption: Interruption) -> tuple[Comparison, RunInfo]:
    from sculptor_app.core.pictures.start import start_of
    from sculptor_app.core.trajectory.comparison import Comparison
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.diffusion.studies.fork import make_again

    found, made = Comparison(0), None
    with ProgressBar("Making it again", saved.last, "step") as bar:
        engine = Engine(report=bar.say)
        events = make_again(engine, info, interruption.event, start_of(saved))
        for event in events:
            if made is None:
                bar.say("")
                bar.note(engine.notes)
            made = event.trajectory
            while found.states <= min(made.last, saved.last):
                found = found.with_state(saved, made)
            bar.move_to(min(made.last, saved.last))
            if made.last >= saved.last:
                break
        events.close()
    assert made is not None
    return found, made.info


def _say(arguments: argparse.Namespace, saved: SavedTrajectory, found: Comparison, made: RunInfo) -> None:
    from sculptor_app.core.trajectory.comparison import changed_since

    changes = changed_since(saved.info, made)
    if arguments.json:
        told = {
            "states": found.states, "same": found.parted is None, "parted": found.parted,
            "difference": found.difference, "last_difference": found.last_difference, "changed": changes,
            "compact": saved.is_compact,
        }  # fmt: skip
        say(json.dumps(told, indent=2), stdout())
        return
    states = plural(found.states, "1 state", f"{found.states:,} states")
    rounded = ", as rounded as the file is" if saved.is_compact else ""
    if found.parted is None:
        say(f"The same, bit for bit{rounded}: {states}.", stdout())
    else:
        where = "the noise itself" if found.parted == 0 else f"step {found.parted}"
        first, last = (number_text(float(f"{each:.2g}")) for each in (found.difference, found.last_difference))
        say(f"They part at {where}: there the largest difference is {first}, in the last of {states} {last}.", stdout())
    if changes:
        say(f"Not as it was then: {'; '.join(changes)}.", stdout() if found.parted is not None else stderr())
