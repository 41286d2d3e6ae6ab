"""The settings that travel in exported files, so that a picture can be made again."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from sculptor_app import __version__
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.exports.animation.plan import RunGrid
from sculptor_app.exports.errors import ExportError

APPLICATION = "Sculptor"


def settings_text(trajectory: AnyTrajectory, export: dict[str, Any]) -> str:
    """Everything that a run was made with, and how it was exported, as JSON in ASCII.

    Of a run that shares its first steps with another, `forks` says up to which step it was what, oldest first.

    Args:
        trajectory: the run.
        export: the export's own settings by name.
    """
    info = trajectory.info
    request = info.request.as_dict()
    if not info.is_of_a_model:  # no model took part: what else a request holds would be a tale
        request = {name: request[name] for name in ("seed", "steps")}
    content = {
        "application": APPLICATION,
        "version": info.app_version or __version__,
        "origin": info.origin,
        "first_step": info.first_step,
        "request": request,
        "forks": [{"step": each.step, "request": each.request.as_dict()} for each in info.forks],
        "model_name": info.model_name,
        "device_name": info.device_name,
        "sampler_name": info.sampler_name,
        "created": info.created,
        "steps_taken": trajectory.last,
        "export": export,
    }
    return json.dumps(content)


def grid_settings_text(grid: RunGrid, export: dict[str, Any]) -> str:
    """Everything that many runs were made with, and how they were exported, as JSON in ASCII.

    What was painted is there once, as `strokes`; of each run stands how many of them, the first ones, are its own.

    Args:
        grid: the runs.
        export: the export's own settings by name.
    """
    info = grid.lead_run.info
    strokes = max((cell.noise.strokes for cell in grid.cells), key=len)
    content = {
        "application": APPLICATION,
        "version": info.app_version or __version__,
        "model_name": info.model_name,
        "device_name": info.device_name,
        "sampler_name": info.sampler_name,
        "created": info.created,
        "steps_taken": grid.lead_run.last,
        "runs": [
            {
                "request": run.info.request.as_dict(),
                "noise": asdict(replace(cell.noise, strokes=())) | {"strokes": len(cell.noise.strokes)},
            }
            for run, cell in zip(grid.runs, grid.cells, strict=True)
        ],
        "strokes": [asdict(stroke) for stroke in strokes],
        "export": export,
    }
    return json.dumps(content)


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a GIF or PNG that was exported here.

    Raises:
        ExportError: the file cannot be read, or holds no settings of this program.
    """
    try:
        with Image.open(path) as image:
            text = image.info.get("comment", b"")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ExportError(f"{path} cannot be read as a picture.", "Choose a GIF or PNG.") from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("application") != APPLICATION:
        raise ExportError(f"{path} carries no settings of a run.", f"Choose a picture that {APPLICATION} exported.")
    return content
