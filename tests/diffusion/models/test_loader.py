"""Loading as the engine and the commands do it, and the plan of a model's memory, worked out by hand."""

import re
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline

from sculptor_app import resources
from sculptor_app.core.errors import Cancelled, ModelFolderError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import byte_text
from sculptor_app.diffusion.models import loader, sandbox
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.models.loader import (
    LoadingPlan,
    check_model,
    inspect_model,
    is_movable,
    load_pipeline,
    plan_loading,
)
from sculptor_app.diffusion.models.verdict import Component, LoadingProgress, Unfit, Verdict, Weights
from sculptor_app.diffusion.models.weights import weights_hash
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
    """As if every model had passed the sandbox."""
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())


def test_the_program_s_own_model_alone_needs_no_sandbox_and_makes_the_same_picture(
    tiny_model: Path, tmp_path: Path, no_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(tiny_model, tmp_path / "models" / "other", copy_function=shutil.copyfile)
    with pytest.raises(AssertionError, match="a process was started"):
        load_pipeline(other)
    monkeypatch.setattr(resources, "root", lambda: tmp_path)
    load_pipeline(other)
    pipeline = load_pipeline(tiny_model)
    before = load_sculptor(tiny_model)
    arguments: dict[str, Any] = {"form": 1, "num_inference_steps": 2}
    pictures = [each(generator=torch.Generator().manual_seed(1), **arguments).images for each in (pipeline, before)]
    np.testing.assert_allclose(*pictures, atol=1e-5)  # its weights lie otherwise in memory
    before.unet.to(memory_format=torch.channels_last)
    again = before(generator=torch.Generator().manual_seed(1), **arguments).images
    np.testing.assert_array_equal(pictures[0], again)


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
    reports: list[LoadingProgress] = []
    stop, request = threading.Event(), RunRequest(model=str(model), steps=2, sampler="model", device="cpu")

    def note(progress: LoadingProgress) -> None:
        reports.append(progress)
        if progress.part == part:
            stop.set()

    engine = Engine(report=note)
    with pytest.raises(Cancelled):
        list(sample(engine, request, stop))
    assert reports[-1].part == part
    assert engine.device is None
    part = "none"
    stop.clear()
    reports.clear()
    *_, last = sample(engine, request, stop)
    assert last.trajectory.is_complete
    assert [each.part for each in reports] == ["", "", "scheduler", "unet", ""]
    heard: list[LoadingProgress] = []
    engine.unload()
    engine.load(str(model), "cpu", report=heard.append)
    assert len(heard) == len(reports) == 5


def test_an_engine_hands_stop_and_report_to_whatever_opens(tmp_path: Path) -> None:
    given: list[Any] = []

    def load(folder: Path, device: str, **options: Any) -> Any:
        given.append((folder, device, options))
        return gaussian_pipeline(8)

    stop, report = threading.Event(), lambda _: None
    Engine(load).load(str(tmp_path), "cpu", stop, report)
    Engine(load, report).load(str(tmp_path), "cpu")
    place = tmp_path.resolve()
    assert given == [
        (place, "cpu", {"stop": stop, "report": report}),
        (place, "cpu", {"stop": None, "report": report}),
    ]


def test_models_that_can_be_moved_to_another_device(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


GIB = 1 << 30


def verdict_on(*numbers: float, dtype: str = "F32", offloadable: bool = True) -> Verdict:
    """A verdict on a model whose components hold so many gigabytes' worth of float16, in files of 8 GiB."""
    parts = []
    for each in numbers:
        weights = Weights((Path("x"),), None, int(each * GIB / 2), int(each * GIB), 8 * GIB, frozenset({dtype}))
        parts.append(Component("x", "network", None, Path("x"), weights))
    made_by = type("P", (DDPMPipeline,), {"model_cpu_offload_seq": "unet" if offloadable else None})
    return Verdict(Path("m"), "P", made_by, tuple(parts))


@pytest.fixture(autouse=True)
def a_gpu_that_knows_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "_knows_bfloat16", lambda device: device != "cuda:9")


SMALL = verdict_on(0.4)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
@pytest.mark.parametrize("device", ["cpu", "cuda:0", "mps"])
def test_small_models_are_exact_everywhere(device: str, dtype: str) -> None:
    assert plan_loading(verdict_on(0.4, dtype=dtype), device, {"cpu": 99 * GIB, device: 99 * GIB}) == LoadingPlan(
        "float32"
    )


@pytest.mark.parametrize(
    ("stored", "device", "chosen"),
    [
        ("F32", "cpu", "float32"), ("F16", "cpu", "float32"), ("BF16", "cpu", "float32"), ("F32", "cuda:0", "bfloat16"),
        ("F16", "cuda:0", "float16"), ("BF16", "cuda:0", "bfloat16"), ("BF16", "cuda:9", "float16"),
        ("F32", "cuda:9", "float16"), ("F16", "mps", "float16"), ("F32", "mps", "bfloat16"),
    ],
)  # fmt: skip
def test_large_models_are_halved_on_a_gpu_as_the_folder_and_the_device_allow(
    stored: str, device: str, chosen: str
) -> None:
    assert plan_loading(verdict_on(6, dtype=stored), device, {"cpu": 99 * GIB, device: 99 * GIB}) == LoadingPlan(chosen)


@pytest.mark.parametrize(
    ("free_gib", "plan"),
    [
        (12.6, LoadingPlan("float32")),
        (12.4, LoadingPlan("bfloat16")),
        (6.6, LoadingPlan("bfloat16")),
        (6.4, None),
        (-1, None),
    ],
)
def test_the_computer_without_a_gpu(free_gib: float, plan: LoadingPlan | None) -> None:
    """6 GiB as float16 are 12 as float32; half a GiB is left to others; files of 8 GiB are mapped, not copied."""
    free = {"cpu": int(free_gib * GIB)}
    if plan is not None:
        assert plan_loading(verdict_on(6), "cpu", free) == plan
        return
    shown = byte_text(max(0, free["cpu"]))
    with pytest.raises(Unfit, match=rf"takes 6\.4 GB of the computer's memory as bfloat16, and {shown} are"):
        plan_loading(verdict_on(6), "cpu", free)


@pytest.mark.parametrize(
    ("parts", "gpu_gib", "plan"),
    [
        ((6,), 6.6, LoadingPlan("bfloat16")), ((4, 2), 6.4, LoadingPlan("bfloat16", offload=True)),
        ((4, 2), 4.6, LoadingPlan("bfloat16", offload=True)), ((4, 2), 4.4, None), ((6,), 6.4, None),
    ],
)  # fmt: skip
def test_the_largest_part_must_fit_onto_a_gpu(
    parts: tuple[float, ...], gpu_gib: float, plan: LoadingPlan | None
) -> None:
    free = {"cpu": 20 * GIB, "cuda:0": int(gpu_gib * GIB)}
    if plan is not None:
        assert plan_loading(verdict_on(*parts), "cuda:0", free) == plan
    else:
        with pytest.raises(Unfit, match=r"6\.4 GB of the memory of cuda:0 as bfloat16"):
            plan_loading(verdict_on(*parts), "cuda:0", free)


@pytest.mark.parametrize(("device", "offloadable"), [("mps", True), ("cuda:0", False)])
def test_where_parts_cannot_come_and_go(device: str, offloadable: bool) -> None:
    with pytest.raises(Unfit, match=f"of the memory of {device}"):
        plan_loading(verdict_on(4, 2, offloadable=offloadable), device, {"cpu": 20 * GIB, device: 5 * GIB})


def test_all_weights_pass_through_the_computers_memory() -> None:
    with pytest.raises(Unfit, match="the computer's memory as bfloat16, and 3"):
        plan_loading(verdict_on(6), "cuda:0", {"cpu": 3 * GIB, "cuda:0": 80 * GIB})


def test_a_file_that_is_read_whole_counts_twice() -> None:
    weights = Weights((Path("x"),), None, GIB // 8, GIB // 2, GIB // 2, frozenset({"F32"}))
    verdict = Verdict(Path("m"), components=(Component("x", "network", None, Path("x"), weights),))
    assert verdict.copied_bytes == GIB // 2
    assert plan_loading(verdict, "cpu", {"cpu": 3 * GIB // 2}) == LoadingPlan("float32")
    with pytest.raises(Unfit, match=r"1\.1 GB of the computer"):
        plan_loading(verdict, "cpu", {"cpu": 3 * GIB // 2 - 1})


def test_a_container_leaves_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loader.free_bytes("cpu") > 0
    most, used = tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(loader, "_CGROUPS", ((str(most), str(used)),))
    assert loader._left_by_container() == [1 << 62]
    most.write_text("1000\n")
    used.write_text("400\n")
    assert loader.free_bytes("cpu") == 600
    most.write_text("max\n")
    assert loader.free_bytes("cpu") > 600


def test_a_model_is_known_by_its_weights_wherever_they_lie(tmp_path: Path) -> None:
    """The same bytes elsewhere and under another name are the same model; with one changed byte they are not."""

    def hash_of(*files: tuple[str, bytes]) -> str:
        paths = [tmp_path / name for name, _ in files]
        for path, (_, content) in zip(paths, files, strict=True):
            path.write_bytes(content)
        return weights_hash([Weights(tuple(paths), None, 1, 1, 1, frozenset())])

    small, large = bytes(range(256)) * 8, np.random.default_rng(1).bytes(3 << 20)
    both = hash_of(("a", small), ("b", large))
    assert both == hash_of(("y", large), ("x", small))
    assert re.fullmatch("[0-9a-f]{64}", both)
    assert both != hash_of(("a", small[:-1] + b"!"), ("b", large))
    assert both != hash_of(("a", small), ("b", large[:-1] + bytes([large[-1] ^ 1])))
    assert both != hash_of(("a", small), ("b", large[:-1]))
    assert weights_hash([]) == ""
    (tmp_path / "a").unlink()
    assert weights_hash([Weights((tmp_path / "a",), None, 1, 1, 1, frozenset())]) == ""
