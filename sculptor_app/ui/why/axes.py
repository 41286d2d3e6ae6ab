"""The axes of a grid of two settings: which there are, their values as people write them, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.requests.request import MOST_CELLS, Cell, NoiseRecipe, RequestError
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, SAMPLERS
from sculptor_app.core.texts import number_text, plural
from sculptor_app.ui.widgets.names import display, form_name, material_name

translate = QCoreApplication.translate  # a name that lupdate knows

NONE = ""
"""The key of an axis that is not there."""
_NUMBERS = {"steps": int, "guidance": float, "seed": int}
_FIRST_VALUES = {"steps": "5, 10, 20, 50", "guidance": "0, 1, 2, 4", "seed": "1, 2, 3, 4"}
_FIRST_SAMPLERS = ("ddim", "dpmpp-2m", "unipc", "heun")


@dataclass(frozen=True, slots=True)
class KnownLabels:
    """The labels that the model at hand has."""

    forms: tuple[str, ...]
    materials: tuple[str, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Keys of the settings that can be an axis."""
        labels = [key for key, known in (("form", self.forms), ("material", self.materials)) if len(known) > 1]
        return ("sampler", "steps", "guidance", "seed", *labels) if labels else ("sampler", "steps", "seed")

    def words(self, key: str) -> dict[str, str]:
        """The values of a setting that has words, and what they are called."""
        match key:
            case "sampler":
                return {each: display(SAMPLERS[each].label) for each in EMBEDDED_SAMPLERS}
            case "form":
                return {each: form_name(each) for each in self.forms}
            case "material":
                return {each: material_name(each) for each in self.materials}
        return {}

    def first_values(self, key: str) -> str:
        """What stands in the field of an axis at first."""
        if key in _NUMBERS:
            return _FIRST_VALUES[key]
        words = self.words(key)
        chosen = _FIRST_SAMPLERS if key == "sampler" else tuple(words)
        return ", ".join(words[each] for each in chosen)

    def read(self, key: str, text: str) -> tuple[Any, ...]:
        """The values in a text, parted by commas; `RequestError` says which is none.

        Words may be those of the interface or of the command line, in any case.
        """
        parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
        if not parts:
            raise RequestError(translate("Why", "An axis has no values; write them with commas between them."))
        if len(parts) > MOST_CELLS:
            raise RequestError(
                translate("Why", "An axis has {0} values; {1} are the most.").format(len(parts), MOST_CELLS)
            )
        values = tuple(self._one(key, part) for part in parts)
        if len(set(values)) < len(values):
            twice = next(part for place, part in enumerate(parts) if values[place] in values[:place])
            raise RequestError(translate("Why", "“{0}” is there twice; leave one out.").format(twice))
        return values

    def _one(self, key: str, part: str) -> Any:
        if key in _NUMBERS:
            try:
                return _NUMBERS[key](part)
            except ValueError as error:
                said = translate("Why", "“{0}” is no number; write them with commas between them, as in {1}.")
                raise RequestError(said.format(part[:40], _FIRST_VALUES[key])) from error
        words = self.words(key)
        for value, word in words.items():
            if part.casefold() in (value.casefold(), word.casefold()):
                return value
        known = ", ".join(words.values())
        raise RequestError(translate("Why", "“{0}” is not known; there are {1}.").format(part[:40], known))

    def written(self, key: str, values: Sequence[Any]) -> str:
        """Values as they stand in the field."""
        words = self.words(key)
        return ", ".join(words.get(each, "") or number_text(each) for each in values)


def axis_name(key: str) -> str:
    """What an axis is called."""
    return {
        "sampler": translate("Why", "Sampler"), "steps": translate("Why", "Steps"),
        "guidance": translate("Why", "Guidance"), "seed": translate("Why", "Seed"), "form": translate("Why", "Form"),
        "material": translate("Why", "Material"),
    }.get(key, translate("Why", "none"))  # fmt: skip


def value_title(key: str, value: Any) -> str:
    """What stands over a column, or beside a row."""
    match key:
        case "sampler":
            return display(SAMPLERS[value].label)
        case "form":
            return form_name(value)
        case "material":
            return material_name(value)
        case "steps":
            return plural(value, translate("Why", "1 step"), translate("Why", "{0} steps")).format(value)
        case "guidance":
            return translate("Why", "guidance {0}").format(number_text(value))
    return translate("Why", "seed {0}").format(value)


def with_value(cell: Cell, key: str, value: Any) -> Cell:
    """A cell with another value of a setting."""
    return replace(cell, noise=NoiseRecipe(value)) if key == "seed" else replace(cell, **{key: value})
