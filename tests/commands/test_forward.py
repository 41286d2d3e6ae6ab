"""`sculptor-app forward` as a person meets it: real files in, GIFs and tables out, one sentence for a mistake."""

import os
import threading
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sculptor_app.cli import main, make_parser
from sculptor_app.commands.saving import animation_options
from sculptor_app.commands.sculpt import options_of
from sculptor_app.core.trajectory import forward
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.numbers import read_csv
from sculptor_app.exports.settings import read_settings
from tests.core.pictures.samples import png

SIZE = (48, 32)
GIF = ("--out", "x.gif")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A photograph of a kind: smooth, with an edge."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    planes = [100 + 60 * np.sin(x / 7), 80 + 2 * y, np.where(x > 20, 200, 40)]
    path = tmp_path / "holiday.png"
    Image.fromarray(np.stack(planes, axis=2).astype(np.uint8)).save(path)
    return path


def drown(*arguments: object) -> int:
    try:
        return main(["forward", "--steps", "6", *map(str, arguments)])
    except SystemExit as left:
        return left.code


def frames_of(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        found = []
        for index in range(image.n_frames):
            image.seek(index)
            found.append(np.asarray(image.convert("RGB")).astype(float))
    return found


@pytest.mark.parametrize("noise", ["one", "fresh"])
def test_all_outputs_of_one_drowning(picture: Path, tmp_path: Path, noise: str, capsys) -> None:
    gif, table, still = tmp_path / "x.gif", tmp_path / "x.csv", tmp_path / "x.png"
    options = [picture, "--noise", noise, "--seed", 11]
    assert drown(*options, "--out", gif, "--csv", table) == 0
    assert drown(*options, "--out", still) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert [line.partition(": ")[0] for line in told.out.splitlines()] == list(map(str, (gif, table, still)))
    with Image.open(picture) as image:
        clean = np.asarray(image).astype(float)
    frames = frames_of(gif)
    assert [frame.shape for frame in frames] == [(*SIZE[::-1], 3)] * 7
    assert np.abs(frames[0] - clean).mean() < 4
    distances = [np.abs(frame - clean).mean() for frame in frames]
    assert distances[1:] == sorted(distances[1:])  # the first layer is next to nothing
    with Image.open(still) as image:
        assert np.abs(np.asarray(image).astype(float) - frames[-1]).mean() < 8
    rows = read_csv(table)[1]
    assert len(rows) == 7
    assert (rows[0]["drowned bands (of the finished picture)"], rows[6]["drowned bands (of the finished picture)"]) == (
        "coarse medium fine finest", "none"
    )  # fmt: skip
    how = "drowned" if noise == "one" else "drowned in fresh noise"
    for path in (gif, still):
        told = read_settings(path)
        assert (told["origin"], told["request"]) == (f"holiday.png, {how}", {"seed": 11, "steps": 6})
    assert read_settings(gif)["export"]["into_noise"] is True


def test_same_seed_same_noise(picture: Path, tmp_path: Path) -> None:
    stills = []
    for index, seed in enumerate((5, 5, 6)):
        assert drown(picture, "--seed", seed, "--out", tmp_path / f"{index}.png") == 0
        with Image.open(tmp_path / f"{index}.png") as image:
            stills.append(image.tobytes())
    assert stills[0] == stills[1] != stills[2]


@pytest.mark.parametrize(
    ("options", "size"),
    [([], (48, 32)), (["--scale", 3], (144, 96)), (["--size-px", 24], (24, 16)),
     (["--size-px", 24, "--scale", 2], (48, 32))],
)  # fmt: skip
def test_size_is_that_of_the_picture_and_scale_that_of_its_pixels(
    picture: Path, tmp_path: Path, options: list[object], size: tuple[int, int]
) -> None:
    assert drown(picture, *options, "--out", tmp_path / "x.gif") == 0
    with Image.open(tmp_path / "x.gif") as image:
        assert image.size == size


def test_caption_and_plot_stand_beside(picture: Path, tmp_path: Path) -> None:
    looks = ["--caption", "--plot", "--dark", "--ping-pong", "--every", 2, "--delay-ms", 50, "--hold-ms", 200]
    assert drown(picture, *looks, "--out", tmp_path / "x.gif") == 0
    with Image.open(tmp_path / "x.gif") as image:
        assert image.size[0] > 250
        assert image.n_frames == 6  # 0, 2, 4, 6, and back over 4 and 2
        assert image.info["duration"] == 200


def test_a_sculpture_can_be_drowned(tmp_path: Path) -> None:
    options = ["--render", "vase", "--material", "bronze", "--seed", 3, "--size-px", 16]
    assert drown(*options, "--out", tmp_path / "x.gif") == 0
    assert read_settings(tmp_path / "x.gif")["origin"] == "vase · bronze, drowned"
    assert drown("--render", "vase", "--size-px", 16, "--out", tmp_path / "y.gif") == 0
    assert read_settings(tmp_path / "y.gif")["origin"] == "vase · marble, drowned"
    with Image.open(tmp_path / "x.gif") as image:
        assert (image.size, image.n_frames) == ((16, 16), 7)


def test_a_tiny_picture_is_drowned_as_it_is(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (200, 120, 40)).save(tmp_path / "tiny.png")
    assert drown(tmp_path / "tiny.png", "--caption", "--plot", "--out", tmp_path / "x.gif", "--csv",
                 tmp_path / "x.csv") == 0  # fmt: skip
    assert drown(tmp_path / "tiny.png", "--scale", 8, "--out", tmp_path / "y.gif") == 0
    with Image.open(tmp_path / "y.gif") as image:
        assert image.size == (24, 16)


def test_greys_that_were_scaled_are_said_on_the_error_stream(tmp_path: Path, capsys) -> None:
    """Twelve bits in sixteen were nearly black, without a word."""
    Image.fromarray(np.tile(np.arange(0, 4096, 64, np.uint16), (32, 1))).save(tmp_path / "scan.tif")
    assert drown(tmp_path / "scan.tif", "--steps", 2, "--out", tmp_path / "x.png") == 0
    told = capsys.readouterr()
    assert told.err == "scan.tif: its greys are scaled to their own range: 0 is black, 4095 is white\n"


# Mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["holiday.png"], "There is nothing to save. Add --out FILE or --numbers FILE."),
        ([*GIF], "There is nothing to drown. Name a PICTURE, or add --render FORM."),
        (["holiday.png", "--render", "bust", *GIF], "There are a PICTURE and --render. Choose one of them."),
        (["holiday.png", "--material", "bronze", *GIF], "--material is that of a sculpture. Add --render"),
        (["--render", "cat", *GIF], "The form 'cat' is not known; choose one of bust, figure,"),
        (["holiday.png", "--noise", "loud", *GIF], "The noise 'loud' is not known; choose one of"),
        (["holiday.png", "--steps", "0", *GIF], "The number of steps is 0; choose a whole number, 1 to 1000."),
        (["holiday.png", "--seed", "-1", *GIF], "The seed is -1; choose a whole number"),
        (["holiday.png", "--size-px", "3", *GIF], "The size is 3; choose a whole number, 16 to 2048."),
        (["holiday.png", "--scale", "60", *GIF], "The size is 2880 pixels. Choose 16 to 2048."),
        (["holiday.png", "--delay-ms", "85", *GIF], "The time per frame is 85 ms, and GIF counts whole 10 ms."),
        (["holiday.png", "--out", "x.mov"], "x.mov ends in none of .gif, .webp, .apng"),
        (["holiday.png", "--out", "gone/x.gif"], "does not exist. Create it, or choose another."),
        (["holiday.png", "--csv", "x.gif", *GIF], "x.gif is to be a picture and numbers at once."),
        (["holiday.png", "--out", "holiday.png"], "holiday.png is the picture itself. Choose another name"),
        (["gone.png", "--delay-ms", "85", *GIF], "The time per frame is 85 ms"),  # before anything is opened
        (["gone.png", *GIF], "gone.png cannot be opened: there is no such file. Look at its name, or"),
        ([".", *GIF], "cannot be opened: it is a folder. Choose a picture in it."),
        (["empty.png", *GIF], "empty.png cannot be opened: it is empty. Get a whole copy of it."),
        (["letter.txt", *GIF], "letter.txt cannot be opened: it is no picture but a text. Choose a JPEG,"),
        (["script.png", *GIF], "script.png cannot be opened: it is a PostScript program (EPS), and that is not read"),
        (["cut.jpg", *GIF], "cut.jpg cannot be opened: it is broken or truncated. Get a whole copy of it, or"),
        (["bomb.png", *GIF], "bomb.png cannot be opened: it has 1,600,000,000 pixels, and 187,500,000 are the most"),
        (["dot.png", *GIF], "dot.png cannot be opened: it has 1 × 1 pixels. Choose a picture of at least 2"),
        (["strip.png", *GIF], "strip.png cannot be opened: it has 2000 × 3 pixels, and shrunk to 256 nothing"),
        pytest.param(["pipe.png", *GIF], "pipe.png cannot be opened: it is no file.",
                     marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_by_one_sentence(
    arguments: list[str], sentence: str, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    write_bad_pictures(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert drown(*arguments) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert (told.err.count("\n"), told.out) == (1, "")
    assert sorted(tmp_path.iterdir()) == before


def write_bad_pictures(folder: Path) -> None:
    (folder / "empty.png").write_bytes(b"")
    (folder / "letter.txt").write_text("Dear reader")
    (folder / "script.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n{} loop\n")
    (folder / "bomb.png").write_bytes(png(40_000, 40_000, zlib.compress(b"\0" * 999), colours=2))
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("RGB", (2000, 3)).save(folder / "strip.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "cut.jpg")
    whole = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")


def test_a_full_disk_leaves_nothing_half_written(picture: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    import errno

    from sculptor_app.exports import files

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    assert drown(picture, "--out", tmp_path / "x.gif") == 5
    assert capsys.readouterr().err.startswith("The disk is full: ")
    assert [entry.name for entry in tmp_path.iterdir()] == ["holiday.png"]


def test_an_interruption_leaves_the_old_file(picture: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """The signal comes while the third layer is drawn."""
    import signal

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    path, drawn, real = tmp_path / "x.gif", [], forward.draw_noise
    path.write_bytes(b"old")

    def draw(*arguments: object) -> np.ndarray:
        drawn.append(1)
        if len(drawn) == 3:
            signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(forward, "draw_noise", draw)
    assert drown(picture, "--noise", "fresh", "--out", path) == 130
    assert capsys.readouterr().err == "Interrupted; nothing was written.\n"
    assert (len(drawn), path.read_bytes()) == (3, b"old")


def test_both_commands_share_their_looks() -> None:
    looks = ["--every", "3", "--delay-ms", "50", "--hold-ms", "90", "--no-loop", "--ping-pong", "--caption", "--plot",
             "--dark", "--out", "x.gif"]  # fmt: skip
    sculpted = options_of(make_parser().parse_args(["sculpt", *looks]))
    drowned = animation_options(make_parser().parse_args(["forward", "x.png", *looks]), "noisy", 256, into_noise=True)
    assert drowned == replace(sculpted, frames="noisy", into_noise=True)
    assert sculpted == AnimationOptions("guess", 3, 256, 50, 90, False, True, True, True, True)
