"""The twin: the finished picture, drowned as deep as the state beside it, in the noise that the model saw there."""

import math
import threading
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.forward import cosine_levels, run_forward_process
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import frame, picture
from tests.helpers.runs import made_run, solid


def run_of(levels: list[NoiseLevel], states: list[float], guesses: list[float | None], calls: int = 1) -> Trajectory:
    """A run of pictures that are even: every pixel has the value given."""
    planes = [np.full((1, 2, 3), value, np.float32) for value in states]
    trajectory = Trajectory(RunInfo(RunRequest()), planes[0], levels)
    for k, guess in enumerate(guesses, start=1):
        made = None if guess is None else np.full((1, 2, 3), guess, np.float32)
        note = "" if made is not None else "No rule is known for this scheduler."
        for stage in range(calls):
            done = stage == calls - 1
            trajectory.append(Step(k, stage, done, 1.0, levels[k - 1], levels[k], planes[k], made, note, 0.0))
    return trajectory


def test_values_by_hand() -> None:
    """State 1 is 2, the guess of step 2 is 0.5, so its noise is (2 - 0.6*0.5)/0.8 = 2.125, of power 1 that is 1."""
    levels = [NoiseLevel(0.0, 1.0), NoiseLevel(0.6, 0.8), NoiseLevel(1.0, 3.0), CLEAN]
    run = run_of(levels, [1.5, 2.0, 4.0, 1.0], [0.3, 0.5, 0.9])
    np.testing.assert_allclose(frame(run, 0, FrameKind.TWIN), 1.0)  # pure noise: nothing of either picture
    np.testing.assert_allclose(frame(run, 1, FrameKind.TWIN), 0.6 * 1 + 0.8 * 1, rtol=1e-6)
    np.testing.assert_allclose(frame(run, 2, FrameKind.TWIN), (1 + 3 * 1) / math.sqrt(10), rtol=1e-6)
    np.testing.assert_allclose(frame(run, 3, FrameKind.TWIN), 1.0)
    assert frame(run, 1, FrameKind.TWIN).dtype == np.float32


def test_of_a_forward_process_it_is_the_state_itself() -> None:
    for fresh in (False, True):
        trajectory = run_forward_process(solid(16), "x", steps=9, fresh=fresh)
        for k in range(10):
            state, twin = (frame(trajectory, k, kind) for kind in (FrameKind.NOISY_STATE, FrameKind.TWIN))
            np.testing.assert_allclose(twin, state, atol=2e-6)


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_it_is_as_deep_in_noise_as_the_state_beside_it(tiny_model: Path, sampler: str) -> None:
    """Projected on the finished picture and on the next step's noise of power 1, it shows the state's own a and s."""
    request = RunRequest(model=str(tiny_model), steps=7, sampler=sampler, device="cpu")
    *_, last = sample(Engine(), request, threading.Event())
    run = last.trajectory
    assert run.is_complete
    for k in range(run.planned_steps):
        shown = picture(run, k, FrameKind.TWIN)
        if run.step(k + 1).calls > 1:
            assert (sampler, shown.rgb) == ("heun", None)
            assert "more than once in a step" in shown.note
            continue
        twin, noise = frame(run, k, FrameKind.TWIN), frame(run, k + 1, FrameKind.PREDICTED_NOISE)
        noise = noise / np.sqrt(np.mean(np.square(noise, dtype=np.float64)))  # predicted noise has less power
        parts = np.stack([part.ravel().astype(np.float64) for part in (run.state(run.last), noise)], axis=1)
        (a, s), rest, *_ = np.linalg.lstsq(parts, twin.ravel().astype(np.float64), rcond=None)
        level = run.levels[k]
        assert abs(a - level.signal / level.scale) < 1e-6
        assert abs(s - level.noise / level.scale) < 1e-6
        assert rest < 1e-9
    np.testing.assert_array_equal(
        picture(run, run.last, FrameKind.TWIN).rgb, picture(run, run.last, FrameKind.NOISY_STATE).rgb
    )


def test_it_says_why_it_is_empty() -> None:
    assert picture(made_run(taken=3), 2, FrameKind.TWIN).note.endswith("this run is not finished.")
    levels = [NoiseLevel(0.0, 1.0), NoiseLevel(0.6, 0.8), CLEAN]
    unknown = run_of(levels, [1.0, 2.0, 3.0], [0.1, None])
    assert picture(unknown, 1, FrameKind.TWIN).note == "No rule is known for this scheduler."
    assert picture(unknown, 0, FrameKind.TWIN).rgb is not None
    staged = run_of(levels, [1.0, 2.0, 3.0], [0.1, 0.2], calls=2)
    assert picture(staged, 1, FrameKind.TWIN).note == (
        "This sampler asks the network more than once in a step, so no one noise goes with the guess, and none with "
        "a twin."
    )
    still = run_of([NoiseLevel(0.0, 1.0), CLEAN, CLEAN], [1.0, 2.0, 3.0], [0.1, 0.2])
    assert "the next step does not show it" in picture(still, 1, FrameKind.TWIN).note


def test_a_run_that_is_one_with_its_guess_is_its_own_twin() -> None:
    """If the model had known the picture from the start, state and twin would be one."""
    levels = list(cosine_levels(5))
    clean, noise = solid(8), np.random.default_rng(1).standard_normal((3, 8, 8)).astype(np.float32)
    noise /= np.sqrt(np.mean(noise**2))
    states = [np.float32(level.signal) * clean + np.float32(level.noise) * noise for level in levels]
    run = Trajectory(RunInfo(RunRequest()), states[0], levels)
    for k in range(1, 6):
        run.append(Step(k, 0, True, 1.0, levels[k - 1], levels[k], states[k], clean.copy(), "", 0.0))
    for k in range(6):
        np.testing.assert_allclose(frame(run, k, FrameKind.TWIN), frame(run, k, FrameKind.NOISY_STATE), atol=1e-5)
