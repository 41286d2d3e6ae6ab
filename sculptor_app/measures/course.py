"""What a run does over its steps beside its frequencies: noise levels, guidance, and the way to its picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.measures.run_measures import RunMeasures

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CourseKind:
    """Curves over the steps that are drawn in one plot."""

    key: str
    title: str  # English, shown through translation
    term: str  # its key in the glossary
    lines: tuple[str, ...]  # what its curves are called, likewise
    unit: str  # what its axis counts, likewise
    is_log: bool  # whether its axis is logarithmic
    values: Callable[[AnyTrajectory, RunMeasures], Floats]
    """Of the states 0..n-1, (n, len(lines)), in the run's own order; NaN is a gap."""
    has_noise_alone: bool = True  # whether a picture that drowns without a model has it


def snr_and_sigma(levels: Sequence[NoiseLevel]) -> Floats:
    """SNR and σ of levels, (n, 2); NaN where a level is not known, and infinite at a clean picture or pure noise."""
    found = np.full((len(levels), 2), np.nan)
    for k, level in enumerate(levels):
        if level.is_known:
            snr = level.snr
            found[k] = snr, (np.inf if snr == 0 else snr**-0.5)
    return found


_ROWS = (
    CourseKind(
        "noise", translate("course", "Noise levels"), "snr", (translate("course", "SNR"), translate("course", "σ")),
        translate("course", "ratios"), True,
        lambda run, measures: snr_and_sigma(run.levels),
    ),
    CourseKind(
        "distance", translate("course", "Distance from the finished picture"), "distance",
        (translate("course", "guess"), translate("course", "state")),
        translate("course", "root mean square over all values, where black to white is 2"), False,
        lambda run, measures: measures.distances()[:, ::-1],
    ),
    CourseKind(
        "guidance", translate("course", "Strength of the guidance"), "guidance-norm",
        (translate("course", "strength"),),
        translate("course", "root mean square of conditional less unconditional guess"), False,
        lambda run, measures: measures.guidance()[:, :1], has_noise_alone=False,
    ),
    CourseKind(
        "turning", translate("course", "Turning of the guidance"), "guidance-cosine",
        (translate("course", "cosine"),),
        translate("course", "cosine with that of the step before; 1: same direction"), False,
        lambda run, measures: measures.guidance()[:, 1:], has_noise_alone=False,
    ),
)  # fmt: skip

COURSES: Mapping[str, CourseKind] = MappingProxyType({row.key: row for row in _ROWS})
"""All kinds by their keys, in the order in which they are offered."""
