"""The window, opened when no command is named."""

import argparse

from sculptor_app.commands.terminal import BAD_INPUT, UNEXPECTED, keep_streams, require_addresses, say, stderr
from sculptor_app.display import missing_display

LEAST_ADDRESSES = 3 << 29
"""Bytes of addresses for the window; with fewer, Qt or torch aborts the process."""


def open_window(arguments: argparse.Namespace) -> int:
    """Open the window and stay until it is closed; returns the exit code."""
    opened = getattr(arguments, "opened", None)
    if opened is not None and not opened.is_file():
        say(f"There is no file {opened}. Choose a run that was saved.", stderr())
        return BAD_INPUT
    missing = missing_display()
    if missing:
        say(missing, stderr())
        return UNEXPECTED
    require_addresses(LEAST_ADDRESSES)
    try:
        from sculptor_app.ui.shell.app import main
    except ImportError as error:
        if not (error.name or "").startswith(("PySide6", "shiboken6")) and "cannot open shared object" not in str(
            error
        ):
            raise
        say(f"The window cannot be opened: Qt is not complete ({error}). Start `sh packaging/start.sh`, which installs "
            "what is missing, or work without a window: `sculptor-app sculpt --help`.", stderr())  # fmt: skip
        return UNEXPECTED
    from sculptor_app.core.errors import SculptorError
    from sculptor_app.session.engine import from_address

    try:
        argv = ["--model", from_address(arguments.model)] if arguments.model else []
        argv += ["--open", str(opened.absolute())] if opened is not None else []
    except SculptorError as error:
        say(str(error), stderr())
        return BAD_INPUT
    return int(main(argv, lambda sentence: say(sentence, stderr()), keep_streams))
