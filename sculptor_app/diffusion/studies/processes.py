"""Processes of this machine that measure decisions, each with an engine and one thread of torch, or a GPU of its own.

Each has a pool of its own of the standard library, so that one that dies takes only its own unit with it. They are
spawned: a fork would copy torch's threads in the middle of their work.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import Connection, wait

from sculptor_app.diffusion.studies.dispatch import MOST_DEATHS, POLL_S, Unit, Worker, lost_often
from sculptor_app.diffusion.studies.worker import ReadLabels, UnitMeasurer, sendable_errors
from sculptor_app.measures.likeness import Decision

MOST_WORKERS = 256
PROCESS_BYTES = 600 << 20
"""Memory that a process takes besides its model: torch, diffusers, and a run with what its forks need of it."""
WORTH_A_PROCESS = 250
"""Evaluations of the network below which a further process is not worth its start, which takes as long as some 100."""
PATIENCE_S = 5.0
"""How long a process that was told to stop may take; it holds nothing that would be lost."""


def usual_workers(model: str | None, units: int, evaluations: int) -> tuple[int, int]:
    """How many processes suit this machine and the work, and how many threads of torch each.

    One thread for each core gives most; a model of which few fit the memory computes in more threads.

    Raises:
        ModelFolderError: There is no such model.
    """
    from sculptor_app.diffusion.models.loader import EXACT_BYTES, LEFT_TO_OTHERS, free_bytes, inspect_model
    from sculptor_app.diffusion.pipelines.devices import cpu_threads, cpu_workers
    from sculptor_app.diffusion.sampling.engine import model_folder

    model_bytes = inspect_model(model_folder(model)).loaded_bytes("float32")
    fitting = (free_bytes("cpu") - LEFT_TO_OTHERS) // (model_bytes + PROCESS_BYTES)
    worth = min(units, evaluations // WORTH_A_PROCESS, MOST_WORKERS)
    workers = max(1, min(cpu_workers(), fitting, worth))
    return workers, 1 if model_bytes <= EXACT_BYTES else max(1, cpu_threads() // workers)


class ProcessWorkers:
    """Processes of this machine; each is started with its first unit, and again where it died.

    Args:
        count: 1 or more.
        devices: Ids of those that they take in turns; empty leaves to each unit which it is.
    """

    def __init__(self, count: int, read_labels: ReadLabels, devices: Sequence[str] = ()) -> None:
        self.count = count
        self._devices = devices
        self._read_labels = read_labels
        self._context = multiprocessing.get_context("spawn")
        self._told_to_stop, self._lifeline = self._context.Pipe(duplex=False)
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._deaths = dict.fromkeys(range(count), 0)  # in a row, by place
        self._busy: set[int] = set()
        self._done: queue.SimpleQueue[tuple[int, Future[Decision]]] = queue.SimpleQueue()

    def idle(self) -> list[Worker]:
        """Places that can take a unit; `WorkersLost` if the processes of all places died too often."""
        alive = [place for place, deaths in self._deaths.items() if deaths < MOST_DEATHS]
        if not alive:
            raise lost_often()
        return [place for place in alive if place not in self._busy]

    def give(self, worker: Worker, unit: Unit) -> None:
        """Have a process measure a unit."""
        assert isinstance(worker, int)
        if self._devices:
            device = self._devices[worker % len(self._devices)]
            unit = replace(unit, request=replace(unit.request, device=device))
        try:
            future = self._submit(worker, unit)
        except BrokenProcessPool:  # it died while it had nothing to do
            self._remove(worker)
            future = self._submit(worker, unit)
        self._busy.add(worker)
        future.add_done_callback(lambda done: self._done.put((worker, done)))

    def collect(self) -> tuple[Worker, Decision | None] | None:
        """As `dispatch.Workers`."""
        try:
            place, future = self._done.get(timeout=POLL_S)
        except queue.Empty:
            return None
        self._busy.discard(place)
        try:
            decision = future.result()
        except BrokenProcessPool:
            self._remove(place)
            self._deaths[place] += 1
            return place, None
        self._deaths[place] = 0
        return place, decision

    def _submit(self, place: int, unit: Unit) -> Future[Decision]:
        if place not in self._pools:
            arguments = (self._told_to_stop, self._read_labels)
            self._pools[place] = ProcessPoolExecutor(1, self._context, _begin, arguments)
        with _signals_held():
            return self._pools[place].submit(_measure, unit)

    def _remove(self, place: int) -> None:
        self._pools.pop(place).shutdown(wait=True)

    def __enter__(self) -> ProcessWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self._lifeline.close()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in self._pools.values():
            pool.shutdown(wait=True)
        self._told_to_stop.close()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Start a process that never gets a Ctrl-C of the terminal, which is for this one to answer."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows; `_begin` turns it off there
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In the process -------------------------------------------------------------------------------------------------------

_stop = threading.Event()
_measurer = UnitMeasurer()
_read_labels: list[ReadLabels] = []


def _begin(told_to_stop: Connection, read_labels: ReadLabels) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _read_labels[:] = [read_labels]
    threading.Thread(target=_watch, args=(told_to_stop,), daemon=True).start()


def _watch(told_to_stop: Connection) -> None:
    """Stop the unit, and the process if need be, once the one that started it lets go of its pipe, or has died."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([told_to_stop, parent.sentinel])
    _stop.set()
    time.sleep(PATIENCE_S)
    os._exit(0)


def _measure(unit: Unit) -> Decision:
    with sendable_errors():
        return _measurer.measure(unit, _stop, _read_labels[0])
