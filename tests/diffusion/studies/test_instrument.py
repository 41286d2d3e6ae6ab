"""Check of the instrument: it passes for every sampler, knows what must come out, and sees faults that are planted."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import SAMPLERS, Family
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.samplers import levels, predictions
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.instrument import check_instrument
from sculptor_app.measures import run_measures
from sculptor_app.measures.instrument import CheckProgress, InstrumentCheck, StatePrediction

COSINE = {"_class_name": "DDIMScheduler", "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction",
          "timestep_spacing": "linspace", "clip_sample": True}  # fmt: skip
EXACT = {"ddim", "euler", "euler-karras", "edm-euler", "flow-euler"}


def folder(place: Path, **changes: object) -> str:
    """A model of which nothing is there but the settings of its scheduler: more is not needed."""
    (place / "scheduler").mkdir(parents=True)
    (place / "model_index.json").write_text(json.dumps({"_class_name": "DDPMPipeline"}))
    (place / "scheduler" / "scheduler_config.json").write_text(json.dumps(COSINE | changes))
    return str(place)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return folder(tmp_path / "model")


def checked(model: str, sampler: str, steps: int = 50) -> InstrumentCheck:
    request = RunRequest(model=model, sampler=sampler, steps=steps, device="cpu")
    *progress, found = check_instrument(Engine(), request, threading.Event())
    assert [each.done for each in progress if isinstance(each, CheckProgress)] == list(range(steps + 1))
    assert isinstance(found, InstrumentCheck)
    return found


# WORKAROUND: diffusers 0.42.1 calls np.maximum on a tensor in KDPM2's set_timesteps, and numpy 2 warns about it.
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning")
@pytest.mark.parametrize("sampler", [each for each in SAMPLERS if each != "model"])
def test_every_sampler_agrees(sampler: str, model: str) -> None:
    found = checked(model, sampler)
    assert found.agrees, found.verdict
    assert found.verdict.startswith("Agrees: every pixel of the guesses within 0.0")
    assert (found.state_prediction is StatePrediction.EXACT) == (sampler in EXACT)
    assert found.steps == 50
    assert np.isfinite(found.expected["guess"][1:]).all()
    np.testing.assert_allclose(found.measured["guess"][2:], found.expected["guess"][2:], rtol=1e-3)


def test_a_cosine_schedule_has_its_known_answers(model: str) -> None:
    found = checked(model, "ddim")
    assert found.half_steps == ((5, 13, 26, 36), (5, 13, 26, 36))
    assert found.slopes["noise"][0] == pytest.approx(0, abs=0.15)
    assert found.slopes["first guess"][0] == pytest.approx(-3.9, abs=0.1)
    assert found.slopes["picture"][0] == pytest.approx(-2, abs=0.15)
    for measured, expected in found.slopes.values():
        assert measured == pytest.approx(expected, abs=1e-3)
    assert found.is_own_schedule
    assert found.schedule == "cosine schedule, a network that predicts v"


def test_states_of_other_samplers_follow_the_flow_nearly_or_the_mean(model: str) -> None:
    followed = checked(model, "unipc").comparison("course")
    assert followed.bound is None
    assert 0.1 < followed.deviation < 1
    drawn = checked(model, "ddpm")
    assert drawn.state_prediction is StatePrediction.ENSEMBLE_MEAN
    assert 0.5 < drawn.comparison("course").deviation < 6


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("sampler", ["ddim", "euler", "heun", "unipc", "flow-euler", "edm-euler", "dpmpp-2m-karras"])
def test_few_steps(sampler: str, steps: int, model: str) -> None:
    found = checked(model, sampler, steps)
    assert found.agrees, found.verdict


@pytest.mark.parametrize(
    ("changes", "sampler"),
    [({"prediction_type": "epsilon"}, "ddim"), ({"prediction_type": "epsilon"}, "unipc"),
     ({"prediction_type": "sample"}, "ddim"),
     ({"beta_schedule": "scaled_linear", "prediction_type": "epsilon"}, "euler"),
     ({"beta_schedule": "linear", "prediction_type": "epsilon"}, "euler-karras"),
     ({"rescale_betas_zero_snr": True}, "euler"), ({"variance_type": "learned_range"}, "ddpm"),
     ({"thresholding": True}, "dpmpp-2m")],
)  # fmt: skip
def test_models_of_other_kinds(changes: dict[str, object], sampler: str, tmp_path: Path) -> None:
    found = checked(folder(tmp_path / "other", **changes), sampler)
    assert found.agrees, found.verdict
    assert found.is_own_schedule


def test_a_sampler_that_the_model_does_not_take_gets_a_schedule_of_its_own_kind(model: str) -> None:
    found = checked(model, "euler-karras", 20)
    assert not found.is_own_schedule
    assert found.schedule.startswith("linear schedule")
    assert "timesteps whose levels are up to" in found.comparison("levels").note


def test_steps_that_lead_elsewhere_than_their_levels_say_are_seen(model: str) -> None:
    """Diffusers' own DDIM takes strides of whole numbers of timesteps, evenly spaced or not."""
    found = checked(model, "model", 20)
    assert not found.agrees
    assert found.comparison("guess").agrees
    assert "the sampler’s steps lead elsewhere than its levels say" in found.verdict


# What cannot be checked -----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning")
def test_what_cannot_be_run_is_said_in_a_sentence(model: str) -> None:
    with pytest.raises(SculptorError, match="With 5 steps, the numbers of DPM2 ancestral do not stay finite"):
        checked(model, "kdpm2-a", 5)


def test_networks_without_a_closed_form_are_refused(tmp_path: Path) -> None:
    other = folder(tmp_path / "other", _class_name="CMStochasticIterativeScheduler")
    with pytest.raises(SculptorError, match="No closed-form model is known for networks that are sampled as CMStoch"):
        checked(other, "model")
    assert checked(other, "flow-euler", 5).agrees


def test_a_check_can_be_stopped(model: str) -> None:
    stop, request = threading.Event(), RunRequest(model=model, sampler="ddim", steps=50, device="cpu")
    events = check_instrument(Engine(), request, stop)
    assert next(events) == CheckProgress(0, 50)
    assert next(events) == CheckProgress(1, 50)
    stop.set()
    with pytest.raises(Cancelled):
        next(events)


# Planted faults -------------------------------------------------------------------------------------------------------


def plant_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every noise level is taken for one of 1 % more noise."""
    read = levels._READERS[Family.ALPHAS]

    def wrong(*given: object) -> NoiseLevel:
        level = read(*given)
        return NoiseLevel(level.signal, 1.01 * level.noise)

    monkeypatch.setitem(levels._READERS, Family.ALPHAS, wrong)


def plant_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's v is taken for a predicted noise."""
    right = predictions.clean_from
    monkeypatch.setattr(predictions, "clean_from", lambda kind, *given: right("epsilon", *given))


def plant_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """All powers are measured 0.1 % too high."""
    right = run_measures.spectrum_and_content

    def wrong(*given: object) -> object:
        spectrum, content = right(*given)
        return replace(spectrum, power=1.001 * spectrum.power), content

    monkeypatch.setattr(run_measures, "spectrum_and_content", wrong)


def plant_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are kept in half precision."""
    right = Trajectory.state
    monkeypatch.setattr(Trajectory, "state", lambda self, k: right(self, k).astype(np.float16).astype(np.float32))


def plant_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guess of a step is shown one step late."""
    right = Trajectory.guess
    monkeypatch.setattr(Trajectory, "guess", lambda self, k: right(self, max(1, k - 1)) if k else None)


@pytest.mark.parametrize(
    ("plant", "keys"),
    [(plant_level, {"levels", "states", "guess"}), (plant_prediction, {"guess"}),
     (plant_power, {"guess-bands", "state-bands"}), (plant_rounding, {"states"}), (plant_order, {"guess"})],
)  # fmt: skip
def test_planted_faults_are_seen(
    plant: Callable[[pytest.MonkeyPatch], None], keys: set[str], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    found = checked(model, "ddim", 20)
    assert not found.agrees
    assert found.verdict.startswith("Does not agree: ")
    assert keys <= {each.key for each in found.comparisons if each.agrees is False}


def test_a_level_that_is_off_by_one_percent_is_told_as_one_percent(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_level(monkeypatch)
    assert checked(model, "ddim", 20).comparison("levels").deviation == pytest.approx(1.0, abs=0.001)
