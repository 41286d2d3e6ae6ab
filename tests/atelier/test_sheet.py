"""Contact sheets and the command that writes them."""

import argparse
import subprocess
import sys

import numpy as np
import torch
from PIL import Image

from sculptor_app.atelier import render
from sculptor_app.atelier.sheet import lay_out, to_bytes, write_contact_sheet
from sculptor_app.commands import atelier


def test_pictures_lie_row_by_row():
    pictures = np.stack([np.full((2, 3, 3), value, np.uint8) for value in range(5)])
    sheet = np.asarray(lay_out(pictures, columns=2, zoom=2))
    assert sheet.shape == (12, 12, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((0, 0), (3, 11), (4, 0), (7, 7), (11, 5))] == [0, 1, 2, 3, 4]


def test_bytes_reach_from_0_to_255():
    assert to_bytes(torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)).flatten().tolist() == [0, 128, 255]


def test_a_sheet_is_deterministic_and_holds_the_renders(tmp_path):
    for name in ("a.png", "b.png"):
        assert write_contact_sheet(tmp_path / name, size=16, columns=2, rows=3, seed=7) > 0
    first, second = (np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png"))
    assert np.array_equal(first, second)
    assert first.shape == (48, 32, 3)
    assert np.array_equal(first[16:32, 0:16], to_bytes(render([9], [1], [1], 16))[0])


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    atelier.add_parsers(parser.add_subparsers())
    return parser.parse_args(words)


def test_the_command_writes_a_sheet_and_says_how_fast(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    arguments = parse("atelier", "sheet", "--out", str(out), "--size", "16", "--columns", "2", "--rows", "1")
    assert arguments.run(arguments) == 0
    with Image.open(out) as sheet:
        assert sheet.size == (32, 16)
    assert "ms a picture" in capsys.readouterr().out


def test_the_command_names_what_is_out_of_bounds(tmp_path, capsys):
    arguments = parse("atelier", "sheet", "--out", str(tmp_path / "x.png"), "--size", "4")
    assert arguments.run(arguments) == 2
    assert "--size is 4; choose 8 to 1024." in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(tmp_path, capsys):
    out = tmp_path / "missing" / "x.png"
    arguments = parse("atelier", "sheet", "--out", str(out), "--size", "8", "--columns", "1", "--rows", "1")
    assert arguments.run(arguments) == 5
    assert str(out) in capsys.readouterr().err


def test_the_command_line_costs_no_torch():
    code = "import sys, sculptor_app.commands.atelier, sculptor_app.commands.train; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
