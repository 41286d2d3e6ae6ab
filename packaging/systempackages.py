"""What the operating system itself must bring: found out, installed where that is allowed, else said as a command."""

import ctypes
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

from progress import follow, say

QT = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
X11 = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
TEST_PROGRAMS = {
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "desktop-file-validate": "desktop-file-utils",
    "appstreamcli": "appstream",
    "gio": "libglib2.0-bin",
    "update-mime-database": "shared-mime-info",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
}
FONT = "fonts-dejavu-core"
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")


class SetupError(Exception):
    """The set-up cannot go on; the message says why and what to do."""


def require_venv() -> None:
    """See to it that environments can be made: Debian keeps that part of Python in a package of its own.

    Raises:
        SetupError: It is missing and may not be installed from here.
    """
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    _install([package], "Python's part that makes environments is missing.")
    importlib.invalidate_caches()
    if not importlib.util.find_spec("ensurepip"):
        raise SetupError(
            f"Python's module ensurepip is still missing. Install {package}, then run the same command again."
        )


def require_for_window() -> None:
    """See to it that Qt finds the libraries and a font that a window needs on Linux.

    Raises:
        SetupError: Some are missing and may not be installed from here.
    """
    if not sys.platform.startswith("linux"):
        return
    wanted = {**QT, **X11} if os.environ.get("DISPLAY") else QT
    missing = _missing_libraries(wanted)
    if missing or not _has_font():
        _install(
            [*missing, *([] if _has_font() else [FONT])], "Opening a window needs libraries that are missing here."
        )


def require_for_tests() -> None:
    """See to the libraries, and to the programs with which tests open real windows; without those they run offscreen.

    Raises:
        SetupError: Qt's libraries are missing and may not be installed from here.
    """
    if not sys.platform.startswith("linux"):
        return
    programs = [package for program, package in TEST_PROGRAMS.items() if not shutil.which(program)]
    if programs and not _may_install():
        say(f"Tests that need a real window or a validator are left out. To have them: {_by_hand(programs)}")
        programs = []
    wanted = {**QT, **X11} if shutil.which("Xvfb") or programs else QT
    packages = [*_missing_libraries(wanted), *([] if _has_font() else [FONT]), *programs]
    if packages:
        _install(packages, "The checks need some packages that are missing here.")


def _missing_libraries(wanted: dict[str, str]) -> list[str]:
    """The packages of those libraries that cannot be loaded."""
    missing = []
    for library, package in wanted.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def _has_font() -> bool:
    folders = [Path(folder).expanduser() for folder in FONT_FOLDERS]
    return any(next(folder.rglob(f"*.{kind}"), None) for folder in folders for kind in ("ttf", "otf", "ttc", "pfb"))


def _may_install() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _by_hand(packages: list[str]) -> str:
    return f"sudo apt install {' '.join(packages)}"


def _install(packages: list[str], why: str) -> None:
    if not _may_install():
        raise SetupError(
            f"{why} On Debian and Ubuntu, install them with\n\n    {_by_hand(packages)}\n\n"
            "(other systems name the packages a little differently), then run the same command again."
        )
    say(f"{why} Installing: {' '.join(packages)}")
    settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "apt.log"
        follow(["apt-get", "update"], log, _AptWords("reading the list of packages"), settings)
        if follow(install, log, _AptWords("installing"), settings) != 0:
            last = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-5:])
            raise SetupError(f"apt-get could not install them:\n{last}\nTry it by hand: {_by_hand(packages)}")


class _AptWords:
    """Apt's lines in short: what is being set up."""

    def __init__(self, doing: str) -> None:
        self._now = doing

    def __call__(self, line: str) -> str | None:
        if not line.startswith("Setting up "):
            return None
        self._now = f"setting up {line.split()[2]}"
        return None

    def beat(self) -> str:
        return self._now
