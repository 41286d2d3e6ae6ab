"""Films, read back by independent readers: size, frames, times, colours, settings."""

import io
import json
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sculptor_app.exports import film
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.scenes import animation_of
from sculptor_app.exports.files import ExportCancelled, ExportError
from sculptor_app.exports.film import (
    FILMS,
    estimate_film_bytes,
    estimate_png_bytes,
    preview_film,
    write_film,
    write_pngs,
)
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.settings import read_settings
from tests.helpers.grids import made_grid
from tests.helpers.runs import made_run

av = pytest.importorskip("av")
OPTIONS = AnimationOptions(frames="guess", size_px=64, delay_ms=80, hold_ms=1500, caption=True)


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    """Every frame that FFmpeg reads: when it begins, in ms, and its pixels."""
    with av.open(str(path)) as container:
        return [(1000 * each.time, each.to_ndarray(format="rgb24")) for each in container.decode(video=0)]


def count_of(path: Path) -> int:
    """How many frames a reader finds; FFmpeg reads no animated WebP."""
    if path.suffix in (".webp", ".apng"):
        with Image.open(path) as image:
            return int(getattr(image, "n_frames", 1))
    return len(decoded(path))


def drawn(run: Any, options: AnimationOptions) -> list[np.ndarray]:
    animation = animation_of(run, None, options)
    return [animation.scenes.scene(frame.k).rgb() for frame in animation.frames]


@pytest.mark.parametrize("kind", ["mp4", "webm"])
@pytest.mark.parametrize("full", [False, True])
def test_a_film_shows_every_frame_at_its_time(tmp_path: Path, kind: str, full: bool) -> None:
    run, path = made_run(steps=12, size=16), tmp_path / f"x.{kind}"
    options = replace(OPTIONS, full_colour=full)
    write_film(path, run, None, options, kind=kind)
    frames, wanted = decoded(path), drawn(run, options)
    times = [round(time) for time, _ in frames]
    assert times == [*(80 * n for n in range(12)), 11 * 80 + 1420]
    for shown, picture in zip([shown for _, shown in frames], [*wanted, wanted[-1]], strict=True):
        assert shown.shape[0] - picture.shape[0] in (0, 1)  # even
        cut = shown[: picture.shape[0], : picture.shape[1]]
        assert np.abs(cut.astype(int) - picture).mean() < (4 if full else 6)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == {"mp4": "h264", "webm": "vp9"}[kind]
        assert stream.codec_context.pix_fmt == ("yuv444p" if full else "yuv420p")
        assert container.duration == pytest.approx(1_000_000 * (11 * 0.08 + 1.5), abs=30_000)


@pytest.mark.parametrize("kind", ["webp", "apng"])
@pytest.mark.parametrize("loop", [True, False])
def test_an_animated_picture_shows_every_frame_at_its_time(tmp_path: Path, kind: str, loop: bool) -> None:
    run, path = made_run(steps=6, size=16), tmp_path / f"x.{kind}"
    options = replace(OPTIONS, loop=loop, full_colour=True)
    write_film(path, run, None, options, kind=kind)
    wanted = drawn(run, options)
    with Image.open(path) as image:
        assert image.info.get("loop") == (0 if loop else 1)
        times, shown = [], []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            times.append(round(image.info["duration"]))
            shown.append(np.asarray(image.convert("RGB")))
    assert sum(times) == 5 * 80 + 1500
    assert times[:5] == [80] * 5
    for picture, found in zip(wanted, shown, strict=False):
        assert np.array_equal(found, picture)  # both are lossless


@pytest.mark.parametrize("kind", FILMS)
def test_a_film_carries_its_settings(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    write_film(path, made_run(steps=2), None, replace(OPTIONS, size_px=48), kind=kind)
    found = read_settings(path)
    assert (found["request"]["form"], found["export"]["size_px"]) == ("bust", 48)


def test_pictures_in_a_zip_have_names_times_and_settings(tmp_path: Path) -> None:
    run, options = made_run(steps=5, size=16), replace(OPTIONS, ping_pong=True, hold_ms=400)
    write_pngs(tmp_path / "x.zip", run, None, options)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name.endswith(".png")]
        assert names == [f"{n:05d}-state-{n + 1:04d}.png" for n in range(5)]
        order = json.loads(archive.read("settings.json"))["frames"]
        assert [each["file"][12:16] for each in order] == [
            "0001",
            "0002",
            "0003",
            "0004",
            "0005",
            "0004",
            "0003",
            "0002",
        ]
        assert [each["ms"] for each in order] == [80, 80, 80, 80, 400, 80, 80, 80]
        wanted = drawn(run, options)
        for name, picture in zip(names, wanted, strict=False):
            with Image.open(io.BytesIO(archive.read(name))) as image:
                assert np.array_equal(np.asarray(image.convert("RGB")), picture)
                assert json.loads(image.info["comment"])["application"] == "Sculptor"
    assert read_settings(tmp_path / "x.zip")["request"]["form"] == "bust"


@pytest.mark.parametrize("kind", FILMS)
def test_a_grid_is_filmed_and_odd_sizes_are_taken(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    write_film(path, made_grid(3, 3, 17), None, replace(OPTIONS, size_px=17), kind=kind)
    assert count_of(path) >= 3


@pytest.mark.parametrize("kind", FILMS)
def test_what_is_estimated_is_about_what_it_takes(tmp_path: Path, kind: str) -> None:
    run, path = made_run(steps=40, size=32, fresh_noise=True), tmp_path / f"x.{kind}"
    options = replace(OPTIONS, frames="both", size_px=128)
    write_film(path, run, None, options, kind=kind)
    assert 0.5 < estimate_film_bytes(run, None, options, kind=kind) / path.stat().st_size < 2
    write_pngs(tmp_path / "x.zip", run, None, options)
    assert 0.7 < estimate_png_bytes(run, None, options) / (tmp_path / "x.zip").stat().st_size < 1.4


@pytest.mark.parametrize("kind", FILMS)
def test_the_preview_is_a_frame_as_the_film_has_it(kind: str) -> None:
    run = made_run(steps=6, size=16)
    wanted = drawn(run, OPTIONS)[3]
    with Image.open(io.BytesIO(preview_film(run, None, OPTIONS, 4, kind=kind))) as image:
        shown = np.asarray(image.convert("RGB"))
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - wanted).mean() < 8


@pytest.mark.parametrize("kind", [*FILMS, "zip"])
def test_a_film_that_is_stopped_leaves_the_old_file(tmp_path: Path, kind: str) -> None:
    path, stop = tmp_path / f"x.{kind}", threading.Event()
    path.write_text("before")
    done: list[int] = []

    def progress(count: int, of: int) -> None:
        done.append(count)
        if count == 3:
            stop.set()

    export = Export(made_run(steps=9), OPTIONS, 9, progress=progress, stop=stop)
    with pytest.raises(ExportCancelled):
        FORMATS[kind].write(path, export)
    assert (path.read_text(), done) == ("before", [1, 2, 3])
    assert list(tmp_path.iterdir()) == [path]


def test_a_film_that_cannot_be_encoded_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILMS, "mp4", replace(FILMS["mp4"], pixels="pal8"))
    with pytest.raises(ExportError, match="could not be encoded"):
        write_film(tmp_path / "x.mp4", made_run(steps=2), None, OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_one_frame_is_a_film_too(tmp_path: Path) -> None:
    for kind in FILMS:
        write_film(tmp_path / f"x.{kind}", made_run(steps=1), None, OPTIONS, kind=kind)
        assert count_of(tmp_path / f"x.{kind}") >= 1


def test_no_frame_is_kept_while_a_long_film_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded whatever the length: never more than a few frames are alive."""
    import gc
    import weakref

    alive: list[weakref.ref[Any]] = []
    most = 0
    padded = film._padded

    def counted(rgb: np.ndarray, width: int, height: int) -> np.ndarray:
        nonlocal most
        image = padded(rgb, width, height).copy()
        alive.append(weakref.ref(image))
        gc.collect()
        most = max(most, sum(each() is not None for each in alive))
        return image

    monkeypatch.setattr(film, "_padded", counted)
    write_film(tmp_path / "x.mp4", made_run(steps=60), None, OPTIONS)
    assert len(alive) == 60
    assert most <= 4
