"""What a person typed, read into a request, or the one sentence that says why it cannot be run."""

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.requests.request import (
    MAX_GUIDANCE,
    MAX_SEED,
    MAX_STEPS,
    Lora,
    OptionValue,
    RequestError,
    RunRequest,
)
from sculptor_app.core.texts import number_text
from sculptor_app.ui.widgets.names import display

translate = QCoreApplication.translate  # a name that lupdate knows


@dataclass(frozen=True, slots=True)
class FormFields:
    """The controls' contents as they stand."""

    form: str | None = None  # form, material: chosen word, None for "left to the model"
    material: str | None = None
    seed: str = "7"  # seed, steps, guidance: text as typed
    steps: str = "50"
    sampler: str = "ddim"  # an id of SAMPLERS
    guidance: str = "2.0"
    device: str = "auto"  # id of a device, or "auto"
    model: str | None = None  # folder of a model, None for the embedded one
    options: tuple[tuple[str, OptionValue], ...] = ()  # the model's other parameters, by name
    loras: tuple[Lora, ...] = ()  # those that are ticked
    has_guidance: bool = True  # whether the model knows guidance


@dataclass(frozen=True, slots=True)
class FieldError:
    """Why the form cannot be run."""

    field: str  # "seed", "steps", "guidance" or the name of a model's own parameter
    sentence: str  # what is wrong with the value and what is allowed


def read_form(fields: FormFields) -> RunRequest | tuple[FieldError, ...]:
    """The request that the controls describe, or everything that is wrong with them."""
    seed, steps = _seed(fields.seed), _steps(fields.steps)
    guidance = _guidance(fields.guidance) if fields.has_guidance else None
    if isinstance(seed, FieldError) or isinstance(steps, FieldError) or isinstance(guidance, FieldError):
        return tuple(value for value in (seed, steps, guidance) if isinstance(value, FieldError))
    try:
        return RunRequest(
            form=fields.form, material=fields.material, seed=seed, steps=steps, sampler=fields.sampler,
            guidance=guidance, device=fields.device, model=fields.model, options=fields.options,
            loras=fields.loras,
        )  # fmt: skip
    except RequestError as error:  # what its fields make together, as the strength and the number of steps
        return (FieldError("steps", display(error.message)),)


def _whole_number(text: str) -> int | None:
    """The whole number in a text, None where there is none; digits of any script, as int() reads them."""
    text = text.strip()
    sign, digits = (text[:1], text[1:]) if text[:1] in ("-", "+") else ("", text)
    # A number of thousands of digits would be refused by int() with another sentence than ours.
    if not digits.isdecimal() or len(digits) > 100:
        return None
    return int(sign + digits)


def _seed(text: str) -> int | FieldError:
    if not text.strip():
        return FieldError("seed", translate("Form", "The seed is empty: type a whole number, or press New."))
    seed = _whole_number(text)
    if seed is None:
        return FieldError(
            "seed", translate("Form", "“{0}” is no whole number: a seed is 0 to 2⁶³ − 1.").format(_short(text))
        )
    if not 0 <= seed <= MAX_SEED:
        return FieldError(
            "seed", translate("Form", "The seed {0} is out of range: choose 0 to 2⁶³ − 1.").format(_short(text))
        )
    return seed


def _steps(text: str) -> int | FieldError:
    steps = _whole_number(text)
    if steps is None:
        if not text.strip():
            return FieldError(
                "steps", translate("Form", "The number of steps is empty: choose 1 to {0}.").format(MAX_STEPS)
            )
        sentence = translate("Form", "“{0}” is no whole number of steps: choose 1 to {1}.")
        return FieldError("steps", sentence.format(_short(text), MAX_STEPS))
    if not 1 <= steps <= MAX_STEPS:
        return FieldError(
            "steps", translate("Form", "{0} steps cannot be run: choose 1 to {1}.").format(_short(text), MAX_STEPS)
        )
    return steps


def _guidance(text: str) -> float | FieldError:
    try:
        guidance = float(text.strip().replace(",", "."))
    except ValueError:
        guidance = float("nan")
    if not 0 <= guidance <= MAX_GUIDANCE:
        shown = _short(text) or translate("Form", "empty")
        sentence = translate("Form", "The guidance is {0}: choose 0 to {1}; 1 is none.")
        return FieldError("guidance", sentence.format(shown, number_text(MAX_GUIDANCE)))
    return guidance


def _short(text: str, most: int = 24) -> str:
    """The text on one line, cut where it would push a sentence out of the panel."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
