"""The web page of a run: its words and numbers, its sprites, its size, and that it asks nobody for anything."""

import base64
import io
import json
import re
import threading
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports import page as page_module
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.files import ExportCancelled, ExportError
from sculptor_app.exports.page import LIKED_BYTES, estimate_page_bytes, preview_page, write_page
from sculptor_app.exports.settings import read_settings
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import picture
from sculptor_app.measures.run_measures import RunMeasures
from tests.helpers.grids import made_grid
from tests.helpers.runs import made_run

NATIVE = AnimationOptions(frames="both", size_px=2048)


def data_of(path: Path) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def written(tmp_path: Path, source: Any, options: AnimationOptions = NATIVE, **more: Any) -> dict[str, Any]:
    write_page(tmp_path / "x.html", source, None, options, **more)
    return data_of(tmp_path / "x.html")


def cells(data: dict[str, Any], kind: int) -> list[np.ndarray]:
    """The pictures of one kind, cut out of the sprites as the script does."""
    (width, height), (cell_width, cell_height) = data["size"], data["cell"]
    found = []
    for number in range(len(data["states"])):
        source = data["kinds"][kind]["sheets"][number // data["per_sheet"]]
        webp = base64.b64decode(source.removeprefix("data:image/webp;base64,"))
        inside = number % data["per_sheet"]
        left, top = inside % data["columns"] * cell_width, inside // data["columns"] * cell_height
        with Image.open(io.BytesIO(webp)) as sheet:
            found.append(np.asarray(sheet.convert("RGB"))[top : top + height, left : left + width])
    return found


@pytest.mark.parametrize("size", [16, 20])
def test_every_picture_is_where_the_script_looks_for_it(tmp_path: Path, size: int) -> None:
    """Of guesses, which are smooth; noise is another picture after WebP, whose colours are coarser than its light."""
    run = made_run(steps=12, size=size)
    data = written(tmp_path, run)
    assert data["states"] == list(range(1, 13))
    assert data["cell"] == ([16, 16] if size == 16 else [32, 32])
    for k, shown in zip(data["states"], cells(data, 0), strict=True):
        wanted = picture(run, k, FrameKind.CURRENT_GUESS).rgb
        assert wanted is not None
        assert shown.shape == wanted.shape
        assert np.abs(shown.astype(int) - wanted).mean() < 6


def test_many_pictures_take_several_sprites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(tmp_path, made_run(steps=30))
    monkeypatch.setattr(page_module, "_LARGEST_SHEET", 12 * 16 * 16)
    parts = written(tmp_path, made_run(steps=30))
    assert (len(whole["kinds"][0]["sheets"]), len(parts["kinds"][0]["sheets"])) == (1, 3)
    for one, other in zip(cells(whole, 0), cells(parts, 0), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 3  # what WebP makes of what stands beside it


def test_it_holds_the_runs_numbers_and_words(tmp_path: Path) -> None:
    run = made_run(steps=50, size=32)
    measures, data = RunMeasures.of(run), written(tmp_path, run)
    assert [band["key"] for band in data["bands"]] == ["layout", "structure", "detail", "polish"]
    for number, band in enumerate(data["bands"]):
        assert band["values"][0] is None  # there is no guess before the first step
        wanted = np.log10(measures.energies("guess")[1:, number])
        np.testing.assert_allclose(band["values"][1:], wanted, atol=6e-4)
        assert band["settled"] == measures.settled("content")[number]
    assert [(each["name"], each["first"], each["last"]) for each in data["phases"]] == [
        ("Big decisions", 1, 5), ("Structure", 6, 15), ("Refinement", 16, 30), ("Polish", 31, 50),
    ]  # fmt: skip
    assert data["captions"][11] == "Step 12 of 50 · Structure · " + data["captions"][11].split(" · ")[2]
    assert data["title"] == ["bust · bronze", "seed 7", "DDIM", "50 steps"]
    facts = dict(map(tuple, data["facts"]))
    assert (facts["form"], facts["seed"], facts["sampler name"]) == ("bust", "7", "DDIM")


def test_its_spectra_are_means_over_stretches_of_frequency(tmp_path: Path) -> None:
    run = made_run(steps=3, size=16)
    data, measures = written(tmp_path, run), RunMeasures.of(run)
    found = measures.spectrum("guess", 3)
    assert found is not None
    assert found.frequencies[-1] == 11  # the corner's
    assert data["spectrum"]["frequencies"] == [float(f) for f in range(1, 9)]  # few, so each by itself
    np.testing.assert_allclose(data["spectrum"]["powers"][2], np.log10(found.power[:8]), atol=6e-4)
    large = written(tmp_path, made_run(steps=2, size=256))["spectrum"]
    assert len(large["frequencies"]) < 64
    assert large["frequencies"] == sorted(large["frequencies"])


def test_an_unfinished_run_and_one_without_guesses(tmp_path: Path) -> None:
    data = written(tmp_path, made_run(steps=50, taken=7), replace(NATIVE, frames="guess"))
    assert (data["steps"], data["states"][-1]) == (50, 7)
    assert all(band["settled"] is None for band in data["bands"])
    noisy = written(tmp_path, made_run(steps=5, guesses=False), replace(NATIVE, frames="noisy"))
    assert (noisy["source"], noisy["states"]) == ("state", [0, 1, 2, 3, 4, 5])
    with pytest.raises(ExportError, match="No rule is known"):
        write_page(tmp_path / "y.html", made_run(steps=5, guesses=False), None, NATIVE)
    assert not (tmp_path / "y.html").exists()


def test_a_grid_is_one_sheet_without_plots(tmp_path: Path) -> None:
    data = written(tmp_path, made_grid(4, 3), replace(NATIVE, frames="guess", size_px=64))
    assert data["is_sheet"]
    assert (data["bands"], data["spectrum"]["frequencies"], len(data["kinds"])) == ([], [], 1)
    assert data["size"][0] > 4 * 32
    assert len(cells(data, 0)) == 3


class Elements(HTMLParser):
    """All attributes that name an address, and the texts of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "poster")]


def test_it_names_no_address_and_allows_none(tmp_path: Path) -> None:
    written(tmp_path, made_run(steps=4))
    text = (tmp_path / "x.html").read_text("utf-8")
    elements = Elements()
    elements.feed(text)
    assert elements.addresses == []
    assert "default-src 'none'; img-src data:" in text
    links = set(re.findall(r"https?://[^\s\"']+|url\([^)]*\)|@import", text))
    assert links == {"http://www.w3.org/2000/svg"}  # the name of SVG's elements, which nobody is asked for


def test_words_of_a_person_stay_words(tmp_path: Path) -> None:
    run = made_run(steps=2)
    nasty = "</script><script>alert(1)</script>{{data}} <!-- \u2028 & \"'"
    run.info = replace(run.info, request=RunRequest(options={"prompt": nasty}), conditions=nasty)
    data = written(tmp_path, run)
    assert data["title"][0] == nasty
    assert dict(map(tuple, data["facts"]))["prompt"] == nasty
    text = (tmp_path / "x.html").read_text("utf-8")
    assert "alert(1)</script>" not in text
    assert text.count("<script") == 3
    assert "&lt;/script&gt;" in text  # in the title
    assert read_settings(tmp_path / "x.html")["request"]["options"]["prompt"] == nasty
    written(tmp_path, run, disclosure=Disclosure.PRIVATE)
    assert "alert" not in (tmp_path / "x.html").read_text("utf-8")


def noisy_run(steps: int, size: int) -> Trajectory:
    return made_run(steps=steps, size=size, fresh_noise=True)


def test_51_states_of_128_pixels_take_at_most_3_mb(tmp_path: Path) -> None:
    run = noisy_run(50, 128)
    data = written(tmp_path, run, replace(NATIVE, frames="both"))
    size = (tmp_path / "x.html").stat().st_size
    assert size <= 3_000_000
    assert data["size"] == [128, 128]
    estimate = estimate_page_bytes(run, None, replace(NATIVE, frames="both"))
    assert 0.7 < estimate / size < 1.4


def test_a_page_that_would_be_too_large_has_rougher_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = noisy_run(6, 64)
    fine = written(tmp_path, run)["kinds"]
    monkeypatch.setattr(page_module, "LIKED_BYTES", LIKED_BYTES // 300)
    rough = written(tmp_path, run)["kinds"]
    assert len(str(rough)) < 0.8 * len(str(fine))


def test_it_is_stopped_and_tells_how_far_it_is(tmp_path: Path) -> None:
    path, stop = tmp_path / "x.html", threading.Event()
    path.write_text("before")
    done: list[tuple[int, int]] = []

    def progress(count: int, of: int) -> None:
        done.append((count, of))
        if count == 3:
            stop.set()

    with pytest.raises(ExportCancelled):
        write_page(path, made_run(steps=9), None, NATIVE, progress, stop)
    assert (path.read_text(), done) == ("before", [(1, 9), (2, 9), (3, 9)])
    with pytest.raises(ExportCancelled):
        estimate_page_bytes(made_run(steps=9), None, NATIVE, stop)


def test_the_preview_is_the_pictures_of_a_state(tmp_path: Path) -> None:
    run = made_run(steps=6)
    with Image.open(io.BytesIO(preview_page(run, None, NATIVE, 4))) as image:
        assert (image.format, image.size) == ("PNG", (32, 16))
        shown = np.asarray(image.convert("RGB")).astype(int)
    wanted = picture(run, 4, FrameKind.CURRENT_GUESS).rgb
    assert wanted is not None
    assert np.abs(shown[:, :16] - wanted).mean() < 6


def test_a_page_that_somebody_else_made_has_no_settings(tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text("<html></html>")
    with pytest.raises(ExportError, match="carries no settings of a run"):
        read_settings(tmp_path / "x.html")
