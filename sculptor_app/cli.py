"""The command `sculptor-app`: the window, or one of the commands that do without."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from sculptor_app import identity
from sculptor_app.commands import check_model, explain, forward, invert, menu, sculpt, terminal
from sculptor_app.commands.terminal import Parser, say
from sculptor_app.commands.window import open_window

_COMMANDS_OF_OTHERS = (
    "sculptor_app.commands.atelier",
    "sculptor_app.commands.train",
    "sculptor_app.commands.evaluate",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says.

    Args:
        argv: the arguments after the program's name; None takes those of this process.

    Returns:
        The exit code; see `sculptor_app.commands.terminal`.
    """
    arguments = make_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        say("Interrupted.", sys.stderr)
        return terminal.INTERRUPTED
    except BrokenPipeError:  # whoever read the output has gone, as `| head` does
        return terminal.DONE


def make_parser() -> Parser:
    """The parser of the whole command line; imports neither torch nor Qt."""
    parser = Parser(
        prog=identity.COMMAND,
        description=f"{identity.NAME}: {identity.SUMMARY[0].lower()}{identity.SUMMARY[1:]}. Opens the window if no "
        "command is named.",
        epilog=terminal.EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{identity.NAME} {identity.VERSION}")
    parser.add_argument("--model", metavar="FOLDER", help="open the window with this model")
    parser.set_defaults(run=open_window)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    sculpt.add_parsers(commands)
    invert.add_parser(commands)
    forward.add_parser(commands)
    check_model.add_parser(commands)
    explain.add_parser(commands)
    menu.add_parser(commands)
    for name in _COMMANDS_OF_OTHERS:
        importlib.import_module(name).add_parsers(commands)
    return parser
