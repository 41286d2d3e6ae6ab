"""The model that training leaves behind: a diffusers folder with the story of how it was learned, all in one go."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sculptor_app import __version__, folders
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.errors import BadInput, NoCheckpoint
from sculptor_app.training.files import not_written
from sculptor_app.training.loop.checkpoint import load_checkpoint
from sculptor_app.training.loop.report import EDGES
from sculptor_app.training.network.blueprint import build
from sculptor_app.training.network.trainable import Learner, with_weights_of

STORY = "training.json"
INDEX = "model_index.json"


def story_of(state: dict[str, Any]) -> dict[str, Any]:
    """What a model tells of its training.

    Args:
        state: A checkpoint's content.

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
    if not checkpoint.is_file():
        raise NoCheckpoint(f"There is no checkpoint {checkpoint}.")
    state = load_checkpoint(checkpoint)
    pipeline = build(state["blueprint"])
    learner = Learner(pipeline)
    learner.load_state_dict(state["average"])
    write_model(with_weights_of(learner, pipeline), folder, story_of(state))


def write_model(pipeline: SculptorPipeline, folder: Path, story: dict[str, Any]) -> None:
    """Write a model folder beside its place, then put it in place.

    Args:
        pipeline: The model.
        folder: A model that is there is replaced when the new one is complete.
        story: Goes into the folder as `training.json`.

    Raises:
        BadInput: The folder holds something else than a model.
        NotWritten: The disk did not take it; what was there before is whole.
    """
    refuse_other_folder(folder)
    with _folder_written_whole(folder) as beside:
        pipeline.save_pretrained(beside)
        (beside / STORY).write_text(json.dumps(story, indent=2) + "\n", encoding="utf-8")


def refuse_other_folder(folder: Path) -> None:
    """Refuse to put a model where something else is.

    Raises:
        BadInput: There is a file, or a folder with something in it that is no model.
    """
    if folder.exists() and not (folder / INDEX).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise BadInput(f"{folder} is there already and is no model.", "Choose another name, or move it away.")


@contextmanager
def _folder_written_whole(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends well."""
    folder = Path(os.path.realpath(folder))
    beside, before = (folder.with_name(f".{folder.name}.{word}") for word in ("partial", "before"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if before.exists() and not folder.exists():  # killed between two renames
            before.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
        beside.mkdir()
        yield beside
        _flush(beside)
        _swap(beside, folder, before)
    except Exception as error:  # safetensors has an error of its own for a full disk
        raise not_written(folder, error, "What was there before is whole." if folder.exists() else "") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _swap(beside: Path, folder: Path, before: Path) -> None:
    if not folder.exists():
        beside.rename(folder)
    else:
        shutil.rmtree(before, ignore_errors=True)
        folder.rename(before)
        try:
            beside.rename(folder)
        except BaseException:  # an impatient Ctrl-C, too
            before.rename(folder)
            raise
        shutil.rmtree(before, ignore_errors=True)
    folders.sync(folder.parent)


def _flush(folder: Path) -> None:
    """Have all files on the disk before the folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
