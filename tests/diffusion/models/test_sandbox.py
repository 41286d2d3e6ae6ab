"""The sandbox: real subprocesses, bounded in memory, time and actions, and remembered when passed."""

import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.texts import Text, translate
from sculptor_app.diffusion.models import sandbox, sandbox_child
from sculptor_app.diffusion.models.folder import cache_folder
from sculptor_app.diffusion.models.loader import check_model, inspect_model, load_pipeline
from sculptor_app.diffusion.models.verdict import (
    Finding,
    LoadingProgress,
    LoadingStage,
    ModelRefused,
    Severity,
    shown_path,
)
from tests.helpers.diffusers_models import WEIGHTS, dit, edit_json, edit_weights, save

ROOT = Path(__file__).parents[3]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The processes that were started for trials."""
    processes: list[Any] = []
    start = sandbox._start

    def note(*arguments: Any) -> Any:
        processes.append(start(*arguments))
        return processes[-1]

    monkeypatch.setattr(sandbox, "_start", note)
    return processes


def test_a_model_is_tried_once_and_again_when_anything_of_it_has_changed(model: Path, started: list[Any]) -> None:
    reports: list[LoadingProgress] = []
    assert load_pipeline(model, report=reports.append).unet is not None
    assert reports == [
        LoadingProgress(LoadingStage.CHECKING),
        LoadingProgress(LoadingStage.SANDBOX),
        LoadingProgress(LoadingStage.READING, "scheduler", 1, 2),
        LoadingProgress(LoadingStage.READING, "unet", 2, 2),
        LoadingProgress(LoadingStage.MOVING),
    ]
    assert [process.returncode for process in started] == [0]
    load_pipeline(model)
    assert len(started) == 1
    (model / "unet" / "config.json").touch()
    load_pipeline(model)
    assert len(started) == 2


def test_what_counts_as_a_change(model: Path) -> None:
    before = inspect_model(model).fingerprint
    path = model / "unet" / WEIGHTS
    what = path.stat()
    edit_weights(path, lambda w: w.update(x=w.pop("conv_in.bias")))  # the same size, another header
    os.utime(path, ns=(what.st_atime_ns, what.st_mtime_ns))
    changed = inspect_model(model).fingerprint
    (model / "README.md").touch()
    assert len({before, changed, inspect_model(model).fingerprint}) == 3


def test_settings_that_ask_for_gigabytes_end_the_trial_and_nothing_else(tmp_path: Path, started: list[Any]) -> None:
    folder = save(dit, tmp_path / "dit")
    edit_json(folder / "transformer" / "config.json", sample_size=4_096)  # a table of 2,048 x 2,048 for each channel
    inspect_model(folder).refuse()
    with pytest.raises(ModelRefused, match=r"take more than \d+\.\d MB, far more than its weights|ended its process"):
        load_pipeline(folder)
    assert started[0].returncode is not None


def test_findings_of_the_sandbox_keep_their_template_and_facts(model: Path, started: list[Any]) -> None:
    edit_weights(model / "unet" / WEIGHTS, lambda w: w["conv_in.bias"].fill_(float("nan")))
    with pytest.raises(ModelRefused) as refused:
        load_pipeline(model)
    assert [process.returncode for process in started] == [0]
    message = refused.value.findings[0].message
    assert isinstance(message, Text)
    assert (message.context, message.template) == ("errors", "{0} has NaN or infinite values in {1}.")
    assert message.facts == (shown_path(model / "unet"), "'conv_in.bias'")
    assert isinstance(refused.value.findings[0].explanation, Text)


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"[]", b'{"findings": 1}', b'{"findings": [["a"]]}', b'{"findings": [["a", "b", "c"]]}', b"[" * 100_000,
        b'{"findings": [[{"context": "errors", "template": "{0:>9999999999}", "facts": ["a"]}, "", "note"]]}',
    ],
)  # fmt: skip
def test_an_answer_that_is_none_counts_as_a_refusal(answer: bytes) -> None:
    with io.BytesIO(answer) as file:
        found = sandbox._findings(-9, file)
    assert [str(each).split(". ")[0] for each in found] == [
        "Loading the model in the sandbox ended its process with signal 9"
    ]


def test_a_trial_that_takes_too_long_is_ended(model: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "LEAST_SECONDS", 0)
    monkeypatch.setattr(sandbox, "LIBRARY_SECONDS", 0)
    monkeypatch.setattr(sandbox, "STEP_SECONDS", 0)
    with pytest.raises(ModelRefused, match=r"took more than 0 seconds\. It would have ended the program"):
        load_pipeline(model)
    assert started[0].returncode < 0


def test_notes_of_a_trial_are_remembered_with_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = Finding(translate("errors", "It is slow: a step takes more than {0:.0f} s.").format(6), "", Severity.NOTE)
    tried: list[Any] = []
    monkeypatch.setattr(sandbox, "_load", lambda *_: [tried.append(1) or note])
    told = [check_model(model, "cpu")[0].findings for _ in range(2)]
    assert told == [(note,), (note,)]
    assert tried == [1]


def test_a_limit_of_memory_on_the_program_itself_is_blamed_on_that_and_not_on_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource")
    assert sandbox._too_little(1 << 30) is None
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000 << 20, 1000 << 20))
    monkeypatch.setattr(sandbox, "_start", lambda *_: subprocess.Popen(["false"], stdin=subprocess.PIPE))
    (finding,) = sandbox.run(["load"], 1 << 30, 1)
    assert finding.message == "There is too little memory to try the model: a limit leaves 1.0 GB."


@pytest.mark.parametrize("is_computing", [True, False])
def test_a_network_that_computes_for_long_is_slow_and_all_else_that_does_is_refused(is_computing: bool) -> None:
    told: list[Finding] = []
    ended = threading.Event()

    def end(findings: Any) -> Any:
        told.extend(findings)
        ended.set()

    class Decoder(nn.Module):
        def forward(self) -> None:
            while not ended.is_set():
                pass

    network = nn.Sequential(Decoder())
    pipeline = SimpleNamespace(components={"vae": network, "scheduler": object()})
    sandbox_child._end_after(0.05 if is_computing else 0, pipeline, end)
    if is_computing:
        network[0]()  # as an autoencoder's parts are called, not the whole
    assert ended.wait(20)
    assert [each.severity for each in told] == [Severity.NOTE if is_computing else Severity.REFUSED]


@pytest.mark.parametrize("lacking", ["room", "folder"])
def test_a_temporary_folder_that_cannot_be_used_is_said(
    lacking: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(*_: object) -> object:
        raise OSError(errno.ENOSPC if lacking == "room" else errno.ENOENT, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sandbox, "temporary_folder" if lacking == "room" else "_start", make)
    with pytest.raises(ModelRefused) as refused:
        load_pipeline(model)
    assert "could not be tried in a process of its own (No space left on device)" in str(refused.value)
    assert "temporary folder" in str(refused.value)


def test_a_trial_can_be_stopped(model: Path, started: list[Any]) -> None:
    stop = threading.Event()
    with pytest.raises(Cancelled):
        load_pipeline(
            model, stop=stop, report=lambda progress: stop.set() if progress.stage is LoadingStage.SANDBOX else None
        )
    assert started[0].returncode < 0


def test_a_process_that_takes_too_much_memory_is_seen_from_outside() -> None:
    greedy = subprocess.Popen([sys.executable, "-c", "x = bytearray(1 << 27); input()"], stdin=subprocess.PIPE)
    try:
        while sandbox._resident(greedy.pid) < 1 << 27:
            assert greedy.poll() is None
        finding = sandbox._wait(greedy, 60, (1 << 26) - sandbox.LIBRARY_BYTES, None)
    finally:
        sandbox._end(greedy)
    assert finding is not None
    assert "took more than" in finding.message
    assert sandbox._resident(greedy.pid) == 0


DEEDS = {
    "a connection": "socket.create_connection(('127.0.0.1', 9))",
    "a name in the network": "socket.getaddrinfo('localhost', 80)",
    "a program": "subprocess.run(['true'])",
    "a shell": "os.system('true')",
    "a fork": "os.fork()",
    "a pickle": "pickle.loads(data)",
    "a file elsewhere": "open(elsewhere, 'w')",
    "an addition elsewhere": "open(elsewhere, 'a')",
    "a folder elsewhere": "os.mkdir(elsewhere)",
    "a removal": "os.remove(__file__)",
    "a signal": "os.kill(os.getppid(), 0)",
    "a file that is reached from below": "open(mine + '/../elsewhere', 'w')",
    "a removal from below": "os.remove(mine + '/../program.py')",
    "a folder from below": "os.mkdir(mine + '/../elsewhere')",
    "a program of its own": "subprocess.Popen([mine + '/a'])",
    "a program in its place": "os.posix_spawn(mine + '/a', [mine + '/a'], {})",
    "a file with the beginning of the null device's name": "open(os.devnull + 'x', 'w')",
}


def in_a_process(program: str, tmp_path: Path) -> str:
    path = tmp_path / "program.py"
    path.write_text(program)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, path], env=environment, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    return said.stdout


def test_the_process_may_do_little(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    program = (
        "import os, pathlib, pickle, socket, subprocess\n"
        "from sculptor_app.diffusion.models import sandbox_child as limits\n"
        f"data, elsewhere = pickle.dumps(pathlib.Path()), {str(tmp_path / 'elsewhere')!r}\n"
        f"mine = {str(tmp_path / 'mine')!r}\n"
        "limits.forbid(pathlib.Path(mine))\n"
        "open(mine + '/a', 'w').close()\n"
        "os.mkdir(mine + '/b')\n"
        "os.chmod(mine + '/a', 0o700)\n"
        "open(os.devnull, 'w').close()\n"
        "open(__file__).close()\n"
        f"for name, deed in {DEEDS!r}.items():\n"
        "    try:\n"
        "        exec(deed)\n"
        "    except limits.Forbidden as error:\n"
        "        continue\n"
        "    except OSError:\n"
        "        pass\n"
        "    print(name)\n"
    )
    assert in_a_process(program, tmp_path) == ""
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "program.py").exists()
    assert (tmp_path / "mine" / "a").exists()


def test_the_process_has_no_more_memory_than_it_is_given(tmp_path: Path) -> None:
    program = (
        "from sculptor_app.diffusion.models import sandbox_child as limits\n"
        "limits.limit_resources(1 << 28, 60)\n"
        "bytearray(1 << 26)\n"
        "try:\n"
        "    bytearray(1 << 29)\n"
        "except MemoryError:\n"
        "    print('bounded')\n"
    )
    assert in_a_process(program, tmp_path) == "bounded\n"


def test_the_process_ends_with_its_parent() -> None:
    program = (
        "import sys, threading\n"
        "from sculptor_app.diffusion.models import sandbox_child as limits\n"
        "limits.exit_with_parent(sys.stdin.buffer)\n"
        "print('begun', flush=True)\n"
        "threading.Event().wait(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        child.stdin.close()
        assert child.wait(30) == 1


def test_the_process_knows_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    given: dict[str, str] = {}
    monkeypatch.setattr(sandbox.subprocess, "Popen", lambda *_, env, **__: given.update(env))
    sandbox._start([], str(tmp_path), None)  # type: ignore[arg-type]
    assert "hf_secret" not in given.values()
    assert not {"HF_TOKEN", "HTTPS_PROXY"} & given.keys()
    assert (given["HF_HUB_OFFLINE"], given["HOME"]) == ("1", str(tmp_path))
    # It finds what links lead to, the settings of checkpoints and the copies of pickled weights where they lie.
    assert given["HF_HUB_CACHE"] == os.path.realpath(cache_folder())
    assert given[sandbox.CONVERTED_VARIABLE] == str(sandbox.converted_folder())
