"""Posters: which states, where things stand, and that SVG and PDF are read by others."""

import base64
import io
import re
import threading
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from sculptor_app.core.colours import DARK_PAPER, LIGHT_PAPER
from sculptor_app.exports.animation.options import CONTACT_SHEET, PLOT, POSTER, AnimationOptions, Disclosure
from sculptor_app.exports.files import ExportCancelled, ExportError
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.page_marks import (
    WIDTH,
    Box,
    Line,
    Picture,
    Poster,
    Ring,
    Text,
    as_image,
    as_pdf,
    as_svg,
    inter,
)
from sculptor_app.exports.poster import MOST_ON_SHEET, chosen_states, lay_out, preview_poster, write_poster
from sculptor_app.exports.settings import read_settings
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import picture
from tests.helpers.grids import made_grid
from tests.helpers.runs import made_run

BOTH = AnimationOptions(frames="both", size_px=2048)
SVG = "{http://www.w3.org/2000/svg}"


def laid_out(options: AnimationOptions = BOTH, **made: object) -> Poster:
    run = made_run(**{"steps": 50, "size": 32} | made)
    return lay_out(run, None, options, chosen_states(run, options))


def words_of(poster: Poster) -> list[str]:
    return [mark.words for mark in poster.marks if isinstance(mark, Text)]


def test_of_each_phase_its_middle_and_its_end_are_shown() -> None:
    run = made_run(steps=50)
    assert chosen_states(run, BOTH) == (1, 3, 5, 10, 15, 23, 30, 40, 50)
    assert chosen_states(run, replace(BOTH, frames="noisy")) == (0, 3, 5, 10, 15, 23, 30, 40, 50)
    assert chosen_states(made_run(steps=50, taken=12), BOTH)[-1] == 12
    assert chosen_states(made_run(steps=1), BOTH) == (1,)
    assert len(chosen_states(made_run(steps=1000), BOTH)) == 9


def test_pictures_stand_under_their_phases_with_their_own_pixels() -> None:
    poster, run = laid_out(), made_run(steps=50, size=32)
    pictures = [mark for mark in poster.marks if isinstance(mark, Picture)]
    assert len(pictures) == 2 * 9
    wanted = picture(run, 1, FrameKind.CURRENT_GUESS).rgb
    assert np.array_equal(pictures[0].rgb, wanted)
    words = words_of(poster)
    assert words[0] == "bust · bronze"
    assert ["Structure 6–15" in words, "Polish 31–50" in words, "step 10" in words] == [True] * 3
    bars = [mark for mark in poster.marks if isinstance(mark, Box) and mark.height == 24]
    assert [bar.ink for bar in bars] == list(LIGHT_PAPER.phases.values())
    for bar, columns in zip(bars, [(0, 2), (3, 4), (5, 6), (7, 8)], strict=True):
        assert bar.at[0] == pictures[columns[0]].at[0]
        last = pictures[columns[1]]
        assert bar.at[0] + bar.width == pytest.approx(last.at[0] + last.width)


@pytest.mark.parametrize("made", [{}, {"size": 16, "steps": 3}, {"taken": 7}, {"steps": 1000}, {"channels": 1}])
@pytest.mark.parametrize("frames", ["guess", "both", "noisy"])
def test_nothing_leaves_the_page(made: dict[str, int], frames: str) -> None:
    poster = laid_out(replace(BOTH, frames=frames), **made)
    for mark in poster.marks:
        match mark:
            case Text():
                wide = inter(mark, 1.0).getlength(mark.words)
                shift = {"start": 0, "middle": 0.5, "end": 1}[mark.anchor] * wide
                left, right, top, bottom = (
                    mark.at[0] - shift,
                    mark.at[0] - shift + wide,
                    mark.at[1] - mark.size,
                    mark.at[1],
                )
            case Line():
                xs, ys = zip(*mark.points, strict=True)
                left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
            case Ring():
                left, right, top, bottom = mark.at[0] - 5, mark.at[0] + 5, mark.at[1] - 5, mark.at[1] + 5
            case _:
                left, top = mark.at
                right, bottom = left + mark.width, top + mark.height
        assert left >= -1
        assert right <= WIDTH + 1
        assert top >= 0
        assert bottom <= poster.height


def test_the_svg_is_read_as_xml_and_holds_the_pictures(tmp_path: Path) -> None:
    run = made_run(steps=50, size=32)
    write_poster(tmp_path / "x.svg", run, None, BOTH)
    root = ET.parse(tmp_path / "x.svg").getroot()
    assert root.tag == f"{SVG}svg"
    images = root.findall(f"{SVG}image")
    assert len(images) == 18
    with Image.open(io.BytesIO(base64.b64decode(images[0].attrib["href"].partition(",")[2]))) as image:
        assert np.array_equal(np.asarray(image), picture(run, 1, FrameKind.CURRENT_GUESS).rgb)
    assert len(root.findall(f"{SVG}polyline")) >= 4
    assert len(root.findall(f"{SVG}circle")) == 4
    assert not re.search(r'href="(?!data:)', (tmp_path / "x.svg").read_text("utf-8"))


def test_the_pdf_has_one_page_of_the_posters_size(tmp_path: Path) -> None:
    write_poster(tmp_path / "x.pdf", made_run(steps=50, size=32), None, BOTH, kind="pdf")
    content = (tmp_path / "x.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert content.count(b"/Type /Page\n") == 1
    height = laid_out().height * 0.75
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)
    assert box is not None
    assert (float(box[1]), float(box[2])) == pytest.approx((900, height), abs=0.1)
    assert content.count(b"/Subtype /Image") >= 17  # the last two are alike, and there once


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_it_carries_its_settings_and_odd_words(kind: str, tmp_path: Path) -> None:
    run = made_run(steps=4)
    nasty = 'a <lion> & "two" (of) them \\ ✓ 日本'
    run.info = replace(run.info, conditions=nasty)
    write_poster(tmp_path / f"x.{kind}", run, None, replace(BOTH, size_px=77), kind=kind)
    found = read_settings(tmp_path / f"x.{kind}")
    assert (found["request"]["form"], found["export"]["size_px"]) == ("bust", 77)
    if kind == "svg":
        assert nasty in "".join(ET.parse(tmp_path / "x.svg").getroot().itertext())


def test_a_grid_is_a_row_of_sheets_and_dark_is_dark() -> None:
    grid = made_grid(4, 6)
    options = AnimationOptions(size_px=64, dark=True)
    poster = lay_out(grid, None, options, chosen_states(grid, options))
    assert poster.paper is DARK_PAPER
    assert not any(isinstance(mark, Ring) for mark in poster.marks)
    assert len([mark for mark in poster.marks if isinstance(mark, Picture)]) == len(chosen_states(grid, options))
    assert as_image(poster, 0.5).getpixel((1, 1)) == tuple(bytes.fromhex(DARK_PAPER.paper[1:]))


def test_into_the_noise_it_counts_layers() -> None:
    poster = laid_out(AnimationOptions(frames="noisy", into_noise=True, size_px=64))
    words = words_of(poster)
    assert "layer 0" in words
    assert "layer of noise" in words
    assert words.index("layer 0") < words.index("pure noise")


def test_the_three_hands_draw_the_same_marks() -> None:
    poster = laid_out()
    kinds = {type(mark) for mark in poster.marks}
    assert kinds == {Text, Box, Line, Ring, Picture}
    svg = as_svg(poster, "")
    assert svg.count("<text") == sum(isinstance(mark, Text) for mark in poster.marks)
    assert as_pdf(poster, "").startswith(b"%PDF")
    image = np.asarray(as_image(poster, 1.0))
    assert image.shape == (round(poster.height), WIDTH, 3)
    first = next(mark for mark in poster.marks if isinstance(mark, Picture))
    x, y = (int(each) for each in first.at)
    shown = image[y + 3 : y + int(first.height) - 3, x + 3 : x + int(first.width) - 3]
    assert np.abs(shown.mean(axis=(0, 1)) - first.rgb.mean(axis=(0, 1))).max() < 8


def test_a_poster_is_stopped_and_what_has_no_guess_is_refused(tmp_path: Path) -> None:
    stop, done = threading.Event(), []

    def progress(count: int, of: int) -> None:
        done.append((count, of))
        if count == 2:
            stop.set()

    with pytest.raises(ExportCancelled):
        write_poster(tmp_path / "x.svg", made_run(steps=50), None, BOTH, progress, stop)
    assert done == [(1, 18), (2, 18)]
    with pytest.raises(ExportError, match="No rule is known"):
        write_poster(tmp_path / "x.svg", made_run(steps=3, guesses=False), None, BOTH)
    assert list(tmp_path.iterdir()) == []


def test_the_preview_is_the_poster(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(steps=6)
    with Image.open(io.BytesIO(preview_poster(run, None, BOTH, 3))) as image:
        assert image.width == 2 * WIDTH  # as the PNG page: a reader may look closer
    assert preview_poster(run, None, BOTH, 3) == preview_poster(run, None, BOTH, 5)
    run.info = replace(
        run.info, conditions="my secret", request=replace(run.info.request, options={"prompt": "my secret"})
    )
    assert preview_poster(run, None, BOTH, 3, Disclosure.PRIVATE) != preview_poster(run, None, BOTH, 3)


# Contact sheets and plots ---------------------------------------------------------------------------------------------

SHEET = AnimationOptions(frames="guess", layout=CONTACT_SHEET, size_px=64)


def test_a_contact_sheet_has_every_state_under_its_phase() -> None:
    run = made_run(steps=50, size=32)
    poster = laid_out(SHEET)
    pictures = [mark for mark in poster.marks if isinstance(mark, Picture)]
    assert len(pictures) == 51
    for k, kind in ((0, FrameKind.NOISY_STATE), (17, FrameKind.CURRENT_GUESS)):
        assert np.array_equal(pictures[k].rgb, picture(run, k, kind).rgb)
    bars = [mark for mark in poster.marks if isinstance(mark, Box)]
    assert [bar.ink for bar in bars] == list(LIGHT_PAPER.phases.values())
    words = words_of(poster)
    assert [f"step {k}" in words for k in range(1, 51)] == [True] * 50
    assert "pure noise" in words
    ends = [6, 16, 31, 51]
    for bar, first, last in zip(bars, [0, 6, 16, 31], ends, strict=True):  # each phase between its bar and the next
        tops = [each.at[1] for each in pictures[first:last]]
        assert min(tops) > bar.at[1]
        assert all(bar.at[1] >= each.at[1] + each.height for each in pictures[:first])
    places = {(each.at[0], each.at[1]) for each in pictures}
    assert len(places) == 51


@pytest.mark.parametrize("layout", [CONTACT_SHEET, PLOT])
@pytest.mark.parametrize("made", [{}, {"size": 16, "steps": 3}, {"taken": 7}, {"steps": 1000}, {"channels": 1}])
def test_nothing_of_a_sheet_or_plot_leaves_the_page(made: dict[str, int], layout: str) -> None:
    poster = laid_out(replace(BOTH, layout=layout), **made)
    for mark in poster.marks:
        places = mark.points if isinstance(mark, Line) else (mark.at,)
        assert all(0 <= x <= WIDTH and 0 <= y <= poster.height for x, y in places)
        if isinstance(mark, Picture | Box):
            assert mark.at[0] + mark.width <= WIDTH - 39
            assert mark.at[1] + mark.height <= poster.height - 20


def test_the_curves_of_a_plot_stay_above_its_strip_of_phases() -> None:
    poster = laid_out(replace(BOTH, layout=PLOT))
    strip = min(mark.at[1] for mark in poster.marks if isinstance(mark, Box))
    assert max(y for mark in poster.marks if isinstance(mark, Line) for _, y in mark.points) <= strip
    assert ["Polish" in words_of(poster), any(isinstance(mark, Picture) for mark in poster.marks)] == [True, False]


def test_a_sheet_of_a_long_run_is_bounded_and_keeps_both_ends() -> None:
    run = made_run(steps=1000)
    states = chosen_states(run, SHEET)
    assert (len(states), states[0], states[-1]) == (MOST_ON_SHEET, 0, 1000)
    assert chosen_states(run, replace(SHEET, every=100)) == (0, 1, *range(100, 1001, 100))


def test_many_runs_have_a_sheet_and_no_plot(tmp_path: Path) -> None:
    grid = made_grid(2, 3)
    write_poster(tmp_path / "x.png", grid, None, SHEET, kind="png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size[0] == 2 * WIDTH
    with pytest.raises(ExportError, match="no plot of its own"):
        write_poster(tmp_path / "y.svg", grid, None, replace(SHEET, layout=PLOT))
    assert not (tmp_path / "y.svg").exists()


@pytest.mark.parametrize("layout", [POSTER, CONTACT_SHEET, PLOT])
def test_a_png_with_a_layout_is_a_page(tmp_path: Path, layout: str) -> None:
    path, run = tmp_path / "x.png", made_run(steps=6, size=32)
    FORMATS["png"].write(path, Export(run, AnimationOptions(layout=layout), 6))
    with Image.open(path) as image:
        assert image.width == 2 * WIDTH
    assert read_settings(path)["export"]["layout"] == layout
    FORMATS["png"].write(path, Export(run, AnimationOptions(size_px=32), 6))
    with Image.open(path) as image:
        assert image.size == (32, 32)
