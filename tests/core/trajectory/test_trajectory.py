"""The record of a run: what it holds, when it can be read, and that it stays readable."""

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import RunInfo, Trajectory

INFO = RunInfo(RunRequest())
LEVELS = (NoiseLevel(0.0, 1.0), NoiseLevel(0.3, 0.9), NoiseLevel(1.0, 1.0), CLEAN)
SHAPE = (1, 2, 2)


def frame(value: float, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.full(shape, value, np.float32)


def step(number: int, stage: int = 0, completes: bool = True, guess: float | None = 0.0) -> Step:
    return Step(
        number=number,
        stage=stage,
        completes=completes,
        timestep=1000 - number - stage / 2,
        before=LEVELS[number - 1],
        after=LEVELS[number],
        state=frame(number + stage / 10),
        guess=None if guess is None else frame(guess),
        guess_note="" if guess is not None else "no rule is known",
        duration_s=0.25,
    )


@pytest.fixture
def trajectory() -> Trajectory:
    return Trajectory(INFO, frame(0), LEVELS)


def test_a_new_trajectory_holds_the_noise(trajectory: Trajectory) -> None:
    assert (trajectory.planned_steps, trajectory.last, trajectory.is_complete, trajectory.ended) == (3, 0, False, "")
    assert trajectory.shape == SHAPE
    np.testing.assert_array_equal(trajectory.state(0), frame(0))
    assert trajectory.guess(0) is None
    assert [span.phase.key for span in trajectory.spans] == ["decisions", "structure", "refinement"]
    assert [trajectory.before(k) for k in (1, 2, 3)] == list(LEVELS[:3])  # also of steps to come


def test_sub_stages_become_one_step(trajectory: Trajectory) -> None:
    trajectory.append(step(1, stage=0, completes=False, guess=5.0))
    assert trajectory.last == 0
    trajectory.append(step(1, stage=1, guess=6.0))
    assert trajectory.last == 1
    np.testing.assert_allclose(trajectory.state(1), 1.1)
    np.testing.assert_array_equal(trajectory.guess(1), frame(6))
    summary = trajectory.step(1)
    assert (summary.calls, summary.timestep, summary.duration_s) == (2, 999.0, 0.5)
    assert (summary.before, summary.after) == (LEVELS[0], LEVELS[1])


def test_a_complete_run(trajectory: Trajectory) -> None:
    for number in (1, 2, 3):
        trajectory.append(step(number, guess=None if number == 2 else 0.0))
    assert trajectory.is_complete
    assert trajectory.guess(2) is None
    assert trajectory.step(2).guess_note == "no rule is known"
    with pytest.raises(ValueError, match="step 4 cannot follow step 3 of 3"):
        trajectory.append(Step(4, 0, True, 0.0, CLEAN, CLEAN, frame(0), None, "", 0.0))


@pytest.mark.parametrize(
    "read",
    [lambda t: t.state(1), lambda t: t.state(-1), lambda t: t.guess(1), lambda t: t.step(0), lambda t: t.before(4)],
)
def test_what_is_not_there_is_refused(trajectory: Trajectory, read: Callable[[Trajectory], object]) -> None:
    with pytest.raises(IndexError, match="is not one of"):
        read(trajectory)


def test_steps_come_in_order(trajectory: Trajectory) -> None:
    with pytest.raises(ValueError, match="step 2 cannot follow step 0"):
        trajectory.append(step(2))


def test_the_end_says_why(trajectory: Trajectory) -> None:
    trajectory.append(step(1))
    trajectory.end("cancelled")
    assert (trajectory.ended, trajectory.last) == ("cancelled", 1)
    np.testing.assert_array_equal(trajectory.state(1), frame(1))


def test_too_few_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Trajectory(INFO, frame(0), LEVELS[:1])


def long_run(folder: Path, steps: int, shape: tuple[int, int, int], budget_bytes: int) -> Trajectory:
    levels = [NoiseLevel(k / steps, 1 - k / steps) for k in range(steps + 1)]
    trajectory = Trajectory(INFO, frame(0, shape), levels, budget_bytes, folder)
    for k in range(1, steps + 1):
        pictures = frame(k, shape), frame(-k, shape)
        trajectory.append(Step(k, 0, True, 0.0, levels[k - 1], levels[k], *pictures, "", 0.0))
    return trajectory


def test_memory_stays_within_the_budget(tmp_path: Path) -> None:
    budget = 64 * 1024
    trajectory = long_run(tmp_path, 100, (3, 16, 16), budget)
    assert trajectory.bytes_in_memory <= budget == trajectory.budget_bytes
    assert trajectory.bytes_in_memory + trajectory.bytes_on_disk == 201 * 3 * 16 * 16 * 4
    for k in range(1, 101):
        assert (trajectory.state(k) == k).all()
        assert (trajectory.guess(k) == -k).all()
    trajectory.close()
    assert (trajectory.bytes_in_memory, trajectory.bytes_on_disk, list(tmp_path.iterdir())) == (0, 0, [])


def test_a_dropped_trajectory_leaves_no_file(tmp_path: Path) -> None:
    trajectory = long_run(tmp_path, 20, (3, 16, 16), 0)
    assert trajectory.bytes_on_disk > 0
    file = trajectory._frames._file
    assert file is not None
    del trajectory
    gc.collect()
    assert file.closed
    assert list(tmp_path.iterdir()) == []


def test_scrubbing_spilled_states_copies_nothing(tmp_path: Path) -> None:
    """Random access to states that lie on disk looks through the map: no reading and no copying of whole states."""
    trajectory = long_run(tmp_path, 40, (3, 64, 64), 10 * 3 * 64 * 64 * 4)
    assert trajectory.bytes_on_disk == 71 * 3 * 64 * 64 * 4
    maps = set()
    for k in np.random.default_rng(0).integers(0, 30, 60):
        state = trajectory.state(int(k))
        assert (state == k).all()
        owner = state
        while isinstance(owner, np.ndarray):
            owner = owner.base
        maps.add(id(owner.obj if isinstance(owner, memoryview) else owner))
    assert len(maps) == 1
    trajectory.close()
