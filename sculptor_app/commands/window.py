"""The window, opened when no command is named, and the check for a display: Qt would end the process without one.

The standard library alone at import time: the installer asks here before anything is installed.
"""

import argparse
import os
import sys
from collections.abc import Mapping

from sculptor_app.commands.terminal import BAD_INPUT, UNEXPECTED, keep_streams, require_addresses, say, stderr

_OWN_SCREENS = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs", "directfb")
"""Platforms of Qt's that need neither X11 nor Wayland."""


LEAST_ADDRESSES = 3 << 29
"""Bytes of addresses for the window; with fewer, Qt or torch aborts the process."""


def missing_display(environ: Mapping[str, str] | None = None, platform: str | None = None) -> str:
    """Why no window can be opened and what to do instead; empty when one can be tried.

    Args:
        environ: Environment to look at; None is this process's own.
        platform: As in `sys.platform`; None is this machine's.
    """
    environ = os.environ if environ is None else environ
    platform = sys.platform if platform is None else platform
    if platform in ("win32", "darwin", "cygwin"):
        return ""
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return ""
    if environ.get("QT_QPA_PLATFORM", "").split(":")[0] in _OWN_SCREENS:
        return ""
    return (
        "There is no display to open a window on: neither DISPLAY nor WAYLAND_DISPLAY is set.\n"
        "Start Sculptor from a desktop session (over ssh: with ssh -X), or run it without a window, for instance:\n"
        "    sculptor-app sculpt --form bust --material bronze --seed 7 --out bust.gif"
    )


def open_window(arguments: argparse.Namespace) -> int:
    """Open the window and stay until it is closed; returns the exit code."""
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
    except SculptorError as error:
        say(str(error), stderr())
        return BAD_INPUT
    return int(main(argv, lambda sentence: say(sentence, stderr()), keep_streams))
