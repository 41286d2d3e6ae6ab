"""`fork --paint`: strokes in words and files, parts of another run, and one sentence for each that is none."""

import json
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.cli import main
from sculptor_app.commands.painting import parse_stroke
from sculptor_app.core.requests.painting import PaintedFrame, PaintStroke, StrokeKind
from sculptor_app.core.requests.request import Parting
from sculptor_app.core.trajectory.file import open_run

RED = "guess #C04030 0.5,0.4 0.6,0.5 radius 0.2"


def forked(model: Path, *arguments: object) -> int:
    made = ["fork", "--model", str(model), "--device", "cpu", "--steps", "6", "--sampler", "ddim", "--at", "3"]
    return main([*made, *map(str, arguments)])


@pytest.mark.parametrize(
    ("text", "frame", "stroke"),
    [
        (RED, "guess", PaintStroke(StrokeKind.COLOUR, ((0.5, 0.4), (0.6, 0.5)), 0.2, colour="#c04030")),
        ("erase 0,0 1,1 box", None, PaintStroke(StrokeKind.ERASE, ((0.0, 0.0), (1.0, 1.0)), is_box=True)),
        ("state shift 1,-0.5,2 0.5,0.5 strength 0.5", "state",
         PaintStroke(StrokeKind.SHIFT, ((0.5, 0.5),), strength=0.5, shift=(1.0, -0.5, 2.0))),
        ("state 0.1, 0.2 noise 5", "state", PaintStroke(StrokeKind.NOISE, ((0.1, 0.2),), seed=5)),
        ("guess copy 0.5,0.5", "guess", PaintStroke(StrokeKind.COPY, ((0.5, 0.5),))),
    ],
)  # fmt: skip
def test_a_stroke_in_words(text: str, frame: str | None, stroke: PaintStroke) -> None:
    assert parse_stroke(text) == (None if frame is None else PaintedFrame(frame), stroke)


def test_a_fork_goes_on_from_what_was_painted_and_is_made_again(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, sheet = tmp_path / "runs", tmp_path / "x.png"
    given = ("--paint", RED, "--paint", "erase 0,0 0.2,1 box", "--then", "guidance=1")
    assert forked(tiny_model, *given, "--save-each", runs, "--out", sheet, "--size-px", 32) == 0
    whole, other, made = (open_run(path) for path in sorted(runs.iterdir()))
    assert other.info.forks[-1].painting is None
    left = made.info.forks[-1]
    assert (left.step, left.parting, left.painting.words) == (3, Parting.PAINTED, "2 strokes on the guess")
    np.testing.assert_array_equal(made.state(2), whole.state(2))
    assert not np.array_equal(made.state(3), whole.state(3))
    np.testing.assert_array_equal(made.state(3)[:, :, :3], whole.state(3)[:, :, :3])
    capsys.readouterr()
    assert main(["reproduce", str(made.path), "--model", str(tiny_model)]) == 0
    assert "The same, bit for bit: 7 states." in capsys.readouterr().out
    assert main(["info", str(sheet), "--json"]) == 0


def test_strokes_of_a_file_are_those_that_a_fork_tells(tiny_model: Path, tmp_path: Path) -> None:
    assert forked(tiny_model, "--paint", "state noise 5 0.5,0.5 radius 0.3", "--save-each", tmp_path / "runs") == 0
    made = open_run(tmp_path / "runs" / "fork-1.sculpt")
    strokes = tmp_path / "strokes.json"
    strokes.write_text(json.dumps(made.info.forks[-1].painting.plain()))
    assert forked(tiny_model, "--paint-file", strokes, "--save-each", tmp_path / "again") == 0
    np.testing.assert_array_equal(open_run(tmp_path / "again" / "fork-1.sculpt").state(6), made.state(6))


def test_a_part_of_another_run_is_copied(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.sculpt"
    asked = ["--model", str(tiny_model), "--device", "cpu", "--steps", "6", "--sampler", "ddim"]
    assert main(["sculpt", *asked, "--seed", "8", "--save", str(other)]) == 0
    given = ("--copy-from", other, "--box", "0.5,0,0.5,1", "--save-each", tmp_path / "runs")
    assert forked(tiny_model, "--paint", "state copy 0.1,0.5 radius 0.1", *given) == 0
    whole, made = (open_run(path) for path in sorted((tmp_path / "runs").iterdir()))
    np.testing.assert_array_equal(made.state(3)[:, :, 8:], open_run(other).state(3)[:, :, 8:])
    np.testing.assert_array_equal(made.state(3)[:, 0, :8], whole.state(3)[:, 0, :8])
    capsys.readouterr()
    assert main(["reproduce", str(made.path), "--model", str(tiny_model)]) == 0
    assert "The same, bit for bit" in capsys.readouterr().out
    assert main(["info", str(made.path)]) == 0
    assert "parts copied from other runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--paint", "guess 0.5,0.5"], "The stroke 'guess 0.5,0.5' does not say what to do."),
        (["--paint", "guess #c04030"], "The stroke 'guess #c04030' does not say where to paint."),
        (["--paint", "guess #c04030 0.5"], "'0.5' is not understood in the stroke 'guess #c04030 0.5'. Write it as in"),
        (["--paint", "guess red 0.5,0.5"], "'red' is not understood in the stroke"),
        (["--paint", "guess #c0403 0.5,0.5"], "The colour '#c0403' is none; write one as #c04030."),
        (["--paint", "guess #c04030 0.5,1.5"], "The point 0.5,1.5 is outside of the picture; choose 0 to 1."),
        (["--paint", "guess #c04030 0.5,0.5 radius 2"], "The brush has the radius 2.0; choose more than 0, up to 1."),
        (["--paint", "guess #c04030 0.5,0.5 radius"], "There is nothing after radius in"),
        (["--paint", "state noise x 0.5,0.5"], "The seed 'x' in 'state noise x 0.5,0.5' is no whole number."),
        (["--paint", "state #c04030 0.5,0.5"], "Colours are for the current guess; begin with guess"),
        (["--paint", "guess noise 5 0.5,0.5"], "A stroke of the kind noise is for the noisy state; begin with state."),
        (["--paint", RED, "--paint", "state erase 0,0"], "Strokes are on the guess and on the state."),
        (["--paint", "guess copy 0.5,0.5"], "There is nothing to copy from. Add --copy-from FILE, a saved run."),
        (["--copy-from", "x.sculpt"], "Nothing is copied from the other run. Add --box X,Y,W,H"),
        (["--box", "0.5,0,0.6,1"], "the box '0.5,0,0.6,1' is none within the picture; write X,Y,W,H from 0 to 1"),
        (["--paint-file", "nowhere.json"], "There is no file nowhere.json. Name a file of strokes."),
        (["--paint-file", __file__], "holds no strokes."),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    try:
        code = forked(tiny_model, *arguments, "--out", tmp_path / "x.png")
    except SystemExit as stopped:  # argparse
        code = int(stopped.code or 0)
    assert code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert sentence in said
    assert "Traceback" not in said


def test_another_run_that_does_not_fit_is_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.sculpt"
    asked = ["--model", str(tiny_model), "--device", "cpu", "--steps", "2", "--sampler", "heun"]
    assert main(["sculpt", *asked, "--save", str(other)]) == 0
    given = ("--copy-from", other, "--paint", "state copy 0.5,0.5", "--out", tmp_path / "x.png")
    assert forked(tiny_model, *given) == 2
    assert "The other run has no state at this noise level; copy from its guess" in capsys.readouterr().err
