"""What is shown of a run, as colours."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.forward import cosine_levels, run_forward_process
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import DecodedTrajectory, Trajectory
from sculptor_app.diffusion.observe.guidance import EVALUATED_ONCE
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures import pictures
from sculptor_app.measures.colours import (
    BAND_NUMBERS,
    TABLE,
    byte_picture,
    diverging_colours,
    rgb32_of,
    rgb_of,
    robust_limit,
)
from sculptor_app.measures.frame_kinds import GUIDANCE_KINDS, FrameKind
from sculptor_app.measures.pictures import NO_MODEL, NO_STEP_YET, NOT_DECODED, NOT_KEPT, frame, picture
from sculptor_app.measures.spectrum import frame_spectrum, luminance
from tests.helpers.any_pipeline import engine_of, finish, request_for
from tests.helpers.runs import made_run, solid


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


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=9))
def test_colours_of_one_number_per_pixel_are_those_of_three(pixels: list[tuple[int, int, int]]) -> None:
    rgb = np.array([pixels], np.uint8)
    rgb32 = rgb32_of(rgb)
    assert [f"{colour:08x}" for colour in rgb32[0]] == [f"ff{r:02x}{g:02x}{b:02x}" for r, g, b in pixels]
    np.testing.assert_array_equal(rgb_of(rgb32), rgb)
    assert rgb_of(rgb32).flags.c_contiguous


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


WITHOUT_STEP = (FrameKind.NOISY_STATE, FrameKind.AFTER_STEP, FrameKind.TWIN)


@pytest.mark.parametrize("kind", [kind for kind in FrameKind if kind not in WITHOUT_STEP])
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


BIAS = np.array([0.5, -0.25, 0.125], np.float32)


def latent_map() -> LatentMap:
    weights = np.random.default_rng(1).normal(0, 0.15, (3, 4, 3, 3)).astype(np.float32)
    return LatentMap(weights, BIAS, (0.9, 0.95, 0.96), 0.9371)


def run(mapped: bool = True) -> Trajectory:
    source = made_run(4, size=16, channels=4, space="latents", guidance=2.0)
    source.info = replace(source.info, latent_map=latent_map() if mapped else None)
    return source


@pytest.mark.parametrize(
    "kind",
    [
        FrameKind.NOISY_STATE,
        FrameKind.CURRENT_GUESS,
        FrameKind.TWIN,
        FrameKind.UNCONDITIONAL_GUESS,
        FrameKind.CONDITIONAL_GUESS,
    ],
)
def test_states_and_guesses_are_seen_through_the_map(kind: FrameKind) -> None:
    numbers = pictures.frame(run(), 2, kind)
    assert numbers is not None
    assert numbers.shape == (4, 16, 16)
    shown = pictures.picture(run(), 2, kind)
    np.testing.assert_array_equal(shown.rgb, byte_picture(latent_map().to_rgb(numbers)))
    assert shown.seen == "seen through a linear map, R² 0.93"


def test_noise_has_no_bias() -> None:
    numbers = pictures.frame(run(), 2, FrameKind.PREDICTED_NOISE)
    assert numbers is not None
    shown = pictures.picture(run(), 2, FrameKind.PREDICTED_NOISE)
    np.testing.assert_array_equal(shown.rgb, byte_picture(latent_map().linear(numbers)))


@pytest.mark.parametrize("kind", [FrameKind.STATE_CHIPS, FrameKind.GUESS_CHIPS, FrameKind.GUIDANCE_DIRECTION])
def test_chips_have_no_bias_and_are_the_luminance_of_their_colours(kind: FrameKind) -> None:
    numbers = pictures.frame(run(), 3, kind)
    assert numbers is not None
    shown = pictures.picture(run(), 3, kind)
    assert shown.limit is not None
    plane = luminance(latent_map().linear(numbers), np.float32)
    np.testing.assert_array_equal(shown.rgb, diverging_colours(plane, shown.limit))
    assert shown.seen
    nothing = pictures.coloured(np.zeros((4, 16, 16), np.float32), kind, "latents", latent_map())
    assert (nothing.rgb == nothing.rgb[0, 0]).all()  # type: ignore[index]


def test_the_numbers_under_the_pointer_are_the_latents_themselves() -> None:
    for kind in FrameKind:
        np.testing.assert_array_equal(pictures.frame(run(), 2, kind), pictures.frame(run(mapped=False), 2, kind))


@pytest.mark.parametrize("every", [1, 2, 3])
def test_thumbnails_take_their_pixels_after_the_map(every: int) -> None:
    numbers = run().state(2)
    small = pictures.coloured(numbers, FrameKind.CURRENT_GUESS, "latents", latent_map(), every).rgb
    whole = pictures.coloured(numbers, FrameKind.CURRENT_GUESS, "latents", latent_map()).rgb
    assert small is not None
    assert whole is not None
    np.testing.assert_array_equal(small, whole[every // 2 :: every, every // 2 :: every])


def test_without_a_map_the_first_three_channels_are_shown_and_that_is_said() -> None:
    guess = pictures.picture(run(mapped=False), 2, FrameKind.CURRENT_GUESS)
    wanted = byte_picture(pictures.frame(run(), 2, FrameKind.CURRENT_GUESS), pictures.LATENT_RANGE)
    np.testing.assert_array_equal(guess.rgb, wanted)
    assert guess.seen == "the first three of 4 channels of latents"
    chips = pictures.picture(run(mapped=False), 2, FrameKind.GUESS_CHIPS)
    assert chips.seen == "the mean over the channels of the latents"


def test_pixels_need_no_words() -> None:
    for kind in FrameKind:
        assert pictures.picture(made_run(4), 2, kind).seen == ""


def test_decoded_pixels_have_the_spectrum_of_pixels() -> None:
    frame = np.random.default_rng(2).standard_normal((3, 16, 16)).astype(np.float32)
    decoded, pixels = frame_spectrum(frame, "pixels (decoded)"), frame_spectrum(frame, "pixels")
    np.testing.assert_array_equal(decoded.power, pixels.power)
    assert (frame_spectrum(frame, "latents").power != pixels.power).any()
