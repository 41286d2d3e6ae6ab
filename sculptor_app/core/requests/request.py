"""What a person asks for: one run of a model, checked before anything is loaded."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.samplers import SAMPLERS

FORMS = ("bust", "figure", "seated", "head", "vase", "ring", "animal", "column")
"""Forms of the embedded model, in the order of its labels."""

MATERIALS = ("marble", "bronze", "verdigris", "terracotta", "basalt", "sandstone")
"""Materials of the embedded model, in the order of its labels."""

MAX_STEPS = 1000
MAX_SEED = 2**63 - 1
MAX_GUIDANCE = 30.0


OptionValue = str | int | float | bool | None
"""What an option of a model may be set to; a picture is the path of its file."""

Options = Mapping[str, OptionValue] | Iterable[tuple[str, OptionValue]]


class RequestError(SculptorError, ValueError):
    """A request that cannot be run; its text is one sentence that names the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The settings of one run.

    Attributes:
        form: one of FORMS, or None to leave it to the model.
        material: one of MATERIALS, or None to leave it to the model.
        seed: 0..MAX_SEED, of the CPU generator that draws the starting noise: it means the same on every device.
        steps: reverse steps, 1..MAX_STEPS.
        sampler: an id of SAMPLERS; which of them a model can be run with, `samplers_for` says.
        guidance: classifier-free guidance scale, 0..MAX_GUIDANCE; 1 is none, None is the model's own usual one.
        device: "auto", "cpu", "cuda", "cuda:0", "mps", ...
        model: folder of a model in diffusers' format; None is the embedded one.
        options: what else the model is told, by the names of its own call, as "prompt" or "strength"; given as a
            mapping or as pairs, kept as pairs in the order of the names. `model_parameters` says what a model takes.

    Raises:
        RequestError: when a value is outside what is allowed.
    """

    form: str | None = None
    material: str | None = None
    seed: int = 7
    steps: int = 50
    sampler: str = "ddim"
    guidance: float | None = 2.0
    device: str = "auto"
    model: str | None = None
    options: Options = ()

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

    @property
    def told(self) -> dict[str, OptionValue]:
        """The options by name."""
        return dict(self.options)

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, as they travel in exported files; they make the same request again."""
        return {**asdict(self), "options": self.told}


def _pairs(options: Options) -> tuple[tuple[str, OptionValue], ...]:
    """Options in the order of their names.

    Raises:
        RequestError: One is no word or number.
    """
    given = options if isinstance(options, Mapping) else dict(options)
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | None):
            raise RequestError(f"The option {name!r} is {value!r}; give a word, a number, or nothing.")
        if isinstance(value, float) and not math.isfinite(value):
            raise RequestError(f"The option {name!r} is {value}; give a number.")
    return tuple(sorted(given.items()))


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise RequestError(f"The {name} {value!r} is not known; choose one of {', '.join(allowed)}.")


def _whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f"The {name} {value!r} is no whole number; give one.")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        what = "number of steps" if name == "steps" else name
        raise RequestError(f"The {what} is {value}; choose {low} to {high}.")
