"""Latents as colours: through the map that the run carries, with a word about it; the numbers stay exact."""

from dataclasses import replace

import numpy as np
import pytest

from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.measures import pictures
from sculptor_app.measures.colours import byte_picture, diverging_colours
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.spectrum import frame_spectrum, luminance
from tests.helpers.runs import made_run

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
    assert chips.seen == "the mean of 4 channels of latents"


def test_pixels_need_no_words() -> None:
    for kind in FrameKind:
        assert pictures.picture(made_run(4), 2, kind).seen == ""


def test_decoded_pixels_have_the_spectrum_of_pixels() -> None:
    frame = np.random.default_rng(2).standard_normal((3, 16, 16)).astype(np.float32)
    decoded, pixels = frame_spectrum(frame, "pixels (decoded)"), frame_spectrum(frame, "pixels")
    np.testing.assert_array_equal(decoded.power, pixels.power)
    assert decoded.noise_power == pixels.noise_power < 1
    assert (frame_spectrum(frame, "latents").power != pixels.power).any()
