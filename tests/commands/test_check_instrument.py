"""`check-instrument`: what is measured beside what must be, with a verdict that the exit code repeats."""

import json
from pathlib import Path

import pytest

from sculptor_app.cli import main
from sculptor_app.diffusion.samplers import predictions


def checked(model: Path, *arguments: str) -> int:
    return main(["check-instrument", *arguments, "--model", str(model), "--device", "cpu"])


def test_it_tells_every_comparison_and_a_verdict(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tiny_model, "--sampler", "ddim") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "DDIM, 50 steps, cosine schedule, a network that predicts v"
    assert [line[0] for line in lines[1:8]] == ["✓"] * 7
    assert "coarse 5 · medium 13 · fine 26 · finest 36  (expected 5 · 13 · 26 · 36)" in lines[8]
    assert lines[-1].startswith("Agrees: every pixel of the guesses within 0.0")
    assert max(map(len, lines)) <= 100


def test_json_has_figures_bounds_and_curves(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tiny_model, "--sampler", "unipc", "--steps", "12", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sampler"], told["steps"], told["agrees"], told["is_models_own_schedule"]) == ("unipc", 12, True, True)
    for key in ("levels", "states", "guess", "guess-bands", "state-bands"):
        assert told["comparisons"][key]["deviation"] <= told["comparisons"][key]["bound"]
    assert told["comparisons"]["course"]["bound"] is None
    for kind in ("measured", "expected"):
        assert [len(told["bands"][kind][source]) for source in ("state", "guess")] == [13, 13]
    assert told["bands"]["measured"]["guess"][0] == [None] * 4


def test_a_fault_is_told_and_is_the_exit_code(
    tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = predictions.clean_from
    monkeypatch.setattr(predictions, "clean_from", lambda kind, *given: right("epsilon", *given))
    assert checked(tiny_model, "--sampler", "ddim", "--steps", "5") == 4
    assert "Does not agree: guesses, pixel by pixel are off by" in " ".join(capsys.readouterr().out.split())


def test_what_cannot_be_checked_is_one_sentence(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tiny_model, "--sampler", "lcm", "--steps", "200") == 2
    told = capsys.readouterr().err
    assert told.startswith("With 200 steps, the numbers of LCM do not stay finite")
    assert told.count("\n") == 1
