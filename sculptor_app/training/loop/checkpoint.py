"""Checkpoints: written atomically, resumed under conditions, and exported as model folders."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch

from sculptor_app import __version__
from sculptor_app.core.files import is_file, is_folder, is_there
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.errors import (
    ArchitectureChanged,
    BadInput,
    CheckpointDamaged,
    CheckpointVersionError,
    NoCheckpoint,
    SettingsChanged,
)
from sculptor_app.training.evaluation.pictures import TRAINING_FILE
from sculptor_app.training.files import not_written, whole_file, whole_folder
from sculptor_app.training.network import TrainableModule, build, with_weights_of
from sculptor_app.training.records.events import EDGES
from sculptor_app.training.records.plan import Recipe

INDEX = "model_index.json"
UNTOUCHED = ("report_every", "checkpoint_every", "sample_every")
"""Settings that nothing learned depends on."""
VERSION = 2
"""Of what a checkpoint holds; one of another version is refused, not guessed at."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint beside its place, flush it to the disk, then put it in place in one go.

    Raises:
        NotWritten: The disk is full or cannot be written; the checkpoint before is still there.
    """
    unharmed = translate("errors", "The checkpoint before it is whole.") if path.exists() else ""
    with whole_file(path, unharmed) as file:
        torch.save({"version": VERSION, **state}, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's tensors and plain values; `CheckpointError` if it is damaged, or another version's."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        version = state.get("version", 1)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointDamaged(translate("errors", "{0} is damaged ({1}).").format(path, reason)) from error
    if version != VERSION:
        raise CheckpointVersionError(
            translate("errors", "{0} was written by another version of this program.").format(path)
        )
    return state


def refuse_changes(folder: Path, was: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to go on with a run that began with something else.

    Args:
        was: What the run began with, by the option that chooses it.
        now: The same of the command that is to go on.

    Raises:
        SettingsChanged: Something differs; the sentence names the first.
    """
    for option in [*was, *(option for option in now if option not in was)]:
        before, after = was.get(option), now.get(option)
        if before != after:
            raise SettingsChanged(
                translate("errors", "The run in {0} began with {1} {2}, not {3}.").format(
                    folder, option, _word(before), _word(after)
                )
            )


def refuse_other_architecture(folder: Path, was: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse (`ArchitectureChanged`) weights that this version of the program would put into another network."""
    parts = sorted(part for part in was.keys() | now.keys() if was.get(part) != now.get(part))
    if parts:
        raise ArchitectureChanged(
            translate("errors", "The run in {0} began with another architecture ({1}).").format(
                folder, ", ".join(parts)
            )
        )


def changes(was: dict[str, Any], now: dict[str, Any]) -> str:
    """A sentence about settings that change what is learned from here on; empty if none does."""
    defaults = {field.name: field.default for field in fields(Recipe) if field.default is not MISSING}
    known = defaults | was
    parts = [f"{name.replace('_', ' ')} {_word(value)} instead of {_word(known[name])}" for name, value in now.items()
             if name in known and name not in UNTOUCHED and known[name] != value]  # fmt: skip
    if not parts:
        return ""
    return translate(
        "errors", "From here on with {0}: the run will not be bit for bit what it would have been."
    ).format(", ".join(parts))


def _word(value: Any) -> str:
    if value is None or value == "":
        return "none"
    return ",".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)


def training_facts(state: dict[str, Any]) -> dict[str, Any]:
    """Description of a model's training, for its folder.

    Returns:
        `render_seeds`: [first seed, count] of the rendered pictures, none of a person's own; `pictures`: how many
        different ones there were; `pictures_seen`: repeats counted; and recipe, loss, machine, command by their names.
    """
    facts = state["facts"]
    return {
        "render_seeds": facts["render_seeds"],
        "pictures": facts["pictures"],
        "pictures_seen": state["seen"],
        "minutes": round(state["elapsed_s"] / 60, 1),
        "recipe": state["settings"],
        "loss_by_log_snr": facts["loss_by_log_snr"],
        "edges": list(EDGES),
        "machine": facts["machine"],
        "command": facts["command"],
        "version": __version__,
    }


def export_checkpoint(checkpoint: Path, folder: Path) -> None:
    """Write the averaged weights of a checkpoint as a model folder.

    Raises:
        NoCheckpoint: There is none.
        BadInput: The folder holds something else than a model.
        CheckpointError: It cannot be read.
        NotWritten: The disk did not take the model.
    """
    if not is_file(checkpoint):
        raise NoCheckpoint(translate("errors", "There is no checkpoint {0}.").format(checkpoint))
    state = load_checkpoint(checkpoint)
    pipeline = build(state["blueprint"])
    learner = TrainableModule(pipeline)
    learner.load_state_dict(state["average"])
    write_model(with_weights_of(learner, pipeline), folder, training_facts(state))


def write_model(pipeline: SculptorPipeline, folder: Path, facts: dict[str, Any]) -> None:
    """Write a model folder beside its place, then put it in place.

    Args:
        folder: A model that is there is replaced when the new one is complete.

    Raises:
        BadInput: The folder holds something else than a model.
        NotWritten: The disk did not take it; what was there before is whole.
    """
    refuse_other_folder(folder)
    with whole_folder(folder) as beside:
        pipeline.save_pretrained(beside)
        (beside / TRAINING_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def refuse_other_folder(folder: Path) -> None:
    """Refuse (`BadInput`) to put a model where a file, or a folder with anything but a model, is.

    Raises:
        NotWritten: It may not be looked into.
    """
    if not is_there(folder) or is_file(folder / INDEX):
        return
    try:
        is_empty = is_folder(folder) and not any(folder.iterdir())
    except OSError as error:
        raise not_written(folder, error) from error
    if not is_empty:
        raise BadInput(
            translate("errors", "{0} is there already and is no model.").format(folder),
            translate("errors", "Choose another name, or move it away."),
        )
