"""The base class of trajectories: courses between noise and picture, whichever way they were made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from sculptor_app.core.requests.changes import Segment, changes_told
from sculptor_app.core.requests.painting import Painting
from sculptor_app.core.requests.request import Parting, RunRequest
from sculptor_app.core.texts import plural, steps_text, translate
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.levels import LevelSequence, NoiseLevel
from sculptor_app.core.trajectory.step import Frame, StepSummary

DEFAULT_BUDGET_BYTES = 512 * 10**6
"""Memory that a trajectory's frames may take before older ones go to a file."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Fork:
    """A fork: the step at which a run left another one."""

    step: int  # the last one that both share, 0 for the noise alone; with another state than the run's if it says so
    request: RunRequest  # what the run up to there was asked for
    parting: Parting = Parting.OWN_STATE
    painting: Painting | None = None  # what was painted, where that is how it parted


@dataclass(frozen=True, slots=True)
class RunTitle:
    """The title of a run in plain English; a window translates the parts, which are of `core.texts`."""

    what: str  # labels, prompt, or the name of the picture that drowns
    beginning: str  # what it began with where that was not the noise of its seed: "carved out of layer 21 of bust.jpg"
    seed: str  # "seed 42"
    facts: tuple[str, ...]  # sampler, number of steps, and the model where it is not the embedded one
    briefly: str = ""  # the beginning in fewer words: "carved out of bust.jpg"

    @property
    def parts(self) -> tuple[str, ...]:
        """All that there is, in the order in which it is read."""
        return tuple(filter(None, (self.what, self.beginning, self.seed, *self.facts)))


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The record of what a run was made with, as it is shown and as it travels in exported files.

    Attributes:
        space: "pixels" or "latents", what the frames are; "pixels (decoded)" of latents that were decoded afterwards.
        first_step: the first of the request's steps that was taken; later than 1 where a run began with a picture.
        latent_map: how latents are seen as colours; None for pixels, and as long as it is not known.
        decoder_factor: of latents, the edge in pixels of what their decoder makes of one; 1 for pixels.
        weights_hash: of the model's weight files, as `weights.weights_hash` has it; empty where there are none.
        sampler_settings: the config of the scheduler, its class as `_class_name`; of several, by their names.
        libraries: versions of what computed it, by name: "diffusers", "torch".
        has_seed: whether the request's seed is that of the noise; a run that somebody else made may not tell it.
    """

    request: RunRequest  # the settings as asked for
    model_name: str = ""  # "atelier-128", or the name of the model's folder
    device_name: str = ""  # "NVIDIA H200", "Apple M2 GPU", "CPU, 1 thread"
    sampler_name: str = ""  # "DPM-Solver++ 2M", as the interface writes it
    space: str = "pixels"
    conditions: str = ""  # "bust · bronze", or "unconditional"
    created: str = field(default_factory=_now)  # time of the start, ISO 8601 in UTC
    app_version: str = ""  # version of this program
    origin: str = ""  # what it began with where that was not the noise of the seed, as "bust.jpg, drowned"; else empty
    first_step: int = 1
    latent_map: LatentMap | None = None
    note: str = ""  # what of it is not shown, or was done to its pictures, in plain words; mostly empty
    forks: tuple[Fork, ...] = ()  # of a run that shares its first steps with another: where, oldest first
    decoder_factor: int = 1
    weights_hash: str = ""
    sampler_settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    libraries: Mapping[str, str] = field(default_factory=dict, hash=False)
    has_seed: bool = True

    @property
    def is_of_a_model(self) -> bool:
        """Whether a model made it; of a forward process' request only `seed` and `steps` mean anything."""
        return bool(self.model_name) or not self.origin

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its stretches with the settings of each, as its forks tell them."""
        requests = (*(each.request for each in self.forks), self.request)
        starts = (0, *(each.step for each in self.forks))
        return tuple(Segment(after, request) for after, request in zip(starts, requests, strict=True))

    @property
    def title(self) -> RunTitle:
        """What it is, what it began with, and what it was made by."""
        request = self.request
        seed = translate("names", "seed {0}").format(request.seed) if self.has_seed else ""
        if not self.is_of_a_model:
            layers = plural(request.steps, translate("names", "1 layer"), translate("names", "{0} layers"))
            return RunTitle(self.origin, "", seed, (layers.format(request.steps),))
        model = (self.model_name,) if request.model is not None and self.model_name else ()
        taken = steps_text(request.steps)
        if self.first_step > 1:
            count = request.steps - self.first_step + 1
            taken = translate("names", "the last {0} of {1} steps").format(count, request.steps)
        elif self.forks and self.forks[-1].request.steps != request.steps:
            before = self.forks[-1].request.steps
            taken = translate("names", "{0}, then as of {1}").format(steps_text(before), request.steps)
        forks = [_forked(self.segments, each) for each in self.forks[-1:]]
        facts = (self.sampler_name, taken, *forks, *model)
        briefly = translate("names", "carved out of {0}").format(self.origin) if self.origin else ""
        return RunTitle(self.conditions, self._beginning, seed, tuple(filter(None, facts)), briefly)

    @property
    def _beginning(self) -> str:
        if not self.origin:
            return ""
        if self.first_step == 1:  # the noise of a picture, or a picture under as much noise as there is
            return translate("names", "carved out of {0}").format(self.origin)
        layer = self.request.steps - self.first_step + 1
        return translate("names", "carved out of layer {0} of {1}").format(layer, self.origin)


_MOST_TITLE_LETTERS = 72
"""Of what changed along a run, in its title; of more the steps alone are told."""


def _forked(segments: Sequence[Segment], fork: Fork) -> str:
    """How a run left another one last, in words, and what changed along it."""
    if fork.parting is Parting.U_TURN:
        return translate("names", "U-turn at step {0}").format(fork.step)
    if fork.parting is Parting.PAINTED:
        return translate("names", "painted at step {0}").format(fork.step)
    if fork.request == segments[-1].request:
        return translate("names", "gone on with at step {0}").format(fork.step)
    told = "" if fork.parting is Parting.NOISED_BACK else changes_told(segments)
    if not told:
        return translate("names", "forked at step {0}").format(fork.step)
    if len(told) > _MOST_TITLE_LETTERS:
        steps = ", ".join(str(each.after) for each in segments[1:])
        return translate("names", "changed after steps {0}").format(steps)
    if len(segments) > 2:
        return told
    return translate("names", "forked at step {0}: {1}").format(fork.step, told)


class Memory(Protocol):
    """Stored frames, or whatever else a trajectory keeps: its size, and a way to forget it."""

    @property
    def bytes_in_memory(self) -> int:
        """Bytes that are in memory."""

    @property
    def bytes_on_disk(self) -> int:
        """Bytes that are in a temporary file."""

    def close(self) -> None:
        """Forget all, and delete the file."""


class SnapshotStore(Memory, Protocol):
    """Snapshots that forks start from, kept beside a trajectory; `RunSnapshots` of the engine is one."""

    @property
    def budget_bytes(self) -> int:
        """Most bytes in memory."""

    @property
    def rest(self) -> tuple[Segment, ...]:
        """The stretches that are still to come, of a run whose settings change along it."""


class AnyTrajectory(LevelSequence, ABC):
    """The states 0..N from pure noise to a picture and the guesses of the steps 1..N, as views and exports read them.

    Attributes:
        info: What it was made with.
        levels: Noise levels of the states 0..N, noise first.
        spans: The steps of each phase.
        shape: (C, H, W) of every frame.
        budget_bytes: Most bytes of frames in memory; older ones go to a temporary file beyond it.
    """

    def __init__(
        self, info: RunInfo, levels: Sequence[NoiseLevel], shape: tuple[int, int, int], budget_bytes: int
    ) -> None:
        super().__init__(levels)
        self.info = info
        self.shape = shape
        self.budget_bytes = budget_bytes

    @property
    @abstractmethod
    def last(self) -> int:
        """Number of the newest state that can be read; -1 where there is none."""

    @property
    def undecoded(self) -> AnyTrajectory:
        """The run itself; of one that is looked at decoded, that in latents."""
        return self

    @property
    def file_bytes(self) -> int:
        """Bytes of the file that its frames are read from when they are asked for; 0 where the run keeps them."""
        return 0

    @property
    def ended(self) -> str:
        """Why it stopped before its end: "cancelled", "failed: " and a sentence; empty otherwise."""
        return ""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its stretches with the settings of each, with those that are still to come."""
        return self.info.segments

    @abstractmethod
    def state(self, k: int) -> Frame:
        """Noisy state k, (C, H, W) float32, read-only; k is 0..last.

        Raises:
            IndexError: There is no such state, or not yet.
        """

    @abstractmethod
    def guess(self, k: int) -> Frame | None:
        """The clean picture that goes with step k, (C, H, W) float32, read-only.

        None for k = 0, which no step led to, and where no exact rule is known (`step(k).guess_note` says why).

        Raises:
            IndexError: There is no such state, or not yet.
        """

    def returned(self, k: int) -> Frame | None:
        """What the sampler returned in step k, (C, H, W) float32, read-only, where the pipeline then changed that.

        None where state k is what the sampler returned, and for k = 0; `IndexError` if there is no such state yet.
        """
        self._check(k, first=0)
        return None

    def guess_unconditional(self, k: int) -> Frame | None:
        """The guess of step k of the network's answer without the condition, (C, H, W) float32, read-only.

        None where guidance was not watched, or the two predictions are not known (`step(k).guidance_note` says why).

        Raises:
            IndexError: There is no such state yet.
        """
        self._check(k, first=0)
        return None

    def guess_conditional(self, k: int) -> Frame | None:
        """The guess of step k of the network's answer with the condition, as `guess_unconditional` otherwise."""
        self._check(k, first=0)
        return None

    def start_picture(self) -> Frame | None:
        """The picture that the run began with, before it was noised, (C, H, W) float32, read-only; mostly None."""
        return None

    def start_noise(self) -> Frame | None:
        """The noise of unit variance that the run was given in place of its seed's, as `start_picture` otherwise."""
        return None

    def copied(self) -> tuple[Frame, ...]:
        """What was copied into it from other runs, by hand, of all its forks in their order; (C, H, W) float32 each."""
        return tuple(frame for each in self.info.forks if each.painting is not None for frame in each.painting.copied)

    @abstractmethod
    def step(self, k: int) -> StepSummary:
        """The summary of step k, 1..last; `IndexError` if there is no such step, or not yet."""

    @abstractmethod
    def _stores(self) -> tuple[Memory, ...]:
        """Stores of frames, and of what else is kept beside them."""

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the frames, and of what is kept beside them, that are in memory."""
        return sum(store.bytes_in_memory for store in self._stores())

    @property
    def bytes_on_disk(self) -> int:
        """The same in temporary files."""
        return sum(store.bytes_on_disk for store in self._stores())

    def close(self) -> None:
        """Forget all frames and delete the temporary files; frames that were handed out stay valid."""
        for store in self._stores():
            store.close()

    def _check(self, k: int, first: int) -> None:
        last = self.last
        if not first <= k <= last:
            raise IndexError(f"step {k} is not one of {first}..{last}, which can be read")
