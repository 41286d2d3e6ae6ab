"""Full screen for a lecture room, and the context menu of pictures, filmstrip cells and plots."""

import errno
import re
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QMouseEvent, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QLabel, QMenu, QWidget

from sculptor_app.exports.settings import read_settings
from sculptor_app.ui.learn.page import LearnPage
from sculptor_app.ui.playback.stage import ALONE, AUTOMATIC
from sculptor_app.ui.saving import files, picture_menu
from sculptor_app.ui.saving.files import Files
from sculptor_app.ui.saving.picture_menu import subject_of
from tests.helpers.window import Driver

EXPONENT = re.compile(r"\d[eE][+-]?\d")
ONE_OF_SEVERAL = re.compile(r"(?<![\d.,–])1 (?:steps|layers|pictures|files|frames|pixels|samples|bytes)\b")


def texts_of(window: QWidget) -> list[str]:
    """Everything that a person can read in a window, tooltips and menus included."""
    found = []
    for widget in window.findChildren(QWidget):
        found += [widget.toolTip(), widget.accessibleName(), widget.accessibleDescription()]
        if isinstance(widget, QLabel):
            found.append(widget.text())
        if isinstance(widget, QComboBox):
            found += [widget.itemText(row) for row in range(widget.count())]
        found += [text for action in widget.actions() for text in (action.text(), action.toolTip())]
    return [text for text in found if text]


def placed(driver: Driver) -> list[tuple[QWidget, QWidget, int]]:
    stage, timeline = driver.window.bench.stage, driver.window.panels.timeline
    return [(part, part.parentWidget(), part.height()) for part in (stage, timeline)]


@pytest.fixture
def run_of_one_step(ready: Driver) -> Driver:
    ready.run(1)
    return ready


def test_the_page_in_front_fills_the_screen_and_goes_back(ready: Driver) -> None:
    driver, window = ready, ready.window
    welcome, middle = window.panels.welcome, window.panels.middle
    driver.press(Qt.Key.Key_F11, window)
    assert window.bench.full_screen.isAncestorOf(welcome)  # there is no run yet
    driver.run(1)
    assert window.bench.full_screen.isAncestorOf(window.bench.stage)
    assert middle.isAncestorOf(welcome)
    assert not welcome.isVisible()
    driver.press(Qt.Key.Key_Escape)
    assert middle.currentWidget() is window.bench.stage
    assert [text for text in texts_of(window) if EXPONENT.search(text) or ONE_OF_SEVERAL.search(text)] == []
    bench, full, stage = window.bench, window.bench.full_screen, window.bench.stage
    title = stage.panels[0].title_button
    before, points, arrangement = placed(driver), title.font().pointSizeF(), stage.arrangement
    driver.press(Qt.Key.Key_F11, window)
    assert full.is_on
    assert window.isFullScreen()
    assert full.geometry() == window.rect()
    assert [part.window() for part, _, _ in before] == [window, window]
    assert all(full.isAncestorOf(part) and part.isVisible() for part, _, _ in before)
    assert title.font().pointSizeF() >= 1.2 * points
    assert bench.menus.actions["full_screen"].isChecked()
    hint = full.findChild(QLabel, "full_screen_hint")
    texts = [each for panel in stage.panels for each in (panel.title_button, panel.note)] + [window.panels.timeline]
    assert hint.isVisible()
    window.resize(1280, 600)  # the frames are as high as the room
    for each in texts:
        assert not hint.geometry().intersects(each.rect().translated(each.mapTo(full, QPoint()))), each
    driver.press(Qt.Key.Key_1)
    assert (stage.arrangement, stage.panels[1].isVisible()) == (ALONE, False)
    driver.press(Qt.Key.Key_Home)
    assert driver.session.position == 0
    driver.press(Qt.Key.Key_3)
    assert (stage.arrangement, stage.panels[1].isVisible()) == (AUTOMATIC, True)
    driver.start_long_run()  # a new run keeps the screen
    assert full.is_on
    driver.press(Qt.Key.Key_Escape)
    assert (full.is_on, driver.session.is_running) == (False, True)  # it leaves, and stops nothing
    driver.press(Qt.Key.Key_Escape)
    driver.wait_for_end()
    bench.menus.actions["full_screen"].trigger()
    assert full.is_on
    assert stage.isVisible()
    window.bench.pages.show("drown")
    page = window.bench.pages.page
    assert page is not None
    assert full.isAncestorOf(page.stage)
    assert not full.isAncestorOf(stage)
    assert [part.parentWidget() for part, _, _ in before] == [parent for _, parent, _ in before]
    driver.press(Qt.Key.Key_Escape)
    assert not full.is_on
    assert not window.isFullScreen()
    assert page.isAncestorOf(page.stage)
    assert page.isAncestorOf(page.timeline)
    learn = window.bench.pages.show("learn")
    assert isinstance(learn, LearnPage)
    columns = [learn.splitter.widget(place) for place in range(3)]
    driver.press(Qt.Key.Key_F11, window)
    assert full.isAncestorOf(learn.samples)
    driver.press(Qt.Key.Key_F11, window)
    assert [learn.splitter.widget(place) for place in range(learn.splitter.count())] == columns
    window.bench.pages.show("carve")
    assert stage.isVisible()
    assert title.font().pointSizeF() == points
    assert stage.arrangement == arrangement
    assert not bench.menus.actions["full_screen"].isChecked()


def menu_at(driver: Driver, widget: QWidget, place: QPoint | None = None) -> list[str]:
    """The entries of the menu of a place, or of the keyboard's menu key where that is None."""
    window, by_keyboard = driver.window, place is None
    reason = QContextMenuEvent.Reason.Keyboard if by_keyboard else QContextMenuEvent.Reason.Mouse
    if by_keyboard:
        widget.setFocus(Qt.FocusReason.TabFocusReason)
    there = widget.mapToGlobal(place or widget.rect().center())
    QApplication.sendEvent(widget, QContextMenuEvent(reason, widget.mapFromGlobal(there), there))
    menus = [menu for menu in window.findChildren(QMenu) if menu.isVisible() and menu.parent() is window]
    entries = [action.text().replace("&", "") for action in menus[0].actions() if action.text()] if menus else []
    for menu in menus:
        menu.close()
    return entries


PICTURE = [
    "Copy picture", "Save picture…", "Fork here with", "Carve by hand here", "Open in Drown", "What am I seeing?",
    "Full screen",
]  # fmt: skip
PLOT = ["Copy plot", "Save plot…", "What am I seeing?", "Full screen"]


def test_every_picture_cell_and_plot_has_a_menu(
    run_of_one_step: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, window = run_of_one_step, run_of_one_step.window
    bench, plots = window.bench, window.panels.plots
    window.resize(1300, 760)  # no panel is folded
    QApplication.processEvents()
    view, film = bench.stage.panels[1].picture_view, bench.film
    cell = film.visualRect(film.model().index(1, 0)).center()
    for widget, place, wanted in (
        (view, QPoint(20, 20), PICTURE), (view, None, PICTURE),
        (film.viewport(), cell, PICTURE), (film, None, PICTURE),
        (plots.band_plot.canvas.viewport(), QPoint(60, 40), PLOT), (plots.spectrum_plot.canvas, None, PLOT),
    ):  # fmt: skip
        assert menu_at(driver, widget, place) == wanted
    found = subject_of(film.viewport(), film.viewport().mapToGlobal(cell))
    assert found is not None
    subject = found[0]
    assert (subject.position, subject.image.width()) == (1, view.image.width())  # whole, not as small as the cell
    bench.picture_menu.menu_of(subject).actions()[0].trigger()
    assert QGuiApplication.clipboard().image().size() == subject.image.size()
    target = tmp_path / "cell.png"
    monkeypatch.setattr(Files, "ask_size", lambda self, sizes, usual_px, *rest: usual_px)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments, **options: (str(target), ""))
    bench.picture_menu.menu_of(subject).actions()[1].trigger()
    driver.qtbot.waitUntil(target.exists)
    assert read_settings(target)["export"]["state"] == 1
    frame = subject_of(view, view.mapToGlobal(QPoint(9, 9)))
    assert frame is not None
    assert frame[0].term == "noisy"


def test_what_is_chosen_has_a_tick(driver: Driver) -> None:
    actions = driver.window.bench.menus.actions
    assert actions["page_carve"].isChecked()
    actions["page_carve"].trigger()  # again: the tick stays
    assert actions["page_carve"].isChecked()
    actions["page_learn"].trigger()
    assert (actions["page_carve"].isChecked(), actions["page_learn"].isChecked()) == (False, True)
    panel = driver.window.bench.stage.panels[0]
    menu = panel.zoom_button.menu()
    menu.aboutToShow.emit()
    assert [action.text() for action in menu.actions() if action.isChecked()] == ["Fit"]


class Drag:
    """Takes the place of Qt's drag, which waits for the pointer of a person."""

    begun: ClassVar[list["Drag"]] = []

    def __init__(self, source: QWidget) -> None:
        self.source, self.carried = source, QMimeData()
        Drag.begun.append(self)

    def setMimeData(self, carried: QMimeData) -> None:
        self.carried = carried

    def setPixmap(self, shown: QPixmap) -> None:
        self.shown = shown

    def setHotSpot(self, place: QPoint) -> None: ...

    def exec(self, action: Qt.DropAction) -> None: ...


@pytest.fixture
def drags(monkeypatch: pytest.MonkeyPatch) -> list[Drag]:
    monkeypatch.setattr(picture_menu, "QDrag", Drag)
    monkeypatch.setattr(Drag, "begun", [])
    return Drag.begun


def drag(view: QWidget, far_px: int) -> None:
    """Press in the middle, move, and let go."""
    place = view.rect().center()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=place)
    to, none = QPointF(place + QPoint(far_px, 0)), Qt.MouseButton.NoButton
    moved = QMouseEvent(
        QEvent.Type.MouseMove, to, view.mapToGlobal(to), none, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(view, moved)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=place + QPoint(far_px, 0))


def test_a_frame_is_dragged_out_of_the_window_as_a_picture_and_a_file(ready: Driver, drags: list[Drag]) -> None:
    ready.run(4)
    view = ready.window.bench.stage.panels[0].picture_view
    drag(view, 3)
    assert not drags  # a click with an unsteady hand
    drag(view, 60)
    (begun,) = drags
    assert begun.carried.imageData().size() == view.image.size()
    assert max(begun.shown.width(), begun.shown.height()) == picture_menu.DRAGGED_PX
    path = Path(begun.carried.urls()[0].toLocalFile())
    assert path.name == "bust-bronze-7-step-4-guess.png"
    assert read_settings(path)["request"]["form"] == "bust"
    ready.window.close()
    assert not path.exists()


def test_a_frame_that_is_zoomed_is_panned_and_an_empty_one_stays(ready: Driver, drags: list[Drag]) -> None:
    view = ready.window.bench.stage.panels[0].picture_view
    drag(view, 60)
    assert not drags
    ready.run(2)
    view.zoom_by(6)
    before = view.view
    drag(view, 60)
    assert not drags
    assert view.view != before


def test_a_frame_is_dragged_without_a_file_where_there_is_no_room(
    ready: Driver, drags: list[Drag], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def full(_: str):
        raise OSError(errno.ENOSPC, "no room")
        yield

    monkeypatch.setattr(files, "temporary_folder", full)
    ready.run(2)
    drag(ready.window.bench.stage.panels[0].picture_view, 60)
    assert drags[0].carried.hasImage()
    assert not drags[0].carried.hasUrls()
