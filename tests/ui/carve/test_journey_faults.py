"""What goes wrong is said in one sentence, with what to do, and takes nothing off the screen."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sculptor_app.core.errors import OutOfDeviceMemory, SamplerFailed
from sculptor_app.session.runner import RunState
from tests.helpers.failing_engine import FailingSampling, MissingSampling
from tests.helpers.window import RUN_MS, Driver


@pytest.fixture
def sampling() -> FailingSampling:
    return FailingSampling()


@pytest.fixture
def failing(open_window: Callable[..., Driver], sampling: FailingSampling) -> Driver:
    driver = open_window(sampling)
    driver.prepare()
    return driver


def run_into_a_fault(driver: Driver, error: BaseException) -> None:
    driver.runner._sampling.error = error
    driver.set_steps(9)
    with driver.qtbot.waitSignal(driver.runner.failed, timeout=RUN_MS):
        driver.click_start()
    driver.flush()


def test_a_sampler_that_fails_in_mid_run_leaves_its_steps_and_says_what_to_do(
    failing: Driver, sampling: FailingSampling
) -> None:
    run_into_a_fault(failing, SamplerFailed("The sampler failed at step 4.", "Choose another sampler."))
    window = failing.window
    assert window.panels.messages.message == "The sampler failed at step 4. Choose another sampler."
    assert window.panels.messages.isVisible()
    assert (failing.session.last, window.bench.film.count) == (3, 4)
    assert not failing.session.is_running
    assert window.bench.stage.panels[0].picture_view.image is not None
    assert window.panels.run_panel.line.text() == "failed after 3 of 9"
    assert window.panels.run_panel.button.text() == "Start"
    sampling.error = None
    failing.run(5)  # and the next one works
    assert window.panels.messages.message == ""


def test_a_device_without_memory_offers_the_cpu(failing: Driver, sampling: FailingSampling) -> None:
    run_into_a_fault(failing, OutOfDeviceMemory("The device is full.", "Use the CPU."))
    action = failing.window.panels.messages._action
    assert action.isVisible()
    assert action.text() == "Use the CPU"
    sampling.error = None
    with failing.qtbot.waitSignal(failing.runner.finished, timeout=RUN_MS):
        action.click()
    assert failing.window.panels.controls.device.currentData() == "cpu"


def test_an_error_that_nobody_foresaw_is_named_and_the_run_stays(failing: Driver) -> None:
    run_into_a_fault(failing, ZeroDivisionError("float division by zero"))
    assert "ZeroDivisionError: float division by zero" in failing.window.panels.messages.message
    assert failing.session.last == 3


def test_a_failed_run_leaves_the_trajectory_before_it_until_its_own_first_state(failing: Driver) -> None:
    failing.run(5)
    old = failing.session.trajectory
    failing.window.panels.controls._model = "/nowhere"
    with failing.qtbot.waitSignal(failing.runner.failed, timeout=RUN_MS):
        failing.click_start()
    failing.flush()
    assert failing.session.trajectory is old
    assert failing.session.last == 5
    assert "/nowhere" in failing.window.panels.messages.message


def test_a_broken_model_folder_is_told_once_it_is_tried(open_window, tiny_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    driver = open_window(model=broken)
    driver.window.prepare()
    driver.qtbot.waitUntil(lambda: bool(driver.window.panels.messages.message), timeout=RUN_MS)
    assert "safetensors" in driver.window.panels.messages.message
    driver.qtbot.waitUntil(lambda: driver.runner.state is RunState.IDLE, timeout=RUN_MS)
    with driver.qtbot.waitSignal(driver.runner.failed, timeout=RUN_MS):
        driver.click_start()
    assert driver.window.panels.run_panel.button.isEnabled()


def test_an_engine_that_cannot_be_imported_is_told(open_window) -> None:
    driver = open_window(MissingSampling())
    driver.click_start()
    driver.qtbot.waitUntil(lambda: bool(driver.window.panels.messages.message), timeout=RUN_MS)
    assert "no_such_engine" in driver.window.panels.messages.message
    assert driver.window.panels.run_panel.button.text() == "Start"
    assert driver.runner.state is RunState.IDLE


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("steps", "0", "0 steps cannot be run: choose 1 to 1000."),
        ("steps", "1000000000", "1000000000 steps cannot be run: choose 1 to 1000."),
        ("steps", "many", "“many” is no whole number of steps: choose 1 to 1000."),
        ("seed", "bust", "“bust” is no whole number: a seed is 0 to 2⁶³ − 1."),
        ("seed", "-1", "The seed -1 is out of range: choose 0 to 2⁶³ − 1."),
        ("guidance", "31", "The guidance is 31: choose 0 to 30; 1 is none."),
    ],
)
def test_bad_input_is_said_in_the_panel_and_start_waits_for_better(driver: Driver, field, text, reason) -> None:
    window = driver.window
    driver.type_into(getattr(window.panels.controls, field), text)
    assert window.panels.controls.problem.isVisible()
    assert window.panels.controls.problem.text() == reason
    assert not window.panels.run_panel.button.isEnabled()
    assert not window.panels.welcome.button.isEnabled()
    assert not window.bench.menus.actions["start"].isEnabled()
    assert window.panels.run_panel.button.toolTip() == reason
    driver.type_into(getattr(window.panels.controls, field), "5")
    assert not window.panels.controls.problem.isVisible()
    assert window.panels.run_panel.button.isEnabled()


def test_a_sentence_about_a_field_is_seen_whole_in_a_low_window(driver: Driver) -> None:
    window = driver.window
    window.resize(1280, 720)
    driver.type_into(window.panels.controls.seed, "x")
    problem = window.panels.controls.problem
    driver.qtbot.waitUntil(lambda: problem.visibleRegion().boundingRect() == problem.rect())
