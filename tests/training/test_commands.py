"""The command `train`."""

import argparse
from pathlib import Path

import pytest
import torch
from PIL import Image

from sculptor_app.diffusion.pipeline import SculptorPipeline
from sculptor_app.training import cli, commands, shards


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands.add_parsers(parser.add_subparsers())
    return parser.parse_args(["train", *words])


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--pictures", "0"], "--pictures is 0; choose 1 to"),
        (["--size", "40"], "--size is 40; choose a multiple of 16"),
        (["--learning-rate", "2"], "--learning-rate is 2"),
        (["--precision", "int3"], "--precision is int3; choose one of bf16, fp16, no"),
    ],
)
def test_bad_arguments_are_named(words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = parse("--out", str(tmp_path), *words)
    assert arguments.run(arguments) == 2
    assert named in capsys.readouterr().err


def test_a_folder_of_pictures_becomes_a_model_without_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine").mkdir()
    for i in range(16):
        Image.new("RGB", (20, 30), (i * 10, 0, 0)).save(tmp_path / "mine" / f"{i}.png")
    arguments = parse(
        "--from", str(tmp_path / "mine"), "--out", str(tmp_path), "--pictures", "8", "--size", "16", "--batch", "4"
    )
    assert arguments.run(arguments) == 0
    pipeline = SculptorPipeline.load(tmp_path / "model")
    assert pipeline.config.form_names == []
    assert pipeline(num_inference_steps=1, generator=torch.Generator().manual_seed(0)).images.shape == (1, 16, 16, 3)


def test_too_few_pictures_end_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = parse("--from", str(tmp_path), "--out", str(tmp_path / "out"))
    assert arguments.run(arguments) == 2
    assert "16 or more" in capsys.readouterr().err


def test_from_nothing_to_a_model_that_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    for module in (shards, cli):
        monkeypatch.setattr(module, "SHARD", 6)
    arguments = parse("--out", str(tmp_path), "--pictures", "8", "--renders", "6", "--size", "16", "--batch", "4")
    assert arguments.run(arguments) == 0
    assert str(tmp_path / "model") in capsys.readouterr().out
    assert SculptorPipeline.load(tmp_path / "model").picture_size == 16
