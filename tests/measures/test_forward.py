"""The spectra of a drowning picture: three averages against direct measurement, and known crossovers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.trajectory.forward import cosine_levels, run_forward_process
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
from sculptor_app.measures.forward import (
    ForwardMeasures,
    bands_below_noise,
    emerging_steps,
    floor_spectrum,
    noise_floor,
    noise_floor_cutoff,
)
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import (
    BANDS,
    Spectrum,
    band_energies,
    frame_cross,
    frame_spectrum,
    radial_cross,
    radial_psd,
)
from tests.helpers.runs import made_run, solid

COSINE = cosine_levels(50)
EXPLODING = (*(NoiseLevel(1.0, float(sigma)) for sigma in np.geomspace(80, 0.02, 9)), CLEAN)


def power_law(strength: float, slope: float = -2, highest: int = 128) -> Spectrum:
    frequencies = np.arange(1, highest + 1)
    power = strength * frequencies.astype(float) ** slope
    return Spectrum(frequencies, power, 2 * math.pi * frequencies / (4 * highest**2), np.ones(highest))


def field(size: int, strength: float, seed: int) -> np.ndarray:
    """A periodic Gaussian field (1, size, size) of power strength / f^2, without a mean."""
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size, 1 / size)] * 2))
    amplitude = np.divide(math.sqrt(strength), frequency, out=np.zeros_like(frequency), where=frequency > 0)
    white = np.random.default_rng(seed).standard_normal((size, size))
    return np.fft.ifft2(np.fft.fft2(white) * amplitude).real[None].astype(np.float32)


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 24, 41), (3, 41, 24), (1, 17, 9), (3, 2, 60), (4, 12, 20)])
@pytest.mark.parametrize("levels", [COSINE, EXPLODING])
@pytest.mark.parametrize("window", ["hann", "none"])
def test_three_averages_give_what_a_direct_measurement_gives(shape, levels, window: str) -> None:
    picture = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32).cumsum(2) / 9
    trajectory = run_forward_process(picture, "x", steps=len(levels) - 1, levels=levels)
    found, direct = ForwardMeasures.of(trajectory, window), RunMeasures.of(trajectory, window)
    assert (found.last, found.is_complete, found.planned_steps) == (len(levels) - 1, True, len(levels) - 1)
    assert (found.space, found.window) == ("pixels", window)
    for k in range(len(levels)):
        np.testing.assert_allclose(found.spectrum("state", k).power, direct.spectrum("state", k).power, rtol=1e-5,
                                   atol=1e-7)  # fmt: skip
        np.testing.assert_array_equal(found.spectrum("state", k).frequencies, direct.spectrum("state", k).frequencies)
        np.testing.assert_array_equal(found.spectrum("state", k).shares, direct.spectrum("state", k).shares)
    for source in ("state", "guess"):
        np.testing.assert_allclose(found.energies(source), direct.energies(source), rtol=1e-5, atol=1e-7)
    assert found.spectrum("guess", 0) is None
    assert found.settled("content") == found.settled("energy") == (None,) * 4  # the guesses are the picture itself


def test_latents_are_measured_channel_by_channel() -> None:
    picture = np.random.default_rng(2).standard_normal((4, 16, 16)).astype(np.float32)
    noise = np.random.default_rng(3).standard_normal((4, 16, 16)).astype(np.float32)
    parts = [frame_spectrum(each, "latents").power for each in (picture, noise)]
    cross = frame_cross(picture, noise, "latents").power
    mixed = frame_spectrum(0.6 * picture + 0.8 * noise, "latents")
    np.testing.assert_allclose(mixed.power, 0.36 * parts[0] + 0.64 * parts[1] + 0.96 * cross, rtol=1e-5)


def test_fresh_static_is_measured_state_by_state() -> None:
    trajectory = run_forward_process(field(32, 2.0, 4), "x", steps=6, fresh=True)
    found, direct = ForwardMeasures.of(trajectory), RunMeasures.of(trajectory)
    np.testing.assert_array_equal(found.energies("state"), direct.energies("state"))


def test_nothing_can_be_appended_to_what_is_complete() -> None:
    trajectory = run_forward_process(field(16, 2.0, 4), "x", steps=3)
    measures = ForwardMeasures.of(trajectory)
    measures.catch_up(trajectory)
    with pytest.raises(ValueError, match="the next is 4 of 3"):
        measures.append(trajectory, 4)


def test_cross_power_of_a_plane_with_itself_is_its_power() -> None:
    plane, other = np.random.default_rng(5).standard_normal((2, 20, 13))
    np.testing.assert_allclose(radial_cross(plane, plane).power, radial_psd(plane).power)
    np.testing.assert_allclose(radial_cross(plane, -other).power, -radial_cross(other, plane).power)


def test_white_noise_reads_one_in_pixels_too() -> None:
    """In a luminance the noises of three channels partly cancel: that is taken out."""
    noise = np.random.default_rng(6).standard_normal((3, 256, 256))
    for frame, space in ((noise, "pixels"), (noise[:1], "pixels"), (noise, "latents"), (noise[[0, 1]], "pixels")):
        assert frame_spectrum(frame, space).power[:128].mean() == pytest.approx(1, rel=0.02)
        assert band_energies(frame_spectrum(frame, space))[3] == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize(("level", "floor"), [(CLEAN, 0), (NoiseLevel(0, 1), 1), (NoiseLevel(0.6, 0.8), 0.64),
                                              (NoiseLevel(1, 3), 0.9), (NoiseLevel(0, 14.6), 1)])  # fmt: skip
def test_noise_floor(level: NoiseLevel, floor: float) -> None:
    assert noise_floor(level) == pytest.approx(floor)
    spectrum = floor_spectrum(power_law(1.0), level)
    np.testing.assert_allclose(spectrum.power, [floor] * len(spectrum.frequencies))


@pytest.mark.parametrize("wanted", [1.7, 4.3, 10.0, 31.0, 77.7])
def test_a_field_of_known_power_drowns_at_the_frequency_of_the_closed_form(wanted: float) -> None:
    """a^2 c / f^2 = s^2, so f = a/s sqrt(c)."""
    clean = power_law(300.0)
    for signal in (1.0, 0.3):
        level = NoiseLevel(signal, signal * math.sqrt(300) / wanted)
        assert noise_floor_cutoff(clean, level) == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_a_field_drawn_at_random_drowns_near_it(seed: int) -> None:
    clean = frame_spectrum(field(256, 300.0, seed), window="none")
    for wanted in (8.0, 20.0, 60.0):
        values = math.pi * wanted * 0.35 * wanted  # that half an octave holds; the power's scatter is 1 over their root
        found = noise_floor_cutoff(clean, NoiseLevel(1.0, math.sqrt(300) / wanted))
        assert found == pytest.approx(wanted, rel=0.03 + 4 * 0.5 / math.sqrt(values))


def test_ripples_are_no_border() -> None:
    """Half of the annuli a factor three below the others: one by one they would cross the floor again and again."""
    clean = power_law(300.0)
    rippled = replace(clean, power=clean.power * np.where(clean.frequencies % 2, 1.5, 0.5))
    level = NoiseLevel(1.0, math.sqrt(300) / 40)
    assert noise_floor_cutoff(rippled, level) == pytest.approx(40, rel=0.06)


def test_what_comes_back_at_a_higher_frequency_is_not_drowned() -> None:
    """A gap in the picture's power is no border, as long as there is a fine pattern beyond it."""
    clean = power_law(300.0)
    gap = (clean.frequencies >= 10) & (clean.frequencies <= 20)
    holed = replace(clean, power=np.where(gap, 1e-9, clean.power))
    level = NoiseLevel(1.0, math.sqrt(300) / 50)
    assert noise_floor_cutoff(holed, level) == pytest.approx(50, rel=0.03)


def test_the_two_ends() -> None:
    clean = power_law(300.0)
    assert noise_floor_cutoff(clean, CLEAN) is None
    assert noise_floor_cutoff(clean, NoiseLevel(1.0, 1e-6)) is None
    assert noise_floor_cutoff(clean, NoiseLevel(0.0, 1.0)) == 1
    empty = replace(clean, power=np.zeros(128))
    assert noise_floor_cutoff(empty, NoiseLevel(1.0, 0.1)) == 1
    assert noise_floor_cutoff(empty, CLEAN) is None
    cut = replace(clean, power=np.where(clean.frequencies < 20, 1.0, 0.0))
    assert 19 <= noise_floor_cutoff(cut, NoiseLevel(1.0, 0.01)) <= 24
    assert emerging_steps(empty, COSINE) == (None,) * 4


@given(st.integers(0, 2**32), st.floats(0.01, 100), st.floats(1.0, 3.0))
def test_more_noise_never_drowns_less(seed: int, strength: float, more: float) -> None:
    clean = power_law(strength)
    clean = replace(clean, power=clean.power * np.random.default_rng(seed).exponential(size=128))
    borders = [noise_floor_cutoff(clean, NoiseLevel(1.0, sigma)) or math.inf for sigma in (0.3, 0.3 * more)]
    assert borders[0] >= borders[1]


def test_bands_drown_where_their_energy_times_the_ratio_is_one() -> None:
    clean = power_law(100.0, highest=32)
    means = [np.mean([100 / f**2 for f in range(low, high + 1)]) for low, high in ((1, 2), (3, 7), (8, 15), (16, 32))]
    for index, energy in enumerate(means):
        for share, drowned in ((1.001, False), (0.999, True)):
            level = NoiseLevel(1.0, math.sqrt(energy / share))
            assert (BANDS[index] in bands_below_noise(clean, level)) == drowned
    steps = emerging_steps(clean, COSINE)
    for step, energy in zip(steps, means, strict=True):
        assert COSINE[step].snr * energy >= 1 > COSINE[step - 1].snr * energy
    assert list(steps) == sorted(steps)


def test_bands_that_never_drown_or_are_not_there() -> None:
    levels = (NoiseLevel(1.0, 0.5), NoiseLevel(1.0, 0.2), CLEAN)
    small = power_law(10.0, highest=8)
    assert emerging_steps(small, levels) == (None, None, 1, None)
    assert [band.key for band in bands_below_noise(small, levels[0])] == ["detail"]


def test_a_finished_run_of_a_model_has_its_crossovers_too() -> None:
    trajectory = made_run(steps=50, size=64)
    clean = RunMeasures.of(trajectory).spectrum("guess", 50)
    steps = emerging_steps(clean, trajectory.levels)
    assert [step for step in steps if step is not None] == sorted(step for step in steps if step is not None)
    borders = [noise_floor_cutoff(clean, level) or math.inf for level in trajectory.levels]
    assert borders == sorted(borders)


@pytest.mark.parametrize("fresh", [False, True])
def test_distances_of_a_forward_process_are_those_of_its_frames(fresh: bool) -> None:
    run = run_forward_process(solid(16), "x", steps=6, fresh=fresh)
    found = ForwardMeasures.of(run).distances()
    for k in range(7):
        away = run.state(k) / run.levels[k].scale - run.state(6)
        assert found[k, 0] == pytest.approx(math.sqrt(float(np.mean(np.square(away)))), rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(found[1:, 1], 0, atol=1e-6)
