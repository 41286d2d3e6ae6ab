"""The settings that travel in exported files, so that a picture can be made again."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from sculptor_app import __version__
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.levels import SETTLING_RULES
from sculptor_app.exports.animation.plan import RunGrid, RunOrGrid
from sculptor_app.exports.files import ExportError
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS

APPLICATION = "Sculptor"


def settled_steps(measures: RunMeasures) -> dict[str, dict[str, int | None]]:
    """The measured phases: by rule and band the step from which it stayed settled; empty where nothing has."""
    by_rule = {rule: measures.settled(rule) for rule in SETTLING_RULES}
    return {
        rule: {band.name: step for band, step in zip(BANDS, steps, strict=True)}
        for rule, steps in by_rule.items()
        if steps != (None,) * len(BANDS)
    }


def settings_text(source: RunOrGrid, export: dict[str, Any], measures: RunMeasures | None = None) -> str:
    """Everything that a run, or each of many, was made with, and how it was exported, as JSON in ASCII.

    Of a run that shares its first steps with another, `forks` says up to which step it was what, oldest first. Of many
    runs, what was painted is there once, as `strokes`; each run says how many of them, the first ones, are its own.
    With its measures, a finished run says at which steps its bands settled, as `settled`.
    """
    run = source.lead_run if isinstance(source, RunGrid) else source
    program = {"application": APPLICATION, "version": run.info.app_version or __version__}
    common = {
        "model_name": run.info.model_name,
        "device_name": run.info.device_name,
        "sampler_name": run.info.sampler_name,
        "created": run.info.created,
        "steps_taken": run.last,
    }
    own = common | _runs(source) if isinstance(source, RunGrid) else _request(source) | common
    settled = {} if measures is None else settled_steps(measures)
    return json.dumps(program | own | ({"settled": settled} if settled else {}) | {"export": export})


def _request(run: AnyTrajectory) -> dict[str, Any]:
    info = run.info
    request = info.request.as_dict()
    if not info.is_of_a_model:  # no model took part: what else a request holds would be untrue
        request = {name: request[name] for name in ("seed", "steps")}
    return {
        "origin": info.origin,
        "first_step": info.first_step,
        "request": request,
        "forks": [{"step": each.step, "request": each.request.as_dict()} for each in info.forks],
    }


def _runs(grid: RunGrid) -> dict[str, Any]:
    """What each of many runs was asked for, and made from."""
    strokes = max((cell.noise.strokes for cell in grid.cells), key=len)
    runs = [
        {
            "request": run.info.request.as_dict(),
            "noise": asdict(replace(cell.noise, strokes=())) | {"strokes": len(cell.noise.strokes)},
        }
        for run, cell in zip(grid.runs, grid.cells, strict=True)
    ]
    return {"runs": runs, "strokes": [asdict(stroke) for stroke in strokes]}


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a GIF or PNG that was exported here; `ExportError` if it cannot be read or holds none."""
    try:
        with Image.open(path, formats=("GIF", "PNG")) as image:  # what is exported here
            text = image.info.get("comment", b"")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ExportError(
            translate("errors", "{0} cannot be read as a picture.").format(path),
            translate("errors", "Choose a GIF or PNG."),
        ) from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("application") != APPLICATION:
        raise ExportError(
            translate("errors", "{0} carries no settings of a run.").format(path),
            translate("errors", "Choose a picture that {0} exported.").format(APPLICATION),
        )
    return content
