"""The field whose every answer is known: its guess, its flow, and bands from their definition against the fast ones."""

import itertools

import numpy as np
import pytest

from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.measures.gaussian_field import (
    STANDARD_DEVIATION,
    band_powers,
    falling_off,
    field_power,
    flow_factor,
    half_amplitude_steps,
    mode_powers,
    posterior_gain,
    posterior_mean,
    ring_powers,
)
from sculptor_app.measures.spectrum import band_energies, frame_spectrum

LEVEL = NoiseLevel(0.6, 0.8)


def noise(size: int = 32) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((3, size, size))


@pytest.mark.parametrize("size", [16, 33, 64])
def test_bands_from_their_definition_are_those_that_are_measured(size: int) -> None:
    frame = noise(size)
    slow = mode_powers(np.fft.fft2(frame))
    fast = frame_spectrum(frame, "pixels", "none")
    np.testing.assert_allclose(ring_powers(slow), fast.power, rtol=1e-12)
    np.testing.assert_allclose(band_powers(slow), band_energies(fast), rtol=1e-12)


def test_the_field_has_its_deviation_and_slope_and_white_noise_has_none() -> None:
    power = field_power(64)
    assert power.sum() / 64**2 == pytest.approx(STANDARD_DEVIATION**2)
    assert falling_off(ring_powers(power), 32) == pytest.approx(-2, abs=0.03)
    assert falling_off(np.ones(40), 32) == pytest.approx(0, abs=1e-12)


def test_a_single_wave_is_shrunk_by_its_wiener_gain() -> None:
    wave = np.cos(2 * np.pi * 3 * np.arange(32) / 32)[None, :] * np.ones((32, 1))
    power = field_power(32)[0, 3]
    gain = 0.6 * power / (0.36 * power + 0.64)
    np.testing.assert_allclose(posterior_mean(wave, LEVEL), gain * wave, atol=1e-12)
    np.testing.assert_allclose(posterior_gain(32, NoiseLevel(2.0, 0.0)), 0.5)


def test_the_guess_is_the_best_of_all_multiples() -> None:
    """The mean square error of a gain g is (1 - g a)^2 P + g^2 s^2; the posterior's is at its least."""
    power, gain = field_power(16), posterior_gain(16, LEVEL)

    def error(g: np.ndarray) -> np.ndarray:
        return (1 - g * LEVEL.signal) ** 2 * power + g**2 * LEVEL.noise**2

    assert (error(gain) <= error(gain * 1.01)).all()
    assert (error(gain) <= error(gain * 0.99)).all()


def test_the_flow_is_the_limit_of_many_small_steps_and_ends_in_the_field() -> None:
    angles = np.linspace(np.pi / 2 - 1e-3, 0.0, 4001)
    levels = [NoiseLevel(float(np.cos(angle)), float(np.sin(angle))) for angle in angles]
    factor = np.ones((16, 16))
    for before, after in itertools.pairwise(levels):
        gain = posterior_gain(16, before)
        factor *= after.signal * gain + after.noise * (1 - before.signal * gain) / before.noise
    flow = flow_factor(16, levels[0], levels[-1])
    np.testing.assert_allclose(factor, flow, rtol=0.01, atol=1e-3)
    np.testing.assert_allclose(flow**2, field_power(16), rtol=1e-5)


def test_half_amplitude_is_a_quarter_of_the_power_at_the_end() -> None:
    energies = np.array([[0.0, 0.2, 1.0, 0.24], [0.3, 0.2, 1.0, 0.25], [1.0, 1.0, 1.0, 1.0]])
    assert half_amplitude_steps(energies) == (2, 3, 1, 2)
