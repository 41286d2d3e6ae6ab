"""A run is saved from the File menu and opened again, on screen as it was; a broken file is refused in a sentence."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton

from sculptor_app import folders
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.trajectory.file import SavedTrajectory, open_run
from sculptor_app.core.trajectory.journal import JournalTrajectory, new_journal
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.saved_run import write_sculpt
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.saving import saved_runs
from tests.helpers.runs import made_run
from tests.helpers.window import RUN_MS, Driver


@pytest.fixture
def finished(ready: Driver) -> Driver:
    ready.run(6)
    return ready


def open_by_menu(driver: Driver, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    bench = driver.window.bench
    bench.menus.actions["open_run"].trigger()
    driver.qtbot.waitUntil(lambda: not bench.saved_runs.is_busy, timeout=RUN_MS)
    driver.flush()


def test_a_run_is_kept_and_comes_back(finished: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window, session = finished.window, finished.session
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "kept"), ""))
    window.bench.menus.actions["save_run"].trigger()
    finished.qtbot.waitUntil(lambda: not window.bench.menus.files.writer.is_busy, timeout=RUN_MS)
    path, run, measures = tmp_path / "kept.sculpt", session.trajectory, session.measures
    assert f"Saved {path}" in window.panels.messages.message
    open_run(path).check_frames()

    open_by_menu(finished, path, monkeypatch)
    opened = session.trajectory
    assert isinstance(opened, SavedTrajectory)
    assert (session.source, session.last, session.position) == ("kept.sculpt", run.last, run.last)
    assert "kept.sculpt" in window.windowTitle()
    assert window.panels.run_bar.isHidden()
    finished.qtbot.waitUntil(lambda: session.measures is not None, timeout=RUN_MS)
    np.testing.assert_array_equal(session.measures.energies("guess"), measures.energies("guess"))
    for k in range(run.last + 1):
        session.go_to(k)
        finished.flush()
        np.testing.assert_array_equal(opened.state(k), run.state(k))
    assert window.bench.presenter.picture(FrameKind.CURRENT_GUESS) is not None

    assert session.run_before is not None
    assert session.run_before.trajectory is run
    window.bench.menus.actions["run_before"].trigger()
    assert session.trajectory is run


def test_an_opened_run_is_saved_again_and_exported(
    ready: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, menus = tmp_path / "made.sculpt", ready.window.bench.menus
    write_sculpt(path, made_run(guidance=3.0))
    assert not menus.actions["save_run"].isEnabled()
    open_by_menu(ready, path, monkeypatch)
    assert menus.actions["save_run"].isEnabled()
    for key, name in (("save_run", "again.sculpt"), ("save_numbers", "x.csv")):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, name=name, **__: (str(tmp_path / name), ""))
        menus.actions[key].trigger()
        ready.qtbot.waitUntil(lambda: not menus.files.writer.is_busy, timeout=RUN_MS)
    assert (tmp_path / "again.sculpt").read_bytes() == path.read_bytes()
    assert len((tmp_path / "x.csv").read_text("utf-8").splitlines()) > 9


def test_it_is_shown_on_carve_whichever_page_is_in_front(
    ready: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, bench = tmp_path / "made.sculpt", ready.window.bench
    write_sculpt(path, made_run())
    bench.pages.show("drown")
    assert not bench.menus.actions["save_run"].isEnabled()
    open_by_menu(ready, path, monkeypatch)
    assert bench.pages.page is None
    assert ready.session.source == "made.sculpt"


def with_damage(path: Path, state: int) -> Path:
    """A saved run of 16 × 16 pixels, one bit of one of whose states has flipped."""
    write_sculpt(path, made_run())
    content = bytearray(path.read_bytes())
    place = content.index(made_run().state(state).tobytes())
    content[place + 40] ^= 1
    path.write_bytes(content)
    return path


def test_a_file_whose_first_state_is_damaged_is_refused_and_what_is_on_screen_stays(
    finished: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished.session.trajectory
    open_by_menu(finished, with_damage(tmp_path / "made.sculpt", 0), monkeypatch)
    assert "made.sculpt is damaged" in finished.window.panels.messages.message
    assert finished.session.trajectory is run
    assert finished.window.panels.run_bar.isHidden()


@pytest.mark.parametrize("is_large", [False, True])
def test_of_a_damaged_file_what_comes_before_is_shown(
    finished: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_large: bool
) -> None:
    if is_large:
        monkeypatch.setattr(saved_runs, "CHECKED_FIRST_BYTES", 0)
    before = finished.session.trajectory
    open_by_menu(finished, with_damage(tmp_path / "made.sculpt", 5), monkeypatch)
    session, messages = finished.session, finished.window.panels.messages
    assert messages.message.startswith("made.sculpt is damaged: step 5 is not what was saved. What comes before, up to")
    run = session.trajectory
    assert isinstance(run, SavedTrajectory)
    assert (run.last, session.last, session.position) == (4, 4, 4)
    np.testing.assert_array_equal(run.state(4), made_run().state(4))
    assert [each.trajectory for each in session.runs_before] == [before]
    finished.qtbot.waitUntil(lambda: session.measures is not None, timeout=RUN_MS)


def test_a_large_file_is_shown_before_it_is_read_through(
    ready: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_runs, "CHECKED_FIRST_BYTES", 0)
    reading, go_on, check = threading.Event(), threading.Event(), SavedTrajectory.check_frames

    def slow(run: SavedTrajectory, stop: threading.Event, progress: object) -> None:
        reading.set()
        go_on.wait(30)
        check(run, stop, progress)

    monkeypatch.setattr(SavedTrajectory, "check_frames", slow)
    bench, session = ready.window.bench, ready.session
    bench.saved_runs.open(with_damage(tmp_path / "made.sculpt", 6))
    ready.qtbot.waitUntil(lambda: session.trajectory is not None and reading.is_set(), timeout=RUN_MS)
    assert (session.last, bench.saved_runs.is_busy) == (8, True)
    session.go_to(3)
    ready.flush()
    assert bench.presenter.picture(FrameKind.NOISY_STATE) is not None
    session.go_to(6)  # not known to be damaged yet
    ready.flush()
    assert bench.presenter.picture(FrameKind.NOISY_STATE) is None
    assert bench.presenter.value_text(1, 2, 2) == ""
    session.go_to(3)
    go_on.set()
    ready.qtbot.waitUntil(lambda: session.last == 5, timeout=RUN_MS)
    assert (session.position, session.runs_before) == (3, ())


def test_reading_through_a_large_file_can_be_stopped_and_it_stays(
    ready: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_runs, "CHECKED_FIRST_BYTES", 0)
    check = SavedTrajectory.check_frames

    def waiting(run: SavedTrajectory, stop: threading.Event, progress: object) -> None:
        stop.wait(30)
        check(run, stop, progress)

    monkeypatch.setattr(SavedTrajectory, "check_frames", waiting)
    write_sculpt(tmp_path / "made.sculpt", made_run())
    saved = ready.window.bench.saved_runs
    saved.open(tmp_path / "made.sculpt")
    ready.qtbot.waitUntil(lambda: ready.session.trajectory is not None, timeout=RUN_MS)
    saved.stop()
    ready.qtbot.waitUntil(lambda: not saved.is_busy, timeout=RUN_MS)
    assert (ready.session.last, ready.window.panels.messages.isVisible()) == (8, False)
    assert ready.window.panels.run_bar.isHidden()


def test_opening_can_be_stopped(ready: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, bench, read = tmp_path / "made.sculpt", ready.window.bench, threading.Event()
    write_sculpt(path, made_run())
    check = SavedTrajectory.check_frames

    def waiting(run: SavedTrajectory, stop: threading.Event, progress: object) -> None:
        read.set()
        stop.wait(30)
        check(run, stop, progress)

    monkeypatch.setattr(SavedTrajectory, "check_frames", waiting)
    bench.saved_runs.open(path)
    ready.qtbot.waitUntil(read.is_set, timeout=RUN_MS)
    assert ready.window.panels.run_bar.isVisible()
    bench.saved_runs.stop()
    ready.qtbot.waitUntil(lambda: not bench.saved_runs.is_busy, timeout=RUN_MS)
    assert "no run was opened" in ready.window.panels.messages.message
    assert ready.session.trajectory is None


def test_a_saved_run_is_made_again_and_found_the_same(
    finished: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, session, made = finished.window, finished.session, finished.session.trajectory
    reproduce = window.bench.menus.actions["reproduce"]
    assert not reproduce.isEnabled()
    write_sculpt(tmp_path / "kept.sculpt", made)
    open_by_menu(finished, tmp_path / "kept.sculpt", monkeypatch)
    assert reproduce.isEnabled()
    reproduce.trigger()
    finished.qtbot.waitUntil(lambda: "The same as the saved run" in window.panels.messages.message, timeout=RUN_MS)
    assert f"bit for bit: {made.last + 1} states." in window.panels.messages.message
    assert not isinstance(session.trajectory, SavedTrajectory)
    assert not reproduce.isEnabled()
    assert window.panels.messages._passing.isActive()  # the message passes, and the verdict stays with the run
    assert window.bench.stage.title.facts.text().endswith(" · as saved, bit for bit")
    finished.press(Qt.Key.Key_B, modifier=Qt.KeyboardModifier.ControlModifier)
    assert "as saved" not in window.bench.stage.title.facts.text()
    finished.press(Qt.Key.Key_B, modifier=Qt.KeyboardModifier.ControlModifier)
    assert window.bench.stage.title.facts.text().endswith(" · as saved, bit for bit")


def test_a_run_that_is_stopped_while_it_is_made_again_and_gone_on_with_has_a_verdict(
    ready: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.run(300)
    window, session, made = ready.window, ready.session, ready.session.trajectory
    write_sculpt(tmp_path / "kept.sculpt", made)
    open_by_menu(ready, tmp_path / "kept.sculpt", monkeypatch)
    window.bench.menus.actions["reproduce"].trigger()
    ready.wait_for_step(3)
    ready.click_stop()
    ready.wait_for_end()
    assert session.trajectory.last < 300
    assert window.bench.reproduction._run is None
    window.panels.run_panel.continuation_requested.emit()
    ready.qtbot.waitUntil(lambda: "The same as the saved run" in window.panels.messages.message, timeout=RUN_MS)
    assert "301 states" in window.panels.messages.message
    assert session.verdict == "as saved, bit for bit"


def test_a_run_from_a_picture_is_made_again_out_of_its_file(
    finished: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, session, whole = finished.window, finished.session, finished.session.trajectory
    start = Start(np.clip(whole.state(whole.last), -1, 1), first_step=3, origin="bust.jpg")
    window.panels.run_control.sample(whole.info.request, lambda engine, request: start)
    finished.wait_for_end()
    made = session.trajectory
    assert (made.last, made.info.origin) == (whole.planned_steps - 2, "bust.jpg")
    write_sculpt(tmp_path / "kept.sculpt", made)
    open_by_menu(finished, tmp_path / "kept.sculpt", monkeypatch)
    window.bench.menus.actions["reproduce"].trigger()
    finished.qtbot.waitUntil(lambda: "The same as the saved run" in window.panels.messages.message, timeout=RUN_MS)
    assert f"bit for bit: {made.last + 1} states." in window.panels.messages.message
    assert session.trajectory.info.title == made.info.title


def test_a_beginning_that_is_damaged_is_told(finished: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.full(finished.session.trajectory.shape, 0.123, np.float32)
    path = tmp_path / "kept.sculpt"
    write_sculpt(path, made_run(steps=3, size=picture.shape[1], start_picture=picture))
    path.write_bytes(path.read_bytes().replace(picture.tobytes(), picture.tobytes()[::-1]))
    open_by_menu(finished, path, monkeypatch)
    shown, messages = finished.session.trajectory, finished.window.panels.messages
    assert (shown.last, shown.is_complete) == (3, True)
    assert "what it began with is not what was saved" in messages.message


def test_a_run_that_parts_says_where(finished: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = finished.session.trajectory
    other = made_run(steps=made.planned_steps, size=made.shape[1])
    other.info = made.info
    write_sculpt(tmp_path / "kept.sculpt", other)
    open_by_menu(finished, tmp_path / "kept.sculpt", monkeypatch)
    finished.window.bench.menus.actions["reproduce"].trigger()
    messages = finished.window.panels.messages
    finished.qtbot.waitUntil(lambda: "Parts from the saved run" in messages.message, timeout=RUN_MS)
    assert "at the noise itself" in messages.message


def test_a_run_that_cannot_be_made_again_says_why(
    finished: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = made_run(steps=3)
    other.info = replace(other.info, origin="me.png")
    write_sculpt(tmp_path / "kept.sculpt", other)
    open_by_menu(finished, tmp_path / "kept.sculpt", monkeypatch)
    finished.window.bench.menus.actions["reproduce"].trigger()
    assert "This run began with me.png" in finished.window.panels.messages.message


def test_a_run_is_dropped_on_the_window(ready: Driver, tmp_path: Path) -> None:
    write_sculpt(tmp_path / "kept.sculpt", made_run(steps=3))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "kept.sculpt"))])
    given = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    entered = QDragEnterEvent(QPoint(9, 9), *given)
    QApplication.sendEvent(ready.window, entered)
    assert entered.isAccepted()
    QApplication.sendEvent(ready.window, QDropEvent(QPointF(9, 9), *given))
    ready.qtbot.waitUntil(lambda: isinstance(ready.session.trajectory, SavedTrajectory), timeout=RUN_MS)


@pytest.mark.parametrize("kind", ["gif", "html", "mp4"])
def test_what_was_exported_fills_the_fields_and_is_made_again(
    finished: Driver, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, controls = finished.session.trajectory, finished.window.panels.controls
    FORMATS[kind].write(tmp_path / f"x.{kind}", Export(before, AnimationOptions(size_px=64)))
    controls.seed.setText("99")
    controls.form.setCurrentIndex(3)
    open_by_menu(finished, tmp_path / f"x.{kind}", monkeypatch)
    messages = finished.window.panels.messages
    assert messages.message == f"The settings of x.{kind} are in the fields."
    assert finished.session.trajectory is before  # nothing is lost of what is on screen
    next(each for each in messages.findChildren(QPushButton) if each.text() == "Start").click()
    finished.wait_for_end()
    np.testing.assert_array_equal(finished.session.trajectory.state(6), before.state(6))


def test_a_photo_that_says_nothing_can_drown(ready: Driver, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), "red").save(tmp_path / "me.jpg")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "me.jpg"))])
    given = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(ready.window, QDragEnterEvent(QPoint(9, 9), *given))
    QApplication.sendEvent(ready.window, QDropEvent(QPointF(9, 9), *given))
    messages = ready.window.panels.messages
    ready.qtbot.waitUntil(lambda: "me.jpg carries no settings of a run." in messages.message, timeout=RUN_MS)
    next(each for each in messages.findChildren(QPushButton) if each.text() == "Open it in Drown").click()
    page = ready.window.bench.pages.page
    ready.qtbot.waitUntil(lambda: page.session.trajectory is not None, timeout=RUN_MS)
    assert page.session.trajectory.info.origin.startswith("me.jpg")


def test_a_run_that_was_broken_off_is_offered_and_comes_back(ready: Driver, tmp_path: Path) -> None:
    kept = new_journal(tmp_path)
    made_run(steps=5, taken=3, journal=kept).close()
    window, messages = ready.window, ready.window.panels.messages
    window.bench.saved_runs.offer_leftovers(tmp_path)
    ready.qtbot.waitUntil(lambda: messages.message.startswith("A run was broken off"), timeout=RUN_MS)
    assert "Bust · bronze · seed 7, step 3 of 5." in messages.message
    next(each for each in messages.findChildren(QPushButton) if each.text() == "Open it").click()
    run = ready.session.trajectory
    assert isinstance(run, JournalTrajectory)
    assert (run.last, ready.session.position) == (3, 3)
    np.testing.assert_array_equal(run.state(3), made_run(steps=5, taken=3).state(3))
    assert kept.path.exists()
    window.close()
    assert not kept.path.exists()


def test_a_run_keeps_a_journal_until_it_ends(ready: Driver) -> None:
    ready.start_long_run()
    assert len(list(folders.journals().iterdir())) == 1
    ready.runner.stop()
    ready.wait_for_end()
    assert list(folders.journals().iterdir()) == []
