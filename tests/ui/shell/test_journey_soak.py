"""A random person at the window; and the watch over that person sees what it is there for."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer, qWarning
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from tests.helpers.window import Driver
from tests.soak.watch import LONGEST_PAUSE_MS, Clock, Watch
from tests.soak.window import soak


@pytest.mark.parametrize(
    ("seed", "actions", "longest_pause_ms"),
    [
        pytest.param(1, 60, 8 * LONGEST_PAUSE_MS, id="some"),  # other tests run on this machine meanwhile
        pytest.param(2, 2_000, LONGEST_PAUSE_MS, marks=pytest.mark.soak, id="two thousand"),
    ],
)
def test_random_actions_do_no_harm(
    ready: Driver, tmp_path: Path, seed: int, actions: int, longest_pause_ms: float
) -> None:
    watch = Watch(longest_pause_ms)
    soak(ready.window, watch, seed, actions, tmp_path)
    assert watch.done >= actions
    assert watch.faults == []


def raise_one() -> None:
    raise ValueError("of the soak's own test")


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        pytest.param(raise_one, "ValueError: of the soak's own test", id="traceback"),
        pytest.param(lambda: qWarning("odd"), "Qt: odd", id="Qt warning"),
        pytest.param(lambda: logging.getLogger("sculptor_app.x").warning("odd"), "log, warning: odd", id="log"),
        pytest.param(lambda: time.sleep(0.75), "the window paused in test_journey_soak.py:", id="pause"),
        pytest.param(lambda: None, "QWidget larger than the screen", id="size"),
    ],
)
def test_the_watch_sees_harm(qtbot: QtBot, harm: Callable[[], None], found: str) -> None:
    watch, window = Watch(settle_beats=0), QWidget()
    qtbot.addWidget(window)
    if "larger" in found:
        window.setFixedSize(9_000, 300)
    window.show()
    with watch.watching():
        QTimer.singleShot(0, harm)
        for _ in range(2):
            heard = watch.beats
            qtbot.waitUntil(lambda heard=heard: watch.beats > heard)
        watch.look()
    assert len(watch.faults) == 1
    assert found in watch.faults[0]
    assert QApplication.activePopupWidget() is None


def test_what_the_machine_takes_is_no_pause_of_the_window() -> None:
    took = Clock(wall=2.0, worked=0.3, queued=0.5, others=0.1, queues={"X": 0.7, "7": 0.2})
    assert took.waited == pytest.approx(1.2)
    assert took.own == pytest.approx(0.8)  # of the 1.2 seconds the X server, waited for, had no processor for 0.7
