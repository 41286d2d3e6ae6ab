"""Going on with a run: what must be as it was, and what may change but is said."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from sculptor_app.training.errors import ArchitectureChanged, SettingsChanged
from sculptor_app.training.loop.recipe import Recipe

UNTOUCHED = ("report_every", "checkpoint_every", "sample_every")
"""Settings that nothing learned depends on."""


def refuse_changes(folder: Path, was: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to go on with a run that began with something else.

    Args:
        folder: Of the run.
        was: What the run began with, by the option that chooses it.
        now: The same of the command that is to go on.

    Raises:
        SettingsChanged: Something differs; the sentence names the first.
    """
    for option in [*was, *(option for option in now if option not in was)]:
        before, after = was.get(option), now.get(option)
        if before != after:
            raise SettingsChanged(f"The run in {folder} began with {option} {_word(before)}, not {_word(after)}.")


def refuse_other_architecture(folder: Path, was: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse weights that this version of the program would put into another network.

    Raises:
        ArchitectureChanged: The blueprints differ.
    """
    parts = sorted(part for part in was.keys() | now.keys() if was.get(part) != now.get(part))
    if parts:
        raise ArchitectureChanged(f"The run in {folder} began with another architecture ({', '.join(parts)}).")


def changes(was: dict[str, Any], now: dict[str, Any]) -> str:
    """A sentence about settings that change what is learned from here on; empty if none does.

    Args:
        was: The settings of the checkpoint.
        now: Those of the command that goes on.
    """
    defaults = {field.name: field.default for field in fields(Recipe) if field.default is not MISSING}
    known = defaults | was
    parts = [f"{name.replace('_', ' ')} {_word(value)} instead of {_word(known[name])}" for name, value in now.items()
             if name in known and name not in UNTOUCHED and known[name] != value]  # fmt: skip
    if not parts:
        return ""
    return f"From here on with {', '.join(parts)}: the run will not be bit for bit what it would have been."


def _word(value: Any) -> str:
    if value is None or value == "":
        return "none"
    return ",".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
