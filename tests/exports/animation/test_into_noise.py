"""A GIF that goes from the picture into the noise: order, times, counting, and where its cursor is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sculptor_app.core.texts import ratio_text
from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.core.trajectory.levels import phase_of
from sculptor_app.exports.animation.caption import BAR_PX, CaptionCell, caption_height, draw_caption, headings
from sculptor_app.exports.animation.chart import EnergyChart
from sculptor_app.exports.animation.drawing import LIGHT
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import frame_count, shown_states, timetable
from sculptor_app.exports.gif.writer import estimate_bytes, write_gif
from sculptor_app.exports.settings import read_settings
from sculptor_app.measures.forward import ForwardMeasures
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import picture
from tests.exports.gif.fidelity import frames_in_time, psnr
from tests.helpers.runs import made_run, solid

INTO_NOISE = {"frames": "noisy", "into_noise": True}


def drowned(steps: int = 8, size: int = 32, fresh: bool = False):
    return run_forward_process(solid(size), "solid.png", steps=steps, fresh=fresh)


@pytest.mark.parametrize("fresh", [False, True])
def test_it_begins_with_the_picture_and_ends_in_the_noise(tmp_path: Path, fresh: bool) -> None:
    trajectory = drowned(fresh=fresh)
    options = AnimationOptions(size_px=32, hold_ms=0, caption=False, **INTO_NOISE)
    write_gif(tmp_path / "x.gif", trajectory, None, options)
    shown = frames_in_time(tmp_path / "x.gif", 80)
    assert len(shown) == 9 == frame_count(trajectory, options)
    for frame, k in zip(shown, range(8, -1, -1), strict=True):
        assert psnr(frame, picture(trajectory, k, FrameKind.NOISY_STATE).rgb) > 26


def test_the_picture_and_the_noise_are_held() -> None:
    frames = timetable((0, 1, 2, 3), AnimationOptions(hold_ms=900, delay_ms=50, **INTO_NOISE))
    assert [(frame.k, frame.delay_ms, frame.is_held) for frame in frames] == [
        (3, 900, True), (2, 50, False), (1, 50, False), (0, 900, True)
    ]  # fmt: skip
    assert [frame.k for frame in timetable((4,), AnimationOptions(**INTO_NOISE))] == [4]


def test_ping_pong_turns_at_both_ends() -> None:
    def played(**options: object) -> list[int]:
        return [frame.k for frame in timetable((0, 1, 2, 3), AnimationOptions(ping_pong=True, **INTO_NOISE, **options))]

    assert played() == [3, 2, 1, 0, 1, 2]
    assert played(loop=False) == [3, 2, 1, 0, 1, 2, 3]


@pytest.mark.parametrize(("every", "shown"), [(1, range(9)), (3, (0, 2, 5, 8)), (5, (0, 3, 8)), (100, (0, 8))])
def test_every_nth_layer_counts_from_the_picture(every: int, shown: tuple[int, ...]) -> None:
    assert shown_states(drowned(), AnimationOptions(every=every, **INTO_NOISE)) == tuple(shown)


def test_caption_counts_layers() -> None:
    trajectory = drowned(steps=50)
    first, last, middle = (headings(trajectory, k, into_noise=True) for k in (50, 0, 38))
    assert first[0] == "Layer 0 of 50  ·  The picture  ·  SNR infinite"
    assert last[3] == "Layer 50 of 50  ·  Pure noise"
    assert middle[3] == "Layer 12 of 50  ·  Polish"
    assert middle[4] == "12/50 · Polish"


def test_caption_has_the_level_of_the_phase_and_the_state_s_own() -> None:
    """Step 9 of 10 begins with an SNR of 28, by which its phase goes, and leads to a state of 24,000 or so."""
    trajectory = made_run(steps=10)
    ratios = [ratio_text(level.snr, "infinite") for level in trajectory.levels]
    assert headings(trajectory, 0)[0] == f"Step 0 of 10  ·  Pure noise  ·  SNR {ratios[0]}"
    for k in range(1, 11):
        phase = phase_of(trajectory.levels[k - 1]).name
        assert headings(trajectory, k)[0] == f"Step {k} of 10  ·  {phase}  ·  from SNR {ratios[k - 1]} to {ratios[k]}"
        layer, own = headings(trajectory, k, into_noise=True)[0], phase_of(trajectory.levels[k])
        assert layer == f"Layer {10 - k} of 10  ·  {own.name if k < 10 else 'The picture'}  ·  SNR {ratios[k]}"


def test_bar_has_the_phases_the_other_way_round() -> None:
    sheet = Image.new("RGB", (500, caption_height(500)), LIGHT.paper)
    draw_caption(sheet, drowned(steps=50), 30, 0, (CaptionCell(0, 500, "Noisy state", ""),), LIGHT, into_noise=True)
    bar = np.asarray(sheet)[BAR_PX // 2]
    assert tuple(bar[10]) == LIGHT.phases["polish"]
    assert tuple(bar[199]) == LIGHT.phases["polish"]
    assert tuple(bar[201]) not in LIGHT.phases.values()


def test_chart_runs_from_the_picture_to_the_noise() -> None:
    trajectory = drowned(steps=20)
    chart = EnergyChart(trajectory, ForwardMeasures.of(trajectory), "state", 256, LIGHT, into_noise=True)
    places = []
    for k in (20, 10, 0):
        found = np.flatnonzero((np.asarray(chart.at(k))[60:200] == LIGHT.text).all(2).mean(0) > 0.6)
        assert len(found) == 1
        places.append(int(found[0]))
    assert places == sorted(places)
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=1)


def test_settings_say_what_was_drowned_and_nothing_of_a_model(tmp_path: Path) -> None:
    options = AnimationOptions(size_px=32, plot=True, **INTO_NOISE)
    write_gif(tmp_path / "x.gif", drowned(steps=2), None, options)
    told = read_settings(tmp_path / "x.gif")
    assert (told["origin"], told["request"]) == ("solid.png, drowned", {"seed": 7, "steps": 2})
    assert AnimationOptions(**told["export"]) == options


@pytest.mark.parametrize("fresh", [False, True])
def test_estimate_is_within_30_percent(tmp_path: Path, fresh: bool) -> None:
    trajectory = drowned(steps=60, fresh=fresh)
    options = AnimationOptions(size_px=64, **INTO_NOISE)
    write_gif(tmp_path / "x.gif", trajectory, None, options)
    assert estimate_bytes(trajectory, None, options) == pytest.approx((tmp_path / "x.gif").stat().st_size, rel=0.3)


@pytest.mark.parametrize("height", [170, 200, 256, 600])
@pytest.mark.parametrize("into_noise", [False, True])
def test_the_line_under_the_chart_ends_inside_it(height: int, into_noise: bool) -> None:
    trajectory = drowned()
    chart = EnergyChart(trajectory, ForwardMeasures.of(trajectory), "state", height, LIGHT, into_noise)
    assert (np.asarray(chart.at(0))[-20:, -2:] == LIGHT.paper).all()
