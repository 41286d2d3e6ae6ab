"""The verdict on a check: what decides, what is told beside it, and in which words."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel
from sculptor_app.measures.instrument import Comparison, InstrumentCheck, StatePrediction, amount_with_unit

RIGHT = {
    "levels": Comparison("levels", "noise levels", 0.001, 0.01, "%", 3),
    "states": Comparison("states", "states", 0.0, 0.001, "%", 0),
    "guess": Comparison("guess", "guesses", 0.00007, 0.01, "%", 5),
    "guess-bands": Comparison("guess-bands", "bands of the guesses", 0.0002, 0.001, "dB", 5),
    "state-bands": Comparison("state-bands", "bands of the states", 0.0001, 0.001, "dB", 6),
    "course": Comparison("course", "predicted bands", 2.5, None, "dB", 7),
    "half": Comparison("half", "steps of half amplitude", 3.0, None, "", 7),
}


def check(**changes: dict[str, object]) -> InstrumentCheck:
    comparisons = {key: replace(each, **changes.get(key.replace("-", "_"), {})) for key, each in RIGHT.items()}
    table = {"state": np.ones((2, 4)), "guess": np.ones((2, 4))}
    return InstrumentCheck("DDIM", "cosine schedule", True, (NoiseLevel(0.0, 1.0), CLEAN), StatePrediction.EXACT, table,
                           table, ((1,) * 4, (1,) * 4), {}, tuple(comparisons.values()))  # fmt: skip


def test_what_has_no_bound_does_not_decide() -> None:
    found = check()
    assert found.agrees
    assert found.verdict == "Agrees: every pixel of the guesses within 0.00007 %, every band within 0.0002 dB."


def test_the_worst_in_proportion_to_its_bound_is_named() -> None:
    found = check(levels={"deviation": 1.0}, guess={"deviation": 0.5})
    assert not found.agrees
    assert found.verdict == "Does not agree: noise levels are off by 1 % at step 3; the bound is 0.01 %."


def test_a_number_of_numpys_decides_as_any_other() -> None:
    found = check(guess={"deviation": np.float64(0.5)})
    assert found.comparison("guess").agrees is False
    assert not found.agrees


def test_steps_that_lead_elsewhere_are_the_samplers_fault() -> None:
    found = check(course={"deviation": 0.24, "bound": 0.01})
    assert not found.agrees
    assert found.verdict.startswith("Does not agree: each state and guess is measured rightly, but the sampler’s steps")
    assert "by 0.24 dB in a band at step 7; the bound is 0.01 dB." in found.verdict


def test_an_infinite_deviation_is_no_agreement_and_one_that_could_not_be_made_does_not_decide() -> None:
    assert not check(guess={"deviation": math.inf}).agrees
    nothing = check(guess_bands={"deviation": math.nan, "bound": None})
    assert nothing.agrees
    assert nothing.verdict.endswith("every band within 0.0001 dB.")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0000312, "%", "0.000031 %"),
        (0.24, "dB", "0.24 dB"),
        (1.0, "", "1"),
        (math.nan, "%", "–"),
        (math.inf, "dB", "∞ dB"),
    ],
)
def test_amounts(value: float, unit: str, text: str) -> None:
    assert amount_with_unit(value, unit) == text
