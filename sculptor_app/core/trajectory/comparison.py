"""Comparison of runs: in what their settings differ, and whether one repeats another, state by state."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass, replace

import numpy as np

from sculptor_app.core.requests.request import Parting, RunRequest
from sculptor_app.core.texts import number_text, translate
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


def why_not_repeatable(run: AnyTrajectory) -> str:
    """Why a saved run cannot be made again from what its file holds; empty where it can.

    Raises:
        TrajectoryFileError: What it began with is damaged.
    """
    info = run.info
    if not info.is_of_a_model:
        return translate("errors", "No model made this run: a picture drowned in noise.")
    if info.origin and run.start_picture() is None and run.start_noise() is None:
        return translate("errors", "This run began with {0}, which is not in its file.").format(info.origin)
    if not info.has_seed:
        return translate("errors", "The file does not say which seed this run began with.")
    if len(run.copied()) < sum(each.painting.sources for each in info.forks if each.painting is not None):
        return translate("errors", "Parts of another run were copied into this one, and are not in its file.")
    return ""


def with_copied(run: AnyTrajectory) -> RunInfo:
    """What is told of a run, with what its paintings copied from other runs, as far as that is at hand.

    Raises:
        TrajectoryFileError: It comes from a file, and is damaged.
    """
    frames, forks = iter(run.copied()), []
    for each in run.info.forks:
        if each.painting is not None:
            painting = replace(each.painting, copied=tuple(itertools.islice(frames, each.painting.sources)))
            each = replace(each, painting=painting)
        forks.append(each)
    return replace(run.info, forks=tuple(forks))


def with_model(info: RunInfo, model: str | None, device: str) -> RunInfo:
    """The same told of a run, and of those that it left, with another path of the model, and another device."""
    forks = tuple(replace(each, request=replace(each.request, model=model, device=device)) for each in info.forks)
    return replace(info, request=replace(info.request, model=model, device=device), forks=forks)


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


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """A setting in which two runs differ."""

    name: str  # in English, marked for translation: "seed"
    one: str  # its value in the first run; empty where it has none
    other: str


def told_apart(differences: list[SettingDifference], values: list[str]) -> str:
    """What tells one of two runs from the other, given its value of each: "seed 8 · Heun"; a value in letters alone."""
    words = []
    for difference, value in zip(differences, values, strict=True):
        words.append(value if value[:1].isalpha() else f"{difference.name} {value or '—'}")
    return " · ".join(words)


def differing_settings(one: RunInfo, other: RunInfo) -> list[SettingDifference]:
    """In what two runs differ that decides how they come out: what was asked for, and what it was made by."""
    told, others = _settings_told(one), _settings_told(other)
    names = [*told, *(name for name in others if name not in told)]
    found = [SettingDifference(name, told.get(name, ""), others.get(name, "")) for name in names]
    return [each for each in found if each.one != each.other]


def shared_steps(one: RunInfo, other: RunInfo) -> int:
    """How many of their first steps two runs share since one is a fork of the other, or both are of one; else 0."""
    shared = 0
    for (own, end), (others, other_end) in zip(_stretches(one), _stretches(other), strict=False):
        if own != others:
            break
        shared = min(end, other_end)
        if end != other_end:
            break
    else:
        return 0  # two runs with the same settings
    left = [fork for info in (one, other) for fork in info.forks if fork.step == shared]
    return max(0, shared - any(fork.parting is not Parting.OWN_STATE for fork in left))


def _stretches(info: RunInfo) -> list[tuple[RunRequest, int]]:
    """What a run was asked for up to which of its steps; the last of it up to its end."""
    return [*((fork.request, fork.step) for fork in info.forks), (info.request, sys.maxsize)]


def _settings_told(info: RunInfo) -> dict[str, str]:
    """The settings of a run in words, by name."""
    request = info.request
    prompt = request.option_values.get("prompt")
    told: dict[str, str] = {
        translate("names", "prompt"): str(prompt or ""),
        translate("names", "form"): request.form or "",
        translate("names", "material"): request.material or "",
        translate("names", "seed"): str(request.seed) if info.has_seed else "",
        translate("names", "begun with"): info.origin,
        translate("names", "sampler"): info.sampler_name,
        translate("names", "steps"): str(request.steps),
        translate("names", "first step"): str(info.first_step) if info.first_step > 1 else "",
        translate("names", "guidance"): "" if request.guidance is None else number_text(request.guidance),
        translate("names", "LoRAs"): ", ".join(lora.words for lora in request.loras),
        translate("names", "model"): info.model_name,
        translate("names", "device"): info.device_name,
    }
    if info.weights_hash:
        told[translate("names", "weights")] = info.weights_hash[:12]
    for name, value in request.option_values.items():
        if name != "prompt":
            told[name.replace("_", " ")] = number_text(value) if isinstance(value, float) else str(value)
    for fork in info.forks:
        told[translate("names", "left another run")] = str(fork.step)
        if fork.painting is not None:
            told[translate("names", "painted")] = fork.painting.words
    return told if info.is_of_a_model else {name: told[name] for name in list(told)[3:5]}
