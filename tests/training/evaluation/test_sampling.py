"""Which samples are drawn."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.diffusion.pipeline import SculptorPipeline
from sculptor_app.training.evaluation import sampling
from sculptor_app.training.evaluation.sampling import PAIRS, cycle_labels, draw_samples


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
    pipeline = SculptorPipeline.load(folder)
    return torch.cat(list(draw_samples(pipeline, *cycle_labels(count), seed, steps=2, guidance=2.0)))


def test_the_first_of_many_samples_are_those_of_few(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sampling, "AT_ONCE", 4)
    many, few = draw(tiny_model, 11, 5), draw(tiny_model, 6, 5)
    assert many.shape == (11, 3, 16, 16)
    assert many.dtype == torch.uint8
    assert torch.equal(many[:6], few)
    assert not torch.equal(few, draw(tiny_model, 6, 6))
    assert len({picture.numpy().tobytes() for picture in many}) == 11


def test_a_sample_is_what_the_pipeline_makes(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    """Sampled by the pipeline's own call from the same noise, with the sampler of `sculptor-app sculpt`."""
    from sculptor_app.diffusion.schedulers import make_scheduler

    seeds: list[int] = []
    real = sampling.sample_labelled

    def noted(pipeline, forms, materials, seed, *more):
        seeds.append(seed)
        return real(pipeline, forms, materials, seed, *more)

    monkeypatch.setattr(sampling, "sample_labelled", noted)
    (drawn,) = draw(tiny_model, 1, 3)
    pipeline = SculptorPipeline.load(tiny_model)
    pipeline.scheduler = make_scheduler("ddim", dict(pipeline.scheduler.config), 2)
    (form,), (material,) = cycle_labels(1)
    wanted = pipeline(form, material, 2, 2.0, torch.Generator().manual_seed(seeds[0]), output_type="pt").images[0]
    assert (drawn.float() - wanted * 255).abs().max() <= 0.51
