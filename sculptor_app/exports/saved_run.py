"""Runs saved with everything that was recorded of them, as far as it may be told."""

import threading
from dataclasses import replace
from pathlib import Path

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import translate, without_secrets
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.file import write_run
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.animation.plan import RunGrid, RunOrGrid
from sculptor_app.exports.files import ExportCancelled, ExportError, Progress, replacing
from sculptor_app.exports.settings import told_conditions, told_origin, told_request


def write_sculpt(
    path: Path,
    source: RunOrGrid,
    is_compact: bool = False,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
) -> None:
    """Save a run as far as it has come; see `core.trajectory.file.write_run`.

    Raises:
        ExportError: the file could not be written, or there are many runs.
        ExportCancelled: it was stopped.
        TrajectoryFileError: the run holds what cannot be saved.
    """
    if isinstance(source, RunGrid):
        raise ExportError(
            translate("errors", "Many runs cannot be saved as one."), translate("errors", "Save a sheet or a table.")
        )
    try:
        with replacing(path) as file:
            info = told_info(source.undecoded.info, disclosure)
            tells = disclosure is not Disclosure.PRIVATE
            write_run(file, source, info=info, compact=is_compact, with_start=tells, stop=stop, progress=progress)
    except Cancelled as cancelled:
        raise ExportCancelled from cancelled


def told_info(info: RunInfo, disclosure: Disclosure) -> RunInfo:
    """The record of a run as far as it may be told."""

    def told(request: RunRequest) -> RunRequest:
        return RunRequest(**told_request(request, info.model_name, disclosure))

    return replace(
        info,
        request=told(info.request),
        conditions=told_conditions(info, disclosure),
        origin=told_origin(info, disclosure),
        note=without_secrets(info.note),
        forks=tuple(replace(each, request=told(each.request)) for each in info.forks),
    )
