"""How alike pictures are: known answers, and bounds for whatever they hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.measures.likeness import band_likeness, mean_correlation, pixel_likeness, shared_share
from tests.helpers.runs import solid


def noises(count: int, size: int = 64) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    return [generator.standard_normal((3, size, size)).astype(np.float32) for _ in range(count)]


def test_the_same_picture_is_alike_and_noises_are_not() -> None:
    same = [solid(64)] * 3
    assert band_likeness(same) == pytest.approx(np.ones(4))
    assert pixel_likeness(same) == pytest.approx(1)
    apart = band_likeness(noises(12))
    assert abs(apart[2]) < 0.05
    assert abs(apart[3]) < 0.02
    assert abs(pixel_likeness(noises(12))) < 0.01


def test_what_is_shared_is_seen_in_its_band_alone() -> None:
    """Pictures of one layout, each with a fine grain of its own."""
    y, x = np.mgrid[0:64, 0:64] / 64
    coarse = np.sin(2 * np.pi * x) + np.cos(2 * np.pi * y)
    generator, pictures = np.random.default_rng(1), []
    for _ in range(8):
        phase = generator.uniform(0, 2 * np.pi, 2)
        grain = np.sin(2 * np.pi * 20 * x + phase[0]) * np.sin(2 * np.pi * 21 * y + phase[1])
        pictures.append(np.repeat((coarse + grain)[None], 3, axis=0).astype(np.float32))
    found = band_likeness(pictures)
    assert found[0] > 0.99
    assert found[3] < 0.3


def test_half_of_the_power_shared_is_half_alike() -> None:
    shared, *own = noises(41, 32)
    mixed = [(shared + each) / math.sqrt(2) for each in own]
    assert pixel_likeness(mixed) == pytest.approx(0.5, abs=0.02)


def test_labels_that_are_the_same() -> None:
    assert shared_share("aaaa") == 1
    assert shared_share("abcd") == 0
    assert shared_share("aabb") == pytest.approx(1 / 3)
    assert math.isnan(shared_share("a"))


@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_it_is_a_mean_over_pairs(count: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, 7))
    units = rows / np.linalg.norm(rows, axis=1)[:, None]
    pairs = [units[i] @ units[j] for i in range(count) for j in range(count) if i != j]
    assert mean_correlation(list(rows)) == pytest.approx(np.mean(pairs))
    assert -1 - 1e-9 <= mean_correlation(list(rows)) <= 1 + 1e-9


def test_nothing_is_alike_to_nothing() -> None:
    assert math.isnan(mean_correlation([np.zeros(3), np.ones(3)]))
    assert math.isnan(mean_correlation([np.ones(3)]))
    assert math.isnan(band_likeness([np.ones((3, 8, 8), np.float32)] * 2)[3])
