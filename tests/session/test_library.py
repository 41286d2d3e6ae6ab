"""The library's writer: what has ended is written one after the other, also when all work is stopped at once."""

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from sculptor_app.session import worker
from sculptor_app.session.library import LibraryWriter
from sculptor_app.session.worker import JobThread
from tests.helpers.runs import made_run


@pytest.fixture
def writer(qapp, tmp_path: Path) -> Iterator[LibraryWriter]:
    writer = LibraryWriter(tmp_path / "library", 10**9)
    yield writer
    writer.shutdown()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Set, it lets threads begin what is asked of them."""
    gate, run = threading.Event(), worker._Worker.run

    def held(self: worker._Worker, *job: object) -> None:
        assert gate.wait(30)
        run(self, *job)

    monkeypatch.setattr(worker._Worker, "run", held)
    yield gate
    gate.set()


def stop_all(writer: LibraryWriter) -> None:
    """As a window that closes does, before it waits for any thread."""
    for jobs in writer.findChildren(JobThread):
        jobs.cancel()


def test_runs_are_written_one_after_the_other_and_let_go(qtbot: QtBot, writer: LibraryWriter) -> None:
    runs = [made_run(size=8) for _ in range(3)]
    kept: list[Path] = []
    writer.kept.connect(kept.append)
    for run in runs:
        writer.keep(run)
    assert writer.is_busy
    qtbot.waitUntil(lambda: len(kept) == 3 and not writer.is_busy)
    assert {run.path for run in writer.library.runs()} == set(kept)
    seen = [weakref.ref(run) for run in runs]
    del runs, run
    gc.collect()
    assert [ref() for ref in seen] == [None] * 3


def test_a_run_whose_turn_had_not_come_is_written_when_all_is_stopped(
    gate: threading.Event, writer: LibraryWriter
) -> None:
    for _ in range(3):
        writer.keep(made_run(size=8))
    stop_all(writer)
    gate.set()
    writer.shutdown()
    assert len(writer.library.runs()) == 3


def test_a_run_is_written_once_when_all_is_stopped_beside_it(
    qtbot: QtBot, writer: LibraryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, rest = threading.Event(), threading.Event()
    keep = writer.library.keep

    def slow(*args: object) -> Path | None:
        begun.set()
        assert rest.wait(30)
        return keep(*args)

    monkeypatch.setattr(writer.library, "keep", slow)
    writer.keep(made_run(size=8))
    assert begun.wait(30)
    stop_all(writer)
    rest.set()
    writer.shutdown()
    assert len(writer.library.runs()) == 1


def test_large_runs_are_given_up(gate: threading.Event, writer: LibraryWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculptor_app.session.library.PATIENT_BYTES", 10)
    for _ in range(2):
        writer.keep(made_run(size=8))
    stop_all(writer)
    gate.set()
    writer.shutdown()
    assert writer.library.runs() == []
