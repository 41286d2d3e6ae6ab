"""`sculptor-app invert`: the noise that the model carves a given picture out of."""

import argparse
from pathlib import Path

from sculptor_app.commands.parsing import OneOf, Parser, number, whole_number
from sculptor_app.commands.run_options import add_guidance, add_labels, add_model, add_picture, add_seed, add_steps
from sculptor_app.commands.saving import add_gif_look
from sculptor_app.exports.animation.options import MAX_SIZE_PX, MIN_SIZE_PX, PLAIN_FRAMES

EXAMPLES = """examples:
  sculptor-app invert holiday.jpg
  sculptor-app invert holiday.jpg --form bust --out noise.gif --ping-pong --caption
  sculptor-app invert --render bust --render-material bronze --form bust --material bronze --json
"""
LEAST_STEPS, MOST_ITERATIONS, MOST_TOLERANCE, MOST_GRAIN = 2, 1000, 1.0, 0.5


def add_parser(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "invert",
        help="find the noise that a picture is carved out of",
        description="Undo DDIM's steps one after the other, from a picture to the noise that the model carves it out "
        "of; then carve it again from that noise, and say how near it comes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_picture(parser.add_argument_group("what to begin with"))
    how = parser.add_argument_group("how to undo the steps")
    add_labels(how)
    add_steps(how, LEAST_STEPS)
    add_guidance(how, 1.0)
    how.add_argument("--iterations", type=whole_number("number of iterations", 0, MOST_ITERATIONS), default=30,
                     metavar="N", help="of a step at most; 0 is the usual, inexact inversion (30)")  # fmt: skip
    how.add_argument("--tolerance", type=number("tolerance", 0, MOST_TOLERANCE), default=1e-4, metavar="X",
                     help="what an iteration may still change of a solved step (0.0001)")  # fmt: skip
    how.add_argument("--grain", type=number("grain", 0, MOST_GRAIN), default=0.05, metavar="X",
                     help="share of noise up to which the picture's states have drawn grain; 0 finds every state, and "
                     "brings the very picture back, but outlines of it stay in the noise (0.05)")  # fmt: skip
    add_seed(how, "the grain")
    add_model(how)
    _add_files(parser.add_argument_group("what to say and save"))
    look = parser.add_argument_group("how the GIF looks")
    look.add_argument("--frames", action=OneOf, known=PLAIN_FRAMES, name="frame", default="noisy",
                      help="both: the guess beside the noisy state (noisy)")  # fmt: skip
    look.add_argument("--size-px", type=whole_number("size", MIN_SIZE_PX, MAX_SIZE_PX), default=256, metavar="N",
                      help="longer side of a picture (256)")  # fmt: skip
    add_gif_look(look, "step", "the picture and for the noise", "the picture")
    parser.set_defaults(run=_run, parser=parser)


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", action="store_true", help="say it as JSON")
    group.add_argument("--out", type=Path, metavar="FILE", help="x.gif: the way to the noise; x.png: the noise")
    group.add_argument("--csv", type=Path, metavar="FILE", help="energy per band and step on the way")


def _run(arguments: argparse.Namespace) -> int:
    from sculptor_app.commands.invert_run import run  # numpy and Pillow come with it

    return run(arguments)
