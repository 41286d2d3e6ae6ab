"""A background task: the newest job wins, and it ends by exactly one signal, after it is no longer busy."""

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from sculptor_app.core.errors import Cancelled
from sculptor_app.session.tasks import BackgroundTask


@pytest.fixture
def task(qapp) -> Iterator[BackgroundTask]:
    task = BackgroundTask("test")
    yield task
    task.shutdown()


@pytest.fixture
def heard(task: BackgroundTask) -> list[object]:
    """What the task said, in order; of an end, whether it was busy still."""
    said: list[object] = []
    task.produced.connect(said.append)
    task.busy_changed.connect(lambda busy: said.append("busy" if busy else "at rest"))
    for name in ("finished", "cancelled", "failed"):
        getattr(task, name).connect(lambda *error, name=name: said.append((name, task.is_busy)))
    return said


def waiting(begun: threading.Event):
    def job(stop: threading.Event) -> Iterator[object]:
        yield "old"
        begun.set()
        assert stop.wait(30)
        raise Cancelled

    return job


def failing(stop: threading.Event) -> Iterator[object]:
    raise OSError("disk full")
    yield


def test_a_job_comes_out_between_busy_and_at_rest(qtbot: QtBot, task: BackgroundTask, heard: list[object]) -> None:
    with qtbot.waitSignal(task.finished):
        task.start(lambda stop: iter([1, 2]))
    assert heard == ["busy", 1, 2, "at rest", ("finished", False)]


def test_a_job_that_fails_ends_it(qtbot: QtBot, task: BackgroundTask, heard: list[object]) -> None:
    with qtbot.waitSignal(task.failed) as failed:
        task.start(failing)
    assert str(failed.args[0]) == "disk full"
    assert heard == ["busy", "at rest", ("failed", False)]


def test_nothing_is_heard_of_a_job_that_another_replaces(
    qtbot: QtBot, task: BackgroundTask, heard: list[object]
) -> None:
    begun = threading.Event()
    task.start(waiting(begun))
    assert begun.wait(10)  # its item is on its way
    with qtbot.waitSignal(task.finished):
        task.start(lambda stop: iter(["new"]))
    assert heard == ["busy", "new", "at rest", ("finished", False)]


def test_a_stop_is_reported_and_a_drop_is_not(qtbot: QtBot, task: BackgroundTask, heard: list[object]) -> None:
    begun = threading.Event()
    task.start(waiting(begun))
    assert begun.wait(10)
    with qtbot.waitSignal(task.cancelled):
        task.stop()
    assert heard == ["busy", "old", "at rest", ("cancelled", False)]
    heard.clear()
    begun.clear()
    task.start(waiting(begun))
    assert begun.wait(10)
    task.drop()
    assert not task.is_busy
    task.shutdown()
    assert heard == ["busy", "at rest"]
