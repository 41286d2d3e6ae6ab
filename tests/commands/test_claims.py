"""`claims`: published findings, tested on a model and told with what was published."""

import json
from pathlib import Path

import pytest

from sculptor_app.cli import main
from sculptor_app.commands import claims
from sculptor_app.measures.claims import CLAIMS
from sculptor_app.training.memorising import claim as memorising


def claimed(model: Path, *arguments: object) -> int:
    given = ["claims", *map(str, arguments), "--model", str(model), "--device", "cpu"]
    return main([*given, "--steps", "4", "--seeds", "2", "--forks", "2"])


def test_one_claim_is_told_with_source_and_verdict(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert claimed(tiny_model, "two-dimensional") == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0].startswith("two-dimensional: ")
    for words in ("Wang and Vastola 2023", "97 % of the variance", "With DDIM two components hold"):
        assert words in told
    assert max(map(len, told.splitlines())) <= 100


def test_all_claims_are_told_as_json(
    tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MARKS", (2,)), ("OTHERS", 8), ("BASELINE", 4)):
        monkeypatch.setattr(memorising, name, value)
    assert claimed(tiny_model, "--json", "--sampler", "ddpm") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["seeds"], told["request"]["sampler"], told["request"]["steps"]) == (2, "ddpm", 4)
    assert [each["name"] for each in told["claims"]] == list(CLAIMS)
    for each in told["claims"]:
        assert each["holds"] in (True, False, None)
        assert each["here"]
    assert 0 < told["claims"][1]["figures"]["share"] < 1
    assert told["claims"][1]["holds"] is None  # the finding is about samplers that add no noise
    assert "It adds noise in its steps" in told["claims"][1]["here"]


def test_a_name_that_is_none_is_answered_by_one_sentence(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert claimed(tiny_model, "nonsense") == 2
    told = capsys.readouterr().err
    assert told.startswith("There is no claim 'nonsense' here. Choose one of coarse-to-fine, two-dimensional, u-turn")
    assert told.count("\n") == 1


def test_how_long_it_takes_is_said_beforehand(
    tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert claimed(tiny_model, "two-dimensional") == 0
    assert capsys.readouterr().err == ""  # a second or two
    monkeypatch.setattr(claims, "LONG_S", 0.0)
    assert claimed(tiny_model, "two-dimensional") == 0
    assert capsys.readouterr().err == "two-dimensional takes about 0 minutes; Ctrl-C stops it.\n"
    for seconds, words in ((50, "about a minute;"), (140, "about 2 minutes;")):
        (sentence,) = claims._foretold("late-start", seconds)
        assert words in sentence
