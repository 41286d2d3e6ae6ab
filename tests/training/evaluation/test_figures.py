"""What an evaluation says."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.training.evaluation.figures import (
    Evaluation,
    Gaussian,
    Measured,
    as_table,
    count_confusions,
    fit,
    frechet,
    lattice,
    octave_powers,
)

NAMES = ("bust", "figure", "seated", "head", "vase", "ring", "animal", "column")
PERFECT = Measured(form_accuracy=1.0, material_accuracy=1.0, frechet=0.05, nearest=0.15, noise=0.03, blur=0.09,
                   lattice=(1.02,), octaves=(8.0, 2.0))  # fmt: skip


def some_evaluation() -> Evaluation:
    samples = Measured(form_accuracy=0.625, material_accuracy=1.0, frechet=12.34567, nearest=None, noise=0.5, blur=0.25,
                       lattice=(6.251,), octaves=(4.0, 2.5))  # fmt: skip
    asked, read = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2]), torch.tensor([0, 3, 3, 1, 1, 0, 2, 2])
    materials = {"marble": {"marble": 8}}
    settings = {"model": "m", "samples": 8, "sampler": "heun", "steps": 50, "guidance": 2.0, "seed": 7}
    return Evaluation(settings, samples, PERFECT, 0, (count_confusions(NAMES, asked, read), materials),
                      {"judge": "judge-128 abc"}, "sculptor-app evaluate", "a machine", 3.21)  # fmt: skip


def test_confusions_are_counted_by_what_was_asked_and_what_was_read():
    forms, _ = some_evaluation().confusions
    assert forms == {"bust": {"bust": 1, "head": 2}, "figure": {"bust": 1, "figure": 2}, "seated": {"seated": 2}}


def test_the_json_has_shares_per_label_and_rounded_figures():
    figures = some_evaluation().as_dict()
    assert figures["accuracy_by_form"] == {"bust": 0.3333, "figure": 0.6667, "seated": 1.0}
    assert figures["accuracy_by_material"] == {"marble": 1.0}
    assert (figures["frechet_samples"], figures["frechet_renders"]) == (12.3457, 0.05)
    assert (figures["nearest_train"], figures["nearest_renders"]) == (None, 0.15)
    assert (figures["noise_samples"], figures["blur_samples"], figures["noise_renders"]) == (0.5, 0.25, 0.03)
    assert (figures["form_accuracy"], figures["form_accuracy_renders"]) == (0.625, 1.0)
    assert (figures["lattice_samples"], figures["lattice_renders"]) == ([6.25], [1.02])
    assert figures["octave_powers_of_renders"] == [0.5, 1.25]


def test_the_table_names_the_mistakes_and_not_what_was_right():
    table = as_table(some_evaluation())
    assert "Forms read wrongly most often: bust as head (2), figure as bust (1)." in table
    assert "Materials read wrongly most often: none." in table
    assert "62.5 %   100.0 %" in table
    assert "12.346" in table
    assert "lattice of patches" in table
    assert "6.25      1.02" in table
    assert "by octave from the lowest frequencies on: 0.50, 1.25." in table
    assert "it has no training.json" in table
    assert "nearest" not in table
    assert "copies" not in table


def test_copies_are_told_with_the_interval_of_their_share():
    few = some_evaluation()
    of_samples, of_renders = replace(few.samples, nearest=0.1, copies=(2, 8)), replace(few.renders, copies=(0, 8))
    told = replace(few, samples=of_samples, renders=of_renders, training_compared=960)
    assert (told.as_dict()["copies_samples"], told.as_dict()["copies_renders"]) == (0.25, 0)
    table = as_table(told)
    assert "copies of training pictures     25.0 %     0.0 %" in table
    assert "Compared with 960 training pictures." in table
    assert "95 % interval of their share in\nsamples: 7.1 to 59.1 %." in table  # Wilson's of 2 of 8


def grey_noise(count: int, deviation: float) -> torch.Tensor:
    """(count, 3, 32, 32) float32 about 128, the same in all channels."""
    noise = torch.randn((count, 1, 32, 32), generator=torch.Generator().manual_seed(5))
    return 128 + deviation * noise.expand(-1, 3, -1, -1)


def test_white_noise_has_no_lattice_and_the_same_power_in_every_octave() -> None:
    noise = grey_noise(600, 20.0).round().to(torch.uint8)
    assert len(lattice(noise, 8)) == 4
    assert lattice(noise, 8) == pytest.approx([1.0] * 4, abs=0.12)
    powers = torch.tensor(octave_powers(noise))
    assert len(powers) == 4
    assert (powers[1:] / powers.mean() - 1).abs().max() < 0.1
    assert lattice(noise, 1) == ()


@pytest.mark.parametrize(("patch", "times", "place"), [(4, 1, 0), (4, 2, 1), (2, 1, 0)])
def test_a_lattice_stands_out_by_as_much_as_it_was_put_in(patch: int, times: int, place: int) -> None:
    """A wave of amplitude A down has the power (A/2 Σw)² at two frequencies of noise's deviation² Σw²."""
    deviation, amplitude = 10.0, 6.0
    rows = torch.cos(2 * torch.pi * times * torch.arange(32) / patch)
    pictures = (grey_noise(600, deviation) + amplitude * rows[:, None]).clamp(0, 255).round().to(torch.uint8)
    window = torch.sin(torch.pi * (torch.arange(32, dtype=torch.float64) + 0.5) / 32) ** 2
    both = torch.outer(window, window)
    share = 1.0 if times * 2 == patch else 0.5  # at the Nyquist frequency both halves of a wave are one
    ratio = (share * amplitude * float(both.sum())) ** 2 / (deviation**2 * float(both.square().sum()))
    points = (2 * times + 1) ** 2 - (2 * times - 1) ** 2
    expected = 1 + 2 * ratio / points  # of all points around, the two upright ones have it
    assert lattice(pictures, patch)[place] == pytest.approx(expected, rel=0.08)


def test_blurred_pictures_have_less_power_in_the_fine_octaves() -> None:
    noise = grey_noise(50, 30.0)
    blurred = torch.nn.functional.avg_pool2d(noise, 3, stride=1, padding=1, count_include_pad=False)
    sharp, soft = (torch.tensor(octave_powers(each.clamp(0, 255).to(torch.uint8))) for each in (noise, blurred))
    ratios = soft / sharp
    assert (ratios[1:] < ratios[:-1]).all()
    assert ratios[0] > 0.9
    assert ratios[-1] < 0.3


def diagonal(means: list[float], deviations: list[float]) -> Gaussian:
    return Gaussian(
        torch.tensor(means, dtype=torch.float64), torch.diag(torch.tensor(deviations, dtype=torch.float64).square())
    )


def some_gaussian(seed: int, size: int = 5) -> Gaussian:
    return fit(torch.randn(40, size, generator=torch.Generator().manual_seed(seed)) * torch.arange(1, size + 1))


def test_of_independent_dimensions_it_is_the_sum_of_squares():
    """(μa − μb)² + (σa − σb)² in each dimension."""
    a, b = diagonal([0, 1, 5], [1, 2, 3]), diagonal([3, 1, 4], [1, 5, 0.5])
    assert frechet(a, b) == pytest.approx(9 + 0 + 1 + 0 + 9 + 6.25)


def test_of_covariances_that_do_not_commute():
    """Of 2×2 matrices, tr (AB)^½ = √(tr AB + 2 √det AB)."""
    a = torch.tensor([[2.0, 0.7], [0.7, 1.0]], dtype=torch.float64)
    b = torch.tensor([[1.0, -0.4], [-0.4, 3.0]], dtype=torch.float64)
    assert not torch.allclose(a @ b, b @ a)
    overlap = math.sqrt(float((a @ b).trace()) + 2 * math.sqrt(float(torch.linalg.det(a @ b))))
    zero = torch.zeros(2, dtype=torch.float64)
    assert frechet(Gaussian(zero, a), Gaussian(zero, b)) == pytest.approx(3 + 4 - 2 * overlap)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_it_is_symmetric_never_negative_and_zero_to_itself(first: int, second: int):
    a, b = some_gaussian(first), some_gaussian(second)
    assert frechet(a, b) == pytest.approx(frechet(b, a), abs=1e-8)
    assert frechet(a, b) >= 0
    assert frechet(a, a) == pytest.approx(0, abs=1e-8)


def test_the_distance_of_many_draws_nears_that_of_their_distributions():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(50_000, 2, generator=generator) * scale + shift for scale, shift in ((1, 0), (2, 3)))
    assert frechet(fit(a), fit(b)) == pytest.approx(2 * (9 + 1), rel=0.02)


def test_mean_and_covariance_are_those_of_the_textbook():
    found = fit(torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
    assert found.mean.tolist() == [2.0, 2.0]
    assert found.covariance.tolist() == [[2.0, 4.0], [4.0, 8.0]]


def test_a_single_vector_has_a_distance_too():
    alone = fit(torch.tensor([[3.0, 4.0]]))
    assert frechet(alone, diagonal([0, 0], [1, 1])) == pytest.approx(25 + 2)
