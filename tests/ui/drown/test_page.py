"""A picture drowns on a page of the real window, on a session of its own, and carving goes on undisturbed."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog, QStyle, QStyleOptionComboBox

from sculptor_app.core.files import TEMPORARY
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.drown.page import DrownPage
from sculptor_app.ui.widgets.picture_source import png_of
from tests.helpers.window import RUN_MS, Driver


def enter(driver: Driver) -> DrownPage:
    """Go to the page as a person does, and wait for its first picture."""
    driver.window.activateWindow()  # keys go to the window in front, and another may just have been closed
    driver.qtbot.waitUntil(driver.window.isActiveWindow)
    driver.press(Qt.Key.Key_2, modifier=Qt.KeyboardModifier.ControlModifier)
    page = driver.window.bench.pages.page
    driver.qtbot.waitUntil(lambda: page.forward_result is not None and page.plots.band_plot is not None, timeout=RUN_MS)
    page.presenter.clock.flush()
    return page


def wait_for_another(driver: Driver, page: DrownPage, cause: Callable[[], object]) -> None:
    """Do something and wait for the picture that comes of it."""
    before = page.forward_result
    cause()
    driver.qtbot.waitUntil(lambda: page.forward_result is not before and not page._forward.is_busy, timeout=RUN_MS)
    page.presenter.clock.flush()


def save_picture(path: Path, width: int = 40, height: int = 30) -> Path:
    rows = np.linspace(0, 255, height, dtype=np.uint8)[:, None, None]
    Image.fromarray(np.broadcast_to(rows, (height, width, 3)).copy()).save(path)
    return path


def test_the_page_begins_with_a_sculpture_and_drowns_it_at_a_keypress(driver: Driver) -> None:
    page = enter(driver)
    session = page.session
    assert (session.position, session.state, session.last) == (0, 50, 50)
    assert page.stage.panels[0].picture_view.image is not None
    assert page.timeline._marks[0][0] == "layout"
    assert page.timeline._marks[-1][1] < page.timeline._marks[0][1]  # fine detail drowns first
    assert page.timeline.describe(0).startswith("Layer 0: the picture")
    assert "press Play, or drag to the right" in page.stage.remark.text()
    assert page.transport.speed_box.suffix() == " layers/s"
    session.set_speed(60)
    driver.press(Qt.Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
    assert session.direction == 1
    driver.qtbot.waitUntil(lambda: session.state == 0, timeout=RUN_MS)
    page.presenter.clock.flush()
    assert "Less than 0.1 % picture, more than 99.9 % noise" in page.stage.remark.text()
    assert page.stage.panels[1].picture_view.image is not None  # the picture is known at pure noise, too


def test_each_page_has_a_scrubber_of_its_own(ready: Driver) -> None:
    ready.run(12)
    ready.session.go_to(5)
    page = enter(ready)
    ready.press(Qt.Key.Key_Right)
    ready.press(Qt.Key.Key_Right)
    assert (ready.session.position, page.session.position) == (5, 2)
    ready.press(Qt.Key.Key_1, modifier=Qt.KeyboardModifier.ControlModifier)
    ready.press(Qt.Key.Key_Right)
    assert (ready.session.position, page.session.position) == (6, 2)


def test_carving_goes_on_behind_the_page(ready: Driver) -> None:
    ready.start_long_run(until=2)
    enter(ready)
    ready.wait_for_step(6)
    ready.window.panels.tabs.setCurrentIndex(0)
    ready.click_stop()
    ready.wait_for_end()
    assert ready.session.last >= 6


def test_the_panels_of_carving_step_aside_and_come_back(driver: Driver) -> None:
    window = driver.window
    window.panels.dock_layout.docks["plots"].hide()
    enter(driver)
    assert not any(dock.isVisible() for dock in window.panels.dock_layout.docks.values())
    assert window.statusBar().isVisible()
    assert not window.panels.memory_line.isVisible()  # of the run on the page Carve
    assert not window.bench.menus.actions["move_panels"].isEnabled()
    driver.press(Qt.Key.Key_1, modifier=Qt.KeyboardModifier.ControlModifier)
    assert window.panels.dock_layout.docks["block"].isVisible()
    assert not window.panels.dock_layout.docks["plots"].isVisible()
    assert window.statusBar().isVisible()
    assert window.panels.memory_line.isVisible()


def test_a_window_that_is_closed_on_the_page_remembers_the_panels_of_carving(open_window) -> None:
    first = open_window()
    first.window.panels.dock_layout.docks["plots"].hide()
    page = enter(first)
    page.controls.steps.set_text("20")
    first.window.close()
    again = open_window()
    assert again.window.panels.dock_layout.docks["block"].isVisible()
    assert not again.window.panels.dock_layout.docks["plots"].isVisible()
    assert enter(again).session.last == 20


def test_the_result_of_a_run_drowns_as_it_is(ready: Driver) -> None:
    ready.run(8)
    page = enter(ready)
    result = ready.session.trajectory.state(8)
    np.testing.assert_allclose(page.forward_result.trajectory.state(50), result.clip(-1, 1), atol=1e-6)
    assert page.forward_result.name.startswith("carved: ")


def test_a_run_that_ends_behind_the_page_can_be_taken_and_twice_is_once(ready: Driver) -> None:
    ready.start_long_run(steps=40, until=1)
    page = enter(ready)
    button, render = page.controls.result_button, page.forward_result.source
    ready.qtbot.waitUntil(lambda: not ready.runner.is_running and button.isEnabled(), timeout=RUN_MS)
    wait_for_another(ready, page, button.click)
    wait_for_another(ready, page, button.click)
    assert page.forward_result.name.startswith("carved: ")
    wait_for_another(ready, page, page.controls.before_button.click)
    assert page.forward_result.source == render


def test_the_page_in_front_follows_the_model(ready: Driver, tiny_model: Path, tmp_path: Path) -> None:
    page = enter(ready)
    ready.qtbot.waitUntil(lambda: page._for_model is not None, timeout=RUN_MS)
    picture, other = page.forward_result.name, tmp_path / "other"
    shutil.copytree(tiny_model, other)
    ready.window.bench.models.open(str(other))
    ready.qtbot.waitUntil(lambda: page._for_model.model == str(other), timeout=RUN_MS)
    assert page.forward_result.name == picture


def test_a_file_is_opened_through_the_menu_of_the_page_and_by_dropping_it(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = enter(driver)
    path = save_picture(tmp_path / "field.png")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    click = lambda: QTest.mouseClick(page.controls.open_button, Qt.MouseButton.LeftButton)  # noqa: E731
    wait_for_another(driver, page, click)
    assert (page.forward_result.name, page.forward_result.picture.shape) == ("field.png", (3, 30, 40))
    assert page.controls.about.text().startswith("40×30 px")
    other = save_picture(tmp_path / "other.png", 32, 32)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(other))])
    copied, left, no_key = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    coming = QDragEnterEvent(QPoint(5, 5), copied, data, left, no_key)
    QApplication.sendEvent(page, coming)
    assert coming.isAccepted()
    drop = QDropEvent(QPointF(5, 5), copied, data, left, no_key)
    wait_for_another(driver, page, lambda: QApplication.sendEvent(page, drop))
    assert page.forward_result.name == "other.png"


def broken(path: Path) -> Path:
    path.write_bytes(b"this is no picture")
    return path


def cut_off(path: Path) -> Path:
    whole = save_picture(path.with_suffix(".whole.png"), 200, 200).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def one_pixel(path: Path) -> Path:
    return save_picture(path, 1, 1)


def postscript(path: Path) -> Path:
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n")
    return path


@pytest.mark.parametrize("make", [broken, cut_off, one_pixel, postscript, Path])
def test_what_cannot_be_opened_is_said_in_a_sentence_and_the_picture_stays(
    driver: Driver, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    page = enter(driver)
    before = page.forward_result
    page.open_path(make(tmp_path / "odd.png"))
    driver.qtbot.waitUntil(lambda: bool(driver.window.panels.messages.message), timeout=RUN_MS)
    assert "odd.png" in driver.window.panels.messages.message
    assert page.forward_result is before
    wait_for_another(driver, page, lambda: page.controls.steps.set_text("9"))  # the one before it, drowned anew
    assert page.forward_result.name == before.name


def test_an_inversion_that_fails_does_not_bring_back_the_picture_before(driver: Driver, tmp_path: Path) -> None:
    page = enter(driver)
    path = save_picture(tmp_path / "new.png")

    def open_while_it_fails() -> None:
        page.open_path(path)
        page._reverse_runs.failed.emit(RuntimeError("no memory"))
        assert "noise could not be found" in driver.window.panels.messages.message

    wait_for_another(driver, page, open_while_it_fails)
    assert page.forward_result.name == "new.png"
    wait_for_another(driver, page, page._run_again)  # as after an edit
    assert page.forward_result.name == "new.png"


def test_what_is_on_the_clipboard_is_pasted_and_read_like_a_file(driver: Driver, tmp_path: Path) -> None:
    page, clipboard = enter(driver), QApplication.clipboard()
    script, image = QMimeData(), QImage(40, 30, QImage.Format.Format_RGB32)
    image.fill(QColor(200, 120, 40))
    keys = {"modifier": Qt.KeyboardModifier.ControlModifier}
    page.stage.setFocus()
    clipboard.setImage(image)
    wait_for_another(driver, page, lambda: driver.press(Qt.Key.Key_V, **keys))
    assert (page.forward_result.name, page.forward_result.picture.shape) == ("clipboard 1.png", (3, 30, 40))
    script.setUrls([QUrl.fromLocalFile(str(save_picture(tmp_path / "x.png")))])
    clipboard.setMimeData(script)
    wait_for_another(driver, page, lambda: driver.press(Qt.Key.Key_V, **keys))
    assert page.forward_result.name == "x.png"
    assert page._pasted.name.startswith(TEMPORARY)  # those of a window that was killed are swept
    for kind, content, words in (("image/png", b"%!PS\n{} loop", "PostScript"), ("text/plain", b"x", "no picture on")):
        mime = QMimeData()
        mime.setData(kind, content)
        clipboard.setMimeData(mime)
        driver.press(Qt.Key.Key_V, **keys)
        driver.qtbot.waitUntil(lambda words=words: words in driver.window.panels.messages.message, timeout=RUN_MS)
    assert page.forward_result.name == "x.png"
    clipboard.clear()
    driver.window.close()
    assert not page._pasted.exists()


@pytest.mark.parametrize("door", ["image", "png", "on screen"])
def test_a_picture_that_has_no_room_among_temporary_files_is_said_and_leaves_nothing(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    page, clipboard, real = enter(driver), QApplication.clipboard(), Path.write_bytes
    image, mime = QImage(40, 30, QImage.Format.Format_RGB32), QMimeData()
    image.fill(QColor(200, 120, 40))

    def write_half(path: Path, content: bytes) -> int:
        real(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    if door == "on screen":
        page.open_image(image, "noisy")
    else:
        mime.setData("image/png", png_of(image)) if door == "png" else mime.setImageData(image)
        clipboard.setMimeData(mime)
        page.paste()
    message = driver.window.panels.messages.message
    clipboard.clear()
    assert message.startswith(f"There is no room for the picture in the temporary folder {page._pasted.parent}.")
    assert not list(page._pasted.glob("*.png"))
    monkeypatch.undo()
    wait_for_another(driver, page, lambda: page.open_image(image, "noisy"))


def test_greys_that_were_scaled_are_said_beside_the_picture(driver: Driver, tmp_path: Path) -> None:
    page = enter(driver)
    Image.fromarray(np.tile(np.arange(0, 4096, 64, np.uint16), (32, 1))).save(tmp_path / "scan.tif")
    wait_for_another(driver, page, lambda: page.open_path(tmp_path / "scan.tif"))
    note = "its greys are scaled to their own range: 0 is black, 4095 is white"
    assert page.status_text == f"scan.tif · 64×32 px · {note}"
    assert page.controls.about.text() == page.controls.about.shown_text == "64×32 px"
    assert note in page.controls.about.toolTip()


def test_other_layers_drown_the_same_picture_anew_where_it_was_looked_at(driver: Driver) -> None:
    page = enter(driver)
    page.session.go_to(25)
    wait_for_another(driver, page, lambda: page.controls.steps.set_text("10"))
    assert (page.session.last, page.session.position) == (10, 5)
    before = page.forward_result.trajectory.state(5)
    wait_for_another(driver, page, lambda: page.controls.layers.setCurrentIndex(1))
    assert page.forward_result.trajectory.fresh
    assert not np.array_equal(page.forward_result.trajectory.state(5), before)
    page.controls.steps.set_text("0")
    assert "0 steps" in page.controls.problem.text()
    assert page.controls.options() is None


def test_frames_stay_where_they_are_when_pages_change_and_a_picture_has_its_name(ready: Driver, tmp_path: Path) -> None:
    ready.run(2)
    stage = ready.window.bench.stage
    page = enter(ready)
    for size in ((1440, 900), (1280, 720), (1024, 700)):
        ready.window.resize(*size)
        ready.window.bench.pages.show("carve")
        QApplication.processEvents()
        left = stage.mapTo(ready.window, QPoint()).x()
        enter(ready)
        QApplication.processEvents()
        assert page.stage.mapTo(ready.window, QPoint()).x() - left <= 1, size  # a dock takes a pixel
    wait_for_another(ready, page, lambda: page.open_path(save_picture(tmp_path / "my house.jpg", 512, 336)))
    QApplication.processEvents()
    assert page.controls.name.shown_text == "my house.jpg"
    assert page.controls.about.shown_text == "512×336 px"
    page.controls.set_picture("my house.jpg", "512×336 px", ("shrunk from 4000×2625 px", "its greys were scaled"))
    QApplication.processEvents()
    assert page.controls.name.shown_text == "my house.jpg"
    assert page.controls.about.shown_text == "512×336 px"
    assert page.controls.about.toolTip().endswith(
        "my house.jpg · 512×336 px · shrunk from 4000×2625 px · its greys were scaled"
    )


def test_files_are_saved_of_what_is_in_front(driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = enter(driver)
    page.session.go_to(20)
    page.presenter.clock.flush()
    numbers, picture = tmp_path / "x.csv", tmp_path / "x.png"
    monkeypatch.setattr(QInputDialog, "getItem", lambda *args: (args[3][args[4]], True))
    for path, deed in ((numbers, "save_numbers"), (picture, "save_picture")):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, path=path, **options: (str(path), ""))
        driver.window.bench.menus.actions[deed].trigger()
        driver.qtbot.waitUntil(lambda: not driver.window.bench.menus.files.writer.is_busy, timeout=RUN_MS)
    assert len(numbers.read_text().splitlines()) >= 52
    with Image.open(picture) as image:
        assert max(image.size) == 512


def test_picture_and_static_are_made_into_images_once(driver: Driver) -> None:
    page = enter(driver)
    pictures = page.presenter.pictures
    for kind in (FrameKind.CURRENT_GUESS, FrameKind.PREDICTED_NOISE):
        assert pictures.shown(3, kind) is pictures.shown(30, kind)
    assert pictures.shown(3, FrameKind.NOISY_STATE) is not pictures.shown(30, FrameKind.NOISY_STATE)


def test_the_window_closes_while_a_picture_is_on_its_way(driver: Driver, tmp_path: Path) -> None:
    page = enter(driver)
    page.open_path(save_picture(tmp_path / "large.png", 3000, 2000))
    driver.window.close()
    assert not page._forward.is_busy


def test_the_picture_is_shown_at_the_models_size_before_it_is_carved_and_the_one_before_is_kept(
    driver: Driver, tmp_path: Path
) -> None:
    page = enter(driver)
    controls, render = page.controls, page.forward_result.source
    driver.qtbot.waitUntil(lambda: controls.model_view.image is not None, timeout=RUN_MS)
    assert controls.model_view.image.width() == 16  # the tiny model's
    assert controls.model_note.text() == "The model gets it like this: 16 × 16 px."
    assert not controls.before_button.isEnabled()
    wait_for_another(driver, page, lambda: page.open_path(save_picture(tmp_path / "wide.png", 40, 20)))
    driver.qtbot.waitUntil(lambda: "gets its middle" in controls.model_note.text(), timeout=RUN_MS)
    wait_for_another(driver, page, controls.before_button.click)
    assert page.forward_result.source == render
    wait_for_another(driver, page, controls.before_button.click)
    assert page.forward_result.name == "wide.png"


def test_the_model_carves_the_picture_out_again_from_the_level_shown(ready: Driver) -> None:
    page = enter(ready)
    wait_for_another(ready, page, lambda: page.controls.steps.set_text("10"))
    assert not page.controls.carve_button.isEnabled()  # there is nothing to carve at the picture itself
    page.session.go_to(6)
    with ready.qtbot.waitSignal(ready.runner.finished, timeout=RUN_MS):
        QTest.mouseClick(page.controls.carve_button, Qt.MouseButton.LeftButton)
        assert ready.window.bench.pages.current == "carve"
    ready.flush()
    run = ready.session.trajectory
    assert (run.planned_steps, run.is_complete) == (6, True)  # steps 5 to 10
    assert run.levels[0].snr == pytest.approx(page.forward_result.trajectory.levels[4].snr, rel=1e-3)
    assert (run.info.request.form, run.info.request.material) == ("bust", "bronze")  # the render's own labels
    assert page.forward_result.name in run.info.origin
    panel, controls = ready.window.panels.run_panel, ready.window.panels.controls
    assert panel.line.text().startswith("6 steps in ")
    assert panel.difference.text().startswith("Not the settings of the run on screen: steps")
    assert "beginning" not in panel.difference.text()
    guidance = controls.guidance.text()
    QTest.mouseClick(panel.take_over, Qt.MouseButton.LeftButton)
    assert (controls.steps.text(), controls.guidance.text()) == ("10", guidance)
    assert panel.difference.text() == "Start begins with the noise of the seed; this run began with a picture."
    assert (panel.take_over.isVisible(), panel.line.isVisible()) == (False, True)
    again = enter(ready)
    assert again is page
    assert page.session.position == 6


def test_a_picture_of_the_models_size_is_carved_out_of_the_very_state_that_is_shown(ready: Driver) -> None:
    ready.run(8)
    page = enter(ready)
    page.session.go_to(30)
    with ready.qtbot.waitSignal(ready.runner.finished, timeout=RUN_MS):
        page.carve()
    np.testing.assert_allclose(ready.session.trajectory.state(0), page.forward_result.trajectory.state(20), atol=1e-4)


def test_settings_that_cannot_be_run_are_named_before_anything_is_carved(ready: Driver) -> None:
    page = enter(ready)
    page.session.go_to(6)
    ready.window.panels.controls.guidance.set_text("much")
    QTest.mouseClick(page.controls.carve_button, Qt.MouseButton.LeftButton)
    assert ready.window.bench.pages.current == "drown"
    assert "Carve" in ready.window.panels.messages.message
    assert not ready.runner.is_running


def test_the_noise_of_a_picture_is_found_and_the_picture_carved_out_of_it_again(
    ready: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, messages, told = enter(ready), ready.window.panels.messages, []
    show = messages.show_message
    monkeypatch.setattr(messages, "show_message", lambda text, *also, **how: (told.append(text), show(text, **how)))
    wait_for_another(ready, page, lambda: page.controls.steps.set_text("6"))
    QTest.mouseClick(page.controls.invert_button, Qt.MouseButton.LeftButton)
    assert page.is_busy
    ready.qtbot.waitUntil(lambda: "ratio of" in (ready.window.panels.messages.message or ""), timeout=RUN_MS)
    said = ready.window.panels.messages.message
    assert "Bust" in said
    assert float(said.split("ratio of ")[1].split(" dB")[0]) >= 30
    assert told == [said]  # nothing was stopped for the run that follows
    assert ready.window.bench.pages.current == "carve"


def test_looking_for_the_noise_can_be_stopped(ready: Driver) -> None:
    page = enter(ready)
    wait_for_another(ready, page, lambda: page.controls.steps.set_text("200"))
    page.controls.invert_button.click()
    ready.qtbot.waitUntil(lambda: page._reverse_runs._inversion.done > 1, timeout=RUN_MS)
    assert "200" in page.controls.progress.text()
    ready.press(Qt.Key.Key_Escape)
    ready.qtbot.waitUntil(lambda: not page.is_busy and not ready.runner.is_running, timeout=RUN_MS)
    assert ready.window.bench.pages.current == "drown"
    assert page.controls.invert_button.text() == "Find its noise"


def test_the_left_panel_needs_no_scroll_bar_and_its_buttons_are_of_one_width(driver: Driver) -> None:
    page = enter(driver)
    controls, block = page.controls, page.controls.run_panel.parentWidget()
    for height, scrolls in ((720, False), (700, False), (682, False), (480, True)):  # 720 less a title bar: 682
        driver.window.resize(1280, height)
        QApplication.processEvents()
        assert (controls.height() > block.room_px) == scrolls
        assert controls.play_button.width() == controls.carve_button.width() == controls.open_button.width()


@pytest.mark.parametrize("size", [(1280, 682), (1440, 900)])
def test_words_are_whole_in_a_usual_window(driver: Driver, size: tuple[int, int]) -> None:
    page = enter(driver)
    driver.window.resize(*size)
    QApplication.processEvents()
    layers = page.controls.layers
    for place in range(layers.count()):
        layers.setCurrentIndex(place)
        option = QStyleOptionComboBox()
        layers.initStyleOption(option)
        field = layers.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, layers
        )
        assert layers.fontMetrics().horizontalAdvance(layers.currentText()) <= field.width()
    page.controls.set_picture("Seated figure · terracotta", "1024×1024 px")
    assert page.controls.about.shown_text == "1024×1024 px"
    page.session.go_to(50)
    page.presenter.clock.flush()
    remark = page.stage.remark
    assert remark.text().startswith("Less than 0.1 % picture, more than 99.9 % noise: ")
    assert remark.shown_text == remark.text()


def test_the_left_panel_is_fitted_again_when_the_picture_for_the_model_comes(driver: Driver) -> None:
    driver.window.resize(1280, 682)
    page = enter(driver)
    driver.qtbot.waitUntil(lambda: page.controls.model_view.isVisible(), timeout=RUN_MS)
    QApplication.processEvents()
    assert page.controls.height() <= page._block.room_px


def test_no_page_makes_the_window_grow(ready: Driver) -> None:
    window = ready.window
    before = window.minimumSizeHint().width()
    enter(ready)
    ready.press(Qt.Key.Key_1, modifier=Qt.KeyboardModifier.ControlModifier)
    ready.qtbot.waitUntil(lambda: window.panels.dock_layout.docks["block"].isVisible())
    assert window.minimumSizeHint().width() == before


def test_the_left_panel_stands_still_whatever_is_said_in_it(driver: Driver) -> None:
    """While a picture is on its way and when it is there, with notes about it and without."""
    driver.window.bench.pages.show("drown")
    page = driver.window.bench.pages.page
    controls = page.controls
    fields = controls.open_button, controls.steps, controls.seed, controls.invert_button, controls.play_button

    def stand() -> list[tuple[int, ...]]:
        QApplication.processEvents()
        return [(*field.mapTo(page, QPoint(0, 0)).toTuple(), *field.size().toTuple()) for field in fields]

    before = stand()
    enter(driver)
    assert stand() == before
    for about, progress in (("", ""), ("64×64 pixels · shrunk from 4000×3000", "step 12 of 50")):
        controls.set_picture("a picture", about)
        controls.show_reverse_runs(True, True, bool(progress), progress)
        assert stand() == before
