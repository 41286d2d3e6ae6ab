"""The forward process against its closed form: mean, variance and spectrum at every level, whichever way it is made."""

import math
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.trajectory.base import AnyTrajectory, RunInfo
from sculptor_app.core.trajectory.forward import ForwardTrajectory, cosine_levels, draw_noise, run_forward_process
from sculptor_app.core.trajectory.levels import CLEAN, PHASES, NoiseLevel
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.measures.spectrum import radial_psd
from tests.helpers.runs import solid

PRESERVING = cosine_levels(8)
EXPLODING = (*(NoiseLevel(1.0, float(sigma)) for sigma in np.geomspace(80, 0.02, 7)), CLEAN)
SEEDS = 60


def drowned(levels=PRESERVING, fresh=False, seed=7, size=16, **options) -> ForwardTrajectory:
    info = RunInfo(RunRequest(seed=seed, steps=max(1, len(levels) - 1)), origin="solid, drowned")
    return ForwardTrajectory(info, solid(size), levels, fresh, **options)


def reads_as_any(trajectory: AnyTrajectory) -> AnyTrajectory:
    return trajectory


def test_it_is_read_as_a_run_is() -> None:
    trajectory = reads_as_any(drowned())
    assert (trajectory.planned_steps, trajectory.last, trajectory.is_complete, trajectory.ended) == (8, 8, True, "")
    assert trajectory.shape == (3, 16, 16)
    assert trajectory.levels == PRESERVING
    assert [span.phase.key for span in trajectory.spans] == [phase.key for phase in PHASES]
    assert trajectory.guess(0) is None
    np.testing.assert_array_equal(trajectory.guess(1), solid(16))
    summary = trajectory.step(3)
    assert (summary.number, summary.calls, summary.guess_note) == (3, 1, "")
    assert (summary.before, summary.after) == (PRESERVING[2], PRESERVING[3]) == (trajectory.before(3), PRESERVING[3])
    public = {name for name in vars(Trajectory(trajectory.info, solid(4), PRESERVING)) if not name.startswith("_")}
    public |= {name for name in dir(Trajectory) if not name.startswith("_")} - {
        "append",
        "end",
        "finish_journal",
        "go_on_with",
        "plan_again",
        "shrink",
    }
    of_models = {
        "share",
        "has_levels_of",
        "snapshots",
        "guess_unconditional",
        "guess_conditional",
    }  # only a run of a model can be forked, or guided
    assert public - of_models <= set(dir(trajectory))


@pytest.mark.parametrize("fresh", [False, True])
def test_the_last_state_is_the_picture_and_nothing_can_be_written_to(fresh: bool) -> None:
    trajectory = drowned(fresh=fresh)
    np.testing.assert_array_equal(trajectory.state(8), solid(16))
    for frame in (trajectory.state(8), trajectory.state(3), trajectory.guess(2)):
        assert frame.dtype == np.float32
        with pytest.raises(ValueError, match="read-only"):
            frame[0, 0, 0] = 1


@pytest.mark.parametrize("levels", [PRESERVING, EXPLODING])
def test_one_noise_is_the_same_at_every_level(levels) -> None:
    trajectory = drowned(levels)
    picture, noise = solid(16).astype(np.float64), draw_noise((3, 16, 16), 7).astype(np.float64)
    for k, level in enumerate(levels):
        np.testing.assert_allclose(trajectory.state(k), level.signal * picture + level.noise * noise, rtol=1e-5,
                                   atol=1e-5)  # fmt: skip


@pytest.mark.parametrize("levels", [PRESERVING, EXPLODING])
@pytest.mark.parametrize("fresh", [False, True])
def test_mean_and_variance_of_every_state(levels, fresh: bool) -> None:
    """z and the ratio of variances have known scatter: five standard deviations are allowed."""
    pictures = np.stack([[run.state(k) for k in range(len(levels))] for run in all_seeds(levels, fresh)])
    for k, level in enumerate(levels[:-1]):
        rest = pictures[:, k].astype(np.float64) - level.signal * solid(16)
        z = rest.mean(0) / (level.noise / math.sqrt(SEEDS))
        assert abs((z**2).mean() - 1) < 5 * math.sqrt(2 / z.size), k
        assert abs((rest**2).mean() / level.noise**2 - 1) < 5 * math.sqrt(2 / rest.size), k


@pytest.mark.parametrize("levels", [PRESERVING, EXPLODING])
@pytest.mark.parametrize("fresh", [False, True])
def test_spectrum_of_every_state(levels, fresh: bool) -> None:
    """In a mode of power P the power is exponential about a^2 P + s^2, with that variance that two phases leave."""
    runs = all_seeds(levels, fresh)
    counts = np.bincount(np.rint(np.hypot(*np.meshgrid(*[np.fft.fftfreq(16, 1 / 16)] * 2))).astype(int).ravel())[1:9]
    clean = [radial_psd(plane, "none").power[:8] for plane in solid(16)]
    for k, level in enumerate(levels[:-1]):
        for channel, power in enumerate(clean):
            found = np.mean([radial_psd(run.state(k)[channel], "none").power[:8] for run in runs], axis=0)
            expected = level.signal**2 * power + level.noise**2
            variance = level.noise**4 + 2 * level.signal**2 * level.noise**2 * power
            z = (found - expected) / np.sqrt(variance / (counts / 2 * SEEDS))
            assert np.abs(z).max() < 5, (k, channel)


def all_seeds(levels, fresh: bool) -> list[ForwardTrajectory]:
    return [drowned(levels, fresh, seed) for seed in range(SEEDS)]


@pytest.mark.parametrize("levels", [PRESERVING, EXPLODING])
def test_fresh_static_is_new_in_every_layer(levels) -> None:
    """Noise of neighbouring states is correlated by what the chain keeps of it, and by no more."""
    trajectory = drowned(levels, fresh=True, size=64)
    noises = [(trajectory.state(k) - np.float32(level.signal) * solid(64)) / level.noise
              for k, level in enumerate(levels[:-1])]  # fmt: skip
    for k in range(len(noises) - 1):
        kept = levels[k].signal / levels[k + 1].signal * levels[k + 1].noise / levels[k].noise
        assert abs((noises[k] * noises[k + 1]).mean() - kept) < 5 / math.sqrt(noises[k].size), k


def test_a_seed_means_the_same_noise_for_ever() -> None:
    """Golden numbers, made with numpy 2.4's PCG64 on x86-64."""
    noise = draw_noise((1, 1, 3), 7)
    np.testing.assert_allclose(noise.ravel(), GOLDEN, rtol=1e-6)
    np.testing.assert_array_equal(draw_noise((1, 1, 3), 7), noise)
    assert (draw_noise((1, 1, 3), 8) != noise).all()
    assert (draw_noise((1, 1, 3), 7, layer=1) != noise).all()


GOLDEN = [1.5219693, -1.1441058, 1.1501616]


def test_states_of_fresh_static_are_the_same_in_whatever_order_they_are_asked_for() -> None:
    down, up = drowned(fresh=True), drowned(fresh=True)
    for k in range(8, -1, -1):
        down.state(k)
    up.state(0)
    for k in range(9):
        np.testing.assert_array_equal(down.state(k), up.state(k))


def test_readers_in_many_threads_see_one_chain() -> None:
    """Frames so large that numpy draws them without the interpreter's lock: readers do meet."""
    levels, alone = cosine_levels(10), drowned(cosine_levels(10), fresh=True, size=200)
    trajectory, found = drowned(levels, fresh=True, size=200), {}
    together = threading.Barrier(8)

    def read(reader: int) -> None:
        together.wait()
        found[reader] = [trajectory.state(k).copy() for k in range(reader % 3, 11)]

    threads = [threading.Thread(target=read, args=(reader,)) for reader in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for reader, states in found.items():
        np.testing.assert_array_equal(states, [alone.state(k) for k in range(reader % 3, 11)])
    assert trajectory.bytes_in_memory == 11 * 3 * 200 * 200 * 4


def test_memory_stays_within_the_budget(tmp_path: Path) -> None:
    frame = 3 * 16 * 16 * 4
    trajectory = drowned(cosine_levels(30), fresh=True, budget_bytes=4 * frame, spill_folder=tmp_path)
    assert (trajectory.bytes_in_memory, trajectory.bytes_on_disk) == (frame, 0)
    told: list[int] = []
    trajectory.draw(told.append)
    assert told == list(range(1, 31))
    assert (trajectory.bytes_in_memory, trajectory.bytes_on_disk) == (5 * frame, 26 * frame)
    alone = drowned(cosine_levels(30), fresh=True)
    for k in (29, 15, 3, 0):
        np.testing.assert_array_equal(trajectory.state(k), alone.state(k))
    kept = trajectory.state(25)
    trajectory.close()
    assert (trajectory.bytes_in_memory, trajectory.bytes_on_disk, trajectory.last) == (0, 0, -1)
    np.testing.assert_array_equal(kept, alone.state(25))
    with pytest.raises(IndexError):
        trajectory.state(3)


def test_one_noise_keeps_two_frames_whatever_the_number_of_steps() -> None:
    trajectory = drowned(cosine_levels(1000))
    trajectory.draw(lambda done: pytest.fail("there is nothing to draw"))
    trajectory.state(500)
    assert trajectory.bytes_in_memory == 2 * 3 * 16 * 16 * 4


def test_drawing_ahead_can_be_stopped() -> None:
    trajectory, stop = drowned(cosine_levels(30), fresh=True), threading.Event()
    told: list[int] = []

    def progress(done: int) -> None:
        told.append(done)
        if done == 3:
            stop.set()

    with pytest.raises(Cancelled):
        trajectory.draw(progress, stop)
    assert told == [1, 2, 3]


@pytest.mark.parametrize("read", [lambda t: t.state(9), lambda t: t.state(-1), lambda t: t.guess(9),
                                  lambda t: t.step(0), lambda t: t.before(9)])  # fmt: skip
def test_what_is_not_there_is_refused(read) -> None:
    with pytest.raises(IndexError, match="is not one of"):
        read(drowned())


def test_the_record_says_what_was_drowned_and_how() -> None:
    trajectory = run_forward_process(solid(8), "bust.jpg", steps=3, seed=11)
    assert trajectory.levels == cosine_levels(3)
    assert (trajectory.info.origin, trajectory.info.request.seed) == ("bust.jpg, drowned", 11)
    assert (trajectory.info.request.steps, trajectory.info.space) == (3, "pixels")
    assert run_forward_process(solid(8), "x", fresh=True).info.origin == "x, drowned in fresh noise"
    with pytest.raises(RequestError, match="number of steps is 0"):
        run_forward_process(solid(8), "x", steps=0)


def test_levels_that_are_no_forward_process_are_refused() -> None:
    with pytest.raises(ValueError, match="end with"):
        drowned(PRESERVING[:-1])
    with pytest.raises(ValueError, match="at least 2 states"):
        drowned((CLEAN,))
    with pytest.raises(ValueError, match="noise only grows"):
        drowned((PRESERVING[4], PRESERVING[0], CLEAN), fresh=True)


def test_pure_noise_has_nothing_of_the_picture() -> None:
    for fresh in (False, True):
        state = drowned((NoiseLevel(0.0, 1.0), NoiseLevel(0.0, 1.0), NoiseLevel(0.5, 1.0), CLEAN), fresh).state(0)
        assert abs((state * solid(16)).mean() / (solid(16) ** 2).mean()) < 5 / math.sqrt(state.size)
        assert state.std() == pytest.approx(1, abs=0.1)


@given(st.integers(1, 1000))
def test_cosine_levels_go_from_noise_to_the_picture(steps: int) -> None:
    levels = cosine_levels(steps)
    assert len(levels) == steps + 1
    assert levels[-1] == CLEAN
    assert all(level.scale == pytest.approx(1) for level in levels)
    sigmas = [level.sigma for level in levels]
    assert sigmas == sorted(sigmas, reverse=True)
    assert levels[0].snr == pytest.approx(2.43e-9, rel=0.01)


def test_the_phases_of_the_cosine_schedule_are_those_of_the_design() -> None:
    spans = drowned(cosine_levels(50)).spans
    assert [(span.first_step, span.last_step) for span in spans] == [(1, 5), (6, 15), (16, 30), (31, 50)]
