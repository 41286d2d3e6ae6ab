"""The two guesses of guidance as they are shown: mixed they are the guess; where there are none it is said why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.decoded import DecodedTrajectory
from sculptor_app.core.trajectory.forward import cosine_levels, run_forward_process
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import RunInfo, Trajectory
from sculptor_app.diffusion.observe.guidance import EVALUATED_ONCE
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures.frame_kinds import GUIDANCE_KINDS, FrameKind
from sculptor_app.measures.guidance import NO_MODEL, NOT_DECODED, NOT_KEPT
from sculptor_app.measures.pictures import NO_STEP_YET, frame, picture
from tests.helpers.any_pipeline import engine_of, finish, request_for
from tests.helpers.runs import made_run, solid

UNCONDITIONAL, CONDITIONAL, DIRECTION = GUIDANCE_KINDS
LEVELS = [NoiseLevel(0.6, 0.8), CLEAN]


def one_step(**halves: object) -> Trajectory:
    plane = np.zeros((1, 2, 2), np.float32)
    run = Trajectory(RunInfo(RunRequest()), plane, LEVELS)
    run.append(Step(1, 0, True, 1.0, *LEVELS, plane.copy(), plane + 3, "", 0.0, **halves))
    return run


def test_values_by_hand() -> None:
    """Unconditional 1, conditional 1.5, weight 4: the direction is 0.5, and 1 + 4 · 0.5 = 3 is the guess."""
    plane = np.ones((1, 2, 2), np.float32)
    run = one_step(guess_unconditional=plane, guess_conditional=plane * 1.5, guidance=4.0)
    np.testing.assert_array_equal(frame(run, 1, UNCONDITIONAL), plane)
    np.testing.assert_array_equal(frame(run, 1, CONDITIONAL), plane * 1.5)
    np.testing.assert_array_equal(frame(run, 1, DIRECTION), plane * 0.5)
    assert picture(run, 1, DIRECTION).limit == pytest.approx(0.5)
    assert picture(run, 1, UNCONDITIONAL).limit is None


def assert_mixed(run: Trajectory, k: int, atol: float) -> int:
    """Of pixels, where none of the three is clipped: some samplers of the embedded model clip guesses to [-1, 1].

    Returns:
        How many numbers were compared.
    """
    free, direction, guess = (frame(run, k, kind) for kind in (UNCONDITIONAL, DIRECTION, FrameKind.CURRENT_GUESS))
    clips = run.info.space == "pixels"
    inside = np.all([np.abs(each) < 0.999 for each in (free, free + direction, guess)], axis=0) | (not clips)
    mixed = free + np.float32(run.step(k).guidance) * direction
    np.testing.assert_allclose(mixed[inside], guess[inside], atol=atol, rtol=1e-3)
    return int(inside.sum())


@pytest.mark.parametrize("sampler", ["ddim", "euler", "heun"])
def test_of_the_embedded_kind_of_model_the_frames_mix_to_the_guess(tiny_model: Path, sampler: str) -> None:
    request = RunRequest("bust", "bronze", 7, 6, sampler, 2.5, "cpu", str(tiny_model))
    run = finish(Engine(), request, watch_guidance=True)
    compared = 0
    for k in range(1, 7):
        assert run.step(k).guidance == pytest.approx(2.5, abs=1e-3)
        assert np.abs(frame(run, k, DIRECTION)).max() > 1e-4
        compared += assert_mixed(run, k, atol=1e-3)
    assert compared > 2 * 3 * 16 * 16


@pytest.mark.parametrize("sampler", ["euler", "dpmpp-2m"])
def test_of_stable_diffusion_they_do_so_in_latents(tmp_path: Path, sampler: str) -> None:
    request = request_for("stable_diffusion", tmp_path, guidance=5.0, sampler=sampler)
    run = finish(engine_of("stable_diffusion"), request, watch_guidance=True)
    assert run.info.space == "latents"
    assert all(assert_mixed(run, k, atol=2e-3) for k in range(1, run.last + 1))


@pytest.mark.parametrize("kind", GUIDANCE_KINDS)
def test_where_there_are_none_it_is_said_why(kind: FrameKind, tiny_model: Path) -> None:
    assert picture(made_run(guidance=2.0), 0, kind).note == NO_STEP_YET
    assert picture(made_run(), 2, kind).note == NOT_KEPT
    assert picture(one_step(guidance_note="They are the same."), 1, kind).note == "They are the same."
    assert picture(run_forward_process(solid(8), "x", steps=4), 2, kind).note == NO_MODEL
    latents = made_run(3, channels=4, space="latents", guidance=2.0)
    decoded = DecodedTrajectory(latents)
    for _ in range(3):
        decoded.decode_next(_FirstThree())
    assert picture(decoded, 2, kind).note == NOT_DECODED
    request = RunRequest(model=str(tiny_model), steps=2, device="cpu")  # no label, so nothing to be guided by
    assert picture(finish(Engine(), request, watch_guidance=True), 1, kind).note == EVALUATED_ONCE
    for empty in (picture(made_run(), 2, kind), picture(decoded, 2, kind)):
        assert (empty.rgb, empty.limit) == (None, None)


class _FirstThree:
    def decode(self, state: np.ndarray) -> np.ndarray:
        return state[:3].copy()


def test_they_count_in_the_budget_and_come_back_from_the_disk(tmp_path: Path) -> None:
    """A thousand steps keep three guesses and a state each; what does not fit lies in the file, and reads the same."""
    budget, steps, shape = 2**20, 1000, (3, 16, 16)
    levels, generator = cosine_levels(steps), np.random.default_rng(3)
    run = Trajectory(RunInfo(RunRequest()), np.zeros(shape, np.float32), levels, budget, tmp_path)
    frames = [generator.standard_normal(shape, np.float32) for _ in range(8)]
    for k in range(1, steps + 1):
        state, guess, free, conditional = (frames[(k + each) % 8].copy() for each in range(4))
        about = {"guess_unconditional": free, "guess_conditional": conditional, "guidance": 2.0}
        run.append(Step(k, 0, True, 1.0, levels[k - 1], levels[k], state, guess, "", 0.0, **about))
    assert run.bytes_in_memory <= budget
    assert run.bytes_in_memory + run.bytes_on_disk >= (1 + 4 * steps) * state.nbytes
    for k in (1, 2, 500, steps):
        np.testing.assert_array_equal(frame(run, k, UNCONDITIONAL), frames[(k + 2) % 8])
        np.testing.assert_array_equal(frame(run, k, CONDITIONAL), frames[(k + 3) % 8])
    run.close()


def test_a_run_that_shares_its_steps_hands_them_on() -> None:
    old = made_run(4, guidance=3.0)
    new = Trajectory(replace(old.info), old.state(0), old.levels)
    new.share(old, 3)
    for kind in GUIDANCE_KINDS:
        np.testing.assert_array_equal(frame(new, 3, kind), frame(old, 3, kind))
