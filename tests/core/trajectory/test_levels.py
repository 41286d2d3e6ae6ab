"""Noise levels, the numbers that everything else is scaled by, and phases: where their borders fall on any schedule."""

import math

import numpy as np
import pytest
from diffusers import DDIMScheduler, DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.trajectory.levels import (
    BORDERS,
    CLEAN,
    PHASES,
    UNKNOWN,
    NoiseLevel,
    cosine_snr,
    phase_of,
    phase_spans,
    steps_through,
)
from sculptor_app.diffusion.samplers.levels import plan_levels

factors = st.floats(1e-6, 1e6)


def test_equal_parts() -> None:
    level = NoiseLevel(3.0, 3.0)
    assert (level.snr, level.log_snr, level.sigma) == (1.0, 0.0, 1.0)
    assert level.scale == pytest.approx(3 * math.sqrt(2))


def test_ends() -> None:
    assert (CLEAN.snr, CLEAN.log_snr, CLEAN.sigma, CLEAN.scale) == (math.inf, math.inf, 0.0, 1.0)
    noise = NoiseLevel(0.0, 80.0)
    assert (noise.snr, noise.log_snr, noise.sigma, noise.scale) == (0.0, -math.inf, math.inf, 80.0)


def test_a_level_that_is_not_known_says_nothing_and_scales_nothing() -> None:
    assert not UNKNOWN.is_known
    assert CLEAN.is_known
    assert all(math.isnan(value) for value in (UNKNOWN.snr, UNKNOWN.log_snr, UNKNOWN.sigma))
    assert UNKNOWN.scale == 1.0
    assert phase_of(UNKNOWN) is None


def test_a_phase_does_not_reach_over_steps_of_unknown_level() -> None:
    noisy, clear = NoiseLevel(0.01, 1.0), NoiseLevel(1.0, 0.01)
    spans = phase_spans([noisy, noisy, UNKNOWN, noisy, clear, UNKNOWN])
    assert [(span.phase.index, span.first_step, span.last_step) for span in spans] == [(0, 1, 2), (0, 4, 4), (3, 5, 5)]


@pytest.mark.parametrize("wrong", [(0, 0), (-1, 1), (1, -1), (math.nan, 1), (1, math.nan)])
def test_impossible_levels_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="noise level"):
        NoiseLevel(*wrong)


@given(factors, factors, factors)
def test_only_the_ratio_counts_for_the_snr(signal: float, noise: float, scale: float) -> None:
    level, scaled = NoiseLevel(signal, noise), NoiseLevel(signal * scale, noise * scale)
    assert scaled.log_snr == pytest.approx(level.log_snr, abs=1e-9)
    assert scaled.snr == pytest.approx(math.exp(level.log_snr), rel=1e-9)
    assert scaled.scale == pytest.approx(scale * level.scale)


def spans_of(scheduler: DDIMScheduler | DDPMScheduler, steps: int) -> list[tuple[str, int, int]]:
    scheduler.set_timesteps(steps)
    return [(span.phase.key, span.first_step, span.last_step) for span in phase_spans(plan_levels(scheduler))]


def test_borders() -> None:
    assert pytest.approx((0.021, 0.25, 1.9), rel=0.03) == BORDERS
    for border, step in zip(BORDERS, (5, 15, 30), strict=True):
        before, after = (cosine_snr(999 - (each - 1) * 999 / 49) for each in (step, step + 1))
        assert border**2 == pytest.approx(before * after)


def test_fifty_steps_of_the_cosine_schedule() -> None:
    scheduler = DDIMScheduler(beta_schedule="squaredcos_cap_v2", timestep_spacing="linspace")
    assert spans_of(scheduler, 50) == [
        ("decisions", 1, 5),
        ("structure", 6, 15),
        ("refinement", 16, 30),
        ("polish", 31, 50),
    ]


def test_fifty_steps_of_the_linear_schedule() -> None:
    scheduler = DDPMScheduler(beta_schedule="linear", timestep_spacing="linspace")
    assert spans_of(scheduler, 50)[0] == ("decisions", 1, 19)
    snrs = [level.snr for level in plan_levels(scheduler)]
    assert [sum(snr < border for snr in snrs) for border in (0.01, 1)] == [16, 37]  # borders of Choi et al. 2022


def test_phases_shrink_with_the_steps() -> None:
    scheduler = DDIMScheduler(beta_schedule="squaredcos_cap_v2", timestep_spacing="linspace")
    assert spans_of(scheduler, 1000)[-1] == ("polish", 603, 1000)
    assert [key for key, _, _ in spans_of(scheduler, 2)] == ["decisions", "polish"]  # a phase without steps has no span


@pytest.mark.parametrize("border", range(3))
def test_a_border_belongs_to_the_later_phase(border: int) -> None:
    at, below = np.sqrt(BORDERS[border]), np.sqrt(BORDERS[border] * (1 - 1e-9))
    assert phase_of(NoiseLevel(float(at) * (1 + 1e-12), 1.0)) is PHASES[border + 1]
    assert phase_of(NoiseLevel(float(below), 1.0)) is PHASES[border]


def test_cosine_snr_is_that_of_diffusers() -> None:
    alpha_bar = DDIMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod.numpy().astype(float)
    for timestep in (0, 100, 500, 900, 990):
        assert cosine_snr(timestep) == pytest.approx(alpha_bar[timestep] / (1 - alpha_bar[timestep]), rel=2e-3)


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=60))
def test_spans_cover_every_step_once_and_in_order(log_snrs: list[float]) -> None:
    levels = [NoiseLevel(float(np.exp(value / 2)), 1.0) for value in sorted(log_snrs)]
    spans = phase_spans(levels)
    covered = [step for span in spans for step in range(span.first_step, span.last_step + 1)]
    assert covered == list(range(1, len(levels)))
    assert [span.phase.index for span in spans] == sorted({span.phase.index for span in spans})
    for span in spans:
        assert all(phase_of(levels[step - 1]) is span.phase for step in range(span.first_step, span.last_step + 1))


@given(st.integers(2, 200), st.data(), st.booleans())
def test_numbers_of_steps_that_come_to_a_timestep_come_to_it(
    steps: int, data: st.DataObject, ends_at_zero: bool
) -> None:
    k = data.draw(st.integers(1, steps - 1))
    off = 1 if ends_at_zero else 0
    found = steps_through(steps, k, 1000, ends_at_zero)
    assert steps not in dict(found)
    for count, state in found:
        assert state * (steps - off) == k * (count - off)
        assert 0 < state < count <= 1000
    if ends_at_zero or steps > 1:
        twice = 2 * (steps - off) + off
        assert twice in dict(found)
