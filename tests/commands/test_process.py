"""The process around a command: no traceback, whatever the arguments, the streams and the surroundings are."""

import argparse
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sculptor_app import logs
from sculptor_app.cli import make_parser
from sculptor_app.commands import process, terminal
from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.models.verdict import Finding, ModelRefused, Severity, Verdict
from sculptor_app.resources import ResourceError
from tests.commands.test_cli import PROGRAM, ROOT, run


def parsers_below(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers_below(below)


def test_an_empty_path_is_refused_by_every_option_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A new option with a path has to take the same converter."""
    places = ("FILE", "FOLDER", "PICTURE", "MODEL")
    parsers = list(parsers_below(make_parser()))
    asked = [(parser, action) for parser in parsers for action in parser._actions if action.metavar in places]
    assert len(asked) > 20
    for parser, action in asked:
        with pytest.raises(SystemExit) as left:
            parser.parse_args([*action.option_strings[:1], ""])
        assert left.value.code == 2
        told = capsys.readouterr().err
        assert told.startswith("The path is empty; write the name of a file or folder."), (parser.prog, action.dest)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (BrokenPipeError(), 0, ""),
        (terminal.OutputFailed("No space left on device"), 5, "The output could not be written (No space left on"),
        (MemoryError(), 1, "There is too little memory for this."),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 1, "There is too little memory for this."),
        (OSError(errno.ENOSPC, "No space left on device"), 5, "There is no room for what the program writes while it"),
        (OSError(errno.EFBIG, "File too large"), 5, "There is no room for what the program writes while it works."),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), 5, "There is no room for"),
        (ImportError("libtorch.so: failed to map segment from shared object"), 1, "There is too little memory"),
        (ImportError("No module named 'torch'"), 1, "A part of the program cannot be loaded (No module named 'torch')"),
        (ResourceError("models is missing: this copy of Sculptor is not whole."), 1, "models is missing: this copy"),
        (ModelFolderError("It holds none.", "Choose another."), 3, "It holds none. Choose another."),
        (
            ZeroDivisionError("by \x1b[31mnought"),
            1,
            "Something went wrong inside Sculptor (ZeroDivisionError: by \ufffd",
        ),
        (ValueError("x" * 10**6), 1, "Something went wrong inside Sculptor (ValueError: xxx"),
    ],
)
def test_whatever_nobody_caught_is_one_sentence(
    error: BaseException, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert process.explained(error) == code
    finally:
        logs.stop()
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(sentence)
    assert len(told.err) < 5_000
    assert told.err.count("\n") == (1 if sentence else 0)


def test_a_full_disk_under_the_output_is_told_and_under_the_errors_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", full)
        terminal.say("lost", terminal.stderr())
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(terminal.OutputFailed, match="No space left on device"):
            terminal.say("lost", terminal.stdout())
        with pytest.raises(OSError):  # what it still holds
            full.flush()
        process._discard(full)


@pytest.mark.parametrize(
    ("redirection", "code", "sentence"),
    [
        (">/dev/full", 5, "The output could not be written (No space left on device).\n"),
        (">/dev/full 2>/dev/full", 5, ""),
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("| true", 0, ""),
    ],
)
def test_no_stream_makes_python_complain(redirection: str, code: int, sentence: str, tmp_path: Path) -> None:
    script = f'set -o pipefail; "$@" --help {redirection}'
    done = subprocess.run(["bash", "-c", script, "sh", *PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, sentence)


@pytest.mark.parametrize(
    ("module", "arguments", "sentence"),
    [
        ("sculptor_app.cli", ["--version"], ""),
        ("sculptor_app.commands.process", ["--version"], ""),
        ("sculptor_app.diffusion", ["sculpt", "--out", "x.gif"], "Interrupted; nothing was written.\n"),
    ],
)
def test_a_signal_while_modules_are_imported_ends_at_once(module: str, arguments: list[str], sentence: str) -> None:
    program = (
        "import os, runpy, signal, sys\n"
        "class AtImport:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        if name == 'torch':\n"
        "            os._exit(1)\n"
        "sys.meta_path.insert(0, AtImport())\n"
        f"sys.argv = ['sculptor-app', *{arguments!r}]\n"
        "runpy.run_module('sculptor_app', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", sentence)


def test_a_missing_package_is_named_even_if_the_log_needs_it() -> None:
    program = (
        "import runpy, sys\n"
        "sys.modules['platformdirs'] = None\n"
        "sys.argv = ['sculptor-app', 'sculpt', '--help']\n"
        "runpy.run_module('sculptor_app', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("A part of the program cannot be loaded (import of platformdirs halted;")
    assert done.stderr.count("\n") == 1


def test_a_current_folder_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    (tmp_path / "gone").mkdir()
    command = ["sh", "-c", script, "sh", str(tmp_path / "gone"), *PROGRAM, "check-model", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "The current folder is gone; change to another one and start again.\n"


@pytest.mark.parametrize("limit_mb", [100, 500, 1000])  # torch aborts the process with 500, and fails oddly with 1000
def test_too_little_memory_to_start_is_one_sentence(limit_mb: int, tmp_path: Path) -> None:
    limited = ["prlimit", f"--as={limit_mb << 20}", *PROGRAM, "sculpt", "--out", str(tmp_path / "x.gif")]
    done = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("There is too little memory for this.")
    assert done.stderr.count("\n") == 1


def test_a_display_that_cannot_be_reached_is_one_sentence() -> None:
    done = run(env={"DISPLAY": ":4321", "QT_QPA_PLATFORM": "xcb", "WAYLAND_DISPLAY": ""})
    assert done.returncode == 1
    assert done.stderr.startswith("The window cannot be opened")
    assert done.stderr.count("\n") == 1


def test_what_libraries_print_goes_to_a_log_and_not_to_the_terminal(tmp_path: Path) -> None:
    program = (
        "import logging, os, sys, warnings\n"
        "from sculptor_app.commands import terminal\n"
        "terminal.keep_streams()\n"
        "print('a print'); warnings.warn('a warning'); logging.getLogger('any').warning('a message')\n"
        "import transformers.utils.logging as theirs\n"
        "theirs.get_logger('transformers.x').warning('of transformers')\n"
        "from tqdm import tqdm\n"
        "list(tqdm(range(3), desc='a bar'))\n"
        "os.write(1, b'by C code\\n'); os.write(2, b'by C code too\\n')\n"
        "for _ in range(3): print('x' * 600_000)\n"
        "terminal.say('to a person', terminal.stdout()); terminal.say('a fault', terminal.stderr())\n"
    )
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("to a person\n", "a fault\n")
    (chatter,) = tmp_path.rglob(logs.LIBRARIES_FILE_NAME)
    written = chatter.read_text()
    for words in ("a print", "a warning", "a message", "of transformers", "a bar", "by C code\n", "by C code too\n"):
        assert words in written
    assert len(written) < logs.MOST_BYTES + 10_000
    assert chatter.stat().st_mode & 0o77 == 0


def test_what_is_said_of_a_fault_is_harmless_and_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("\x1b]0;title\x07 a\u202eb\r\n" + "x" * 100_000, terminal.stderr())
    told = capsys.readouterr().err
    assert told.startswith("\ufffd]0;title\ufffd a\ufffdb\ufffd\nxxx")
    assert len(told) == terminal.MOST_ERROR + len("…\n")


def test_commands_write_to_the_programs_own_streams() -> None:
    """What goes to Python's streams goes to the log of the libraries in a process of the program's own."""
    of_all = re.compile(r"\bsys\.std(out|err)\b|\bprint\(")
    files = list((ROOT / "sculptor_app" / "commands").glob("*.py"))
    users = {each.stem for each in files if of_all.search(each.read_text(encoding="utf-8"))}
    assert users == {"terminal", "process"}


def test_a_refusal_of_45_000_reasons_is_cut_to_ten_and_a_count_and_json_has_all() -> None:
    from sculptor_app.commands.check_model import _as_dict, _lines

    notes = (Finding("A note.", "", Severity.NOTE),)
    verdict = Verdict(Path("m"), findings=notes + tuple(Finding(f"Part {n}.", "Bad.") for n in range(45_000)))
    lines = list(_lines(verdict, None, "CPU", tried=False))
    assert lines[1:3] == ["Refused, for 45000 reasons:", "  Part 0. Bad."]
    assert lines[11:] == ["  Part 9. Bad.", "  and 44,991 more; --json lists all"]
    assert len(_as_dict(verdict, None, "cpu", tried=False)["findings"]) == 45_001
    assert str(ModelRefused(verdict.findings)) == (
        "Part 0. Bad. There are 44,999 more; `sculptor-app check-model --json` lists all."
    )
    few = ModelRefused(verdict.findings[:10])
    assert few.advice == "Bad. There are 8 more; `sculptor-app check-model` lists all."
