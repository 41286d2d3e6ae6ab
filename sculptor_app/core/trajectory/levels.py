"""Noise levels, how much picture and how much noise a state holds, and the sculptor's four phases, bands of them.

| in code | in the papers |
| --- | --- |
| `signal` | a_t, alpha_t, sqrt(alpha_bar_t) |
| `noise` | s_t, sqrt(1 - alpha_bar_t); sigma_t for variance-exploding schedulers, where a = 1 |
| `sigma` | s/a, the level of Karras et al. 2022 |

Phases are bands of signal-to-noise ratio, not of step numbers. Their borders are computed from the cosine schedule
(Nichol & Dhariwal 2021, eq. 17) with 50 evenly spaced timesteps, where they fall between the steps 5|6, 15|16 and
30|31; on any other schedule the same ratios give other step numbers.

The level of a state that a sampler of unknown arithmetic made is not known: both its factors are NaN, and so is
whatever follows from them. Such a state is in no phase.
"""

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sculptor_app.core.texts import translate


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """The level of a noisy state `x = signal * x0 + noise * n`, with data and n of unit variance; or `UNKNOWN`."""

    signal: float  # factor a >= 0 of the clean picture
    noise: float  # factor s >= 0 of the noise; not both are zero, and both are NaN where they are not known

    def __post_init__(self) -> None:
        if math.isnan(self.signal) and math.isnan(self.noise):
            return
        if not (self.signal >= 0 and self.noise >= 0 and self.signal + self.noise > 0):
            raise ValueError(f"a noise level needs factors >= 0, not both 0; got a={self.signal}, s={self.noise}")

    @property
    def is_known(self) -> bool:
        """Whether the factors are known; what follows from them is NaN where they are not."""
        return not math.isnan(self.signal)

    @property
    def snr(self) -> float:
        """Signal-to-noise ratio (a/s)^2, 0 to infinity."""
        return math.inf if self.noise == 0 else (self.signal / self.noise) ** 2

    @property
    def log_snr(self) -> float:
        """2 ln(a/s), the common axis of all schedulers; -inf for pure noise, inf for the picture."""
        if self.signal == 0:
            return -math.inf
        return math.inf if self.noise == 0 else 2 * math.log(self.signal / self.noise)

    @property
    def sigma(self) -> float:
        """Noise level s/a; inf for pure noise."""
        return math.inf if self.signal == 0 else self.noise / self.signal

    @property
    def scale(self) -> float:
        """Standard deviation sqrt(a^2 + s^2) of the state; dividing by it puts all schedulers' states on one scale.

        It is 1 where the level is not known: the state is then taken as it is.
        """
        return math.hypot(self.signal, self.noise) if self.is_known else 1.0

    def is_near(self, other: Self) -> bool:
        """Whether a state of one level is one of the other, but for what two schedulers round in another way."""
        off = max(abs(self.signal - other.signal), abs(self.noise - other.noise))
        return self.is_known and other.is_known and off <= _ROUNDED * max(self.scale, other.scale)


def steps_through(steps: int, k: int, most: int, ends_at_zero: bool) -> list[tuple[int, int]]:
    """Other numbers of steps whose evenly spaced timesteps come to that of state k of so many steps, but for rounding.

    Args:
        steps: of the run.
        k: 1 to one before the last.
        most: the largest number of steps.
        ends_at_zero: whether the last step is that of timestep 0, and not of one as far from it as from the one before.

    Returns:
        Pairs of a number of steps and of its state at that timestep, those nearest to the run's first.
    """
    ways = max(1, steps - 1) if ends_at_zero else steps
    unit = ways // math.gcd(ways, k)
    found = [(unit * many + steps - ways, k * unit * many // ways) for many in range(1, most // unit + 1)]
    fitting = [(count, state) for count, state in found if count != steps and state < count <= most]
    return sorted(fitting, key=lambda each: abs(each[0] - steps))


CLEAN = NoiseLevel(1.0, 0.0)
"""The level of a finished picture."""

UNKNOWN = NoiseLevel(math.nan, math.nan)
"""The level of a state of which nobody can tell how much noise it holds."""


_ROUNDED = 1e-4
_TIMESTEPS = 1000
_STEPS = 50
_LAST_STEPS = (5, 15, 30)


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the sculptor's work."""

    index: int  # 0 to 3
    key: str  # identifier, also the name of the pictogram
    name: str  # for people
    action: str  # what the sculptor does in it as a rule; what a run did is measured


PHASES = (
    Phase(
        0, "decisions", translate("Phase", "Big decisions"),
        translate("Phase", "blocks out layout, composition, major shapes, colour scheme"),
    ),
    Phase(
        1, "structure", translate("Phase", "Structure"),
        translate("Phase", "limbs, posture, proportions; objects and faces form"),
    ),
    Phase(2, "refinement", translate("Phase", "Refinement"), translate("Phase", "details, textures, lighting")),
    Phase(3, "polish", translate("Phase", "Polish"), translate("Phase", "final crisp detail")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """The steps of one run that belong to one phase, both ends included, 1-based."""

    phase: Phase
    first_step: int
    last_step: int


def cosine_snr(timestep: float) -> float:
    """Signal-to-noise ratio of the cosine schedule at a timestep 0..999 (as `squaredcos_cap_v2` numbers them)."""
    alpha_bar = _cosine(timestep + 1) / _cosine(0)
    return alpha_bar / (1 - alpha_bar)


def _cosine(step: float) -> float:
    """f(t) of Nichol and Dhariwal 2021, equation 17."""
    return math.cos((step / _TIMESTEPS + 0.008) / 1.008 * math.pi / 2) ** 2


def _border(last_step: int) -> float:
    """Geometric mean of the SNR at `last_step` and the next one; step k of 50 starts from an evenly spaced timestep."""
    spacing = (_TIMESTEPS - 1) / (_STEPS - 1)
    before, after = (cosine_snr((_TIMESTEPS - 1) - (step - 1) * spacing) for step in (last_step, last_step + 1))
    return math.sqrt(before * after)


BORDERS = tuple(_border(step) for step in _LAST_STEPS)
"""SNR borders between neighbouring phases, about 0.021, 0.25 and 1.9."""


def phase_of(level: NoiseLevel) -> Phase | None:
    """The phase of a step that starts from a state of this level; None where the level is not known."""
    if not level.is_known:
        return None
    return PHASES[sum(level.snr >= border for border in BORDERS)]


def phase_spans(levels: Sequence[NoiseLevel]) -> tuple[PhaseSpan, ...]:
    """The stretches of steps that belong to each phase; a phase without steps has no span.

    Steps from a state of unknown level are in none.

    Args:
        levels: the levels of states 0..N, noise first (N+1 of them); step k starts from `levels[k - 1]`.
    """
    spans: list[PhaseSpan] = []
    for step, level in enumerate(levels[:-1], start=1):
        phase = phase_of(level)
        if phase is None:
            continue
        if spans and spans[-1].phase is phase and spans[-1].last_step == step - 1:
            spans[-1] = PhaseSpan(phase, spans[-1].first_step, step)
        else:
            spans.append(PhaseSpan(phase, step, step))
    return tuple(spans)


def layer_spans(spans: Sequence[PhaseSpan], planned: int) -> tuple[PhaseSpan, ...]:
    """The same stretches counted in layers of noise from the picture on: layer N - k + 1 undoes step k."""
    return tuple(
        PhaseSpan(span.phase, planned - span.last_step + 1, planned - span.first_step + 1) for span in reversed(spans)
    )


LOCKS = ("step", "snr")
"""How the states of two runs go together: those of the same number, or those of the nearest signal-to-noise ratio."""

_FARTHEST_LOG_SNR = 40.0
"""Pure noise and the finished picture, which lie at infinity, are taken for levels so far away."""


def matching_state(levels: Sequence[NoiseLevel], k: int, others: Sequence[NoiseLevel], last: int, lock: str) -> int:
    """The state of another run that goes with state k of a run.

    Args:
        levels, others: The levels of the states of both, noise first.
        last: The newest state that the other one has.
        lock: One of `LOCKS`; by SNR a state of unknown level goes with that of its number.
    """
    known = [j for j in range(last + 1) if others[j].is_known]
    if lock == "step" or not levels[k].is_known or not known:
        return min(k, last)
    wanted = _bounded_log_snr(levels[k])
    return min(known, key=lambda j: abs(_bounded_log_snr(others[j]) - wanted))


def matching_places(levels: Sequence[NoiseLevel], others: Sequence[NoiseLevel], lock: str) -> list[float]:
    """Where the states of another run lie on the axis of a run's states, by the same rule, between two of them, too.

    Returns:
        A number for each of `others`; NaN where its level is not known, or no state of the run is so deep in noise.
    """
    if lock == "step":
        return [float(j) for j in range(len(others))]
    known = [k for k, level in enumerate(levels) if level.is_known]
    values = list(itertools.accumulate((_bounded_log_snr(levels[k]) for k in known), max))  # some samplers go back
    places = []
    for level in others:
        value = _bounded_log_snr(level) if level.is_known else math.nan
        if not values or not values[0] <= value <= values[-1]:
            places.append(math.nan)
            continue
        upper = bisect.bisect_left(values, value)
        if values[upper] == value:
            places.append(float(known[upper]))
        else:
            low, high = values[upper - 1], values[upper]
            places.append(known[upper - 1] + (value - low) / (high - low) * (known[upper] - known[upper - 1]))
    return places


def _bounded_log_snr(level: NoiseLevel) -> float:
    return max(-_FARTHEST_LOG_SNR, min(_FARTHEST_LOG_SNR, level.log_snr))


FIRST_FORK_STEP = 2
"""The first state that can be noised back: state 1 comes of the noise at the start alone."""

LEAST_CORRELATION = 0.95
"""Of a band's content with its content at the end, from which on it is the same."""
AMPLITUDE_TOLERANCE = 0.10
"""How near a band's amplitude is to that of the end when it is the same, as a share of it."""


@dataclass(frozen=True, slots=True)
class SettlingRule:
    """A rule by which a frequency band of the guess has settled, from the first step on where that stays so."""

    key: str  # as the command line and settings write it
    name: str  # for people, as in "settled by content"
    meaning: str  # what stays so, for people
    measure: str  # "content": the correlation with the end; "energy": the amplitude beside that of the end
    bound: float  # the least correlation, or how far the amplitude may be off, as a share


_BY_CONTENT = translate("Settled", "its content keeps a correlation of {0} and more with that of the end")
_LOOSELY, _STRICTLY = 0.9, 0.99

SETTLING_RULES = {
    rule.key: rule
    for rule in (
        SettlingRule(
            "content", translate("Settled", "content"), _BY_CONTENT.format(LEAST_CORRELATION), "content",
            LEAST_CORRELATION,
        ),
        SettlingRule(
            "content-90", translate("Settled", "content, loosely ({0})").format(_LOOSELY), _BY_CONTENT.format(_LOOSELY),
            "content", _LOOSELY,
        ),
        SettlingRule(
            "content-99", translate("Settled", "content, strictly ({0})").format(_STRICTLY),
            _BY_CONTENT.format(_STRICTLY), "content", _STRICTLY,
        ),
        SettlingRule(
            "energy", translate("Settled", "energy"),
            translate("Settled", "its amplitude stays within {0:.0f} % of that of the end").format(
                100 * AMPLITUDE_TOLERANCE
            ),
            "energy", AMPLITUDE_TOLERANCE,
        ),
    )
}  # fmt: skip
"""By key, the usual one first. Energy alone says nothing about what is drawn: a band may keep it and be redrawn."""

DEFAULT_SETTLING_RULE = "content"


class LevelSequence:
    """The noise levels of a whole run, with its steps and phases; of a plain sequence all states are there at once.

    Levels are those of the states 0..N, noise first; `ValueError` if there are fewer than two.
    """

    def __init__(self, levels: Sequence[NoiseLevel]) -> None:
        self.levels: tuple[NoiseLevel, ...] = ()
        self.spans: tuple[PhaseSpan, ...] = ()
        self._set_levels(levels)

    def _set_levels(self, levels: Sequence[NoiseLevel]) -> None:
        if len(levels) < 2:
            raise ValueError(f"a trajectory needs the levels of at least 2 states; got {len(levels)}")
        self.levels, self.spans = tuple(levels), phase_spans(levels)

    @property
    def planned_steps(self) -> int:
        """N, the number of steps that the run has when it is complete."""
        return len(self.levels) - 1

    @property
    def last(self) -> int:
        """Number of the newest state that can be read."""
        return self.planned_steps

    @property
    def is_complete(self) -> bool:
        """Whether all N steps can be read."""
        return self.last == self.planned_steps

    def before(self, k: int) -> NoiseLevel:
        """Level that step k, 1..N, also one to come, starts from: its phase's; `IndexError` if there is no such."""
        if not 1 <= k <= self.planned_steps:
            raise IndexError(f"step {k} is not one of 1..{self.planned_steps}")
        return self.levels[k - 1]
