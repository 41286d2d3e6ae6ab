"""The command `train`: what it takes, what it refuses, and what it leaves behind."""

import inspect
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from sculptor_app.atelier import compiled
from sculptor_app.cli import main, make_parser
from sculptor_app.commands import train_recipe, train_run
from sculptor_app.commands.train_recipe import recipe_of
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.training.data import shards
from sculptor_app.training.network import new_pipeline
from sculptor_app.training.records.plan import Recipe
from sculptor_app.training.records.run_folder import locked_folder
from tests.training.tiny import fill

TINY = ("--size", "16", "--channels", "32,32", "--batch", "4", "--pictures", "8", "--sample-every", "0")


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (shards, train_run):
        monkeypatch.setattr(module, "SHARD", 6)


def train(*words: object) -> int:
    """In this process: the exit code."""
    try:
        return main(["train", *map(str, words)])
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pictures", "0"], "The number of pictures is 0; choose a whole number, 1 to 10000000000."),
        (["--minutes", "0"], "The number of minutes is 0; choose a number, 0.01 to 1000000."),
        (["--minutes", "5", "--pictures", "9"], "Argument --pictures: not allowed with argument --minutes."),
        (["--size", "4"], "The size is 4; choose a whole number, 8 to 512."),
        (
            ["--size", "40", "--patch", "4", "--channels", "32,32,32"],
            "--size is 40; --patch 4 and --channels 32,32,32 take a multiple of 16. Choose 32.",
        ),
        (["--patch", "17"], "The patch is 17; choose a whole number, 1 to 16."),
        (["--channels", "64,x"], "The channels are '64,x'; choose 1 to 6 multiples of 32 up to 2048"),
        (["--channels", "48"], "The channels are '48'; choose 1 to 6 multiples of 32 up to 2048"),
        (["--channels", "32,32,32,32,32,32,32"], "choose 1 to 6 multiples of 32"),
        (["--layers", "0"], "The number of layers is 0; choose a whole number, 1 to 8."),
        (["--batch", "many"], "The batch is 'many'; choose a whole number, 1 to 4096."),
        (["--learning-rate", "2"], "The learning rate is 2; choose a number, 0.00000001 to 0.1."),
        (["--learning-rate", "nan"], "The learning rate is 'nan'; choose a number"),
        (["--ema", "1"], "The decay of the average is 1; choose a number, 0 to 0.999999."),
        (["--precision", "int3"], "The precision 'int3' is not known; choose one of bf16, fp16, no."),
        (["--precision", "fp16"], "--precision fp16 needs a GPU. Choose bf16 or no."),
        (["--threads", "0"], "The number of threads is 0; choose a whole number, 1 to 1024."),
        (["--sample-every", "-1"], "The distance between sample sheets is -1; choose a whole number"),
        (["--checkpoint-every", "0"], "The distance between checkpoints is 0; choose a whole number, 1 to"),
        (["--first-seed", str(2**40)], f"The first seed is {2**40}; choose a whole number, 0 to {2**40 - 1}."),
        (["--first-seed", str(2**40 - 5)], f"The renders' seeds would go beyond {2**40 - 1}. Choose a lower"),
        (["--from", "nowhere"], "There is no folder nowhere. Give a folder that holds pictures."),
        (["--from", "nowhere", "--renders", "99"], "--renders does not go with --from: nothing is rendered."),
        (["--from", "nowhere", "--first-seed", "0"], "--first-seed does not go with --from: nothing is rendered."),
        (["--export", "x", "--batch", "3"], "--batch does not go with --export, which trains nothing."),
        (["--export", "x"], "There is no checkpoint"),
        (["--form", "bust"], "Unrecognized arguments: --form bust."),
    ],
)
def test_bad_input_is_answered_by_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    if torch.cuda.is_available() and "fp16" in words:
        pytest.skip("a GPU takes it")
    assert train("--out", tmp_path / "run", *words) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1, told.err
    assert told.out == ""
    assert not list(tmp_path.rglob("*.pt"))


def test_help_reads_in_eighty_columns_and_names_every_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    assert train("--help") == 0
    text = capsys.readouterr().out
    for option in ("--from", "--minutes", "--start-from", "--export", "--ema", "--no-flip", "--threads"):
        assert option in text
    assert "accelerate launch" in text
    usual = {name: parameter.default for name, parameter in inspect.signature(new_pipeline).parameters.items()}
    shown = text[text.index("the network:") : text.index("how to learn:")].split()
    assert f"({train_recipe.PATCH})" in shown
    assert f"({train_recipe.FINISH})" in shown
    assert f"({usual['layers']})" in shown
    assert f"({','.join(map(str, usual['channels']))})" in shown
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_folder_of_pictures_becomes_a_model_that_the_program_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mine = fill(tmp_path / "mine")
    (mine / "broken.png").write_bytes(b"no")
    assert train("--from", mine, "--out", tmp_path / "run", *TINY) == 0
    told = capsys.readouterr().out
    assert "broken.png is skipped: it is no picture" in told
    assert f"The model is in {tmp_path / 'run' / 'model'}. Open it with `sculptor-app --model" in told
    model = tmp_path / "run" / "model"
    assert load_sculptor(model).config.form_names == []
    story = json.loads((model / "training.json").read_text())
    assert (story["render_seeds"], story["pictures"], story["pictures_seen"]) == ([], 16, 8)
    assert story["command"] == (
        "sculptor-app train --out run --from mine --size 16 --channels 32,32 --pictures 8 --batch 4 --sample-every 0"
    )
    assert "torch" in story["machine"]
    gif = tmp_path / "x.gif"
    assert main(["sculpt", "--model", str(model), "--steps", "3", "--out", str(gif), "--device", "cpu"]) == 0
    with Image.open(gif) as image:
        assert image.n_frames == 3


def test_from_nothing_to_a_model_of_rendered_sculptures(
    small_shards: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compiled, "notice", {"cpu": "The renderer is compiled."}.get)
    words = [
        "--out",
        tmp_path,
        *TINY,
        "--renders",
        "7",
        "--first-seed",
        "100",
        "--patch",
        "2",
        "--layers",
        "2",
        "--no-flip",
    ]
    assert train(*words) == 0
    said = capsys.readouterr().out
    assert f"Rendering 12 sculptures into {tmp_path / 'renders'}.\nThe renderer is compiled.\n" in said
    pipeline = load_sculptor(tmp_path / "model")
    assert (pipeline.picture_size, pipeline.patch, pipeline.unet.config.layers_per_block) == (16, 2, 2)
    assert len(pipeline.config.form_names) == 8
    story = json.loads((tmp_path / "model" / "training.json").read_text())
    assert (story["render_seeds"], story["pictures"]) == ([[100, 12]], 12)
    assert story["recipe"]["flip"] is False
    assert train(*words) == 0  # the run is over: the model is written again, nothing is rendered
    assert capsys.readouterr().out.startswith("Going on from ")


def test_renders_of_another_size_are_not_mixed_in(small_shards: None, tmp_path: Path, capsys):
    list(shards.write_shards(tmp_path / "renders", 1, 8, 0, "cpu"))
    assert train("--out", tmp_path, *TINY, "--renders", "6") == 2
    assert "holds pictures of 8 pixels, not 16. Choose another --out" in capsys.readouterr().err


def test_more_renders_than_asked_for_are_said(small_shards: None, tmp_path: Path, capsys):
    list(shards.write_shards(tmp_path / "renders", 2, 16, 0, "cpu"))
    assert train("--out", tmp_path, *TINY, "--renders", "6") == 0
    assert "holds 1 more shard of renders; what is in it is learned, too." in capsys.readouterr().out


def test_too_few_pictures_end_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert train("--from", fill(tmp_path / "few", 15), "--out", tmp_path / "out", *TINY) == 2
    assert "holds 15 pictures that can be read; learning takes 16 or more. Add some" in capsys.readouterr().err


def test_a_run_goes_on_only_as_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mine, out = fill(tmp_path / "mine"), tmp_path / "run"
    assert train("--from", mine, "--out", out, *TINY, "--learning-rate", "2e-4") == 0
    capsys.readouterr()
    for words, sentence in [
        (["--from", mine, "--size", "32"], "began with --size 16, not 32."),
        (["--from", mine, "--channels", "64"], "began with --channels 32,32, not 64."),
        (["--from", mine, "--layers", "2"], "began with --layers 1, not 2."),
        (["--from", mine, "--seed", "1"], "began with --seed 0, not 1."),
        (["--from", mine, "--start-from", out / "model"], "began with --start-from none, not model."),
        ([], "began with --from a folder of pictures, not none."),
    ]:
        assert train("--out", out, *TINY, *words) == 2
        assert sentence in capsys.readouterr().err
    assert not (out / "renders").exists()  # nothing was rendered before it was refused
    fill(mine, 17)
    assert train("--from", mine, "--out", out, *TINY) == 2
    assert "pictures have changed since this run began" in capsys.readouterr().err
    (mine / "16.png").unlink()
    assert train("--from", mine, "--out", out, *TINY, "--learning-rate", "1e-4", "--pictures", "12") == 0
    assert "total pictures 12 instead of 8, learning rate 0.0001 instead of 0.0002" in capsys.readouterr().out


def test_a_model_of_ones_own_pictures_begins_with_the_default_ones_network(tmp_path: Path, capsys):
    mine = fill(tmp_path / "mine")
    assert train("--from", mine, "--out", tmp_path / "a", *TINY) == 0
    model = tmp_path / "a" / "model"
    words = ("--from", mine, "--batch", "4", "--pictures", "4", "--sample-every", "0", "--learning-rate", "1e-8")
    assert train(*words, "--out", tmp_path / "b", "--start-from", model) == 0
    begun, before = (load_sculptor(folder) for folder in (tmp_path / "b" / "model", model))
    assert torch.allclose(begun.unet.unet.conv_in.weight, before.unet.unet.conv_in.weight, atol=1e-3)
    capsys.readouterr()
    assert train(*words, "--out", tmp_path / "c", "--start-from", model, "--channels", "64") == 2
    assert f"The model in {model} has --channels 32,32. Leave --channels out" in capsys.readouterr().err
    assert train(*words, "--out", tmp_path / "c", "--start-from", tmp_path / "nowhere") == 3
    wider = ("--patch", str(2 * before.patch), "--finish", "head")
    assert train(*words, "--out", tmp_path / "d", "--start-from", model, *wider) == 0
    assert load_sculptor(tmp_path / "d" / "model").patch == 2 * before.patch
    assert train(*words, "--out", tmp_path / "e", "--start-from", model, "--patch", "3") == 2
    assert "which do not go into 3×3. Start from another" in capsys.readouterr().err


def test_a_checkpoint_can_be_looked_at_as_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert train("--from", fill(tmp_path / "mine"), "--out", tmp_path / "run", *TINY) == 0
    capsys.readouterr()
    assert train("--out", tmp_path / "run", "--export", tmp_path / "model") == 0
    assert capsys.readouterr().out.startswith(f"The model is in {tmp_path / 'model'}.")
    assert load_sculptor(tmp_path / "model").picture_size == 16
    assert train("--out", tmp_path / "run", "--export", tmp_path / "mine") == 2
    assert "mine is there already and is no model" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("")
    assert train("--out", tmp_path / "file", *TINY) == 5
    assert "file cannot be written to (File exists). Choose another --out." in capsys.readouterr().err
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "thesis.txt").write_text("")
    assert train("--from", fill(tmp_path / "mine"), "--out", tmp_path / "run", *TINY) == 2
    assert "model is there already and is no model" in capsys.readouterr().err
    assert not (tmp_path / "run" / "checkpoint.pt").exists()  # nothing was learned before it was refused


def test_two_runs_in_one_folder_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with locked_folder(tmp_path / "run"):
        assert train("--from", fill(tmp_path / "mine"), "--out", tmp_path / "run", *TINY) == 2
    assert f"Another run is going on in {tmp_path / 'run'}. Wait for its end" in capsys.readouterr().err
    with locked_folder(tmp_path / "run"):
        pass  # the lock is free again


def test_threads_are_the_asked_ones(tmp_path: Path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert train("--from", fill(tmp_path / "mine"), "--out", tmp_path / "run", *TINY, "--threads", "1") == 0
        assert torch.get_num_threads() == 1
        story = json.loads((tmp_path / "run" / "model" / "training.json").read_text())
        assert story["recipe"]["threads"] == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("--pictures 77", "total_pictures", 77),
        ("--minutes 1.5", "minutes", 1.5),
        ("--batch 7", "batch", 7),
        ("--learning-rate 1e-5", "learning_rate", 1e-5),
        ("--optimizer adamw", "optimizer", "adamw"),
        ("--ema 0.9", "ema_decay", 0.9),
        ("--precision no", "mixed_precision", "no"),
        ("--seed 5", "seed", 5),
        ("--no-flip", "flip", False),
        ("--report-every 11", "report_every", 11),
        ("--sample-every 12", "sample_every", 12),
        ("--checkpoint-every 13", "checkpoint_every", 13),
    ],
)
def test_every_option_reaches_the_recipe_and_nothing_else_does(words: str, field: str, value: object):
    usual, changed = (
        recipe_of(make_parser().parse_args(["train", "--out", "x", *more.split()])) for more in ("", words)
    )
    assert changed == replace(usual, **{field: value}) != usual
    assert usual == Recipe(usual.total_pictures)


def test_minutes_end_a_run(tmp_path: Path):
    words = ("--size", "16", "--channels", "32,32", "--batch", "4", "--minutes", "0.01", "--sample-every", "0")
    assert train("--from", fill(tmp_path / "mine"), "--out", tmp_path / "run", *words) == 0
    story = json.loads((tmp_path / "run" / "model" / "training.json").read_text())
    assert story["recipe"]["minutes"] == 0.01
    assert story["pictures_seen"] > 0
