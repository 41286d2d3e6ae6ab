"""What each model was told last, so that who comes back to it finds it as it was left."""

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
class Told:
    """The settings of one model, as they stand in its fields."""

    choices: dict[str, str | None] = field(default_factory=dict)  # by field; None is "left to the model"
    texts: dict[str, str] = field(default_factory=dict)  # what was typed, by field
    options: dict[str, OptionValue] = field(default_factory=dict)  # what else it was told, by name


class ToldModels:
    """Remembers a few models, the newest first; None is the embedded one."""

    def __init__(self) -> None:
        self._of: dict[str | None, Told] = {}

    def of(self, model: str | None) -> Told:
        """What a model was told last; empty where nobody knows."""
        return self._of.get(model, Told())

    def keep(self, model: str | None, told: Told) -> None:
        self._of = {model: told, **{key: value for key, value in self._of.items() if key != model}}
        while len(self._of) > MOST_MODELS:
            self._of.popitem()

    def save(self, settings: QSettings) -> None:
        """Write them down."""
        kept = [[model, asdict(told)] for model, told in self._of.items()]
        settings.setValue(KEY, json.dumps([pair for pair in kept if len(json.dumps(pair)) <= MOST_TEXT]))

    def restore(self, settings: QSettings) -> None:
        """Read what was written down; whatever cannot be read is forgotten."""
        try:
            kept = json.loads(str(settings.value(KEY, "[]")))
            self._of = {_model(model): Told(**told) for model, told in kept[:MOST_MODELS] if _is_told(told)}
        except (ValueError, TypeError, RecursionError):
            self._of = {}


def _model(model: object) -> str | None:
    if model is None or isinstance(model, str):
        return model
    raise TypeError(f"{model!r} is no model")


def _is_told(told: object) -> bool:
    return isinstance(told, dict) and all(isinstance(part, dict) for part in told.values())
