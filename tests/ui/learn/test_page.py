"""The page as a person uses it: learn, look, pause, close, open again, carve; and what can go wrong."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtTest import QTest

from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.session.training import TrainingState
from sculptor_app.training.loop import live
from sculptor_app.training.loop.checkpoint import load_checkpoint
from sculptor_app.training.loop.live import Learning
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.records.events import Preparing, Stepped
from sculptor_app.training.records.plan import OWN, TINY
from sculptor_app.ui.learn.cells import GUESS, STATE
from tests.training.loop.test_live import same
from tests.training.tiny import fill, no_file_larger_than
from tests.ui.learn.conftest import PATIENCE_MS, LearnDriver

OpenPage = Callable[[], LearnDriver]


def run_at_rest(driver: LearnDriver, rows: int = 3) -> None:
    """A run with some rows, paused."""
    driver.press_go()
    driver.wait_for_rows(rows)
    driver.press_go()
    driver.wait_for(TrainingState.PAUSED)
    driver.draw()


def test_paused_closed_opened_again_and_gone_on_with_it_learns_bit_for_bit_the_same(
    open_page: OpenPage, run_folder: Path, tmp_path: Path
) -> None:
    first = open_page()
    plan = first.settings_panel.plan()
    assert plan is not None
    first.press_go()
    first.wait_for_rows(2)
    first.press_go()  # pause
    first.wait_for(TrainingState.PAUSED)
    paused_at = load_checkpoint(run_folder / "checkpoint.pt")["seen"]
    assert 192 <= paused_at < 1008
    first.press_go()  # go on in memory
    first.wait_for(TrainingState.LEARNING)
    first.qtbot.waitUntil(
        lambda: any(isinstance(e, Stepped) and e.pictures > paused_at for e in first.events), timeout=PATIENCE_MS
    )
    rows = first.presenter.rows
    first.close()  # in the middle of learning
    closed_at = load_checkpoint(run_folder / "checkpoint.pt")["seen"]
    assert paused_at < closed_at < 1008

    again = open_page()
    assert again.presenter.rows[: len(rows)] == rows  # before anything is pressed
    assert again.run_panel.go.text() == "Go on"
    again.press_go()
    again.wait_for(TrainingState.LEARNING)
    again.wait_for(TrainingState.IDLE)
    assert "has learned 1,008 pictures" in again.wait_for_message()
    assert [line.pictures for line in again.page.details._reports][-1] == 1008
    assert not again.run_panel.go.isEnabled()
    again.settings_panel.total.set_text("2000")
    assert again.run_panel.go.isEnabled()

    learning = Learning(tmp_path / "whole", plan)
    list(learning.go(threading.Event()))
    learning.close()
    assert same(run_folder, tmp_path / "whole")


def test_the_grid_is_scrubbed_in_both_times(driver: LearnDriver) -> None:
    run_at_rest(driver)
    count = len(driver.presenter.rows)
    assert (driver.presenter.row, driver.session.position) == (count - 1, 25)
    newest = driver.page.details.frame.picture_view.image
    QTest.keyClick(driver.grid, Qt.Key.Key_Up)
    QTest.keyClick(driver.grid, Qt.Key.Key_Left)
    driver.draw()
    assert driver.grid.cell == (count - 2, 24)
    assert driver.page.details.frame.picture_view.image != newest
    assert driver.page.samples.newest.isEnabled()
    QTest.keyClick(driver.page.samples.timeline, Qt.Key.Key_Up)  # leaves it to the training time
    QTest.keyClick(driver.page.samples.timeline, Qt.Key.Key_Home)
    driver.draw()
    assert driver.grid.cell == (count - 3, 0)
    at = driver.grid.cell_geometry
    left, top = at.corner(count - 1, len(at.columns) - 1)
    QTest.mouseClick(driver.grid, Qt.MouseButton.LeftButton, pos=QPoint(int(left + 5), int(top + 5)))
    driver.draw()
    assert driver.grid.cell == (count - 1, 25)
    assert not driver.page.samples.newest.isEnabled()
    assert driver.grid.accessibleDescription() == f"after {driver.presenter.rows[-1]:,} pictures, step 25"


def test_the_loss_leads_to_a_training_time(driver: LearnDriver) -> None:
    run_at_rest(driver)
    driver.page.details.loss.pictures_requested.emit(190.0)
    driver.draw()
    assert driver.presenter.rows[driver.presenter.row] == 192
    driver.page.samples.newest.click()
    assert driver.presenter.follows


def test_noise_and_kind_are_chosen_and_remembered(driver: LearnDriver, open_page: OpenPage) -> None:
    run_at_rest(driver, rows=1)
    before = driver.page.details.frame.picture_view.image
    driver.page.samples._noises.button(2).click()
    driver.draw()
    third = driver.page.details.frame.picture_view.image
    assert third != before
    driver.page.samples._kinds.button(1).click()
    QTest.keyClick(driver.grid, Qt.Key.Key_Left)
    driver.draw()
    assert driver.page.details.frame.title_button.text() == "Noisy state"
    driver.close()
    again = open_page()
    assert (again.presenter._noise, again.presenter._kind) == (2, STATE)
    again.page.details.frame.kind_requested.emit(GUESS)
    assert again.page.samples._kinds.button(0).isChecked()


def test_who_looks_at_an_older_row_goes_on_looking_at_it(driver: LearnDriver) -> None:
    driver.press_go()
    driver.wait_for_rows(2)
    driver.presenter.go_to_row(0)
    count = len(driver.presenter.rows)
    driver.wait_for_rows(count + 1)
    assert driver.presenter.row == 0
    driver.presenter.follow()
    driver.wait_for_rows(count + 2)
    assert driver.presenter.row == len(driver.presenter.rows) - 1


def test_stopping_lets_go_of_the_run_and_its_folder(driver: LearnDriver, run_folder: Path) -> None:
    driver.press_go()
    driver.wait_for_rows(2)
    driver.press_stop()
    driver.wait_for(TrainingState.IDLE)
    assert load_checkpoint(run_folder / "checkpoint.pt")["seen"] >= 192
    assert driver.run_panel.go.text() == "Go on"
    assert not driver.settings_panel.preset.isEnabled()  # it belongs to the run
    assert driver.settings_panel.total.isEnabled()
    driver.settings_panel.new_run.click()
    driver.qtbot.waitUntil(driver.settings_panel.preset.isEnabled, timeout=PATIENCE_MS)
    assert driver.run_panel.go.text() == "Start"
    assert driver.settings_panel.folder != run_folder


def test_a_wish_to_pause_is_seen_between_two_things_told(
    driver: LearnDriver, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a person's window, where most steps are not told: the run itself sees the wish, and ends by itself."""
    monkeypatch.setattr(live, "EMIT_EVERY_S", 1e9)
    driver.press_go()
    driver.wait_for_rows(2)  # what is told next is the report of 320 pictures
    driver.press_go()
    driver.qtbot.waitUntil(
        lambda: driver.learner.state in (TrainingState.PAUSED, TrainingState.IDLE), timeout=PATIENCE_MS
    )
    assert driver.learner.state is TrainingState.PAUSED
    driver.press_go()
    driver.wait_for(TrainingState.LEARNING)
    driver.wait_for(TrainingState.IDLE)
    assert load_checkpoint(run_folder / "checkpoint.pt")["seen"] == 1008
    assert driver.run_panel.line.text() == "1,008 of 1,008 pictures seen"
    assert not driver.run_panel.go.isEnabled()  # all are seen


def test_a_paused_run_is_stopped(driver: LearnDriver) -> None:
    run_at_rest(driver, rows=1)
    driver.page.stop()
    assert driver.learner.state is TrainingState.IDLE


def test_a_stop_is_obeyed_before_anything_is_learned(driver: LearnDriver) -> None:
    driver.press_go()
    assert driver.page.samples.title.text().startswith("Starting: ")  # at once
    assert "Press Start" not in driver.page.samples.text.text()
    driver.page._take(Preparing(is_rendering=True, done=360, of=480))
    assert driver.run_panel.line.text() == "360 of 480"
    driver.page._take(Preparing(is_rendering=True, done=0, of=480, note="The renderer is compiled."))
    assert driver.page.samples.text.text() == "The renderer is compiled."
    assert driver.messages.message == ""  # no notice, which would lie over other pages
    driver.page._take(Preparing(is_rendering=True, done=24, of=480))
    assert "compiled" not in driver.page.samples.text.text()
    driver.page._take(Preparing(is_rendering=True, done=0, of=480, note="The renderer is compiled."))
    driver.page.stop()
    assert "compiled" not in driver.page.samples.text.text()
    driver.wait_for(TrainingState.IDLE)
    assert driver.run_panel.go.isEnabled()
    assert "what noise looks like" in driver.page.samples.title.text()  # nothing is on its way any more
    assert driver.run_panel.line.text() == ""


def test_carving_with_what_was_learned(driver: LearnDriver) -> None:
    assert not driver.run_panel.carve.isEnabled()
    run_at_rest(driver, rows=1)
    with driver.qtbot.waitSignal(driver.page.model_ready, timeout=PATIENCE_MS) as ready:
        driver.run_panel.carve.click()
    assert load_sculptor(ready.args[0]).picture_size == 32
    driver.wait_for(TrainingState.PAUSED)  # it can go on


def test_an_empty_page_invites_and_says_what_is_missing(driver: LearnDriver) -> None:
    samples = driver.page.samples
    assert driver.page.details.learned.canvas.bottom.label.toPlainText().strip() == "natural logarithm of the SNR"
    assert "what noise looks like" in samples.title.text()
    assert "Press Start" in samples.text.text()
    assert samples.sketch.isVisible()
    samples.set_invitation("The pictures are on their way", "")
    assert "Press Start" not in samples.text.text()  # it has been
    assert driver.page.samples._stack.currentIndex() == 0
    driver.settings_panel.total.set_text("12")
    assert "choose 1,000 to" in driver.settings_panel.problem.text()
    assert not driver.run_panel.go.isEnabled()
    assert not driver.page.can_start
    driver.page.start()
    assert driver.learner.state is TrainingState.IDLE
    driver.settings_panel.preset.setCurrentIndex(driver.settings_panel.preset.findData(TINY))
    assert driver.run_panel.go.isEnabled()
    driver.settings_panel.preset.setCurrentIndex(driver.settings_panel.preset.findData(OWN))
    driver.settings_panel.pictures.set_path("")
    driver.settings_panel.total.set_text("2000")
    assert "16 pictures or more" in driver.settings_panel.problem.text()


# What can go wrong


def test_too_few_pictures(driver: LearnDriver, pictures: Path) -> None:
    (pictures / "00.png").unlink()
    driver.press_go()
    assert "holds 15 pictures that can be read" in driver.wait_for_message()
    driver.wait_for(TrainingState.IDLE)
    driver.settings_panel.pictures.chosen.emit(str(fill(pictures.parent / "more", 17)))
    driver.press_go()
    driver.wait_for(TrainingState.LEARNING)


def test_two_pages_on_one_run(driver: LearnDriver, open_page: OpenPage, settings: QSettings) -> None:
    run_at_rest(driver, rows=1)
    other = open_page()
    assert other.presenter.rows == driver.presenter.rows  # looking is free
    other.press_go()
    message = other.wait_for_message()
    assert "Another run is going on in" in message
    assert "choose another folder." in message
    driver.press_go()  # nothing has happened to the first
    driver.wait_for(TrainingState.LEARNING)


def test_a_full_disk(driver: LearnDriver, run_folder: Path) -> None:
    run_at_rest(driver, rows=1)
    seen = load_checkpoint(run_folder / "checkpoint.pt")["seen"]
    with no_file_larger_than(20_000):
        driver.press_go()
        driver.wait_for(TrainingState.IDLE)
    assert "checkpoint.pt could not be written (File too large). Make room" in driver.wait_for_message()
    assert load_checkpoint(run_folder / "checkpoint.pt")["seen"] == seen
    driver.press_go()
    driver.wait_for(TrainingState.LEARNING)


def test_a_folder_that_vanishes(driver: LearnDriver, run_folder: Path) -> None:
    driver.press_go()
    driver.wait_for_rows(1)
    run_folder.rename(run_folder.with_name("elsewhere"))
    driver.wait_for(TrainingState.IDLE)
    assert "could not be" in driver.wait_for_message()
    driver.grid.forget()
    driver.grid.grab()  # what cannot be read is left empty
    driver.press_go()
    driver.wait_for(TrainingState.LEARNING)


def test_a_loss_that_is_no_number(driver: LearnDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Trainer.step

    def spoilt(self: Trainer) -> Any:
        if self.seen == 48:
            with torch.no_grad():
                self.pipeline.unet.conv_in.weight.fill_(torch.nan)
        return real(self)

    monkeypatch.setattr(Trainer, "step", spoilt)
    driver.press_go()
    message = driver.wait_for_message()
    assert "The loss became nan after 48 pictures" in message
    assert "go on from it, or begin a new run" in message
    driver.wait_for(TrainingState.IDLE)


def test_a_fault_that_nobody_foresaw(driver: LearnDriver, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken(self: Trainer) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(Trainer, "step", broken)
    driver.press_go()
    assert "nobody foresaw (ZeroDivisionError: a mistake)" in driver.wait_for_message()
    assert driver.learner.state is TrainingState.IDLE


def test_a_folder_of_other_things(driver: LearnDriver, pictures: Path) -> None:
    driver.settings_panel.run_chosen.emit(str(pictures))
    assert "holds other things already" in driver.wait_for_message()
