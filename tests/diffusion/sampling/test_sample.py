"""Sampling as a generator: its events, its ends, and its errors."""

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
import torch

from sculptor_app.core.errors import Cancelled, OutOfDeviceMemory
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.core.trajectory.events import Started, StepTaken
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines import devices
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from tests.diffusion.gaussian import GaussianPipeline, gaussian_pipeline

STEPS = 6


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture
def request_(tiny_model: Path) -> RunRequest:
    return RunRequest(form="bust", material="bronze", seed=7, steps=STEPS, model=str(tiny_model))


def finish(engine: Engine, request: RunRequest, **options: Any) -> Trajectory:
    events = list(sample(engine, request, threading.Event(), **options))
    trajectory: Trajectory = events[-1].trajectory
    return trajectory


def gaussian_engine(pipeline: GaussianPipeline) -> Engine:
    return Engine(lambda *_, **__: pipeline)


def test_events_of_a_run(engine: Engine, request_: RunRequest) -> None:
    events = list(sample(engine, request_, threading.Event()))
    assert [type(event) for event in events] == [Started] + [StepTaken] * STEPS
    assert [event.step.number for event in events if isinstance(event, StepTaken)] == list(range(1, STEPS + 1))
    trajectory = events[0].trajectory
    assert trajectory.is_complete
    assert all(event.trajectory is trajectory for event in events)
    info = trajectory.info
    assert (info.request, info.model_name, info.sampler_name) == (request_, "tiny", "DDIM")
    assert (info.conditions, info.space) == ("bust · bronze", "pixels")
    assert info.device_name in {device.name for device in engine.devices()}


def test_a_state_can_be_read_when_its_event_comes(engine: Engine, request_: RunRequest) -> None:
    for event in sample(engine, request_, threading.Event()):
        last = event.step.number if isinstance(event, StepTaken) else 0
        assert event.trajectory.last == last
        assert event.trajectory.state(last).shape == (3, 16, 16)


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_plan_is_what_the_run_shows(engine: Engine, request_: RunRequest, sampler: str) -> None:
    request = RunRequest(**{**request_.as_dict(), "sampler": sampler})
    planned = Engine().plan(request)  # nothing is loaded
    assert finish(engine, request).levels == planned == engine.plan(request)


def test_the_same_seed_gives_the_same_run(engine: Engine, request_: RunRequest) -> None:
    """Also after runs with other samplers, which put other schedulers into the same pipeline."""
    first = finish(engine, request_)
    for sampler in ("heun", "ddpm", "dpmpp-2m"):
        finish(engine, RunRequest(**{**request_.as_dict(), "sampler": sampler}))
    second = finish(engine, request_)
    for k in range(STEPS + 1):
        np.testing.assert_array_equal(first.state(k), second.state(k))
    other = finish(engine, RunRequest(**{**request_.as_dict(), "seed": 8}))
    assert not np.array_equal(first.state(0), other.state(0))


def test_the_model_is_loaded_once(request_: RunRequest) -> None:
    loaded: list[Path] = []

    def load(folder: Path, device: str, **_: Any) -> GaussianPipeline:
        loaded.append(folder)
        return gaussian_pipeline(16)

    engine = Engine(load)
    unlabelled = RunRequest(steps=2, model=request_.model)
    finish(engine, unlabelled)
    finish(engine, unlabelled)
    assert len(loaded) == 1
    engine.unload()
    assert engine.device is None
    finish(engine, unlabelled)
    assert len(loaded) == 2


def test_a_model_that_is_half_moved_is_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs out while the weights go to another device: the next run starts from a whole model."""
    loaded: list[str] = []

    class Heavy(GaussianPipeline):
        def to(self, *args: Any, **kwargs: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    def load(folder: Path, device: str, **_: Any) -> GaussianPipeline:
        loaded.append(device)
        pipeline = gaussian_pipeline(16)
        return Heavy(pipeline.unet, pipeline.scheduler)

    small = devices.Device("cuda:0", "Small GPU")
    monkeypatch.setattr(devices, "devices", lambda: (small, devices.Device("cpu", "CPU, 1 thread")))
    engine = Engine(load)
    request = RunRequest(steps=2, model=str(tmp_path), device="cpu")
    assert finish(engine, request).is_complete
    with pytest.raises(OutOfDeviceMemory, match=r"not enough memory on Small GPU\. Choose the CPU"):
        finish(engine, RunRequest(steps=2, model=str(tmp_path), device="cuda"))
    assert engine.device is None
    assert finish(engine, request).is_complete
    assert loaded == ["cpu", "cpu"]


@pytest.mark.parametrize("stop_at", [0, 1, 3])
def test_stop_lands_within_a_step(engine: Engine, request_: RunRequest, stop_at: int) -> None:
    stop = threading.Event()
    seen = []

    def watch() -> None:
        for event in sample(engine, request_, stop):
            seen.append(event)
            if event.trajectory.last == stop_at:
                stop.set()

    with pytest.raises(Cancelled):
        watch()
    trajectory = seen[-1].trajectory
    assert (trajectory.last, trajectory.ended) == (stop_at, "cancelled")
    assert len(seen) == stop_at + 1
    assert finish(engine, request_).is_complete


def test_stop_from_another_thread_lands_within_a_step(tmp_path: Path) -> None:
    """Set while the network is at work on step 3: state 2 is the last, and the network is not asked again."""
    pipeline = gaussian_pipeline(16)
    stop, asked = threading.Event(), []

    def set_from_outside(module: Any, inputs: Any) -> None:
        asked.append(1)
        if len(asked) == 3:
            other = threading.Thread(target=stop.set)
            other.start()
            other.join()

    pipeline.unet.register_forward_pre_hook(set_from_outside)
    events: list[Any] = []
    with pytest.raises(Cancelled):
        events.extend(sample(gaussian_engine(pipeline), RunRequest(steps=8, model=str(tmp_path)), stop))
    assert len(asked) == 3
    assert pipeline.freed == 1


def test_a_generator_that_is_closed_early_cancels(tmp_path: Path) -> None:
    pipeline = gaussian_pipeline(16)
    original = []
    events = sample(gaussian_engine(pipeline), RunRequest(steps=8, model=str(tmp_path)), threading.Event())
    trajectory = next(events).trajectory
    next(events)
    original.append(type(pipeline.scheduler).step)
    events.close()
    assert (trajectory.last, trajectory.ended) == (1, "cancelled")
    assert type(pipeline.scheduler).step is original[0].__wrapped__
    assert pipeline.freed == 1
    with pytest.raises(StopIteration):
        next(events)


def test_each_side_keeps_its_grad_mode(engine: Engine, request_: RunRequest) -> None:
    assert torch.is_grad_enabled()
    for event in sample(engine, request_, threading.Event()):
        assert torch.is_grad_enabled()
        torch.set_grad_enabled(event.trajectory.last % 2 == 0)
        torch.set_grad_enabled(True)
    events = sample(engine, request_, threading.Event())
    next(events)
    events.close()
    assert torch.is_grad_enabled()


def test_the_network_never_records_gradients(tmp_path: Path) -> None:
    """Whatever the consumer does with its own grad mode between the steps."""
    pipeline = gaussian_pipeline(16)
    modes: list[bool] = []
    pipeline.unet.register_forward_pre_hook(lambda module, inputs: modes.append(torch.is_grad_enabled()))
    for _ in sample(gaussian_engine(pipeline), RunRequest(steps=3, model=str(tmp_path)), threading.Event()):
        torch.set_grad_enabled(True)
    assert modes == [False] * 3


def test_devices_have_names() -> None:
    found = devices.devices()
    assert found[-1].id == "cpu"
    assert found[-1].name in ("CPU, 1 thread", f"CPU, {devices.cpu_threads()} threads")
    assert devices.find_device("auto") == found[0]
    assert devices.find_device("cpu") == found[-1]


@pytest.mark.gpu
def test_a_seed_starts_from_the_same_noise_on_every_device(engine: Engine, request_: RunRequest) -> None:
    on_cpu = finish(engine, RunRequest(**{**request_.as_dict(), "device": "cpu"}))
    on_gpu = finish(engine, RunRequest(**{**request_.as_dict(), "device": "cuda"}))
    np.testing.assert_array_equal(on_cpu.state(0), on_gpu.state(0))
    np.testing.assert_allclose(on_cpu.state(STEPS), on_gpu.state(STEPS), atol=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's own allocator is left alone")
def test_an_unloaded_models_memory_goes_back_to_the_system(request_: RunRequest) -> None:
    pins = []

    def load(folder: Path, device: str, **_: Any) -> GaussianPipeline:
        pipeline = gaussian_pipeline(16)
        pipeline.ballast = [torch.ones(16_000) for _ in range(3_000)]  # 192 MB in pieces that the C library keeps
        pins.append(torch.ones(16_000))  # and something beyond them
        return pipeline

    engine, process = Engine(load), psutil.Process()
    before = process.memory_info().rss
    engine.load(request_.model)
    loaded = process.memory_info().rss
    engine.unload()
    assert loaded - before > 150e6
    assert process.memory_info().rss - before < 50e6
