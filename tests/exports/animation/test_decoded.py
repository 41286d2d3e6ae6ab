"""Runs in latents in exports: which frames a decoder makes, and how the others come to its size."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import DecodedFrames, Wanted, frames_to_decode, latents_of, shown_states
from sculptor_app.exports.animation.scenes import animation_of, image_size
from sculptor_app.exports.files import OptionError
from sculptor_app.exports.stills import write_png
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import picture
from tests.helpers.runs import made_run

FACTOR = 4


@pytest.fixture
def run() -> Trajectory:
    made = made_run(steps=5, size=8, channels=4, space="latents", guidance=2.0)
    made.info = replace(made.info, decoder_factor=FACTOR)
    return made


@pytest.fixture
def decoded() -> Iterator[DecodedFrames]:
    frames = DecodedFrames()
    yield frames
    frames.close()


def decode(wanted: list[Wanted], decoded: DecodedFrames, edge: int = 8 * FACTOR) -> None:
    """A decoder whose every picture is a ramp, whatever the latents are."""
    for each, latents in latents_of(wanted):
        assert latents.shape == (4, 8, 8)
        decoded.keep(each, np.tile(np.linspace(-1, 1, edge, dtype=np.float32), (3, edge, 1)))


RAMP = np.round((np.tile(np.linspace(-1, 1, 8 * FACTOR), (8 * FACTOR, 1)) + 1) * 127.5)


@pytest.mark.parametrize(
    ("mode", "small", "own_states", "small_states"),
    [
        ("last", False, [5], []),
        ("last", True, [5], [1, 2, 3, 4]),
        ("all", False, [1, 2, 3, 4, 5], []),
        ("all", True, [], [1, 2, 3, 4, 5]),
        ("none", False, [], []),
    ],
)
def test_which_frames_are_decoded_by_whom(
    run: Trajectory, mode: str, small: bool, own_states: list[int], small_states: list[int]
) -> None:
    options = AnimationOptions(frames="both", decode=mode)
    own, by_small = frames_to_decode(run, options, shown_states(run, options), small)
    kinds = (FrameKind.CURRENT_GUESS, FrameKind.NOISY_STATE)
    assert own == [(run, k, kind) for k in own_states for kind in kinds]
    assert by_small == [(run, k, kind) for k in small_states for kind in kinds]


@pytest.mark.parametrize(("space", "frames"), [("latents", "chips"), ("pixels", "guess"), ("pixels", "chips")])
def test_nothing_is_decoded_of_pixels_and_of_differences(space: str, frames: str) -> None:
    source = made_run(steps=3, space=space)
    source.info = replace(source.info, decoder_factor=FACTOR if space == "latents" else 1)
    options = AnimationOptions(frames=frames, size_px=16, caption=False, decode="all")
    assert frames_to_decode(source, options, (1, 2), True) == ([], [])
    assert image_size(source, options) == (16, 16)


def test_all_frames_of_a_film_have_the_decoders_size(run: Trajectory, decoded: DecodedFrames) -> None:
    """The last is the decoder's; each latent of the others is a square of FACTOR pixels of one colour."""
    options = AnimationOptions(size_px=8 * FACTOR, caption=False)
    animation = animation_of(run, None, options, decoded)
    decode(frames_to_decode(run, options, shown_states(run, options))[0], decoded)
    frames = [animation.scenes.scene(frame.k).rgb() for frame in animation.frames]
    assert {frame.shape for frame in frames} == {(8 * FACTOR, 8 * FACTOR, 3)}
    np.testing.assert_allclose(frames[-1][..., 0], RAMP, atol=1)
    for k, frame in enumerate(frames[:-1], start=1):
        mosaic = picture(run, k, FrameKind.CURRENT_GUESS).rgb
        np.testing.assert_array_equal(frame, np.kron(mosaic, np.ones((FACTOR, FACTOR, 1), np.uint8)))


def test_what_could_not_be_decoded_is_a_mosaic_of_the_same_size(run: Trajectory, decoded: DecodedFrames) -> None:
    options = AnimationOptions(size_px=8 * FACTOR, caption=False)
    scenes = animation_of(run, None, options, decoded).scenes
    mosaic = picture(run, 5, FrameKind.CURRENT_GUESS).rgb
    np.testing.assert_array_equal(scenes.scene(5).rgb(), np.kron(mosaic, np.ones((FACTOR, FACTOR, 1), np.uint8)))


def test_a_still_is_decoded_whatever_its_state(run: Trajectory, decoded: DecodedFrames, tmp_path: Path) -> None:
    options = AnimationOptions(size_px=2 * 8 * FACTOR)
    decode(frames_to_decode(run, options, (2,))[0], decoded)
    write_png(tmp_path / "x.png", run, 2, options, decoded)
    with Image.open(tmp_path / "x.png") as still:
        np.testing.assert_allclose(np.asarray(still)[::2, ::2, 0], RAMP, atol=1)


def test_a_decoder_that_rounds_the_size_does_not_break_the_film(run: Trajectory, decoded: DecodedFrames) -> None:
    options = AnimationOptions(size_px=8 * FACTOR, caption=False)
    decode(frames_to_decode(run, options, (5,))[0], decoded, edge=8 * FACTOR - 2)
    assert animation_of(run, None, options, decoded).scenes.scene(5).rgb().shape == (8 * FACTOR, 8 * FACTOR, 3)


def test_an_unknown_decoding_is_refused() -> None:
    with pytest.raises(OptionError, match="Choose one of last, all, none"):
        AnimationOptions(decode="some")
