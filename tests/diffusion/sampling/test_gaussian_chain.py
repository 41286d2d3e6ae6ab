"""The closed-form model through the whole chain: pipeline, observer, trajectory, spectra."""

import threading
from pathlib import Path

import diffusers
import numpy as np
import pytest

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.core.trajectory.events import StepTaken
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.observer import Observer, observed
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import slope
from tests.diffusion.gaussian import (
    COSINE,
    GaussianNetwork,
    GaussianPipeline,
    field_power,
    gaussian_pipeline,
    posterior_mean,
)

HALF_AMPLITUDE_STEPS = (5, 13, 26, 36)
FLOAT32 = 2.0**-24


def run(folder: Path, sampler: str = "ddim", steps: int = 50, seed: int = 9, **changes: object) -> list[StepTaken]:
    engine = Engine(lambda *_, **__: gaussian_pipeline(**changes))
    request = RunRequest(model=str(folder), sampler=sampler, steps=steps, seed=seed)
    return [event for event in sample(engine, request, threading.Event()) if isinstance(event, StepTaken)]


def tolerance(want: np.ndarray, level: NoiseLevel, prediction_type: str) -> float:
    """1e-4 of the guess; beside it, for epsilon, what rounding the network's answer to float32 makes of it.

    The guess is (x - s m)/a: where a is small, a last bit of m counts s/a times. At the noisy end of the cosine
    schedule that is 20,000 times, and no float32 output could tell the guess any better.
    """
    rounding = 4 * FLOAT32 * level.sigma if prediction_type == "epsilon" else 0.0
    return float(1e-4 * np.sqrt(np.mean(want**2)) + rounding)


def check_guess(step: Step, start: Frame, prediction_type: str) -> None:
    want = posterior_mean(start, step.before)
    assert step.guess is not None, step.guess_note
    error = np.sqrt(np.mean((step.guess - want) ** 2))
    assert error <= tolerance(want, step.before, prediction_type), f"step {step.number}, stage {step.stage}"


@pytest.mark.parametrize("prediction_type", ["v_prediction", "epsilon", "sample"])
@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_guess_is_the_posterior_mean(sampler: str, prediction_type: str, tmp_path: Path) -> None:
    if (sampler, prediction_type) == ("euler-a", "sample"):
        pytest.skip("diffusers has no Euler ancestral for networks that predict the sample")
    steps = run(tmp_path, sampler, prediction_type=prediction_type, size=16)
    trajectory = steps[-1].trajectory
    assert trajectory.is_complete
    for event in steps:
        if event.step.stage == 0:  # a later stage starts from a state of its own
            check_guess(event.step, trajectory.state(event.step.number - 1), prediction_type)


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_result_has_the_power_of_the_field(sampler: str, tmp_path: Path) -> None:
    """Sampling ends in the field's own distribution: in every band within what so few modes can tell."""
    result = run(tmp_path, sampler, size=64)[-1].trajectory.state(50)
    power = np.mean(np.abs(np.fft.fft2(result)) ** 2, axis=0) / 64**2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64, 1 / 64), np.fft.fftfreq(64, 1 / 64)))
    for low, high, margin in ((0.5, 2.5, 0.55), (2.5, 7.5, 0.2), (7.5, 15.5, 0.15), (15.5, 33, 0.25)):
        band = (frequency >= low) & (frequency < high)
        assert power[band].mean() / field_power(64)[band].mean() == pytest.approx(1, abs=margin)


def test_heun_does_not_overshoot_in_few_steps(tmp_path: Path) -> None:
    """With evenly spaced timesteps its long strides at the noisy end would leave 17 times the field's low power."""
    result = run(tmp_path, "heun", steps=10, size=32)[-1].trajectory.state(10)
    assert np.std(result) == pytest.approx(np.sqrt(field_power(32).mean()), rel=0.25)


def expected_half_steps() -> list[int]:
    """First step at which a band's expected amplitude in the guess is half of the field's, on the exact flow.

    A mode's state has the variance a^2 P + s^2 at every level, so its guess has a^2 P^2 / (a^2 P + s^2).
    """
    from sculptor_app.core.trajectory.levels import cosine_snr
    from sculptor_app.measures.spectrum import BANDS

    frequency = np.arange(1, 33, dtype=float)
    power = field_power(64)[0, 1] * frequency**-2
    steps = []
    for band in BANDS:
        inside = power[(frequency >= band.low) & (frequency <= band.high)]
        for step in range(1, 51):
            snr = cosine_snr(999 - (step - 1) * 999 / 49)
            if np.mean(inside**2 * snr / (inside * snr + 1)) >= np.mean(inside) / 4:
                steps.append(step)
                break
    return steps


def test_closed_form_agrees_with_the_stated_steps() -> None:
    assert expected_half_steps() == pytest.approx(HALF_AMPLITUDE_STEPS, abs=1)


@pytest.mark.parametrize("seed", [7, 9, 10])
def test_bands_reach_half_amplitude_when_they_should(seed: int, tmp_path: Path) -> None:
    measures = RunMeasures.of(run(tmp_path, seed=seed)[-1].trajectory, window="none")
    amplitude = np.sqrt(measures.energies("guess")[1:])
    reached = [int(np.argmax(amplitude[:, band] >= amplitude[-1, band] / 2)) + 1 for band in range(4)]
    assert reached == pytest.approx(HALF_AMPLITUDE_STEPS, abs=1)


def test_slopes_go_from_noise_to_the_field(tmp_path: Path) -> None:
    measures = RunMeasures.of(run(tmp_path)[-1].trajectory, window="none")
    spectra = [measures.spectrum(source, k) for source, k in (("state", 0), ("state", 50), ("guess", 1), ("guess", 50))]
    slopes = [slope(spectrum, 1, 32) for spectrum in spectra if spectrum is not None]
    assert slopes == pytest.approx([0, -2, -3.9, -2], abs=0.15)


OTHERS = [
    ("PNDMScheduler", "epsilon", {"skip_prk_steps": True}),
    ("PNDMScheduler", "epsilon", {"skip_prk_steps": False}),
    ("KDPM2DiscreteScheduler", "v_prediction", {}),
    ("KDPM2AncestralDiscreteScheduler", "v_prediction", {}),
    ("LMSDiscreteScheduler", "v_prediction", {}),
    ("DEISMultistepScheduler", "v_prediction", {"lambda_min_clipped": -5.1}),
    ("DPMSolverSinglestepScheduler", "v_prediction", {"lambda_min_clipped": -5.1, "final_sigmas_type": "sigma_min"}),
    ("SASolverScheduler", "v_prediction", {}),
    ("LCMScheduler", "v_prediction", {}),
    ("TCDScheduler", "v_prediction", {}),
    ("FlowMatchEulerDiscreteScheduler", "flow_prediction", {}),
    ("FlowMatchHeunDiscreteScheduler", "flow_prediction", {}),
    ("FlowMatchLCMScheduler", "flow_prediction", {}),
    ("EDMEulerScheduler", "edm", {}),
    ("EDMDPMSolverMultistepScheduler", "edm", {}),
]


# WORKAROUND: diffusers 0.42.1 calls np.maximum on a tensor in KDPM2's set_timesteps, and numpy 2 warns about it.
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning")
@pytest.mark.parametrize(("name", "prediction_type", "settings"), OTHERS)
def test_other_families(name: str, prediction_type: str, settings: dict[str, object]) -> None:
    """Schedulers that no run of the embedded model uses: guesses and levels are exact for them, too."""
    if name == "LMSDiscreteScheduler":
        pytest.importorskip("scipy")
    kind = getattr(diffusers, name)
    plain = name in ("PNDMScheduler", "LMSDiscreteScheduler") or name.startswith("KDPM2")
    beta_schedule = "linear" if plain else COSINE["beta_schedule"]
    betas = {"beta_schedule": beta_schedule, "beta_start": 0.0001, "beta_end": 0.02}
    wanted = {**betas, "clip_sample": False, "prediction_type": prediction_type, **settings}
    own = prediction_type in ("flow_prediction", "edm")  # these have a schedule of their own
    pipeline = GaussianPipeline(
        GaussianNetwork(prediction_type, str(beta_schedule), 16), kind() if own else kind.from_config(wanted)
    )
    starts: list[Frame] = []
    steps: list[Step] = []
    plans = []
    observer = Observer(lambda start, calls: (starts.append(start), plans.append(calls))[0], steps.append)
    with observed(pipeline.scheduler, observer):
        pipeline(num_inference_steps=12)
    assert len(steps) == len(plans[0])
    assert [step.number for step in steps if step.completes] == list(range(1, 13))
    state = starts[0]
    for step in steps:
        check_guess(step, state, "epsilon")
        state = step.state


def test_trajectory_of_a_run(tmp_path: Path) -> None:
    trajectory: Trajectory = run(tmp_path, steps=10)[-1].trajectory
    assert [trajectory.step(k).number for k in range(1, 11)] == list(range(1, 11))
    assert trajectory.levels[0].snr < 1e-8
    assert trajectory.levels[10].noise == 0
    assert trajectory.guess(0) is None
    np.testing.assert_allclose(trajectory.state(10), trajectory.guess(10), atol=1e-6)
