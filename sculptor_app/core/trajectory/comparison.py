"""Comparison of a run with a saved one that it should repeat, state by state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory, RunInfo
from sculptor_app.core.trajectory.file import SavedTrajectory
from sculptor_app.core.trajectory.step import Frame


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a run is the same as a saved one.

    Attributes:
        states: How many were compared, from the noise on.
        parted: The first state that differs; None where all are the same, bit for bit.
        difference: Largest difference of a value in that state, in the units of the states; 0 where none differs.
        last_difference: The same in the last state that was compared.
    """

    states: int
    parted: int | None = None
    difference: float = 0.0
    last_difference: float = 0.0

    def with_state(self, saved: SavedTrajectory, made: AnyTrajectory) -> Comparison:
        """The same with the next state compared, which both runs must have.

        Of a compact file the new state is rounded as the saved one is.
        """
        one, other = saved.state(self.states), made.state(self.states)
        difference = _difference(one, other.astype(np.float16).astype(np.float32) if saved.is_compact else other)
        parted, first = self.parted, self.difference
        if parted is None and difference:
            parted, first = self.states, difference
        return Comparison(self.states + 1, parted, first, difference)


def _difference(one: Frame, other: Frame) -> float:
    """Largest difference of two frames; infinite where their shapes differ, or one alone has NaN somewhere."""
    if one.shape != other.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):  # two infinities
        apart = np.abs(one - other)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    apart[same] = 0
    return float("inf") if np.isnan(apart).any() else float(apart.max(initial=0))


def why_not_repeatable(info: RunInfo) -> str:
    """Why a saved run cannot be made again from what its file tells; empty where it can."""
    if not info.is_of_a_model:
        return translate("errors", "No model made this run: a picture drowned in noise.")
    if info.forks:
        return translate("errors", "This run left another one on the way, and its file does not say how.")
    if info.origin:
        return translate("errors", "This run began with {0}, which is not in its file.").format(info.origin)
    if not info.has_seed:
        return translate("errors", "The file does not say which seed this run began with.")
    return ""


def changed_since(saved: RunInfo, made: RunInfo) -> list[str]:
    """What is not as it was when a run was saved and may have parted the two, in plain words."""
    changes: list[str] = []
    if saved.weights_hash != made.weights_hash:
        changes.append(translate("errors", "the model's weights"))
    for name in sorted({*saved.libraries, *made.libraries}):
        before, now = saved.libraries.get(name, "—"), made.libraries.get(name, "—")
        if before != now:
            changes.append(f"{name} {before} → {now}")
    for before, now in ((saved.device_name, made.device_name), (saved.sampler_name, made.sampler_name)):
        if before != now:
            changes.append(f"{before} → {now}")
    return changes
