"""The measures of a run while it grows."""

import math
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.events import Started, StepTaken
from sculptor_app.core.trajectory.levels import LEAST_CORRELATION, SETTLING_RULES
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.measures import run_measures
from sculptor_app.measures.run_measures import RunMeasures, measured
from sculptor_app.measures.spectrum import BANDS, MOST_CONTENT, band_contents, band_energies, frame_spectrum
from tests.diffusion.gaussian import field_power, gaussian_pipeline, posterior_mean
from tests.helpers.runs import cosine_levels, made_run, solid


def gaussian_events(folder: Path, steps: int = 50) -> list[object]:
    engine = Engine(lambda *_, **__: gaussian_pipeline())
    request = RunRequest(model=str(folder), steps=steps, seed=9)
    return list(measured(sample(engine, request, threading.Event()), window="none"))


def test_energies_are_those_of_each_state_and_guess() -> None:
    trajectory = made_run(steps=5, size=32)
    measures = RunMeasures.of(trajectory)
    assert measures.energies("state").shape == (6, 4)
    assert np.isnan(measures.energies("guess")[0]).all()
    for k in range(6):
        state = trajectory.state(k) / trajectory.levels[k].scale
        np.testing.assert_allclose(measures.energies("state")[k], band_energies(frame_spectrum(state)), rtol=1e-5)
    expected = frame_spectrum(trajectory.guess(3))
    np.testing.assert_allclose(measures.spectrum("guess", 3).power, expected.power)
    assert measures.spectrum("guess", 0) is None


def test_states_of_all_schedulers_share_one_scale() -> None:
    """Noise that a variance-exploding scheduler scales up by 14 reads 1, as any other noise."""
    from sculptor_app.core.trajectory.base import RunInfo
    from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
    from sculptor_app.core.trajectory.trajectory import Trajectory

    noise = np.random.default_rng(1).standard_normal((3, 64, 64)).astype(np.float32)
    level = NoiseLevel(1.0, 14.6)
    plain = Trajectory(RunInfo(RunRequest()), noise, [NoiseLevel(0.0, 1.0), CLEAN])
    large = Trajectory(RunInfo(RunRequest()), noise * np.float32(level.scale), [level, CLEAN])
    np.testing.assert_allclose(
        RunMeasures.of(large).energies("state"), RunMeasures.of(plain).energies("state"), rtol=1e-4
    )


def test_rows_that_were_handed_out_stay_as_they_are() -> None:
    trajectory, whole = made_run(steps=6, taken=3), made_run(steps=6)
    measures = RunMeasures.of(trajectory)
    early = measures.energies("state")
    kept = early.copy()
    measures.catch_up(whole)
    np.testing.assert_array_equal(early, kept)
    assert (len(early), len(measures.energies("state"))) == (4, 7)
    with pytest.raises(ValueError, match="read-only"):
        early[0, 0] = 1


def test_refuses_gaps_and_what_is_not_there() -> None:
    trajectory = made_run(steps=4)
    measures = RunMeasures(4)
    with pytest.raises(ValueError, match="state 2 was to be measured; the next is 0 of 4"):
        measures.append(trajectory, 2)
    measures.append(trajectory, 0)
    with pytest.raises(IndexError, match="state 1 is not measured; there are 0 to 0"):
        measures.spectrum("state", 1)


def test_a_run_without_guesses_has_none_to_measure() -> None:
    measures = RunMeasures.of(made_run(steps=3, guesses=False))
    assert np.isnan(measures.energies("guess")).all()
    assert measures.settled("energy") == measures.settled("content") == (None,) * 4
    assert np.isnan(measures.correlations()).all()


def test_reader_in_another_thread_sees_whole_rows() -> None:
    trajectory, torn, done = made_run(steps=120, size=8), [], threading.Event()
    measures = RunMeasures(120)

    def read() -> None:
        while not done.is_set():
            rows = measures.energies("state")
            if np.isnan(rows[:, :2]).any():
                torn.append(len(rows))

    reader = threading.Thread(target=read)
    reader.start()
    measures.catch_up(trajectory)
    done.set()
    reader.join()
    assert not torn
    assert measures.is_complete


@pytest.mark.parametrize(
    ("amplitudes", "step"),
    [([0.1, 0.5, 0.95, 1.0], 3), ([0.95, 0.5, 1.05, 1.0], 3), ([1.0, 1.0, 1.0, 1.0], 1), ([5, 5, 5, 1.0], 4)],
)
def test_energy_has_settled_at_the_first_step_that_stayed_near(amplitudes: list[float], step: int) -> None:
    measures = RunMeasures(4)
    measures._last = 4  # the numbers are set by hand, to know the answer
    measures._energies["guess"][1:] = np.square(amplitudes)[:, None]
    assert measures.settled("energy") == (step,) * 4


def test_nothing_has_settled_in_mid_run() -> None:
    measures = RunMeasures.of(made_run(steps=6, taken=5))
    assert measures.settled("content") == measures.settled("energy") == (None,) * 4
    with pytest.raises(KeyError):
        RunMeasures.of(made_run(steps=2)).settled("colour")


def run_of_guesses(guesses: list[np.ndarray], space: str = "pixels") -> Trajectory:
    """A finished run with these guesses for its steps 1..N, whatever they are."""
    levels = cosine_levels(len(guesses))
    run = Trajectory(RunInfo(RunRequest(steps=len(guesses)), space=space), np.zeros_like(guesses[0]), levels)
    for k, guess in enumerate(guesses, start=1):
        run.append(Step(k, 0, True, 0.0, levels[k - 1], levels[k], guess, guess, "", 0.0))
    return run


def redrawn_bands(size: int, channels: int, redrawn_until: tuple[int, ...], steps: int) -> list[np.ndarray]:
    """White noise, of which each band is new noise in all steps before the given one, with the very same power."""
    generator = np.random.default_rng(4)
    fields = np.fft.rfft2(generator.standard_normal((steps, channels, size, size)))
    power, phases = np.abs(fields[-1]), fields / np.abs(fields)
    radius = np.rint(np.hypot(np.fft.fftfreq(size, 1 / size)[:, None], np.fft.rfftfreq(size, 1 / size)[None]))
    guesses = []
    for k in range(1, steps + 1):
        drawn = phases[-1].copy()
        for band, until in zip(BANDS, redrawn_until, strict=True):
            if k < until:
                drawn = np.where((radius >= band.low) & (radius <= band.high), phases[k - 1], drawn)
        guesses.append(np.fft.irfft2(power * drawn, (size, size)).astype(np.float32))
    return guesses


@pytest.mark.parametrize(("size", "channels", "space"), [(64, 1, "pixels"), (160, 1, "pixels"), (48, 4, "latents")])
def test_a_band_that_is_redrawn_with_the_same_power_settles_by_content_alone(size, channels, space) -> None:
    """The top band of the larger ones is sketched."""
    until = (3, 5, 6, 8)
    run = run_of_guesses(redrawn_bands(size, channels, until, 9), space)
    measures = RunMeasures.of(run, window="none")
    assert measures.settled("energy") == (1, 1, 1, 1)
    assert measures.settled("content") == until
    assert measures.settled() == until
    correlations = measures.correlations()
    for band, step in enumerate(until):
        np.testing.assert_allclose(correlations[step:, band], 1, atol=1e-6)
        assert np.abs(correlations[1:step, band]).max() < (0.75, 0.4, 0.25, 0.1)[band]  # of few coefficients, or many


def test_content_counts_for_itself_and_not_its_strength() -> None:
    picture = np.random.default_rng(5).standard_normal((3, 32, 32)).astype(np.float32)
    run = run_of_guesses([-picture, 0.01 * picture, 3 * picture, picture])
    measures = RunMeasures.of(run)
    assert measures.settled("content") == (2,) * 4
    assert measures.settled("energy") == (4,) * 4
    np.testing.assert_allclose(measures.correlations()[1:], [[-1] * 4, *[[1] * 4] * 3], atol=1e-6)


def exact_correlations(frame: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Of the bands of two planes without a window, from all coefficients of the whole Fourier plane."""
    one, other = (np.fft.fft2(plane - plane.mean()) for plane in (frame, end))
    frequencies = [np.fft.fftfreq(length, 1 / length) for length in frame.shape]
    radius = np.rint(np.hypot(frequencies[0][:, None], frequencies[1][None]))
    found = []
    for band in BANDS:
        inside = (radius >= band.low) & (radius <= band.high)
        a, b = one[inside], other[inside]
        found.append((a * b.conj()).sum().real / np.sqrt((abs(a) ** 2).sum() * (abs(b) ** 2).sum()))
    return np.array(found)


@pytest.mark.parametrize("power_exponent", [0, -2, -4])
@pytest.mark.parametrize(("size", "error"), [(64, 1e-6), (256, 5 * 0.0975 / np.sqrt(MOST_CONTENT))])
def test_correlations_are_those_of_all_coefficients(size: int, error: float, power_exponent: float) -> None:
    """At 0.95 a sketch of 4,096 numbers has the standard deviation 0.0975 / 64 = 0.0015, whatever the power's slope."""
    generator = np.random.default_rng(6)
    radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size, 1 / size)] * 2))
    radius[0, 0] = 1
    one, two = (
        np.fft.ifft2(np.fft.fft2(generator.standard_normal((size, size))) * radius ** (power_exponent / 2)).real
        for _ in range(2)
    )
    guesses = [(0.95 * one + 0.31 * two)[None].astype(np.float32), one[None].astype(np.float32)]
    measures = RunMeasures.of(run_of_guesses(guesses), window="none")
    expected = exact_correlations(guesses[0][0], guesses[1][0])
    np.testing.assert_allclose(measures.correlations()[1, :3], expected[:3], atol=1e-6)
    assert measures.correlations()[1, 3] == pytest.approx(expected[3], abs=error)


def test_coefficients_that_work_together_do_not_add_up_in_a_sketch() -> None:
    """All coefficients of a point are alike: without random signs it would stand out of the noise around it."""
    point = np.zeros((1, 256, 256), np.float32)
    point[0, 0, 0] = 256
    noise = np.random.default_rng(7).standard_normal((2, 1, 256, 256)).astype(np.float32)
    guesses = [noise[0] + point, noise[1] + point]
    measures = RunMeasures.of(run_of_guesses(guesses), window="none")
    expected = exact_correlations(guesses[0][0], guesses[1][0])[3]
    assert expected == pytest.approx(0.5, abs=0.02)
    assert measures.correlations()[1, 3] == pytest.approx(expected, abs=5 * 0.75 / np.sqrt(MOST_CONTENT))


def test_contents_of_a_large_picture_take_little() -> None:
    """Those of 1,000 steps of 1024x1024 pixels are 19.5 MB, of which nothing stays once the run is over."""
    contents = band_contents([np.zeros((1024, 513), np.complex128)], 1024)
    assert [part.size for part in contents] == [24, 166, 588, MOST_CONTENT]
    assert sum(part.nbytes for part in contents) == 19_496
    measures = RunMeasures.of(made_run(steps=3))
    before = measures.correlations().copy()
    measures.release_contents()
    assert measures._contents == []
    np.testing.assert_array_equal(measures.correlations(), before)


def test_no_frame_is_read_again_when_the_end_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    run, read = made_run(steps=6), []
    guess = run.guess
    monkeypatch.setattr(run, "guess", lambda k: read.append(k) or guess(k))
    measures = RunMeasures(6)
    for k in range(7):
        measures.append(run, k)
        measures.settled()
    assert measures.settled() != (None,) * 4
    assert read == [*range(7)]


def test_gaussian_guesses_correlate_as_the_closed_form_says() -> None:
    """Of independent noises at every level: the square of the correlation is the share of the variance explained.

    The best guess W(a x0 + s n) of a mode of power P has the power W a P, and so has its product with x0; hence in a
    band r = sqrt(sum(W a P) / sum(P)) with W a = a^2 P / (a^2 P + s^2).
    """
    steps, size, generator = 50, 64, np.random.default_rng(8)
    power, levels = field_power(size), cosine_levels(steps)
    clean = np.fft.ifft2(np.fft.fft2(generator.standard_normal((1, size, size))) * np.sqrt(power)).real
    guesses = [
        posterior_mean(a.signal * clean + a.noise * generator.standard_normal(clean.shape), a) for a in levels[:-1]
    ]
    measures = RunMeasures.of(run_of_guesses([*[each.astype(np.float32) for each in guesses]]), window="none")
    radius = np.rint(np.hypot(*np.meshgrid(*[np.fft.fftfreq(size, 1 / size)] * 2)))
    for band, near in zip(BANDS, (0.2, 0.1, 0.04, 0.02), strict=True):
        kept = power[(radius >= band.low) & (radius <= band.high)]
        expected = np.array([np.sqrt((kept**2 * a.snr / (kept * a.snr + 1)).sum() / kept.sum()) for a in levels[:-1]])
        found = measures.correlations()[1:, BANDS.index(band)]
        decided = expected > 0.7
        np.testing.assert_allclose(found[decided], expected[decided] / expected[-1], atol=near)
        should = int(np.flatnonzero(expected < LEAST_CORRELATION)[-1]) + 2
        assert measures.settled()[BANDS.index(band)] == pytest.approx(should, abs=3)


def test_bands_of_the_gaussian_field_gain_their_strength_from_coarse_to_fine(tmp_path: Path) -> None:
    """The guess of a mode has the amplitude share snr·P/(snr·P + 1) of its state: coarse modes are done first."""
    measures = gaussian_events(tmp_path)[-1].measures
    settled = measures.settled("energy")
    assert measures._contents == []  # of a run that is over
    assert None not in settled
    assert list(settled) == sorted(set(settled)), settled
    amplitudes = np.sqrt(measures.energies("guess"))
    for band, step in enumerate(settled):
        near = np.abs(amplitudes[:, band] / amplitudes[-1, band] - 1) <= 0.10
        assert near[step:].all()
        assert not near[step - 1]


def test_a_run_that_ends_before_its_plan_did_keeps_no_contents_either() -> None:
    trajectory = made_run(steps=6, taken=4)

    def source():
        yield Started(trajectory)
        trajectory.plan_again(4)

    measures = list(measured(source()))[-1].measures
    assert measures.is_complete
    assert measures._contents == []
    np.testing.assert_allclose(measures.correlations()[-1, :2], 1)


def test_measured_fills_every_event_and_closes_its_source(tmp_path: Path) -> None:
    events = gaussian_events(tmp_path, steps=4)
    assert isinstance(events[0], Started)
    assert [event.measures.planned_steps for event in events] == [4] * 5
    closed = []

    def source():
        try:
            while True:
                yield Started(made_run(steps=2, taken=0))
        finally:
            closed.append(True)

    wrapped = measured(source())
    assert next(wrapped).measures.last == 0
    wrapped.close()
    assert closed == [True]


def test_distances_are_those_from_the_last_guess() -> None:
    """The guesses of the made run are its picture times 0.2 + 0.8 k / N."""
    run = made_run(steps=4)
    measures, size = RunMeasures.of(run), math.sqrt(float(np.mean(np.square(solid(16), dtype=np.float64))))
    found = measures.distances()
    assert found.shape == (5, 2)
    assert np.isnan(found[0, 1])
    np.testing.assert_allclose(found[1:, 1], [0.6 * size, 0.4 * size, 0.2 * size, 0], atol=1e-6)
    for k in range(5):
        away = run.state(k) / run.levels[k].scale - run.guess(4)
        assert found[k, 0] == pytest.approx(math.sqrt(float(np.mean(np.square(away)))), rel=1e-5, abs=1e-6)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


def test_distances_wait_for_the_end_and_need_no_guess() -> None:
    assert np.isnan(RunMeasures.of(made_run(steps=4, taken=3)).distances()).all()
    found = RunMeasures.of(made_run(steps=4, guesses=False)).distances()
    assert found[4, 0] == 0
    assert np.isnan(found[:, 1]).all()


def test_of_long_runs_distances_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(steps=6, size=64, fresh_noise=True)
    exact = RunMeasures.of(run).distances()
    monkeypatch.setattr(run_measures, "MOST_SAMPLED_BYTES", 1)
    found = RunMeasures.of(run).distances()
    assert not np.array_equal(found, exact, equal_nan=True)
    np.testing.assert_allclose(found, exact, rtol=0.06, atol=1e-6)


def test_a_run_that_turns_out_shorter_has_its_distances() -> None:
    run = made_run(steps=4, taken=3)
    measures = RunMeasures.of(run)
    run.plan_again(3)
    measures.catch_up(run)
    np.testing.assert_array_equal(measures.distances()[3], [measures.distances()[3, 0], 0])
    assert np.isfinite(measures.distances()[1:]).all()


def test_guidance_is_told_by_length_and_direction() -> None:
    """A direction that turns by a known angle, and grows."""
    run = made_run(steps=3, size=8, guidance=2.0)
    lengths, angles = [0.0, 0.5, 1.0, 2.0], [0.0, 0.0, 0.6, 0.9]
    axes = np.eye(2, 3 * 8 * 8, dtype=np.float32) * np.float32(math.sqrt(3 * 8 * 8))
    directions = [
        (length * (math.cos(angle) * axes[0] + math.sin(angle) * axes[1])).reshape(3, 8, 8).astype(np.float32)
        for length, angle in zip(lengths, angles, strict=True)
    ]
    run.guess_unconditional = lambda k: None if k == 0 else np.zeros((3, 8, 8), np.float32)
    run.guess_conditional = lambda k: None if k == 0 else directions[k]
    found = RunMeasures.of(run).guidance()
    np.testing.assert_allclose(found[1:, 0], lengths[1:], rtol=1e-5)
    np.testing.assert_allclose(found[2:, 1], [math.cos(0.6), math.cos(0.3)], rtol=1e-5)
    assert np.isnan(found[0]).all()
    assert np.isnan(found[1, 1])


def test_a_looser_rule_is_met_earlier_and_a_stricter_one_later() -> None:
    """Guesses whose correlation with the last one is known: one wave that turns into another of the same frequency."""
    x = np.arange(32) / 32 * 2 * np.pi
    angles = [0.0, np.arccos(0.80), np.arccos(0.92), np.arccos(0.96), np.arccos(0.995), 0.0]
    guesses = [np.tile(np.cos(4 * x + angle), (3, 32, 1)).astype(np.float32) for angle in angles]
    run = made_run(steps=5, size=32)
    run.guess = lambda k: None if k == 0 else guesses[k]
    measures = RunMeasures.of(run, window="none")
    np.testing.assert_allclose(measures.correlations()[1:, 1], np.cos(angles[1:]), atol=1e-4)
    steps = {rule: measures.settled(rule)[1] for rule in SETTLING_RULES}
    assert steps == {"content-90": 2, "content": 3, "content-99": 4, "energy": 1}


def test_a_run_whose_steps_are_counted_as_they_come_has_the_same_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its plan grows before each step, so that every step is the last one for a moment."""
    whole = made_run(steps=12, size=32, guidance=2.0)
    wanted = RunMeasures.of(whole)
    for budget in (run_measures.MOST_SAMPLED_BYTES, 12_000):
        monkeypatch.setattr(run_measures, "MOST_SAMPLED_BYTES", budget)
        monkeypatch.setattr(run_measures, "LEAST_SAMPLED", 64)
        measures = RunMeasures(1)
        for k in range(13):
            measures._expect(max(1, k))
            measures.append(whole, k)
        assert 8 * len(measures._sampled) * 13 <= 2 * max(budget, 8 * 64 * 13)
        rtol = 1e-6 if budget > 12_000 else 0.2
        np.testing.assert_allclose(measures.distances(), wanted.distances(), rtol=rtol, atol=1e-6)
        np.testing.assert_array_equal(measures.guidance(), wanted.guidance())
        measures.release_contents()
        np.testing.assert_allclose(measures.distances(), wanted.distances(), rtol=rtol, atol=1e-6)


def test_distances_of_huge_values_are_numbers() -> None:
    run = made_run(steps=2, size=8)
    run.guess = lambda k: None if k == 0 else np.full((3, 8, 8), 1e25 * k, np.float32)
    assert RunMeasures.of(run).distances()[1, 1] == pytest.approx(1e25, rel=1e-5)


def test_a_run_that_was_stopped_keeps_no_samples(tmp_path: Path) -> None:
    run = made_run(steps=6)

    def events() -> Generator[StepTaken, None, None]:
        for k in range(1, 7):
            run_so_far = made_run(steps=6, taken=k)
            yield StepTaken(run_so_far, None)

    going = measured(events())
    for _ in range(3):
        event = next(going)
    assert event.measures._samples
    going.close()
    assert (event.measures._samples, event.measures._contents, event.measures.last) == ([], [], 3)
    assert np.isnan(event.measures.distances()).all()
    np.testing.assert_array_equal(event.measures.energies("state"), RunMeasures.of(run).energies("state")[:4])
