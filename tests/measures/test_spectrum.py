"""Spectra against fields whose spectrum is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.measures.spectrum import (
    BANDS,
    FAR_CYCLES,
    band_energies,
    band_variances,
    frame_spectrum,
    from_afar,
    luminance,
    noise_power,
    radial_psd,
    slope,
)

WINDOWS = ("hann", "none")


def slow_power(plane: np.ndarray) -> np.ndarray:
    """Mean power per annulus, frequency by frequency, without a window."""
    height, width = plane.shape
    side = max(plane.shape)
    transform = np.fft.fft2(plane - plane.mean())
    powers: dict[int, list[float]] = {}
    for row in range(height):
        for column in range(width):
            fy, fx = np.fft.fftfreq(height)[row] * side, np.fft.fftfreq(width)[column] * side
            powers.setdefault(round(float(np.hypot(fy, fx))), []).append(abs(transform[row, column]) ** 2)
    return np.array([np.mean(powers[f]) for f in range(1, max(powers) + 1)]) / plane.size


@pytest.mark.parametrize("shape", [(16, 16), (15, 15), (16, 24), (9, 14), (32, 7)])
def test_agrees_with_the_plain_sum_over_frequencies(shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(1).standard_normal(shape)
    spectrum = radial_psd(plane, "none")
    assert list(spectrum.frequencies) == list(range(1, len(spectrum.power) + 1))
    np.testing.assert_allclose(spectrum.power, slow_power(plane), rtol=1e-9)


@pytest.mark.parametrize("window", WINDOWS)
def test_white_noise_reads_one_and_has_slope_zero(window: str) -> None:
    generator = np.random.default_rng(2)
    spectra = [radial_psd(generator.standard_normal((64, 64)), window) for _ in range(100)]
    assert np.mean([band_energies(spectrum) for spectrum in spectra], axis=0) == pytest.approx([1] * 4, abs=0.08)
    assert np.mean([slope(spectrum) for spectrum in spectra]) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("power", [-1.6, -2.0, -3.0])
def test_slope_of_a_random_field(window: str, power: float) -> None:
    generator = np.random.default_rng(3)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(64, 1 / 64), np.fft.fftfreq(64, 1 / 64)))
    f[0, 0] = np.inf
    slopes = [
        slope(
            radial_psd(np.fft.ifft2(np.fft.fft2(generator.standard_normal((64, 64))) * f ** (power / 2)).real, window)
        )
        for _ in range(60)
    ]
    assert np.mean(slopes) == pytest.approx(power, abs=0.12)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("cycles", "band"), [(1, 0), (2, 0), (3, 1), (7, 1), (8, 2), (15, 2), (16, 3), (30, 3)])
def test_sinusoid_lands_in_its_band(window: str, cycles: int, band: int) -> None:
    x = np.arange(64) / 64
    plane = np.broadcast_to(np.sin(2 * np.pi * cycles * x), (64, 64))
    spectrum = radial_psd(plane, window)
    assert spectrum.frequencies[np.argmax(spectrum.power)] == cycles
    if window == "none":
        assert np.argmax(band_energies(spectrum)) == band


@pytest.mark.parametrize(("shape", "down", "across"), [((64, 128), 0, 16), ((128, 64), 16, 0), ((96, 64), 8, 0)])
def test_cycles_are_those_of_the_longer_side(shape: tuple[int, int], down: int, across: int) -> None:
    """16 waves across a picture of 128 x 64 are 16 cycles per image."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    plane = np.sin(2 * np.pi * (down * y / shape[0] + across * x / shape[1]))
    for window in WINDOWS:
        spectrum = radial_psd(plane, window)
        assert spectrum.frequencies[np.argmax(spectrum.power)] == max(down, across)
    diagonal = radial_psd(np.sin(2 * np.pi * (x + y) / 8), "none")  # as many cycles per pixel both ways
    assert diagonal.frequencies[np.argmax(diagonal.power)] == round(max(shape) * 2**0.5 / 8)


@given(st.integers(2, 40), st.integers(2, 40))
def test_bands_hold_all_of_the_variance(height: int, width: int) -> None:
    plane = np.random.default_rng(height * 41 + width).standard_normal((height, width))
    assert band_variances(radial_psd(plane, "none")).sum() == pytest.approx(plane.var(), rel=1e-9)
    colours = np.stack([plane, plane**2, -plane])
    spectrum = frame_spectrum(colours, "latents", "none")
    assert band_variances(spectrum).sum() == pytest.approx(colours.var(axis=(1, 2)).mean(), rel=1e-9)


def test_a_checkerboard_lies_in_the_top_band() -> None:
    y, x = np.mgrid[:64, :64]
    board = ((-1.0) ** (x + y) * 0.5).astype(np.float32)
    spectrum = frame_spectrum(np.stack([board] * 3), window="none")
    assert spectrum.frequencies[np.argmax(spectrum.power)] == 45  # the corner: 32 times the square root of 2
    variances = band_variances(spectrum) * (0.2126**2 + 0.7152**2 + 0.0722**2)
    np.testing.assert_allclose(variances, [0, 0, 0, 0.25], atol=1e-12)
    assert band_energies(frame_spectrum(np.stack([board] * 3)))[3] > 0.1


def test_hann_keeps_a_borders_jump_out_of_the_high_frequencies() -> None:
    ramp = np.add.outer(np.zeros(64), np.linspace(-1, 1, 64))
    assert band_energies(radial_psd(ramp, "hann"))[3] < 1e-3 * band_energies(radial_psd(ramp, "none"))[3]


def test_mean_does_not_count() -> None:
    plane = np.random.default_rng(4).standard_normal((32, 32))
    np.testing.assert_allclose(radial_psd(plane + 100).power, radial_psd(plane).power, rtol=1e-6)


def test_luminance_weighs_three_channels_and_averages_others() -> None:
    colour = np.stack([np.full((2, 2), value) for value in (1.0, 10.0, 100.0)])
    assert luminance(colour) == pytest.approx(np.full((2, 2), 0.2126 + 7.152 + 7.22))
    assert luminance(colour[:1]) == pytest.approx(np.ones((2, 2)))
    assert luminance(np.concatenate([colour, colour[:1]])) == pytest.approx(np.full((2, 2), 28.0))


def test_latents_do_not_cancel_one_another() -> None:
    plane = np.random.default_rng(5).standard_normal((16, 16))
    latents = np.stack([plane, -plane, plane, -plane])
    np.testing.assert_allclose(frame_spectrum(latents, "latents").power, radial_psd(plane).power)


def test_small_pictures_have_bands_without_frequencies() -> None:
    assert np.isnan(band_energies(radial_psd(np.ones((1, 1))))).all()
    energies = band_energies(radial_psd(np.random.default_rng(6).standard_normal((8, 8))))
    assert np.isfinite(energies[:2]).all()
    assert np.isnan(energies[2:]).all()  # the corner of 8 pixels is at 5.7
    assert np.isnan(slope(radial_psd(np.zeros((8, 8)))))


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(WINDOWS), st.floats(0.1, 10))
def test_any_shape_scales_with_the_square(height: int, width: int, window: str, factor: float) -> None:
    plane = np.random.default_rng(height * 41 + width).standard_normal((height, width))
    spectrum, larger = radial_psd(plane, window), radial_psd(plane * factor, window)
    longer, corner = max(height, width), np.hypot(height // 2 / height, width // 2 / width)
    assert len(spectrum.power) == round(longer * corner)
    assert spectrum.shares.sum() == pytest.approx(1 - 1 / plane.size)  # all but the mean
    np.testing.assert_allclose(larger.power, spectrum.power * factor**2, rtol=1e-6, atol=1e-12)


@given(st.integers(2, 20), st.integers(0, 19), st.integers(0, 19))
def test_a_periodic_shift_changes_nothing(size: int, down: int, across: int) -> None:
    plane = np.random.default_rng(size).standard_normal((size, size))
    shifted = np.roll(plane, (down, across), (0, 1))
    np.testing.assert_allclose(radial_psd(shifted, "none").power, radial_psd(plane, "none").power, atol=1e-9)


def test_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="'blackman'; choose 'hann' or 'none'"):
        radial_psd(np.zeros((4, 4)), "blackman")
    with pytest.raises(ValueError, match="two axes"):
        radial_psd(np.zeros((3, 4, 4)))


def test_bands_join_without_a_gap() -> None:
    assert [(band.low, band.high) for band in BANDS] == [(1, 2), (3, 7), (8, 15), (16, float("inf"))]
    assert [band.range_text for band in BANDS] == ["1–2", "3–7", "8–15", "16+"]


SIZE = 64


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((3, SIZE, SIZE)).astype(np.float32)


def test_white_noise_has_power_one_and_lies_in_its_band_98_times_in_100() -> None:
    inside = []
    for seed in range(40):
        power, band = noise_power(noise(seed))
        assert len(power) == len(band) == 45  # to the corner, 32 times the square root of 2
        assert abs(np.mean(power[: SIZE // 2]) - 1) < 0.05
        inside += [low <= value <= high for value, (low, high) in zip(power, band, strict=True)]
    assert 0.97 < np.mean(inside) < 0.99


def test_a_wave_stands_out_at_its_own_frequency() -> None:
    across = np.arange(SIZE) / SIZE
    waved = noise(1) + np.sin(2 * np.pi * 3 * across)[None, None, :].astype(np.float32)
    power, band = noise_power(waved)
    assert power[2] > 10 * band[2][1]
    assert [value > high for value, (_, high) in zip(power, band, strict=True)].index(True) == 2


def test_from_afar_only_slow_waves_are_left() -> None:
    far = from_afar(noise(2))
    transform = np.abs(np.fft.fft2(far))
    f = np.fft.fftfreq(SIZE) * SIZE
    fast = np.rint(np.hypot(f[:, None], f[None])) > FAR_CYCLES
    assert transform[:, fast].max() < 1e-3
    assert abs(far.std() - 1 / 3) < 0.06  # three standard deviations reach black and white
