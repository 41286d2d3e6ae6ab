"""The start scripts, the environment that they make, and the wheel."""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sculptor_app import identity, resources
from sculptor_app.cli import make_parser

ROOT = Path(__file__).parent.parent
PACKAGING = ROOT / "packaging"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="start.ps1 is Windows' twin of this script")


@pytest.fixture
def setup_modules(monkeypatch):
    """The set-up's own modules, as prepare.py sees them."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    monkeypatch.delenv("SCULPTOR_ENV", raising=False)
    import environment
    import prepare
    import progress
    import systempackages

    return {"environment": environment, "prepare": prepare, "progress": progress, "system": systempackages}


@pytest.fixture
def environment(setup_modules, tmp_path):
    folder = tmp_path / "my env"
    folder.mkdir()
    return setup_modules["environment"].Environment(folder, tmp_path)


def pins(*names: str) -> dict[str, str]:
    lines = [line for name in names for line in (PACKAGING / name).read_text(encoding="utf-8").splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(len(pin.specifier) == 1 and next(iter(pin.specifier)).operator == "==" for pin in found)
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in found}


def fingerprint(name: str) -> str:
    return hashlib.sha256((PACKAGING / name).read_bytes()).hexdigest()


# The pinned versions


def test_every_dependency_is_pinned_within_its_bounds():
    locked = pins("requirements.txt")
    for dependency in map(Requirement, PROJECT["dependencies"]):
        assert dependency.specifier.contains(locked[canonicalize_name(dependency.name)]), dependency


def test_every_dependency_of_the_tests_is_pinned_alike():
    locked = pins("requirements.txt", "requirements-test.txt")
    for dependency in map(Requirement, PROJECT["optional-dependencies"]["test"]):
        assert dependency.specifier.contains(locked[canonicalize_name(dependency.name)]), dependency


def test_no_build_for_one_machine_is_pinned():
    assert not [name for name, version in pins("requirements.txt").items() if "+" in version or "nvidia" in name]


# What a start needs


@pytest.mark.parametrize(
    ("arguments", "opens"),
    [
        ([], True),
        (["--model", "my models/bust"], True),
        (["--model", "bust", "sculpt"], False),
        (["--version"], False),
        (["--help"], False),
        (["-h"], False),
        (["sculpt", "--out", "x.gif"], False),
        (["menu", "install"], False),
        (["--model=bust"], True),
    ],
)
def test_whether_a_window_will_be_opened(setup_modules, arguments, opens):
    assert setup_modules["prepare"].opens_window(arguments) is opens


def test_the_set_up_knows_every_option_that_takes_a_value(setup_modules):
    options = [action for action in make_parser()._actions if action.option_strings and action.nargs != 0]
    named = {name for action in options for name in action.option_strings}
    assert set(setup_modules["prepare"].WITH_VALUE) == named


def test_missing_libraries_come_as_the_exact_command(setup_modules, monkeypatch):
    system = setup_modules["system"]
    monkeypatch.setattr(system, "QT", {"libnowhere.so.9": "libnowhere9"})
    monkeypatch.setattr(system, "X11", {})
    monkeypatch.setattr(system, "_may_install", lambda: False)
    monkeypatch.setattr(system.sys, "platform", "linux")
    monkeypatch.setattr(system, "_has_font", lambda: True)
    with pytest.raises(system.SetupError, match=r"(?m)^    sudo apt install libnowhere9$"):
        system.require_for_window()


def test_a_window_on_x11_wants_more_than_one_elsewhere(setup_modules, monkeypatch):
    system, asked = setup_modules["system"], []
    monkeypatch.setattr(system, "_missing_libraries", lambda wanted: asked.append(set(wanted)) or [])
    monkeypatch.setattr(system.sys, "platform", "linux")
    monkeypatch.setattr(system, "_has_font", lambda: True)
    monkeypatch.delenv("DISPLAY", raising=False)
    system.require_for_window()
    monkeypatch.setenv("DISPLAY", ":0")
    system.require_for_window()
    assert "libxcb-cursor.so.0" not in asked[0]
    assert "libxcb-cursor.so.0" in asked[1]
    assert asked[0] < asked[1]


# The environment's state


def test_a_new_folder_holds_nothing(environment):
    assert not environment.usable()
    assert not environment.holds({})


def pretend_made(environment) -> None:
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    environment.mark(ready=True, start="one")


def test_a_set_up_that_was_broken_off_is_seen(environment):
    pretend_made(environment)
    assert environment.holds({"start": "one"})
    environment.mark(ready=False)
    assert not environment.holds({"start": "one"})
    assert not environment.usable()


def test_other_requirements_make_it_stale(environment):
    pretend_made(environment)
    assert not environment.holds({"start": "two"})
    assert not environment.holds({"start": "one", "test": "one"})
    assert environment.usable()  # pip changes what differs; nothing is thrown away


def test_a_checkout_that_was_moved_gets_a_new_one(environment, setup_modules, tmp_path):
    pretend_made(environment)
    assert not setup_modules["environment"].Environment(environment.folder, tmp_path / "moved").usable()


def test_an_environment_whose_python_went_gets_a_new_one(environment):
    pretend_made(environment)
    environment.python.unlink()
    assert not environment.holds({"start": "one"})


@posix_only
def test_made_anew_it_holds_nothing_old_and_starts_the_checkout_from_anywhere(environment, tmp_path):
    (tmp_path / "sculptor_app").mkdir()
    (tmp_path / "sculptor_app" / "__main__.py").write_text("import sys; print(sys.prefix, sys.argv[1:])")
    environment.mark(ready=False)
    (environment.folder / "lib" / "half").mkdir(parents=True)
    environment.make_anew()
    environment.link_checkout()
    assert not (environment.folder / "lib" / "half").exists()
    assert not environment.usable()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "json.py").write_text("raise SystemExit('a stranger was imported')")
    command = [environment.folder / "bin" / "sculptor-app", "sculpt", "--out", "my bust.gif"]
    said = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert said.stdout.strip() == f"{environment.folder} ['sculpt', '--out', 'my bust.gif']"


def test_somebody_elses_folder_is_left_alone(environment, setup_modules):
    (environment.folder / "letter.txt").write_text("dear")
    with pytest.raises(setup_modules["system"].SetupError, match="holds something else already"):
        environment.make_anew()
    assert (environment.folder / "letter.txt").read_text() == "dear"


def test_two_starts_at_once_wait_for_each_other(environment, setup_modules, monkeypatch, capsys):
    module = setup_modules["environment"]
    with environment.lock():
        rival = (environment.folder / environment.LOCK).open("a+b")
        assert not module._try_lock(rival.fileno())
    assert module._try_lock(rival.fileno())

    def rival_ends(_seconds: float) -> None:
        rival.close()

    monkeypatch.setattr(module.time, "sleep", rival_ends)
    with environment.lock():
        assert "waiting for it" in capsys.readouterr().err


@posix_only
def test_a_child_that_outlives_its_start_keeps_the_lock(environment, setup_modules):
    idle = [sys.executable, "-c", "input()"]
    with environment.lock():
        child = subprocess.Popen(idle, stdin=subprocess.PIPE, pass_fds=environment.lock_files)
    with (environment.folder / environment.LOCK).open("a+b") as rival:
        assert not setup_modules["environment"]._try_lock(rival.fileno())
        child.communicate(b"\n")
        assert setup_modules["environment"]._try_lock(rival.fileno())


def test_progress_is_never_silent(setup_modules, tmp_path, monkeypatch, capsys):
    progress, gate = setup_modules["progress"], tmp_path / "gate"
    monkeypatch.setattr(progress, "SILENCE_S", 0.0)

    class Words:
        def __call__(self, line: str) -> str | None:
            return f"heard {line}" if line == "begun" else None

        def beat(self) -> str:
            gate.touch()  # the program below goes on only after this
            return "still at it"

    waits = "import pathlib,sys,time; print('begun', flush=True); gate = pathlib.Path(sys.argv[1])\n"
    waits += (
        "for _ in range(3000): gate.exists() or time.sleep(0.01)\nprint('over'); sys.exit(7 if gate.exists() else 8)"
    )
    log = tmp_path / "log"
    assert progress.follow([sys.executable, "-c", waits, str(gate)], log, Words()) == 7
    assert log.read_text() == "begun\nover\n"
    err = capsys.readouterr().err
    assert "heard begun" in err
    assert "still at it" in err
    assert "over" not in err


def test_pips_words_in_short(setup_modules, environment):
    words = setup_modules["prepare"].PipWords(42, environment)
    assert words("Collecting anyio==4.16.0 (from -r requirements.txt (line 2))") == "1 of 42  anyio"
    assert words("Processing ./wheels/torch-2.13.0-cp311-linux.whl (from -r x (line 3))") == "2 of 42  torch"
    assert words("  Downloading torch.whl (190 MB)") == "downloading torch.whl (190 MB)"
    assert words("Looking in links: somewhere") is None
    assert words("Installing collected packages: a, b") == "unpacking"
    assert words.beat() == "unpacking, 0 of 42 packages in place"


# The scripts


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


@posix_only
def test_arguments_are_passed_on_as_they_are(ready_environment):
    given = ["sculpt", "--seed", "7", "--out", "my bust $HOME.gif", "", "*"]
    said = start(ready_environment, *given)
    assert said.stdout.split("\n")[:-1] == ["-P", "-m", "sculptor_app", *given]


@posix_only
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can be without a display")
def test_without_a_display_it_says_so_before_setting_anything_up(tmp_path):
    said = start(tmp_path)
    assert said.returncode == 1
    assert "no display" in said.stderr
    assert "sh packaging/start.sh sculpt" in said.stderr
    assert list(tmp_path.glob("sculptor-setup*")) == []


@posix_only
def test_with_a_display_the_window_is_started(ready_environment):
    said = start(ready_environment, DISPLAY=":0")
    assert said.stdout.split() == ["-P", "-m", "sculptor_app"]


@posix_only
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


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    program = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return folder / said.stdout.split()[-1]


def test_the_wheel_carries_all_resources_and_the_menu_entry(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = {file.relative_to(resources.root()) for file in resources.root().rglob("*") if file.is_file()}
    assert {f"sculptor_app/_resources/{file.as_posix()}" for file in ours} <= names
    share = f"sculptor_app-{identity.VERSION}.data/data/share"
    assert f"{share}/applications/{identity.APP_ID}.desktop" in names
    assert f"{share}/metainfo/{identity.APP_ID}.metainfo.xml" in names
    assert f"{share}/icons/hicolor/48x48/apps/{identity.APP_ID}.png" in names
    assert not [name for name in names if name.startswith(("tests/", "packaging/"))]


def test_the_program_from_the_wheel_finds_its_resources(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        "import sculptor_app, sys; from sculptor_app import resources; from sculptor_app.cli import main\n"
        "print(sculptor_app.__file__); print(resources.path('icons/app')); sys.exit(main(['--version']))"
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    said = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    module, icons, version = said.stdout.splitlines()
    assert Path(module).is_relative_to(tmp_path)
    assert Path(icons).is_relative_to(tmp_path)
    assert identity.VERSION in version
