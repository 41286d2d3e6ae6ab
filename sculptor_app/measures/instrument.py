"""What a check of the instrument found: what was measured on a run whose every answer is known, and what it should be.

`diffusion.studies.instrument` makes the run and the comparisons. A comparison with a bound decides; one without is told
beside, as what is expected there holds only nearly, or on average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.texts import Text, number_text, translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.measures.run_measures import Source
from sculptor_app.measures.spectrum import BANDS

Floats = NDArray[np.float64]


class StatePrediction(Enum):
    """How far the states of a run can be predicted from its noise alone."""

    EXACT = "exact"  # the sampler's step multiplies each mode by a number that is known
    PROBABILITY_FLOW = "probability flow"  # along the probability flow, which the sampler's steps follow nearly
    ENSEMBLE_MEAN = "mean of many runs"  # the sampler draws noise; known is what many runs have on average


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing that was measured, beside what it should be.

    Attributes:
        deviation: the largest that was found, in `unit`; NaN where nothing could be compared.
        bound: the largest that is let pass; None where the comparison does not decide.
        step: number of the step, or state, at which it was found.
        note: what is to be known about it, in a sentence; empty for nothing.
    """

    key: str
    name: str  # English, shown through translation, as is `note`
    deviation: float
    bound: float | None
    unit: str  # "%", "dB", "steps" or "" for none
    step: int
    note: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether it is within its bound; None where it has none."""
        return None if self.bound is None else bool(self.deviation <= self.bound)  # of numpy’s numbers, too

    @property
    def deviation_text(self) -> str:
        """The deviation with its unit, to two figures."""
        return amount_with_unit(self.deviation, self.unit)

    @property
    def bound_text(self) -> str:
        """The bound with its unit; empty for none."""
        return "" if self.bound is None else amount_with_unit(self.bound, self.unit)


def amount_with_unit(value: float, unit: str) -> str:
    """As "0.000031 %", "0.0002 dB", "1"; "–" where it is not known."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else f"∞ {unit}".rstrip()
    return f"{number_text(float(f'{value:.2g}'))} {unit}".rstrip()


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """So many of the steps of a check are taken."""

    done: int
    planned: int


@dataclass(frozen=True, slots=True, eq=False)
class InstrumentCheck:
    """Everything that a check found.

    Attributes:
        sampler: its name for people.
        schedule: what the run was made on, in a few words.
        is_own_schedule: whether that is the noise schedule of the model that was named.
        levels: of the states 0..N.
        state_prediction: how `expected["state"]` was worked out.
        measured: by source, what `RunMeasures` says of the states 0..N, (N + 1, 4); NaN in the row of no guess.
        expected: the same in closed form; of the guess it holds exactly, given what the network saw.
        half_steps: of each band the step at which its amplitude is half of that at the end: measured, and expected.
        slopes: by "noise", "picture", "first guess", the slope of the spectrum: measured, and expected.
    """

    sampler: str
    schedule: str
    is_own_schedule: bool
    levels: tuple[NoiseLevel, ...]
    state_prediction: StatePrediction
    measured: Mapping[Source, Floats]
    expected: Mapping[Source, Floats]
    half_steps: tuple[Sequence[int], Sequence[int]]
    slopes: Mapping[str, tuple[float, float]]
    comparisons: tuple[Comparison, ...]

    @property
    def steps(self) -> int:
        """N, the number of steps."""
        return len(self.levels) - 1

    @property
    def agrees(self) -> bool:
        """Whether every comparison that decides is within its bound."""
        return all(each.agrees is not False for each in self.comparisons)

    @property
    def worst(self) -> Comparison:
        """The comparison that is furthest from being within its bound, of those that have one."""
        return max(self.comparisons, key=lambda each: each.deviation / each.bound if each.bound else -1.0)

    def comparison(self, key: str) -> Comparison:
        """The comparison of this key."""
        return next(each for each in self.comparisons if each.key == key)

    @property
    def verdict(self) -> Text:
        """Whether the instrument agrees with the closed form, in a sentence with the largest deviations."""
        worst = self.worst
        if self.agrees:
            right = translate("instrument", "Agrees: every pixel of the guesses within {0}, every band within {1}.")
            bands = [self.comparison(key) for key in ("guess-bands", "state-bands")]
            largest = max((each for each in bands if each.bound), key=lambda each: each.deviation)
            return right.format(self.comparison("guess").deviation_text, largest.deviation_text)
        if all(each.agrees is not False for each in self.comparisons if each.key not in ("course", "half")):
            astray = translate(
                "instrument", "Does not agree: each state and guess is measured rightly, but the sampler’s steps lead "
                "elsewhere than its levels say, by {0} in a band at step {1}; the bound is {2}."
            )  # fmt: skip
            course = self.comparison("course")
            return astray.format(course.deviation_text, course.step, course.bound_text)
        wrong = translate("instrument", "Does not agree: {0} are off by {1} at step {2}; the bound is {3}.")
        return wrong.format(worst.name, worst.deviation_text, worst.step, worst.bound_text)


EXPECTATIONS: Mapping[StatePrediction, str] = {
    StatePrediction.EXACT: translate("instrument", "predicted from the noise alone, exactly"),
    StatePrediction.PROBABILITY_FLOW: translate(
        "instrument", "the probability flow from the same noise, which the sampler’s steps follow nearly"
    ),
    StatePrediction.ENSEMBLE_MEAN: translate("instrument", "the mean of many runs, as the sampler draws noise"),
}  # fmt: skip
"""What the expected bands of the states are."""


def steps_per_band(steps: Sequence[int]) -> str:
    """Half-amplitude steps as people read them: "coarse 5 · medium 13 · …", in English."""
    return " · ".join(f"{band.name} {step}" for band, step in zip(BANDS, steps, strict=True))
