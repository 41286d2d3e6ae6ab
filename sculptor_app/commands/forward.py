"""`sculptor-app forward`: the forward process on a picture, without a window and without a model."""

from __future__ import annotations

import argparse
import threading
from typing import TYPE_CHECKING

from sculptor_app.commands.run_options import check_picture, rendered, say_changes
from sculptor_app.commands.saving import (
    add_files,
    add_look,
    animation_options,
    check_files,
    run_checked,
    scale,
    write_files,
)
from sculptor_app.commands.terminal import Interruption, OneOf, Parser, ProgressBar, file_path, whole_number
from sculptor_app.core.requests.request import FORMS, MATERIALS, MAX_SEED, MAX_STEPS
from sculptor_app.exports.animation.options import MAX_SIZE_PX, MIN_SIZE_PX, AnimationOptions

if TYPE_CHECKING:
    from sculptor_app.core.pictures.file import OpenedPicture
    from sculptor_app.core.trajectory.forward import ForwardTrajectory

EXAMPLES = """examples:
  sculptor-app forward holiday.jpg --out drowned.gif
  sculptor-app forward holiday.jpg --noise fresh --caption --plot --out drowned.gif --numbers energies.csv
  sculptor-app forward --render bust --material bronze --seed 3 --out bust.gif
"""
ONE, FRESH = "one", "fresh"


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "forward",
        help="drown a picture in noise",
        description="Lay noise on a picture, layer by layer on the cosine schedule, until nothing of it is left: what "
        "a model learns to undo. Films and the window count layers: 0 is the picture, the last is the noise. A table "
        "numbers states as in a run of a model: 0 is the noise, the last is the picture.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_picture(parser.add_argument_group("what to drown, and how"))
    files = parser.add_argument_group("what to save")
    add_files(files, {"animation": "all of it", "still": "the noise at its end"},
              "energy per band, noise floor and what is drowned")  # fmt: skip
    look = parser.add_argument_group("how the GIF looks")
    look.add_argument("--scale", type=scale, default=1, metavar="N", help="edge of one of the picture's pixels (1)")
    add_look(look, "layer", "the picture and for the last layer", "the picture")
    parser.set_defaults(run=run, parser=parser)


def _add_picture(group: argparse._ArgumentGroup) -> None:
    group.add_argument("picture", type=file_path, nargs="?", metavar="PICTURE", help="a file that holds a picture")
    group.add_argument("--render", action=OneOf, known=FORMS, name="form",
                       help="or: a sculpture, rendered from the seed")  # fmt: skip
    group.add_argument("--material", action=OneOf, known=MATERIALS, name="material", help="of the sculpture (marble)")
    group.add_argument("--size-px", type=whole_number("size", MIN_SIZE_PX, MAX_SIZE_PX), default=256, metavar="N",
                       help="longer side of what is drowned; a smaller picture stays as it is (256)")  # fmt: skip
    group.add_argument("--steps", type=whole_number("number of steps", 1, MAX_STEPS), default=50, metavar="N",
                       help=f"layers of noise, 1 to {MAX_STEPS} (50)")  # fmt: skip
    group.add_argument("--seed", type=whole_number("seed", 0, MAX_SEED), default=7, metavar="N",
                       help="of the noise, and of the sculpture (7)")  # fmt: skip
    group.add_argument("--noise", action=OneOf, known=(ONE, FRESH), name="noise", default=ONE,
                       help="one: the same noise grows; fresh: each layer is noise of its own (one)")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""

    def work(_: None, interruption: Interruption) -> None:
        from sculptor_app.core.trajectory.forward import run_forward_process  # numpy comes with it
        from sculptor_app.measures.forward import ForwardMeasures

        opened = _opened(arguments)
        options = _options(arguments, max(opened.frame.shape[1:]))
        trajectory = run_forward_process(opened.frame, opened.name, steps=arguments.steps, seed=arguments.seed,
                                         fresh=arguments.noise == FRESH)  # fmt: skip
        _draw(trajectory, interruption.event)
        write_files(arguments, options, trajectory, ForwardMeasures.of(trajectory), 0, interruption)

    return run_checked(lambda: _check(arguments), work)


def _check(arguments: argparse.Namespace) -> None:
    check_picture(arguments, "There is nothing to drown.", ("material",))
    check_files(arguments)
    _options(arguments, MIN_SIZE_PX)


def _options(arguments: argparse.Namespace, longer_side_px: int) -> AnimationOptions:
    return animation_options(arguments, "noisy", max(MIN_SIZE_PX, arguments.scale * longer_side_px), into_noise=True)


def _opened(arguments: argparse.Namespace) -> OpenedPicture:
    if arguments.render is not None:
        return rendered(arguments.render, arguments.material, arguments.seed, arguments.size_px)
    from sculptor_app.core.pictures.file import open_picture  # numpy and Pillow come with it

    opened = open_picture(arguments.picture, longest_px=arguments.size_px)
    say_changes(opened)
    return opened


def _draw(trajectory: ForwardTrajectory, stop: threading.Event) -> None:
    with ProgressBar("Drowning", trajectory.planned_steps if trajectory.fresh else 0, "layer") as bar:
        trajectory.draw(bar.move_to, stop)
