"""The check for a display: without one, Qt would end the process.

The standard library alone: the installer asks here before anything is installed.
"""

import os
import sys
from collections.abc import Mapping

_OWN_SCREENS = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs", "directfb")
"""Platforms of Qt's that need neither X11 nor Wayland."""


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
