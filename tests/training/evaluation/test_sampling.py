"""Which samples are drawn."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.samplers.schedulers import make_scheduler
from sculptor_app.training.evaluation import sampling
from sculptor_app.training.evaluation.sampling import PAIRS, cycle_labels, draw_samples, has_fast_16_bits


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
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "BLOCK", 6)
    monkeypatch.setattr(sampling, "AT_ONCE_CPU", 2)


def test_the_first_of_many_samples_are_those_of_few(small: None, tiny_model: Path):
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


def test_samples_do_not_depend_on_the_number_of_threads(small: None, tiny_model: Path, three_threads: None):
    several = draw(tiny_model, 9, 5)
    torch.set_num_threads(1)
    assert torch.equal(several, draw(tiny_model, 9, 5))


def test_who_does_not_wait_for_samples_stops_them(small: None, tiny_model: Path, three_threads: None):
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
