"""`sculptor-app forward`: a picture drowns in noise, without a window and without a model."""

import argparse
from pathlib import Path

from sculptor_app.commands.parsing import OneOf, Parser, whole_number
from sculptor_app.commands.saving import add_gif_look, scale
from sculptor_app.core.requests.request import FORMS, MATERIALS, MAX_SEED, MAX_STEPS
from sculptor_app.exports.animation.options import MAX_SIZE_PX, MIN_SIZE_PX

EXAMPLES = """examples:
  sculptor-app forward holiday.jpg --out drowned.gif
  sculptor-app forward holiday.jpg --static fresh --caption --plot --out drowned.gif --csv energies.csv
  sculptor-app forward --render bust --material bronze --seed 3 --out bust.gif
"""
ONE, FRESH = "one", "fresh"


def add_parser(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "forward",
        help="drown a picture in noise",
        description="Lay noise on a picture, layer by layer on the cosine schedule, until nothing of it is left: what "
        "a model learns to undo. States are numbered as in a run of a model: 0 is the noise, the last is the picture.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_picture(parser.add_argument_group("what to drown, and how"))
    files = parser.add_argument_group("what to save")
    files.add_argument("--out", type=Path, metavar="FILE", help="x.gif: all of it; x.png: the noise at its end")
    files.add_argument("--csv", type=Path, metavar="FILE", help="energy per band, noise floor and what is drowned")
    look = parser.add_argument_group("how the GIF looks")
    look.add_argument("--scale", type=scale, default=1, metavar="N", help="edge of one of the picture's pixels (1)")
    add_gif_look(look, "layer", "the picture and for the last layer", "the picture")
    parser.set_defaults(run=_run, parser=parser)


def _add_picture(group: argparse._ArgumentGroup) -> None:
    group.add_argument("picture", type=Path, nargs="?", metavar="PICTURE", help="a file that holds a picture")
    group.add_argument("--render", action=OneOf, known=FORMS, name="form",
                       help="or: a sculpture, rendered from the seed")  # fmt: skip
    group.add_argument("--material", action=OneOf, known=MATERIALS, name="material", help="of the sculpture (marble)")
    group.add_argument("--size-px", type=whole_number("size", MIN_SIZE_PX, MAX_SIZE_PX), default=256, metavar="N",
                       help="longer side of what is drowned; a smaller picture stays as it is (256)")  # fmt: skip
    group.add_argument("--steps", type=whole_number("number of steps", 1, MAX_STEPS), default=50, metavar="N",
                       help=f"layers of noise, 1 to {MAX_STEPS} (50)")  # fmt: skip
    group.add_argument("--seed", type=whole_number("seed", 0, MAX_SEED), default=7, metavar="N",
                       help="of the noise, and of the sculpture (7)")  # fmt: skip
    group.add_argument("--static", action=OneOf, known=(ONE, FRESH), name="static", default=ONE,
                       help="one: the same noise grows; fresh: each layer is noise of its own (one)")  # fmt: skip


def _run(arguments: argparse.Namespace) -> int:
    from sculptor_app.commands.forward_run import run  # numpy and Pillow come with it

    return run(arguments)
