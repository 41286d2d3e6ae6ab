"""The library in the real window: what ends is kept, found again, opened, compared, renamed, removed, brought back."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QInputDialog

from sculptor_app import folders
from sculptor_app.core.trajectory.library import Library
from sculptor_app.ui.saving.library import LibraryDialog
from tests.helpers.runs import made_run
from tests.helpers.window import RUN_MS, Driver


def kept(driver: Driver) -> Library:
    return driver.window.bench.library.library


def put_in(driver: Driver, **request: object) -> Path:
    run = made_run(size=24)
    run.info = replace(run.info, request=replace(run.info.request, **request), conditions=f"{request['form']} · bronze")
    path = kept(driver).keep(run)
    assert path is not None
    return path


def opened(driver: Driver) -> LibraryDialog:
    driver.window.bench.menus.actions["library"].trigger()
    dialog = driver.window.bench.menus._library_dialog
    driver.qtbot.waitUntil(lambda: not dialog._task.is_busy)
    return dialog


def listed(dialog: LibraryDialog) -> list[str]:
    return [dialog.shown.index(row, 0).data() for row in range(dialog.shown.rowCount())]


def wait(driver: Driver, dialog: LibraryDialog) -> None:
    driver.qtbot.waitUntil(lambda: not dialog._task.is_busy)


@pytest.fixture
def three(ready: Driver) -> tuple[Driver, LibraryDialog]:
    """The library with a bust, a vase and a ring in it, the ring the newest."""
    import os

    for number, form in enumerate(("bust", "vase", "ring")):
        path = put_in(ready, form=form)
        os.utime(path, (1e9 + number, 1e9 + number))
    return ready, opened(ready)


def test_a_run_that_ends_is_in_the_library(ready: Driver) -> None:
    dialog = opened(ready)
    assert listed(dialog) == []
    assert "is kept here" in dialog.empty.text()
    ready.run(3)
    ready.qtbot.waitUntil(lambda: len(listed(dialog)) == 1 and dialog.chosen is not None and bool(dialog.chosen.title))
    row = dialog.chosen
    assert row.title[0] == "Bust · bronze"
    assert row.picture is not None
    assert row.run.path.parent == folders.library()
    assert dialog.state.text().startswith("1 run, ")


def test_a_run_that_is_stopped_is_kept_as_far_as_it_came(ready: Driver) -> None:
    ready.start_long_run(until=5)
    ready.click_stop()
    ready.wait_for_end()
    ready.qtbot.waitUntil(lambda: not ready.window.bench.library.is_busy)
    row = opened(ready).chosen
    assert row.steps.endswith(" / 1000")


def test_a_run_is_opened(three: tuple[Driver, LibraryDialog]) -> None:
    driver, dialog = three
    assert [text.partition(" ")[0] for text in listed(dialog)] == ["ring-bronze-7", "vase-bronze-7", "bust-bronze-7"]
    QTest.keyClick(dialog.list, Qt.Key.Key_Down)
    assert dialog.chosen.title[0] == "Vase · bronze"
    QTest.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    driver.qtbot.waitUntil(lambda: driver.session.trajectory is not None, timeout=RUN_MS)
    assert driver.session.trajectory.info.request.form == "vase"


def test_a_run_is_put_beside_the_one_on_screen(three: tuple[Driver, LibraryDialog]) -> None:
    driver, dialog = three
    run = made_run(size=24)
    driver.window.panels.run_control.show_run(run)
    QTest.mouseClick(dialog.compare_button, Qt.MouseButton.LeftButton)
    driver.qtbot.waitUntil(lambda: driver.session.compared is not None, timeout=RUN_MS)
    assert driver.session.trajectory is run
    assert driver.session.compared.trajectory.info.request.form == "ring"
    driver.qtbot.waitUntil(lambda: driver.session.compared.measures is not None, timeout=RUN_MS)


def test_runs_are_found_by_their_words(three: tuple[Driver, LibraryDialog]) -> None:
    _, dialog = three
    QTest.keyClicks(dialog.word_line, "BRONZE va")
    assert len(listed(dialog)) == 1
    assert dialog.chosen.title[0] == "Vase · bronze"
    QTest.keyClicks(dialog.word_line, " nothing (")
    assert listed(dialog) == []
    assert dialog.empty.text() == "No run has all of these words."
    assert not dialog.open_button.isEnabled()
    assert not dialog.remove_button.isEnabled()


def test_a_run_is_named_and_stays(three: tuple[Driver, LibraryDialog], monkeypatch: pytest.MonkeyPatch) -> None:
    driver, dialog = three
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("The best ring", True))
    dialog.rename()
    wait(driver, dialog)
    assert dialog.chosen.run.name == "The best ring"
    assert dialog.chosen.run.is_named
    driver.window.bench.menus._set_library_budget(0)
    kept(driver).bound()
    dialog.reload()
    wait(driver, dialog)
    assert [text.partition(" · ")[0] for text in listed(dialog)] == ["The best ring"]


def test_a_name_that_cannot_be_is_refused_in_a_sentence(
    three: tuple[Driver, LibraryDialog], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dialog = three
    said: list[str] = []
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("a/b", True))
    monkeypatch.setattr(LibraryDialog, "_say", lambda self, sentence: said.append(sentence))
    before = dialog.chosen.run.name
    dialog.rename()
    assert "“a/b” cannot be the name of a run. Leave out" in said[0]
    assert dialog.chosen.run.name == before


def test_what_was_removed_comes_back(three: tuple[Driver, LibraryDialog]) -> None:
    driver, dialog = three
    before = listed(dialog)
    dialog.list.setFocus()
    QTest.keyClick(dialog.list, Qt.Key.Key_Delete)
    wait(driver, dialog)
    assert listed(dialog) == before[1:]
    assert dialog.chosen.title[0] == "Vase · bronze"
    assert dialog.state.text().startswith("Removed ring-bronze-7")
    QTest.mouseClick(dialog.undo_button, Qt.MouseButton.LeftButton)
    wait(driver, dialog)
    assert listed(dialog) == before
    assert dialog.chosen.title[0] == "Ring · bronze"
    assert not dialog.undo_button.isVisible()


def test_a_file_that_is_no_run_can_be_removed_and_not_opened(ready: Driver) -> None:
    put_in(ready, form="bust")
    (kept(ready).folder / "Broken.sculpt").write_bytes(b"x")
    dialog = opened(ready)
    QTest.keyClicks(dialog.word_line, "broken")
    assert "is no run that was saved here" in dialog.chosen.fault
    assert not dialog.open_button.isEnabled()
    assert dialog.remove_button.isEnabled()
    dialog.grab()


def test_a_run_that_has_vanished_is_told(three: tuple[Driver, LibraryDialog], monkeypatch: pytest.MonkeyPatch) -> None:
    _, dialog = three
    said: list[str] = []
    monkeypatch.setattr(LibraryDialog, "_say", lambda self, sentence: said.append(sentence))
    dialog.chosen.run.path.unlink()
    dialog.remove()
    assert "is not there any more" in said[0]


def test_without_room_nothing_is_kept(ready: Driver) -> None:
    ready.window.bench.menus._set_library_budget(0)
    ready.run(2)
    assert not ready.window.bench.library.is_busy
    assert kept(ready).runs() == []


def test_the_room_is_remembered(ready: Driver) -> None:
    group = ready.window.bench.menus.table.groups["library_mb"]
    next(action for action in group.actions() if action.text() == "4 GB").trigger()
    assert ready.window.bench.library.budget_bytes == 4 * 10**9
    assert kept(ready).budget_bytes == 4 * 10**9
    ready.window.bench.menus.save(ready.window.settings)
    assert ready.window.settings.value("choices/library_mb") == "4000"


def test_a_window_that_is_closed_at_once_keeps_its_run(ready: Driver) -> None:
    library = kept(ready)
    ready.run(3)
    ready.window.close()
    assert len(library.runs()) == 1


def test_a_full_disk_is_told_and_the_run_stays_on_screen(ready: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept(ready), "keep", full)
    ready.run(2)
    messages = ready.window.panels.messages
    ready.qtbot.waitUntil(lambda: "library" in messages.message)
    assert "No space left on device" in messages.message
    assert ready.session.trajectory.is_complete
