"""Numbers at the axes: round, there, and few."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.ui.plots.canvas import (
    decade_text,
    decimal_ticks,
    octave_ticks,
    power_text,
    power_ticks,
    stable_range,
    thinned,
    whole_ticks,
)


@pytest.mark.parametrize(
    ("low", "high", "at_most", "expected"),
    [
        (0, 50, 6, [0, 10, 20, 30, 40, 50]),
        (0, 50.5, 4, [0, 20, 40]),
        (0, 1.5, 6, [0, 1]),
        (-4.2, 0.4, 6, [-4, -3, -2, -1, 0]),
        (-4.2, 0.4, 3, [-4, -2, 0]),
        (0, 1000, 8, [0, 200, 400, 600, 800, 1000]),
        (0.2, 0.8, 5, []),
    ],
)
def test_whole_ticks(low: float, high: float, at_most: int, expected: list[int]) -> None:
    assert whole_ticks(low, high, at_most) == expected


@given(st.floats(-1e4, 1e4), st.floats(0, 1e5), st.integers(2, 20))
def test_ticks_are_inside_and_never_too_many(low: float, extent: float, at_most: int) -> None:
    ticks = whole_ticks(low, low + extent, at_most)
    assert len(ticks) <= at_most
    assert all(low - 1e-3 <= tick <= low + extent + 1e-3 for tick in ticks)


def test_an_axis_of_one_number_is_refused() -> None:
    with pytest.raises(ValueError, match="1"):
        whole_ticks(0, 10, 1)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-4.2, 0.4, [-4, -3, -2, -1, 0]),
        (-1.2, -0.3, [-1.2, -1, -0.8, -0.6, -0.4]),
        (-1.2, 0.4, [-1, 0]),
        (0.21, 0.45, [0.3, 0.4]),
    ],
)
def test_powers(low: float, high: float, expected: list[float]) -> None:
    assert power_ticks(low, high, 6) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1, 32, [1, 2, 4, 8, 16, 32]), (1, 100, [1, 2, 4, 8, 16, 32, 64]), (1, 1, [1]), (3, 9, [4, 8])],
)
def test_octaves(low: float, high: float, expected: list[int]) -> None:
    assert octave_ticks(low, high) == expected


@pytest.mark.parametrize(("value", "text"), [(-3, "−3"), (0, "0"), (0.5, "0.5"), (-2.25, "−2.25")])
def test_decades(value: float, text: str) -> None:
    assert decade_text(value) == text


@pytest.mark.parametrize(
    ("exponent", "text"),
    [(-3, "10⁻³"), (0.0, "1"), (12, "10¹²"), (-2.76, "0.0017"), (0.24, "1.7"), (-7.5, "3.2 · 10⁻⁸")],
)
def test_powers_of_ten(exponent: float, text: str) -> None:
    assert power_text(exponent) == text


def test_a_range_stands_still_while_it_holds_what_comes() -> None:
    known = stable_range(-2, 0, None)
    assert known[0] < -2 < 0 < known[1]
    assert stable_range(-1.5, -0.5, known) is known
    assert stable_range(-0.9, -0.8, (-36, 0)) == pytest.approx((-1.05, -0.65))
    wider = stable_range(-5, 0, known)
    assert wider[0] < -5
    assert wider[1] == known[1]


def test_a_flat_curve_has_air_around_it() -> None:
    low, high = stable_range(1, 1, None)
    assert math.isclose(high - low, 0.3)


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


@pytest.mark.parametrize(
    ("low", "high", "at_most", "expected"),
    [
        (0.0, 1.1, 6, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.3, 1.0, 3, [0.0, 0.5, 1.0]),
        (0.0, 0.066, 5, [0.0, 0.02, 0.04, 0.06]),
        (0.0, 3e-6, 4, [0.0, 1e-6, 2e-6, 3e-6]),
        (0.0, 250.0, 4, [0.0, 100.0, 200.0]),
        (1.0, 1.0, 4, []),
    ],
)
def test_decimal_ticks(low: float, high: float, at_most: int, expected: list[float]) -> None:
    assert decimal_ticks(low, high, at_most) == pytest.approx(expected)
