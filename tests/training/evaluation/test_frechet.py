"""The Fréchet distance against cases whose answer is known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.training.evaluation.frechet import Gaussian, fit, frechet


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
