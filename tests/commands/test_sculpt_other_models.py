"""`sculptor-app sculpt --model` with models of other people: what they are told, and what is refused."""

import json
from pathlib import Path

import pytest
from PIL import Image

from sculptor_app.cli import main, make_parser
from sculptor_app.commands.run_options import request_of


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion."""
    from tests.helpers.tiny_pipelines import build

    folder = tmp_path_factory.mktemp("models") / "stable-diffusion"
    build("stable_diffusion").save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--prompt", "a lion"], {"prompt": "a lion"}),
        (["--negative-prompt", "blur", "--set", "eta=0.5"], {"negative_prompt": "blur", "eta": 0.5}),
        (
            ["--set", "height=64", "--set", "flag=true", "--set", "word=a=b"],
            {"height": 64, "flag": True, "word": "a=b"},
        ),
        ([], {}),
    ],
)
def test_what_is_typed_is_told(typed: list[str], told: dict):
    assert request_of(make_parser().parse_args(["sculpt", *typed])).option_values == told


def test_a_prompt_is_carved_and_kept_in_the_file(foreign: Path, tmp_path: Path):
    out = tmp_path / "lion.gif"
    told = ["--prompt", "a lion", "--set", "eta=0.5"]
    code = main(["sculpt", "--model", str(foreign), "--sampler", "model", "--steps", "3", *told, "--out", str(out)])
    assert code == 0
    with Image.open(out) as gif:
        assert gif.n_frames == 3
        assert json.loads(gif.info["comment"])["request"]["options"] == {"eta": 0.5, "prompt": "a lion"}


@pytest.mark.parametrize(
    ("typed", "words"), [(["--set", "colour=blue"], "no option 'colour'"), (["--set", "height=13"], "height is 13")]
)
def test_what_the_model_does_not_take_is_refused(
    foreign: Path, tmp_path: Path, typed: list[str], words: str, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "x.gif"
    assert main(["sculpt", "--model", str(foreign), "--steps", "3", *typed, "--out", str(out)]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_what_sets_nothing_is_refused_at_once(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["sculpt", "--set", "blue"])
    assert "NAME=VALUE" in capsys.readouterr().err
