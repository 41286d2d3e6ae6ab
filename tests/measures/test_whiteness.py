"""White noise reads 1 and lies in its band; what is no noise lies outside of it."""

import numpy as np

from sculptor_app.measures.whiteness import FAR_CYCLES, from_afar, noise_power

SIZE = 64


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((3, SIZE, SIZE)).astype(np.float32)


def test_white_noise_has_power_one_and_lies_in_its_band_98_times_in_100() -> None:
    inside = []
    for seed in range(40):
        power, band = noise_power(noise(seed))
        assert len(power) == len(band) == SIZE // 2
        assert abs(np.mean(power) - 1) < 0.05
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
