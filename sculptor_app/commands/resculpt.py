"""`sculptor-app resculpt`: a picture is noised part of the way and carved out again."""

import argparse

from sculptor_app.commands import sculpt
from sculptor_app.commands.parsing import Parser, number
from sculptor_app.commands.run_options import (
    add_guidance,
    add_labels,
    add_model,
    add_picture,
    add_sampler,
    add_seed,
    add_steps,
)

EXAMPLES = """examples:
  sculptor-app resculpt holiday.jpg --form bust --material bronze --out bust.gif
  sculptor-app resculpt holiday.jpg --from-level 0.7 --form vase --frames both --out vase.gif
  sculptor-app resculpt --render bust --material bronze --from-level 0.4 --out bronze.png
"""


def add_parser(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "resculpt",
        help="carve a picture again from part of the way into noise",
        description="Lay noise on a picture up to the level of one of the run's steps, and carve on from there: the "
        "higher the level, the less of the picture is left (SDEdit, Meng et al. 2022).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    picture = parser.add_argument_group("what to begin with")
    add_picture(picture)
    picture.add_argument("--from-level", type=number("level", 0, 1), default=0.5, metavar="X",
                         help="share of the steps that are taken: 1 begins with pure noise; 0.5 takes the second half "
                         "of the steps (0.5)")  # fmt: skip
    make = parser.add_argument_group("what to make of it")
    add_labels(make)
    add_seed(make, "the noise that is laid on")
    for add in (add_steps, add_sampler, add_guidance, add_model):
        add(make)
    sculpt.add_files(parser.add_argument_group("what to save"))
    sculpt.add_gif(parser.add_argument_group("how the GIF looks"))
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> int:
    from sculptor_app.commands.resculpt_run import run  # numpy and Pillow come with it

    return run(arguments)
