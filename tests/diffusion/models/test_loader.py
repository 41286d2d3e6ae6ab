"""The way in as a whole: what the engine and the commands use."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sculptor_app.core.errors import Cancelled, ModelFolderError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.models import loader, sandbox
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.models.loader import LoadingPlan, check_model, inspect_model, is_movable, load_pipeline
from sculptor_app.diffusion.models.verdict import LoadingProgress
from sculptor_app.diffusion.sampling.engine import Engine, model_name
from sculptor_app.diffusion.sampling.sample import sample
from tests.diffusion.gaussian import gaussian_pipeline
from tests.helpers.diffusers_models import edit_json


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(sandbox, "_start", start)


def seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every model had passed its trial."""
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: None)


def test_a_model_of_ours_needs_no_trial_and_is_what_it_was(tiny_model: Path, no_process: None) -> None:
    pipeline = load_pipeline(tiny_model)
    before = load_sculptor(tiny_model)
    arguments: dict[str, Any] = {"form": 1, "num_inference_steps": 2}
    pictures = [each(generator=torch.Generator().manual_seed(1), **arguments).images for each in (pipeline, before)]
    np.testing.assert_array_equal(*pictures)


def test_the_verdict_alone_starts_nothing(whole_ddpm: Path, no_process: None) -> None:
    verdict = inspect_model(whole_ddpm)
    assert verdict.fit
    assert check_model(whole_ddpm, "cpu", sandbox=False) == (verdict, LoadingPlan("float32"))


def test_a_folder_that_changes_while_it_is_read(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_before(monkeypatch)
    built = loader.build

    def change(*arguments: Any) -> Any:
        pipeline = built(*arguments)
        edit_json(model / "unet" / "config.json", sample_size=16)
        return pipeline

    monkeypatch.setattr(loader, "build", change)
    with pytest.raises(ModelFolderError, match=r"changed while it was read\. Wait until it is complete"):
        load_pipeline(model)


def test_the_engine_opens_any_model_keeps_it_and_lets_go_of_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_before(monkeypatch)
    engine, link = Engine(), model.parent / "link"
    link.symlink_to(model)
    request = RunRequest(model=str(link), steps=4)
    planned = engine.plan(request)  # by its settings alone
    pipeline = engine.load(str(model), "cpu")
    assert type(pipeline).__name__ == "DDPMPipeline"
    assert engine.load(str(link), "cpu") is pipeline
    assert engine.plan(request) == planned
    assert model_name(str(link)) == "model"
    engine.unload()
    assert engine.device is None
    assert engine.load(str(model), "cpu") is not pipeline


@pytest.mark.parametrize("part", ["scheduler", "unet"])
def test_a_stop_ends_the_loading_at_the_next_component(model: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a run that has to load its model first; the engine is empty then, and the next run loads it whole."""
    seen_before(monkeypatch)
    told: list[LoadingProgress] = []
    stop, request = threading.Event(), RunRequest(model=str(model), steps=2, sampler="model", device="cpu")

    def note(doing: LoadingProgress) -> None:
        told.append(doing)
        if doing.part == part:
            stop.set()

    engine = Engine(report=note)
    with pytest.raises(Cancelled):
        list(sample(engine, request, stop))
    assert told[-1].part == part
    assert engine.device is None
    part = "none"
    stop.clear()
    told.clear()
    *_, last = sample(engine, request, stop)
    assert last.trajectory.is_complete
    assert [each.part for each in told] == ["", "", "scheduler", "unet", ""]
    heard: list[LoadingProgress] = []
    engine.unload()
    engine.load(str(model), "cpu", report=heard.append)
    assert len(heard) == len(told) == 5


def test_an_engine_hands_stop_and_report_to_whatever_opens(tmp_path: Path) -> None:
    given: list[Any] = []

    def load(folder: Path, device: str, **told: Any) -> Any:
        given.append((folder, device, told))
        return gaussian_pipeline(8)

    stop, report = threading.Event(), lambda _: None
    Engine(load).load(str(tmp_path), "cpu", stop, report)
    Engine(load, report).load(str(tmp_path), "cpu")
    place = tmp_path.resolve()
    assert given == [
        (place, "cpu", {"stop": stop, "report": report}),
        (place, "cpu", {"stop": None, "report": report}),
    ]


def test_what_may_go_to_another_device_as_it_is(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_before(monkeypatch)
    assert is_movable(load_pipeline(model))
    assert not is_movable(load_pipeline(model, dtype="bfloat16"))
    offloaded = load_pipeline(model)
    offloaded._all_hooks = [object()]
    assert not is_movable(offloaded)


@pytest.mark.gpu
def test_a_model_whose_parts_come_to_the_gpu_one_at_a_time(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "plan_loading", lambda *_: LoadingPlan("float32", offload=True))
    pipeline = load_pipeline(model, "cuda:0")
    assert not is_movable(pipeline)
    assert pipeline(num_inference_steps=2, output_type="np").images.shape == (1, 8, 8, 3)
