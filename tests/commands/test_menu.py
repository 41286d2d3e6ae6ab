"""The start menu's entry: quoted right, written, launched, removed."""

import configparser
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app import identity
from sculptor_app.commands import menu

ROOT = Path(__file__).parents[2]
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the menu of files is Linux's")


def unquoted(line: str) -> list[str]:
    """What a desktop makes of an Exec line, by the specification: first the string's escapes, then the quoting."""
    line = line.replace("\\\\", "\\").replace("%%", "%")
    words, word, quoted, escaped, begun = [], "", False, False, False
    for char in line:
        if escaped:
            word, escaped = word + char, False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted, begun = not quoted, True
        elif char == " " and not quoted:
            words, word, begun = [*words, word] if begun or word else words, "", False
        else:
            word += char
    return [*words, word] if begun or word else words


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["/usr/bin/sculptor-app"], "/usr/bin/sculptor-app"),
        (["sh", "/home/ann/my pictures/start.sh"], 'sh "/home/ann/my pictures/start.sh"'),
        (["/a$b"], '"/a\\\\$b"'),
        (["/100%"], "/100%%"),
        (['/say "hi"'], '"/say \\\\"hi\\\\""'),
        (["/back\\slash"], '"/back\\\\\\\\slash"'),
    ],
)
def test_known_quotings(arguments, expected):
    assert menu.exec_line(arguments) == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=4))
def test_every_argument_comes_back_whole(arguments):
    assert unquoted(menu.exec_line(arguments)) == arguments


def test_a_path_with_a_line_break_is_refused():
    with pytest.raises(menu.MenuError, match="move the program to another folder"):
        menu.exec_line(["/two\nlines"])


def test_the_packaged_entry_is_the_one_that_the_program_writes():
    packaged = ROOT / "packaging" / f"{identity.APP_ID}.desktop"
    assert packaged.read_text(encoding="utf-8") == menu.entry_text(identity.COMMAND)
    kind = ROOT / "packaging" / f"{identity.APP_ID}.mime.xml"
    assert kind.read_text(encoding="utf-8") == menu.file_kind_text()


@linux_only
def test_install_writes_the_entry_and_every_icon(own_folders):
    written = menu.install()
    data = own_folders / "data"
    assert written[0] == data / "applications" / f"{identity.APP_ID}.desktop"
    assert written[-1] == data / "mime" / "packages" / f"{identity.APP_ID}.xml"
    names = {str(file.relative_to(data / "icons" / "hicolor").parent) for file in written[1:-1]}
    sizes = {f"{size}x{size}/apps" for size in (16, 22, 24, 32, 48, 64, 128, 256, 512)}
    assert names == {*sizes, "scalable/apps"}
    assert all(file.stat().st_size > 0 for file in written)


@linux_only
@pytest.mark.skipif(not shutil.which("update-mime-database"), reason="shared-mime-info is not installed")
def test_file_managers_know_a_saved_run_and_what_opens_it(own_folders, monkeypatch):
    menu.install()
    (own_folders / "x.sculpt").write_bytes(b"PK\3\4")
    monkeypatch.setenv("XDG_DATA_DIRS", f"{own_folders}/none:/usr/share")
    asked = ["gio", "info", "-a", "standard::content-type", own_folders / "x.sculpt"]
    said = subprocess.run(asked, capture_output=True, text=True)
    assert menu.RUN_TYPE in said.stdout
    opens = subprocess.run(["gio", "mime", menu.RUN_TYPE], capture_output=True, text=True)
    assert f"{identity.APP_ID}.desktop" in opens.stdout


@linux_only
def test_without_the_variable_it_goes_below_home(own_folders, monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME")
    assert menu.install()[0].is_relative_to(own_folders / ".local" / "share" / "applications")


@linux_only
def test_remove_leaves_nothing_and_says_what_went():
    written = menu.install()
    assert sorted(menu.remove()) == sorted(written)
    assert not any(file.exists() for file in written)
    assert menu.remove() == []


@linux_only
def test_a_folder_that_cannot_be_made_is_said(own_folders):
    (own_folders / "data").write_text("in the way")
    with pytest.raises(menu.MenuError, match=r"cannot be written .*Check its permissions"):
        menu.install()


@linux_only
@pytest.mark.skipif(not shutil.which("desktop-file-validate"), reason="desktop-file-utils is not installed")
def test_the_installed_entry_is_valid():
    said = subprocess.run(["desktop-file-validate", menu.install()[0]], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "")


@pytest.mark.skipif(not shutil.which("appstreamcli"), reason="appstream is not installed")
def test_the_metainfo_is_valid():
    metainfo = ROOT / "packaging" / f"{identity.APP_ID}.metainfo.xml"
    said = subprocess.run(["appstreamcli", "validate", "--no-net", metainfo], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.fixture
def started_by_command(tmp_path, monkeypatch):
    """A copy with a command beside its interpreter, in a folder with a space, as an environment of pip's has it."""
    folder = tmp_path / "my programs" / "bin"
    folder.mkdir(parents=True)
    command = folder / identity.COMMAND
    start = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m sculptor_app "$@"'
    command.write_text(f'#!/bin/sh\necho $$ >"{tmp_path}/process"\n{start}\n')
    command.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return command


def test_the_command_beside_the_interpreter_comes_first(started_by_command):
    assert menu.launcher() == [str(started_by_command)]


def test_a_checkout_without_a_command_starts_by_its_script(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert menu.launcher() == ["sh", str(ROOT / "packaging" / "start.sh")]


@linux_only
def test_the_entry_starts_this_program_from_anywhere(started_by_command, tmp_path):
    entry = configparser.ConfigParser(interpolation=None, delimiters="=")
    entry.optionxform = str
    entry.read(menu.install()[0], encoding="utf-8")
    command = unquoted(entry["Desktop Entry"]["Exec"].removesuffix(" %f"))
    said = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert identity.VERSION in said.stdout


@linux_only
@pytest.mark.window
@pytest.mark.skipif(not shutil.which("gio"), reason="gio is not installed")
def test_launched_from_the_menu_a_window_opens(started_by_command, tmp_path, own_folders, qtbot):
    entry = menu.install()[0]
    subprocess.run(["gio", "launch", str(entry)], check=True, timeout=30)
    log = own_folders / "state" / "sculptor-app" / "log" / "sculptor.log"  # begun after the first paint
    qtbot.waitUntil(log.exists, timeout=30_000)
    process = int((tmp_path / "process").read_text())
    os.kill(process, signal.SIGTERM)
    qtbot.waitUntil(lambda: not Path(f"/proc/{process}/cmdline").exists(), timeout=30_000)
