"""Decisions measured by processes: the same numbers, deaths that cost little, errors as they are, an end in time."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sculptor_app.core.errors import Cancelled, ModelFolderError, WorkersLost
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.models import loader
from sculptor_app.diffusion.pipelines import devices
from sculptor_app.diffusion.studies.dispatch import DecisionRequest, Plan, measure_all
from sculptor_app.diffusion.studies.processes import ProcessWorkers, usual_workers
from sculptor_app.diffusion.studies.worker import ThisProcess
from sculptor_app.measures.likeness import Decision
from tests.helpers import unlucky_workers

ROOT = Path(__file__).parents[3]
AT = (0, 2, 4)


def asked(model: Path, seeds: int = 2) -> DecisionRequest:
    return DecisionRequest(RunRequest(steps=6, seed=7, device="cpu", model=str(model)), range(7, 7 + seeds), AT, 3)


def measured(
    request: DecisionRequest, workers: Any, stop: threading.Event | None = None, largest_first: bool = True
) -> list[Decision]:
    with workers:
        found = list(measure_all(Plan(request, (), largest_first), workers, stop or threading.Event()))
    return sorted(found, key=lambda each: (each.seed, each.step))


def alone(request: DecisionRequest, read_labels: Callable[..., Any] = unlucky_workers.nothing) -> list[Decision]:
    stop = threading.Event()
    return measured(request, ThisProcess(read_labels, stop), stop, largest_first=False)


def test_two_processes_measure_what_one_does_to_the_last_bit_though_one_dies(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These start as a person's do, each by itself."""
    monkeypatch.setenv(unlucky_workers.MARK, str(tmp_path / "died"))
    request = asked(tiny_model)
    found = measured(request, ProcessWorkers(2, unlucky_workers.dies_once_or_says_who))
    assert (tmp_path / "died").exists()
    processes = {name for each in found for name in each.labels["process"]}
    assert len(processes) >= 2
    assert str(os.getpid()) not in processes
    here = alone(request, unlucky_workers.who)
    without_names = [[replace(each, labels={}) for each in some] for some in (found, here)]
    assert str(without_names[0]) == str(without_names[1])  # as text: NaN is not NaN


@pytest.mark.usefixtures("quick_workers")
def test_processes_that_die_each_time_are_one_sentence(tiny_model: Path) -> None:
    with pytest.raises(WorkersLost, match="Processes that measure ended by themselves 3 times"):
        measured(asked(tiny_model, seeds=1), ProcessWorkers(1, unlucky_workers.dies))


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.parametrize(
    ("read_labels", "kind", "sentence"),
    [
        (unlucky_workers.refuses, ModelFolderError, "It holds nothing. Choose another."),
        (unlucky_workers.fails, RuntimeError, "OfTwoParts: this and that"),
    ],
)
def test_an_error_in_a_process_is_the_same_here(
    read_labels: Callable[..., Any], kind: type[Exception], sentence: str, tiny_model: Path
) -> None:
    with pytest.raises(kind) as raised:
        measured(asked(tiny_model), ProcessWorkers(1, read_labels))
    assert str(raised.value) == sentence


@pytest.mark.usefixtures("quick_workers")
def test_a_stop_ends_them_with_what_has_come(tiny_model: Path) -> None:
    stop = threading.Event()
    plan = Plan(asked(tiny_model, seeds=1000), (), largest_first=True)
    with ProcessWorkers(2, unlucky_workers.nothing) as workers:
        found = measure_all(plan, workers, stop)
        assert next(found).step in AT
        stop.set()
        with pytest.raises(Cancelled):
            next(found)


# The command, whose whole group of processes gets a signal -----------------------------------------------------------

PROGRAM = """
import os, signal, sys
from sculptor_app.cli import main
from sculptor_app.exports import decisions
real = decisions.write_decisions
def write(*arguments):
    real(*arguments)
    {then}
decisions.write_decisions = write
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def interrupted(then: str, model: Path, path: Path) -> tuple[int, str]:
    """Exit code and words of the command, when its process and those that it started have all ended."""
    command = [sys.executable, "-c", PROGRAM.format(then=then), "decide", "--model", model, "--device", "cpu",
               "--steps", "6", "--forks", "3", "--seeds", "5000", "--workers", "2", "--json", path]  # fmt: skip
    process = subprocess.Popen(
        [*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    said, _ = process.communicate(timeout=100)  # to the end of the stream: each of them holds it open
    return process.returncode, said


@pytest.mark.skipif(os.name != "posix", reason="Windows has no groups of processes with signals")
def test_a_signal_to_all_processes_ends_them_and_the_file_is_whole(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "curve.json"
    code, said = interrupted("os.killpg(0, signal.SIGINT)", tiny_model, path)
    assert code == 130
    assert said == f"Interrupted; what was measured is in {path}, and the same command goes on from there.\n"
    assert 1 <= len(json.loads(path.read_text())["results"]) < 100


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signal")
def test_processes_end_when_the_one_that_started_them_is_killed(tiny_model: Path, tmp_path: Path) -> None:
    code, _ = interrupted("os.kill(os.getpid(), signal.SIGKILL)", tiny_model, tmp_path / "curve.json")
    assert code == -signal.SIGKILL


# How many ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "free", "units", "evaluations", "expected"),
    [
        (8, 64 << 30, 10, 2600, (8, 1)),
        (64, 64 << 30, 10, 2600, (10, 1)),  # no more than there are units
        (8, 64 << 30, 10, 600, (2, 1)),  # nor than are worth their start
        (8, 64 << 30, 3, 100, (1, 1)),
        (8, 2 << 30, 10, 2600, (2, 1)),  # nor than fit
        (8, 0, 10, 2600, (1, 1)),
    ],
)
def test_there_are_as_many_as_suit_machine_and_work(
    cores: int, free: int, units: int, evaluations: int, expected: tuple[int, int], tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(devices, "cpu_workers", lambda: cores)
    monkeypatch.setattr(loader, "free_bytes", lambda device: free)
    assert usual_workers(str(tiny_model), units, evaluations) == expected


def test_a_model_that_fits_once_has_the_threads_of_all(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_workers", lambda: 8)
    monkeypatch.setattr(devices, "cpu_threads", lambda: 7)
    monkeypatch.setattr(loader, "free_bytes", lambda device: 12 << 30)
    monkeypatch.setattr(loader.Verdict, "loaded_bytes", lambda verdict, dtype: 8 << 30)
    assert usual_workers(str(tiny_model), 10, 2600) == (1, 7)


def test_a_container_has_the_cores_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_allowed_cores", lambda: 64)
    monkeypatch.setattr(devices, "CPU_QUOTA", tmp_path / "cpu.max")
    assert devices.cpu_workers() == 64
    for told, cores in (("max 100000", 64), ("400000 100000", 4), ("50000 100000", 1), ("", 64)):
        (tmp_path / "cpu.max").write_text(told)
        assert devices.cpu_workers() == cores
