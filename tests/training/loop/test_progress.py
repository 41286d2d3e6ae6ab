"""Telling how a run goes: a bar with loss, rate and time left on a terminal, lines in a pipe."""

import io
import os
import sys
from pathlib import Path

import pytest

from sculptor_app.training.loop.pace import Pace, duration, seconds_left, share_done
from sculptor_app.training.loop.progress import Progress
from sculptor_app.training.loop.recipe import Recipe
from sculptor_app.training.loop.report import Report
from tests.training.tiny import tiny_run

REPORT = Report(1600, 0.21, 1e-4, 12.5, 90.4, [0.5, None] + [0.25] * 7, [0.1, None] + [0.5] * 7, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_a_terminal_shows_a_bar_with_loss_rate_and_time_left_and_the_loss_per_level():
    from tests.commands.test_cli import _read_to_end, terminal

    master, slave = terminal()
    with os.fdopen(slave, "w") as screen:
        with Progress(screen, screen) as progress:
            progress.report(REPORT)
            progress.say("A sentence.")
            progress.move_to(0.25, 1234, 12.5, 0.4321, 3700)
        screen.flush()
    shown = _read_to_end(master)
    assert "Learning  25%|" in shown
    assert "1,234 pictures, 12.5/s, loss 0.4321, 62 min left" in shown
    assert "loss from noise to picture 0.50   –  0.25" in shown
    assert "A sentence.\r\n" in shown
    assert REPORT.line() not in shown
    assert max(len(part) for line in shown.split("\n") for part in line.split("\r")) <= 80 + len("\x1b[A")


def test_a_pipe_gets_lines_and_no_bar():
    out, err = io.StringIO(), io.StringIO()
    with Progress(out, err) as progress:
        progress.move_to(0.25, 1234, 12.5, 0.4321, 3700)
        progress.report(REPORT)
        progress.say("A sentence.")
    assert err.getvalue() == ""
    assert out.getvalue() == (
        "    1,600 pictures  loss 0.2100  12.5 pictures/s  1 h 31 min left  "
        "loss from noise to picture 0.50   –  0.25 0.25 0.25 0.25 0.25 0.25 0.25\nA sentence.\n"
    )


def test_a_reader_that_has_gone_is_no_reason_to_stop(tmp_path: Path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        run = tiny_run(tmp_path, progress=Progress(out, None))
        run.go()
        assert run.trainer.seen == 64
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # for what is still in its buffer


def test_letters_that_the_output_does_not_know_are_replaced():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Progress(out, None).say("조각.png is skipped: it is no file.")
    assert raw.getvalue().decode().rstrip() == "??.png is skipped: it is no file."


def test_nobody_to_tell():
    with Progress(None, None) as progress:
        progress.move_to(0.5, 1, 1, 1, 1)
        progress.report(REPORT)
        progress.say("A sentence.")


def test_only_the_first_process_speaks(capsys: pytest.CaptureFixture[str]):
    Progress.of_process(first=False).say("from the second")
    Progress.of_process(first=True).say("from the first")
    assert capsys.readouterr() == ("from the first\n", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.2, "1 s"), (89, "89 s"), (91, "2 min"), (2700, "45 min"),
     (5340, "89 min"), (5400, "1 h 30 min"), (10800, "3 h 00 min"),
     (float("inf"), "unknown")],
)  # fmt: skip
def test_times_are_told_as_a_person_reads_them(seconds: float, text: str):
    assert duration(seconds) == text


def test_time_left_follows_the_rate_or_the_clock():
    by_pictures, by_time = Recipe(1000), Recipe(10**9, minutes=2)
    assert (seconds_left(by_pictures, 400, 77, 20.0), share_done(by_pictures, 400, 77)) == (30, 0.4)
    assert (seconds_left(by_time, 400, 30, 20.0), share_done(by_time, 400, 30)) == (90, 0.25)
    assert seconds_left(by_pictures, 0, 0, 0.0) == float("inf")
    assert (share_done(by_pictures, 1004, 0), share_done(by_time, 0, 121)) == (1, 1)


def test_the_rate_is_that_of_the_last_steps():
    pace = Pace()
    pace.mark(0, 0.0)
    assert pace.rate == 0
    for step in range(1, 300):
        pace.mark(10 * step, 100.0 * step)
    for step in range(300, 500):
        pace.mark(10 * step, 100.0 * 299 + 2.0 * (step - 299))
    assert pace.rate == pytest.approx(5.0)
