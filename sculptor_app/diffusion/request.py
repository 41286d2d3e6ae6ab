"""What a person asks for: one run of a model, checked before anything is loaded."""

from dataclasses import asdict, dataclass
from typing import Any

from sculptor_app.diffusion.errors import SculptError

SAMPLERS = ("ddim", "ddpm", "dpmpp-2m", "euler", "euler-a", "heun", "unipc")
"""Identifiers of the samplers on offer, in the order in which they are shown."""

SAMPLER_NAMES = {
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "dpmpp-2m": "DPM-Solver++ 2M",
    "euler": "Euler",
    "euler-a": "Euler ancestral",
    "heun": "Heun",
    "unipc": "UniPC",
}

FORMS = ("bust", "figure", "seated", "head", "vase", "ring", "animal", "column")
"""Forms of the embedded model, in the order of its labels."""

MATERIALS = ("marble", "bronze", "verdigris", "terracotta", "basalt", "sandstone")
"""Materials of the embedded model, in the order of its labels."""

MAX_STEPS = 1000
MAX_SEED = 2**63 - 1
MAX_GUIDANCE = 30.0


class RequestError(SculptError, ValueError):
    """A request that cannot be run; its text is one sentence that names the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class SculptRequest:
    """The settings of one run.

    Attributes:
        form: one of FORMS, or None to leave it to the model.
        material: one of MATERIALS, or None to leave it to the model.
        seed: 0..MAX_SEED, of the CPU generator that draws the starting noise: it means the same on every device.
        steps: reverse steps, 1..MAX_STEPS.
        sampler: one of SAMPLERS.
        guidance: classifier-free guidance scale, 0..MAX_GUIDANCE; 1 is none.
        device: "auto", "cpu", "cuda", "cuda:0", "mps", ...
        model: folder of a model in diffusers' format; None is the embedded one.

    Raises:
        RequestError: when a value is outside what is allowed.
    """

    form: str | None = None
    material: str | None = None
    seed: int = 7
    steps: int = 50
    sampler: str = "ddim"
    guidance: float = 2.0
    device: str = "auto"
    model: str | None = None

    def __post_init__(self) -> None:
        _one_of("form", self.form, FORMS)
        _one_of("material", self.material, MATERIALS)
        _one_of("sampler", self.sampler or "", SAMPLERS)
        _whole("steps", self.steps)
        _whole("seed", self.seed)
        _within("steps", self.steps, 1, MAX_STEPS)
        _within("seed", self.seed, 0, MAX_SEED)
        _within("guidance", self.guidance, 0, MAX_GUIDANCE)

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, as they travel in exported files."""
        return asdict(self)


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
