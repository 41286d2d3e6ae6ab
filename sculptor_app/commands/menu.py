"""`sculptor-app menu install` and `menu remove`: the entry in the start menu."""

import argparse
import sys

from sculptor_app.commands.exit_codes import DONE, NOT_WRITTEN
from sculptor_app.commands.parsing import Parser
from sculptor_app.commands.terminal import say


def add_parser(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser("menu", help="the entry in the start menu", description="The entry in the start menu.")
    deeds = parser.add_subparsers(dest="deed", required=True, metavar="install|remove")
    deeds.add_parser("install", help="put Sculptor into your start menu").set_defaults(run=_install)
    deeds.add_parser("remove", help="take it out again").set_defaults(run=_remove)


def _install(_: argparse.Namespace) -> int:
    from sculptor_app.commands import menu_entry

    try:
        written = menu_entry.install()
    except menu_entry.MenuError as error:
        say(str(error), sys.stderr)
        return NOT_WRITTEN
    say(f"Sculptor is in your start menu ({written[0]}).", sys.stdout)
    return DONE


def _remove(_: argparse.Namespace) -> int:
    from sculptor_app.commands import menu_entry

    try:
        gone = menu_entry.remove()
    except menu_entry.MenuError as error:
        say(str(error), sys.stderr)
        return NOT_WRITTEN
    say("Sculptor is out of your start menu." if gone else "Sculptor was not in your start menu.", sys.stdout)
    return DONE
