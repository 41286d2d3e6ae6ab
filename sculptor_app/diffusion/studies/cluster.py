"""Workers of a Dask cluster that measure decisions: any that a scheduler's address leads to, as many as come and go.

Each process measures one unit at a time, with an engine that it keeps, as runs swap torch's own random generator; what
it is sent are settings and numbers. Models are named by paths, or by their names on the hub: they must be on every
machine, as must this program.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError
from typing import Any
from urllib.parse import urlsplit

from sculptor_app.core.errors import SculptorError, WorkersLost
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.studies.dispatch import POLL_S, Unit, Worker
from sculptor_app.diffusion.studies.worker import ReadLabels, UnitMeasurer, sendable_errors
from sculptor_app.identity import VERSION
from sculptor_app.measures.likeness import Decision

CONNECT_S = 10
"""How long a scheduler may take to answer."""
LOOK_S = 1.0
"""How often the scheduler is asked which workers there are."""
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/:]+:\d{1,5}|(tcp|tls)://\[[0-9a-fA-F:.]+\]:\d{1,5}")


def why_no_cluster(address: str) -> SculptorError | None:
    """Why an address leads to no cluster, as far as can be told without asking it."""
    if not _ADDRESS.fullmatch(address):
        return SculptorError(
            translate("errors", "{0!r} is no address of a Dask scheduler.").format(address),
            translate("errors", "Write it as tcp://HOST:PORT, as the scheduler shows it."),
        )
    if importlib.util.find_spec("distributed") is None:
        return SculptorError(
            translate("errors", "A Dask cluster needs the Python package distributed, which is not here."),
            translate("errors", "Install it (pip install distributed), in the version that the cluster has."),
        )
    return None


class ClusterWorkers:
    """The workers of the scheduler at an address, which may change while it goes on.

    Args:
        address: As "tcp://host:8786".
        tell: Is given a sentence for people while there are no workers.

    Raises:
        WorkersLost: The scheduler does not answer.
    """

    def __init__(self, address: str, read_labels: ReadLabels, tell: Callable[[str], object] = lambda _: None) -> None:
        self._address, self._read_labels, self._tell = address, read_labels, tell
        self._study = uuid.uuid4().hex
        self._client = _connected(address)
        self._alive: set[str] = set()
        self._busy: dict[str, Any] = {}  # futures of Dask
        self._looked, self._has_told = 0.0, False

    @property
    def count(self) -> int:
        """How many there are now."""
        return len(self._alive)

    def idle(self) -> Collection[Worker]:
        """Those that can be given a unit; `WorkersLost` if the scheduler has gone."""
        if time.monotonic() - self._looked > LOOK_S:
            self._look()
        return sorted(self._alive - self._busy.keys())

    def give(self, worker: Worker, unit: Unit) -> None:
        """Have a worker measure a unit, and no other."""
        self._busy[str(worker)] = self._client.submit(
            measure_on_worker, unit, self._study, VERSION, self._read_labels,
            key=f"sculptor-decide-{uuid.uuid4().hex}", workers=[worker], pure=False,
        )  # fmt: skip

    def collect(self) -> tuple[Worker, Decision | None] | None:
        """As `dispatch.Workers`."""
        from distributed import wait

        done = self._done()
        if done is None and self._busy:
            with self._client.as_current(), contextlib.suppress(CancelledError, TimeoutError):
                wait(list(self._busy.values()), timeout=POLL_S, return_when="FIRST_COMPLETED")
            done = self._done()
        elif done is None:
            time.sleep(POLL_S)
        return None if done is None else (done, self._result(done, self._busy.pop(done)))

    def _done(self) -> str | None:
        """A worker whose unit has an end, of whatever kind."""
        return next((worker for worker, future in self._busy.items() if future.status != "pending"), None)

    def _result(self, worker: str, future: Any) -> Decision | None:
        """The result of a unit, None where the worker died; raises what measuring raised."""
        from distributed import KilledWorker

        try:
            decision: Decision = future.result(timeout=CONNECT_S)
            return decision
        except (KilledWorker, CancelledError, TimeoutError, OSError) as error:
            if isinstance(error, OSError) and worker in self._alive and future.status == "error":
                raise  # it is of the measuring
            self._look()
            return None
        except ImportError as error:
            raise WorkersLost(
                translate("errors", "A worker of the cluster cannot measure ({0}).").format(error),
                translate("errors", "Install the same version of Sculptor where the workers are."),
            ) from error

    def _look(self) -> None:
        """Ask which workers there are; those that have gone give up their units."""
        self._looked = time.monotonic()
        try:
            if self._client.status != "running":
                raise OSError(self._client.status)
            self._alive = set(self._client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, RuntimeError) as error:  # RuntimeError: the client was closed meanwhile
            raise _unreachable(self._address) from error
        for worker in self._busy.keys() - self._alive:
            self._busy[worker].cancel()  # which ends it
        if not self._alive and not self._has_told:
            self._has_told = True
            self._tell(translate("errors", "The cluster has no workers yet; it goes on as soon as there are some."))

    def __enter__(self) -> ClusterWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):  # it may be gone
            self._client.cancel(list(self._busy.values()))
            self._client.run(end_study, self._study, on_error="ignore")
        with contextlib.suppress(Exception):
            self._client.close(timeout=CONNECT_S)


def _connected(address: str) -> Any:
    from distributed import Client

    place = urlsplit(address)
    try:  # a client that finds nobody leaves a thread behind
        socket.create_connection((place.hostname, place.port), timeout=CONNECT_S).close()
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise _unreachable(address) from error


def _unreachable(address: str) -> WorkersLost:
    return WorkersLost(
        translate("errors", "The Dask scheduler at {0} does not answer.").format(address),
        translate("errors", "Check that it runs, and that its address is right."),
    )


# On the worker --------------------------------------------------------------------------------------------------------

_measurer = UnitMeasurer()
_at_work = threading.Lock()
_stops: dict[str, threading.Event] = {}


def measure_on_worker(unit: Unit, study: str, version: str, read_labels: ReadLabels) -> Decision:
    """Measure a unit in a worker's thread, one at a time in a process.

    Args:
        study: Whose unit it is; `end_study` ends all of them.
        version: Of the program that asks.
    """
    stop = _stops.setdefault(study, threading.Event())
    with _at_work, sendable_errors():
        if version != VERSION:
            raise WorkersLost(
                translate("errors", "A worker of the cluster has Sculptor {0}, and here is {1}.").format(
                    VERSION, version
                ),
                translate("errors", "Install the same version of Sculptor where the workers are."),
            )
        return _measurer.measure(unit, stop, read_labels)


def end_study(study: str) -> None:
    """End a study's unit within a step, and release its run."""
    _stops.setdefault(study, threading.Event()).set()
    if _at_work.acquire(blocking=False):
        try:
            _measurer.forget_run()
        finally:
            _at_work.release()
