"""The record of a run: what it holds, when it can be read, and that it stays readable."""

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import DECODED, DecodedTrajectory, Trajectory, decode_all
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import shown_states
from sculptor_app.exports.files import ExportError
from sculptor_app.measures import pictures
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.run_measures import RunMeasures
from tests.diffusion.latents.networks import KnownVae, around
from tests.helpers.runs import made_run

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
    file = trajectory._frames._spill._file
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


STEPS = 5


class Counting:
    """A codec that counts what it decodes."""

    def __init__(self) -> None:
        self.codec = LatentCodec(around(KnownVae()))
        self.count = 0

    def decode(self, state: np.ndarray) -> np.ndarray:
        self.count += 1
        return self.codec.decode(state)


def run(taken: int | None = None, guesses: bool = True) -> Trajectory:
    return made_run(STEPS, size=8, channels=4, taken=taken, guesses=guesses, space="latents")


def decoded(source: Trajectory, **more: object) -> DecodedTrajectory:
    found = DecodedTrajectory(source, **more)  # type: ignore[arg-type]
    assert list(decode_all(found, Counting(), threading.Event())) == list(range(source.last + 1))
    return found


def test_every_state_and_guess_is_what_the_decoder_makes_of_it() -> None:
    source, codec = run(), LatentCodec(around(KnownVae()))
    found = decoded(source)
    assert found.is_complete
    assert found.shape == (3, 32, 32)
    for k in range(STEPS + 1):
        unit = source.state(k) / np.float32(source.levels[k].scale)
        np.testing.assert_allclose(found.state(k), codec.decode(unit), atol=1e-5)
        guess = source.guess(k)
        if guess is None:
            assert found.guess(k) is None
        else:
            np.testing.assert_array_equal(found.guess(k), codec.decode(guess))
    assert source.guess(0) is None


def test_states_of_large_scale_are_decoded_in_unit_scale() -> None:
    levels = [NoiseLevel(1.0, 14.6), NoiseLevel(1.0, 0.0)]
    noise = np.random.default_rng(1).standard_normal((4, 8, 8)).astype(np.float32)
    source = Trajectory(RunInfo(RunRequest(steps=1), space="latents"), 14.6 * noise, levels)
    found = decoded(source)
    wanted = LatentCodec(around(KnownVae())).decode(14.6 * noise / np.float32(levels[0].scale))
    np.testing.assert_allclose(found.state(0), wanted, atol=1e-5)
    assert found.levels[0].scale == pytest.approx(1)
    assert found.before(1).log_snr == pytest.approx(levels[0].log_snr)
    assert found.info.space == DECODED
    assert source.info.space == "latents"


def test_what_is_decoded_can_be_read_while_the_rest_is_not() -> None:
    source, decoder = run(), Counting()
    found, stop = DecodedTrajectory(source), threading.Event()
    assert found.last == -1
    with pytest.raises(IndexError, match="state 0 is not decoded; there are 0"):
        found.state(0)
    going = decode_all(found, decoder, stop)
    assert [next(going), next(going)] == [0, 1]
    assert found.last == 1
    assert found.guess(1) is not None
    with pytest.raises(IndexError, match="state 2 is not decoded"):
        found.guess(2)
    stop.set()
    with pytest.raises(Cancelled):
        next(going)
    assert found.last == 1
    before = decoder.count
    assert list(decode_all(found, decoder, threading.Event())) == [2, 3, 4, 5]
    assert decoder.count - before == 7  # the last guess is the last state: the same picture need not be made twice


def test_a_run_that_goes_on_is_caught_up_with() -> None:
    source = run(taken=2)
    found = decoded(source)
    assert found.last == 2
    assert not found.is_complete
    step = Step(3, 0, True, 1.0, source.levels[2], source.levels[3], source.state(1), source.state(0), "", 0.0)
    source.append(step)
    assert list(decode_all(found, Counting(), threading.Event())) == [3]
    assert found.step(3) == source.step(3)


def test_memory_stays_within_its_budget(tmp_path: Path) -> None:
    frame_bytes = 3 * 32 * 32 * 4
    found = decoded(run(), budget_bytes=3 * frame_bytes, spill_folder=tmp_path)
    assert found.bytes_in_memory == 3 * frame_bytes
    assert found.bytes_on_disk == 7 * frame_bytes
    unlimited = decoded(run())
    for k in range(STEPS + 1):
        np.testing.assert_array_equal(found.state(k), unlimited.state(k))
    kept = found.state(0)
    found.close()
    found.close()
    assert found.bytes_in_memory == found.bytes_on_disk == 0
    assert found.last == -1
    np.testing.assert_array_equal(kept, unlimited.state(0))
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_guesses() -> None:
    found = decoded(run(guesses=False))
    assert found.guess(2) is None
    assert found.state(2).shape == (3, 32, 32)


def test_it_is_measured_as_pixels_and_says_so() -> None:
    source = run()
    of_latents, of_pixels = RunMeasures.of(source), RunMeasures.of(decoded(source))
    assert (of_latents.space, of_pixels.space) == ("latents", DECODED)
    assert of_pixels.is_complete
    spectrum, latents = of_pixels.spectrum("guess", STEPS), of_latents.spectrum("guess", STEPS)
    assert spectrum is not None
    assert latents is not None
    assert (len(spectrum.frequencies), len(latents.frequencies)) == (23, 6)  # 16 and 4 along the edges


def test_it_is_looked_at_as_pixels_but_noise_is_only_in_the_latents() -> None:
    found = decoded(run())
    for kind in (FrameKind.NOISY_STATE, FrameKind.CURRENT_GUESS, FrameKind.STATE_CHIPS, FrameKind.GUESS_CHIPS):
        shown = pictures.picture(found, 3, kind)
        assert shown.rgb is not None
        assert shown.rgb.shape == (32, 32, 3)
        assert shown.seen == ""
    for kind in (FrameKind.PREDICTED_NOISE, FrameKind.TWIN):
        shown = pictures.picture(found, 3, kind)
        assert shown.rgb is None
        assert shown.note == pictures.NO_DECODED_NOISE
    assert pictures.picture(found, 3, FrameKind.AFTER_STEP).note == pictures.NOT_DECODED_STEP
    with pytest.raises(ExportError, match="what the sampler returned in the latents"):
        shown_states(found, AnimationOptions(frames="after-step"))
