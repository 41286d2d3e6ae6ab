"""Whether a model fits, and as what: worked out by hand from numbers that a machine could have."""

from pathlib import Path

import pytest
from diffusers import DDPMPipeline

from sculptor_app.diffusion.models import loader
from sculptor_app.diffusion.models.loader import LoadingPlan, plan_loading
from sculptor_app.diffusion.models.verdict import Component, Unfit, Verdict, Weights

GIB = 1 << 30


def model(*numbers: float, dtype: str = "F32", offloadable: bool = True) -> Verdict:
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


SMALL = model(0.4)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
@pytest.mark.parametrize("device", ["cpu", "cuda:0", "mps"])
def test_small_models_are_exact_everywhere(device: str, dtype: str) -> None:
    assert plan_loading(model(0.4, dtype=dtype), device, {"cpu": 99 * GIB, device: 99 * GIB}) == LoadingPlan("float32")


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
    assert plan_loading(model(6, dtype=stored), device, {"cpu": 99 * GIB, device: 99 * GIB}) == LoadingPlan(chosen)


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
        assert plan_loading(model(6), "cpu", free) == plan
        return
    shown = max(0, free_gib)
    with pytest.raises(Unfit, match=rf"takes 6\.0 GiB of the computer's memory as bfloat16, and {shown:.1f} GiB are"):
        plan_loading(model(6), "cpu", free)


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
        assert plan_loading(model(*parts), "cuda:0", free) == plan
    else:
        with pytest.raises(Unfit, match=r"6\.0 GiB of the memory of cuda:0 as bfloat16"):
            plan_loading(model(*parts), "cuda:0", free)


@pytest.mark.parametrize(("device", "offloadable"), [("mps", True), ("cuda:0", False)])
def test_where_parts_cannot_come_and_go(device: str, offloadable: bool) -> None:
    with pytest.raises(Unfit, match=f"of the memory of {device}"):
        plan_loading(model(4, 2, offloadable=offloadable), device, {"cpu": 20 * GIB, device: 5 * GIB})


def test_all_weights_pass_through_the_computers_memory() -> None:
    with pytest.raises(Unfit, match="the computer's memory as bfloat16, and 3"):
        plan_loading(model(6), "cuda:0", {"cpu": 3 * GIB, "cuda:0": 80 * GIB})


def test_a_file_that_is_read_whole_counts_twice() -> None:
    weights = Weights((Path("x"),), None, GIB // 8, GIB // 2, GIB // 2, frozenset({"F32"}))
    verdict = Verdict(Path("m"), components=(Component("x", "network", None, Path("x"), weights),))
    assert verdict.copied_bytes == GIB // 2
    assert plan_loading(verdict, "cpu", {"cpu": 3 * GIB // 2}) == LoadingPlan("float32")
    with pytest.raises(Unfit, match=r"1\.0 GiB of the computer"):
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
