"""Ctrl-C and TERM signals: the window closes as by its cross, and the process ends, whatever it computes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from sculptor_app.ui.shell import signals
from sculptor_app.ui.shell.signals import EndSignals

ROOT = Path(__file__).parents[3]
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers_of_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def left() -> list[int]:
    return []


def watching(left: list[int], keeps: bool = False) -> tuple[EndSignals, list[str]]:
    closed: list[str] = []

    def close() -> bool:
        closed.append("window")
        return keeps

    watch = EndSignals(close, leave=left.append)
    watch.start()
    return watch, closed


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_closes_the_window_while_qt_waits_for_events(number: int, qtbot: QtBot, left: list[int]) -> None:
    watch, closed = watching(left)
    signal.raise_signal(number)
    qtbot.waitUntil(lambda: closed == ["window"])
    assert watch.code == 128 + number
    watch.stop()
    assert left == []  # it ended by itself in time


def test_the_process_ends_while_the_gui_thread_computes(
    qtbot: QtBot, left: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "UNHEARD_GRACE_S", 0.05)
    watch, closed = watching(left)
    signal.raise_signal(signal.SIGINT)
    watch._thread.join(5)  # no event is handled here
    assert (left, closed) == ([130], [])
    watch.stop()
    assert signal.set_wakeup_fd(-1) == -1  # not that of a closed socket


def test_a_checkpoint_is_waited_for_and_a_second_signal_is_not_patient(qtbot: QtBot, left: list[int]) -> None:
    watch, closed = watching(left, keeps=True)
    signal.raise_signal(signal.SIGTERM)
    qtbot.waitUntil(lambda: closed == ["window"])
    assert watch._deadline_s > time.monotonic() + signals.CHECKPOINT_GRACE_S / 2
    assert left == []
    signal.raise_signal(signal.SIGTERM)
    watch._thread.join(5)
    assert left == [143]
    watch.stop()


def test_the_real_window_ends_within_a_second_and_keeps_its_settings(tmp_path: Path) -> None:
    """While the engine is being imported in its thread, which nothing can stop."""
    program = (
        "import sys\n"
        "from sculptor_app.commands import terminal\n"
        "keep = terminal.keep_streams\n"
        "def shown():\n"
        "    from PySide6.QtCore import QTimer\n"
        "    keep()\n"
        "    QTimer.singleShot(0, lambda: terminal.say('shown', terminal.stdout()))\n"
        "import sculptor_app.commands.window as window\n"
        "window.keep_streams = shown\n"
        "from sculptor_app.cli import main\n"
        "sys.exit(main())\n"
    )
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    environment = os.environ | folders | {"QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "shown\n"
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=20)
            took = time.monotonic() - started
        finally:
            process.kill()
    assert process.returncode == 130
    assert told == ("", "")
    assert took < 2.5  # half a second, and what a machine under load adds
    assert "geometry" in next(tmp_path.rglob("sculptor-app.conf")).read_text()
