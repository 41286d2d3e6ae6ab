"""GIFs as other programs read them."""

import json
import re
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sculptor_app.exports.animation.options import FRAMES, PLAIN_FRAMES, AnimationOptions
from sculptor_app.exports.animation.plan import frame_count, shown_states, timetable
from sculptor_app.exports.animation.scenes import image_size
from sculptor_app.exports.files import ExportCancelled, ExportError
from sculptor_app.exports.gif.writer import estimate_bytes, write_gif
from sculptor_app.exports.settings import read_settings
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import picture
from sculptor_app.measures.run_measures import RunMeasures
from tests.exports.gif.fidelity import frames_in_time, psnr
from tests.helpers.runs import made_run

BARE = {"caption": False, "size_px": 64}


def written(folder: Path, trajectory, **options: object) -> Path:
    path = folder / "x.gif"
    write_gif(path, trajectory, None, AnimationOptions(**options))
    return path


def durations(path: Path) -> list[int]:
    """Times of the frames as Pillow reads them, ms."""
    with Image.open(path) as image:
        found = []
        for index in range(image.n_frames):
            image.seek(index)
            found.append(image.info["duration"])
    return found


def test_frames_delays_and_loop_as_pillow_reads_them(tmp_path: Path) -> None:
    path = written(tmp_path, made_run(steps=6), frames="noisy", delay_ms=120, hold_ms=900, **BARE)
    assert durations(path) == [120] * 6 + [900]
    with Image.open(path) as image:
        assert (image.size, image.info["loop"], image.info["version"]) == ((64, 64), 0, b"GIF89a")
    with Image.open(written(tmp_path, made_run(steps=6), loop=False)) as image:
        assert "loop" not in image.info


@pytest.mark.skipif(not shutil.which("gifsicle"), reason="gifsicle is not installed")
@pytest.mark.parametrize("ping_pong", [False, True])
def test_frames_and_delays_as_gifsicle_reads_them(tmp_path: Path, ping_pong: bool) -> None:
    path = written(tmp_path, made_run(steps=6), frames="both", delay_ms=70, hold_ms=700, ping_pong=ping_pong, plot=True)
    told = subprocess.run(["gifsicle", "--info", path], capture_output=True, text=True, check=True)
    assert told.stderr == ""
    delays = [float(text) for text in re.findall(r"delay ([\d.]+)s", told.stdout)]
    assert delays == [0.07] * 5 + [0.7] + ([0.07] * 4 if ping_pong else [])
    assert "loop forever" in told.stdout
    width, height = image_size(made_run(), AnimationOptions(frames="both", plot=True))
    assert f"logical screen {width}x{height}" in told.stdout


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
def test_frames_and_time_as_ffprobe_reads_them(tmp_path: Path) -> None:
    path = written(tmp_path, made_run(steps=9), frames="guess", delay_ms=100, hold_ms=1000)
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames,duration",
        "-of",
        "json",
    ]
    told = subprocess.run([*command, path], capture_output=True, text=True, check=True)
    assert told.stderr == ""
    stream = json.loads(told.stdout)["streams"][0]
    assert int(stream["nb_read_frames"]) == 9
    assert float(stream["duration"]) == pytest.approx(1.8)


def test_alike_frames_are_all_there(tmp_path: Path) -> None:
    """Eight times the same guess: nothing is merged, so that players and editors find every step."""
    trajectory = made_run(steps=8)
    same = trajectory.guess(8)
    trajectory._frames._in_memory.update({trajectory._guesses[k]: same for k in range(1, 9)})
    path = written(tmp_path, trajectory, frames="guess", delay_ms=50, hold_ms=50, **BARE)
    assert durations(path) == [50] * 8


@pytest.mark.parametrize("frames", ["noisy", "guess", "chips"])
@pytest.mark.parametrize("fresh_noise", [False, True])
def test_pictures_are_near_the_originals_and_crisp(tmp_path: Path, frames: str, fresh_noise: bool) -> None:
    kinds = {"noisy": FrameKind.NOISY_STATE, "guess": FrameKind.CURRENT_GUESS, "chips": FrameKind.STATE_CHIPS}
    trajectory = made_run(steps=6, size=32, fresh_noise=fresh_noise)
    path = written(tmp_path, trajectory, frames=frames, hold_ms=0, size_px=100, caption=False)
    shown = frames_in_time(path, 80)
    first = 0 if frames == "noisy" else 1
    assert len(shown) == 7 - first
    for k, large in enumerate(shown, start=first):
        small = large[::3, ::3]
        np.testing.assert_array_equal(large, small.repeat(3, 0).repeat(3, 1))
        assert psnr(small, picture(trajectory, k, kinds[frames]).rgb) > 28


def test_no_pixel_drifts_further_than_it_may(tmp_path: Path) -> None:
    trajectory = made_run(steps=20, size=16)
    path = written(tmp_path, trajectory, frames="noisy", hold_ms=0, size_px=16, caption=False)
    for k, shown in enumerate(frames_in_time(path, 80)):
        difference = picture(trajectory, k, FrameKind.NOISY_STATE).rgb.astype(float) - shown
        assert np.sqrt((difference**2).sum(2)).max() < 16 * 1.3 + 12  # drift, and what a palette of 255 leaves


def test_few_colours_are_exact(tmp_path: Path) -> None:
    trajectory = made_run(steps=1, size=8)
    path = written(tmp_path, trajectory, frames="guess", size_px=16, hold_ms=0, caption=False)
    original = picture(trajectory, 1, FrameKind.CURRENT_GUESS).rgb
    np.testing.assert_array_equal(frames_in_time(path, 80)[0][::2, ::2], original)


def test_larger_pictures_shrink_by_a_whole_factor(tmp_path: Path) -> None:
    trajectory = made_run(steps=2, size=100)
    assert image_size(trajectory, AnimationOptions(size_px=64, caption=False)) == (50, 50)
    path = written(tmp_path, trajectory, frames="noisy", size_px=64, hold_ms=0, caption=False)
    original = picture(trajectory, 0, FrameKind.NOISY_STATE).rgb.reshape(50, 2, 50, 2, 3).mean((1, 3))
    assert psnr(frames_in_time(path, 80)[0], original.round().astype(np.uint8)) > 25


def test_settings_travel_and_can_be_read_again(tmp_path: Path) -> None:
    trajectory = made_run(steps=3)
    told = read_settings(written(tmp_path, trajectory, frames="both", plot=True, dark=True))
    assert told["request"] == trajectory.info.request.as_dict()
    assert AnimationOptions(**told["export"]) == AnimationOptions(frames="both", plot=True, dark=True)
    assert (told["application"], told["steps_taken"], told["sampler_name"]) == ("Sculptor", 3, "DDIM")


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"no picture"])
def test_other_files_have_no_settings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "y.gif"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"cannot be read as a picture"):
        read_settings(path)
    Image.new("L", (4, 4)).save(path, comment=b'["not ours"]')
    with pytest.raises(ExportError, match=r"carries no settings"):
        read_settings(path)


def test_stop_and_failure_leave_the_old_file_whole(tmp_path: Path) -> None:
    path, stop, told = tmp_path / "x.gif", threading.Event(), []
    path.write_bytes(b"old")

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if done == 3:
            stop.set()

    with pytest.raises(ExportCancelled):
        write_gif(path, made_run(steps=6), None, AnimationOptions(**BARE), progress, stop)
    assert told == [(1, 6), (2, 6), (3, 6)]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.gif"]


@pytest.mark.parametrize(("every", "shown"), [(1, range(9)), (3, (0, 3, 6, 8)), (5, (0, 5, 8)), (100, (0, 8))])
def test_every_nth_step_with_the_first_and_the_last(every: int, shown: tuple[int, ...]) -> None:
    assert shown_states(made_run(steps=8), AnimationOptions(frames="noisy", every=every)) == tuple(shown)


def test_ping_pong_turns_at_both_ends() -> None:
    def played(**options: object) -> list[int]:
        return [shown.k for shown in timetable((0, 1, 2, 3), AnimationOptions(ping_pong=True, **options))]

    assert played() == [0, 1, 2, 3, 2, 1]
    assert played(loop=False) == [0, 1, 2, 3, 2, 1, 0]
    assert timetable((4,), AnimationOptions(ping_pong=True)) == timetable((4,), AnimationOptions())


def test_runs_with_nothing_to_show_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no step to show. Let it take a step first"):
        written(tmp_path, made_run(taken=0))
    with pytest.raises(ExportError, match=r"No rule is known for this scheduler. Export the noisy state"):
        written(tmp_path, made_run(guesses=False))
    assert list(tmp_path.iterdir()) == []
    assert durations(written(tmp_path, made_run(taken=0), frames="noisy", hold_ms=300)) == [300]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"delay_ms": 85}, "is 85 ms, and GIF counts whole 10 ms. Choose 80"), ({"delay_ms": 10}, "Choose 20 to 10000"),
     ({"hold_ms": -10}, "Choose 0 to 60000"), ({"size_px": 5000}, "Choose 16 to 2048"),
     ({"every": 0}, "Choose 1 or more"), ({"frames": "all"}, "Choose one of guess, noisy, chips, ")],
)  # fmt: skip
def test_wrong_options_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ExportError, match=words):
        AnimationOptions(**wrong)


@pytest.mark.parametrize(
    ("frames", "fresh_noise", "options"),
    [("noisy", False, {}), ("noisy", True, {"caption": False}), ("guess", False, {"plot": True, "ping_pong": True}),
     ("chips", False, {"every": 2}), ("both", True, {})],
)  # fmt: skip
def test_estimate_is_within_30_percent(
    tmp_path: Path, frames: str, fresh_noise: bool, options: dict[str, object]
) -> None:
    trajectory = made_run(steps=60, size=32, fresh_noise=fresh_noise)
    chosen = AnimationOptions(frames=frames, size_px=96, **options)
    measures = RunMeasures.of(trajectory)
    path = tmp_path / "x.gif"
    write_gif(path, trajectory, measures, chosen)
    assert estimate_bytes(trajectory, measures, chosen) == pytest.approx(path.stat().st_size, rel=0.3)
    assert len(durations(path)) == frame_count(trajectory, chosen)


def test_fixed_noise_costs_less_than_half_of_fresh_noise(tmp_path: Path) -> None:
    sizes = [
        written(tmp_path, made_run(steps=60, size=32, fresh_noise=fresh), frames="noisy", caption=False).stat().st_size
        for fresh in (False, True)
    ]
    assert sizes[0] < 0.5 * sizes[1], sizes


@settings(max_examples=25)
@given(
    st.sampled_from(list(FRAMES)), st.integers(1, 5), st.sampled_from((16, 31, 64, 150)), st.booleans(), st.booleans(),
    st.booleans(), st.integers(1, 5), st.sampled_from((1, 3, 4)),
)  # fmt: skip
def test_any_choice_gives_a_gif_that_opens(tmp_path_factory, frames, every, size_px, caption, plot, ping_pong, taken,
                                           channels) -> None:  # fmt: skip
    trajectory = made_run(
        steps=5, size=16, taken=taken, channels=channels, space="latents" if channels == 4 else "pixels", guidance=2.0
    )
    options = AnimationOptions(frames, every, size_px, caption=caption, plot=plot, ping_pong=ping_pong)
    path = tmp_path_factory.mktemp("gif") / "x.gif"
    write_gif(path, trajectory, None, options)
    with Image.open(path) as image:
        assert image.size == image_size(trajectory, options)
        assert image.n_frames == frame_count(trajectory, options)


def test_both_guesses_of_guidance_stand_beside_the_one_they_make(tmp_path: Path) -> None:
    run = made_run(steps=4, guidance=3.0)
    path = written(tmp_path, run, frames="guesses", **BARE)
    last = frames_in_time(path, 80)[-1]
    assert last.shape[:2] == (64, 3 * 64 + 2 * 8)
    for index, kind in enumerate((FrameKind.UNCONDITIONAL_GUESS, FrameKind.CONDITIONAL_GUESS, FrameKind.CURRENT_GUESS)):
        wanted = picture(run, 4, kind).rgb.repeat(4, 0).repeat(4, 1)
        assert psnr(last[:, index * 72 : index * 72 + 64], wanted) > 30


def test_a_word_of_older_settings_is_understood() -> None:
    assert AnimationOptions("unguided") == AnimationOptions("unconditional")


def test_a_run_without_the_two_guesses_says_why(tmp_path: Path) -> None:
    for frames in set(FRAMES) - set(PLAIN_FRAMES):
        with pytest.raises(ExportError, match=r"did not keep the two guesses.*Export the current guess instead"):
            written(tmp_path, made_run(), frames=frames)
    with pytest.raises(ExportError, match="holds no step"):
        written(tmp_path, made_run(taken=0, guidance=2.0), frames="guesses")
