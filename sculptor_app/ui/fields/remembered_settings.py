"""The last settings of each model, remembered so that a model opened again has them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from PySide6.QtCore import QSettings

from sculptor_app.core.requests.request import OptionValue

MOST_MODELS = 16
MOST_TEXT = 20_000
"""Characters of one model's values; a longer prompt is not kept."""
KEY = "models/told"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The settings of one model, as they stand in its fields."""

    choices: dict[str, str | None] = field(default_factory=dict)  # by field; None is "left to the model"
    texts: dict[str, str] = field(default_factory=dict)  # what was typed, by field
    options: dict[str, OptionValue] = field(default_factory=dict)  # of its own parameters, by name
    # Weight as typed and whether it is ticked, by the path of the LoRA's file.
    loras: dict[str, list[str | bool]] = field(default_factory=dict)


class RememberedSettings:
    """Remembers a few models, the newest first; None is the embedded one."""

    def __init__(self) -> None:
        self._of: dict[str | None, ModelSettings] = {}

    def of(self, model: str | None) -> ModelSettings:
        """The last settings of a model; empty where none are remembered."""
        return self._of.get(model, ModelSettings())

    def keep(self, model: str | None, values: ModelSettings) -> None:
        self._of = {model: values, **{key: value for key, value in self._of.items() if key != model}}
        while len(self._of) > MOST_MODELS:
            self._of.popitem()

    def save(self, settings: QSettings) -> None:
        """Write them down."""
        kept = [[model, asdict(values)] for model, values in self._of.items()]
        settings.setValue(KEY, json.dumps([pair for pair in kept if len(json.dumps(pair)) <= MOST_TEXT]))

    def restore(self, settings: QSettings) -> None:
        """Read what was written down; whatever cannot be read is forgotten."""
        try:
            kept = json.loads(str(settings.value(KEY, "[]")))
            self._of = {
                _model(model): ModelSettings(**values) for model, values in kept[:MOST_MODELS] if _is_settings(values)
            }
        except (ValueError, TypeError, RecursionError):
            self._of = {}


def _model(model: object) -> str | None:
    if model is None or isinstance(model, str):
        return model
    raise TypeError(f"{model!r} is no model")


def _is_settings(values: object) -> bool:
    return isinstance(values, dict) and all(isinstance(part, dict) for part in values.values())
