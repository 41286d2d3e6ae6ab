"""What the window remembers, and how it fits."""

from collections import Counter

import pytest
from PySide6.QtCore import QAbstractAnimation, QCoreApplication, QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.core.trajectory.levels import LevelSequence
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui import theme
from sculptor_app.ui.playback.stage import ROW
from sculptor_app.ui.shell.main_window import FRAME_ROOM, MainWindow
from sculptor_app.ui.theme.tokens import LEFT_PANEL_PX
from sculptor_app.ui.why.experiments import Experiment
from sculptor_app.ui.widgets.basics import LayoutBarrier
from sculptor_app.ui.widgets.folding import RAIL_PX
from tests.helpers.window import RUN_MS, Driver


def tick(group, value) -> None:
    next(action for action in group.actions() if action.data() == value).trigger()


def test_choices_of_an_older_program_are_understood(open_window) -> None:
    first = open_window().window
    settings = first.settings
    first.close()
    settings.setValue("choices/memory_mb", "2048")
    settings.setValue("choices/film", "unguided")
    again = open_window().window
    assert again.panels.runner.budget_bytes == 2 * 10**9
    assert again.bench.presenter.film_kind is FrameKind.UNCONDITIONAL_GUESS


def test_choices_and_panels_come_back(open_window) -> None:
    first = open_window()
    window = first.window
    first.type_into(window.panels.controls.seed, "4242")
    first.type_into(window.panels.controls.steps, "33")
    window.panels.controls.material.setCurrentIndex(0)
    menus = window.bench.menus
    tick(menus.table.groups["arrangement"], ROW)
    tick(menus.table.groups["theme"], "dark")
    tick(menus.table.groups["memory_mb"], 1000)
    tick(menus.table.groups["settled"], "energy")
    window.bench.stage.set_kinds([FrameKind.NOISY_STATE, FrameKind.CURRENT_GUESS, FrameKind.GUESS_CHIPS])
    tick(menus.table.groups["playing_speed"], 2.0)
    assert window.panels.session.speed == 2
    window.panels.session.set_speed(25)  # which the menu does not have
    window.panels.transport.film_button.click()
    window.panels.dock_layout.docks["block"].widget().fold_buttons[0].click()
    window.close()
    again = open_window().window
    request = again.panels.controls.request()
    assert (request.seed, request.steps, request.material) == (4242, 33, None)
    assert again.bench.stage.arrangement == ROW
    assert again.bench.stage.kinds[2] is FrameKind.GUESS_CHIPS
    assert again.panels.runner.budget_bytes == 10**9
    assert again.panels.session.speed == 25
    assert again.panels.session.settling_rule == "energy"
    assert not again.panels.dock_layout.docks["film"].isVisible()
    assert not again.panels.dock_layout.docks["block"].widget().is_open
    assert theme.theme().is_dark
    again.bench.menus.actions["reset_layout"].trigger()
    assert again.panels.dock_layout.docks["film"].isVisible()
    assert again.panels.dock_layout.docks["block"].widget().is_open


def test_settings_that_were_edited_by_hand_are_no_trouble(open_window, settings) -> None:
    for key in ("window/geometry", "window/layout", "choices/speed", "choices/kinds", "choices/theme", "request/form"):
        settings.setValue(key, "nonsense")
    window = open_window().window
    assert window.panels.controls.request() is not None
    assert window.bench is not None


def test_panels_can_be_moved_on_request(driver: Driver) -> None:
    dock = driver.window.panels.dock_layout.docks["plots"]
    move = driver.window.bench.menus.actions["move_panels"]
    buttons = lambda: dock.titleBarWidget().findChildren(QToolButton)  # noqa: E731
    assert buttons() == []
    move.trigger()
    assert all(min(button.width(), button.height()) >= 20 for button in buttons())
    buttons()[0].click()
    assert dock.isFloating()
    move.trigger()
    QTest.mouseClick(buttons()[1], Qt.MouseButton.LeftButton)  # what floats can be closed, movable or not
    assert not dock.isVisible()
    driver.window.panels.dock_layout.reset()
    assert (dock.isFloating(), dock.isVisible(), buttons()) == (False, True, [])


SMALL_SCREENS = {"1600x1000 at 1.5": (1067, 667), "1600x1000 at 2": (800, 500), "1280x720 at 1.5": (853, 480),
                 "1280x720 at 2": (640, 360)}  # fmt: skip


@pytest.mark.parametrize("screen", SMALL_SCREENS.values(), ids=SMALL_SCREENS)
def test_the_window_is_never_larger_than_the_screen(
    open_window, monkeypatch: pytest.MonkeyPatch, screen: tuple[int, int]
) -> None:
    """At the first start, in every page, and when the size of a larger screen is remembered."""
    large = open_window().window
    large.resize(1500, 950)
    large.close()
    room = QSize(*screen) - FRAME_ROOM
    monkeypatch.setattr(MainWindow, "room_on_screen", lambda window: room)
    window = open_window().window
    window.panels.plots.load()
    for entry in window.bench.pages.entries:
        window.bench.pages.show(entry.key)
        QApplication.processEvents()
        assert window.size() == window.size().boundedTo(room), entry.key
        assert window.minimumSizeHint() == window.minimumSizeHint().boundedTo(room), entry.key


def test_a_panel_on_a_small_screen_scrolls_to_its_end(qtbot: QtBot) -> None:
    content = QLabel("x")
    content.setMinimumSize(1, 1)
    content.minimumSizeHint = lambda: QSize(500, 300)
    barrier = LayoutBarrier(content)
    qtbot.addWidget(barrier)
    assert barrier.minimumSizeHint() == LayoutBarrier.asks_at_most
    barrier.resize(240, 120)
    barrier.show()
    across, down = barrier._across, barrier._down
    across.setValue(across.maximum())
    down.setValue(down.maximum())
    assert content.geometry().right() == down.geometry().left() - 1
    assert content.geometry().bottom() == across.geometry().top() - 1
    barrier.resize(520, 320)
    assert (across.isHidden(), down.isHidden()) == (True, True)
    assert content.geometry() == barrier.rect()


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900)])
def test_nothing_is_cut_off(ready: Driver, size: tuple[int, int]) -> None:
    window = ready.window
    window.resize(*size)
    ready.run(6)
    ready.qtbot.waitUntil(lambda: (window.width(), window.height()) == size)
    assert window.minimumSizeHint().width() <= size[0]
    assert window.minimumSizeHint().height() <= size[1]
    controls = window.panels.controls
    for field in (controls.form, controls.seed, controls.steps, controls.sampler, controls.device):
        corner = field.mapTo(window, field.rect().bottomRight())
        assert window.rect().contains(corner)
        assert not field.visibleRegion().isEmpty()
    for panel in window.bench.stage.panels:
        assert window.bench.stage.rect().contains(panel.geometry())
        assert panel.picture_view.width() >= 150


def test_the_first_window_leaves_room_for_its_frame_on_the_screen(qtbot: QtBot) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    available = window.screen().availableGeometry()
    assert window.height() == min(900, available.height() - 40)
    assert window.width() == min(1440, available.width() - 8)


def test_a_plan_is_shown_before_the_first_run_and_follows_the_controls(ready: Driver) -> None:
    timeline, welcome = ready.window.panels.timeline, ready.window.panels.welcome
    ready.qtbot.waitUntil(lambda: timeline._planned == 50)
    assert welcome._steps["decisions"].text() == "steps 1–5"
    ready.set_steps(20)
    ready.qtbot.waitUntil(lambda: timeline._planned == 20)
    assert timeline.maximum() == 0  # nothing to go to yet


def test_views_are_told_apart_for_screen_readers(ready: Driver) -> None:
    ready.run(3)
    learn = ready.window.bench.pages.show("learn")
    learn.session.show(LevelSequence(ready.session.trajectory.levels), None, running=True)  # as the first samples do
    assert ready.window.windowTitle() == "Sculptor"
    ready.window.bench.pages.show("carve")
    assert ready.window.windowTitle().startswith("Bust · bronze")
    for panel, name in zip(ready.window.bench.stage.panels, ("Current guess", "Noisy state", "Chips"), strict=True):
        assert panel.picture_view.accessibleName() == name
    for widget in ready.window.panels.controls.findChildren(type(ready.window.panels.controls.form)):
        assert widget.accessibleName()


def test_a_zoom_in_one_frame_is_a_zoom_in_all(ready: Driver) -> None:
    ready.run(3)
    panels = ready.window.bench.stage.panels
    panels[0].picture_view.zoom_by(2)
    views = [panel.picture_view.view for panel in panels]
    assert not views[0].is_fit
    assert views[0] == views[1] == views[2]


def test_the_error_hook_speaks_in_the_window_and_logs(driver: Driver, caplog) -> None:
    from sculptor_app.logs import ExceptionHook
    from sculptor_app.ui.shell.app import CrashReporter

    hook = ExceptionHook(CrashReporter(driver.window.panels.messages).report)
    hook.install()
    try:
        hook.report(KeyError("nobody"))
        QApplication.processEvents()
        assert "KeyError: 'nobody'" in driver.window.panels.messages.message
        assert "save it" in driver.window.panels.messages.message
        assert any(record.exc_info for record in caplog.records)
    finally:
        hook.remove()


def test_escape_stops_only_what_runs(driver: Driver) -> None:
    driver.press(Qt.Key.Key_Escape)
    assert driver.window.isVisible()
    assert not driver.window.bench.menus.actions["stop"].isEnabled()


@pytest.mark.window  # the screen that is not there is too small for panels of more than their least width
def test_panels_come_back_as_wide_as_they_were_left(open_window, qtbot: QtBot) -> None:
    window = open_window().window
    docks = [window.panels.dock_layout.docks["block"], window.panels.dock_layout.docks["plots"]]
    qtbot.waitUntil(lambda: docks[0].width() == LEFT_PANEL_PX)
    window.resizeDocks(docks, [LEFT_PANEL_PX + 60, 330], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: docks[0].width() == LEFT_PANEL_PX + 60)
    left = [dock.width() for dock in docks]
    window.close()
    again = open_window().window
    qtbot.waitUntil(lambda: [again.panels.dock_layout.docks[name].width() for name in ("block", "plots")] == left)


def places(driver: Driver, **widgets: QWidget) -> dict[str, tuple[int, ...]]:
    """Left, top, width and height of widgets, in the window."""
    for _ in range(4):  # docks and plots are laid out one after the other
        QApplication.processEvents()
    corners = {name: widget.mapTo(driver.window, QPoint(0, 0)) for name, widget in widgets.items()}
    return {name: (at.x(), at.y(), widgets[name].width(), widgets[name].height()) for name, at in corners.items()}


def carve_places(driver: Driver) -> dict[str, tuple[int, ...]]:
    panels = driver.window.panels
    transport, plots = panels.transport, panels.plots
    return places(
        driver, start=panels.run_panel.button, seed=panels.controls.seed, step=transport.step_box,
        follow=transport.follow_button, timeline=panels.timeline, film=panels.film_panel, middle=panels.stack,
        bands=plots.band_plot.canvas, spectrum=plots.spectrum_plot.canvas,
    )  # fmt: skip


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900)])
def test_nothing_moves_from_the_first_start_to_the_last_step(ready: Driver, size: tuple[int, int]) -> None:
    ready.window.resize(*size)
    ready.set_steps(12)
    before = carve_places(ready)
    ready.click_start()
    ready.wait_for_step(1)
    assert carve_places(ready) == before
    ready.wait_for_end()
    assert carve_places(ready) == before
    frames = {f"frame {n}": panel for n, panel in enumerate(ready.window.bench.stage.panels)}
    stood = places(ready, **frames)
    for k in range(13):
        ready.session.go_to(k)
        ready.flush()
        assert carve_places(ready) == before, k
        assert places(ready, **frames) == stood, k


def why_places(driver: Driver) -> dict[str, tuple[int, ...]]:
    page = driver.window.bench.pages.page
    controls, header = page.controls[page.experiment], page.header
    return places(
        driver, start=page.run_panel.button, seed=controls.seed, sampler=controls.sampler, grid=page.grid,
        guess=header.guess, title=header.title, chooser=page.chooser, step=page.transport.step_box,
        follow=page.transport.follow_button, timeline=page.timeline,
    )  # fmt: skip


def test_nothing_moves_on_the_page_of_many_runs_from_the_first_start_to_the_way_back(ready: Driver) -> None:
    ready.window.resize(1024, 700)
    page = ready.window.bench.pages.show("why")
    page.chooser.choose(Experiment.NOISES)
    controls = page.controls[Experiment.NOISES]
    controls.steps.set_text("12")
    ready.qtbot.waitUntil(lambda: not page.noise_preview.is_busy and bool(page.grid.runs), timeout=RUN_MS)
    before, cells = why_places(ready), [page.grid.cell_rect(cell) for cell in range(12)]
    for start in range(2):
        page.start()
        assert why_places(ready) == before, start
        ready.qtbot.waitUntil(lambda: page.session.is_running and page.session.last > 0, timeout=RUN_MS)
        assert why_places(ready) == before, start
        ready.qtbot.waitUntil(lambda: not page.is_busy, timeout=RUN_MS)
    controls.steps.set_text("5")  # the fields differ, and there is a way back
    assert page.run_panel.take_over.isVisible()
    assert page.header.title.back.isVisible()
    assert why_places(ready) == before
    assert [page.grid.cell_rect(cell) for cell in range(12)] == cells


def timers_of(window: MainWindow) -> int:
    """Timers of a window that run."""
    return sum(each.isActive() for each in window.findChildren(QTimer))


def inventory(window: MainWindow) -> tuple[Counter[str], int, int, QSize]:
    """The objects of a window by class, items painted in plots, timers that run, and its size."""
    from pyqtgraph import GraphicsView

    for _ in range(4):
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    lasting = (each for each in window.findChildren(QObject) if not isinstance(each, QAbstractAnimation))
    kinds = Counter(type(each).__name__ for each in lasting)
    painted = sum(len(each.scene().items()) for each in window.findChildren(GraphicsView))
    return kinds, painted, timers_of(window), window.size()


def test_pages_entered_and_left_again_and_again_leave_nothing_behind(driver: Driver) -> None:
    """Before they are ready, when they are, and while a run goes on: no second plot, marker, timer or widget."""
    window, pages = driver.window, driver.window.bench.pages

    def walk(times: int = 3) -> None:
        for _ in range(times):
            for key in ("drown", "learn", "why", "carve"):
                pages.show(key)
                QApplication.processEvents()

    walk()
    driver.prepare()
    walk(1)
    drown = pages.show("drown")
    driver.qtbot.waitUntil(lambda: drown.plots.band_plot is not None and drown.session.last > 0, timeout=RUN_MS)
    why = pages.show("why")
    driver.qtbot.waitUntil(lambda: not why.noise_preview.is_busy and bool(why.grid.runs), timeout=RUN_MS)
    pages.show("carve")
    driver.qtbot.waitUntil(lambda: timers_of(window) == 0, timeout=RUN_MS)
    before = inventory(window)
    walk()
    driver.qtbot.waitUntil(lambda: timers_of(window) == 0, timeout=RUN_MS)
    assert inventory(window) == before
    driver.start_long_run()
    during, _, _, size = inventory(window)
    ticking = {each for each in window.findChildren(QTimer) if each.isActive() and not each.isSingleShot()}
    walk()
    assert driver.session.is_running
    again = inventory(window)
    assert again[0] == during
    assert {each for each in window.findChildren(QTimer) if each.isActive() and not each.isSingleShot()} == ticking
    assert again[3] == size == before[3]
    driver.click_stop()
    driver.wait_for_end()
    driver.qtbot.waitUntil(lambda: timers_of(window) == 0, timeout=RUN_MS)


def test_transport_and_timeline_stand_at_one_place_on_every_page(ready: Driver) -> None:
    ready.window.resize(1440, 900)
    seen = set()
    for key in ("carve", "drown", "why", "carve"):
        page = ready.window.bench.pages.show(key) or ready.window.panels
        QApplication.processEvents()
        found = places(ready, play=page.transport.play_button, step=page.transport.step_box, timeline=page.timeline)
        seen.add(tuple(found.items()))
    assert len(seen) == 1


PICTURE_PX = {(1024, 700): 300, (1280, 720): 300, (1440, 900): 400, (792, 460): 120}
"""Least edge of the large frame in a window of each size; the last is of a screen of 1600×1000 at 200 %."""


@pytest.mark.parametrize("size", PICTURE_PX)
def test_panels_fold_where_there_is_no_room_and_the_frames_keep_theirs(ready: Driver, size: tuple[int, int]) -> None:
    """Nothing of a page is outside the window, and no page needs more than there is."""
    window = ready.window
    window.resize(*size)
    ready.run(6)
    for key in ("carve", "drown", "why", "learn"):
        page = window.bench.pages.show(key)
        for _ in range(3):
            QApplication.processEvents()
        assert (window.width(), window.height()) == size
        front = window.panels.centre if page is None else page
        assert window.rect().contains(QRect(front.mapTo(window, QPoint(0, 0)), front.size())), key
        panels = page.folds if page is not None else window.panels.dock_layout.folds
        for panel in panels.panels.values():
            shown = panel.content if panel.is_open else panel.rail
            assert shown.width() >= (panel.least_px if panel.is_open else 28), (key, panel.rail.text())
    stage = window.bench.stage
    window.bench.pages.show("carve")
    QApplication.processEvents()
    assert stage.panels[0].picture_view.width() >= PICTURE_PX[size]
    for panel in stage.panels:
        assert stage.rect().contains(panel.geometry())


@pytest.mark.parametrize("size", [(1280, 720), (1024, 720)])
def test_the_film_leaves_the_guess_a_size_at_which_something_is_seen(ready: Driver, size: tuple[int, int]) -> None:
    window = ready.window
    window.resize(*size)
    ready.run(6)
    window.panels.transport.film_button.click()
    film = window.bench.film
    ready.qtbot.waitUntil(film.isVisible)
    ready.qtbot.waitUntil(lambda: window.bench.stage.panels[0].picture_view.width() >= 300)
    assert film.visualRect(film.model().index(1, 0)).width() < 60
    window.resize(1440, 900)
    ready.qtbot.waitUntil(lambda: film.visualRect(film.model().index(1, 0)).width() > 70)
    assert window.bench.stage.remark.isVisible()


def test_a_person_decides_what_is_folded_as_long_as_there_is_room(ready: Driver) -> None:
    layout = ready.window.panels.dock_layout
    block, plots = layout.docks["block"].widget(), layout.docks["plots"].widget()
    is_open = lambda: (block.is_open, plots.is_open)  # noqa: E731

    def resize(width: int) -> None:
        ready.window.resize(width, 760)
        QApplication.processEvents()

    resize(1300)
    assert is_open() == (True, True)
    resize(1024)
    assert is_open() == (True, False)
    QTest.mouseClick(plots.rail, Qt.MouseButton.LeftButton)
    assert is_open() == (True, True)
    QTest.mouseClick(block.fold_buttons[0], Qt.MouseButton.LeftButton)
    assert is_open() == (False, True)
    resize(1300)
    assert is_open() == (False, True)
    resize(600)
    assert is_open() == (False, False)
    resize(1024)
    assert is_open() == (False, True)


def test_the_sides_of_learn_fold_to_rails_and_get_their_widths_back(ready: Driver) -> None:
    window, page = ready.window, ready.window.bench.pages.show("learn")

    def widths(width: int) -> list[int]:
        window.resize(width, 660)
        ready.qtbot.waitUntil(lambda: abs(page.width() - width) < 20, timeout=RUN_MS)
        QApplication.processEvents()
        return page.splitter.sizes()

    wide = widths(1432)
    narrow = widths(1016)
    assert narrow[2] == RAIL_PX
    assert narrow[0] == wide[0]
    assert widths(1432) == wide
    widths(1016)
    page.folds.panels["details"].rail.click()
    QApplication.processEvents()
    assert page.minimumSizeHint().width() <= 1016, "opened, everything has room"
    assert page.splitter.sizes()[2] > 10 * RAIL_PX - 20
