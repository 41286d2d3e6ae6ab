"""A run's numbers as a table."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

from sculptor_app.diffusion.phases import phase_of
from sculptor_app.diffusion.trajectory import Trajectory
from sculptor_app.exports.atomic import replacing
from sculptor_app.measures.bands import BANDS
from sculptor_app.measures.recording import RunMeasures, Source

_SOURCES: dict[Source, str] = {"guess": "guess", "state": "noisy"}
_FIXED = ("step", "phase", "timestep", "SNR before step (ratio)", "SNR after step (ratio)", "time (ms)")
_BAND_COLUMNS = tuple(
    f"{name} {band.name} power ({band.range_text.replace('–', '-')} cycles/image, white noise = 1)"
    for name in _SOURCES.values()
    for band in BANDS
)
COLUMNS = (*_FIXED, *_BAND_COLUMNS)
"""Names of the columns, with units."""


def write_csv(path: Path, trajectory: Trajectory, measures: RunMeasures | None = None) -> None:
    """Write one row per state, 0 to the last, in UTF-8; cells without a value are empty.

    Args:
        path: the file to make or replace; whole or untouched, whatever happens.
        trajectory: the run.
        measures: its band energies; None has them measured.

    Raises:
        ExportError: the file could not be written.
    """
    measures = measures or RunMeasures.of(trajectory)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(trajectory, measures))
    with replacing(path) as file:
        file.write(text.getvalue().encode("utf-8"))


def _rows(trajectory: Trajectory, measures: RunMeasures) -> Iterator[list[object]]:
    last = min(trajectory.last, measures.last)
    energies = [measures.energies(source) for source in _SOURCES]
    for k in range(last + 1):
        powers = [_cell(float(value)) for table in energies for value in table[k]]
        after = _cell(trajectory.levels[k].snr)
        if k == 0:
            yield [0, "", "", "", after, "", *powers]
            continue
        step = trajectory.step(k)
        before = trajectory.before(k)
        yield [k, phase_of(before).name, f"{step.timestep:g}", _cell(before.snr), after,
               f"{step.duration_s * 1000:.3f}", *powers]  # fmt: skip


def _cell(value: float) -> str:
    """Seven figures, as float32 frames hold; empty where there is no number."""
    return "" if math.isnan(value) else f"{value:.7g}"
