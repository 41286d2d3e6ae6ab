"""Speciation: of two clouds far apart all is known, Λ, the time, and how often two copies share the cloud."""

import math
import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from sculptor_app.atelier.components import LabelledRenders
from sculptor_app.core.requests.request import FORMS, RunRequest
from sculptor_app.core.trajectory.levels import NoiseLevel, cosine_snr
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.claims import speciation
from sculptor_app.diffusion.studies.claims.measure import measure_claim
from sculptor_app.diffusion.studies.claims.speciation import (
    MainComponents,
    judge,
    measure_components,
    ou_time,
    speciation_time,
    step_at,
    steps_between,
    time_of_sharing,
)
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
from sculptor_app.measures.likeness import Decision
from tests.diffusion.gaussian import COSINE, GaussianPipeline
from tests.diffusion.studies.test_decisions import DISTANCE, SIZE, Clouds

LEVELS = [
    NoiseLevel(math.sqrt(snr / (1 + snr)), math.sqrt(1 / (1 + snr)))
    for snr in (cosine_snr(999 - k * 999 / 49) for k in range(50))
]
TIMES = [ou_time(level) for level in LEVELS]


def shared_of_two_clouds(time: float, power: float) -> float:
    """φ by the integral over the state: of posterior odds p to q, copies share the cloud with probability p² + q²."""
    height = math.sqrt(power / math.expm1(2 * time))  # of the cloud's middle, in units of the noise
    x = np.linspace(height - 8, height + 8, 4001)
    density = np.exp(-0.5 * (x - height) ** 2)
    return float(np.sum(density * (1 + np.tanh(height * x) ** 2) / 2) / density.sum())


def decisions(power: float, seeds: Sequence[int] = (1, 2, 3, 4), steps: Sequence[int] = range(50)) -> list[Decision]:
    return [
        Decision(seed, step, {"form": shared_of_two_clouds(TIMES[step], power)}) for seed in seeds for step in steps
    ]


def test_a_state_has_the_time_of_the_ornstein_uhlenbeck_process() -> None:
    level = NoiseLevel(math.exp(-1.3), math.sqrt(1 - math.exp(-2.6)))
    assert ou_time(level) == pytest.approx(1.3)
    assert ou_time(NoiseLevel(3 * level.signal, 3 * level.noise)) == pytest.approx(1.3)  # on any scale
    assert ou_time(NoiseLevel(0, 1)) == math.inf


def test_copies_of_two_clouds_share_theirs_as_published_at_the_speciation_time() -> None:
    for power in (7.68, 100, 3000):
        assert shared_of_two_clouds(speciation_time(power), power) == pytest.approx(speciation.SHARED, abs=5e-4)


@pytest.mark.parametrize("power", [5.0, 60.0])
def test_the_crossing_is_found_at_that_time(power: float) -> None:
    time = time_of_sharing(decisions(power), TIMES)
    assert time == pytest.approx(speciation_time(power), rel=0.02)  # a line between two steps
    step = step_at(time, TIMES)
    assert TIMES[math.floor(step)] >= time >= TIMES[math.ceil(step)]
    coarse = decisions(power, steps=(1, 2, 4, 16, 30))
    between = steps_between(coarse)
    assert between
    assert all(2 <= each < 16 for each in between)
    assert abs(time - time_of_sharing(coarse, TIMES)) > abs(
        time - time_of_sharing([*coarse, *decisions(power, steps=between)], TIMES)
    )


def test_the_published_ratio_holds_for_two_clouds_and_not_where_the_main_component_is_another() -> None:
    found = judge(decisions(60.0), TIMES, MainComponents(60.0, 3.0, 60.0, 3.0))
    assert found.holds is True
    assert found.figures["ratio"] == pytest.approx(1, abs=0.02)
    assert found.errors["ratio"] == pytest.approx(0.5 * 3 / 61 / speciation_time(60), rel=0.05)  # of Λ's error alone
    other = judge(decisions(60.0), TIMES, MainComponents(3000.0, 100.0, 60.0, 3.0))
    assert other.holds is False
    assert other.figures["ratio"] == pytest.approx(speciation_time(60) / speciation_time(3000), rel=0.02)
    assert other.figures["ratio_forms"] == pytest.approx(1, abs=0.02)
    assert "60 ± 3" in other.here


def test_what_cannot_be_told_is_not() -> None:
    components = MainComponents(60.0, 3.0, 60.0, 3.0)
    assert judge(decisions(60.0, seeds=(1, 2)), TIMES, components).holds is None  # two runs have no error
    unsure = judge(decisions(60.0), TIMES, MainComponents(60.0, 60.0, 60.0, 3.0))
    assert unsure.holds is None
    assert unsure.errors["ratio"] > 0.1
    never = judge(decisions(60.0, steps=(0, 1)), TIMES, components)
    assert (never.holds, never.here.endswith("begin to share the form.")) == (None, True)
    assert "ratio" not in never.figures


def renders_of_clouds() -> LabelledRenders:
    """Half of the forms are one cloud, half the other."""
    up = torch.full((3, SIZE, SIZE), 0.2)
    one_round = torch.stack([up if form < len(FORMS) // 2 else -up for form in range(len(FORMS))])
    return LabelledRenders(one_round.repeat(12, 1, 1, 1), 12, 1)


def test_main_components_of_two_clouds() -> None:
    found = measure_components(renders_of_clouds())
    assert found.power == pytest.approx(DISTANCE**2 * 96 / 95, rel=1e-4)
    assert found.forms == pytest.approx(DISTANCE**2, rel=1e-4)
    assert (found.power_error, found.forms_error) == pytest.approx((0, 0), abs=1e-3)


def test_on_a_model_of_two_clouds_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exact network, in runs whose sampler was asked to be DDIM: copies need noise of their own."""

    def read(pictures, run):
        assert run.info.request.sampler == "ddpm"
        assert run.info.request.form is None
        return {"form": ["up" if each.mean() > 0 else "down" for each in pictures]}

    monkeypatch.setattr(speciation, "makes_sculptures", lambda pipeline: True)
    monkeypatch.setattr(speciation, "render_rounds", lambda *_, **__: iter([1, renders_of_clouds()]))
    engine = Engine(lambda *_, **__: GaussianPipeline(Clouds("v_prediction", size=SIZE), DDIMScheduler(**COSINE)))
    asked = ClaimRequest(RunRequest(steps=20, seed=1, device="cpu", form="bust"), 14, 3)
    *progress, outcome = measure_claim("speciation", engine, asked, threading.Event(), read)
    assert all(isinstance(each, ClaimProgress) and each.done <= each.planned for each in progress)
    assert isinstance(outcome, Outcome)
    assert outcome.errors["ratio"] < 0.25
    assert outcome.figures["ratio"] == pytest.approx(1, abs=2.5 * outcome.errors["ratio"])
    assert outcome.holds is not False


def test_of_a_model_whose_data_is_not_known_nothing_is_told() -> None:
    engine = Engine(lambda *_, **__: GaussianPipeline(Clouds("v_prediction", size=SIZE), DDIMScheduler(**COSINE)))
    asked = ClaimRequest(RunRequest(steps=8, device="cpu"), 2, 2)
    (outcome,) = measure_claim("speciation", engine, asked, threading.Event(), lambda *_: {})
    assert isinstance(outcome, Outcome)
    assert outcome.holds is None
    assert outcome.here.startswith("Neither the data of this model nor its classes are known here")
