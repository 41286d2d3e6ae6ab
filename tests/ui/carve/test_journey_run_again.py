"""A run once more with one setting changed: what stays, and when there is nothing to change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from sculptor_app.core.requests.request import MAX_SEED
from sculptor_app.ui.carve.run_again_menu import RunAgainMenu
from tests.helpers.runs import made_run
from tests.helpers.window import RUN_MS, Driver


@pytest.fixture
def finished(ready: Driver) -> Driver:
    ready.run(4)
    return ready


def menu_of(driver: Driver) -> RunAgainMenu:
    menu = driver.window.bench.menus.run_again
    menu.aboutToShow.emit()
    return menu


def entries(driver: Driver, title: str) -> dict[str, QAction]:
    """Those of a submenu, by their texts."""
    menus = [action.menu() for action in menu_of(driver).actions() if action.menu() is not None]
    found = next(each for each in menus if isinstance(each, QMenu) and each.title().replace("&", "") == title)
    return {action.text(): action for action in found.actions()}


def run_again(driver: Driver, action: QAction) -> None:
    before = driver.session.trajectory
    action.trigger()
    driver.qtbot.waitUntil(
        lambda: driver.session.trajectory is not before and not driver.session.is_running, timeout=RUN_MS
    )


def test_there_is_nothing_to_change_before_the_first_run(ready: Driver) -> None:
    assert not ready.window.bench.menus.run_again.menuAction().isEnabled()
    menu_of(ready)
    assert ready.window.bench.menus.run_again.actions() == []


@pytest.mark.parametrize(
    ("title", "text", "change"),
    [
        ("Sampler", "Heun", {"sampler": "heun"}),
        ("Steps", "5", {"steps": 5}),
        ("Guidance", "3", {"guidance": 3.0}),
        ("Form", "Vase", {"form": "vase"}),
    ],
)
def test_one_setting_changes_and_the_noise_stays(
    finished: Driver, title: str, text: str, change: dict[str, object]
) -> None:
    first = finished.session.trajectory
    finished.type_into(finished.window.panels.controls.seed, "99")  # the fields do not matter
    run_again(finished, entries(finished, title)[text])
    second = finished.session.trajectory
    assert second.info.request == replace(first.info.request, **change)
    assert second.is_complete
    start = second.state(0) / second.levels[0].scale
    np.testing.assert_allclose(start, first.state(0) / first.levels[0].scale, atol=1e-3)
    assert finished.session.run_before.trajectory is first


def test_the_runs_own_value_has_a_tick_and_cannot_be_chosen(finished: Driver) -> None:
    own = entries(finished, "Sampler")["DDIM"]
    assert own.isChecked()
    assert not own.isEnabled()


def test_the_next_seed(finished: Driver) -> None:
    seed = finished.session.trajectory.info.request.seed
    run_again(finished, menu_of(finished).actions()[-1])
    assert finished.session.trajectory.info.request.seed == seed + 1


@pytest.mark.parametrize("change", [{"origin": "me.png"}, {"has_seed": False}, {"model_name": "", "origin": "x"}])
def test_what_its_settings_alone_do_not_make_again_has_no_menu(finished: Driver, change: dict[str, object]) -> None:
    run = made_run(steps=3)
    run.info = replace(run.info, **change)
    finished.window.panels.run_control.show_run(run)
    assert not finished.window.bench.menus.run_again.menuAction().isEnabled()


def test_the_last_seed_has_no_next_one(finished: Driver, tiny_model: Path) -> None:
    run = made_run(steps=3)
    request = replace(run.info.request, seed=MAX_SEED, model=str(tiny_model))
    run.info = replace(run.info, request=request)
    finished.window.panels.run_control.show_run(run)
    assert all(action.menu() is not None for action in menu_of(finished).actions())
