"""Two runs on one scrubber: chosen, locked, wiped, swapped, saved and left again, in the real window."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage

from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation.plan import RunGrid
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.ui.carve.comparing import wiped
from sculptor_app.ui.playback.stage import DIFFERENCE, WIPE
from tests.helpers.runs import made_run
from tests.helpers.window import Driver


def put_on_screen(driver: Driver, run: Trajectory) -> Trajectory:
    driver.session.show(run, RunMeasures.of(run), running=False)
    return run


@pytest.fixture
def pair(ready: Driver) -> tuple[Driver, Trajectory, Trajectory]:
    """The window on a run of 8 steps, with one of 16 steps of another seed before it, not compared yet."""
    other = made_run(steps=16)
    other.info = replace(other.info, request=replace(other.info.request, seed=8))
    put_on_screen(ready, other)
    run = put_on_screen(ready, made_run(steps=8))
    ready.window.bench.flush()
    return ready, run, other


def compare(driver: Driver) -> None:
    driver.window.bench.menus.actions["compare_before"].trigger()
    driver.window.bench.flush()


def notes(driver: Driver) -> list[str]:
    return [panel.note.text() for panel in driver.window.bench.stage.panels]


def titles(driver: Driver) -> list[str]:
    return [panel.title_button.text() for panel in driver.window.bench.stage.panels]


def test_there_is_nothing_to_compare_with_before_the_second_run(ready: Driver) -> None:
    put_on_screen(ready, made_run())
    menus = ready.window.bench.menus
    assert not menus.actions["compare_before"].isEnabled()
    assert not menus.compare.menuAction().isEnabled()


def test_two_runs_and_their_difference(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, run, other = pair
    compare(driver)
    stage = driver.window.bench.stage
    assert titles(driver) == ["Current guess", "Compared run", "Difference"]
    assert notes(driver)[:2] == ["seed 7 · steps 8", "seed 8 · steps 16"]
    differing = "All the same but: seed, steps · step 8 of 8 beside step 16 of 16 · SNR"
    assert stage.remark.text().startswith(differing)
    expected = run.guess(8) - other.guess(16)
    assert notes(driver)[2].startswith("rms ")
    numbers = driver.window.bench.presenter.numbers_behind(run, 2)
    np.testing.assert_array_equal(numbers, expected)
    np.testing.assert_array_equal(driver.window.bench.presenter.numbers_behind(run, 1), other.guess(16))
    plots = driver.window.panels.plots
    assert "pale: compared run" in plots.band_plot.caption.text()
    assert "compared run" in plots.spectrum_plot.tooltip_at(2.0)


def test_states_go_together_by_level(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, _, _ = pair
    compare(driver)
    assert driver.session.lock == "snr"  # their steps are of other lengths
    driver.session.set_lock("step")
    driver.session.go_to(4)
    by_level = next(each for each in driver.window.bench.menus.compare.locks.actions() if each.data() == "snr")
    by_level.trigger()
    driver.window.bench.flush()
    assert "step 9 of 16" in driver.window.bench.stage.remark.text()
    assert driver.window.bench.stage.title.lock.text() == "Same SNR"


def test_what_is_seen_is_chosen_for_both(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, run, other = pair
    compare(driver)
    stage = driver.window.bench.stage
    menu = stage.panels[0].title_button.menu()
    next(action for action in menu.actions() if action.text() == "Noisy state").trigger()
    driver.window.bench.flush()
    assert titles(driver) == ["Noisy state", "Compared run", "Difference"]
    expected = other.state(16) / np.float32(other.levels[16].scale)
    np.testing.assert_allclose(driver.window.bench.presenter.numbers_behind(run, 1), expected, rtol=1e-6)


def test_a_wipe_follows_the_pointer(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, _, _ = pair
    compare(driver)
    stage = driver.window.bench.stage
    third = stage.panels[2]
    next(action for action in third.title_button.menu().actions() if action.text() == "Wipe").trigger()
    driver.window.bench.flush()
    assert titles(driver)[2] == "Wipe"
    place = third.picture_view.rect()
    for share in (0.25, 0.75):
        driver.qtbot.mouseMove(third.picture_view, QPoint(round(share * place.width()), place.height() // 2))
        driver.window.bench.flush()
        shown = third.picture_view.image
        one, two = (panel.picture_view.image for panel in stage.panels[:2])
        divider = next(x for x in range(16) if shown.pixel(x, 3) not in (one.pixel(x, 3), two.pixel(x, 3)))
        assert divider == pytest.approx(share * 16, abs=1.5)
        assert shown.pixel(0, 0) == one.pixel(0, 0)
        assert shown.pixel(15, 15) == two.pixel(15, 15)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_wipe_of_pictures_of_two_sizes(share: float) -> None:
    one, other = QImage(8, 8, QImage.Format.Format_RGB32), QImage(32, 32, QImage.Format.Format_RGB32)
    one.fill(Qt.GlobalColor.black)
    other.fill(Qt.GlobalColor.white)
    image = wiped(one, other, share)
    column = round(8 * share)
    assert [image.pixelColor(x, 4).value() for x in range(8) if x != column] == [0] * min(column, 8) + [255] * (
        7 - min(column, 7)
    )
    assert wiped(one, None, share) is None


def test_both_change_places(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, run, other = pair
    compare(driver)
    driver.window.bench.menus.actions["run_before"].trigger()
    driver.window.bench.flush()
    assert driver.session.trajectory is other
    assert driver.session.compared.trajectory is run
    assert notes(driver)[:2] == ["seed 8 · steps 16", "seed 7 · steps 8"]


def test_another_run_is_chosen_over_its_frame(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, run, other = pair
    third = put_on_screen(driver, made_run(steps=4))
    compare(driver)
    assert driver.session.compared.trajectory is run
    actions = driver.window.bench.stage.panels[1].title_button.menu().actions()
    assert [action.isChecked() for action in actions] == [True, False]
    actions[1].trigger()
    driver.window.bench.flush()
    assert driver.session.compared.trajectory is other
    assert driver.session.trajectory is third


def test_the_frames_are_those_of_before_when_it_is_over(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, _, _ = pair
    stage = driver.window.bench.stage
    before = titles(driver), [panel.geometry() for panel in stage.panels]
    compare(driver)
    assert not stage.title.back.isVisible()
    driver.qtbot.mouseClick(stage.title.end, Qt.MouseButton.LeftButton)
    driver.window.bench.flush()
    assert (titles(driver), [panel.geometry() for panel in stage.panels]) == before
    assert driver.session.compared is None
    assert not stage.title.end.isVisible()
    assert stage.title.back.isVisible()
    assert "pale" not in driver.window.panels.plots.band_plot.caption.text()


def test_a_film_of_both(pair: tuple[Driver, Trajectory, Trajectory], tmp_path: Path) -> None:
    driver, run, other = pair
    compare(driver)
    source, name = driver.window.bench.menus.files._saver().gif_source()
    assert isinstance(source, RunGrid)
    assert source.runs == (run, other)
    assert source.captions == ("seed 7 · steps 8", "seed 8 · steps 16")
    assert name == "compared-bust-bronze-7.gif"


def test_pictures_of_two_sizes_have_no_difference_and_say_so(ready: Driver) -> None:
    put_on_screen(ready, made_run(size=24))
    put_on_screen(ready, made_run())
    compare(ready)
    stage = ready.window.bench.stage
    assert stage.panels[2].picture_view.image is None
    assert "different sizes" in stage.panels[2].picture_view.accessibleDescription()
    ready.window.bench.menus.actions["save_gif"].trigger()
    assert "16 × 16 and 24 × 24" in ready.window.panels.messages.message


def test_a_run_that_comes_is_compared_while_it_grows(ready: Driver) -> None:
    ready.run(3)
    first = ready.session.trajectory
    ready.session.compare_with(ready.session.run)  # none: it is on screen
    assert ready.session.compared is None
    ready.run(4)
    compare(ready)
    assert ready.session.compared.trajectory is first
    ready.run(5)
    assert ready.session.compared.trajectory is first
    ready.window.bench.flush()
    assert ready.window.bench.stage.remark.text().startswith("All the same but: steps")


def test_the_contrast_stays_when_another_run_comes(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, _, _ = pair
    compare(driver)
    driver.window.bench.presenter._set_contrast(WIPE)
    put_on_screen(driver, made_run(steps=4))
    driver.window.bench.flush()
    assert titles(driver)[2] == "Wipe"
    driver.window.bench.presenter._set_contrast(DIFFERENCE)
    assert titles(driver)[2] == "Difference"


def test_a_new_run_is_made_and_compared_at_once(ready: Driver) -> None:
    ready.run(5)
    session, first = ready.session, ready.session.trajectory
    menu = ready.window.bench.menus.compare
    assert menu.menuAction().isEnabled()
    menu.aboutToShow.emit()
    again = next(action.menu() for action in menu.actions() if action.text().replace("&", "") == "A new run with")
    again.aboutToShow.emit()
    samplers = next(action.menu() for action in again.actions() if action.text().replace("&", "") == "Sampler")
    next(action for action in samplers.actions() if action.text() == "Heun").trigger()
    ready.wait_for_end()
    assert session.trajectory.info.sampler_name == "Heun"
    assert session.compared.trajectory is first
    assert ready.window.panels.controls.sampler.currentData() == "heun"  # the fields go along
    assert session.lock == "step"


def test_measures_that_come_later_leave_how_states_go_together(pair: tuple[Driver, Trajectory, Trajectory]) -> None:
    driver, _, other = pair
    compare(driver)
    driver.session.set_lock("step")  # a person's own choice
    driver.session.take_measures(other, RunMeasures.of(other))
    assert driver.session.lock == "step"


def test_fields_that_are_wrong_are_no_settings_of_a_fork(ready: Driver) -> None:
    ready.run(4)
    ready.session.go_to(2)
    ready.window.panels.controls.seed.setText("forty")
    menu = ready.window.bench.menus.fork
    menu.aboutToShow.emit()
    assert not menu.can_fork_with_fields
    assert not ready.window.bench.menus.actions["fork_here"].isEnabled()
