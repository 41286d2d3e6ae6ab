"""Order of signals and every way a job can end, with jobs of plain Python."""

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QThread, QTimer
from pytestqt.qtbot import QtBot

from sculptor_app.session.worker import Job, JobThread, Outcome, RetiredThreads, Run


class Stopped(Exception):
    pass


class Log:
    """Every signal of the runs of a JobThread, in the order of arrival."""

    def __init__(self, jobs: JobThread) -> None:
        self.jobs = jobs
        self.entries: list[tuple] = []
        self.errors: list[BaseException] = []

    def start(self, job: Job) -> Run:
        run = self.jobs.start(job)
        run.produced.connect(lambda item: self.entries.append(("produced", run, item)))
        run.finished.connect(lambda: self.entries.append(("finished", run)))
        run.cancelled.connect(lambda: self.entries.append(("cancelled", run)))
        run.failed.connect(lambda error: self._failed(run, error))
        return run

    def _failed(self, run: Run, error: BaseException) -> None:
        self.entries.append(("failed", run))
        self.errors.append(error)

    def ends(self) -> list[tuple]:
        return [entry for entry in self.entries if entry[0] != "produced"]


@pytest.fixture
def jobs(qapp) -> Iterator[JobThread]:
    thread = JobThread(cancelled_by=(Stopped,))
    yield thread
    thread.shutdown()


@pytest.fixture
def log(jobs: JobThread) -> Log:
    return Log(jobs)


def test_items_come_in_order_and_the_end_comes_last_and_once(qtbot: QtBot, jobs: JobThread, log: Log) -> None:
    with qtbot.waitSignal(jobs.ended):
        run = log.start(lambda stop: iter(range(5)))
        assert run.outcome is None
    assert log.entries == [*(("produced", run, item) for item in range(5)), ("finished", run)]
    assert not jobs.is_busy
    assert run.outcome is Outcome.FINISHED


def test_the_job_runs_in_the_other_thread_and_signals_arrive_in_this_one(qtbot: QtBot, jobs: JobThread) -> None:
    where = []
    arrived = []
    with qtbot.waitSignal(jobs.ended):
        run = jobs.start(lambda stop: iter([where.append(QThread.currentThread())]))
        run.produced.connect(lambda item: arrived.append(QThread.currentThread()))
    assert arrived == [jobs.thread()]
    assert where[0] is not jobs.thread()


def test_the_thread_is_kept(qtbot: QtBot, jobs: JobThread, log: Log) -> None:
    threads = set()
    runs = []
    for _ in range(3):
        with qtbot.waitSignal(jobs.ended):
            runs.append(log.start(lambda stop: iter([threads.add(threading.get_ident())])))
    assert log.ends() == [("finished", run) for run in runs]
    assert len(threads) == 1


def test_what_a_job_reports_while_it_works_comes_before_its_next_item(qtbot, jobs: JobThread, log: Log) -> None:
    def job(stop: threading.Event) -> Iterator[object]:
        jobs.report("half")
        yield "whole"

    with qtbot.waitSignal(jobs.ended):
        run = log.start(job)
    assert log.entries == [("produced", run, "half"), ("produced", run, "whole"), ("finished", run)]


def raising_at_once(stop: threading.Event) -> Iterator[object]:
    raise ValueError("at once")


def raising_later(stop: threading.Event) -> Iterator[object]:
    yield 1
    raise ValueError("later")


def leaving(stop: threading.Event) -> Iterator[object]:
    yield 1
    raise SystemExit(3)


def no_iterator(stop: threading.Event) -> Iterator[object]:
    return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("job", "error", "items"),
    [
        (raising_at_once, ValueError, 0),
        (raising_later, ValueError, 1),
        (leaving, SystemExit, 1),
        (no_iterator, TypeError, 0),
    ],
)
def test_whatever_a_job_raises_ends_it_as_failed_and_the_thread_goes_on(qtbot, jobs, log, job, error, items) -> None:
    with qtbot.waitSignal(jobs.ended):
        log.start(job)
    assert [entry[0] for entry in log.entries] == ["produced"] * items + ["failed"]
    assert isinstance(log.errors[0], error)
    assert log.errors[0].__traceback__ is not None
    with qtbot.waitSignal(jobs.ended):
        log.start(lambda stop: iter([1]))


def until_stopped(begun: threading.Event):
    """A job that yields while it may, and counts nothing after the event."""

    def job(stop: threading.Event) -> Iterator[object]:
        yield "first"
        begun.set()
        if not stop.wait(30):
            raise AssertionError("was never stopped")
        raise Stopped

    return job


def test_a_cancel_ends_a_run_once_as_cancelled(qtbot: QtBot, jobs: JobThread, log: Log) -> None:
    begun = threading.Event()
    run = log.start(until_stopped(begun))
    assert begun.wait(10)
    with qtbot.waitSignal(jobs.ended):
        run.stop()
    assert log.entries == [("produced", run, "first"), ("cancelled", run)]


def test_nothing_is_heard_of_a_run_that_is_ignored(qtbot: QtBot, jobs: JobThread, log: Log) -> None:
    begun = threading.Event()
    run = log.start(until_stopped(begun))
    assert begun.wait(10)
    run.ignore()
    with qtbot.waitSignal(jobs.ended):
        run.stop()
    assert log.entries == []
    assert run.outcome is Outcome.CANCELLED


def test_a_job_that_looks_at_no_event_is_stopped_between_two_items_and_closed(qtbot, jobs, log) -> None:
    closed = threading.Event()

    def endless(stop: threading.Event) -> Iterator[object]:
        try:
            while True:
                yield "item"
        finally:
            closed.set()

    run = log.start(endless)
    with qtbot.waitSignal(run.produced):
        pass
    with qtbot.waitSignal(jobs.ended):
        jobs.cancel()
    assert closed.is_set()
    assert log.ends() == [("cancelled", run)]


def test_an_error_while_stopping_is_a_failure_not_a_cancel(qtbot: QtBot, jobs: JobThread, log: Log) -> None:
    begun = threading.Event()

    def job(stop: threading.Event) -> Iterator[object]:
        yield 1
        begun.set()
        stop.wait(30)
        raise OSError("disk full")

    run = log.start(job)
    assert begun.wait(10)
    with qtbot.waitSignal(jobs.ended):
        jobs.cancel()
    assert log.ends() == [("failed", run)]


def test_a_restart_cancels_the_older_run_and_shows_nothing_of_it(qtbot: QtBot, jobs: JobThread, log: Log) -> None:
    begun = threading.Event()
    first = log.start(until_stopped(begun))
    assert begun.wait(10)  # its item is in the queue of this thread, not yet delivered
    second = log.start(lambda stop: iter(["new"]))
    with qtbot.waitSignal(second.finished):
        pass
    assert log.entries == [("cancelled", first), ("produced", second, "new"), ("finished", second)]


def test_a_run_that_was_replaced_before_it_began_ends_as_cancelled_too(qtbot: QtBot, jobs: JobThread, log: Log) -> None:
    begun, replaced = threading.Event(), threading.Event()

    def held(stop: threading.Event) -> Iterator[int]:
        begun.set()
        replaced.wait(10)  # the thread is not free before the second run has been replaced
        yield 0

    first = log.start(held)
    assert begun.wait(10)
    called = []
    second = log.start(lambda stop: called.append(1) or iter(()))
    third = log.start(lambda stop: iter(()))
    with qtbot.waitSignal(third.finished):
        replaced.set()
    assert log.ends() == [("cancelled", first), ("cancelled", second), ("finished", third)]
    assert not called


def test_shutdown_waits_for_the_step_that_runs_and_delivers_its_end(qtbot: QtBot, jobs: JobThread, log: Log) -> None:
    begun = threading.Event()
    run = log.start(until_stopped(begun))
    assert begun.wait(10)
    jobs.shutdown()
    assert log.ends() == [("cancelled", run)]
    assert not jobs.is_busy
    with pytest.raises(RuntimeError, match="shut down"):
        log.start(lambda stop: iter(()))


def test_shutdown_of_a_thread_that_has_never_run_and_twice(jobs: JobThread, log: Log) -> None:
    jobs.shutdown()
    jobs.shutdown()
    assert log.entries == []


def test_shutdown_right_after_a_start_still_ends_that_run(jobs: JobThread, log: Log) -> None:
    run = log.start(lambda stop: iter(()))
    jobs.shutdown()
    assert log.ends() in ([("cancelled", run)], [("finished", run)])


def test_while_a_thread_is_waited_for_timers_go_on(qtbot: QtBot, qapp) -> None:
    """The window that closes in mid-step hides, and whatever else is on screen is not frozen meanwhile."""
    jobs, ticks, begun, may_end = JobThread(), [], threading.Event(), threading.Event()
    timer = QTimer()
    timer.timeout.connect(lambda: (ticks.append(1), may_end.set() if len(ticks) == 5 else None))

    def job(stop: threading.Event) -> Iterator[object]:
        begun.set()
        may_end.wait(5)
        yield 1

    jobs.start(job)
    qtbot.waitUntil(begun.is_set)
    timer.start(1)
    jobs.shutdown()
    timer.stop()
    assert len(ticks) >= 5


def test_a_retired_thread_reports_nothing_and_outlives_its_owner(qtbot: QtBot, qapp) -> None:
    owner, begun, may_end, seen = QObject(), threading.Event(), threading.Event(), []
    jobs, retired = JobThread(parent=owner), RetiredThreads()

    def job(stop: threading.Event) -> Iterator[object]:
        begun.set()
        assert may_end.wait(5)
        yield 1

    run = jobs.start(job)
    for signal in (run.produced, run.finished, run.cancelled, run.failed):
        signal.connect(lambda *args: seen.append(args))
    qtbot.waitUntil(begun.is_set)
    jobs.retire(retired)
    owner.deleteLater()
    QCoreApplication.sendPostedEvents(owner, QEvent.Type.DeferredDelete.value)
    assert jobs._thread.isRunning()
    assert run.stop_requested.is_set()
    assert not retired.is_empty
    may_end.set()
    retired.finish()
    assert retired.is_empty
    assert jobs.has_ended
    assert not seen
