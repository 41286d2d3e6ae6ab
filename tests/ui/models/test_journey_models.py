"""Other models under the same chisel, in the real window: opened, told what they can be told, refused, put away."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from sculptor_app.core.requests.request import Lora
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models import loader
from sculptor_app.diffusion.models.verdict import Finding, Severity
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.ui.models.dialogs import RefusalDialog
from sculptor_app.ui.shell.pages import _result
from tests.helpers.loras import by_diffusers, pairs
from tests.helpers.runs import made_run
from tests.helpers.window import RUN_MS, Driver


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion."""
    from tests.helpers.tiny_pipelines import build

    folder = tmp_path_factory.mktemp("models") / "stable-diffusion"
    build("stable_diffusion").save_pretrained(folder)
    return folder


def open_model(driver: Driver, model: str | None) -> None:
    models = driver.window.bench.models
    with driver.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        models.open(model)


def field(driver: Driver, name: str):
    return next(each for each in driver.window.panels.controls.conditions if each.control.name == name)


def test_a_model_is_opened_from_the_menu_and_carves_with_a_prompt(
    ready: Driver, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = ready.window
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(foreign))
    with ready.qtbot.waitSignal(window.bench.models.opening.opened, timeout=RUN_MS):
        ready.press(Qt.Key.Key_O, modifier=Qt.KeyboardModifier.ControlModifier)
    controls = window.panels.controls
    assert controls.model_name.text() == "stable-diffusion"
    assert not controls.form.isVisible()
    assert controls.sampler.currentData() == "model"
    field(ready, "prompt").set_value("a bronze bust")
    assert controls.request().option_values["prompt"] == "a bronze bust"
    ready.run(4)
    run = ready.session.trajectory
    assert (run.is_complete, run.info.space, run.shape[0]) == (True, "latents", 4)
    assert window.bench.stage.panels[0].picture_view.image is not None
    assert window.bench.models.recent()[0] == str(foreign)


def test_what_cannot_be_run_is_said_beside_the_field(ready: Driver, foreign: Path) -> None:
    open_model(ready, str(foreign))
    prompt, more = field(ready, "prompt").focusProxy(), ready.window.panels.controls._rest.more
    three_lines = prompt.height()
    ready.click(more, more.width() // 2, more.height() // 2)
    ready.qtbot.waitUntil(lambda: field(ready, "height").isVisible() and prompt.height() == three_lines)  # it scrolls
    assert three_lines >= 3 * prompt.fontMetrics().lineSpacing()
    field(ready, "height").set_value(13)
    assert "height is 13" in ready.window.panels.controls.reason
    assert not ready.window.panels.run_panel.button.isEnabled()
    field(ready, "height").set_value(None)
    assert not ready.window.panels.controls.reason


def test_the_embedded_kind_comes_back_with_its_own_fields(ready: Driver, foreign: Path, tiny_model: Path) -> None:
    open_model(ready, str(foreign))
    open_model(ready, str(tiny_model))
    controls = ready.window.panels.controls
    assert controls.form.isVisible()
    assert controls.sampler.currentData() == "ddim"
    assert not any(each.control.name == "prompt" for each in controls.conditions)
    ready.run(3)
    assert ready.session.trajectory.info.space == "pixels"


def test_each_model_is_found_as_it_was_left(open_window, foreign: Path, tiny_model: Path) -> None:
    driver = open_window()
    driver.prepare()
    controls = driver.window.panels.controls
    driver.qtbot.waitUntil(lambda: controls._is_known, timeout=RUN_MS)
    controls.form.setCurrentIndex(controls.form.findData("vase"))
    controls.guidance.set_text("3.5")
    open_model(driver, str(foreign))
    assert (controls.sampler.currentData(), controls.guidance.text()) == ("model", "7.5")
    field(driver, "prompt").set_value("a bronze bust")
    controls.steps.set_text("9")
    controls.guidance.set_text("4")
    open_model(driver, str(tiny_model))
    assert (controls.form.currentData(), controls.guidance.text(), controls.steps.text()) == ("vase", "3.5", "50")
    open_model(driver, str(foreign))
    assert (field(driver, "prompt").value(), controls.steps.text()) == ("a bronze bust", "9")
    field(driver, "height").set_value(13)  # wrong: not remembered
    driver.window.close()
    again = open_window(model=foreign)
    again.prepare()
    again.qtbot.waitUntil(lambda: bool(again.window.panels.controls.conditions), timeout=RUN_MS)
    told = again.window.panels.controls
    assert (field(again, "prompt").value(), told.steps.text(), told.guidance.text()) == ("a bronze bust", "9", "4")
    assert field(again, "height").value() == 16


def test_loras_are_offered_where_a_model_takes_them_and_remembered_for_it(
    open_window, foreign: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(foreign)
    file = by_diffusers(pipeline, pairs(pipeline, {"unet": ("to_q",)}), foreign.parent / "bronze.safetensors")
    driver = open_window()
    driver.prepare()
    open_model(driver, str(foreign))
    loras = driver.window.panels.controls.loras
    assert loras.isVisible()
    driver.run(3)
    bare = driver.session.trajectory
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(file)], ""))
    loras.add.click()
    driver.type_into(loras.rows[0].weight.lineEdit(), "much")
    assert "“much” is no weight for the LoRA bronze.safetensors" in driver.window.panels.controls.reason
    assert not driver.window.panels.run_panel.button.isEnabled()
    driver.type_into(loras.rows[0].weight.lineEdit(), "0.7")
    driver.run(3)
    run = driver.session.trajectory
    assert run.info.conditions.endswith("LoRA bronze × 0.7")
    assert np.abs(run.state(3) - bare.state(3)).max() > 1e-4
    open_model(driver, str(tiny_model))
    assert not loras.isVisible()
    assert driver.window.panels.controls.request().loras == ()
    open_model(driver, str(foreign))
    assert driver.window.panels.controls.request().loras == (Lora(str(file), 0.7),)
    driver.window.close()
    file.unlink()
    again = open_window(model=foreign)
    again.prepare()
    again.qtbot.waitUntil(lambda: bool(again.window.panels.controls.loras.rows), timeout=RUN_MS)
    assert again.window.panels.controls.request().loras == ()  # the file is gone: said, and no reason to refuse
    assert again.window.panels.controls.loras.rows[0]._missing.isVisible()
    again.run(3)
    np.testing.assert_array_equal(again.session.trajectory.state(3), bare.state(3))


def test_a_lora_for_another_model_is_said_and_the_next_run_is_bare(ready: Driver, foreign: Path) -> None:
    open_model(ready, str(foreign))
    controls = ready.window.panels.controls
    controls.loras.add_file(foreign / "unet" / "diffusion_pytorch_model.safetensors")
    ready.set_steps(3)
    with ready.qtbot.waitSignal(ready.runner.failed, timeout=RUN_MS):
        ready.click_start()
    assert "holds no LoRA. Choose a LoRA that was made for this kind of model." in ready.window.panels.messages.message
    controls.loras.rows[0].tick.setChecked(False)
    ready.run(3)
    assert ready.session.trajectory.is_complete


def test_a_model_that_is_refused_says_why_and_the_one_before_stays(ready: Driver, tmp_path: Path) -> None:
    folder = tmp_path / "strange"
    folder.mkdir()
    (folder / "model_index.json").write_text('{"_class_name": "DDPMPipeline"}')
    (folder / "run_me.py").write_text("raise SystemExit")
    window = ready.window
    before = window.panels.controls.request()
    with ready.qtbot.waitSignal(window.bench.models.opening.failed, timeout=RUN_MS):
        window.bench.models.open(str(folder))
    assert window.panels.messages.message.endswith("Nothing is loaded now; the next run loads tiny again.")
    window.panels.messages._action.click()
    dialog = next(child for child in window.children() if isinstance(child, RefusalDialog))
    reasons, notes = dialog.reasons.toPlainText().split("No reasons, but found, too:")
    assert "names no unet" in reasons
    assert "run_me.py is a program, and is not used." in notes
    dialog.close()
    assert window.panels.controls.request() == before
    ready.run(3)
    assert ready.session.trajectory.is_complete


def test_pickles_are_converted_when_a_person_agrees(
    ready: Driver, foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.torch
    import torch

    from sculptor_app.diffusion.models import loader, sandbox
    from sculptor_app.diffusion.models.conversion import convert_files

    def run(task: list[str], **_: object) -> list[object]:
        """As the sandbox does it, in this process."""
        convert_files([Path(each) for each in task[3:]], Path(task[1]), task[2])
        return []

    monkeypatch.setattr(sandbox, "run", run)
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())  # as if it had passed before
    folder = Path(shutil.copytree(foreign, tmp_path / "pickled"))
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(safetensors.torch.load(weights.read_bytes()), weights.with_suffix(".bin"))
    weights.unlink()
    models, messages = ready.window.bench.models, ready.window.panels.messages
    with ready.qtbot.waitSignal(models.opening.failed, timeout=RUN_MS):
        models.open(str(folder))
    assert "pickles (" in messages.message
    assert "opening a pickle can run code in it. They can be read in a separate process" in messages.message
    assert messages._action.text() == "Convert and open"
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        messages._action.click()
    assert ready.window.panels.controls.model_name.text() == "pickled"
    ready.run(2)
    assert ready.session.trajectory.is_complete


def test_a_name_that_is_not_in_the_cache_is_told(
    ready: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    models = ready.window.bench.models
    with ready.qtbot.waitSignal(models.downloads.download.failed, timeout=RUN_MS):
        models.open("nobody/nothing")
    assert "nobody/nothing" in ready.window.panels.messages.message


def test_a_model_is_unloaded_and_the_next_run_loads_it_again(ready: Driver) -> None:
    with ready.qtbot.waitSignal(ready.runner.finished, timeout=RUN_MS):
        ready.window.bench.models.unload()
    assert ready.runner.engine.device is None
    ready.run(3)
    assert ready.session.trajectory.is_complete


def test_a_model_that_is_named_at_the_start_brings_its_fields(open_window, foreign: Path) -> None:
    driver = open_window(model=foreign)
    driver.prepare()
    driver.qtbot.waitUntil(lambda: bool(driver.window.panels.controls.conditions), timeout=RUN_MS)
    assert field(driver, "prompt").isVisible()


@pytest.mark.parametrize("is_named_at_the_start", [True, False])
def test_what_the_trial_says_of_its_runs_is_said_when_it_is_open(
    open_window, foreign: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, is_named_at_the_start: bool
) -> None:
    slow = Finding(translate("errors", "It is slow: a step takes more than {0:.0f} s.").format(60.0), "", Severity.NOTE)
    monkeypatch.setattr(loader, "check_in_sandbox", lambda verdict, *_: (slow,) if verdict.path == foreign else ())
    driver = open_window(model=foreign if is_named_at_the_start else tiny_model)
    driver.prepare()
    if not is_named_at_the_start:
        open_model(driver, str(foreign))
    said = "stable-diffusion is open. It is slow: a step takes more than 60 s."
    driver.qtbot.waitUntil(lambda: driver.window.panels.messages.message == said, timeout=RUN_MS)


def test_settings_whose_model_cannot_be_opened_are_forgotten(ready: Driver, tiny_model: Path, tmp_path: Path) -> None:
    window, models, first = ready.window, ready.window.bench.models, tmp_path / "first"
    shutil.copytree(tiny_model, first)
    open_model(ready, str(first))
    ready.run(4)
    ready.set_steps(9)
    open_model(ready, str(tiny_model))
    first.rename(tmp_path / "away")
    with ready.qtbot.waitSignal(models.opening.failed, timeout=RUN_MS):
        window.panels.run_panel.take_over.click()
    (tmp_path / "away").rename(first)
    open_model(ready, str(first))  # a person's own wish, later
    assert window.panels.controls.request().steps == 9


def test_latents_are_seen_through_their_map_and_decoded_on_request(ready: Driver, foreign: Path) -> None:
    window = ready.window
    latents = window.bench.latent_views.latents
    with ready.qtbot.waitSignal(latents.mapped, timeout=RUN_MS):
        open_model(ready, str(foreign))
    ready.run(4)
    run = ready.session.trajectory
    assert run.info.latent_map is not None
    assert _result(window.panels.session) is None  # latents are no picture
    assert "R²" in window.bench.stage.panels[0].note.text()
    ready.session.go_to(2)
    action = window.bench.latent_views.action
    with ready.qtbot.waitSignal(latents.ended, timeout=RUN_MS):
        action.trigger()
    ready.flush()
    decoded = ready.session.trajectory
    assert (decoded.info.space, decoded.shape[0], decoded.last) == ("pixels (decoded)", 3, 4)
    assert action.isChecked()
    assert not ready.session.is_running
    picture, name = _result(window.panels.session)
    np.testing.assert_array_equal(picture, decoded.state(4).clip(-1, 1))
    assert name.startswith("carved")
    ready.session.go_to(3)
    action.trigger()
    assert ready.session.trajectory is run
    assert (ready.session.position, ready.session.last) == (3, 4)


def test_a_run_that_comes_before_the_map_is_dressed_when_it_is_found(ready: Driver, foreign: Path) -> None:
    latents = ready.window.bench.latent_views.latents
    open_model(ready, str(foreign))
    with ready.qtbot.waitSignal(latents.mapped, timeout=RUN_MS):
        ready.run(3)  # ends the fitting, which begins again afterwards
    assert ready.session.trajectory.info.latent_map is not None


def open_file(driver: Driver, path: Path) -> str:
    """Open a file as from the File menu; returns the message about it."""
    bench = driver.window.bench
    bench.saved_runs.open(path)
    driver.qtbot.waitUntil(lambda: not bench.saved_runs.is_busy and not bench.models.opening.is_busy, timeout=RUN_MS)
    driver.qtbot.waitUntil(lambda: bool(driver.window.panels.messages.message), timeout=RUN_MS)
    return driver.window.panels.messages.message


def parameters(path: Path, text: str) -> Path:
    told = PngInfo()
    told.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=told)
    return path


def test_settings_of_a_picture_find_their_model_among_the_recent_ones(
    ready: Driver, foreign: Path, tmp_path: Path
) -> None:
    open_model(ready, str(foreign))
    field(ready, "prompt").set_value("a bronze bust")
    ready.window.panels.controls.seed.setText("12")
    ready.run(3)
    FORMATS["png"].write(tmp_path / "x.png", Export(ready.session.trajectory, AnimationOptions(decode="none"), 3))
    field(ready, "prompt").set_value("something else")
    open_model(ready, None)
    said = open_file(ready, tmp_path / "x.png")
    controls = ready.window.panels.controls
    assert said == "The settings of x.png are in the fields."
    assert controls.model == str(foreign)
    assert (controls.seed.text(), field(ready, "prompt").value()) == ("12", "a bronze bust")


def test_settings_of_a_model_that_nobody_knows_say_so(ready: Driver, foreign: Path, tmp_path: Path) -> None:
    run = made_run()
    run.info = replace(run.info, request=replace(run.info.request, model="/gone/lions", seed=3), model_name="lions")
    FORMATS["png"].write(tmp_path / "x.png", Export(run, AnimationOptions(), 1))
    said = open_file(ready, tmp_path / "x.png")
    assert said.startswith("x.png was made by the model lions, which was not open lately. Open that model")
    assert ready.window.panels.controls.seed.text() == "7"


def test_settings_of_another_program_are_taken_as_far_as_they_go(ready: Driver, foreign: Path, tmp_path: Path) -> None:
    text = "a lion, <lora:old:1>\nSteps: 5, Sampler: Euler a, CFG scale: 6, Seed: 44, Size: 64x32, Model: lions"
    path = parameters(tmp_path / "web.png", text)
    said = open_file(ready, path)
    assert said == (
        "The settings of web.png are in the fields. Without: the model lions, the LoRA old, prompt, size. "
        "Stable Diffusion web UI draws its noise otherwise: expect a picture of the kind."
    )
    controls = ready.window.panels.controls
    assert (controls.seed.text(), controls.steps.text(), controls.sampler.currentData()) == ("44", "5", "euler-a")
    open_model(ready, str(foreign))
    said = open_file(ready, path)
    assert "Without: the model lions, the LoRA old." in said
    assert [field(ready, name).value() for name in ("prompt", "width", "height")] == ["a lion,", 64, 32]
    assert controls.guidance.text() == "6.0"
