"""Numbers in words, by table."""

from dataclasses import replace
from pathlib import Path

import pytest

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import byte_text, ratio_text, translate
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.file import open_run
from sculptor_app.core.trajectory.levels import phase_of
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.saved_run import write_sculpt
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.ui.playback.texts import (
    StepClock,
    changed_state,
    duration_text,
    memory_text,
    pace_text,
    pixel_text,
    progress_text,
    status_line,
    step_story,
    steps_took_text,
    title_parts,
)
from tests.helpers.runs import made_run

BUST = RunInfo(RunRequest("bust", "bronze", seed=42), "atelier-128", "CPU", "DDIM", conditions="bust · bronze")
LION = RunRequest(seed=1, steps=1, model="/models/sd", options={"prompt": "a lion"})
FOUND = translate("errors", "the noise found for {0}").format("x.png")


@pytest.mark.parametrize(
    ("info", "source", "title"),
    [
        (BUST, "", "Bust · bronze | seed 42 | DDIM | 50 steps"),
        (BUST, "opened from cell (3, 2)", "Bust · bronze | opened from cell (3, 2) | seed 42 | DDIM | 50 steps"),
        (replace(BUST, origin="x.png", first_step=30), "",
         "Bust · bronze | carved out of layer 21 of x.png | seed 42 | DDIM | the last 21 of 50 steps"),
        (replace(BUST, origin="x.png", first_step=50), "",
         "Bust · bronze | carved out of layer 1 of x.png | seed 42 | DDIM | the last 1 of 50 steps"),
        (replace(BUST, origin=FOUND), "",
         "Bust · bronze | carved out of the noise found for x.png | seed 42 | DDIM | 50 steps"),
        (RunInfo(LION, "sd", "CPU", "Euler", conditions="a lion"), "", "a lion | seed 1 | Euler | 1 step | sd"),
        (RunInfo(RunRequest(seed=3), origin="x.png, drowned"), "", "x.png, drowned | seed 3 | 50 layers"),
    ],
)  # fmt: skip
def test_titles_of_runs(info: RunInfo, source: str, title: str) -> None:
    assert " | ".join(title_parts(info, source)) == title


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.52, "0.5 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00042, "0.42 ms per step"), (0.0042, "4.2 ms per step"), (0.031, "31 ms per step"), (1.24, "1.2 s per step")],
)
def test_paces(seconds: float, text: str) -> None:
    assert pace_text(seconds) == text


@pytest.mark.parametrize(("steps", "text"), [(1, "1 step in 0.3 s"), (2, "2 steps in 0.3 s")])
def test_one_step_is_no_plural(steps: int, text: str) -> None:
    assert steps_took_text(steps, 0.3) == text


def test_progress() -> None:
    assert progress_text(0, 50, None) == "0 of 50"
    assert progress_text(34, 50, 0.031) == "34 of 50 · 0.5 s left"
    assert progress_text(50, 50, 0.031) == "50 of 50"


def test_the_first_step_does_not_spoil_the_pace() -> None:
    clock = StepClock()
    assert clock.mean_s is None
    clock.add(5.0)  # carries what the libraries do once
    for _ in range(20):
        clock.add(0.03)
    assert clock.mean_s == pytest.approx(0.03)


def test_the_pace_follows_a_machine_that_becomes_slower() -> None:
    clock = StepClock()
    for _ in range(50):
        clock.add(0.01)
    for _ in range(50):
        clock.add(0.05)
    assert clock.mean_s == pytest.approx(0.05, rel=0.02)


def test_a_step_is_shown_with_both_of_its_levels() -> None:
    trajectory = made_run(steps=10)
    for k in range(1, 11):
        line = status_line(trajectory, k, None)
        assert line.startswith(f"step {k} of 10 · {phase_of(trajectory.levels[k - 1]).name.lower()} · ")
        start, end = (ratio_text(trajectory.levels[at].snr) for at in (k - 1, k))
        assert f" · SNR {start} → {end} · " in line
    assert f" · SNR {ratio_text(trajectory.levels[0].snr)} · " in status_line(trajectory, 0, None)


def test_a_state_that_the_pipeline_changed_is_said_to_be() -> None:
    run = made_run(steps=2)
    changed = Trajectory(run.info, run.state(0), run.levels)
    for k in (1, 2):
        summary, state = run.step(k), run.state(k)
        returned = state + 1 if k == 1 else None
        step = Step(k, 0, True, summary.timestep, summary.before, summary.after, state, run.guess(k), "", 0.1)
        changed.append(replace(step, returned=returned))
    assert "After the step" in changed_state(changed, 1)
    assert [changed_state(changed, k) for k in (0, 2)] == ["", ""]
    assert changed_state(run, 1) == ""


@pytest.mark.parametrize(
    ("values", "is_of_latents", "text"),
    [
        ([0.21, -0.1, 0], False, "3, 4 · R +0.21  G −0.10  B +0.00"),
        ([0.5], False, "3, 4 · grey +0.50"),
        ([0.5, 1], True, "3, 4 · latent 1 +0.50  latent 2 +1.00"),
        ([0.5] * 16, True, "3, 4 · latent 1 +0.50  latent 2 +0.50  latent 3 +0.50  latent 4 +0.50  …"),
    ],
)
def test_numbers_under_the_pointer_have_names(values: list[float], is_of_latents: bool, text: str) -> None:
    assert pixel_text(3, 4, values, is_of_latents) == text


def test_a_saved_run_takes_no_memory_and_says_what_it_is_read_from(tmp_path: Path) -> None:
    write_sculpt(tmp_path / "x.sculpt", made_run(steps=3))
    run = open_run(tmp_path / "x.sculpt")
    assert memory_text(run) == f"file of {byte_text((tmp_path / 'x.sculpt').stat().st_size)}"
    assert memory_text(made_run(steps=3)).startswith("trajectory ")


def test_a_run_of_a_single_step_is_not_said_to_have_settled_at_it() -> None:
    run = made_run(steps=1)
    assert RunMeasures.of(run).settled() == (None,) * 4
    assert step_story(run, 1, []) == "Done, in a single step. With more of them it is seen what settles when."
    assert "coarse at 1" in step_story(made_run(steps=2), 2, [("layout", 1)])
