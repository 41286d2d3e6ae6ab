"""What is shown of a run, as colours."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import RunInfo, Trajectory
from sculptor_app.measures.colours import BAND_NUMBERS, TABLE, byte_picture, diverging_colours, robust_limit
from sculptor_app.measures.pictures import FrameKind, frame, picture
from sculptor_app.measures.spectrum import luminance
from tests.helpers.runs import made_run


def test_bytes_of_known_values() -> None:
    values = np.array([-2, -1, 0, 1, 2, np.nan], np.float32)
    grey = byte_picture(values.reshape(1, 1, 6))
    assert grey[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]
    assert byte_picture(values.reshape(1, 1, 6), reach=2.0)[0, :5, 0].tolist() == [0, 64, 128, 191, 255]
    assert (grey.dtype, grey.flags.c_contiguous, grey.shape) == (np.uint8, True, (1, 6, 3))


def test_channels_become_red_green_and_blue() -> None:
    frame_of_three = np.stack([np.full((2, 3), value, np.float32) for value in (-1, 0, 1)])
    assert byte_picture(frame_of_three)[1, 2].tolist() == [0, 128, 255]
    assert byte_picture(np.concatenate([frame_of_three, frame_of_three]))[0, 0].tolist() == [0, 128, 255]


@given(st.integers(0, 255))
def test_every_byte_survives_the_way_through_floats(value: int) -> None:
    assert byte_picture(np.full((1, 1, 1), value / 127.5 - 1, np.float32))[0, 0, 0] == value


def test_diverging_colours_are_centred_on_zero() -> None:
    colours = diverging_colours(np.array([[-9.0, -2.0, 0.0, 2.0, 9.0, np.nan]]), limit=2.0)[0]
    blue, white, orange = TABLE[0], TABLE[len(TABLE) // 2], TABLE[-1]
    assert [c.tolist() for c in colours] == [c.tolist() for c in (blue, blue, white, orange, orange, white)]
    assert white.min() > 240
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]


def test_diverging_colours_grow_darker_to_both_ends() -> None:
    lightness = TABLE @ np.array([0.2126, 0.7152, 0.0722])
    middle = len(TABLE) // 2
    assert (np.diff(lightness[:middle]) >= -0.5).all()
    assert (np.diff(lightness[middle:]) <= 0.5).all()


def seen_without_red_or_green(rgb: np.ndarray) -> np.ndarray:
    """Colours as a person without red cones tells them apart: yellow against blue, and lightness (Viénot 1999)."""
    linear = (rgb / 255.0) ** 2.2
    mixed = linear @ np.array([0.11238, 0.88762, 0.0])
    return np.stack([mixed, linear[:, 2]], axis=1)


def test_ends_stay_apart_without_red_cones() -> None:
    seen = seen_without_red_or_green(TABLE)
    blueness = seen[:, 1] - seen[:, 0]
    assert (blueness[:60] > 0.05).all()
    assert (blueness[-60:] < -0.02).all()


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_scale_needs_a_limit_above_zero(limit: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        diverging_colours(np.zeros((2, 2)), limit)


def test_robust_limit_ignores_a_few_extremes() -> None:
    plane = np.linspace(-1, 1, 1001)
    plane[0] = 1e6
    assert robust_limit(plane) == pytest.approx(0.995, abs=0.005)
    assert robust_limit(np.zeros((4, 4))) == 1.0
    assert robust_limit(np.full((4, 4), np.nan)) == 1.0
    spike = np.zeros((64, 64))
    spike[0, 0] = 0.3
    assert robust_limit(spike) == pytest.approx(0.3)


def test_the_limit_of_a_large_picture_is_that_of_a_part_of_it() -> None:
    plane = np.random.default_rng(3).standard_normal((700, 900)).astype(np.float32)
    assert robust_limit(plane) == pytest.approx(np.percentile(np.abs(plane), 99.5), rel=0.02)
    spike = np.zeros((700, 900), np.float32)
    spike[1, 2] = -0.3
    assert robust_limit(spike) == pytest.approx(0.3)


@pytest.mark.parametrize("shape", [(3, 200, 300), (3, 1, 2 * BAND_NUMBERS + 5), (3, 2 * BAND_NUMBERS + 5, 1)])
def test_pictures_made_in_bands_are_whole(shape: tuple[int, int, int]) -> None:
    numbers = np.random.default_rng(4).uniform(-1.2, 1.2, shape).astype(np.float32)
    wanted = np.clip(np.floor(numbers * np.float32(127.5) + np.float32(128)), 0, 255).transpose(1, 2, 0)
    assert (byte_picture(numbers) == wanted).all()
    places = np.clip(numbers[0] * 100, -100, 100)
    assert np.abs(diverging_colours(numbers[0], 1.0) - TABLE[np.rint(places).astype(int) + 100].astype(int)).max() <= 6


def test_chips_add_up_to_the_whole_way() -> None:
    trajectory = made_run(steps=6)
    chips = sum(frame(trajectory, k, FrameKind.STATE_CHIPS) for k in range(1, 7))
    np.testing.assert_allclose(chips, trajectory.state(0) / trajectory.levels[0].scale - trajectory.state(6), atol=1e-5)
    gains = sum(frame(trajectory, k, FrameKind.GUESS_CHIPS) for k in range(2, 7))
    np.testing.assert_allclose(gains, trajectory.guess(6) - trajectory.guess(1), atol=1e-5)


def test_predicted_noise_is_the_noise_of_the_run() -> None:
    trajectory = made_run(steps=6)
    guess, level = trajectory.guess(4), trajectory.levels[3]
    expected = (trajectory.state(3) - level.signal * guess) / level.noise
    np.testing.assert_allclose(frame(trajectory, 4, FrameKind.PREDICTED_NOISE), expected, atol=1e-5)


def test_noisy_state_is_shown_on_one_scale() -> None:
    noise = np.random.default_rng(1).standard_normal((3, 8, 8)).astype(np.float32)
    levels = [NoiseLevel(1.0, 80.0), CLEAN]
    trajectory = Trajectory(RunInfo(RunRequest()), noise * np.float32(levels[0].scale), levels)
    np.testing.assert_allclose(frame(trajectory, 0, FrameKind.NOISY_STATE), noise, rtol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in FrameKind if kind not in (FrameKind.NOISY_STATE, FrameKind.TWIN)])
def test_state_0_says_why_it_is_empty(kind: FrameKind) -> None:
    shown = picture(made_run(guidance=2.0), 0, kind)
    assert shown.rgb is None
    assert shown.note.startswith("No step has been taken yet")


def test_other_empty_frames_say_why() -> None:
    assert picture(made_run(guesses=False), 2, FrameKind.CURRENT_GUESS).note == "No rule is known for this scheduler."
    assert "first guess" in picture(made_run(), 1, FrameKind.GUESS_CHIPS).note
    levels = [NoiseLevel(0.1, 1.0), CLEAN]
    plane = np.zeros((3, 8, 8), np.float32)
    heun = Trajectory(RunInfo(RunRequest()), plane.copy(), levels)
    for stage in (0, 1):
        heun.append(Step(1, stage, stage == 1, 1.0, levels[0], levels[1], plane.copy(), plane.copy(), "", 0.0))
    assert "more than once" in picture(heun, 1, FrameKind.PREDICTED_NOISE).note


@pytest.mark.parametrize("kind", list(FrameKind))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_kind_gives_a_picture_that_qt_can_take(kind: FrameKind, channels: int) -> None:
    trajectory = made_run(
        steps=4, size=12, channels=channels, space="pixels" if channels < 4 else "latents", guidance=2.0
    )
    shown = picture(trajectory, 3, kind)
    assert shown.rgb.shape == (12, 12, 3)
    assert shown.rgb.dtype == np.uint8
    assert shown.rgb.flags.c_contiguous
    assert (shown.limit is not None) == kind.is_signed
    if shown.limit:
        assert shown.limit == pytest.approx(robust_limit(luminance(frame(trajectory, 3, kind))))


def test_512_pixels_take_less_than_a_frame_of_the_screen() -> None:
    trajectory = made_run(steps=1, size=512)
    best = min(_seconds(lambda: picture(trajectory, 1, FrameKind.NOISY_STATE)) for _ in range(5))
    assert best < 0.016, f"{best * 1000:.1f} ms"


def _seconds(act) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
