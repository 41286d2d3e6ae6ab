"""What is saved of a run: whole files, or one sentence about why not."""

import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from PIL import Image
from PySide6.QtCore import QSettings, Qt, QThread, QTimer
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QInputDialog,
    QMessageBox,
    QPushButton,
    QStyle,
    QStyleOptionComboBox,
)
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from sculptor_app.cli import main
from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.files import ExportCancelled
from sculptor_app.exports.formats import FORMATS, AnimationFormat, Export, animation_formats
from sculptor_app.exports.gif import writer
from sculptor_app.exports.numbers import read_csv
from sculptor_app.exports.settings import read_settings
from sculptor_app.measures.forward import ForwardMeasures
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.session.engine import Sampling
from sculptor_app.session.worker import RetiredThreads
from sculptor_app.ui import theme
from sculptor_app.ui.playback.page import Page
from sculptor_app.ui.saving import gif_dialog
from sculptor_app.ui.saving.export_preview import WholePicture
from sculptor_app.ui.saving.gif_dialog import ExportGifDialog
from sculptor_app.ui.saving.gif_form import remember, remembered
from tests.helpers.runs import made_run, solid
from tests.helpers.window import RUN_MS, Driver
from tests.session.test_session import trajectory


@pytest.fixture
def run():
    return trajectory(12)


@pytest.fixture
def retired() -> RetiredThreads:
    return RetiredThreads()


@pytest.fixture
def dialog(qtbot: QtBot, settings: QSettings, run, retired: RetiredThreads, tmp_path: Path):
    made = ExportGifDialog(run, RunMeasures.of(run), settings, tmp_path / "run.gif", 12, retired)
    made.show()
    yield made
    if isValid(made):  # it deletes itself when it is closed
        made.close()
    retired.finish()


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> AnimationFormat:
    """An animation format that is one more row, and nothing else."""

    def write(path: Path, export: Export) -> None:
        export.progress(1, 1)
        path.write_text(f"film of {export.options.frames}")

    def preview(export: Export) -> bytes:
        made = io.BytesIO()
        Image.new("RGB", (40 + export.state, 9)).save(made, "PNG")
        return made.getvalue()

    row = AnimationFormat("film", "Made-up film", write, preview=preview, estimate_bytes=lambda export: 7 * 2**20)
    monkeypatch.setitem(FORMATS, row.id, row)
    return row


def save(qtbot: QtBot, dialog: ExportGifDialog) -> None:
    with qtbot.waitSignal(dialog.saved, timeout=RUN_MS):
        QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)


def test_preview_and_estimate_come_from_the_other_thread(qtbot: QtBot, dialog: ExportGifDialog) -> None:
    qtbot.waitUntil(lambda: "about" in dialog.facts.text(), timeout=RUN_MS)
    assert dialog.facts.text().startswith("12 frames · 2.4 s\n128 × ")
    qtbot.waitUntil(lambda: dialog.facts.sizeHint().width() <= dialog.facts.width(), timeout=RUN_MS)  # once laid out
    image = dialog.preview.image
    assert image.width() == 128
    dialog.form.caption.setChecked(False)
    qtbot.waitUntil(lambda: dialog.preview.image.height() == 128, timeout=RUN_MS)
    dialog.form.every.setValue(5)
    qtbot.waitUntil(lambda: dialog.facts.text().startswith("4 frames"), timeout=RUN_MS)


def test_a_new_animation_format_is_offered_beside_gif(
    qtbot: QtBot, film: AnimationFormat, dialog: ExportGifDialog, tmp_path: Path
) -> None:
    assert dialog.format.isVisible()
    types = dialog.format.types
    assert [types.itemText(index) for index in range(types.count())] == ["GIF", "WebP", "APNG", "FILM"]
    types.setCurrentText("FILM")
    assert dialog.target() == tmp_path / "run.film"
    qtbot.waitUntil(lambda: "about 7.3 MB" in dialog.facts.text(), timeout=RUN_MS)
    assert dialog.preview.image.width() == 40 + 12
    save(qtbot, dialog)
    assert (tmp_path / "run.film").read_text() == "film of guess"


def test_what_it_becomes_is_chosen_first_and_every_word_is_whole(qtbot: QtBot, dialog: ExportGifDialog) -> None:
    """The kinds stand over all else, by the words of the menu; the kinds of file of each come second."""
    choice = dialog.format
    assert dialog.windowTitle() == "Export: seed 7 · 50 steps"
    assert [button.text() for button in choice.buttons.values()] == [
        "Animation", "Film", "Web page", "Poster", "Pictures",
    ]  # fmt: skip
    assert choice.geometry().bottom() < min(dialog.form.geometry().top(), dialog.preview.geometry().top())
    offered = {}
    dialog.resize(dialog.minimumSizeHint())
    for word, button in choice.buttons.items():
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert (choice.row.group, button.isChecked()) == (word, True)
        offered[word] = [choice.types.itemText(index) for index in range(choice.types.count())]
        assert choice.types.isVisible() == (len(offered[word]) > 1)
        room = choice.types.width() - 34  # frame, padding and arrow
        assert max(map(choice.types.fontMetrics().horizontalAdvance, offered[word])) <= room
    assert offered == {
        "animation": ["GIF", "WebP", "APNG"], "film": ["MP4", "WebM"], "web-page": ["HTML"],
        "poster": ["SVG", "PDF", "PNG"], "pictures": ["PNG in a ZIP"],
    }  # fmt: skip
    choice.choose("webm")
    QTest.mouseClick(choice.buttons["animation"], Qt.MouseButton.LeftButton)
    QTest.mouseClick(choice.buttons["film"], Qt.MouseButton.LeftButton)
    assert choice.row.id == "webm"  # of each kind, what was chosen last


def test_the_format_of_last_time_comes_again(qtbot: QtBot, dialog, settings, retired, run, tmp_path: Path) -> None:
    dialog.format.choose("png-page")
    save(qtbot, dialog)
    assert settings.value("gif/format") == "png-page"
    other = ExportGifDialog(run, RunMeasures.of(run), settings, tmp_path / "run.gif", 12, retired)
    assert (other.format.row.id, other.format.buttons["poster"].isChecked()) == ("png-page", True)
    other.close()


def test_labels_stand_beside_their_fields(qtbot: QtBot, qapp: QApplication, dialog: ExportGifDialog) -> None:
    theme.apply(qapp, "light")
    for id in ("gif", "html", "svg"):
        dialog.format.choose(id)
        qtbot.wait(1)
        form = dialog.form
        for field in (form.preset, form.layout_choice, form.frames, form.every, form.picture_size, form.delay):
            if not field.isVisible():
                continue
            row = form._every_row if field is form.every else field
            label = form._rows.labelForField(row)
            assert abs(label.geometry().center().y() - field.geometry().center().y()) <= 1, label.text()


def test_choices_are_as_wide_as_their_longest_text(qtbot: QtBot, dialog: ExportGifDialog) -> None:
    for id in ("gif", "mp4", "svg"):
        dialog.format.choose(id)
        for box in (dialog.form.preset, dialog.form.layout_choice, dialog.form.frames, dialog.form.picture_size):
            if not box.isVisible():
                continue
            option = QStyleOptionComboBox()
            box.initStyleOption(option)
            field = QStyle.SubControl.SC_ComboBoxEditField
            room = box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, box).width() - 4
            texts = [box.itemText(row) for row in range(box.count())]
            assert [text for text in texts if box.fontMetrics().horizontalAdvance(text) > room] == []


def test_a_page_larger_than_its_place_loses_no_line(qtbot: QtBot, dialog: ExportGifDialog) -> None:
    """Lines of one pixel in nine: leaving pixels out shows some of them whole and others not at all."""
    lines = QImage(1800, 1800, QImage.Format.Format_RGB32)
    lines.fill(Qt.GlobalColor.white)
    for column in range(0, 1800, 9):
        for row in range(1800):
            lines.setPixel(column, row, 0)
    dialog.format.choose("svg")
    qtbot.waitUntil(lambda: dialog.preview.image is not None and not dialog._task.is_busy, timeout=RUN_MS)
    assert dialog.preview.image.width() == 2400
    preview = dialog.preview
    preview.setFixedSize(302, 302)
    qtbot.waitUntil(lambda: preview.width() == 302)
    preview.set_picture(lines)
    shot = preview.grab().toImage()
    greys = {shot.pixelColor(x, 150).lightness() for x in range(3, 298)}
    assert min(greys) > 60  # of every line a part, of none all
    QTest.mouseClick(preview, Qt.MouseButton.LeftButton)
    whole = dialog.findChild(WholePicture)
    assert whole.picture.image is lines
    assert whole.windowTitle() == dialog.windowTitle()
    whole.close()


def test_the_preview_takes_the_room_that_the_screen_has(dialog: ExportGifDialog) -> None:
    room = dialog.screen().availableSize()
    assert dialog.width() >= min(1080, room.width() - 60)
    assert dialog.height() >= min(700, room.height() - 60)
    assert dialog.preview.width() > dialog.width() - dialog.form.minimumWidth() - 120


def test_a_film_is_saved_with_its_own_choices(qtbot: QtBot, dialog: ExportGifDialog, tmp_path: Path) -> None:
    assert not dialog.form.full_colour.isVisible()
    dialog.format.choose("mp4")
    assert dialog.form.full_colour.isVisible()
    assert not dialog.form.loop.isVisible()
    dialog.form.full_colour.setChecked(True)
    qtbot.waitUntil(lambda: "about" in dialog.facts.text(), timeout=RUN_MS)
    assert dialog.preview.image.width() == 128
    save(qtbot, dialog)
    assert read_settings(tmp_path / "run.mp4")["export"]["full_colour"]


def test_a_new_animation_format_is_known_to_the_command_line(film: AnimationFormat, tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "x.png")
    assert main(["forward", str(tmp_path / "x.png"), "--steps", "2", "--out", str(tmp_path / "x.film")]) == 0
    assert (tmp_path / "x.film").read_text() == "film of noisy"


def test_a_single_animation_format_is_no_choice(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    only = animation_formats()[:1]  # never taken out of FORMATS one by one: put back, they would stand in another order
    monkeypatch.setattr(gif_dialog, "animation_formats", lambda: only)
    dialog = request.getfixturevalue("dialog")
    assert not dialog.format.isVisible()


def test_a_page_is_a_poster_a_contact_sheet_or_a_plot(qtbot: QtBot, dialog: ExportGifDialog, tmp_path: Path) -> None:
    form = dialog.form
    assert not form.layout_choice.isVisible()
    dialog.format.choose("png-page")
    assert dialog.target() == tmp_path / "run.png"
    assert (form.layout_choice.isVisible(), form.every.isVisible()) == (True, False)
    form.layout_choice.setCurrentIndex(form.layout_choice.findData("contact-sheet"))
    assert form.every.isVisible()
    form.every.setValue(4)
    qtbot.waitUntil(lambda: "about" in dialog.facts.text(), timeout=RUN_MS)
    save(qtbot, dialog)
    told = read_settings(tmp_path / "run.png")["export"]
    assert (told["layout"], told["every"]) == ("contact-sheet", 4)


def test_a_preset_fills_in_what_goes_together(dialog: ExportGifDialog) -> None:
    form = dialog.form
    assert form.preset.currentData() == ""
    form.preset.setCurrentIndex(form.preset.findData("lesson"))
    form.preset.activated.emit(form.preset.currentIndex())
    options = form.options()
    assert (options.frames, options.plot, options.delay_ms) == ("three", True, 250)
    assert form.preset.currentData() == "lesson"
    form.delay.setValue(90)
    assert form.preset.currentData() == ""  # it is none any more
    dialog.format.choose("svg")
    assert not form.preset.isVisible()


def test_a_plot_alone_has_no_size(dialog: ExportGifDialog) -> None:
    dialog.format.choose("svg")
    dialog.form.layout_choice.setCurrentIndex(dialog.form.layout_choice.findData("plot"))
    assert not dialog.form.picture_size.isVisible()
    dialog.format.choose("gif")
    assert dialog.form.picture_size.isVisible()
    assert dialog.form.options().layout == "usual"


def test_a_web_page_has_no_boxes_for_what_it_always_shows(
    qtbot: QtBot, dialog: ExportGifDialog, tmp_path: Path
) -> None:
    assert dialog.form.caption.isVisible()
    assert dialog.form.plot.isVisible()
    dialog.format.choose("html")
    assert dialog.target() == tmp_path / "run.html"
    assert not dialog.form.caption.isVisible()
    assert not dialog.form.plot.isVisible()
    qtbot.waitUntil(lambda: "about" in dialog.facts.text(), timeout=RUN_MS)
    dialog.format.choose("gif")
    assert dialog.form.caption.isVisible()
    dialog.format.choose("html")
    save(qtbot, dialog)
    assert (tmp_path / "run.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_size_that_makes_no_difference_is_not_offered(
    qtbot: QtBot, settings: QSettings, retired: RetiredThreads, tmp_path: Path
) -> None:
    """A web page and a poster enlarge pictures by themselves: they can only be made smaller. What was chosen stays."""
    run = made_run(steps=3, size=128)
    dialog = ExportGifDialog(run, RunMeasures.of(run), settings, tmp_path / "run.gif", 3, retired)
    dialog.show()
    form, sizes = dialog.form, dialog.form.picture_size
    assert sizes.currentData() == 256
    for id in ("html", "svg"):
        dialog.format.choose(id)
        assert [sizes.itemData(index) for index in range(sizes.count())] == [64, 128]
        assert (sizes.currentData(), form.options().size_px) == (128, 256)  # the same file, and the same choice
    sizes.setCurrentIndex(0)
    assert form.options().size_px == 64
    dialog.format.choose("gif")
    assert (sizes.currentData(), sizes.count() > 4) == (64, True)
    dialog.close()


def test_a_web_page_is_told_of_beside_its_pictures(dialog: ExportGifDialog) -> None:
    assert not dialog.holds.isVisible()
    dialog.format.choose("html")
    assert dialog.holds.isVisible()
    assert not dialog.form.picture_size.isVisible()  # 16 px cannot be made smaller
    for word in ("scrubber", "phases", "both plots"):
        assert word in dialog.holds.text()
    dialog.format.choose("svg")
    assert not dialog.holds.isVisible()


def test_choices_are_in_the_file_and_are_remembered(
    qtbot: QtBot, dialog: ExportGifDialog, settings, retired, tmp_path
) -> None:
    dialog.form.frames.setCurrentIndex(dialog.form.frames.findData("noisy"))
    dialog.form.delay.setValue(120)
    dialog.form.loop.setChecked(False)
    save(qtbot, dialog)
    with Image.open(tmp_path / "run.gif") as file:
        assert file.info["duration"] % 120 == 0
        assert "loop" not in file.info
    run = trajectory(3)
    other = ExportGifDialog(run, RunMeasures.of(run), settings, tmp_path / "b.gif", 3, retired)
    other.set_settling_rule("energy")
    options = other.form.options()
    assert options.settled_by == "energy"
    assert (options.frames, options.delay_ms, options.loop) == ("noisy", 120, False)
    other.close()


def test_a_drowned_picture_is_saved_from_the_picture_into_the_noise(
    qtbot: QtBot, settings, retired, tmp_path: Path
) -> None:
    """It has one kind of frame and one direction, and neither is remembered for the runs of a model."""
    remember(settings, AnimationOptions(frames="both", delay_ms=50))
    drowned = run_forward_process(solid(16), "x.png", steps=5)
    dialog = ExportGifDialog(drowned, ForwardMeasures.of(drowned), settings, tmp_path / "x.gif", 5, retired)
    dialog.show()
    assert [dialog.form.frames.itemData(index) for index in range(dialog.form.frames.count())] == ["noisy"]
    dialog.form.hold.setValue(300)
    qtbot.waitUntil(lambda: dialog.facts.text().startswith("6 frames · 0.8 s"), timeout=RUN_MS)  # 4 of 50 ms, 2 of 300
    save(qtbot, dialog)
    with Image.open(tmp_path / "x.gif") as file:
        assert (file.n_frames, file.info["duration"]) == (6, 300)
    told = read_settings(tmp_path / "x.gif")["export"]
    assert (told["frames"], told["into_noise"], told["delay_ms"]) == ("noisy", True, 50)
    kept = remembered(settings)
    assert (kept.frames, kept.into_noise, kept.hold_ms) == ("both", False, 300)


def test_an_old_file_is_replaced_only_when_that_was_said(qtbot: QtBot, dialog: ExportGifDialog, tmp_path: Path) -> None:
    (tmp_path / "run.gif").write_bytes(b"old")

    def answer(text: str) -> None:
        QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
        question = dialog.findChild(QMessageBox)
        button = next(b for b in question.findChildren(QPushButton) if b.text() == text)
        with qtbot.waitSignal(question.destroyed):
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    answer("Cancel")
    assert (tmp_path / "run.gif").read_bytes() == b"old"
    with qtbot.waitSignal(dialog.saved, timeout=RUN_MS):
        answer("Replace")
    assert (tmp_path / "run.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("gone/run.gif", "does not exist"), ("x" * 300 + ".gif", "too long"),
        *((name, "is a folder. Add a file name.") for name in ("folder.gif", "folder.gif/", "pics", "pics/", "new/")),
        *((name, "is a folder. Add a file name.") for name in ("/", "..", "pics/..")),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_said_in_a_sentence(qtbot, dialog, tmp_path, target, sentence) -> None:
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "pics").mkdir()
    dialog.path.setText(target if target == "/" else f"{tmp_path}/{target}")
    QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: sentence in dialog.problem.text(), timeout=RUN_MS)
    assert dialog.isVisible()
    assert dialog.save_button.isEnabled()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".ini") == ["folder.gif", "pics"]


def test_a_delay_that_gif_cannot_count_is_said_before(dialog: ExportGifDialog) -> None:
    dialog.form.delay.setValue(85)
    assert "whole 10 ms" in dialog.problem.text()
    assert not dialog.save_button.isEnabled()
    dialog.form.delay.setValue(90)
    assert dialog.save_button.isEnabled()


def test_saving_can_be_cancelled_and_leaves_the_old_file(qtbot, dialog, tmp_path, monkeypatch) -> None:
    (tmp_path / "other.gif").write_bytes(b"old")
    real = writer.write_gif

    def slow(path, run, measures, options, progress, stop, *others) -> None:
        def wait(done: int, total: int) -> None:
            progress(done, total)
            stop.wait(30)

        real(path, run, measures, options, wait, stop, *others)

    monkeypatch.setattr(writer, "write_gif", slow)
    dialog.path.setText(str(tmp_path / "run"))  # gets its ending
    QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.progress.value() == 1, timeout=RUN_MS)
    assert dialog.progress.isVisible()
    begun = time.monotonic()
    QTest.mouseClick(dialog.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Cancelled" in dialog.problem.text(), timeout=RUN_MS)
    assert time.monotonic() - begun < 20
    assert [path.name for path in tmp_path.glob("*.gif")] == ["other.gif"]
    assert dialog.save_button.isEnabled()


MAKERS = {"saving": "write_gif", "preview": "preview_gif", "estimate": "estimate_bytes"}


@pytest.mark.parametrize("work", MAKERS)
def test_escape_while_it_computes_closes_the_dialog_at_once(
    qtbot, dialog, retired, tmp_path, monkeypatch, work
) -> None:
    """At once, and with the thread when what it computes has ended: nobody waits for that in front of the window."""
    begun, may_end = threading.Event(), threading.Event()

    def compute(*args: object) -> None:
        begun.set()
        assert may_end.wait(30)

    monkeypatch.setattr(writer, MAKERS[work], compute)
    if work == "saving":
        QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(begun.is_set, timeout=RUN_MS)
    monkeypatch.setattr(QThread, "wait", lambda *args: pytest.fail("the window waits for what is computed"))
    task, thread = dialog._task, dialog._task._jobs._thread
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert not task.is_busy
    assert thread.isRunning()
    may_end.set()
    qtbot.waitUntil(lambda: not thread.isRunning(), timeout=RUN_MS)
    qtbot.waitUntil(lambda: retired.is_empty)
    assert not (tmp_path / "run.gif").exists()


@pytest.mark.parametrize("work", ["estimate", "saving", "loading"])
def test_the_window_closes_in_mid_work_and_its_events_go_on(
    open_window: Callable[..., Driver], run, tmp_path, monkeypatch, work
) -> None:
    """A timer of its thread is what lets the work end: a thread that is merely waited for would never."""
    begun, may_end, in_time = threading.Event(), threading.Event(), []

    def compute(*args: object) -> None:
        begun.set()
        in_time.append(may_end.wait(5))

    driver = open_window()
    if work == "loading":
        monkeypatch.setattr(Sampling, "make_engine", lambda *args: compute())
        driver.runner.prepare()
    else:
        monkeypatch.setattr(writer, MAKERS[work], compute)
        driver.session.show(run, RunMeasures.of(run), running=False)
        driver.window.bench.menus.actions["save_gif"].trigger()
        dialog = driver.window.bench.menus.files._gif_dialog
        dialog.path.setText(str(tmp_path / "run.gif"))
        if work == "saving":
            QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    driver.qtbot.waitUntil(begun.is_set, timeout=RUN_MS)
    QTimer.singleShot(20, may_end.set)
    driver.window.close()
    assert not driver.window.isVisible()
    assert in_time == [True]
    assert driver.window.bench.menus.files._retired.is_empty


def test_an_estimate_ends_when_it_is_told_to() -> None:
    """Not only when it is done: the next choice waits for it otherwise."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(ExportCancelled):
        animation_formats()[0].estimate_bytes(Export(trajectory(12), stop=stop))


@pytest.fixture
def finished(ready: Driver) -> Driver:
    ready.run(6)
    return ready


ASKED = QMessageBox.exec


def answer_dialog(monkeypatch, path: Path, replaces: bool = True) -> None:
    monkeypatch.setattr(QInputDialog, "getItem", lambda *args: (args[3][args[4]], True))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **options: (str(path), ""))

    def answer(question: QMessageBox) -> int:
        role = QMessageBox.ButtonRole.AcceptRole if replaces else QMessageBox.ButtonRole.RejectRole
        button = next(each for each in question.buttons() if question.buttonRole(each) is role)
        QTimer.singleShot(0, button.click)
        return ASKED(question)

    monkeypatch.setattr(QMessageBox, "exec", answer)


@pytest.mark.parametrize(("action", "ending"), [("save_picture", ".png"), ("save_numbers", ".csv")])
def test_a_name_typed_without_its_ending_replaces_no_file_unasked(
    finished: Driver, tmp_path: Path, monkeypatch, action: str, ending: str
) -> None:
    """The name that was typed is that of no file; the one that is written has its ending."""
    menus, old = finished.window.bench.menus, tmp_path / f"photo{ending}"
    old.write_bytes(b"old")

    def trigger(replaces: bool) -> bytes:
        answer_dialog(monkeypatch, tmp_path / "photo", replaces)
        menus.actions[action].trigger()
        finished.qtbot.waitUntil(lambda: not menus.files.writer.is_busy, timeout=RUN_MS)
        return old.read_bytes()

    assert trigger(replaces=False) == b"old"
    assert trigger(replaces=True) != b"old"


def test_numbers_picture_and_clipboard(finished: Driver, tmp_path: Path, monkeypatch) -> None:
    menus = finished.window.bench.menus
    writer = menus.files.writer

    def trigger(name: str) -> None:
        menus.actions[name].trigger()
        finished.qtbot.waitUntil(lambda: not writer.is_busy, timeout=RUN_MS)

    answer_dialog(monkeypatch, tmp_path / "numbers")
    trigger("save_numbers")
    assert len(read_csv(tmp_path / "numbers.csv")[1]) == 7
    answer_dialog(monkeypatch, tmp_path / "step.png")
    trigger("save_picture")
    with Image.open(tmp_path / "step.png") as picture:
        assert picture.size == (512, 512)  # a stamp on a slide otherwise
        pixels = picture.convert("RGB").resize((16, 16), Image.Resampling.NEAREST)
        assert '"state": 6' in picture.text["comment"]
    assert "Saved" in finished.window.panels.messages.message
    monkeypatch.setattr(QInputDialog, "getItem", lambda *args: ("64 px · 4×", True))
    trigger("save_picture")
    with Image.open(tmp_path / "step.png") as picture:
        assert picture.convert("RGB").tobytes() == pixels.resize((64, 64), Image.Resampling.NEAREST).tobytes()
    monkeypatch.setattr(QInputDialog, "getItem", lambda *args: (args[3][args[4]], False))
    (tmp_path / "step.png").unlink()
    trigger("save_picture")
    assert not (tmp_path / "step.png").exists()
    monkeypatch.setattr(QInputDialog, "getItem", lambda *args: (args[3][args[4]], True))
    menus.actions["copy_picture"].trigger()
    assert QGuiApplication.clipboard().image().width() == 16
    answer_dialog(monkeypatch, tmp_path / "gone" / "step.png")
    trigger("save_picture")
    assert "does not exist" in finished.window.panels.messages.message
    assert menus.files.folder() == tmp_path


def test_a_file_that_is_gone_at_once_is_said_in_a_sentence(finished: Driver, film, tmp_path: Path, monkeypatch) -> None:
    menus, gone = finished.window.bench.menus, tmp_path / "gone.film"
    menus.files.writer.write(gone, lambda *_: None)
    finished.qtbot.waitUntil(lambda: "could not be made" in finished.window.panels.messages.message, timeout=RUN_MS)
    monkeypatch.setitem(FORMATS, film.id, replace(film, write=lambda *_: None))
    menus.actions["save_gif"].trigger()
    dialog = menus.files._gif_dialog
    dialog.format.choose("film")
    QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    finished.qtbot.waitUntil(lambda: "could not be made" in dialog.problem.text(), timeout=RUN_MS)


def test_what_saved_files_tell_is_chosen_once_for_all_of_them(
    finished: Driver, tmp_path: Path, tiny_model: Path, monkeypatch
) -> None:
    menus, choice = finished.window.bench.menus, finished.window.bench.menus.table.groups["disclosure"]

    def saved() -> list[str]:
        """What a table, a picture and a GIF tell of the model."""
        for name, action in (("x.csv", "save_numbers"), ("x.png", "save_picture")):
            answer_dialog(monkeypatch, tmp_path / name)
            menus.actions[action].trigger()
            finished.qtbot.waitUntil(lambda: not menus.files.writer.is_busy, timeout=RUN_MS)
        menus.actions["save_gif"].trigger()
        dialog = menus.files._gif_dialog
        dialog.path.setText(str(tmp_path / "x.gif"))
        (tmp_path / "x.gif").unlink(missing_ok=True)
        with finished.qtbot.waitSignal(dialog.saved, timeout=RUN_MS):
            dialog.save()
        dialog.close()
        header = read_csv(tmp_path / "x.csv")[0]
        told = [read_settings(tmp_path / name)["request"]["model"] for name in ("x.png", "x.gif")]
        return [header.get("model path", header["model"]), *told]

    assert saved() == [tiny_model.name] * 3
    next(each for each in choice.actions() if each.data() == Disclosure.PATHS).trigger()
    assert saved() == [str(tiny_model)] * 3
    menus.save(finished.window.settings)
    assert finished.window.settings.value("choices/disclosure") == "paths"


def test_saving_leaves_the_window_free(finished: Driver, tmp_path: Path) -> None:
    finished.window.bench.menus.actions["save_gif"].trigger()
    dialog = finished.window.bench.menus.files._gif_dialog
    assert not dialog.isModal()
    finished.session.go_to(2)
    assert dialog._position == 2  # the preview goes along
    finished.window.close()
    assert not dialog.isVisible()


def test_what_saved_files_tell_is_chosen_in_the_dialog_in_the_menus_words(
    finished: Driver, film, tmp_path, monkeypatch
) -> None:
    menus, told = finished.window.bench.menus, []
    menu = menus.table.groups["disclosure"]
    film_preview = film.preview
    watched = replace(film, preview=lambda export: (told.append(export.disclosure), film_preview(export))[1])
    monkeypatch.setitem(FORMATS, film.id, watched)

    def opened():
        menus.actions["save_gif"].trigger()
        return menus.files._gif_dialog

    opened().close()
    dialog = opened()  # the one before goes later, and is not taken for this one
    finished.qtbot.wait(1)
    box = dialog.told
    assert [box.itemText(i) for i in range(box.count())] == [act.text().replace("&", "") for act in menu.actions()]
    dialog.format.choose("film")
    finished.qtbot.waitUntil(lambda: Disclosure.NAMES in told, timeout=RUN_MS)
    box.setCurrentIndex(box.findData("private"))
    finished.qtbot.waitUntil(lambda: told[-1] is Disclosure.PRIVATE, timeout=RUN_MS)  # the caption tells it, too
    assert menus.files.disclosure is Disclosure.PRIVATE
    assert menu.checkedAction().data() == Disclosure.PRIVATE
    menu.actions()[1].trigger()
    assert dialog.disclosure is Disclosure.PATHS
    dialog.close()
    assert opened().disclosure is Disclosure.PATHS


def test_with_a_home_that_may_not_be_entered_every_page_opens_and_files_are_saved(
    finished: Driver, tmp_path: Path, closed_folder: Path, monkeypatch
) -> None:
    """A home that another person's variable names, or one on a mount that was lost."""
    monkeypatch.setenv("HOME", str(closed_folder))
    for name in ("DATA", "CACHE"):
        monkeypatch.delenv(f"XDG_{name}_HOME")
    pages, menus = finished.window.bench.pages, finished.window.bench.menus
    answer_dialog(monkeypatch, tmp_path / "step.png")
    menus.actions["save_picture"].trigger()
    finished.qtbot.waitUntil(lambda: not menus.files.writer.is_busy, timeout=RUN_MS)
    assert (tmp_path / "step.png").is_file()
    finished.window.settings.remove("files/folder")
    menus.actions["save_gif"].trigger()
    assert menus.files._gif_dialog.target().parent == closed_folder
    menus.files._gif_dialog.close()
    finished.window.bench.models._remember(str(closed_folder / "model"))
    for entry in pages.entries:
        pages.show(entry.key)
        assert pages.current == entry.key
    learn = pages.show("learn")
    assert learn.settings_panel.folder.is_relative_to(closed_folder)
    finished.qtbot.waitUntil(lambda: "cannot be read" in finished.window.panels.messages.message, timeout=RUN_MS)


def test_a_page_that_cannot_be_built_leaves_the_one_in_front(finished: Driver, monkeypatch) -> None:
    window, pages = finished.window, finished.window.bench.pages
    monkeypatch.setattr("sculptor_app.ui.learn.settings_panel.new_folder", Mock(side_effect=OSError("lost")))
    monkeypatch.setattr("sculptor_app.ui.learn.page.new_folder", Mock(side_effect=OSError("lost")))
    with pytest.raises(OSError, match="lost"):
        pages.show("learn")
    assert (pages.current, pages.page) == ("carve", None)
    assert window.bench.stage.isVisible()
    assert window.panels.tabs.currentIndex() == 0
    assert window.bench.menus.actions["page_carve"].isChecked()
    assert not window.bench.menus.actions["page_learn"].isChecked()
    finished.qtbot.waitUntil(lambda: not window.findChildren(Page), timeout=RUN_MS)
    monkeypatch.undo()
    assert pages.show("learn").isVisible()
