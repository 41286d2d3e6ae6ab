"""What is saved of many runs, in the real window: sheets, animations and tables, or one sentence about why not."""

import errno
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QInputDialog
from shiboken6 import isValid

from sculptor_app.exports import numbers
from sculptor_app.exports.animation.grid import fitting_size, places_of
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.formats import FORMATS
from sculptor_app.exports.settings import read_settings
from sculptor_app.ui.saving.gif_form import grid_sizes
from sculptor_app.ui.why.experiments import Experiment
from tests.helpers.window import RUN_MS, Driver


class Grids:
    """A person at the page of many runs, and its File menu."""

    def __init__(self, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
        self.driver, self.monkeypatch = driver, monkeypatch
        self.window, self.menus = driver.window, driver.window.bench.menus
        self.page = driver.window.bench.pages.show("why")
        self.files = self.menus.files.writer

    def carve(self, steps: int = 3) -> None:
        QTest.mouseClick(self.page.chooser.cards[Experiment.NOISES], Qt.MouseButton.LeftButton)
        controls = self.page.controls[Experiment.NOISES]
        controls.steps.set_text(str(steps))
        controls.count.setCurrentIndex(controls.count.findData("6"))
        with self.driver.qtbot.waitSignal(self.page.results.ended, timeout=RUN_MS):
            self.menus.actions["start"].trigger()

    def answer(self, path: Path) -> None:
        self.monkeypatch.setattr(QInputDialog, "getItem", lambda *args: (args[3][args[4]], True))
        self.monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **options: (str(path), ""))
        self.monkeypatch.setattr("sculptor_app.ui.saving.gif_form.may_replace", lambda *_: True)

    def wait(self) -> None:
        self.driver.qtbot.waitUntil(lambda: not self.files.is_busy, timeout=RUN_MS)

    def wait_for_noises(self) -> None:
        self.driver.qtbot.waitUntil(lambda: self.menus.actions["save_picture"].isEnabled(), timeout=RUN_MS)


@pytest.fixture
def grids(ready: Driver, monkeypatch: pytest.MonkeyPatch) -> Grids:
    return Grids(ready, monkeypatch)


def test_sheet_table_and_copy_of_the_step_shown(grids: Grids, tmp_path: Path) -> None:
    grids.carve()
    grids.page.session.go_to(2)
    grid = grids.page.views.grid()
    fitting_px = fitting_size(grid, FORMATS["png"].sheet_px)
    nearest_px = min((size for size, _ in grid_sizes(grid)), key=lambda size: abs(size - fitting_px))
    size, offered = (places_of(grid, AnimationOptions(size_px=each)) for each in (fitting_px, nearest_px))
    grids.answer(tmp_path / "sheet")
    grids.menus.actions["save_picture"].trigger()
    grids.wait()
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (offered.width, offered.height)
    told = read_settings(tmp_path / "sheet.png")
    assert told["export"]["state"] == 2
    assert [run["noise"]["seed"] for run in told["runs"]] == list(range(12, 18))
    assert "Saved" in grids.window.panels.messages.message
    assert grids.window.panels.saving_bar.isHidden()

    grids.answer(tmp_path / "numbers.csv")
    grids.menus.actions["save_numbers"].trigger()
    grids.wait()
    assert len(numbers.read_csv(tmp_path / "numbers.csv")[1]) == 6 * 4

    grids.menus.actions["copy_picture"].trigger()
    grids.wait()
    assert QGuiApplication.clipboard().image().width() == size.width
    assert "copied" in grids.window.panels.messages.message


def test_a_sheet_and_a_cell_of_it_are_saved_in_the_size_that_is_chosen(grids: Grids, tmp_path: Path) -> None:
    grids.carve(2)
    asked: list[tuple] = []

    def choose(parent: object, title: str, label: str, sizes: list[str], *others: object) -> tuple[str, bool]:
        asked.append((label, sizes))
        return "64 px · 4×", True

    grids.answer(tmp_path / "sheet.png")
    grids.monkeypatch.setattr(QInputDialog, "getItem", choose)
    grids.menus.actions["save_picture"].trigger()
    grids.wait()
    size = places_of(grids.page.views.grid(), AnimationOptions(size_px=64))
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (size.width, size.height)
    assert asked[0][0] == "The longer side of each picture"
    assert asked[0][1][:2] == ["16 px · 1×", "32 px · 2×"]
    assert all(int(text.split()[0]) * 3 <= 4096 for text in asked[0][1])  # together, in rows of 3 at least

    grids.answer(tmp_path / "cell.png")
    grids.monkeypatch.setattr(QInputDialog, "getItem", choose)
    subject = grids.page.grid.subject_at(grids.page.grid.cell_rect(1).center().toPoint())
    menu = grids.window.bench.picture_menu.menu_of(subject)
    next(action for action in menu.actions() if action.text() == "&Save picture…").trigger()
    grids.wait()
    with Image.open(tmp_path / "cell.png") as cell:
        assert cell.size == (64, 64)
    (tmp_path / "cell.png").unlink()
    grids.monkeypatch.setattr(QInputDialog, "getItem", lambda *args: ("", False))
    grids.menus.actions["save_picture"].trigger()
    assert not grids.files.is_busy


def test_the_whole_grid_is_saved_as_an_animation_with_choices_of_its_own(grids: Grids, tmp_path: Path) -> None:
    grids.carve()
    grids.menus.actions["save_gif"].trigger()
    dialog = grids.menus.files._gif_dialog
    assert dialog.target().name == "many-blocks-bust-12.gif"
    assert [dialog.form.frames.itemData(index) for index in range(dialog.form.frames.count())] == ["guess", "noisy"]
    assert not dialog.form.plot.isVisible()
    dialog.form.frames.setCurrentIndex(1)
    dialog.form.ping_pong.setChecked(True)
    dialog.form.delay.setValue(50)
    dialog.path.setText(str(tmp_path / "x"))
    grids.driver.qtbot.waitUntil(lambda: dialog.facts.text().startswith("6 frames"), timeout=RUN_MS)
    with grids.driver.qtbot.waitSignal(dialog.saved, timeout=RUN_MS):
        QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    with Image.open(tmp_path / "x.gif") as image:
        assert image.n_frames == 6  # 0 1 2 3 2 1
        assert image.width > image.height
    assert read_settings(tmp_path / "x.gif")["export"]["delay_ms"] == 50
    settings = grids.window.settings
    assert settings.value("gif/options") is None
    assert "50" in settings.value("gif/grid_options")


def test_blocks_that_nothing_was_carved_out_of_can_be_saved_too(grids: Grids, tmp_path: Path) -> None:
    grids.wait_for_noises()
    grids.driver.qtbot.waitUntil(lambda: grids.page.views.grid() is not None, timeout=RUN_MS)
    grids.answer(tmp_path / "blocks.png")
    grids.menus.actions["save_picture"].trigger()
    grids.wait()
    assert (tmp_path / "blocks.png").is_file()
    grids.menus.actions["save_gif"].trigger()
    dialog = grids.menus.files._gif_dialog
    grids.driver.qtbot.waitUntil(lambda: "no step to show" in dialog.problem.text(), timeout=RUN_MS)
    assert isValid(dialog)


def test_a_full_disk_is_said_in_a_sentence_and_the_old_file_stays(grids: Grids, tmp_path: Path) -> None:
    grids.carve()
    (tmp_path / "x.png").write_bytes(b"old")

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    grids.monkeypatch.setattr("os.fsync", full)
    grids.answer(tmp_path / "x.png")
    grids.menus.actions["save_picture"].trigger()
    grids.wait()
    assert grids.window.panels.messages.message.startswith("The disk is full")
    assert [(path.name, path.read_bytes()) for path in tmp_path.glob("x.*")] == [("x.png", b"old")]


def test_a_table_shows_how_far_it_is_and_can_be_stopped(grids: Grids, tmp_path: Path) -> None:
    grids.carve()
    real = numbers.write_csv

    def slow(path, grid, measures, progress, stop, *others) -> None:
        def wait(done: int, total: int) -> None:
            progress(done, total)
            stop.wait(30)

        real(path, grid, measures, wait, stop)

    grids.monkeypatch.setattr(numbers, "write_csv", slow)
    grids.answer(tmp_path / "x.csv")
    grids.menus.actions["save_numbers"].trigger()
    bar = grids.window.panels.saving_bar
    grids.driver.qtbot.waitUntil(lambda: bar.detail.text() == "1 of 24", timeout=RUN_MS)
    grids.menus.actions["copy_picture"].trigger()
    assert "still being written" in grids.window.panels.messages.message
    QTest.mouseClick(bar.buttons[0], Qt.MouseButton.LeftButton)
    grids.wait()
    assert "no file was written" in grids.window.panels.messages.message
    assert not (tmp_path / "x.csv").exists()


def test_closing_the_window_ends_what_is_written(grids: Grids, tmp_path: Path) -> None:
    grids.carve()
    grids.monkeypatch.setattr(numbers, "write_csv", lambda path, grid, measures, progress, stop: stop.wait(30))
    grids.answer(tmp_path / "x.csv")
    grids.menus.actions["save_numbers"].trigger()
    grids.window.close()
    assert not grids.files.is_busy
    assert not (tmp_path / "x.csv").exists()
