"""The measures of a run while it grows."""

import threading
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.events import Started
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.measures.run_measures import RunMeasures, measured
from sculptor_app.measures.spectrum import band_energies, frame_spectrum
from tests.diffusion.gaussian import gaussian_pipeline
from tests.helpers.runs import made_run


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
    assert measures.settled("guess") == (None,) * 4


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
def test_settled_is_the_first_step_that_stayed_near(amplitudes: list[float], step: int) -> None:
    measures = RunMeasures(4)
    measures._last = 4  # the numbers are set by hand, to know the answer
    measures._energies["guess"][1:] = np.square(amplitudes)[:, None]
    assert measures.settled() == (step,) * 4


def test_nothing_has_settled_in_mid_run() -> None:
    assert RunMeasures.of(made_run(steps=6, taken=5)).settled() == (None,) * 4


def test_bands_of_the_gaussian_field_settle_from_coarse_to_fine(tmp_path: Path) -> None:
    """The guess of a mode has the amplitude share snr·P/(snr·P + 1) of its state: coarse modes are done first."""
    measures = gaussian_events(tmp_path)[-1].measures
    settled = measures.settled()
    assert None not in settled
    assert list(settled) == sorted(set(settled)), settled
    amplitudes = np.sqrt(measures.energies("guess"))
    for band, step in enumerate(settled):
        near = np.abs(amplitudes[:, band] / amplitudes[-1, band] - 1) <= 0.10
        assert near[step:].all()
        assert not near[step - 1]


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
