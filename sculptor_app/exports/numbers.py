"""Tables of numbers: one run, or many, state by state, as CSV."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.levels import NoiseLevel, phase_of
from sculptor_app.exports.animation.plan import RunGrid, RunOrGrid
from sculptor_app.exports.files import ExportCancelled, Progress, check_target, replacing
from sculptor_app.measures.forward import bands_below_noise, noise_floor
from sculptor_app.measures.run_measures import RunMeasures, Source
from sculptor_app.measures.spectrum import BANDS, Spectrum

_SOURCES: dict[Source, str] = {"guess": "guess", "state": "noisy"}
_FIXED = ("step", "phase", "timestep", "SNR before step (ratio)", "SNR after step (ratio)", "time (ms)")
_UNIT = "cycles/image along its longer side, white noise = 1"
_BAND_COLUMNS = tuple(
    f"{name} {band.name} power ({band.range_text.replace('–', '-')} {_UNIT})"
    for name in _SOURCES.values()
    for band in BANDS
)
_NOISE_COLUMNS = ("noise floor (power, white noise = 1)", "drowned bands (of the finished picture)")
COLUMNS = (*_FIXED, *_BAND_COLUMNS, *_NOISE_COLUMNS)
"""Names of the columns, with units.

The noise floor is the power that the noise is expected to have in the noisy state; a band is below it where it is
stronger than what the level leaves of the finished picture, which is known once the run is complete. Where a level is
not known, its phase, its SNR and its noise are not, either.
"""


GRID_COLUMNS = ("run", "form", "material", "seed", "noise", *COLUMNS)
"""Names of the columns; "noise" is empty where the seed alone says it."""


def write_csv(
    path: Path,
    source: RunOrGrid,
    measures: RunMeasures | None = None,
    progress: Progress | None = None,
    stop: Event | None = None,
) -> None:
    """Write one row per state, 0 to the last, in UTF-8; cells without a value are empty.

    Args:
        path: the file to make or replace; whole or untouched, whatever happens.
        source: the run; or many, as far as they are now, of which every state is measured.
        measures: a run's band energies; None has them measured.
        progress: called with the states of many runs that are measured, and the states in all.
        stop: set to give up before the next state of many runs.

    Raises:
        ExportError: the file could not be written.
        ExportCancelled: `stop` was set.
    """
    check_target(path)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if isinstance(source, RunGrid):
        writer.writerow(GRID_COLUMNS)
        writer.writerows(_grid_rows(source, progress, stop))
    else:
        writer.writerow(COLUMNS)
        writer.writerows(table_rows(source, measures or RunMeasures.of(source)))
    with replacing(path) as file:
        file.write(text.getvalue().encode("utf-8"))


def _grid_rows(grid: RunGrid, progress: Progress | None, stop: Event | None) -> Iterator[list[object]]:
    lasts = [run.last for run in grid.runs]
    total, done = sum(lasts) + len(lasts), 0
    for number, (run, cell, last) in enumerate(zip(grid.runs, grid.cells, lasts, strict=True), start=1):
        measures = RunMeasures(run.planned_steps, run.info.space)
        for k in range(last + 1):
            measures.append(run, k)
            done += 1
            if stop is not None and stop.is_set():
                raise ExportCancelled
            if progress is not None:
                progress(done, total)
        origin = [number, cell.form or "", cell.material or "", cell.noise.seed, cell.noise.words]
        for row in table_rows(run, measures):
            yield [*origin, *row]


def table_rows(trajectory: AnyTrajectory, measures: RunMeasures) -> Iterator[list[object]]:
    """The rows under COLUMNS: one per state, 0 to the last that is measured."""
    last = min(trajectory.last, measures.last)
    energies = [measures.energies(source) for source in _SOURCES]
    clean = measures.spectrum("state", last) if last == trajectory.planned_steps else None
    for k in range(last + 1):
        powers = [_cell(float(value)) for table in energies for value in table[k]]
        powers += _noise_cells(clean, trajectory.levels[k])
        after = _cell(trajectory.levels[k].snr)
        if k == 0:
            yield [0, "", "", "", after, "", *powers]
            continue
        step = trajectory.step(k)
        before = step.before  # of a sampler that passes over a level, not that of the state before
        phase, milliseconds = phase_of(before), f"{step.duration_s * 1000:.3f}"
        # A forward process has neither timesteps nor times.
        timestep = "" if math.isnan(step.timestep) else f"{step.timestep:g}"
        times = milliseconds if trajectory.info.is_of_a_model else ""
        yield [k, phase.name if phase else "", timestep, _cell(before.snr), after, times, *powers]


def _noise_cells(clean: Spectrum | None, level: NoiseLevel) -> list[str]:
    """The noise floor of a state, and the names of the bands below it, or "none"."""
    floor = _cell(noise_floor(level))
    if clean is None or not level.is_known:
        return [floor, ""]
    return [floor, " ".join(band.name for band in bands_below_noise(clean, level)) or "none"]


def _cell(value: float) -> str:
    """Seven figures, as float32 frames hold; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.7g}"
