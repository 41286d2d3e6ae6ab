"""One step decoded on demand, by the model's own decoder or a small one, in the real window."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from sculptor_app.core.errors import Cancelled
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.measures.colours import byte_picture
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session import engine as access
from sculptor_app.ui.carve.decoder_choice import find_small_decoders
from sculptor_app.ui.saving import gif_dialog
from sculptor_app.ui.saving.gif_dialog import ExportGifDialog
from tests.helpers.window import RUN_MS, Driver

GUESS, STATE = FrameKind.CURRENT_GUESS, FrameKind.NOISY_STATE


def bytes_of(image) -> np.ndarray:
    """(H, W, 3) uint8 of an RGB32 image."""
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return rows[..., 2::-1].copy()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion with a small decoder beside it that is not its own."""
    from tests.diffusion.latents.networks import tiny
    from tests.helpers.tiny_pipelines import build

    folder = tmp_path_factory.mktemp("models") / "stable-diffusion"
    build("stable_diffusion").save_pretrained(folder)
    tiny().save_pretrained(folder.parent / "taesd")
    return folder


@pytest.fixture
def carved(ready: Driver, foreign: Path) -> Driver:
    """A run of four steps in latents."""
    bench = ready.window.bench
    with ready.qtbot.waitSignal(bench.latent_views.latents.mapped, timeout=RUN_MS):
        bench.models.open(str(foreign))
    ready.run(4)
    return ready


def decode(driver: Driver) -> None:
    latents = driver.window.bench.latent_views.latents
    with driver.qtbot.waitSignal(latents.frames_ended, timeout=RUN_MS):
        driver.press(Qt.Key.Key_D, modifier=Qt.KeyboardModifier.ControlModifier)
    driver.flush()


def codec(driver: Driver) -> LatentCodec:
    return LatentCodec(driver.runner.engine.load(driver.session.trajectory.info.request.model, "cpu"))


def test_the_step_on_screen_is_decoded_and_stays_so(carved: Driver) -> None:
    session, panels = carved.session, carved.window.bench.stage.panels
    session.go_to(2)
    carved.flush()
    seen = bytes_of(panels[2].picture_view.image)
    decode(carved)
    run = session.trajectory
    own = codec(carved)
    for panel, latents in zip(panels, (run.guess(2), run.state(2) / np.float32(run.levels[2].scale)), strict=False):
        np.testing.assert_array_equal(bytes_of(panel.picture_view.image), byte_picture(own.decode(latents)))
        assert panel.note.text() == "decoded"
    np.testing.assert_array_equal(bytes_of(panels[2].picture_view.image), seen)  # of chips no decoder makes a picture
    session.go_to(3)
    carved.flush()
    assert "linear map" in panels[0].note.text()
    session.go_to(2)
    carved.flush()
    assert panels[0].note.text() == "decoded"
    carved.window.bench.presenter.refresh()
    carved.flush()
    assert panels[0].note.text() == "decoded"
    red = own.decode(run.guess(2))[0, 1, 3]
    assert f"3, 1 · R {red:+.2f}".replace("-", "−") in carved.window.bench.presenter.value_text(0, 3, 1)


def test_a_picture_that_comes_late_is_not_shown_at_another_step_or_run(carved: Driver) -> None:
    bench, latents = carved.window.bench, carved.window.bench.latent_views.latents
    carved.session.go_to(2)
    with carved.qtbot.waitSignal(latents.frames_ended, timeout=RUN_MS):
        bench.latent_views.step.decode()
        carved.session.go_to(4)
    carved.flush()
    source = bench.presenter.pictures
    assert source.has_decoded(2, GUESS)
    assert not source.has_decoded(4, GUESS)
    assert "linear map" in bench.stage.panels[0].note.text()
    carved.run(3)
    assert not source.has_decoded(2, GUESS)


def test_a_request_that_is_superseded_is_dropped(carved: Driver) -> None:
    bench, latents = carved.window.bench, carved.window.bench.latent_views.latents
    with carved.qtbot.waitSignal(latents.frames_ended, timeout=RUN_MS):
        for step in (1, 2, 3):
            carved.session.go_to(step)
            bench.latent_views.step.decode()
    source = bench.presenter.pictures
    assert [source.has_decoded(step, STATE) for step in (1, 2, 3)] == [False, False, True]


def test_runs_of_pixels_and_runs_that_go_on_are_not_decoded(ready: Driver) -> None:
    action = ready.window.bench.latent_views.step.action
    assert not action.isEnabled()
    ready.run(3)
    assert not action.isEnabled()
    assert not ready.window.bench.latent_views.decoder.menu.isEnabled()


def test_a_small_decoder_of_another_model_is_refused_and_the_own_one_comes_back(carved: Driver, foreign: Path) -> None:
    decoder = carved.window.bench.latent_views.decoder
    decoder.list_decoders()
    actions = {action.text(): action for action in decoder.menu.actions()}
    actions["taesd"].trigger()
    assert decoder.folder == foreign.parent / "taesd"
    decode(carved)
    assert "does not decode this model's latents" in carved.window.panels.messages.message
    assert decoder.folder is None
    decode(carved)
    assert carved.window.bench.stage.panels[0].note.text() == "decoded"


@pytest.fixture
def fitting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights agree with nothing: the check has its own tests."""
    monkeypatch.setattr("sculptor_app.diffusion.latents.tiny_decoder.LEAST_R2", float("-inf"))


@pytest.mark.usefixtures("fitting")
def test_a_small_decoder_gives_a_quick_look_after_the_run_and_is_remembered(
    carved: Driver, foreign: Path, open_window, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = carved.window.bench.latent_views
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(foreign.parent / "taesd"))
    views.decoder.ask_folder()
    with carved.qtbot.waitSignal(views.latents.frames_ended, timeout=RUN_MS):
        carved.run(3)
    carved.flush()
    assert carved.window.bench.stage.panels[0].note.text() == "decoded by the small decoder taesd"
    views.decoder.choose(None)
    assert not carved.window.bench.presenter.pictures.has_decoded(3, GUESS)
    views.decoder.choose(foreign.parent / "taesd")
    carved.window.close()
    again = open_window()
    again.prepare()
    models = again.window.bench.models
    with again.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        models.open(str(foreign))
    assert again.window.bench.latent_views.decoder.folder == foreign.parent / "taesd"


def test_small_decoders_are_found_inside_the_models_folder_and_beside_it(tmp_path: Path) -> None:
    model = tmp_path / "model"
    for place in (model / "taesd", tmp_path / "taesdxl"):
        place.mkdir(parents=True)
        (place / "config.json").write_text("{}")
    (tmp_path / "taesd3").mkdir()
    assert find_small_decoders(model) == (model / "taesd", tmp_path / "taesdxl")
    assert find_small_decoders(tmp_path / "elsewhere" / "none") == ()


@pytest.mark.parametrize(("word", "decoded"), [("last", [4]), ("none", [])])
def test_the_last_frame_of_a_saved_gif_is_decoded(
    carved: Driver, tmp_path: Path, word: str, decoded: list[int]
) -> None:
    bench, run = carved.window.bench, carved.session.trajectory
    bench.menus.files.save_gif()
    dialog = carved.window.findChild(ExportGifDialog)
    dialog.form.set_options(AnimationOptions(size_px=16, caption=False, decode=word))
    dialog.path.setText(str(tmp_path / "run.gif"))
    with carved.qtbot.waitSignal(dialog.saved, timeout=RUN_MS):
        dialog.save_button.click()
    with Image.open(tmp_path / "run.gif") as saved:
        frames = [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.Iterator(saved)]
    assert len(frames) == run.last
    own = codec(carved)
    for k, seen in enumerate(frames, start=1):
        want = byte_picture(own.decode(run.guess(k))).astype(int)
        step = len(seen) // len(want) if len(seen) >= len(want) else 0
        is_decoded = step > 0 and np.abs(seen[::step, ::step] - want).mean() < 12
        assert is_decoded == (k in decoded), k


def until_stopped(*arguments: object) -> Iterator[object]:
    """A job, or the decoding of frames, that goes on until it is stopped."""
    stop = next(each for each in arguments if isinstance(each, threading.Event))
    assert stop.wait(2 * RUN_MS / 1000)
    raise Cancelled
    yield


def opened_dialog(driver: Driver, path: Path) -> ExportGifDialog:
    driver.window.bench.menus.files.save_gif()
    dialog = driver.window.bench.menus.files._gif_dialog
    dialog.form.set_options(AnimationOptions(size_px=16, caption=False, decode="last"))
    dialog.path.setText(str(path))
    return dialog


def test_a_gif_is_saved_while_its_size_is_still_being_estimated(
    carved: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gif_dialog, "preview_job", lambda *_: until_stopped)
    dialog = opened_dialog(carved, tmp_path / "run.gif")
    carved.qtbot.waitUntil(lambda: dialog._task.is_busy, timeout=RUN_MS)
    with carved.qtbot.waitSignal(dialog.saved, timeout=RUN_MS):
        dialog.save_button.click()


@pytest.mark.parametrize("way", ["cancel_button", "close"])
def test_what_is_decoded_for_a_gif_that_is_given_up_is_given_up_too(
    carved: Driver, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "decode_frames", until_stopped)
    dialog, latents = opened_dialog(carved, tmp_path / "run.gif"), carved.window.bench.latent_views.latents
    dialog.save_button.click()
    assert latents.is_decoding_frames
    dialog.close() if way == "close" else dialog.cancel_button.click()
    carved.qtbot.waitUntil(lambda: not latents.is_decoding_frames, timeout=RUN_MS)
    assert not (tmp_path / "run.gif").exists()


def test_asking_for_a_gif_again_does_not_end_the_one_that_is_being_saved(
    carved: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "decode_frames", until_stopped)
    dialog = opened_dialog(carved, tmp_path / "run.gif")
    dialog.save_button.click()
    carved.window.bench.menus.files.save_gif()
    assert carved.window.bench.menus.files._gif_dialog is dialog
    assert dialog.is_saving
    assert dialog.isVisible()
    dialog.close()
