"""Thinned curves look like the whole ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.ui.plots.canvas import thinned


def test_known_bins() -> None:
    values = np.array([0.0, 5, 2, 1, 7, 7, 3, 3, -1, 4])
    assert list(thinned(values, 4)) == [0, 1, 4, 6, 8, 9]


def test_few_points_all_stay() -> None:
    assert list(thinned(np.arange(5.0), 2)) == [0, 1, 2, 3, 4]
    assert list(thinned(np.arange(3.0), 8)) == [0, 1, 2]
    assert list(thinned(np.empty(0), 8)) == []


def test_gaps_stay_gaps() -> None:
    values = np.arange(12.0)
    values[4:8] = np.nan
    kept = thinned(values, 4)
    assert np.isnan(values[kept]).any()
    assert {0, 3, 8, 11} <= set(kept)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=300), st.integers(3, 20))
def test_extremes_and_the_end_stay(points: list[float], per_bin: int) -> None:
    values = np.array(points)
    kept = thinned(values, per_bin)
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()
    assert kept[-1] == len(values) - 1
    assert np.all(np.diff(kept) > 0)


@given(st.integers(30, 300), st.integers(1, 40), st.integers(3, 12))
def test_a_growing_curve_keeps_what_was_drawn(count: int, more: int, per_bin: int) -> None:
    values = np.random.default_rng(count).normal(size=count + more)
    whole = count // per_bin * per_bin
    early = [index for index in thinned(values[:count], per_bin) if index < whole]
    late = [index for index in thinned(values, per_bin) if index < whole]
    assert early == late or early == [*late, whole - 1]
