"""The set-up: what a start needs, the environment that is made for it, and the words while that takes its time."""

import subprocess
import sys
from pathlib import Path

import pytest

from sculptor_app.cli import make_parser

PACKAGING = Path(__file__).parent.parent / "packaging"
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
        (["runs/bust.sculpt"], True),
        (["--open", "runs/bust.sculpt"], True),
        (["info", "bust.sculpt"], False),
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
