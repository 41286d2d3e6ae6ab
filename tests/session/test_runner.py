"""Runs of several pages through one worker thread: each ends once, by its own handle, and no page hears another's."""

import contextlib
import gc
import itertools
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.models import loader
from sculptor_app.diffusion.models.verdict import Finding, LoadingStage, Verdict
from sculptor_app.session.runner import ModelRun, RunState, SampleRun, SamplingRunner
from tests.helpers.diffusers_models import ddpm, save
from tests.helpers.failing_engine import MissingSampling

PATIENCE_MS = 60_000


@pytest.fixture
def runner_of(qtbot: QtBot) -> Iterator[Callable[[Path], SamplingRunner]]:
    """Makes a runner for a model, which ends with the test, also with one that fails."""
    with contextlib.ExitStack() as runners:

        def make(model: Path) -> SamplingRunner:
            runner = SamplingRunner(str(model))
            runners.callback(runner.shutdown)
            return runner

        yield make


@pytest.fixture
def runner(runner_of: Callable[[Path], SamplingRunner], tiny_model: Path) -> SamplingRunner:
    return runner_of(tiny_model)


@pytest.fixture
def heard() -> list[tuple]:
    """What the runs that are listened to said, in order."""
    return []


def listen(heard: list[tuple], run: ModelRun) -> ModelRun:
    run.produced.connect(lambda item: heard.append((run, item)))
    for name in ("started", "finished", "cancelled", "failed"):
        if name != "started" or isinstance(run, SampleRun):
            getattr(run, name).connect(lambda *_, name=name: heard.append((run, name)))
    return run


def ready(qtbot: QtBot, runner: SamplingRunner) -> None:
    runner.prepare()
    qtbot.waitUntil(lambda: runner.is_ready and runner.state is RunState.IDLE, timeout=PATIENCE_MS)


def test_preparing_sweeps_what_killed_windows_left(
    qtbot: QtBot, runner: SamplingRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "sculptor-pasted-left"
    left.mkdir()
    (left / ".sculptor-owner").touch()  # which nobody holds
    ready(qtbot, runner)
    assert not left.exists()


def counting(engine: object, stop: threading.Event) -> Iterator[int]:
    yield from range(3)


def endless(engine: object, stop: threading.Event) -> Iterator[int]:
    yield from itertools.count()


def failing(engine: object, stop: threading.Event) -> Iterator[int]:
    yield 0
    raise OSError("the disk is full")


def request(model: Path, steps: int = 3) -> RunRequest:
    return RunRequest(steps=steps, model=str(model), device="cpu")


def test_work_comes_out_of_its_handle_and_ends_once(qtbot: QtBot, runner: SamplingRunner, heard: list[tuple]):
    ready(qtbot, runner)
    with qtbot.waitSignal(runner.finished, timeout=PATIENCE_MS):
        run = listen(heard, runner.submit(counting))
    assert heard == [(run, 0), (run, 1), (run, 2), (run, "finished")]
    assert runner.state is RunState.IDLE
    with qtbot.waitSignal(runner.failed, timeout=PATIENCE_MS) as failed:
        later = runner.submit(failing)
    assert (failed.args[0], str(failed.args[1])) == (later, "the disk is full")
    assert later.is_newest
    assert not run.is_newest


def test_work_is_given_the_engine(qtbot: QtBot, runner: SamplingRunner):
    ready(qtbot, runner)
    engines: list[object] = []

    def look(engine: object, stop: threading.Event) -> Iterator[None]:
        engines.append(engine)
        yield None

    with qtbot.waitSignal(runner.finished, timeout=PATIENCE_MS):
        runner.submit(look)
    assert engines == [runner.engine]


def test_a_carving_ends_the_work_before_it_and_the_other_way_round(
    qtbot: QtBot, runner: SamplingRunner, heard: list[tuple], tiny_model: Path
):
    ready(qtbot, runner)
    work = listen(heard, runner.submit(endless))
    qtbot.waitUntil(lambda: (work, 1) in heard, timeout=PATIENCE_MS)
    sampling = listen(heard, runner.start(request(tiny_model, steps=1000)))
    qtbot.waitUntil(lambda: (sampling, "started") in heard, timeout=PATIENCE_MS)
    last = listen(heard, runner.submit(counting))
    qtbot.waitUntil(lambda: (last, "finished") in heard, timeout=PATIENCE_MS)
    words = [said for said in heard if not isinstance(said[1], int)]
    assert words == [(work, "cancelled"), (sampling, "started"), (sampling, "cancelled"), (last, "finished")]


def test_a_trajectory_goes_with_the_last_handle_of_its_run(qtbot: QtBot, runner: SamplingRunner, tiny_model: Path):
    ready(qtbot, runner)
    with qtbot.waitSignal(runner.finished, timeout=PATIENCE_MS):
        run = runner.start(request(tiny_model))
    qtbot.waitUntil(lambda: not runner._jobs.is_busy)
    trajectory = weakref.ref(run.trajectory)
    assert run.is_newest
    del run
    gc.collect()  # torch and diffusers have made circles around it
    assert trajectory() is None


def test_work_waits_for_the_engine_and_can_be_taken_back(qtbot: QtBot, runner: SamplingRunner, heard: list[tuple]):
    first = listen(heard, runner.submit(counting))
    assert runner.is_waiting
    second = listen(heard, runner.submit(counting))  # takes the place of the first
    assert heard == [(first, "cancelled")]
    qtbot.waitUntil(lambda: (second, "finished") in heard, timeout=PATIENCE_MS)
    assert [said for said in heard if said[0] == second] == [
        (second, 0),
        (second, 1),
        (second, 2),
        (second, "finished"),
    ]


def test_stop_before_the_engine_is_there_takes_the_work_back(qtbot: QtBot, runner: SamplingRunner, heard: list[tuple]):
    run = listen(heard, runner.submit(counting))
    run.stop()
    qtbot.waitUntil(lambda: runner.is_ready and runner.state is RunState.IDLE, timeout=PATIENCE_MS)
    assert heard == [(run, "cancelled")]


def test_the_loading_of_a_model_is_reported_by_the_run_that_it_is_for(
    qtbot: QtBot, runner: SamplingRunner, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())
    stages: list[str] = []
    runner.loading.connect(lambda progress: stages.append(str(progress)))
    ready(qtbot, runner)
    other = Path(shutil.copytree(tiny_model, tmp_path / "other"))
    of_the_run: list[str] = []
    run = runner.start(request(other))
    run.loading.connect(lambda progress: of_the_run.append(str(progress)))
    with qtbot.waitSignal(runner.finished, timeout=PATIENCE_MS):
        pass
    assert of_the_run == ["checking the model", "trying the model", "reading the model", "moving the model"]
    assert stages == 2 * of_the_run  # those of the preparing, too


@pytest.mark.parametrize("is_preparing", [True, False])
def test_the_loading_of_a_model_can_be_stopped(
    is_preparing: bool, qtbot: QtBot, runner_of: Callable[[Path], SamplingRunner], tiny_model: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    foreign = save(ddpm, tmp_path / "ddpm")
    check_in_sandbox = loader.check_in_sandbox

    def wait_until_stopped(verdict: Verdict, dtype: str, stop: threading.Event) -> tuple[Finding, ...]:
        if verdict.path != foreign.resolve():  # the tiny model has passed
            return check_in_sandbox(verdict, dtype, stop)
        assert stop.wait(PATIENCE_MS / 1000)
        raise Cancelled

    monkeypatch.setattr(loader, "check_in_sandbox", wait_until_stopped)
    runner = runner_of(foreign if is_preparing else tiny_model)
    is_tried = lambda progress: progress.stage is LoadingStage.SANDBOX  # noqa: E731
    failures: list[object] = []
    runner.prepared.connect(lambda prepared: failures.append(prepared.error))
    if not is_preparing:
        ready(qtbot, runner)
    with qtbot.waitSignal(runner.loading, timeout=PATIENCE_MS, check_params_cb=is_tried):
        if is_preparing:
            runner.prepare()
        else:
            runner.start(request(foreign))
    runner.stop()
    qtbot.waitUntil(lambda: runner.state is RunState.IDLE and not runner._jobs.is_busy, timeout=PATIENCE_MS)
    assert runner.is_ready
    assert set(failures) == {None}
    with qtbot.waitSignal(runner.finished, timeout=PATIENCE_MS):
        runner.start(request(tiny_model))


def test_an_engine_that_cannot_be_had_ends_what_waits_for_it(qtbot: QtBot):
    runner = SamplingRunner(sampling=MissingSampling())
    ended: list[ModelRun] = []
    runner.cancelled.connect(ended.append)
    with qtbot.waitSignal(runner.prepared, timeout=PATIENCE_MS) as prepared:
        run = runner.submit(counting)
    assert isinstance(prepared.args[0].error, ModuleNotFoundError)
    assert ended == [run]
    runner.shutdown()
