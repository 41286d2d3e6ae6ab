"""Decisions measured on a Dask cluster: two worker processes on this machine, some of which die."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sculptor_app.cli import main
from sculptor_app.core.errors import Cancelled, ModelFolderError, WorkersLost
from sculptor_app.diffusion.studies import cluster as cluster_module
from sculptor_app.diffusion.studies.cluster import ClusterWorkers, measure_on_worker
from sculptor_app.diffusion.studies.dispatch import Plan, Unit, measure_all
from tests.diffusion.studies.test_processes import alone, asked, measured
from tests.helpers import unlucky_workers

ROOT = Path(__file__).parents[3]
needs_dask = pytest.mark.skipif(
    cluster_module.importlib.util.find_spec("distributed") is None,
    reason="needs the package distributed: pip install 'sculptor-app[cluster]'",
)
CLUSTER = """
import os, sys
if __name__ == "__main__":
    from distributed import LocalCluster
    with LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, processes=True, dashboard_address=None) as made:
        print(made.scheduler_address, flush=True)
        sys.stdin.read()
"""


class Clusters:
    """Starts clusters of so many workers in a process of their own, and gives the addresses of their schedulers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: list[subprocess.Popen[str]] = []
        (folder / "cluster.py").write_text(CLUSTER)

    def __call__(self, workers: int) -> str:
        process = subprocess.Popen(
            [sys.executable, str(self._folder / "cluster.py"), str(workers)], cwd=self._folder, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.processes.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Clusters]:
    clusters = Clusters(tmp_path)
    yield clusters
    for process in clusters.processes:
        process.communicate(timeout=60)


@needs_dask
def test_a_cluster_measures_what_one_process_does_to_the_last_bit_though_a_worker_dies(
    start: Clusters, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv(unlucky_workers.MARK, str(tmp_path / "died"))
    address, request = start(2), asked(tiny_model)
    wanted = str(alone(request))
    assert str(measured(request, ClusterWorkers(address, unlucky_workers.nothing))) == wanted
    assert str(measured(request, ClusterWorkers(address, unlucky_workers.dies_once))) == wanted
    assert (tmp_path / "died").exists()
    check_command(address, tiny_model, tmp_path, capsys)


def check_command(address: str, model: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes the same file with a cluster as without."""
    given = ["decide", "--model", str(model), "--device", "cpu", "--steps", "6", "--forks", "3", "--seeds", "2",
             "--at", "0,3", "--json"]  # fmt: skip
    assert main([*given, str(folder / "one.json")]) == 0
    here = capsys.readouterr().out.replace("one.json", "cluster.json")
    assert main([*given, str(folder / "cluster.json"), "--cluster", address]) == 0
    assert capsys.readouterr().out == here
    assert (folder / "one.json").read_bytes() == (folder / "cluster.json").read_bytes()
    assert len(json.loads((folder / "one.json").read_text())["results"]) == 4


@needs_dask
@pytest.mark.skipif(
    not os.environ.get("SCULPTOR_TEST_CLUSTER"),
    reason="takes minutes where cores are busy: set SCULPTOR_TEST_CLUSTER=1",
)
def test_errors_of_a_worker_are_the_same_here_and_a_stop_is_of_one_study_alone(
    start: Clusters, tiny_model: Path
) -> None:
    address = start(1)
    with pytest.raises(ModelFolderError) as raised:
        measured(asked(tiny_model), ClusterWorkers(address, unlucky_workers.refuses))
    assert str(raised.value) == "It holds nothing. Choose another."
    with ClusterWorkers(address, unlucky_workers.nothing) as workers:
        found = measure_all(Plan(asked(tiny_model, seeds=1000), (), largest_first=True), workers, threading.Event())
        next(found)
    assert len(measured(asked(tiny_model, seeds=1), ClusterWorkers(address, unlucky_workers.nothing))) == 3
    with pytest.raises(WorkersLost, match="Processes that measure ended by themselves 3 times"):
        measured(asked(tiny_model), ClusterWorkers(address, unlucky_workers.dies))


@needs_dask
def test_a_cluster_without_workers_is_told_of(start: Clusters, tiny_model: Path) -> None:
    told: list[str] = []
    stop = threading.Event()

    def tell(sentence: str) -> None:
        told.append(sentence)
        stop.set()

    with ClusterWorkers(start(0), unlucky_workers.nothing, tell) as workers:
        found = measure_all(Plan(asked(tiny_model), (), largest_first=True), workers, stop)
        with pytest.raises(Cancelled):
            next(found)
    assert told == ["The cluster has no workers yet; it goes on as soon as there are some."]


@needs_dask
def test_a_scheduler_that_goes_away_is_a_sentence(
    start: Clusters, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_S", 1)
    address = start(1)
    with ClusterWorkers(address, unlucky_workers.nothing) as workers:
        found = measure_all(Plan(asked(tiny_model, seeds=1000), (), largest_first=True), workers, threading.Event())
        next(found)
        start.processes[0].kill()
        with pytest.raises(WorkersLost, match=f"The Dask scheduler at {address} does not answer."):
            list(found)


def test_a_worker_of_another_version_says_so(tiny_model: Path) -> None:
    unit = Unit(asked(tiny_model).request, 2, 3)
    with pytest.raises(WorkersLost, match=r"A worker of the cluster has Sculptor .*, and here is 0\.0\. Install the"):
        measure_on_worker(unit, "a study", "0.0", unlucky_workers.nothing)
    cluster_module._stops.clear()


def refused(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    assert main(["decide", "--device", "cpu", *arguments]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("address", ["head-node", "http://head:8786", "tcp://head", "tcp://:8786", "tcp://a b:1", ""])
def test_what_is_no_address_is_refused_in_a_sentence(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no address of a Dask scheduler. Write it as tcp://HOST:PORT" in refused(capsys, "--cluster", address)


def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster_module.importlib.util, "find_spec", lambda name: None)
    said = refused(capsys, "--cluster", "tcp://head:8786")
    assert said == ("A Dask cluster needs the Python package distributed, which is not here. Install it (pip install "
                    "distributed), in the version that the cluster has.\n")  # fmt: skip


@needs_dask
def test_a_scheduler_that_does_not_answer_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_S", 1)
    assert main(["decide", "--device", "cpu", "--cluster", "tcp://127.0.0.1:9"]) == 4
    assert capsys.readouterr().err == (
        "The Dask scheduler at tcp://127.0.0.1:9 does not answer. Check that it runs, and that its address is right.\n"
    )
