"""How alike pictures are: known answers, and bounds for whatever they hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.trajectory.levels import FIRST_FORK_STEP
from sculptor_app.measures.likeness import (
    Curve,
    Decision,
    band_likeness,
    correlation_with,
    curves_of,
    decision_of,
    jackknife_error,
    kept_of,
    mean_correlation,
    pixel_likeness,
    shared_share,
    step_to_look_at,
    steps_left_to_look_at,
    usual_steps,
)
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


@given(st.integers(1, 6), st.integers(0, 10**6))
def test_alike_to_one_is_a_mean_over_the_others(count: int, seed: int) -> None:
    own, *rows = np.random.default_rng(seed).normal(size=(count + 1, 30))
    assert correlation_with(own, rows) == pytest.approx(np.mean([mean_correlation([own, row]) for row in rows]))


def test_what_others_have_of_a_picture_is_seen_in_its_band_alone() -> None:
    own, *others = noises(5)
    kept = kept_of(1, 3, own, [own] * 3, "pixels", {"form": ["bust", "bust", "vase", "bust"]})
    assert all(value == pytest.approx(1) for name, value in kept.likeness.items() if name != "form")
    assert kept.likeness["form"] == pytest.approx(2 / 3)
    assert kept.errors["coarse"] == pytest.approx(0)
    assert kept.labels == {"form": ["bust", "vase", "bust"]}
    assert kept_of(1, 3, own, others, "pixels", {}).likeness["finest"] == pytest.approx(0, abs=0.1)
    mixed = [own + each for each in others]  # half of the power is the picture's
    assert kept_of(1, 3, own, mixed, "pixels", {}).likeness["finest"] == pytest.approx(np.sqrt(0.5), abs=0.05)


def test_nothing_is_alike_to_nothing() -> None:
    assert math.isnan(mean_correlation([np.zeros(3), np.ones(3)]))
    assert math.isnan(mean_correlation([np.ones(3)]))
    assert math.isnan(band_likeness([np.ones((3, 8, 8), np.float32)] * 2)[3])


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = [1.0, 4.0, 2.0, 8.0, 5.0]
    wanted = float(np.std(values, ddof=1) / math.sqrt(len(values)))
    assert jackknife_error(values, lambda each: float(np.mean(each))) == pytest.approx(wanted)
    assert math.isnan(jackknife_error(values[:2], lambda each: float(np.mean(each))))


def test_the_likeness_of_forks_has_an_error_that_repeats_show() -> None:
    """Over many draws the errors that are told are as large as the values scatter."""
    generator, told, found = np.random.default_rng(2), [], []
    shared = generator.standard_normal((3, 16, 16))
    for _ in range(60):
        forks = [(shared + generator.standard_normal(shared.shape)).astype(np.float32) for _ in range(6)]
        decision = decision_of(7, 3, forks, "pixels", {})
        told.append(decision.errors["pixels"])
        found.append(decision.likeness["pixels"])
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)
    assert 0.5 < np.mean(told) / np.std(found) < 2


def test_labels_are_told_beside_the_pictures() -> None:
    labels = {"form": ["bust", "bust", "head", "bust"]}
    decision = decision_of(7, 3, noises(4, 16), "pixels", labels)
    assert decision.likeness["form"] == pytest.approx(0.5)
    assert set(decision.likeness) == {"coarse", "medium", "fine", "finest", "pixels", "form"}


def curve(**means: float) -> Curve:
    steps = tuple(int(name[1:]) for name in means)
    return Curve(steps, tuple(means.values()), (math.nan,) * len(steps))


@pytest.mark.parametrize(
    ("measured", "wanted"),
    [
        (curve(k2=0.1, k4=0.5, k9=0.97, k20=0.99), (9, 4)),
        (curve(k2=0.96, k4=0.97), (2, -1)),
        (curve(k2=0.1, k4=0.5), (None, 4)),
        (curve(k2=0.1, k4=0.96, k9=0.9, k20=0.99), (20, 9)),  # it came back once
        (Curve((), (), ()), (None, -1)),
    ],
)
def test_a_decision_fell_after_one_measured_step_and_by_the_next(
    measured: Curve, wanted: tuple[int | None, int]
) -> None:
    assert measured.decided_by() == wanted


def test_it_looks_into_the_widest_gap_that_holds_a_decision() -> None:
    one, other = curve(k2=0.1, k4=0.96, k20=0.99), curve(k2=0.1, k4=0.2, k20=0.99)
    assert step_to_look_at({"one": one}) == 3
    assert step_to_look_at({"one": one, "other": other}) == 12
    assert step_to_look_at({"known": curve(k2=0.1, k3=0.96)}) is None
    assert step_to_look_at({"never": curve(k2=0.1, k30=0.2)}) is None


@given(st.integers(1, 60), st.floats(0.05, 0.95))
def test_looking_closer_finds_any_step_of_a_decision(at: int, least: float) -> None:
    """A planted decision: forks are alike from a step on, and not before."""
    steps = list(usual_steps(64))
    for _ in range(64):
        measured = [Decision(7, k, {"pixels": 1.0 if k >= at else 0.0}) for k in sorted(set(steps))]
        curves = curves_of(measured)
        k = step_to_look_at(curves, least)
        if k is None:
            break
        assert k not in steps
        assert k >= FIRST_FORK_STEP
        steps.append(k)
    by, after = curves["pixels"].decided_by(least)
    if at > max(usual_steps(64)):
        assert by is None
    elif at <= FIRST_FORK_STEP:
        assert (by, after) == (FIRST_FORK_STEP, 0)  # nothing can be forked between the two
    else:
        assert (by, after) == (at, at - 1)
    assert len(steps) < 9 + 7  # halving


def test_a_curve_is_a_mean_over_runs_with_its_error() -> None:
    measured = [Decision(s, 4, {"pixels": v}, {"pixels": 0.5}) for s, v in ((1, 0.4), (2, 0.6), (3, 0.8))]
    found = curves_of([*measured, Decision(1, 2, {"pixels": 0.1}, {"pixels": 0.2}),
                       Decision(1, 9, {"pixels": math.nan})])["pixels"]  # fmt: skip
    assert found.steps == (2, 4)
    assert found.means == pytest.approx((0.1, 0.6))
    assert found.errors == pytest.approx((0.2, 0.2 / math.sqrt(3)))


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 50, 1000])
def test_the_usual_steps_are_before_the_last(steps: int) -> None:
    found = usual_steps(steps)
    assert found == tuple(sorted(set(found)))
    assert found[0] == 0
    assert 1 not in found
    assert found[-1] < steps


@given(st.integers(4, 60), st.lists(st.integers(2, 59), min_size=1, max_size=4))
def test_no_more_steps_are_looked_at_than_was_said(steps: int, decided: list[int]) -> None:
    """Bands that are decided at chosen steps: alike from there on, and not before."""
    decided = [min(each, steps - 1) for each in decided]
    measured = set(usual_steps(steps))

    def curves() -> dict[str, Curve]:
        at = tuple(sorted(measured))
        alike = [tuple(float(k >= each) for k in at) for each in decided]
        return {str(n): Curve(at, means, (0.0,) * len(at)) for n, means in enumerate(alike)}

    left = steps_left_to_look_at(curves())
    while (step := step_to_look_at(curves())) is not None:
        assert step not in measured
        measured.add(step)
        assert steps_left_to_look_at(curves()) < left
        left = steps_left_to_look_at(curves())
    assert left == 0
