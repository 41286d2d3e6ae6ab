"""`sculptor-app check-model`: 0 and 1, in words and as JSON, for good models and bad ones."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from sculptor_app.cli import main
from sculptor_app.diffusion.models import loader, sandbox
from sculptor_app.diffusion.models.verdict import Finding
from tests.helpers.diffusers_models import WEIGHTS, ddpm, edit_json, edit_weights, save, write_pickle, write_program


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(ddpm, tmp_path_factory.mktemp("models") / "ddpm")


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def test_a_good_model(whole: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())  # as if it had passed before
    assert main(["check-model", str(whole), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    path, pipeline, answer, fit, how = said.out.splitlines()
    assert path == str(whole)
    assert pipeline.startswith("DDPMPipeline, ")
    assert answer == "It can be watched."
    assert fit.startswith("It runs on CPU, ")
    assert fit.endswith(" in float32.")
    assert how == "It was loaded on trial."


def test_a_bad_model_has_all_reasons(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_program(model / "None.py", model / "canary")
    edit_json(model / "unet" / "config.json", layers_per_block=10**9)
    assert main(["check-model", str(model), "--device", "cpu"]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert said.err == ""
    assert lines[2] == "Refused, for 2 reasons:"
    assert lines[3] == (
        f"  {model}/None.py is a program that model_index.json has run. Sculptor runs no code that comes with a model, "
        "and opens none that needs it."
    )
    assert "layers_per_block" in lines[4]
    assert not (model / "canary").exists()


def test_the_trial_finds_what_the_files_do_not_tell(tiny_model: Path, tmp_path: Path, capsys: Any) -> None:
    """Our own pipeline is tried, too, when it is checked."""
    broken = Path(shutil.copytree(tiny_model, tmp_path / "broken"))
    edit_weights(broken / "unet" / WEIGHTS, lambda w: w["conv_in.bias"].fill_(float("nan")))
    assert main(["check-model", str(broken), "--device", "cpu", "--no-trial"]) == 0
    assert "It was judged by its files alone." in capsys.readouterr().out
    assert main(["check-model", str(broken), "--device", "cpu"]) == 1
    assert "infinite values in 'conv_in.bias'" in capsys.readouterr().out


def test_a_copy_of_a_program_that_is_refused_is_not_called_unused(model: Path, capsys: Any) -> None:
    for name in ("None.py", "unet/None.py", "train.py"):
        write_program(model / name, model / "canary")
    assert main(["check-model", str(model), "--device", "cpu", "--json"]) == 1
    told = [each["what"] for each in json.loads(capsys.readouterr().out)["findings"]]
    assert told == [
        f"{model}/None.py is a program that model_index.json has run.",
        f"{model}/train.py is a program, and is not used.",
    ]


def test_pickles_are_converted_where_that_is_asked_for(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model / "unet" / WEIGHTS
    torch.save(safetensors.torch.load(path.read_bytes()), path.with_suffix(".bin"))
    path.unlink()
    check = ["check-model", str(model), "--no-trial", "--device", "cpu"]
    assert main(check) == 1
    told = capsys.readouterr().out
    assert f"unet has weights only in '{path.with_suffix('.bin').name}', a pickle." in told
    assert re.search(r"^DDPMPipeline, \d\d+ kB of weights in pickles$", told, re.MULTILINE)
    assert main([*check, "--convert-pickles"]) == 0  # a real process, and a real copy
    assert main(check) == 0
    write_pickle(path.with_suffix(".bin"), model / "canary")
    monkeypatch.setattr(sandbox, "run", lambda *_, **__: [Finding("It holds more.", "It stays refused.")])
    capsys.readouterr()
    assert main([*check, "--convert-pickles"]) == 1
    assert capsys.readouterr().err == "It holds more. It stays refused.\n"
    assert not (model / "canary").exists()


def test_json_says_the_same(whole: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-model", str(whole), "--json", "--no-trial", "--device", "cpu"]) == 0
    good = json.loads(capsys.readouterr().out)
    assert (good["answer"], good["why_no_guess"]) == ("watched", "")
    assert (good["fit"], good["pipeline"], good["dtype"], good["findings"]) == (True, "DDPMPipeline", "float32", [])
    assert good["weight_bytes"] == (whole / "unet" / WEIGHTS).stat().st_size
    assert [part["name"] for part in good["components"]] == ["scheduler", "unet"]
    (model / "unet" / WEIGHTS).unlink()
    assert main(["check-model", str(model), "--json", "--no-trial", "--device", "cpu"]) == 1
    bad = json.loads(capsys.readouterr().out)
    assert bad["answer"] == "refused"
    assert (bad["fit"], bad["dtype"], bad["tried"]) == (False, None, False)
    (finding,) = bad["findings"]
    assert finding["severity"] == "refused"
    assert finding["what"].endswith(f"{WEIGHTS} is missing.")


def test_a_model_that_does_not_fit_into_memory(whole: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(loader, "free_bytes", lambda _: 1000)
    assert main(["check-model", str(whole), "--device", "cpu"]) == 1
    assert " of the computer's memory as float32, and 1 kB are free." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/gone"], "There is no folder /gone. Choose a folder that holds a model."),
        (
            ["some/body"],
            "There is no folder some/body, and no model of that name from the hub is on this computer. Add --download",
        ),
        ([".", "--device", "tpu"], "The device 'tpu' is not available here."),
    ],
)
def test_what_is_not_there(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-model", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(words)
