"""Records of opening a model: findings and the verdict of its inspection, and the progress of its loading."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from sculptor_app.core.errors import Cancelled, ModelFolderError
from sculptor_app.core.texts import translate, without_secrets

DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a number by torch's name for the dtypes that a model may be loaded as."""
READ_WHOLE_BYTES = 1 << 30
"""A weight file up to this size is read, a larger one is mapped while it is read: a second copy would not fit."""

_LONGEST = 80


class Severity(StrEnum):
    """Severity of a finding: the model is refused for it, or it is a note."""

    REFUSED = "refused"
    NOTE = "note"


class Answer(StrEnum):
    """Answer to whether a model can be watched."""

    WATCHED = "watched"
    RECORDED = "recorded"  # it can be run and its states are recorded, but there is no guess
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of an inspection."""

    message: str  # what was found, and where; one sentence with its full stop
    explanation: str  # what would come of it, or what to do about it; one sentence, or empty for a note
    severity: Severity = Severity.REFUSED  # whether the model is refused for it
    pickled_bytes: int = 0  # size of the pickles that could be converted, where that is all that it refuses
    missing: str = ""  # name of the file or folder, below the model's, that is not there, where that is what it says

    def __str__(self) -> str:
        return f"{self.message} {self.explanation}".strip()


class Unfit(Exception):
    """A failed check; carries its finding to where all of them are listed."""

    def __init__(self, message: str, explanation: str, missing: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(message, explanation, missing=missing)


class ModelRefused(ModelFolderError):
    """Refusal of a model; the message is the first of its `refusals`, and `findings` holds the notes, too."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        self.refusals = tuple(each for each in self.findings if each.severity is Severity.REFUSED)
        first, *others = self.refusals
        self.first = first
        advice = first.explanation
        if len(others) == 1:
            advice = translate("errors", "{0} There is 1 more; `sculptor-app check-model` lists all.").format(advice)
        elif len(self.findings) <= MOST_LISTED and others:
            more = translate("errors", "{0} There are {1} more; `sculptor-app check-model` lists all.")
            advice = more.format(advice, len(others))
        elif others:
            more = translate("errors", "{0} There are {1} more; `sculptor-app check-model --json` lists all.")
            advice = more.format(advice, f"{len(others):,}")
        super().__init__(first.message, advice)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight files of one component that a loader will read."""

    files: tuple[Path, ...]  # one, or the shards of one set
    variant: str | None  # what diffusers calls it, "fp16"; None for the plain files
    parameter_count: int
    stored_bytes: int
    largest_bytes: int  # what the largest of the files takes
    dtypes: frozenset[str]  # as safetensors names them: "F16", "BF16", "F32"

    @property
    def is_mapped(self) -> bool:
        """Whether the files are mapped while they are read, and not copied into memory first."""
        return self.largest_bytes > READ_WHOLE_BYTES


@dataclass(frozen=True, slots=True)
class PickledWeights:
    """The pickles that hold the weights of a component, or a whole checkpoint in one."""

    name: str  # of the component, or of the file
    files: tuple[Path, ...]  # one, or the shards of one set; without links
    settings: tuple[tuple[str, Path], ...]  # names of small files beside them that the loader needs, and where they lie
    stem: str  # what the files are called as safetensors
    label: str  # name of the first of the files as the folder has it, which may link to another
    stored_bytes: int  # size of the files, and about that of their copy


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a pipeline, as its index names it."""

    name: str
    # "network" and "encoder" have weights and are of diffusers and of transformers; "scheduler" and "data" have none
    kind: str
    component_class: Any = field(repr=False)
    folder: Path
    weights: Weights | None = None  # its files; None where there are none


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of inspecting a model, without building any of it."""

    path: Path  # a folder, or one checkpoint file
    pipeline: str = ""  # name of the pipeline's class, as the model gives it
    pipeline_class: Any = field(default=None, repr=False)  # that class; None where it cannot be used
    components: tuple[Component, ...] = ()  # what would be built, in the order of the index
    findings: tuple[Finding, ...] = ()
    fingerprint: str = ""  # changes whenever anything that was inspected changes
    wanted_variant: str | None = None  # which files were preferred where there was a choice
    settings_folder: Path | None = None  # for a checkpoint: the folder that holds its components' settings
    pickles: tuple[PickledWeights, ...] = ()  # weights that were not converted yet; refused for each of them
    left_out: tuple[str, ...] = ()  # optional components that the index names, and that are not there
    why_no_guess: str = ""  # why runs of it have no guess, in one sentence; empty where they have one

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The findings for which the model is refused."""
        return tuple(each for each in self.findings if each.severity is Severity.REFUSED)

    @property
    def fit(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.refusals

    @property
    def answer(self) -> Answer:
        """What becomes of a run of it."""
        if not self.fit:
            return Answer.REFUSED
        return Answer.RECORDED if self.why_no_guess else Answer.WATCHED

    @property
    def weights(self) -> tuple[Weights, ...]:
        """The weights of all components that have some."""
        return tuple(each.weights for each in self.components if each.weights is not None)

    @property
    def stored_bytes(self) -> int:
        """What all weights take on the disk."""
        return sum(each.stored_bytes for each in self.weights)

    @property
    def pickled_bytes(self) -> int:
        """What the pickles take on the disk that were not converted yet."""
        return sum(each.stored_bytes for each in self.pickles)

    @property
    def parameter_count(self) -> int:
        """Parameters of all weights."""
        return sum(each.parameter_count for each in self.weights)

    def loaded_bytes(self, dtype: str) -> int:
        """What all weights take in memory as a dtype, one of `DTYPE_BYTES`."""
        return self.parameter_count * DTYPE_BYTES[dtype]

    @property
    def copied_bytes(self) -> int:
        """What reading takes besides the weights themselves: the largest file that is not mapped."""
        return max((each.largest_bytes for each in self.weights if not each.is_mapped), default=0)

    def refuse(self) -> None:
        """Raise `ModelRefused` with all findings if the model is not fit."""
        if not self.fit:
            raise ModelRefused(self.findings)


MOST_LISTED = 10
"""Findings of a model that a person is told of; a hostile one has tens of thousands."""


def listed(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], int]:
    """The findings that are listed, refusals before notes, and the number of those that are left out."""
    found = sorted(findings, key=lambda each: each.severity is not Severity.REFUSED)
    return tuple(found[:MOST_LISTED]), len(found[MOST_LISTED:])


def shown(value: object) -> str:
    """An untrusted value in a sentence of ours: in quotes, without control characters, and not all of it if long."""
    text = repr(value[:_LONGEST]) if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def shown_path(path: Path | str) -> str:
    """An untrusted file name in a sentence of ours: control characters and bytes that are no text become a mark."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(path))
    return without_secrets(plain)


def distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Every finding once, in order."""
    return tuple(dict.fromkeys(findings))


class LoadingStage(Enum):
    """The stages of loading a model, in their order; one of the embedded kind needs no sandbox."""

    CHECKING = "checking"
    SANDBOX = "trying"
    CONVERTING = "converting"
    READING = "reading"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class LoadingProgress:
    """Progress of loading a model."""

    stage: LoadingStage  # which stage has begun
    part: str = ""  # the component that is read; empty where all of them are read at once
    number: int = 0  # which of them it is, from 1; 0 where all are read at once
    of: int = 0  # how many there are

    def __str__(self) -> str:
        """In a word or two, as "reading unet (2 of 5)"."""
        part = f" {self.part} ({self.number} of {self.of})" if self.part else " the model"
        return f"{self.stage.value}{part}"


Report = Callable[[LoadingProgress], None]
"""Called at each stage and component, in the thread that loads."""


def stoppable(report: Report | None, stop: threading.Event | None) -> Report:
    """The same report, but it raises `Cancelled` once a stop was asked for."""

    def checked(progress: LoadingProgress) -> None:
        if stop is not None and stop.is_set():
            raise Cancelled
        if report is not None:
            report(progress)

    return checked
