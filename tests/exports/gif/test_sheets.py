"""Captions and charts: what is drawn beside the pictures."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.levels import PHASES
from sculptor_app.exports.animation.caption import BAR_PX, CaptionCell, _titles, caption_height, draw_caption, headings
from sculptor_app.exports.animation.chart import EnergyChart, _apart, _step_ticks
from sculptor_app.exports.animation.drawing import DARK, LIGHT, first_that_fits, polyline, typeface
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.animation.plan import RunOrGrid
from sculptor_app.exports.animation.scenes import RunScenes, animation_of, image_size
from sculptor_app.exports.gif.palette import SheetPalette
from sculptor_app.exports.gif.writer import preview_gif
from sculptor_app.exports.settings import told_title
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS
from tests.helpers.grids import made_grid
from tests.helpers.runs import made_run


def test_theme_has_an_ink_for_every_phase_and_band() -> None:
    for inks in (LIGHT, DARK):
        assert set(inks.phases) == {phase.key for phase in PHASES}
        assert set(inks.bands) == {band.key for band in BANDS}


def test_caption_says_step_and_phase() -> None:
    trajectory = made_run(steps=50, taken=12)
    assert headings(trajectory, 12)[3] == "Step 12 of 50  ·  Structure"
    assert headings(trajectory, 0)[3] == "Step 0 of 50  ·  Pure noise"


@pytest.mark.parametrize("width", [16, 40, 64, 100, 140, 220, 256, 1000])
def test_texts_never_leave_their_place(width: int) -> None:
    """Right of the strip there is paper of another colour: no ink reaches it, whatever the width."""
    trajectory = made_run(steps=1000, taken=3)
    sheet = Image.new("RGB", (width + 50, caption_height(width)), (1, 2, 3))
    draw_caption(sheet, trajectory, 3, 0, (CaptionCell(0, width, "Chips of the noisy state", "±0.0021"),), LIGHT)
    assert (np.asarray(sheet)[:, width:] == (1, 2, 3)).all()


def test_the_strip_says_which_run_it_is_as_far_as_there_is_room() -> None:
    run = made_run(steps=50)
    run.info = replace(run.info, origin="astronaut.png, drowned", first_step=30)
    title = told_title(run.info, Disclosure.NAMES)
    titles = _titles(title)
    begun = "bust · bronze · carved out of layer 21 of astronaut.png, drowned"
    assert titles[0] == f"{begun} · seed 7 · DDIM · the last 21 of 50 steps"
    assert "bust · bronze · carved out of astronaut.png, drowned · seed 7" in titles
    assert titles.index("carved out of astronaut.png, drowned · seed 7") < titles.index("bust · bronze · seed 7")
    private = _titles(told_title(run.info, Disclosure.PRIVATE))
    assert "carved out of a picture · seed 7" in private
    assert "astronaut" not in " ".join(private)
    assert titles[-1] == "seed 7"
    assert caption_height(256, titled=True) > caption_height(256)
    for width, is_said in ((256, True), (16, False)):
        top, height = caption_height(width), caption_height(width, titled=True)
        sheet = Image.new("RGB", (width, height), LIGHT.paper)
        draw_caption(sheet, run, 3, 0, (CaptionCell(0, width, "Noisy state", ""),), LIGHT, title=title)
        assert (np.asarray(sheet)[top - 3 :] != LIGHT.paper).any() == is_said


def test_a_title_tells_no_more_than_may_be_told() -> None:
    run = made_run(steps=2)
    run.info = replace(
        run.info, request=RunRequest(options={"prompt": "my secret"}), conditions="my secret", origin="me.png"
    )
    assert "my secret" in _titles(told_title(run.info, Disclosure.NAMES))[0]
    private = " ".join(_titles(told_title(run.info, Disclosure.PRIVATE)))
    assert "seed 7" in private
    assert not {"secret", "me.png"} & set(private.replace("·", " ").split())
    options = AnimationOptions(size_px=512)
    shown = {preview_gif(run, None, options, 1, each) for each in Disclosure}
    assert len(shown) == 2  # the private one differs


def test_bar_shows_the_phases_and_how_far_the_run_is() -> None:
    trajectory = made_run(steps=50)
    sheet = Image.new("RGB", (500, caption_height(500)), LIGHT.paper)
    draw_caption(sheet, trajectory, 15, 0, (CaptionCell(0, 500, "Noisy state", ""),), LIGHT)
    bar = np.asarray(sheet)[BAR_PX // 2]
    assert tuple(bar[10]) == LIGHT.phases["decisions"]
    assert tuple(bar[149]) == LIGHT.phases["structure"]
    assert tuple(bar[151]) not in LIGHT.phases.values()


def test_the_longest_text_that_fits_is_taken() -> None:
    font = typeface(13)
    texts = ("a very long text", "short", "s")
    assert first_that_fits(texts, font, 1000) == texts[0]
    assert first_that_fits(texts, font, font.getlength("short")) == "short"
    assert first_that_fits(texts, font, 1) == ""


def test_dashes_leave_gaps() -> None:
    from PIL import ImageDraw

    sheet = Image.new("L", (60, 5))
    polyline(ImageDraw.Draw(sheet), [(0, 2), (20, 2), (60, 2)], 255, 1, (6, 4))
    row = np.asarray(sheet)[2] > 0
    assert 0.5 < row.mean() < 0.8
    assert not row[7:10].any()
    assert not row[27:30].any()


def test_chart_marks_where_bands_have_settled_by_the_rule_that_was_chosen() -> None:
    """Guesses of one content that grow: by content they have settled in the first step, by energy in the eighteenth."""
    trajectory, measures = made_run(steps=20, size=64), RunMeasures.of(made_run(steps=20, size=64))
    for rule, step in (("content", 1), ("energy", 18)):
        chart = EnergyChart(trajectory, measures, "guess", 256, LIGHT, settled_by=rule)
        assert chart._marks == dict.fromkeys(range(4), step)
        x, y = round(chart._x(step)), round(chart._y(chart._values[step, 0]))
        assert tuple(np.asarray(chart._base)[y, x]) == LIGHT.paper  # a ring's inside, on the line
    for source, into_noise in (("state", False), ("guess", True)):
        assert EnergyChart(trajectory, measures, source, 256, LIGHT, into_noise)._marks == {}
    early = made_run(steps=20, size=64, taken=19)
    assert EnergyChart(early, RunMeasures.of(early), "guess", 256, LIGHT)._marks == {}


def test_chart_puts_the_cursor_at_the_step_and_the_end_points_on_the_curves() -> None:
    trajectory = made_run(steps=20, size=32)
    chart = EnergyChart(trajectory, RunMeasures.of(trajectory), "state", 256, LIGHT)
    columns = [
        np.flatnonzero((np.asarray(chart.at(k))[60:200] == LIGHT.text).all(2).mean(0) > 0.6) for k in (0, 10, 20)
    ]
    assert [len(found) for found in columns] == [1, 1, 1]
    first, middle, last = (int(found[0]) for found in columns)
    assert middle - first == pytest.approx(last - middle, abs=1)


@pytest.mark.parametrize("steps", [1, 2, 7, 50, 999, 1000])
def test_step_ticks_are_few_and_end_with_the_last(steps: int) -> None:
    ticks = _step_ticks(steps)
    assert ticks[-1] == steps
    assert 1 <= len(ticks) <= 8
    assert sorted(set(ticks)) == ticks


def test_names_that_would_touch_move_apart() -> None:
    assert _apart([50, 51, 52], 13, 0, 100) == [50, 63, 76]
    assert _apart([95, 96, 97], 13, 0, 100) == [74, 87, 100]


@pytest.mark.parametrize("dark", [False, True])
def test_sheet_palettes_are_near_what_was_drawn(dark: bool) -> None:
    options = AnimationOptions(frames="both", size_px=160, plot=True, dark=dark)
    scenes = RunScenes(made_run(steps=10, size=16), None, options, tuple(range(1, 11)))
    palette = SheetPalette.of(scenes)
    assert len(palette.colours) == 72
    for k in (1, 4, 10):
        drawn = scenes.scene(k).sheet.astype(int)
        indexed = palette.colours[palette.indexed(scenes.scene(k).sheet)]
        assert np.abs(indexed - drawn).max() < 40
        paper = (drawn == (DARK if dark else LIGHT).paper).all(2)
        assert (indexed[paper] == (DARK if dark else LIGHT).paper).all()


def test_the_palette_is_chosen_from_the_first_the_middle_and_the_last_sheet() -> None:
    scenes = RunScenes(made_run(steps=10, size=16), None, AnimationOptions(plot=True, caption=False), (1, 2, 5, 9, 10))
    for sample, k in zip(scenes.sample_sheets(), (1, 5, 10), strict=True):
        np.testing.assert_array_equal(sample, scenes.scene(k).sheet)


@pytest.mark.parametrize("source", [made_run(steps=4, size=16), made_grid(4, 4)], ids=["run", "grid"])
def test_scenes_are_whole_images_for_formats_of_any_colours(source: RunOrGrid) -> None:
    options = AnimationOptions(size_px=48)
    scene = animation_of(source, None, options).scenes.scene(3)
    image = scene.rgb()
    assert (image.shape, image.dtype) == ((*image_size(source, options)[::-1], 3), np.uint8)
    outside = np.ones(image.shape[:2], bool)
    for start, width, left, top in scene.places:
        place = np.s_[top : top + 48, left : left + 48]
        np.testing.assert_array_equal(image[place][::3, ::3], scene.pictures[:, start : start + width])
        outside[place] = False
    np.testing.assert_array_equal(image[outside], scene.sheet[outside])
