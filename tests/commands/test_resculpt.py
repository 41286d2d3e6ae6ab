"""`sculptor-app resculpt` and `invert` as a person meets them: files and renders in, GIFs, tables and sentences out."""

import json
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sculptor_app.cli import main
from sculptor_app.commands import terminal
from sculptor_app.exports.numbers import read_csv
from sculptor_app.exports.settings import read_settings
from sculptor_app.measures.colours import byte_picture
from tests.helpers.runs import solid

STEPS = 8


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "ball.png"
    Image.fromarray(byte_picture(solid(40))).crop((0, 0, 40, 30)).save(path)
    return path


def call(command: str, model: Path, *arguments: object) -> int | str | None:
    try:
        return main([command, "--model", str(model), "--device", "cpu", "--steps", str(STEPS), *map(str, arguments)])
    except SystemExit as left:
        return left.code


def still(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def frames(path: Path) -> int:
    with Image.open(path) as image:
        return int(image.n_frames)


def test_all_outputs_of_one_carving(tiny_model: Path, picture: Path, tmp_path: Path, capsys: Any) -> None:
    gif, table, png = tmp_path / "x.gif", tmp_path / "x.csv", tmp_path / "x.png"
    options = [picture, "--form", "bust", "--seed", 11, "--from-level", "0.5", "--sampler", "heun"]
    assert call("resculpt", tiny_model, *options, "--out", gif, "--csv", table, "--scale", 2, "--caption") == 0
    assert call("resculpt", tiny_model, *options, "--out", png) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert [line.partition(": ")[0] for line in told.out.splitlines()] == list(map(str, (gif, table, png)))
    assert frames(gif) == STEPS // 2
    assert len(read_csv(table)[1]) == STEPS // 2 + 1
    for path in (gif, png):
        told = read_settings(path)
        assert (told["origin"], told["first_step"], told["steps_taken"]) == ("ball.png", 5, 4)
        assert (told["request"]["form"], told["request"]["seed"]) == ("bust", 11)


def test_a_lower_level_stays_nearer_to_the_picture(tiny_model: Path, picture: Path, tmp_path: Path) -> None:
    want = still(picture)[:, 5:35].mean(axis=(0, 1))
    distances = []
    for level in ("0.01", "0.9"):
        assert call("resculpt", tiny_model, picture, "--from-level", level, "--out", tmp_path / "x.png") == 0
        distances.append(np.abs(still(tmp_path / "x.png").mean(axis=(0, 1)) - want).max())
    assert distances[0] < 3 < distances[1]


def test_a_render_is_carved_again(tiny_model: Path, tmp_path: Path) -> None:
    options = ["--render", "vase", "--render-material", "bronze", "--from-level", "0.2"]
    stills = []
    for seed in (3, 3, 4):
        assert call("resculpt", tiny_model, *options, "--render-seed", seed, "--out", tmp_path / "x.png") == 0
        stills.append(still(tmp_path / "x.png"))
    assert read_settings(tmp_path / "x.png")["origin"] == "vase · bronze"
    assert (stills[0] == stills[1]).all()
    assert (stills[0] != stills[2]).any()


def test_the_noise_of_a_picture(tiny_model: Path, picture: Path, tmp_path: Path, capsys: Any) -> None:
    gif, table = tmp_path / "x.gif", tmp_path / "x.csv"
    options = [picture, "--form", "bust", "--tolerance", "0.001"]
    assert call("invert", tiny_model, *options, "--out", gif, "--csv", table, "--ping-pong") == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith(f"{gif}: ")
    said = re.fullmatch(
        rf"{re.escape(str(gif))}: \d+ kB\n{re.escape(str(table))}: \d+ kB\n"
        r"ball\.png, carved as bust:\n8 steps undone with (\d+) evaluations of the network\n"
        r"carved again from the noise found: the picture, with a peak signal-to-noise ratio of (\d+\.\d) dB "
        r"\(more is nearer\)\n"
        r"the noise: mean (-?\d\.\d{3}), standard deviation (\d\.\d{3}), slope of its spectrum (-?\d\.\d\d) "
        r"\(drawn noise: 0, 1, 0\)\n",
        told.out,
    )
    assert said, told.out
    assert call("invert", tiny_model, *options, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert call("invert", tiny_model, *options, "--out", tmp_path / "y.gif", "--json") == 0
    assert json.loads(capsys.readouterr().out) == facts  # and nothing else
    assert (facts["picture"], facts["conditions"], facts["steps"], facts["unsolved_steps"]) == (
        "ball.png",
        "bust",
        8,
        0,
    )
    assert (facts["evaluations"], f"{facts['error_db']:.1f}") == (int(said[1]), said[2])
    assert [f"{facts['noise'][what]:.3f}" for what in ("mean", "deviation")] == [said[3], said[4]]
    assert facts["noise"]["deviation"] > 0.1
    assert facts["drawn_steps"] == 1
    assert frames(gif) == 2 * STEPS  # to the noise and back, each end shown once
    assert read_settings(gif)["origin"] == "ball.png, inverted"
    assert len(read_csv(table)[1]) == STEPS + 1


def test_unsolved_steps_are_told(tiny_model: Path, picture: Path, capsys: Any) -> None:
    assert call("invert", tiny_model, picture, "--iterations", 0, "--grain", 0) == 0
    told = capsys.readouterr().out
    assert "ball.png, carved as unconditional:\n8 steps undone with 8 evaluations" in told
    assert told.endswith("not solved: 8 steps; more --steps or --iterations may help\n")


@pytest.mark.parametrize("command", ["resculpt", "invert"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "There is no picture. Name a PICTURE, or add --render FORM."),
        (["ball.png", "--render", "bust"], "There are a PICTURE and --render. Choose one of them."),
        (["ball.png", "--render-seed", "0"], "--render-seed is that of a sculpture. Add --render FORM, or leave it"),
        (["ball.png", "--render-material", "bronze"], "--render-material is that of a sculpture."),
        (["--render", "cat"], "The form 'cat' is not known; choose one of bust, figure,"),
        (["ball.png", "--out", "ball.png"], "ball.png is the picture itself. Choose another name to save under."),
        (["gone.png"], "gone.png cannot be opened: "),
        (["x.txt"], "x.txt cannot be opened: "),
        (["ball.png", "--out", "x.mov"], "x.mov ends in none of .gif, .webp, .apng"),
        (["ball.png", "--steps", "0"], "The number of steps is 0; choose a whole number, "),
        (["ball.png", "--guidance", "-1"], "The guidance is -1; choose a number, 0 to 30."),
        (["ball.png", "--delay-ms", "85"], "The time per frame is 85 ms, and GIF counts whole 10 ms. Choose 80."),
    ],
)  # fmt: skip
def test_bad_input_is_answered_by_one_sentence(
    command: str, arguments: list[str], sentence: str, tiny_model: Path, picture: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: Any,
) -> None:  # fmt: skip
    monkeypatch.chdir(picture.parent)
    (picture.parent / "x.txt").write_text("no picture")
    before = sorted(picture.parent.iterdir()), picture.read_bytes()
    assert call(command, tiny_model, "--out", "x.gif", *arguments) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1, told.err
    assert told.out == ""
    assert (sorted(picture.parent.iterdir()), picture.read_bytes()) == before


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("resculpt", ["--from-level", "0", "--out", "x.gif"], "The level is 0; choose above 0, where nothing would be"),
        ("resculpt", ["--from-level", "1.5", "--out", "x.gif"], "The level is 1.5; choose a number, 0 to 1."),
        ("resculpt", [], "There is nothing to save. Add --out FILE, --numbers FILE or --save FILE."),
        ("invert", ["--steps", "1"], "The number of steps is 1; choose a whole number, 2 to 1000."),
        ("invert", ["--iterations", "-1"], "The number of iterations is -1; choose a whole number, 0 to 1000."),
        ("invert", ["--grain", "0.6"], "The grain is 0.6; choose a number, 0 to 0.5."),
        ("invert", ["--tolerance", "nan"], "The tolerance is 'nan'; choose a number, 0 to 1."),
    ],
)  # fmt: skip
def test_options_of_their_own(
    command: str, arguments: list[str], sentence: str, tiny_model: Path, picture: Path, capsys: Any
) -> None:
    assert call(command, tiny_model, picture, *arguments) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("command", ["resculpt", "invert"])
def test_a_model_that_is_not_there(command: str, picture: Path, tmp_path: Path, capsys: Any) -> None:
    assert call(command, tmp_path / "gone", picture, "--out", tmp_path / "x.gif") == 3
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", ["resculpt", "invert"])
def test_interrupted_in_the_middle(
    command: str, tiny_model: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """As Ctrl-C does it, when the bar shows the second step."""
    stops: list[threading.Event] = []
    real = terminal.Interruption.__init__

    def noted(self: Any) -> None:
        real(self)
        stops.append(self.event)

    def move_to(self: Any, done: int) -> None:
        assert done <= 2
        if done == 2:
            stops[0].set()

    monkeypatch.setattr(terminal.Interruption, "__init__", noted)
    monkeypatch.setattr(terminal.ProgressBar, "move_to", move_to)
    assert call(command, tiny_model, picture, "--out", tmp_path / "x.gif") == 130
    assert capsys.readouterr().err == "Interrupted; nothing was written.\n"
    assert not (tmp_path / "x.gif").exists()
