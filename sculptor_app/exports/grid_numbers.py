"""The numbers of many runs as one table."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from threading import Event

from sculptor_app.core.requests.grid import Cell
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.exports.animation.run_grid import RunGrid
from sculptor_app.exports.atomic import check_target, replacing
from sculptor_app.exports.errors import ExportCancelled
from sculptor_app.exports.numbers import COLUMNS, table_rows
from sculptor_app.measures.run_measures import RunMeasures

GRID_COLUMNS = ("run", "form", "material", "seed", "noise", *COLUMNS)
"""Names of the columns; "noise" is empty where the seed alone says it."""


def write_grid_csv(
    path: Path, grid: RunGrid, progress: Callable[[int, int], None] | None = None, stop: Event | None = None
) -> None:
    """Write one row per run and state, in UTF-8; every state is measured for it.

    Args:
        path: the file to make or replace; whole or untouched, whatever happens.
        grid: the runs, as far as they are now.
        progress: told the states that are measured and the states in all.
        stop: set to give up before the next state.

    Raises:
        ExportError: the file could not be written.
        ExportCancelled: `stop` was set.
    """
    check_target(path)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(GRID_COLUMNS)
    lasts = [run.last for run in grid.runs]
    total, done = sum(lasts) + len(lasts), 0

    def tell() -> None:
        nonlocal done
        done += 1
        if stop is not None and stop.is_set():
            raise ExportCancelled
        if progress is not None:
            progress(done, total)

    for number, (run, cell, last) in enumerate(zip(grid.runs, grid.cells, lasts, strict=True), start=1):
        measures = _measured(run, last, tell)
        writer.writerows([number, *_what(cell), *row] for row in table_rows(run, measures))
    with replacing(path) as file:
        file.write(text.getvalue().encode("utf-8"))


def _measured(run: AnyTrajectory, last: int, tell: Callable[[], None]) -> RunMeasures:
    measures = RunMeasures(run.planned_steps, run.info.space)
    for k in range(last + 1):
        measures.append(run, k)
        tell()
    return measures


def _what(cell: Cell) -> tuple[object, ...]:
    return cell.form or "", cell.material or "", cell.noise.seed, cell.noise.words
