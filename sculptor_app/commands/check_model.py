"""`sculptor-app check-model`: the verdict on a model without a window, with all reasons."""

import argparse

from sculptor_app.commands.parsing import Parser
from sculptor_app.commands.run_options import add_download

EXAMPLES = """examples:
  sculptor-app check-model ~/models/my-model
  sculptor-app check-model model.safetensors --json
  sculptor-app check-model owner/name --no-trial
  sculptor-app check-model owner/name --download

exit codes:
  0    it can be opened
  1    it is refused; the reasons are listed
  2    bad input, or there is no such model
"""


def add_parser(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "check-model",
        help="say whether a model can be opened, and why not",
        description="Judge a model by what lies on the disk, then load it once in a process of its own that may do "
        "little. Nothing that comes with a model is run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a diffusers folder, a safetensors file, or owner/name of a model on the hub"
    )
    add_download(parser)
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="whose memory counts: auto, cpu, cuda … (auto)"
    )
    parser.add_argument("--no-trial", action="store_true", help="judge by the files alone")
    parser.add_argument("--json", action="store_true", help="the verdict for a program to read")
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> int:
    from sculptor_app.commands.check_model_run import run  # torch comes with it

    return run(arguments)
