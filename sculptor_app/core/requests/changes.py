"""Changes of a run's settings along it: guidance between two noise levels only, a prompt or label that gives way.

A change after step k leaves the first k steps to the settings before it; step k + 1 is the first with the new one. A
place that is told by a noise level lies where the first step starts from that level or a cleaner one, as phases do.
Guidance in a limited interval of noise levels is due to Kynkäänniemi et al. 2024.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, Self

from sculptor_app.core.requests.request import OptionValue, RequestError, RunRequest, differing_fields
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import number_text, translate

PlaceKind = Literal["step", "snr", "sigma"]
PLACE_KINDS: tuple[PlaceKind, ...] = ("step", "snr", "sigma")

CHANGING_FIELDS = ("form", "material", "guidance", "sampler")
"""Fields of a request that may change along a run, beside the model's own options."""
FIXED_OPTIONS = ("height", "width", "size", "image", "mask_image", "strength")
"""Options that decide which steps there are, and of which pictures: they are one for a whole run."""
_FIXED = ("seed", "steps", "model", "device", "options", "loras", *FIXED_OPTIONS)
MOST_CHANGES = 64
NO_GUIDANCE = 1.0


class Level(Protocol):
    """The noise level of a state, as `trajectory.levels.NoiseLevel` is one."""

    @property
    def is_known(self) -> bool:
        """Whether the others are known."""

    @property
    def snr(self) -> float:
        """Signal-to-noise ratio (a/s)^2."""

    @property
    def sigma(self) -> float:
        """Noise level s/a."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place along a run: after a step, or where states come to a noise level; `RequestError` if there is none such.

    Attributes:
        value: number of a step; a signal-to-noise ratio (a/s)^2 or a noise level s/a, above 0.
    """

    kind: PlaceKind
    value: float

    def __post_init__(self) -> None:
        if self.kind not in PLACE_KINDS:
            raise RequestError(
                translate("errors", "A place along a run is told by {0}; choose one of them, not {1!r}.").format(
                    ", ".join(PLACE_KINDS), self.kind
                )
            )
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if self.kind == "step":
            if not is_number or self.value != int(self.value) or self.value < 0:
                raise RequestError(
                    translate("errors", "The step {0!r} is no step; give a whole number.").format(self.value)
                )
            object.__setattr__(self, "value", int(self.value))
        elif not is_number or not 0 < self.value < float("inf"):
            raise RequestError(
                translate("errors", "The noise level {0} is {1!r}; give a number above 0.").format(
                    self.kind, self.value
                )
            )

    @classmethod
    def parse(cls, text: str, usual: PlaceKind = "step") -> Self:
        """The place that words tell: "8", "step 8", "snr=0.3", "sigma 1.5".

        Args:
            usual: What a number alone is.

        Raises:
            RequestError: They tell none.
        """
        kind, _, value = text.strip().lower().replace("σ", "sigma").replace("=", " ", 1).rpartition(" ")
        kind = kind.strip() or usual
        try:
            number = int(value) if kind == "step" else float(value)
        except ValueError:
            number = -1
        if kind not in PLACE_KINDS or number < 0:
            raise RequestError(
                translate("errors", "{0!r} is no place along a run; write 8, snr=0.3 or sigma=1.5.").format(text)
            )
        return cls(kind, number)

    @property
    def words(self) -> str:
        """As "step 8", "SNR 0.3", "σ 1.5"."""
        name = {"step": translate("names", "step"), "snr": "SNR", "sigma": "σ"}[self.kind]
        return f"{name} {number_text(self.value)}"

    def step_in(self, levels: Sequence[Level]) -> int:
        """How many steps of a run come before it; as many as there are states where the run does not come so far.

        Args:
            levels: Of the run's states 0..N, noise first.

        Raises:
            RequestError: The levels are not known.
        """
        if self.kind == "step":
            return int(self.value)
        if not all(level.is_known for level in levels):
            raise RequestError(
                translate("errors", "The noise levels of this run are known only when it runs; tell places by steps.")
            )
        if self.kind == "snr":
            return next((k for k, level in enumerate(levels) if level.snr >= self.value), len(levels))
        return next((k for k, level in enumerate(levels) if level.sigma <= self.value), len(levels))


@dataclass(frozen=True, slots=True)
class Change:
    """Another value of one setting, from a place of a run on; `RequestError` for a setting that may not change.

    Attributes:
        name: one of CHANGING_FIELDS, or an option of the model, as "prompt".
    """

    place: Place
    name: str
    value: OptionValue

    def __post_init__(self) -> None:
        if self.name in _FIXED:
            raise RequestError(
                translate("errors", "The {0} is one for a whole run; change {1} or a prompt along it.").format(
                    self.name, ", ".join(CHANGING_FIELDS)
                )
            )

    @property
    def words(self) -> str:
        """As "form vase after step 8"."""
        return translate("names", "{0} after {1}").format(setting_words(self.name, self.value), self.place.words)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a run with settings of its own."""

    after: int  # so many steps come before it; 0 for the first
    request: RunRequest


@dataclass(frozen=True, slots=True)
class RunChanges:
    """Everything that changes along a run.

    Attributes:
        guidance_between: the run's guidance counts between these two places only; outside it is 1.
    """

    changes: tuple[Change, ...] = ()
    guidance_between: tuple[Place, Place] | None = None

    def __post_init__(self) -> None:
        if len(self.changes) > MOST_CHANGES:
            raise RequestError(
                translate("errors", "There are {0} changes; choose {1} at most.").format(
                    len(self.changes), MOST_CHANGES
                )
            )
        if self.guidance_between is not None and any(each.name == "guidance" for each in self.changes):
            raise RequestError(
                translate("errors", "Guidance between two places and changes of guidance cannot both be; choose one.")
            )

    def __bool__(self) -> bool:
        return bool(self.changes) or self.guidance_between is not None

    def segments(self, request: RunRequest, levels: Sequence[Level]) -> tuple[Segment, ...]:
        """The stretches of a run, each with its settings; one alone where nothing comes to change.

        A change to the value that a setting has already is left out.

        Args:
            request: What the run is asked for, as if nothing changed.
            levels: Of its states 0..N, noise first.

        Raises:
            RequestError: A place is not within the run, a setting is told twice at one, or a value is not allowed.
        """
        told: dict[int, dict[str, OptionValue]] = {}
        for k, guidance in self._guidances(request, levels):
            told[k] = {"guidance": guidance}
        last = len(levels) - 1
        for change in self.changes:
            k = change.place.step_in(levels)
            if not 1 <= k < last:
                raise RequestError(_outside(change.place, k, last))
            if change.name in told.setdefault(k, {}):
                raise RequestError(
                    translate("errors", "The {0} changes twice after step {1}; change it once.").format(change.name, k)
                )
            told[k][change.name] = change.value
        segments = [Segment(0, with_settings(request, told.pop(0, {})))]
        for k in sorted(told):
            changed = with_settings(segments[-1].request, told[k])
            if changed != segments[-1].request:
                segments.append(Segment(k, changed))
        return tuple(segments)

    def _guidances(self, request: RunRequest, levels: Sequence[Level]) -> list[tuple[int, float | None]]:
        """After which steps the guidance changes, and to what, where it counts between two places only."""
        if self.guidance_between is None:
            return []
        first, last = (place.step_in(levels) for place in self.guidance_between)
        steps = len(levels) - 1
        if first >= min(last, steps):
            raise RequestError(
                translate(
                    "errors", "No step of this run is between {0} and {1}; choose two places farther apart."
                ).format(*(place.words for place in self.guidance_between))
            )
        changes: list[tuple[int, float | None]] = [(0, NO_GUIDANCE), (first, request.guidance)] if first else []
        return [*changes, (last, NO_GUIDANCE)] if last < steps else changes


NO_CHANGES = RunChanges()


def _outside(place: Place, k: int, last: int) -> str:
    """Why nothing can change at a place."""
    if last < 2:
        return translate("errors", "A run of one step has no place for a change; take more steps.")
    if place.kind == "step":
        return translate("errors", "There is no change after step {0} of this run; choose 1 to {1}.").format(
            k, last - 1
        )
    if k < 1:
        return translate("errors", "This run begins beyond {0} already; set the value for all of it.").format(
            place.words
        )
    return translate("errors", "This run has no steps left at {0}; choose a place before.").format(place.words)


def with_settings(request: RunRequest, settings: dict[str, OptionValue]) -> RunRequest:
    """A request with other values of fields of its own, and of options; `RequestError` if one is not allowed."""
    fields: dict[str, Any] = {name: value for name, value in settings.items() if name in CHANGING_FIELDS}
    options = {name: value for name, value in settings.items() if name not in CHANGING_FIELDS}
    return replace(request, **fields, options=request.option_values | options)


def setting_words(name: str, value: OptionValue) -> str:
    """A setting and its value in words: "form vase", "guidance 1.75", "prompt “a lion”"."""
    return f"{name.replace('_', ' ')} {_value_words(name, value)}"


def _value_words(name: str, value: OptionValue) -> str:
    if value is None:
        return translate("names", "the model’s own")
    if name == "sampler" and value in SAMPLERS:
        return SAMPLERS[str(value)].label
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(value)
    return f"“{value}”" if "prompt" in name else str(value)


def settings_changed(one: RunRequest, other: RunRequest) -> dict[str, OptionValue]:
    """Those of the second request that the first has not, by the names of its fields and options."""
    values = other.option_values
    return {
        name: getattr(other, name) if name in CHANGING_FIELDS else values.get(name)
        for name in differing_fields(one, other)
    }


def segments_words(segments: Iterable[Segment]) -> str:
    """What changes along a run, in words: "guidance 1.75 after step 5, guidance 1 after step 31"; empty for nothing."""
    return ", ".join(
        Change(Place("step", then.after), name, value).words
        for one, then in itertools.pairwise(segments)
        for name, value in settings_changed(one.request, then.request).items()
    )


def changes_told(segments: Sequence[Segment]) -> str:
    """What changes along a run, briefly, for its title: "form bust → vase after step 8"; of options no words are told.

    Empty for a run that no changes make; without the step where there is one change alone.
    """
    changes = changes_between(segments)
    if changes is None:
        return ""
    told = []
    if changes.guidance_between is not None and len(segments) > 2:
        guidance = setting_words("guidance", base_request(segments).guidance)
        told.append(f"{guidance} {_between_words(changes.guidance_between)}")
    for one, then in itertools.pairwise(segments):
        for name, value in settings_changed(one.request, then.request).items():
            if name == "guidance" and told and changes.guidance_between is not None:
                continue
            what = change_words(one.request, name, value)
            place = Place("step", then.after)
            is_alone = len(segments) == 2
            told.append(what if is_alone else translate("names", "{0} after {1}").format(what, place.words))
    return ", ".join(told)


def change_words(request: RunRequest, name: str, value: OptionValue) -> str:
    """What of a request another value changes: "form bust → vase"; of an option the name alone, "another prompt"."""
    if name not in CHANGING_FIELDS:
        return translate("names", "another {0}").format(name.replace("_", " "))
    return f"{setting_words(name, getattr(request, name))} → {_value_words(name, value)}"


def _between_words(places: tuple[Place, Place]) -> str:
    """The steps between two places that are told by steps."""
    first, last = (int(place.value) for place in places)
    return translate("names", "in steps {0}–{1} only").format(first + 1, last)


def changes_between(segments: Sequence[Segment]) -> RunChanges | None:
    """The changes that make these stretches of a run of the first one's request; None where none could.

    A guidance that is 1 in some stretches and one other number in those between is told as such; `base_request` has
    the run's guidance then.
    """
    if any(one.after >= then.after for one, then in itertools.pairwise(segments)):
        return None
    band = _guidance_between(segments)
    changes = []
    for one, then in itertools.pairwise(segments):
        for name, value in settings_changed(one.request, then.request).items():
            if name in _FIXED:
                return None
            if name != "guidance" or band is None:
                changes.append(Change(Place("step", then.after), name, value))
    return RunChanges(tuple(changes), band)


def base_request(segments: Sequence[Segment]) -> RunRequest:
    """What a run of these stretches was asked for, as `RunChanges.segments` takes it."""
    guidances = [each.request.guidance for each in segments]
    own = next((each for each in guidances if each != NO_GUIDANCE), NO_GUIDANCE)
    is_told = _guidance_between(segments) is not None
    return replace(segments[0].request, guidance=own) if is_told else segments[0].request


def _guidance_between(segments: Sequence[Segment]) -> tuple[Place, Place] | None:
    """The places that one guidance counts between, which is 1 outside; None for other courses, and for no change."""
    own = [each.request.guidance != NO_GUIDANCE for each in segments]
    values = {each.request.guidance for each, is_own in zip(segments, own, strict=True) if is_own}
    stretches = [key for key, _ in itertools.groupby(own)]
    if len(values) != 1 or stretches.count(True) != 1 or len(stretches) < 2:
        return None
    first = segments[own.index(True)].after
    ends = [each.after for each, is_own in zip(segments, own, strict=True) if each.after > first and not is_own]
    last = ends[0] if ends else segments[-1].request.steps
    return Place("step", first), Place("step", last)
