"""`sculptor-app sculpt`: one run without a window, saved as a GIF, a PNG or numbers."""

import argparse
from pathlib import Path

from sculptor_app.commands.gif_arguments import add_gif_look, gif_options, scale
from sculptor_app.commands.parsing import OneOf, Parser, number, whole_number
from sculptor_app.diffusion.request import FORMS, MATERIALS, MAX_GUIDANCE, MAX_SEED, MAX_STEPS, SAMPLERS
from sculptor_app.exports.gif_options import FRAMES, MAX_SIZE_PX, MIN_SIZE_PX, GifOptions

EXAMPLES = """examples:
  sculptor-app sculpt --form bust --material bronze --seed 7 --out bust.gif
  sculptor-app sculpt --form vase --steps 100 --sampler dpmpp-2m --frames both --plot --out vase.gif
  sculptor-app sculpt --seed 3 --csv energies.csv
  sculptor-app sculpt --form ring --out ring.png
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
    _add_files(parser.add_argument_group("what to save"))
    _add_gif(parser.add_argument_group("how the GIF looks"))
    parser.set_defaults(run=_run, parser=parser)


def _add_run(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--form", action=OneOf, known=FORMS, name="form", help="left free if not given")
    group.add_argument("--material", action=OneOf, known=MATERIALS, name="material", help="left free if not given")
    group.add_argument("--seed", type=whole_number("seed", 0, MAX_SEED), default=7, metavar="N",
                       help="of the noise at the start; the same on every device (7)")  # fmt: skip
    group.add_argument("--steps", type=whole_number("number of steps", 1, MAX_STEPS), default=50, metavar="N",
                       help=f"reverse steps, 1 to {MAX_STEPS} (50)")  # fmt: skip
    group.add_argument("--sampler", action=OneOf, known=SAMPLERS, name="sampler", default="ddim", help="(ddim)")
    group.add_argument("--guidance", type=number("guidance", 0, MAX_GUIDANCE), default=2.0, metavar="X",
                       help="how much form and material count; 1 is none (2)")  # fmt: skip
    group.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:0, mps (auto)")
    group.add_argument("--model", metavar="FOLDER", help="a model in diffusers' format (the embedded one)")


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--out", type=Path, metavar="FILE", help="x.gif: the run; x.png: its last picture")
    group.add_argument("--csv", type=Path, metavar="FILE", help="energy per band and step, SNR, phase and times")


def _add_gif(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--frames", action=OneOf, known=FRAMES, name="frame", default="guess",
                       help="both: the guess beside the noisy state (guess)")  # fmt: skip
    large = group.add_mutually_exclusive_group()
    size = whole_number("size", MIN_SIZE_PX, MAX_SIZE_PX)
    large.add_argument("--size-px", type=size, default=256, metavar="N", help="longer side of a picture (256)")
    large.add_argument("--scale", type=scale, metavar="N", help="or: edge of one of the model's pixels")
    add_gif_look(group, "step", "the last frame", "the noise")


def options_of(arguments: argparse.Namespace, longer_side_px: int | None = None) -> GifOptions:
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
