"""What a run's folder tells without the model: its plan, its log, its rows of growth; no torch is needed for it."""

from __future__ import annotations

from pathlib import Path

from sculptor_app.training.errors import BadInput
from sculptor_app.training.loop.events import RunSeen
from sculptor_app.training.loop.growth_rows import GrowthFolder
from sculptor_app.training.loop.plan import load_plan
from sculptor_app.training.loop.report import read_log

CHECKPOINT, LOG, MODEL, RENDERS = "checkpoint.pt", "log.jsonl", "model", "renders"


def look_at(folder: Path) -> RunSeen | None:
    """The run in a folder; None where there is none and one can be begun.

    Raises:
        BadInput: Something else is in it.
        CheckpointError: Its plan cannot be read.
    """
    plan = load_plan(folder)
    if plan is None:
        refuse_strangers(folder)
        return None
    reports = tuple(read_log(folder / LOG))
    rows = GrowthFolder(folder).rows()
    pictures = max([0, *(report.pictures for report in reports[-1:]), *rows[-1:]])
    return RunSeen(folder, plan, pictures, reports, rows)


def refuse_strangers(folder: Path) -> None:
    """Refuse a folder without a plan in which a run cannot be begun.

    Raises:
        BadInput: It is a file, or something other than a run of a window, or the renders for one, is in it.
    """
    if folder.is_file():
        raise BadInput(f"{folder} is a file.", "Choose a folder for the run.")
    if (folder / CHECKPOINT).exists():
        raise BadInput(
            f"The run in {folder} was begun by `sculptor-app train`.",
            "Go on with it there, or choose another folder.",
        )
    if folder.is_dir() and any(not path.name.startswith(".") and path.name != RENDERS for path in folder.iterdir()):
        raise BadInput(f"{folder} holds other things already.", "Choose an empty or a new folder for the run.")
