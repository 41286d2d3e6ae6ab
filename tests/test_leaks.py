"""The check that nothing is left running sees what it must see, and names it."""

import threading

import pytest
from PySide6.QtCore import QThread, QTimer
from PySide6.QtWidgets import QWidget

from tests.helpers import leaks


@pytest.fixture
def before(qapp, monkeypatch):
    monkeypatch.setattr(leaks, "PATIENCE_S", 0.05)
    return leaks.snapshot()


def test_nothing_is_nothing(before):
    assert leaks.leftovers(before) == []


def test_a_thread_is_named(before):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="forgotten")
    thread.start()
    found = leaks.leftovers(before)
    stop.set()
    thread.join()
    assert len(found) == 1
    assert "'forgotten' still runs" in found[0]
    assert leaks.leftovers(before) == []


def test_a_thread_that_is_about_to_end_is_waited_for(before, monkeypatch):
    monkeypatch.setattr(leaks, "PATIENCE_S", 5.0)
    stop = threading.Event()

    class EndsWhenJoined(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            stop.set()
            super().join(timeout)

    EndsWhenJoined(target=stop.wait, daemon=True).start()
    assert leaks.leftovers(before) == []


def test_a_running_qthread_is_named(before):
    qthread = QThread(objectName="worker")
    qthread.start()
    found = leaks.leftovers(before)
    qthread.quit()
    qthread.wait()
    assert found == ["the QThread 'worker' still runs: quit() and wait() for it"]
    assert leaks.leftovers(before) == []


def test_an_active_timer_is_named_with_its_owner(before):
    owner = QWidget()
    clock = QTimer(owner, interval=250, objectName="clock")
    clock.start()
    found = leaks.leftovers(before)
    clock.stop()
    assert found == ["the QTimer 'clock' of a QWidget is still active, every 250 ms: stop it"]
    assert leaks.leftovers(before) == []


def test_an_open_window_is_named(before):
    window = QWidget()
    window.setWindowTitle("left open")
    window.show()
    found = leaks.leftovers(before)
    window.close()
    assert found == ["the QWidget 'left open' is still open: close it or give it to qtbot"]


def test_what_is_only_waiting_to_be_deleted_is_no_leak(before):
    owner = QWidget()
    QTimer(owner, interval=250).start()
    owner.show()
    owner.deleteLater()
    del owner
    assert leaks.leftovers(before) == []


def test_what_ran_before_may_run_on(qapp):
    clock = QTimer(interval=1000)
    clock.start()
    before = leaks.snapshot()
    found = leaks.leftovers(before)
    clock.stop()
    assert found == []
