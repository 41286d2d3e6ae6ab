"""Sheets, animations and tables of many runs."""

import errno
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sculptor_app.core.trajectory.base import RunTitle
from sculptor_app.exports.animation import grid as grids
from sculptor_app.exports.animation.caption import _titles
from sculptor_app.exports.animation.drawing import DARK, LIGHT
from sculptor_app.exports.animation.grid import MOST_SHEET_PX, fitting_size, places_of
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import RunGrid, frame_count
from sculptor_app.exports.animation.scenes import image_size
from sculptor_app.exports.files import ExportCancelled, ExportError
from sculptor_app.exports.formats import FORMATS
from sculptor_app.exports.gif.writer import estimate_bytes, preview_gif, write_gif
from sculptor_app.exports.numbers import read_csv, write_csv
from sculptor_app.exports.settings import read_settings
from sculptor_app.exports.stills import grid_picture, write_png
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import picture
from tests.exports.gif.fidelity import frames_in_time, psnr
from tests.helpers.grids import made_grid, painted_grid
from tests.helpers.runs import made_run


def cut_out(sheet: np.ndarray, grid: RunGrid, options: AnimationOptions, number: int) -> np.ndarray:
    """One picture out of a sheet, at the run's own pixels."""
    places = places_of(grid, options)
    (left, top), size = places.pictures[number], places.size
    return sheet[top : top + size.height : size.scale, left : left + size.width : size.scale]


@pytest.mark.parametrize("k", [0, 2, 5])
@pytest.mark.parametrize("frames", ["guess", "noisy"])
def test_every_picture_of_a_sheet_is_its_runs_to_the_last_bit(k: int, frames: str) -> None:
    grid, options = made_grid(), AnimationOptions(frames=frames, size_px=48)
    sheet = np.asarray(grid_picture(grid, k, options))
    kind = FrameKind.NOISY_STATE if k == 0 or frames == "noisy" else FrameKind.CURRENT_GUESS
    for number, run in enumerate(grid.runs):
        np.testing.assert_array_equal(cut_out(sheet, grid, options, number), picture(run, k, kind).rgb)


def test_large_pictures_are_averaged_down_by_a_whole_factor() -> None:
    grid, options = made_grid(2, 2, size=64), AnimationOptions(size_px=16, caption=False)
    sheet = np.asarray(grid_picture(grid, 2, options)).astype(float)
    whole = picture(grid.runs[0], 2, FrameKind.CURRENT_GUESS).rgb.reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(cut_out(sheet, grid, options, 0) - whole).max() <= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 64), st.sampled_from([16, 48, 130, 300]), st.booleans(), st.booleans())
def test_nothing_overlaps_or_leaves_the_sheet(count: int, size_px: int, caption: bool, captions: bool) -> None:
    run = made_run(1)
    cells = made_grid(1, 1).cells * count
    grid = RunGrid((run,) * count, cells, ("a word",) * count if captions else ())
    places = places_of(grid, AnimationOptions(size_px=size_px, caption=caption))
    columns, rows = grid.shape_in_cells
    assert columns * rows >= count > columns * (rows - 1)
    taken = np.zeros((places.height, places.width), int)
    for left, top in places.pictures:
        assert left >= 0
        assert top + places.size.height <= places.foot <= places.height
        assert left + places.size.width <= places.width
        taken[top : top + places.size.height, left : left + places.size.width] += 1
    assert taken.max() == 1


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (6, (3, 2)), (8, (4, 2)), (12, (4, 3)), (24, (6, 4)),
                                              (48, (8, 6))])  # fmt: skip
def test_a_sheet_has_the_shape_of_a_page(count: int, shape: tuple[int, int]) -> None:
    assert made_grid(count, 1).shape_in_cells == shape


@pytest.mark.parametrize("dark", [False, True])
def test_captions_stand_under_their_pictures_and_titles_at_the_edges(dark: bool) -> None:
    inks = DARK if dark else LIGHT
    grid, options = made_grid(), AnimationOptions(size_px=112, dark=dark)
    sheet, places = np.asarray(grid_picture(grid, 3, options)), places_of(made_grid(), options)
    for left, top in places.pictures:
        under = sheet[top + places.size.height + 1 : top + places.size.height + 20, left : left + places.size.width]
        assert (under == inks.text).all(2).any()
    bare = np.asarray(grid_picture(replace(grid, captions=()), 3, options))
    assert bare.shape[0] < sheet.shape[0]
    titled, painted = np.asarray(grid_picture(painted_grid(), 3, options)), places_of(painted_grid(), options)
    first_left, first_top = painted.pictures[0]
    assert (titled[: first_top - 1] != inks.paper).any()
    assert (titled[first_top : first_top + 112, : first_left - 1] != inks.paper).any()


def test_a_sheet_says_what_its_runs_have_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[RunTitle] = []
    monkeypatch.setattr(grids, "draw_caption", lambda *_, title, **__: said.append(title))
    for grid in (made_grid(steps=5), painted_grid(), made_grid(1)):
        grid_picture(grid, 2, AnimationOptions(size_px=48))
    named = [_titles(title) for title in said]
    assert [each[0] for each in named] == [
        "bronze · seed 7 · DDIM · 5 steps", "vase · DDIM · 4 steps", "bust · bronze · seed 7 · DDIM · 5 steps"
    ]  # fmt: skip
    assert "vase" in named[1]


def test_a_caption_that_is_too_long_is_cut_and_keeps_out_of_its_neighbour() -> None:
    long, short = ("i" * 300, "b"), ("", "b")
    options = AnimationOptions(size_px=32)
    sheets = [np.asarray(grid_picture(replace(made_grid(2), captions=words), 1, options)) for words in (long, short)]
    wide, places = sheets[0].shape[1], places_of(replace(made_grid(2), captions=long), options)
    assert wide == sheets[0].shape[1]
    left = places.pictures[1][0]
    row = slice(places.pictures[0][1] + 33, places.foot)
    assert (sheets[0][row, left - 4 : left] == LIGHT.paper).all()


def test_pictures_of_an_animation_are_near_the_originals(tmp_path: Path) -> None:
    grid, options = made_grid(), AnimationOptions(size_px=48, hold_ms=0)
    write_gif(tmp_path / "x.gif", grid, None, options)
    shown = frames_in_time(tmp_path / "x.gif", 80)
    assert len(shown) == 5 == frame_count(grid, options)
    assert shown[0].shape[1::-1] == image_size(grid, options)
    for k, frame in enumerate(shown, start=1):
        for number, run in enumerate(grid.runs):
            original = picture(run, k, FrameKind.CURRENT_GUESS).rgb
            assert psnr(cut_out(frame, grid, options, number), original) > 28


def test_ping_pong_progress_and_estimate(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    options = AnimationOptions(frames="noisy", size_px=32, ping_pong=True, dark=True)
    write_gif(tmp_path / "x.gif", made_grid(), None, options, lambda done, total: told.append((done, total)))
    assert told == [(done, 10) for done in range(1, 11)]
    assert estimate_bytes(made_grid(), None, options) == (tmp_path / "x.gif").stat().st_size
    with Image.open(tmp_path / "x.gif") as image:
        assert (image.n_frames, image.info["loop"]) == (10, 0)
    assert preview_gif(made_grid(), None, options, 3).startswith(b"GIF89a")


def test_a_run_that_is_a_step_behind_shows_its_newest() -> None:
    full, behind = made_run(steps=5, taken=3), made_run(steps=5, taken=2)
    grid = RunGrid((full, behind), made_grid(2).cells)
    options = AnimationOptions(size_px=16)
    assert frame_count(grid, options) == 3
    sheet = np.asarray(grid_picture(grid, 3, options))
    last = picture(behind, 2, FrameKind.CURRENT_GUESS).rgb
    np.testing.assert_array_equal(cut_out(sheet, grid, options, 1), last)


def test_a_stop_and_a_full_disk_leave_the_old_files_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, options = threading.Event(), AnimationOptions(size_px=16)
    stop.set()
    for name in ("x.gif", "x.csv", "x.png"):
        (tmp_path / name).write_bytes(b"old")
    with pytest.raises(ExportCancelled):
        write_gif(tmp_path / "x.gif", made_grid(), None, options, None, stop)
    with pytest.raises(ExportCancelled):
        write_csv(tmp_path / "x.csv", made_grid(), None, None, stop)

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for write in (
        lambda: write_gif(tmp_path / "x.gif", made_grid(), None, options),
        lambda: write_csv(tmp_path / "x.csv", made_grid()),
        lambda: write_png(tmp_path / "x.png", made_grid(), 1, options),
    ):
        with pytest.raises(ExportError, match=r"The disk is full: .* was not written\. Free some space"):
            write()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        ("x.gif", "x.csv", "x.png"), b"old"
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"frames": "both"}, "does not show 'both'"), ({"plot": True}, "no plot"),
     ({"frames": "noisy", "into_noise": True}, "one direction"), ({"size_px": 2048}, f"{MOST_SHEET_PX} are the most")],
)  # fmt: skip
def test_what_a_grid_cannot_show_is_refused(tmp_path: Path, wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ExportError, match=words):
        write_gif(tmp_path / "x.gif", made_grid(12), None, AnimationOptions(**wrong))
    assert list(tmp_path.iterdir()) == []


def test_blocks_that_nothing_was_carved_out_of_have_a_picture_and_no_animation(tmp_path: Path) -> None:
    grid = made_grid(taken=0)
    with pytest.raises(ExportError, match="no step to show"):
        write_gif(tmp_path / "x.gif", grid, None, AnimationOptions())
    write_png(tmp_path / "x.png", grid, 0, AnimationOptions(size_px=16))
    write_csv(tmp_path / "x.csv", grid)
    assert len(read_csv(tmp_path / "x.csv")[1]) == 6


def test_settings_travel_with_noise_and_strokes(tmp_path: Path) -> None:
    grid = painted_grid()
    write_png(tmp_path / "x.png", grid, 2, AnimationOptions(size_px=16))
    write_gif(tmp_path / "x.gif", grid, None, AnimationOptions(size_px=16))
    for name in ("x.png", "x.gif"):
        told = read_settings(tmp_path / name)
        assert [run["noise"]["seed"] for run in told["runs"]] == [3, 4, 3, 4]
        assert [run["noise"]["strokes"] for run in told["runs"]] == [0, 0, 1, 1]
        assert told["runs"][0]["request"] == grid.runs[0].info.request.as_dict()
        assert told["strokes"] == json.loads(json.dumps([
            {"points": [[0.25, 0.5], [0.5, 0.75]], "radius": 0.2, "shift": [1.0, -1.0, 0.5], "seed": None}
        ]))  # fmt: skip
    assert read_settings(tmp_path / "x.png")["export"]["state"] == 2


def test_the_table_holds_what_the_table_of_each_run_does(tmp_path: Path) -> None:
    grid, told = painted_grid(), []
    write_csv(tmp_path / "all.csv", grid, None, lambda done, total: told.append((done, total)))
    rows = [list(row.values()) for row in read_csv(tmp_path / "all.csv")[1]]
    assert told == [(done, 20) for done in range(1, 21)]
    for number, run in enumerate(grid.runs):
        write_csv(tmp_path / "one.csv", run)
        alone = [list(row.values()) for row in read_csv(tmp_path / "one.csv")[1]]
        assert [row[8:] for row in rows if row[0] == str(number + 1)] == alone
        request = run.info.request
        made_by = [run.info.sampler_name, str(run.planned_steps), f"{request.guidance:g}"]
        assert next(row[5:8] for row in rows if row[0] == str(number + 1)) == made_by
    assert next(row[1:5] for row in rows if row[0] == "4") == ["vase", "", "4", "noise painted on with 1 stroke"]


@pytest.mark.parametrize(("count", "png", "gif"), [(1, 2000, 896), (8, 496, 224), (48, 240, 112)])
def test_sheets_are_of_a_size_to_print_or_to_send(count: int, png: int, gif: int) -> None:
    assert tuple(fitting_size(made_grid(count, 1), FORMATS[id].sheet_px) for id in ("png", "gif")) == (png, gif)
