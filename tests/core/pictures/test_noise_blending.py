"""Noises between noises: known answers on the circle, and what holds for any two."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.pictures.noise_blending import slerp


def noise(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((3, size, size)).astype(np.float32)


def plane(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, 1, -1)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, (2, 0)), (1 / 3, (3**0.5, 1)), (0.5, (2**0.5, 2**0.5)), (2 / 3, (1, 3**0.5)), (1.0, (0, 2))],
)
def test_known_answers_on_a_quarter_of_a_circle(share: float, expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(slerp(plane(2, 0), plane(0, 2), share).ravel(), expected, atol=1e-6)


def test_the_radius_goes_evenly_from_one_to_the_other() -> None:
    half = slerp(plane(1, 0), plane(0, 3), 0.5)
    np.testing.assert_allclose(half.ravel(), [2**0.5, 2**0.5], atol=1e-6)  # radius 2


@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 1))
def test_the_norm_is_kept_on_the_sphere(first: int, second: int, share: float) -> None:
    one, other = noise(first), noise(second)
    other *= np.linalg.norm(one) / np.linalg.norm(other)
    assert np.linalg.norm(slerp(one, other, share)) == pytest.approx(np.linalg.norm(one), rel=1e-5)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_both_ends_are_exact_copies(first: int, second: int) -> None:
    one, other = noise(first), noise(second)
    start, end = slerp(one, other, 0), slerp(one, other, 1)
    np.testing.assert_array_equal(start, one)
    np.testing.assert_array_equal(end, other)
    assert start is not one
    assert end is not other


def test_equal_noises_have_only_themselves_between_them() -> None:
    np.testing.assert_allclose(slerp(noise(1), noise(1), 0.3), noise(1), rtol=1e-6)
    np.testing.assert_allclose(slerp(noise(1), 3 * noise(1), 0.5), 2 * noise(1), rtol=1e-6)


def test_from_a_noise_to_its_opposite_one_way_is_gone() -> None:
    one = noise(4)
    radius = np.linalg.norm(one)
    way = [slerp(one, -one, share) for share in np.linspace(0, 1, 9)]
    steps = [np.linalg.norm(later - earlier) for earlier, later in itertools.pairwise(way)]
    np.testing.assert_allclose(steps, 2 * radius * np.sin(np.pi / 16), rtol=1e-4)  # chords of eighths of half a circle
    assert all(np.linalg.norm(each) == pytest.approx(radius, rel=1e-5) for each in way)


def test_what_cannot_be_blended_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share of a blend is 1\.2"):
        slerp(noise(1), noise(2), 1.2)
    with pytest.raises(ValueError, match="shapes"):
        slerp(noise(1), noise(2, 4), 0.5)
    with pytest.raises(ValueError, match="zero everywhere"):
        slerp(np.zeros((3, 8, 8), np.float32), noise(2), 0.5)
    with pytest.raises(ValueError, match="opposite noises"):
        slerp(plane(1, 1), plane(-1, -1), 0.5)
