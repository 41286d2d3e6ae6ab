"""`grid`: runs that differ in one or two settings, as columns and rows."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sculptor_app.cli import main
from sculptor_app.commands.grid import read_axis
from sculptor_app.exports.numbers import read_csv


def made(model: Path, *arguments: object) -> int:
    return main(["grid", "--model", str(model), "--device", "cpu", *map(str, arguments)])


def test_samplers_and_steps_are_columns_and_rows(tiny_model: Path, tmp_path: Path) -> None:
    sheet, table = tmp_path / "x.png", tmp_path / "x.csv"
    axes = ("--x", "sampler=ddim,heun,dpmpp-2m", "--y", "steps=4,7")
    assert made(tiny_model, *axes, "--out", sheet, "--numbers", table, "--size-px", 32) == 0
    header, rows = read_csv(table)
    assert [each["sampler"] for each in header["runs"]] == ["ddim", "heun", "dpmpp-2m"] * 2
    assert [each["planned steps"] for each in header["runs"]] == [4] * 3 + [7] * 3
    assert header["guidance"] == 2.0  # which all share, and none says again
    assert "guidance" not in header["runs"][0]
    assert len(rows) == 3 * 5 + 3 * 8
    with Image.open(sheet) as image:
        assert min(image.size) > 64
        paper = np.asarray(image.convert("RGB"))[:, : image.width // 12]  # left of the pictures stand the rows' titles
        assert (paper < 128).any()


def test_a_cell_is_the_run_of_its_settings(tiny_model: Path, tmp_path: Path) -> None:
    """The picture of a grid's cell is that of `sculpt`."""
    common = ["--model", str(tiny_model), "--device", "cpu", "--steps", "5", "--size-px", "16"]
    grid, alone = tmp_path / "grid.zip", tmp_path / "alone.png"
    assert main(["grid", *common, "--x", "seed=3,4", "--out", str(grid)]) == 0
    assert main(["sculpt", *common, "--seed", "4", "--out", str(alone)]) == 0
    import io
    import zipfile

    with zipfile.ZipFile(grid) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        last = np.asarray(Image.open(io.BytesIO(archive.read(names[-1]))).convert("RGB"))
    wanted = np.asarray(Image.open(alone).convert("RGB"))
    found = [
        (top, left)
        for top in range(last.shape[0] - 15)
        for left in range(last.shape[1] - 15)
        if np.array_equal(last[top : top + 16, left : left + 16], wanted)
    ]
    assert found


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("sampler=ddim, heun", ("DDIM", "Heun")),
        ("steps=5,10", ("steps 5", "steps 10")),
        ("guidance=1.0,2.5", ("guidance 1", "guidance 2.5")),
        ("prompt=a lion|a horse, at night", ("a lion", "a horse, at night")),
        ("negative-prompt=1984|x", ("negative prompt 1984", "negative prompt x")),
    ],
)
def test_an_axis_is_read(text: str, titles: tuple[str, ...]) -> None:
    assert read_axis(text).titles == titles


def test_a_prompt_of_figures_stays_a_text() -> None:
    assert read_axis("prompt=1984|x").changes[0] == {"options": {"prompt": "1984"}}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--x", "steps"], "'steps' is no axis. Write NAME=V,V,… as in steps=5,10,20."),
        (["--x", "steps=5,5"], "A value of steps is there twice. Leave one out."),
        (["--x", "guidance=1,2,1.0"], "A value of guidance is there twice. Leave one out."),
        (["--x", "steps=5,x"], "'x' is no value of steps; give a whole number."),
        (["--x", "steps=0,5"], "The number of steps is 0; choose 1 to 1000."),
        (["--x", "sampler=ddim,magic"], "The sampler 'magic' is not known"),
        (["--x", "steps=5,6", "--y", "steps=7"], "Both axes are steps. Choose another setting for one of them."),
        (["--x", "seed=" + ",".join(map(str, range(65)))], "There would be 65 runs. Ask for 64 at most."),
        (["--x", "model=a,b"], "A grid has one model. Choose another setting."),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert made(tiny_model, *arguments, "--out", tmp_path / "x.png") == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
