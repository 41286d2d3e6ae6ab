"""Opening the window, which is what the program does when no command is named."""

import argparse
import sys

from sculptor_app.commands.exit_codes import UNEXPECTED
from sculptor_app.commands.terminal import say


def open_window(arguments: argparse.Namespace) -> int:
    """Open the window and stay until it is closed.

    Returns:
        The exit code.
    """
    from sculptor_app.commands.display import missing_display

    missing = missing_display()
    if missing:
        say(missing, sys.stderr)
        return UNEXPECTED
    try:
        from sculptor_app.ui.app import main
    except ImportError as error:
        if not (error.name or "").startswith(("PySide6", "shiboken6")) and "cannot open shared object" not in str(
            error
        ):
            raise
        say(f"The window cannot be opened: Qt is not complete ({error}). Start `sh packaging/start.sh`, which installs "
            "what is missing, or work without a window: `sculptor-app sculpt --help`.", sys.stderr)  # fmt: skip
        return UNEXPECTED
    return int(main(["--model", arguments.model] if arguments.model else []))
