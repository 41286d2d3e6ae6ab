"""`sculptor-app menu install` and `menu remove`: the start menu of a Linux desktop, and what opens saved runs there."""

import argparse
import contextlib
import os
import shutil
import sys
from pathlib import Path

from sculptor_app import identity, resources
from sculptor_app.commands.terminal import DONE, NOT_WRITTEN, Parser, say, stderr, stdout
from sculptor_app.core.files import expanded, is_folder

SEARCH_WORDS = ("diffusion", "noise", "sampling", "spectrum", "machine learning", "denoise", "scheduler")
RUN_TYPE = "application/x-sculptor-run"
"""The MIME type of a saved run."""
_RESERVED = set(" \t\n\"'\\><~|&;$*?#()`")


class MenuError(Exception):
    """The start menu cannot be changed; the message says why and what to do instead."""


def add_parsers(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser("menu", help="the entry in the start menu", description="The entry in the start menu.")
    deeds = parser.add_subparsers(dest="deed", required=True, metavar="install|remove")
    deeds.add_parser("install", help="put Sculptor into your start menu").set_defaults(run=_install)
    deeds.add_parser("remove", help="take it out again").set_defaults(run=_remove)


def _install(_: argparse.Namespace) -> int:
    try:
        written = install()
    except MenuError as error:
        say(str(error), stderr())
        return NOT_WRITTEN
    say(f"Sculptor is in your start menu ({written[0]}).", stdout())
    for file in resources.missed():
        say(f"It has no icon there: {file} is missing. Install Sculptor again.", stderr())
    return DONE


def _remove(_: argparse.Namespace) -> int:
    try:
        gone = remove()
    except MenuError as error:
        say(str(error), stderr())
        return NOT_WRITTEN
    say("Sculptor is out of your start menu." if gone else "Sculptor was not in your start menu.", stdout())
    return DONE


def install() -> list[Path]:
    """Put Sculptor into this person's start menu, with its icon; returns the files that were written.

    Raises:
        MenuError: This system's menu is not one of files, or the folder cannot be written.
    """
    _require_linux()
    base = _data_home()
    written = []
    try:
        for source, target in _icons(base):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            written.append(target)
        entry = base / "applications" / f"{identity.APP_ID}.desktop"
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(entry_text(exec_line(launcher())), encoding="utf-8")
        kind = _file_kind(base)
        kind.parent.mkdir(parents=True, exist_ok=True)
        kind.write_text(file_kind_text(), encoding="utf-8")
        written.append(kind)
    except OSError as error:
        raise MenuError(
            f"The start menu's folder {base} cannot be written ({error}). Check its permissions."
        ) from error
    _refresh(base)
    return [entry, *written]


def remove() -> list[Path]:
    """Take Sculptor out of this person's start menu; returns the files that were there and are gone.

    Raises:
        MenuError: This system's menu is not one of files, or a file cannot be removed.
    """
    _require_linux()
    base = _data_home()
    try:
        files = [base / "applications" / f"{identity.APP_ID}.desktop", _file_kind(base), *_icons_in_menu(base)]
        gone = [file for file in files if file.exists()]
        for file in gone:
            file.unlink()
    except OSError as error:
        raise MenuError(f"An entry in {base} cannot be removed ({error}). Check its permissions.") from error
    _refresh(base)
    return gone


def entry_text(command: str) -> str:
    """The desktop entry.

    Source: Desktop Entry Specification 1.5, freedesktop.org.
    """
    return (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Version=1.0\n"
        f"Name={identity.NAME}\n"
        "GenericName=Diffusion model viewer\n"
        f"Comment={identity.SUMMARY}\n"
        f"Exec={command} %f\n"
        f"Icon={identity.APP_ID}\n"
        "Terminal=false\n"
        "Categories=Science;ArtificialIntelligence;DataVisualization;\n"
        f"MimeType={RUN_TYPE};\n"
        f"Keywords={';'.join(SEARCH_WORDS)};\n"
        "StartupNotify=true\n"
        f"StartupWMClass={identity.COMMAND}\n"
    )


def file_kind_text() -> str:
    """What saved runs are, for file managers.

    Source: Shared MIME-info Database specification 0.21, freedesktop.org.
    """
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">\n'
        f'  <mime-type type="{RUN_TYPE}">\n'
        f"    <comment>{identity.NAME} run</comment>\n"
        '    <sub-class-of type="application/zip"/>\n'
        '    <glob pattern="*.sculpt"/>\n'
        f'    <icon name="{identity.APP_ID}"/>\n'
        "  </mime-type>\n"
        "</mime-info>\n"
    )


def launcher() -> list[str]:
    """The command that starts this very copy of Sculptor from anywhere."""
    beside = Path(sys.executable).parent / identity.COMMAND
    if beside.is_file():
        return [str(beside)]
    script = Path(__file__).resolve().parents[2] / "packaging" / "start.sh"
    if script.is_file():
        return ["sh", str(script)]
    return [sys.executable, "-P", "-m", "sculptor_app"]


def exec_line(arguments: list[str]) -> str:
    """Arguments as the value of an entry's Exec key.

    Raises:
        MenuError: An argument holds a line break, which an entry cannot.

    Source: Desktop Entry Specification 1.5, "The Exec key".
    """
    return " ".join(_quoted(argument) for argument in arguments)


def _quoted(argument: str) -> str:
    if "\n" in argument or "\r" in argument:
        raise MenuError(f"The path {argument!r} holds a line break; move the program to another folder.")
    argument = argument.replace("%", "%%")  # else a field code
    if not set(argument) & _RESERVED:
        return argument
    inner = "".join(f"\\{char}" if char in '"`$\\' else char for char in argument)
    return '"' + inner.replace("\\", "\\\\") + '"'  # once more, as in every string of an entry


def _icons(base: Path) -> list[tuple[Path, Path]]:
    ours = resources.find("icons/app")
    if ours is None:
        return []
    files = sorted(file for file in ours.rglob(f"{identity.APP_ID}.*") if file.is_file())
    return [(file, base / "icons" / "hicolor" / file.relative_to(ours)) for file in files]


def _icons_in_menu(base: Path) -> list[Path]:
    return sorted((base / "icons" / "hicolor").glob(f"*/apps/{identity.APP_ID}.*"))


def _file_kind(base: Path) -> Path:
    return base / "mime" / "packages" / f"{identity.APP_ID}.xml"


def _data_home() -> Path:
    named = os.environ.get("XDG_DATA_HOME", "")
    return Path(named) if Path(named).is_absolute() else expanded("~") / ".local" / "share"


def _require_linux() -> None:
    if sys.platform == "win32":
        raise MenuError("Windows keeps its own list: right-click packaging\\start.cmd and choose “Send to > Desktop”.")
    if sys.platform == "darwin":
        raise MenuError("macOS has no start menu to write to: start Sculptor with `sh packaging/start.sh`.")


def _refresh(base: Path) -> None:
    """Notify the desktop, where it wants to be notified; an entry works without, only later."""
    icons = base / "icons" / "hicolor"
    with contextlib.suppress(OSError):
        os.utime(icons)  # desktops that watch the folder read it again
    import subprocess  # the window does not wait for it

    for name, folder in (("update-desktop-database", base / "applications"), ("update-mime-database", base / "mime")):
        program = shutil.which(name)
        if program and is_folder(folder):
            subprocess.run([program, str(folder)], check=False, capture_output=True, timeout=30)
