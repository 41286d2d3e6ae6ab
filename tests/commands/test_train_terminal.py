"""What `train` prints: a bar on a terminal, lines in a pipe, and advice on errors."""

import argparse
import io
import os
import sys
from pathlib import Path

import pytest

from sculptor_app.commands.saving import code_of
from sculptor_app.commands.train_recipe import sentence
from sculptor_app.commands.train_run import TerminalListener, duration, launcher_mistake, report_line
from sculptor_app.core.errors import ModelFolderError, SculptorError
from sculptor_app.training import errors
from sculptor_app.training.records.events import Report, Stepped
from tests.training.tiny import tiny_run

REPORT = Report(1600, 0.21, 1e-4, 12.5, 90.4, [0.5, None] + [0.25] * 7, [0.1, None] + [0.5] * 7, 0)
STEP = Stepped(1234, 0.25, 0.4321, 12.5, 3700, 600)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_a_terminal_shows_a_bar_with_loss_rate_and_time_left_and_the_loss_per_level():
    from tests.commands.test_cli import _read_to_end, terminal

    master, slave = terminal()
    with os.fdopen(slave, "w") as screen:
        with TerminalListener(screen, screen) as listener:
            listener.report(REPORT)
            listener.message("A sentence.")
            listener.stepped(STEP)
        screen.flush()
    shown = _read_to_end(master)
    assert "Learning  25%|" in shown
    assert "1,234 pictures, 12.5/s, loss 0.4321, 62 min left" in shown
    assert "loss from noise to picture 0.50   –  0.25" in shown
    assert "A sentence.\r\n" in shown
    assert report_line(REPORT) not in shown
    assert max(len(part) for line in shown.split("\n") for part in line.split("\r")) <= 80 + len("\x1b[A")


def test_a_pipe_gets_lines_and_no_bar():
    out, err = io.StringIO(), io.StringIO()
    with TerminalListener(out, err) as listener:
        listener.stepped(STEP)
        listener.report(REPORT)
        listener.message("A sentence.")
    assert err.getvalue() == ""
    assert out.getvalue() == (
        "    1,600 pictures  loss 0.2100  12.5 pictures/s  1 h 31 min left  "
        "loss from noise to picture 0.50   –  0.25 0.25 0.25 0.25 0.25 0.25 0.25\nA sentence.\n"
    )


def test_a_reader_that_has_gone_is_no_reason_to_stop(tmp_path: Path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        run = tiny_run(tmp_path, listener=TerminalListener(out, None))
        run.go()
        assert run.trainer.seen == 64
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # for what is still in its buffer


def test_letters_that_the_output_does_not_know_are_replaced():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    TerminalListener(out, None).message("조각.png is skipped: it is no file.")
    assert raw.getvalue().decode().rstrip() == "??.png is skipped: it is no file."


def test_nobody_to_tell():
    with TerminalListener(None, None) as listener:
        listener.stepped(STEP)
        listener.report(REPORT)
        listener.message("A sentence.")


def test_only_the_first_process_speaks(capsys: pytest.CaptureFixture[str]):
    TerminalListener.of_process(first=False).message("from the second")
    TerminalListener.of_process(first=True).message("from the first")
    assert capsys.readouterr() == ("from the first\n", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.2, "1 s"), (89, "89 s"), (91, "2 min"), (2700, "45 min"),
     (5340, "89 min"), (5400, "1 h 30 min"), (10800, "3 h 00 min"),
     (float("inf"), "unknown")],
)  # fmt: skip
def test_times_are_told_as_a_person_reads_them(seconds: float, text: str):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("error", "advice", "code"),
    [
        (errors.NotWritten("It happened.", "X is whole."),
         "X is whole. Make room, or mend the folder's permissions, and start the same command again.", 5),
        (errors.Diverged("It happened."),
         "The last checkpoint is unharmed: start the same command again with a lower --learning-rate.", 4),
        (errors.OutOfMemory("It happened."), "Start the same command again, with a --batch below 4.", 4),
        (errors.DeviceLost("It happened."),
         "Start the same command again; if the GPU does not come back, restart the machine first.", 4),
        (errors.PeerLost("It happened."), "Start the same command again.", 4),
        (errors.OtherProcessFailed("It happened."), "", 4),
        (errors.CheckpointDamaged("It happened."),
         "Delete it to start from the beginning, or choose another --out.", 4),
        (errors.FolderNotWritable("It happened."), "Choose another --out.", 5),
        (errors.FolderInUse("It happened."), "Wait for its end, or choose another --out.", 2),
        (errors.NoCheckpoint("It happened."), "Give the --out folder of a run that has begun.", 2),
        (errors.TooManyPictures("It happened."), "Choose fewer --renders, or a smaller --size.", 2),
        (errors.SettingsChanged("It happened."), "Give what it began with to go on, or choose another --out.", 2),
        (errors.BadInput("It happened.", "Do this."), "Do this.", 2),
        (errors.JudgeError("It happened."), "Install the program again, or make a judge with --train-judge.", 3),
        (ModelFolderError("It happened.", "Do this."), "Do this.", 3),
        (SculptorError("It happened."), "", 4),
    ],
)  # fmt: skip
def test_an_error_has_one_exit_code_and_advice_in_terms_of_the_options(
    error: SculptorError, advice: str, code: int, tmp_path: Path
):
    arguments = argparse.Namespace(out=tmp_path, batch=4, folder=None)
    assert sentence(error, arguments) == f"It happened. {advice}".strip()
    assert code_of(error) == code


def test_a_checkpoint_that_is_there_is_named_in_the_advice(tmp_path: Path):
    (tmp_path / "checkpoint.pt").touch()
    arguments = argparse.Namespace(out=tmp_path, batch=4, folder=tmp_path)
    assert sentence(errors.PeerLost("It happened."), arguments) == (
        f"It happened. {tmp_path / 'checkpoint.pt'} is whole: start the same command again to go on from it."
    )
    assert sentence(errors.TooManyPictures("It happened."), arguments).endswith(
        "Choose a smaller --size, or a folder with fewer pictures."
    )


def test_accelerates_one_process_for_many_is_reported():
    asked = {"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}
    assert "starts one process, whatever --num_processes says" in launcher_mistake(asked)
    assert launcher_mistake({}) == ""
    assert launcher_mistake(asked | {"WORLD_SIZE": "2"}) == ""
    assert launcher_mistake({"ACCELERATE_USE_CPU": "True"}) == ""
    assert launcher_mistake({"MASTER_ADDR": "127.0.0.1"}) == ""  # on a GPU
    assert launcher_mistake(asked | {"PMI_SIZE": "2"}) == ""  # of MPI, which accelerate follows
