"""Settings that change along a run, on the command line, and what its files tell of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.cli import main
from sculptor_app.core.trajectory.file import open_run
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.exports.numbers import read_csv
from sculptor_app.exports.settings import read_settings
from tests.helpers.any_pipeline import finish


def sculpted(model: Path, *arguments: object, steps: int = 8) -> int:
    given = ["sculpt", "--model", str(model), "--device", "cpu", "--steps", str(steps), "--sampler", "ddim"]
    return main([*given, "--guidance", "2", *map(str, arguments)])


def test_labels_and_guidance_change_along_a_run(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, run, picture = tmp_path / "plain.sculpt", tmp_path / "x.sculpt", tmp_path / "x.png"
    assert sculpted(tiny_model, "--form", "bust", "--save", plain) == 0
    changes = ("--change", "3:form=vase", "--change", "step=5:guidance=4")
    table = tmp_path / "x.csv"
    files = ("--save", run, "--out", picture, "--numbers", table)
    assert sculpted(tiny_model, "--form", "bust", *changes, *files) == 0
    assert "Along the run: form vase after step 3, guidance 4 after step 5." in capsys.readouterr().err
    before, made = open_run(plain), open_run(run)
    for k in range(4):
        np.testing.assert_array_equal(made.state(k), before.state(k))
    assert not np.array_equal(made.state(4), before.state(4))
    assert [(each.step, each.request.form, each.request.guidance) for each in made.info.forks] == [
        (3, "bust", 2.0), (5, "vase", 2.0),
    ]  # fmt: skip
    assert [each["step"] for each in read_settings(picture)["forks"]] == [3, 5]
    header, _ = read_csv(table)
    assert header["changes along the run"] == "form bust → vase after step 3, guidance 2 → 4 after step 5"
    again, like = tmp_path / "again.sculpt", ("--like", str(picture), "--model", str(tiny_model), "--device", "cpu")
    assert main(["sculpt", *like, "--save", str(again)]) == 0
    assert "Along the run: form vase after step 3, guidance 4 after step 5." in capsys.readouterr().err
    np.testing.assert_array_equal(open_run(again).state(8), made.state(8))
    assert main(["fork", *like, "--at", "2", "--then", "guidance=1", "--save-each", str(tmp_path / "runs")]) == 0
    assert "Not taken over: what changed along the run." in capsys.readouterr().err
    assert main(["info", str(run)]) == 0
    assert "8 steps, form bust → vase after step 3, guidance 2 → 4 after step 5" in capsys.readouterr().out
    assert main(["reproduce", str(run), "--model", str(tiny_model), "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] is True


def test_guidance_between_two_levels(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "x.sculpt"
    assert sculpted(tiny_model, "--form", "bust", "--guidance-between", "0.02,1.9", "--save", run) == 0
    made = open_run(run)
    first = next(k for k, level in enumerate(made.levels) if level.snr >= 0.02)
    last = next(k for k, level in enumerate(made.levels) if level.snr >= 1.9)
    assert f"Along the run: guidance 2 after step {first}, guidance 1 after step {last}." in capsys.readouterr().err
    without = finish(Engine(), replace(made.info.forks[0].request, model=str(tiny_model)))
    assert without.info.request.guidance == 1.0
    np.testing.assert_array_equal(made.state(first), without.state(first))
    assert not np.array_equal(made.state(first + 1), without.state(first + 1))


def test_nothing_that_changes_is_said(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sculpted(tiny_model, "--form", "bust", "--change", "3:form=bust", "--save", tmp_path / "x.sculpt") == 0
    assert "Nothing changed along the run: it had these values already." in capsys.readouterr().err
    assert open_run(tmp_path / "x.sculpt").info.forks == ()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--change", "form=vase"], "'form=vase' changes nothing. Write PLACE:NAME=VALUE, as in 8:form=vase."),
        (["--change", "3:form"], "'3:form' changes nothing. Write PLACE:NAME=VALUE, as in 8:form=vase."),
        (["--change", "x:form=vase"], "'x' is no place along a run; write 8, snr=0.3 or sigma=1.5."),
        (["--change", "8:form=vase"], "There is no change after step 8 of this run; choose 1 to 7."),
        (["--change", "3:form=cat"], "The form 'cat' is not known; choose one of"),
        (["--change", "3:guidance=x"], "The guidance 'x' is no number; give one."),
        (["--change", "3:seed=8"], "The seed is one for a whole run; change form, material, guidance, sampler or a"),
        (["--change", "3:form=vase", "--change", "3:form=ring"], "The form changes twice after step 3"),
        (["--guidance-between", "0.3"], "'0.3' is not two places. Write two, as in 0.02,1.9 or step=5,step=30."),
        (["--guidance-between", "step=5,step=5"], "No step of this run is between step 5 and step 5"),
        (
            ["--guidance-between", "1,2", "--change", "3:guidance=2"],
            "Guidance between two places and changes of guidance cannot both be; choose one.",
        ),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sculpted(tiny_model, *arguments, "--out", tmp_path / "x.png") != 0
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
