"""start.sh: arguments, displays and Pythons, with an environment that only pretends to be set up."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGING = ROOT / "packaging"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="start.ps1 is Windows' twin of this script")


def fingerprint(name: str) -> str:
    return hashlib.sha256((PACKAGING / name).read_bytes()).hexdigest()


@pytest.fixture
def ready_environment(tmp_path):
    """An environment that is ready by its note, whose Python prints its arguments, one a line."""
    folder = tmp_path / "ready"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    held = {"start": fingerprint("requirements.txt"), "window": "yes", "ready": True, "root": str(ROOT)}
    (folder / "sculptor-setup.json").write_text(json.dumps(held))
    return folder


def start(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if "DISPLAY" not in name and name != "QT_QPA_PLATFORM"}
    settings = {**kept, "SCULPTOR_ENV": str(folder), "SCULPTOR_PYTHON": sys.executable, **environ}
    command = ["sh", str(PACKAGING / "start.sh"), *arguments]
    return subprocess.run(command, env=settings, cwd=folder, capture_output=True, text=True, timeout=60)


def test_arguments_are_passed_on_as_they_are(ready_environment):
    given = ["sculpt", "--seed", "7", "--out", "my bust $HOME.gif", "", "*"]
    said = start(ready_environment, *given)
    assert said.stdout.split("\n")[:-1] == ["-P", "-m", "sculptor_app", *given]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can be without a display")
def test_without_a_display_it_says_so_before_setting_anything_up(tmp_path):
    said = start(tmp_path)
    assert said.returncode == 1
    assert "no display" in said.stderr
    assert "sh packaging/start.sh sculpt" in said.stderr
    assert list(tmp_path.glob("sculptor-setup*")) == []


def test_with_a_display_the_window_is_started(ready_environment):
    said = start(ready_environment, DISPLAY=":0")
    assert said.stdout.split() == ["-P", "-m", "sculptor_app"]


def test_an_old_python_is_refused_with_what_to_do(tmp_path):
    old = tmp_path / "bin"
    old.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (old / name).write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit\nexit 1\n')
        (old / name).chmod(0o755)
    said = start(tmp_path, "--version", PATH=f"{old}:/usr/bin:/bin", SCULPTOR_PYTHON="")
    assert said.returncode == 6
    assert "needs Python 3.11 or newer, and found Python 3.9.2" in said.stderr
    assert "install" in said.stderr.lower()
