"""Renders that samples are compared with."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.requests.samplers import NOISELESS_SAMPLERS
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.samplers.schedulers import make_scheduler
from sculptor_app.training.data import shards
from sculptor_app.training.errors import BadInput
from sculptor_app.training.evaluation import pictures as renders
from sculptor_app.training.evaluation.copies import two_nearest
from sculptor_app.training.evaluation.pictures import (
    FRESH_SEEDS,
    JUDGE_SEEDS,
    PAIRS,
    choose_blocks,
    cycle_labels,
    draw_samples,
    fresh_renders,
    in_parallel,
    noise_batches,
    pictures_of,
    training_blocks,
    training_renders,
    workers_on,
)
from sculptor_app.training.machine import has_fast_16_bits


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (shards, renders):
        monkeypatch.setattr(module, "SHARD", 6)


def noted(folder: Path, content: object) -> Path:
    (folder / "training.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_ranges_are_cut_into_shards(small: None, tmp_path: Path):
    assert training_blocks(noted(tmp_path, {"render_seeds": [[0, 12], [100, 8]]})) == [
        (0, 6), (6, 6), (100, 6), (106, 2),
    ]  # fmt: skip


def test_a_model_that_does_not_say_has_none(tmp_path: Path):
    assert training_blocks(tmp_path) == []


def test_the_embedded_model_says_so():
    from sculptor_app import resources

    blocks = training_blocks(resources.path("models/atelier-128"))
    assert sum(count for _, count in blocks) > 0
    assert all(first + count <= JUDGE_SEEDS for first, count in blocks)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", {"render_seeds": 3}, {"render_seeds": [[0]]}, {"render_seeds": [["a", 3]]}, {"render_seeds": [[-1, 3]]},
     {"render_seeds": [[0, 0]]}, {"render_seeds": [[0, 2**64]]}, {"render_seeds": [[0, True]]}, {}, "[" * 100_000],
)  # fmt: skip
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, content: object):
    with pytest.raises(ModelFolderError, match=r"training\.json does not say which renders"):
        training_blocks(noted(tmp_path, content))


def test_as_many_are_chosen_as_asked_for_spread_over_all(small: None):
    blocks = [(n * 6, 6) for n in range(10)]
    assert choose_blocks(blocks, None) == choose_blocks(blocks, 60) == choose_blocks(blocks, 99) == blocks
    assert choose_blocks(blocks, 12) == [(0, 6), (30, 6)]
    assert choose_blocks(blocks, 8) == [(0, 6), (30, 2)]
    assert choose_blocks(blocks, 1) == [(0, 1)]
    assert choose_blocks([], 5) == []


def test_short_blocks_are_made_up_for(small: None):
    blocks = [(0, 2), (100, 2), (200, 6), (300, 2)]
    for most in range(1, 13):
        assert sum(count for _, count in choose_blocks(blocks, most)) == most


def test_training_pictures_come_back_whether_kept_or_not(small: None, tmp_path: Path):
    list(shards.write_shards(tmp_path, 2, 8, 0, "cpu"))
    pictures = shards.ShardSet(tmp_path)
    pictures.refresh()
    wanted, _, _ = pictures.take(np.arange(10))
    again = torch.cat(list(training_renders([(0, 6), (6, 4)], 8, None)))
    kept = torch.cat(list(training_renders([(0, 6), (6, 4)], 8, tmp_path)))
    assert np.array_equal(again.permute(0, 2, 3, 1).numpy(), wanted)
    assert torch.equal(again, kept)
    found = two_nearest(again.flip(3), training_renders([(0, 6), (6, 4)], 8, tmp_path))
    assert found[:, 0].tolist() == [0.0] * 10


def test_what_a_store_lacks_is_rendered_into_it(small: None, tmp_path: Path):
    list(training_renders([(12, 6), (18, 3)], 8, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["shard-000000000012.npz"]


@pytest.mark.parametrize("damage", ["cut", "size", "other"])
def test_a_damaged_shard_is_named(small: None, tmp_path: Path, damage: str):
    path = shards.write_shard(tmp_path, 0, 16 if damage == "size" else 8)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    if damage == "other":
        np.savez(path, numbers=np.arange(3))
    with pytest.raises(BadInput, match=r"shard-0{12}\.npz .*[Dd]elete it"):
        pictures_of(path, 8)


def test_fresh_renders_belong_to_no_training_and_no_judge(monkeypatch: pytest.MonkeyPatch):
    used: list[int] = []
    real = renders.render

    def watched(seeds, *more):
        used.extend(seeds)
        return real(seeds, *more)

    monkeypatch.setattr(renders, "render", watched)
    labels = cycle_labels(50)  # more than are rendered at once
    first = torch.cat(list(fresh_renders(0, *labels, 8)))
    again, other = (torch.cat(list(fresh_renders(seed, *labels, 8))) for seed in (0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(used) == 150
    assert len(set(used)) == 100
    assert min(used) >= FRESH_SEEDS
    assert max(used) < FRESH_SEEDS + 2**40
    assert JUDGE_SEEDS + 10**9 < FRESH_SEEDS


@given(st.integers(1, 500))
def test_every_pair_is_as_frequent_as_the_number_allows(count: int):
    pairs = Counter(zip(*cycle_labels(count), strict=True))
    assert sum(pairs.values()) == count
    frequencies = [pairs[form, material] for form in range(len(FORMS)) for material in range(len(MATERIALS))]
    assert max(frequencies) - min(frequencies) <= 1


def test_few_samples_are_spread_over_forms_and_materials():
    forms, materials = cycle_labels(PAIRS // 2)
    assert set(forms) == set(range(len(FORMS)))
    assert set(materials) == set(range(len(MATERIALS)))


def test_the_order_is_always_the_same():
    assert cycle_labels(100)[0][:7] == cycle_labels(7)[0]
    assert cycle_labels(2 * PAIRS)[1][:PAIRS] == cycle_labels(2 * PAIRS)[1][PAIRS:]


def draw(folder: Path, count: int, seed: int) -> torch.Tensor:
    pipeline = load_sculptor(folder)
    return torch.cat(list(draw_samples(pipeline, *cycle_labels(count), seed, steps=2, guidance=2.0)))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renders, "BLOCK", 6)
    monkeypatch.setattr(renders, "SAMPLED_AT_ONCE_CPU", 2)


def test_the_first_of_many_samples_are_those_of_few(small_blocks: None, tiny_model: Path):
    many, few = draw(tiny_model, 15, 5), draw(tiny_model, 9, 5)
    assert many.shape == (15, 3, 16, 16)
    assert many.dtype == torch.uint8
    assert torch.equal(many[:9], few)
    assert not torch.equal(few, draw(tiny_model, 9, 6))
    assert len({picture.numpy().tobytes() for picture in many}) == 15


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_samples_do_not_depend_on_the_number_of_threads(small_blocks: None, tiny_model: Path, three_threads: None):
    several = draw(tiny_model, 9, 5)
    torch.set_num_threads(1)
    assert torch.equal(several, draw(tiny_model, 9, 5))


def test_who_does_not_wait_for_samples_stops_them(small_blocks: None, tiny_model: Path, three_threads: None):
    """As Ctrl-C does; the steps that are left of the batches that have begun would take half a minute."""
    pipeline = load_sculptor(tiny_model)
    taken: list[None] = []
    pipeline.unet.register_forward_pre_hook(lambda *_: taken.append(None))
    drawn = draw_samples(pipeline, *cycle_labels(60), 0, 40, 2.0)
    next(drawn)
    before = len(taken)
    drawn.close()
    assert len(taken) <= before + 12  # of 40 in each batch, three of which have begun
    assert len(pipeline.unet._forward_pre_hooks) == 1


def test_a_sample_is_what_the_pipeline_makes(tiny_model: Path):
    """Sampled by the pipeline's own call from the same noise, with the sampler of `sculptor-app sculpt`."""
    (drawn,) = draw(tiny_model, 1, 3)
    pipeline = load_sculptor(tiny_model)
    pipeline.scheduler = make_scheduler("ddim", dict(pipeline.scheduler.config), 2)
    (form,), (material,) = cycle_labels(1)
    generator = torch.Generator().manual_seed(int(np.random.default_rng([3, 0]).integers(2**63)))
    wanted = pipeline(form, material, 2, 2.0, generator, output_type="pt").images[0]
    assert (drawn.float() - wanted * 255).abs().max() <= 0.51


def test_sixteen_bits_change_a_sample_by_little(tiny_model: Path):
    exact, fast = (
        torch.cat(list(draw_samples(load_sculptor(tiny_model), *cycle_labels(4), 0, 2, 2.0, dtype))).float()
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert not torch.equal(exact, fast)
    assert (exact - fast).abs().mean() < 2  # of 255


def test_sixteen_bits_are_for_processors_that_have_them(monkeypatch: pytest.MonkeyPatch):
    for known in ({"avx512_bf16": True}, {"amx_bf16": True}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: known)
        assert has_fast_16_bits("cpu")
        assert not has_fast_16_bits("cuda:0")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert not has_fast_16_bits("cpu")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_pieces(workers: int):
    assert list(in_parallel(lambda n: n * n, range(40), workers)) == [n * n for n in range(40)]


def test_pieces_are_worked_on_at_the_same_time():
    meeting = threading.Barrier(3, timeout=30)  # passes when three wait for each other
    assert len(list(in_parallel(lambda _: meeting.wait(), range(3), 3))) == 3


@pytest.mark.parametrize("workers", [1, 3])
def test_pieces_are_taken_few_in_advance(workers: int):
    taken: list[int] = []

    def pieces() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    results = in_parallel(lambda n: n, pieces(), workers)
    next(results)
    assert len(taken) <= 2 * workers + 1
    results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_in_a_piece_is_raised_here(workers: int):
    def work(n: int) -> int:
        if n == 3:
            raise ValueError("three")
        return n

    with pytest.raises(ValueError, match="three"):
        list(in_parallel(work, range(50), workers))


def test_torch_computes_a_piece_in_one_thread_and_has_its_threads_back_afterwards():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert set(in_parallel(lambda _: torch.get_num_threads(), range(6), 2)) == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_work_that_nobody_waits_for_is_told_so():
    stopped = threading.Event()
    results = in_parallel(lambda n: n, range(10), 2, stopped)
    next(results)
    assert not stopped.is_set()
    results.close()
    assert stopped.is_set()


def test_a_gpu_does_one_piece_at_a_time():
    assert workers_on("cuda:0") == workers_on("mps") == 1
    assert workers_on("cpu") == torch.get_num_threads()


@pytest.mark.parametrize("sampler", NOISELESS_SAMPLERS)
def test_samples_of_each_sampler_are_those_of_the_pipeline(tiny_model: Path, sampler: str) -> None:
    pipeline = load_sculptor(tiny_model)
    forms, materials = cycle_labels(2)
    drawn = torch.cat(list(draw_samples(pipeline, forms, materials, 3, 4, 2.0, sampler=sampler)))
    noise = next(noise_batches(torch.tensor([forms, materials]), 3, pipeline.picture_size, 2))[0]
    pipeline.scheduler = make_scheduler(sampler, dict(pipeline.scheduler.config), 4)
    images = pipeline(
        form=forms, material=materials, num_inference_steps=4,
        guidance_scale=2.0, noise=noise, batch_size=2, output_type="pt",
    ).images  # fmt: skip
    wanted = (images * 255).round()
    assert (drawn.float() - wanted).abs().max() <= 1
