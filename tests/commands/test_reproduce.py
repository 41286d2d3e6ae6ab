"""`reproduce`: the same run again, compared bit for bit, and where the two part."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sculptor_app.cli import main
from sculptor_app.core.pictures.start import Start, start_of
from sculptor_app.core.requests.request import Lora, RunRequest
from sculptor_app.core.trajectory.base import Fork, RunInfo
from sculptor_app.core.trajectory.comparison import Comparison, changed_since, why_not_repeatable, with_model
from sculptor_app.core.trajectory.file import SavedTrajectory, open_run
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.fork import make_again
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.saved_run import write_sculpt
from tests.helpers.runs import made_run

pytestmark = pytest.mark.usefixtures("no_trials")


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()  # what was said of the run before
    code = main(list(map(str, arguments)))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def save(tiny_model: Path, tmp_path: Path) -> Any:
    def made(*arguments: object, model: Path = tiny_model) -> Path:
        path = tmp_path / "made.sculpt"
        words = [
            "sculpt",
            "--model",
            model,
            "--device",
            "cpu",
            "--steps",
            4,
            "--form",
            "bust",
            "--save",
            path,
            *arguments,
        ]
        assert main(list(map(str, words))) == 0
        return path

    return made


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_the_same_run_comes_out_bit_for_bit(
    save: Any, sampler: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save("--sampler", sampler, "--seed", 11, "--guidance", 3)
    code, out, _ = said(capsys, "reproduce", path, "--model", tiny_model)
    assert (code, out.strip()) == (0, "The same, bit for bit: 5 states.")
    told = json.loads(said(capsys, "reproduce", path, "--model", tiny_model, "--json")[1])
    assert told == {"states": 5, "same": True, "parted": None, "difference": 0.0, "last_difference": 0.0, "changed": [],
                    "compact": False}  # fmt: skip


@pytest.mark.parametrize("compact", [(), ("--compact",)])
@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_a_run_from_a_picture_comes_out_bit_for_bit(
    sampler: str, compact: tuple[str, ...], tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, path = tmp_path / "me.png", tmp_path / "made.sculpt"
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 30, 3), np.uint8)).save(picture)
    words = ["resculpt", picture, "--model", tiny_model, "--device", "cpu", "--steps", 6, "--from-level", 0.5,
             "--seed", 4, "--sampler", sampler, "--save", path, *compact]  # fmt: skip
    assert said(capsys, *words)[0] == 0
    picture.unlink()
    code, out, _ = said(capsys, "reproduce", path, "--model", tiny_model)
    rounded = ", as rounded as the file is" if compact else ""
    assert (code, out.strip()) == (0, f"The same, bit for bit{rounded}: 4 states.")
    assert "the picture that it began with: " in said(capsys, "info", path)[1]


def test_a_private_file_holds_neither_the_picture_nor_the_noise(tiny_model: Path, tmp_path: Path) -> None:
    run = made_run(steps=2, start_picture=np.full((3, 16, 16), 0.25, np.float32), start_noise=made_run().state(0))
    run.info = replace(run.info, origin="me.png")
    for disclosure, held in ((Disclosure.NAMES, True), (Disclosure.PRIVATE, False)):
        write_sculpt(tmp_path / "x.sculpt", run, disclosure=disclosure)
        saved = open_run(tmp_path / "x.sculpt")
        assert [saved.start_picture() is not None, saved.start_noise() is not None] == [held, held]
        assert bool(why_not_repeatable(saved)) != held


def test_a_run_from_a_noise_that_was_given_comes_out_bit_for_bit(tiny_model: Path, tmp_path: Path) -> None:
    engine, stop = Engine(), threading.Event()
    size = engine.load(str(tiny_model), "cpu").picture_size
    noise = np.random.default_rng(5).standard_normal((3, size, size)).astype(np.float32)
    request = RunRequest("bust", None, 3, 4, "ddpm", 2.0, "cpu", str(tiny_model))
    *_, made = sample(engine, request, stop, start=Start(noise=noise, origin="the noise found for me"))
    run = made.trajectory
    write_sculpt(tmp_path / "x.sculpt", run)
    saved = open_run(tmp_path / "x.sculpt")
    assert not why_not_repeatable(saved)
    told = with_model(saved.info, str(tiny_model), "cpu")
    *_, last = make_again(engine, told, stop, start_of(saved))
    for k in range(5):
        np.testing.assert_array_equal(last.trajectory.state(k), run.state(k))


def test_a_compact_run_is_compared_as_it_is_rounded(
    save: Any, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "reproduce", save("--compact"), "--model", tiny_model)
    assert (code, out.strip()) == (0, "The same, bit for bit, as rounded as the file is: 5 states.")


def test_another_model_parts_at_the_first_step_and_its_weights_are_named(
    save: Any, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sculptor_app.diffusion.models.builder import load_sculptor

    other = load_sculptor(tiny_model)
    for parameter in other.unet.parameters():
        parameter.data.mul_(1.01)
    other.save_pretrained(tmp_path / "other")
    code, out, _ = said(capsys, "reproduce", save(), "--model", tmp_path / "other")
    assert code == 4
    assert out.startswith("They part at step 1: there the largest difference is ")
    assert "Not as it was then: the model's weights." in out


def test_a_run_that_was_stopped_is_compared_as_far_as_it_came(
    save: Any, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(save())
    short = made_run(steps=4, taken=2, size=run.shape[1])
    short.info = run.info
    write_sculpt(tmp_path / "short.sculpt", short)
    code, out, _ = said(capsys, "reproduce", tmp_path / "short.sculpt", "--model", tiny_model)
    assert code == 4
    assert "They part at the noise itself" in out
    assert "the last of 3 states" in out


def test_without_the_model_it_says_what_is_missing(save: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "reproduce", save())  # a file tells no folders
    assert code == 3
    assert "tiny" in err or "model" in err


INFO = made_run(steps=2).info


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (INFO, ""),
        (replace(INFO, origin="bust.jpg, drowned"), "began with bust.jpg, drowned"),
        (replace(INFO, origin="bust.jpg", model_name=""), "a picture drowned in noise"),
        (replace(INFO, has_seed=False), "which seed"),
        (replace(INFO, forks=(Fork(1, INFO.request),)), ""),
    ],
)
def test_what_cannot_be_made_again(info: RunInfo, reason: str) -> None:
    run = made_run(steps=2)
    run.info = info
    assert reason in why_not_repeatable(run)
    assert bool(reason) == bool(why_not_repeatable(run))


def test_runs_that_cannot_be_made_again_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_run(steps=2)
    run.info = replace(run.info, origin="me.png")
    write_sculpt(tmp_path / "x.sculpt", run)
    code, out, err = said(capsys, "reproduce", tmp_path / "x.sculpt")
    assert (code, out) == (2, "")
    assert "Choose a run whose file has what it began with." in err
    assert said(capsys, "reproduce", tmp_path / "none.sculpt")[0] == 2


def saved_run(path: Path, compact: bool = False) -> SavedTrajectory:
    write_sculpt(path, made_run(steps=3), compact)
    return open_run(path)


def test_the_first_state_that_differs_is_where_they_part(tmp_path: Path) -> None:
    saved, other = saved_run(tmp_path / "x.sculpt"), made_run(steps=3, fresh_noise=True)
    found = Comparison(0)
    for _ in range(4):
        found = found.with_state(saved, other)
    wanted = [float(np.abs(saved.state(k) - other.state(k)).max()) for k in range(4)]
    assert wanted[0] == 0
    first = next(k for k in range(4) if wanted[k])
    assert found == Comparison(4, first, wanted[first], wanted[-1])


def test_nan_is_the_same_as_nan_and_nothing_else(tmp_path: Path) -> None:
    from sculptor_app.core.trajectory.comparison import _difference

    one = np.array([1.0, np.nan, np.inf, -np.inf], np.float32)
    assert _difference(one, one.copy()) == 0
    assert _difference(one, np.array([1.0, 2.0, np.inf, -np.inf], np.float32)) == np.inf
    assert _difference(one, np.array([1.5, np.nan, np.inf, -np.inf], np.float32)) == 0.5
    assert _difference(one, one[:3]) == np.inf


def test_what_changed_since_is_named() -> None:
    now = replace(INFO, weights_hash="ab", libraries={"torch": "9"}, device_name="GPU")
    before = replace(INFO, libraries={"torch": "8", "diffusers": "1"})
    assert changed_since(before, now) == [
        "the model's weights", "diffusers 1 → —", "torch 8 → 9", "CPU, 1 thread → GPU",
    ]  # fmt: skip
    assert changed_since(now, now) == []


def test_a_run_with_loras_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_run(steps=2)
    request = replace(run.info.request, model="m", loras=(Lora("a.safetensors", 1.0, "ab" * 32),))
    run.info = replace(run.info, request=request)
    write_sculpt(tmp_path / "x.sculpt", run)
    code, _, err = said(capsys, "reproduce", tmp_path / "x.sculpt")
    assert code == 2
    assert "has LoRAs" in err
