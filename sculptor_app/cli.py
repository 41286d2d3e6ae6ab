"""The command `sculptor-app`: the window, or one of the commands that do without."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sculptor_app.commands.terminal import Parser

_COMMANDS = (
    "sculpt", "grid", "fork", "decide", "claims", "check_instrument", "invert", "forward", "saved_run", "reproduce",
    "check_model", "explain", "menu", "atelier", "train", "evaluate",
)  # fmt: skip
"""Modules of `sculptor_app.commands`, in the order in which the help lists them."""
RUN_SUFFIX = ".sculpt"
"""Of saved runs, as in `exports.formats`, which this must not import."""
_WITHOUT_TORCH = ("saved_run", "explain", "menu")


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says.

    Args:
        argv: the arguments after the program's name; None takes those of this process, whose signals and streams are
            the program's own then.

    Returns:
        The exit code; see `sculptor_app.commands.terminal`.
    """
    from sculptor_app.commands import process

    if argv is None:
        return process.carry_out(lambda: _run(None))
    try:
        return _run(argv)
    except (Exception, KeyboardInterrupt) as error:
        return process.explained(error)


def _run(argv: Sequence[str] | None) -> int:
    from sculptor_app.commands import terminal
    from sculptor_app.commands.window import open_window

    arguments = make_parser().parse_args(_with_option(sys.argv[1:] if argv is None else list(argv)))
    if argv is None and not _has_current_folder():
        terminal.say("The current folder is gone; change to another one and start again.", terminal.stderr())
        return terminal.BAD_INPUT
    if argv is None and arguments.run is not open_window:
        if arguments.run.__module__.rpartition(".")[2] not in _WITHOUT_TORCH:
            terminal.require_addresses(terminal.LEAST_ADDRESSES)
        terminal.keep_streams()
    return int(arguments.run(arguments))


def _with_option(arguments: list[str]) -> list[str]:
    """A saved run by itself, as file managers give it, stands for `--open` and that run."""
    if len(arguments) == 1 and arguments[0].lower().endswith(RUN_SUFFIX) and not arguments[0].startswith("-"):
        return ["--open", *arguments]
    return arguments


def _has_current_folder() -> bool:
    """Whether the folder that relative paths begin in is there; without it torch's MKL ends the process."""
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        return False
    return True


def make_parser() -> Parser:
    """The parser of the whole command line; imports neither torch nor Qt."""
    import argparse
    import importlib

    from sculptor_app import identity
    from sculptor_app.commands import terminal
    from sculptor_app.commands.terminal import Parser
    from sculptor_app.commands.window import open_window

    parser = Parser(
        prog=identity.COMMAND,
        description=f"{identity.NAME}: {identity.SUMMARY[0].lower()}{identity.SUMMARY[1:]}. Opens the window if no "
        "command is named.",
        epilog=terminal.EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{identity.NAME} {identity.VERSION}")
    parser.add_argument(
        "--model", type=terminal.model_address, metavar="FOLDER", help="open the window with this model"
    )
    parser.add_argument(
        "--open", type=terminal.file_path, metavar=f"FILE{RUN_SUFFIX}", dest="opened",
        help=f"open the window on a saved run; `{identity.COMMAND} FILE{RUN_SUFFIX}` does the same",
    )  # fmt: skip
    parser.set_defaults(run=open_window)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for name in _COMMANDS:
        importlib.import_module(f"sculptor_app.commands.{name}").add_parsers(commands)
    return parser
