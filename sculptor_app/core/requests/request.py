"""Requests of runs, one or a grid of them, with the noise that each starts from; checked before a model is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.files import is_file
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import number_text, plural, translate

FORMS = ("bust", "figure", "seated", "head", "vase", "ring", "animal", "column")
"""Forms of the embedded model, in the order of its labels."""

MATERIALS = ("marble", "bronze", "verdigris", "terracotta", "basalt", "sandstone")
"""Materials of the embedded model, in the order of its labels."""

MAX_STEPS = 1000
MAX_SEED = 2**63 - 1
MAX_GUIDANCE = 30.0
MAX_LORA_WEIGHT = 10.0
"""Greatest weight of a LoRA, either way; those that people make are used with 0.2 to 2."""
MOST_LORAS = 16

OptionValue = str | int | float | bool | None
"""The value of an option of a model; a picture is the path of its file."""

Options = Mapping[str, OptionValue] | Iterable[tuple[str, OptionValue]]


class RequestError(SculptorError, ValueError):
    """A request that cannot be run; its text is one sentence that names the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA file that is laid over a model's weights for a run; `RequestError` if a value is not allowed.

    Attributes:
        weight: what its change of the weights is multiplied with, -MAX_LORA_WEIGHT..MAX_LORA_WEIGHT; 0 is none of it.
        sha256: of the file's content; empty until a run has read it. A file with another content is then refused.
    """

    file: str  # path of a safetensors file
    weight: float = 1.0
    sha256: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not self.file.strip():
            raise RequestError(translate("errors", "A LoRA has no file; name one."))
        is_number = isinstance(self.weight, int | float) and not isinstance(self.weight, bool)
        if not is_number or not abs(self.weight) <= MAX_LORA_WEIGHT:
            raise RequestError(
                translate("errors", "The weight of the LoRA {0} is {1}; choose {2:g} to {3:g}.").format(
                    self.name, self.weight, -MAX_LORA_WEIGHT, MAX_LORA_WEIGHT
                )
            )

    @classmethod
    def parse(cls, text: str) -> Lora:
        """The LoRA that "FILE" or "FILE:WEIGHT" names; a colon that no number follows belongs to the file's name."""
        file, colon, weight = text.rpartition(":")
        if not colon or not file or is_file(text):
            return cls(text)
        try:
            return cls(file, float(weight))
        except ValueError as error:
            if isinstance(error, RequestError):
                raise
        if is_file(file):
            raise RequestError(
                translate("errors", "The weight of the LoRA {0} is {1!r}; give a number.").format(
                    cls(file).name, weight
                )
            )
        return cls(text)

    def check_file(self) -> None:
        """Refuse a file that is not there, or of another kind (`RequestError`)."""
        if Path(self.file).suffix.lower() != ".safetensors":
            raise RequestError(
                translate("errors", "{0} is no safetensors file; a LoRA of another kind can run code.").format(
                    self.name
                )
            )
        if not is_file(self.file):
            raise RequestError(
                translate("errors", "There is no file {0}; choose a LoRA, or leave it out.").format(self.file)
            )

    @property
    def name(self) -> str:
        """The file's name without its folder, whichever system wrote it."""
        return self.file.replace("\\", "/").rstrip("/").rpartition("/")[2]

    @property
    def words(self) -> str:
        """A description in plain English, for files and captions: "LoRA marble × 0.8"."""
        return f"LoRA {self.name.removesuffix('.safetensors')} × {number_text(self.weight)}"


Loras = Iterable[Lora | Mapping[str, Any]]


FIRST_SAMPLER, FIRST_GUIDANCE = "unipc", 1.75
"""What runs of the embedded model begin with where nobody chose: the best of a grid that was measured (in its card)."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The settings of one run.

    Attributes:
        guidance: classifier-free guidance scale, 0..MAX_GUIDANCE; 1 is none, None is the model's own usual one.
        options: values of further parameters, by the names of the model's own call, as "prompt" or "strength"; given
            as a mapping or as pairs, kept as pairs in the order of the names. `model_parameters` says which there are.
        loras: laid over the model's weights one on another; each file once, at most MOST_LORAS.

    Raises:
        RequestError: when a value is outside what is allowed.
    """

    form: str | None = None  # one of FORMS, or None to leave it to the model
    material: str | None = None  # one of MATERIALS, or None to leave it to the model
    seed: int = 7  # 0..MAX_SEED, of the CPU generator that draws the starting noise: the same on every device
    steps: int = 50  # reverse steps, 1..MAX_STEPS
    sampler: str = "ddim"  # an id of SAMPLERS; which of them a model can be run with, `samplers_for` says
    guidance: float | None = 2.0
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:0", "mps", ...
    model: str | None = None  # folder of a model in diffusers' format; None is the embedded one
    options: Options = ()
    loras: tuple[Lora, ...] = ()

    def __post_init__(self) -> None:
        _one_of("form", self.form, FORMS)
        _one_of("material", self.material, MATERIALS)
        _one_of("sampler", self.sampler or "", tuple(SAMPLERS))
        _whole("steps", self.steps)
        _whole("seed", self.seed)
        _within("steps", self.steps, 1, MAX_STEPS)
        _within("seed", self.seed, 0, MAX_SEED)
        if self.guidance is not None:
            _within("guidance", self.guidance, 0, MAX_GUIDANCE)
        object.__setattr__(self, "options", _pairs(self.options))
        object.__setattr__(self, "loras", _checked_loras(self.loras))
        check_strength(self.steps, self.option_values.get("strength"))

    @property
    def option_values(self) -> dict[str, OptionValue]:
        """The options by name."""
        return dict(self.options)

    @property
    def asked_labels(self) -> tuple[str, ...]:
        """Which kinds of label the model is not left to choose: "form", "material"."""
        return tuple(kind for kind, label in (("form", self.form), ("material", self.material)) if label is not None)

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, as they travel in exported files; they make the same request again.

        Of a LoRA only the file's name travels, with the hash of its content: where it lies is nobody's business.
        """
        loras = [{"file": each.name, "weight": each.weight, "sha256": each.sha256} for each in self.loras]
        return {**asdict(self), "options": self.option_values, "loras": loras}


def differing_fields(one: RunRequest, other: RunRequest) -> tuple[str, ...]:
    """Names of the fields and options in which two requests ask for another picture; the device is none of them."""
    fields = ("model", "form", "material", "seed", "steps", "sampler", "guidance")
    different = [name for name in fields if getattr(one, name) != getattr(other, name)]
    options, others = one.option_values, other.option_values
    different += [name for name in sorted(options | others) if options.get(name) != others.get(name)]
    loras, other_loras = ([(each.name, each.weight) for each in request.loras] for request in (one, other))
    return (*different, *(["loras"] if loras != other_loras else []))


def _lora(told: Any) -> Lora:
    """The LoRA that `as_dict` told."""
    if not isinstance(told, Mapping) or not {"file"} <= told.keys() <= {"file", "weight", "sha256"}:
        raise RequestError(
            translate("errors", "The LoRA {0!r} has not just file, weight and sha256; give those.").format(told)
        )
    return Lora(**told)


def _checked_loras(given: Loras) -> tuple[Lora, ...]:
    loras = tuple(each if isinstance(each, Lora) else _lora(each) for each in given)
    if len(loras) > MOST_LORAS:
        raise RequestError(
            translate("errors", "There are {0} LoRAs; choose {1} at most.").format(len(loras), MOST_LORAS)
        )
    files = [each.file for each in loras]
    for each in loras:
        if files.count(each.file) > 1:
            raise RequestError(translate("errors", "The LoRA {0} is given twice; give it once.").format(each.name))
    return loras


def check_strength(steps: int, strength: OptionValue) -> None:
    """Refuse a strength of img2img that leaves no step of a run (`RequestError`); None is left to the model."""
    if isinstance(strength, int | float) and 0 <= strength <= 1 and int(steps * strength) < 1:
        least = math.ceil(1000 / steps) / 1000
        raise RequestError(
            translate(
                "errors", "The strength {0:g} leaves no step of {1}; choose at least {2:g}, or more steps."
            ).format(strength, steps, least)
        )


def _pairs(options: Options) -> tuple[tuple[str, OptionValue], ...]:
    given = options if isinstance(options, Mapping) else dict(options)
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | None):
            raise RequestError(
                translate("errors", "The option {0!r} is {1!r}; give a word, a number, or nothing.").format(name, value)
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise RequestError(translate("errors", "The option {0!r} is {1}; give a number.").format(name, value))
    return tuple(sorted(given.items()))


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise RequestError(
            translate("errors", "The {0} {1!r} is not known; choose one of {2}.").format(
                name, value, ", ".join(allowed)
            )
        )


def _whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(translate("errors", "The {0} {1!r} is no whole number; give one.").format(name, value))


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        shown = "number of steps" if name == "steps" else name
        raise RequestError(translate("errors", "The {0} is {1}; choose {2} to {3}.").format(shown, value, low, high))


LabelKind = Literal["form", "material"]
_USUAL = {"form": FORMS, "material": MATERIALS}


def label_of(pipeline: Any, kind: LabelKind, word: str | None) -> int | None:
    """The number of a label that a loaded pipeline knows; None leaves it to the model.

    Args:
        pipeline: Of diffusers; one that does not name its labels has the usual ones.

    Raises:
        RequestError: The pipeline knows no such label.
    """
    if word is None:
        return None
    known = known_labels(pipeline, kind)
    if not known:
        raise RequestError(translate("errors", "This model knows no {0}s; leave the {0} to the model.").format(kind))
    if word not in known:
        raise RequestError(
            translate("errors", "This model knows no {0} {1!r}; choose one of {2}.").format(
                kind, word, ", ".join(known)
            )
        )
    return list(known).index(word)


def known_labels(pipeline: Any, kind: str) -> list[str] | tuple[str, ...]:
    """Words for the labels of a kind: the model's own, the usual ones if it does not say, none if it has no labels."""
    without = getattr(getattr(pipeline, "label_embedding", None), f"null_{kind}", None) == 0
    return pipeline.config.get(f"{kind}_names") or (() if without else _USUAL[kind])


Point = tuple[float, float]
"""A place of a picture: across and down, 0..1 each."""

MOST_SHIFT = 8.0
"""Standard deviations by which one stroke may shift the noise; its eye sees no more than black or white beyond 3."""


class Parting(StrEnum):
    """The state that a fork of a run goes on from, and so how it comes to part from it."""

    OWN_STATE = ""  # the run's own; other settings, or other noise that the sampler draws, lead elsewhere
    NOISED_BACK = "noised back"  # the run's next state with fresh noise on it, back at the level of this one
    U_TURN = "u-turn"  # the run's finished picture, drowned in fresh noise to the level of this one
    PAINTED = "painted"  # the run's own, with what was painted on it, or on the guess that it goes with


@dataclass(frozen=True, slots=True)
class Stroke:
    """One movement of the brush over a noise; `RequestError` if a value is not allowed.

    Attributes:
        shift: what is added to red, green and blue under the brush, in standard deviations of the noise.
    """

    points: tuple[Point, ...]  # where the brush went, at least one place
    radius: float  # of the brush, as a share of the picture's width; its edge is soft, a Gaussian's
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    seed: int | None = None  # the brush puts the noise of this seed in place of what is there, instead of shifting it

    def __post_init__(self) -> None:
        if not self.points:
            raise RequestError(translate("errors", "A stroke goes over no place; give at least one point."))
        if not 0 < self.radius <= 1:
            raise RequestError(
                translate("errors", "The brush has the radius {0}; choose more than 0, up to 1.").format(self.radius)
            )
        for value in self.shift:
            if not -MOST_SHIFT <= value <= MOST_SHIFT:
                raise RequestError(
                    translate("errors", "A stroke shifts the noise by {0}; choose {1:g} to {2:g}.").format(
                        value, -MOST_SHIFT, MOST_SHIFT
                    )
                )
        if self.seed is not None:
            _check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class NoiseRecipe:
    """The recipe of a noise: a seed, blended with another, painted on; `RequestError` if a value is not allowed."""

    seed: int  # of the generator that draws it, as that of a `RunRequest`
    towards: int | None = None  # the seed of another noise that it is blended with; None for none
    share: float = 0.0  # how far it has gone towards that one, 0..1
    strokes: tuple[Stroke, ...] = ()  # painted on it, in this order
    stays_noise: bool = True  # whether what is painted is held to what noise can be like; see `start.painted`

    def __post_init__(self) -> None:
        _check_seed(self.seed)
        if self.towards is not None:
            _check_seed(self.towards)
        if not 0 <= self.share <= 1:
            raise RequestError(translate("errors", "The share of a blend is {0}; choose 0 to 1.").format(self.share))

    @property
    def is_of_one_seed(self) -> bool:
        """Whether it is the very noise of `seed`: a single run of that seed starts from it, too."""
        return not self.strokes and (self.towards is None or self.share == 0)

    @property
    def words(self) -> str:
        """A description in plain English, for files: empty where the seed alone says it."""
        parts = []
        if self.towards is not None and self.share > 0:
            percent = number_text(float(f"{100 * self.share:.4g}"))
            parts.append(f"noise {percent} % of the way from seed {self.seed} to seed {self.towards}")
        if self.strokes:
            count = len(self.strokes)
            parts.append(f"noise painted on with {plural(count, '1 stroke', f'{count} strokes')}")
        return ", ".join(parts)


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise RequestError(
            translate("errors", "The seed {0!r} is no seed; choose a whole number from 0 to {1}.").format(
                seed, MAX_SEED
            )
        )


MOST_CELLS = 64


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a grid.

    Attributes:
        steps, sampler, guidance: in place of the grid's own; None keeps that.
    """

    noise: NoiseRecipe  # that it starts from
    form: str | None = None  # as that of a `RunRequest`
    material: str | None = None  # as that of a `RunRequest`
    steps: int | None = None
    sampler: str | None = None
    guidance: float | None = None


@dataclass(frozen=True, slots=True)
class GridRequest:
    """Runs of one model on one device; `RequestError` if a value is not allowed.

    Attributes:
        steps, sampler, guidance: as those of a `RunRequest`, of all cells that have none of their own.
        device, model: as those of a `RunRequest`, for all of them.
    """

    cells: tuple[Cell, ...]  # 1..MOST_CELLS of them
    steps: int = 20
    sampler: str = "ddim"
    guidance: float = 2.0
    device: str = "auto"
    model: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.cells) <= MOST_CELLS:
            raise RequestError(
                translate("errors", "The grid has {0} cells; choose 1 to {1}.").format(len(self.cells), MOST_CELLS)
            )
        for cell in self.cells:
            self.single(cell)

    def single(self, cell: Cell) -> RunRequest:
        """The request of one of its runs; of a noise that is not one seed's it has the first seed."""
        steps, sampler, guidance = (
            getattr(self if getattr(cell, name) is None else cell, name) for name in ("steps", "sampler", "guidance")
        )
        return RunRequest(
            form=cell.form, material=cell.material, seed=cell.noise.seed, steps=steps, sampler=sampler,
            guidance=guidance, device=self.device, model=self.model,
        )  # fmt: skip

    @property
    def most_steps(self) -> int:
        """The steps of its longest runs."""
        return max(self.single(cell).steps for cell in self.cells)
