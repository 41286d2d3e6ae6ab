"""Faults in a run: one sentence each, and nothing that was recorded is lost."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sculptor_app.core.errors import (
    DeviceMissing,
    ModelFolderError,
    OutOfDeviceMemory,
    SamplerFailed,
    TrajectoryStorageError,
)
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.trajectory import array_store
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from tests.diffusion.gaussian import GaussianPipeline, gaussian_pipeline


def gaussian_engine(pipeline: Any) -> Engine:
    return Engine(lambda *_, **__: pipeline)


def failing_pipeline(error: BaseException, at: int = 3) -> GaussianPipeline:
    pipeline = gaussian_pipeline(16)
    calls: list[int] = []

    def fail(module: Any, inputs: Any) -> None:
        calls.append(1)
        if len(calls) == at:
            raise error

    pipeline.unet.register_forward_pre_hook(fail)
    return pipeline


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (torch.OutOfMemoryError("Tried to allocate 20 GiB."), OutOfDeviceMemory, "There is not enough memory on CPU"),
        (RuntimeError("MPS backend out of memory"), OutOfDeviceMemory, "There is not enough memory on CPU"),
        (MemoryError(), OutOfDeviceMemory, "There is not enough memory on CPU"),
        (RuntimeError("shapes differ"), SamplerFailed, r"failed in mid-run \(RuntimeError: shapes differ\)"),
        (IndexError("no such sigma"), SamplerFailed, r"failed in mid-run \(IndexError: no such sigma\)"),
    ],
)
def test_faults_are_one_sentence_and_lose_nothing(
    error: BaseException, kind: type[Exception], sentence: str, tmp_path: Path
) -> None:
    pipeline = failing_pipeline(error)
    events: list[Any] = []
    request = RunRequest(steps=8, model=str(tmp_path), device="cpu")
    with pytest.raises(kind, match=sentence) as caught:
        events.extend(sample(gaussian_engine(pipeline), request, threading.Event()))
    assert caught.value.advice  # type: ignore[attr-defined]
    assert pipeline.freed == 1


def test_what_was_taken_before_a_fault_stays(tmp_path: Path) -> None:
    engine, request = gaussian_engine(failing_pipeline(RuntimeError("broken"))), RunRequest(model=str(tmp_path))
    seen: list[Any] = []
    with pytest.raises(SamplerFailed) as caught:
        seen.extend(sample(engine, request, threading.Event()))
    trajectory = seen[0].trajectory
    assert (trajectory.last, trajectory.ended) == (2, f"failed: {caught.value}")
    assert trajectory.state(2).shape == (3, 16, 16)


def test_a_full_disk_ends_the_run_and_keeps_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: Any, content: memoryview) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(array_store, "write_all", refuse)
    request = RunRequest(steps=8, model=str(tmp_path))
    engine, budget_bytes = gaussian_engine(gaussian_pipeline(16)), 5 * 3 * 16 * 16 * 4
    seen: list[Any] = []
    with pytest.raises(TrajectoryStorageError, match="No space left"):
        seen.extend(sample(engine, request, threading.Event(), budget_bytes, tmp_path, forkable=False))
    trajectory = seen[0].trajectory
    assert trajectory.last == 2
    assert trajectory.ended.startswith("failed: No more steps can be kept")
    assert np.isfinite(trajectory.state(2)).all()


def test_a_pipeline_that_stops_early_is_noticed(tmp_path: Path) -> None:
    class Lazy(GaussianPipeline):
        def __call__(self, num_inference_steps: int = 50, **rest: Any) -> torch.Tensor:
            self.scheduler.set_timesteps(num_inference_steps)
            self.scheduler.scale_model_input(torch.zeros(1, 3, 16, 16), self.scheduler.timesteps[0])
            return torch.zeros(1)

    pipeline = gaussian_pipeline(16)
    engine = gaussian_engine(Lazy(pipeline.unet, pipeline.scheduler))
    with pytest.raises(SamplerFailed, match="before all its steps were taken"):
        list(sample(engine, RunRequest(steps=4, model=str(tmp_path)), threading.Event()))


def test_missing_folder_and_missing_device(tmp_path: Path) -> None:
    engine = Engine()
    with pytest.raises(ModelFolderError, match="There is no folder"):
        list(sample(engine, RunRequest(model=str(tmp_path / "gone")), threading.Event()))
    with pytest.raises(DeviceMissing, match=r"'tpu' is not available here\. Choose .*cpu, or auto"):
        list(sample(engine, RunRequest(device="tpu", model=str(tmp_path)), threading.Event()))
    with pytest.raises(ModelFolderError, match=r"scheduler_config\.json cannot be read"):
        engine.plan(RunRequest(model=str(tmp_path)))
    with pytest.raises(ModelFolderError):
        list(sample(engine, RunRequest(model=str(tmp_path)), threading.Event()))


def test_a_form_that_the_model_does_not_know(tiny_model: Path) -> None:
    pipeline = load_sculptor(tiny_model)
    pipeline.register_to_config(form_names=["cube"], material_names=["wax"])
    with pytest.raises(RequestError, match="This model knows no form 'bust'; choose one of cube"):
        list(sample(gaussian_engine(pipeline), RunRequest(form="bust", model=str(tiny_model)), threading.Event()))


def test_a_model_that_knows_no_forms(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="This model knows no forms; leave the form to the model"):
        list(sample(gaussian_engine(gaussian_pipeline(16)), RunRequest(form="bust", model=str(tmp_path)),
                    threading.Event()))  # fmt: skip
