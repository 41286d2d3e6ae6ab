"""`sculptor-app sculpt`: one run without a window, saved as a GIF, a PNG or numbers."""

import argparse
from pathlib import Path

from sculptor_app.commands.parsing import OneOf, Parser, whole_number
from sculptor_app.commands.run_options import (
    add_conditions,
    add_guidance,
    add_labels,
    add_model,
    add_sampler,
    add_seed,
    add_steps,
)
from sculptor_app.commands.saving import add_gif_look, gif_options, scale
from sculptor_app.exports.animation.options import FRAMES, MAX_SIZE_PX, MIN_SIZE_PX, AnimationOptions

EXAMPLES = """examples:
  sculptor-app sculpt --form bust --material bronze --seed 7 --out bust.gif
  sculptor-app sculpt --form vase --steps 100 --sampler dpmpp-2m --frames both --plot --out vase.gif
  sculptor-app sculpt --seed 3 --csv energies.csv
  sculptor-app sculpt --form ring --out ring.png
  sculptor-app sculpt --model FOLDER --sampler model --guidance 7.5 --prompt "a marble lion" --out lion.gif
"""


def add_parser(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "sculpt",
        help="make a picture without a window",
        description="Run the model once and save how the picture came out of the noise.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_run(parser.add_argument_group("what to make"))
    add_files(parser.add_argument_group("what to save"))
    add_gif(parser.add_argument_group("how the GIF looks"))
    parser.set_defaults(run=_run, parser=parser)


def _add_run(group: argparse._ArgumentGroup) -> None:
    add_labels(group)
    add_seed(group, "the noise at the start")
    for add in (add_steps, add_sampler, add_guidance, add_model, add_conditions):
        add(group)


def add_files(group: argparse._ArgumentGroup) -> None:
    """Add what a run is saved as."""
    group.add_argument("--out", type=Path, metavar="FILE", help="x.gif: the run; x.png: its last picture")
    group.add_argument("--csv", type=Path, metavar="FILE", help="energy per band and step, SNR, phase and times")


def add_gif(group: argparse._ArgumentGroup) -> None:
    """Add how a run's GIF looks."""
    group.add_argument("--frames", action=OneOf, known=FRAMES, name="frame", default="guess",
                       help="both: the guess beside the noisy state; guesses: both guesses of guidance beside the one "
                       "that they make (guess)")  # fmt: skip
    large = group.add_mutually_exclusive_group()
    size = whole_number("size", MIN_SIZE_PX, MAX_SIZE_PX)
    large.add_argument("--size-px", type=size, default=256, metavar="N", help="longer side of a picture (256)")
    large.add_argument("--scale", type=scale, metavar="N", help="or: edge of one of the model's pixels")
    add_gif_look(group, "step", "the last frame", "the noise")


def options_of(arguments: argparse.Namespace, longer_side_px: int | None = None) -> AnimationOptions:
    """The GIF's options as they were typed.

    Args:
        arguments: of this command.
        longer_side_px: of the run's pictures, for `--scale`; None while it is not known.

    Raises:
        OptionError: a value is outside what is allowed.
    """
    size = arguments.size_px
    if arguments.scale is not None and longer_side_px is not None:
        size = arguments.scale * longer_side_px
    return gif_options(arguments, arguments.frames, size)


def _run(arguments: argparse.Namespace) -> int:
    from sculptor_app.commands.sculpt_run import run  # numpy and Pillow come with it

    return run(arguments)
