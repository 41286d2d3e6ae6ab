"""Train, stop, kill, go on, measure: with real processes and real signals, bit for bit what nobody disturbed."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sculptor_app.cli import main
from sculptor_app.commands import train_run
from sculptor_app.training.data import shards
from sculptor_app.training.loop.checkpoint import load_checkpoint
from sculptor_app.training.loop.trainer import Trainer
from tests.training.evaluation.test_evaluate import judge  # noqa: F401  # a fixture
from tests.training.tiny import fill

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-u", "-m", "sculptor_app", "train")
TINY = ("--size", "16", "--channels", "32,32", "--batch", "4", "--sample-every", "0", "--report-every", "4",
        "--checkpoint-every", "4", "--threads", "1")  # fmt: skip


def started(*words: object, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *TINY, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env=environment or alone(),
    )  # fmt: skip


def alone() -> dict[str, str]:
    """The environment of a process of its own."""
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def two_processes() -> list[dict[str, str]]:
    """Environments of two CPU processes, as accelerate's launcher sets them; its own start costs seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {"ACCELERATE_USE_CPU": "true", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
              "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}  # fmt: skip
    return [alone() | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]


def wait_for_reports(child: subprocess.Popen[str], count: int) -> None:
    """Read until the child has reported so often."""
    assert child.stdout is not None
    while count:
        line = child.stdout.readline()
        assert line, child.stderr.read() if child.stderr else ""
        count -= "pictures/s" in line


def interrupt_at(monkeypatch: pytest.MonkeyPatch, seen: int) -> None:
    """Have Ctrl-C come in the middle of the step after so many pictures."""
    real = Trainer.step

    def step(trainer: Trainer):
        if trainer.seen == seen:
            signal.raise_signal(signal.SIGINT)
        return real(trainer)

    monkeypatch.setattr(Trainer, "step", step)


def same(one: object, other: object) -> bool:
    """Whether two checkpoints hold the same, bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_trained_stopped_killed_resumed_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], judge: Path  # noqa: F811
):  # fmt: skip
    for module in (shards, train_run):
        monkeypatch.setattr(module, "SHARD", 24)
    words = ("--renders", "24", "--pictures", "120")
    for name in ("whole", "parts"):
        list(shards.write_shards(tmp_path / name / "renders", 1, 16, 0, "cpu"))
    assert main(["train", *TINY, *words, "--out", str(tmp_path / "whole")]) == 0

    with monkeypatch.context() as patched:
        interrupt_at(patched, seen=20)
        assert main(["train", *TINY, *words, "--out", str(tmp_path / "parts")]) == 130
    told = capsys.readouterr().out
    assert "Stopped after 24 pictures; the checkpoint is written. Start the same command again to go on" in told

    moment = random.randrange(1, 15)
    with started(*words, "--out", tmp_path / "parts") as child:
        wait_for_reports(child, moment)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL

    assert main(["train", *TINY, *words, "--out", str(tmp_path / "parts")]) == 0, moment
    states = [load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts")]
    told = capsys.readouterr().out
    assert 24 + 4 * (moment - 1) <= int(told.split(" after ")[1].split()[0]) < 120
    for key in ("learner", "average", "optimizer", "generators", "guard", "seen", "shards", "fixed"):
        assert same(states[0][key], states[1][key]), (key, moment)
    assert weights_of(tmp_path / "whole") == weights_of(tmp_path / "parts")
    lines = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert [line["pictures"] for line in lines] == list(range(4, 121, 4))
    assert sorted(p.name for p in (tmp_path / "parts").iterdir()) == [".lock", "checkpoint.pt", "log.jsonl", "model",
                                                                     "renders"]  # fmt: skip

    model = tmp_path / "parts" / "model"
    assert main(["evaluate", "--model", str(model), "--samples", "8", "--steps", "2", "--device", "cpu", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["training_compared"] == 24
    assert figures["frechet_samples"] > 0


def weights_of(run: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((run / "model").rglob("*.safetensors"))]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_two_processes_learn_together_and_none_waits_for_one_that_has_gone(tmp_path: Path):
    words = ("--from", fill(tmp_path / "mine"), "--out", tmp_path / "run", "--pictures", 10**9)
    children = [started(*words, environment=environment) for environment in two_processes()]
    wait_for_reports(children[0], 3)
    children[1].send_signal(signal.SIGKILL)
    told = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [4, -signal.SIGKILL]
    assert told[0][1].startswith("Another process of this run has gone after ")
    assert "checkpoint.pt is whole: start the same command again to go on from it." in told[0][1]
    assert told[1] == ("", "")  # the first speaks for both
    state = load_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert state["settings"]["processes"] == len(state["generators"]) == 2
    assert not torch.equal(*state["generators"])
    assert state["seen"] % 8 == 0
