"""The sculptor's four phases: bands of signal-to-noise ratio, not of step numbers.

The borders are computed from the cosine schedule (Nichol & Dhariwal 2021, eq. 17) with 50 evenly spaced timesteps,
where they fall between the steps 5|6, 15|16 and 30|31; on any other schedule the same ratios give other step numbers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sculptor_app.core.trajectory.levels import NoiseLevel

_TIMESTEPS = 1000
_STEPS = 50
_LAST_STEPS = (5, 15, 30)


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the sculptor's work.

    Attributes:
        index: 0 to 3.
        key: identifier, also the name of the pictogram.
        name: English name, shown through tr().
        deed: what the sculptor does in it, shown through tr().
    """

    index: int
    key: str
    name: str
    deed: str


PHASES = (
    Phase(0, "decisions", "Big decisions", "blocks out layout, composition, major shapes, colour scheme"),
    Phase(1, "structure", "Structure", "limbs, posture, proportions; objects and faces form"),
    Phase(2, "refinement", "Refinement", "details, textures, lighting"),
    Phase(3, "polish", "Polish", "final crisp detail"),
)


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


def phase_of(level: NoiseLevel) -> Phase:
    """The phase of a step that starts from a state of this level."""
    return PHASES[sum(level.snr >= border for border in BORDERS)]


def phase_spans(levels: Sequence[NoiseLevel]) -> tuple[PhaseSpan, ...]:
    """The stretches of steps that belong to each phase; a phase without steps has no span.

    Args:
        levels: the levels of states 0..N, noise first (N+1 of them); step k starts from `levels[k - 1]`.
    """
    spans: list[PhaseSpan] = []
    for step, level in enumerate(levels[:-1], start=1):
        phase = phase_of(level)
        if spans and spans[-1].phase is phase:
            spans[-1] = PhaseSpan(phase, spans[-1].first_step, step)
        else:
            spans.append(PhaseSpan(phase, step, step))
    return tuple(spans)
