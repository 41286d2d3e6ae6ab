"""The model that training leaves behind: whole or not there, with its facts; window and command line can use it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sculptor_app.cli import main
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.training.errors import BadInput, NotWritten
from sculptor_app.training.loop.checkpoint import export_checkpoint, write_model
from sculptor_app.training.network import new_pipeline
from tests.helpers.window import Driver
from tests.training.tiny import no_file_larger_than, tiny_pipeline, tiny_run
from tests.ui.conftest import only_living_widgets, open_window, settings  # noqa: F401  # fixtures

pytestmark = pytest.mark.usefixtures("no_trials")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_checkpoint_becomes_a_model_with_the_averaged_weights_and_its_story(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.go(until=32)
    export_checkpoint(run.checkpoint_path, tmp_path / "deep" / "model")
    opened = load_sculptor(tmp_path / "deep" / "model")
    assert torch.equal(opened.unet.conv_in.weight, run.trainer.average.unet.conv_in.weight.half().float())
    assert torch.equal(
        opened.label_embedding.form.weight, run.trainer.average.label_embedding.form.weight.half().float()
    )
    assert (opened.config.form_names, opened.config.material_names) == (["a", "b"], ["x", "y", "z"])
    assert opened.scheduler.config.prediction_type == "v_prediction"
    story = json.loads((tmp_path / "deep" / "model" / "training.json").read_text())
    assert (story["render_seeds"], story["pictures"], story["pictures_seen"]) == ([], 5, 32)
    assert (story["command"], story["machine"]) == ("the command", "the machine")
    assert (story["recipe"]["batch"], story["recipe"]["processes"]) == (4, 1)
    assert len(story["loss_by_log_snr"]) == len(story["edges"]) + 1
    assert story["loss_by_log_snr"] == run.loss_by_log_snr


def test_what_is_exported_is_what_the_finished_run_would_write(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.go(until=16)
    export_checkpoint(run.checkpoint_path, tmp_path / "exported")
    write_model(run.trainer.averaged_pipeline(), tmp_path / "written", {})
    exported, written = content(tmp_path / "exported"), content(tmp_path / "written")
    assert exported.keys() == written.keys()
    assert {name for name in exported if exported[name] != written[name]} == {"training.json"}


def test_an_existing_model_is_replaced_and_nothing_is_left_beside(tmp_path: Path):
    write_model(tiny_pipeline(), tmp_path / "model", {"first": 1})
    (tmp_path / "model" / "notes.txt").write_text("mine")
    write_model(tiny_pipeline(), tmp_path / "model", {"second": 2})
    assert json.loads((tmp_path / "model" / "training.json").read_text()) == {"second": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_link_to_a_folder_is_followed(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "model").symlink_to(tmp_path / "real")
    write_model(tiny_pipeline(), tmp_path / "model", {})
    assert (tmp_path / "model").is_symlink()
    assert (tmp_path / "real" / "training.json").is_file()


@pytest.mark.parametrize("there", [True, False])
def test_a_disk_that_fills_up_leaves_the_model_before(tmp_path: Path, there: bool):
    if there:
        write_model(tiny_pipeline(), tmp_path / "model", {"first": 1})
    before = content(tmp_path)
    with no_file_larger_than(100_000), pytest.raises(NotWritten) as caught:
        write_model(tiny_pipeline(), tmp_path / "model", {"second": 2})
    assert str(tmp_path / "model") in str(caught.value)
    assert "File too large" in str(caught.value)
    assert ("What was there before is whole." in str(caught.value)) is there
    assert content(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == there


def test_a_rename_that_fails_brings_the_old_model_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_model(tiny_pipeline(), tmp_path / "model", {"first": 1})
    before = content(tmp_path)
    real = Path.rename

    def fail(path: Path, to: Path) -> Path:
        if path.name == ".model.partial":
            raise OSError(5, "Input/output error")
        return real(path, to)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(NotWritten, match="Input/output error"):
        write_model(tiny_pipeline(), tmp_path / "model", {"second": 2})
    assert content(tmp_path) == before


def test_leftovers_of_a_killed_process_are_no_obstacle(tmp_path: Path):
    for name in (".model.partial", ".model.before"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").write_text("old")
    write_model(tiny_pipeline(), tmp_path / "model", {})
    write_model(tiny_pipeline(), tmp_path / "model", {})
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert not (tmp_path / "model" / "old").exists()


def test_a_model_that_a_killed_process_had_put_aside_is_not_lost(tmp_path: Path):
    write_model(tiny_pipeline(), tmp_path / "model", {"first": 1})
    (tmp_path / "model").rename(tmp_path / ".model.before")
    with no_file_larger_than(100_000), pytest.raises(NotWritten):
        write_model(tiny_pipeline(), tmp_path / "model", {})
    assert json.loads((tmp_path / "model" / "training.json").read_text()) == {"first": 1}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_model_is_never_replaced(tmp_path: Path, kind: str):
    place = tmp_path / "mine"
    if kind == "file":
        place.write_text("letters")
    else:
        place.mkdir()
        (place / "letters.txt").write_text("letters")
    before = content(tmp_path)
    with pytest.raises(BadInput, match=r"mine is there already and is no model\. Choose another name"):
        write_model(tiny_pipeline(), place, {})
    assert content(tmp_path) == before


def test_a_run_that_has_not_begun_cannot_be_exported(tmp_path: Path):
    with pytest.raises(BadInput, match=r"no checkpoint "):
        export_checkpoint(tmp_path / "checkpoint.pt", tmp_path / "model")


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    new_pipeline((), (), size=16, channels=(32,)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_model_without_labels_runs(open_window: Callable[..., Driver], unlabelled: Path):  # noqa: F811
    driver = open_window(model=unlabelled)
    driver.prepare()
    driver.window.panels.controls.form.setCurrentIndex(0)
    driver.window.panels.controls.material.setCurrentIndex(0)
    driver.run(3)
    assert driver.ends == ["finished"]
    assert driver.session.trajectory.is_complete
    assert driver.session.trajectory.shape == (3, 16, 16)


def test_a_model_without_labels_refuses_a_form(unlabelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["sculpt", "--model", str(unlabelled), "--device", "cpu", "--steps", "2", "--out", str(tmp_path / "x.gif")]
    assert main([*words, "--form", "bust"]) == 2
    assert capsys.readouterr().err == "This model knows no forms; leave the form to the model.\n"
    assert main([*words, "--material", "bronze"]) == 2
    assert capsys.readouterr().err == "This model knows no materials; leave the material to the model.\n"
    assert main(words) == 0
