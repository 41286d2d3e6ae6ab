"""Tables of numbers: one run, or many, state by state, as CSV or Parquet, with a header that says what they are of.

Of CSV the header is lines of `# key: value` above the names of the columns, with values in JSON: one file stays one
file, as pandas and R skip such lines (`comment="#"`), a person reads them, and JSON in ASCII keeps whatever a prompt
holds (newlines, quotes, `#`, any letters) on its line. `read_csv` reads both parts. Of Parquet it stands in the file's
metadata under the key "sculptor", and the unit of each column in that of its field.
"""

import csv
import io
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from sculptor_app import __version__
from sculptor_app.core.requests.changes import changes_told
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory, Fork
from sculptor_app.core.trajectory.levels import NoiseLevel, phase_of
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.animation.plan import RunGrid, RunOrGrid
from sculptor_app.exports.files import ExportCancelled, ExportError, Progress, check_parquet, check_target, replacing
from sculptor_app.exports.settings import (
    APPLICATION,
    settled_steps,
    told_conditions,
    told_origin,
    told_request,
)
from sculptor_app.measures.forward import bands_below_noise, noise_floor
from sculptor_app.measures.run_measures import RunMeasures, Source
from sculptor_app.measures.spectrum import BANDS, Spectrum

_SOURCES: dict[Source, str] = {"guess": "guess", "state": "noisy"}
_FIXED = {
    "step": "number of the state, 0 is the start",
    "phase": "name, by the SNR of the state that the step starts from",
    "timestep": "training timestep that the network was given",
    "SNR before step (ratio)": "(signal/noise)^2 that the sampler takes the step from",
    "SNR after step (ratio)": "(signal/noise)^2 of the state of this row",
    "time (ms)": "milliseconds of the step, network included",
}
_POWER = "mean power per frequency, white noise of variance 1 = 1"
_UNIT = "cycles/image along its longer side, white noise = 1"
_BAND_COLUMNS = {
    f"{name} {band.name} power ({band.range_text.replace('–', '-')} {_UNIT})": _POWER
    for name in _SOURCES.values()
    for band in BANDS
}
_NOISE_COLUMNS = {
    "noise floor (power, white noise = 1)": f"expected power of the noise in the noisy state, as {_POWER}",
    "drowned bands (of the finished picture)": "names of the bands below the noise floor, or none",
}
_GUIDANCE_COLUMN = {
    "guidance norm (rms per element)": "root mean square over all elements of conditional guess - unconditional "
    "guess, in the units of the frames; where both were kept"
}
_CONTENT_COLUMNS = {
    f"guess {band.name} correlation (with the last guess)": "correlation of the band's Fourier coefficients with those "
    "of the last guess, -1 to 1; of a finished run"
    for band in BANDS
}
_COURSE_COLUMNS = {
    "guidance cosine (with the step before)": "of the guidance direction with that of the step before, -1 to 1",
    **{
        f"{source} distance (rms per element, to the end)": f"root mean square of the {words} less the picture at the "
        "end, in the units of the frames; of a finished run"
        for source, words in (("state", "noisy state, divided by its level's scale,"), ("guess", "guess"))
    },
}
_TEXTS = ("phase", "drowned bands (of the finished picture)", "form", "material", "noise", "sampler")
"""Columns that hold words."""
_UNITS = _FIXED | _BAND_COLUMNS | _NOISE_COLUMNS | _GUIDANCE_COLUMN | _CONTENT_COLUMNS | _COURSE_COLUMNS
COLUMNS = tuple(_UNITS)
"""Names of the columns, with units.

The noise floor is the power that the noise is expected to have in the noisy state; a band is below it where it is
stronger than what the level leaves of the finished picture, which is known once the run is complete. Where a level is
not known, its phase, its SNR and its noise are not, either.
"""

_OF_GRIDS = {
    "run": "number, from 1",
    "form": "label",
    "material": "label",
    "seed": "of the noise",
    "noise": "what else the noise is made of; empty where the seed alone says it",
    "sampler": "its name",
    "steps": "how many the run has",
    "guidance": "weight of the guidance; empty where there is none",
}
GRID_COLUMNS = (*_OF_GRIDS, *COLUMNS)
"""Names of the columns; "noise" is empty where the seed alone says it."""

_SCALING = "each state x = a x0 + s n is divided by sqrt(a^2 + s^2) of its level; guesses are as they are"
_POWER_OF = {"latents": "each channel, averaged"}
_CELLS = {"empty": "not defined", "inf": "infinite: a state without noise has an infinite SNR"}


def write_csv(
    path: Path,
    source: RunOrGrid,
    measures: RunMeasures | None = None,
    progress: Progress | None = None,
    stop: Event | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
) -> None:
    """Write the header, and one row per state, 0 to the last, in UTF-8; cells without a value are empty.

    Args:
        path: the file to make or replace; whole or untouched, whatever happens.
        source: the run; or many, as far as they are now, of which every state is measured.
        measures: a run's band energies; None has them measured.
        progress: called with the states of many runs that are measured, and the states in all.
        stop: set to give up before the next state of many runs.
        disclosure: what the header tells.

    Raises:
        ExportError: the file could not be written.
        ExportCancelled: `stop` was set.
    """
    check_target(path)
    names, rows, header, units = _table(source, measures, progress, stop, disclosure)
    lines = [f"# {key}: {json.dumps(_plain(value))}\n" for key, value in (header | {"columns": units}).items()]
    text = io.StringIO(newline="")
    text.writelines(lines)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    with replacing(path) as file:
        file.write(text.getvalue().encode("utf-8"))


def write_parquet(
    path: Path,
    source: RunOrGrid,
    measures: RunMeasures | None = None,
    progress: Progress | None = None,
    stop: Event | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
) -> None:
    """Write the same table as Parquet, numbers as 64-bit floats and what has no value as null; as `write_csv`.

    Raises:
        ExportError: the package pyarrow is not installed, or the file could not be written.
        ExportCancelled: `stop` was set.
    """
    check_target(path)
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, rows, header, units = _table(source, measures, progress, stop, disclosure)
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    fields, arrays = [], []
    for name, column in zip(names, columns, strict=True):
        kind = _kind_of(name, pa)
        read = str if kind == pa.string() else int if kind == pa.int64() else float
        arrays.append(pa.array([None if value == "" else read(value) for value in column], kind))  # type: ignore[arg-type]
        fields.append(pa.field(name, kind, metadata={"unit": units[name]}))
    told = json.dumps({key: _plain(value) for key, value in header.items()})
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={HEADER_KEY: told}))
    with replacing(path) as file:
        pq.write_table(table, file)


HEADER_KEY = "sculptor"
"""Of the header, as JSON, in the metadata of a Parquet file."""


def _kind_of(name: str, pa: Any) -> Any:
    """The type of a column."""
    if name in _TEXTS:
        return pa.string()
    return pa.int64() if name in ("run", "step", "seed") else pa.float64()


def _table(
    source: RunOrGrid, measures: RunMeasures | None, progress: Progress | None, stop: Event | None,
    disclosure: Disclosure,
) -> tuple[tuple[str, ...], Iterator[list[object]], dict[str, Any], dict[str, str]]:  # fmt: skip
    """Names of the columns, the rows, the header, and the units by names of the columns."""
    if isinstance(source, RunGrid):
        all_measures = list(_measured(source, progress, stop))
        header = _grid_header(source, all_measures, disclosure)
        return GRID_COLUMNS, _grid_rows(source, all_measures), header, _OF_GRIDS | _UNITS
    measures = measures or RunMeasures.of(source)
    return COLUMNS, table_rows(source, measures), _header(source, measures, disclosure) | _settled(measures), _UNITS


def read_csv(path: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Header and rows of a table, as `write_csv` wrote them; the rows' values are texts, by the names of the columns.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is none of these tables.
    """
    header: dict[str, Any] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line in iter(file.readline, ""):
            if not line.startswith("#"):
                return header, list(csv.DictReader(_with(line, file)))
            key, _, value = line[1:].partition(":")
            header[key.strip()] = json.loads(value)
    return header, []


_MOST_HEADER = 4 * 2**20
TABLE_SUFFIXES = (".csv", ".parquet")


def read_header(path: Path) -> dict[str, Any]:
    """What a table says that its run was made with; of a file that nobody looked through.

    Raises:
        ExportError: it cannot be read, or is none of these tables.
    """
    try:
        if path.suffix.lower() == ".parquet":
            from pyarrow.parquet import read_schema  # type: ignore[import-untyped]

            header = json.loads((read_schema(path).metadata or {})[b"sculptor"])
        else:
            with path.open(encoding="utf-8") as file:
                lines = file.read(_MOST_HEADER).split("\n")
            told = [line[1:].partition(":") for line in itertools.takewhile(lambda line: line.startswith("#"), lines)]
            header = {key.strip(): json.loads(value) for key, _, value in told}
        if not isinstance(header, dict) or header.get("application") != APPLICATION:
            raise ValueError("it is another program's")
    except ImportError as error:
        raise ExportError(
            translate("errors", "The package pyarrow is not installed, so {0} cannot be read.").format(path),
            translate("errors", "Save the numbers as CSV."),
        ) from error
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise ExportError(
            translate("errors", "{0} carries no settings of a run.").format(path),
            translate("errors", "Choose a file that {0} exported.").format(APPLICATION),
        ) from error
    return header


def _with(first: str, others: Iterator[str]) -> Iterator[str]:
    yield first
    yield from others


# The header -----------------------------------------------------------------------------------------------------------


def _header(run: AnyTrajectory, measures: RunMeasures, disclosure: Disclosure) -> dict[str, Any]:
    """What a run was made with, and how its numbers came about; keys of what does not apply are left out."""
    info = run.info
    request = told_request(info.request, info.model_name, disclosure)
    labels = {name: request.pop(name) for name in ("form", "material")}
    steps = {"planned steps": run.planned_steps, "steps taken": run.last, "first step": info.first_step}
    channels, height, width = run.shape
    of_a_model = {
        "model": info.model_name,
        "model path": request["model"] if disclosure is Disclosure.PATHS else None,
        "model hash": info.weights_hash,
        "device": info.device_name,
        "sampler": request.pop("sampler"),
        "sampler name": info.sampler_name,
        "sampler settings": {name: value for name, value in info.sampler_settings.items() if _is_own_word(name)},
        "guidance": request.pop("guidance"),
        "labels": {name: label for name, label in labels.items() if label is not None},
        "conditions": told_conditions(info, disclosure),
        "options": request.pop("options"),
        "forks": [_fork(each) for each in info.forks],
        "changes along the run": changes_told(info.segments),
    }
    further = {name: value for name, value in request.items() if name not in _SAID_OTHERWISE}
    of_all = {
        "application": APPLICATION, "version": info.app_version or __version__, "libraries": info.libraries,
        "created": info.created, "origin": told_origin(info, disclosure),
        "seed": request["seed"] if info.has_seed else None, **steps,
        "ended": run.ended,
        "space": info.space, "power of": _POWER_OF.get(info.space, "the luminance"), "window": measures.window,
        "channels": channels, "height": height, "width": width,
        "scaling of states": _SCALING, "cells": _CELLS,
    }  # fmt: skip
    said = of_all | (of_a_model | further if info.is_of_a_model else {})
    return {key: value for key, value in said.items() if value not in ("", None) and value != {} and value != []}


def _fork(fork: Fork) -> dict[str, Any]:
    told = {"step": fork.step, "seed": fork.request.seed, "parting": fork.parting.value}
    return told if fork.painting is None else told | {"painted": str(fork.painting.words)}


_SAID_OTHERWISE = ("seed", "steps", "device", "model")
"""Fields of a request whose part of the header has another name, or a value that a run has found out."""


def _grid_header(grid: RunGrid, all_measures: list[RunMeasures], disclosure: Disclosure) -> dict[str, Any]:
    """That of the run whose steps are counted, what each of them was made from, and in what else they differ."""
    headers = [_header(run, each, disclosure) for run, each in zip(grid.runs, all_measures, strict=True)]
    common = headers[grid.lead]
    alone = ("seed", "labels", "conditions", "steps taken", "ended", "forks", "changes along the run")
    keys = [key for key in dict.fromkeys(key for each in headers for key in each) if key not in (*alone, "created")]
    differing = [key for key in keys if any(each.get(key) != common.get(key) for each in headers)]
    of_each = [
        {
            "run": number,
            **asdict(cell.noise),
            **_settled(measures),
            **{key: own[key] for key in differing if key in own},
        }
        for number, (cell, measures, own) in enumerate(zip(grid.cells, all_measures, headers, strict=True), start=1)
    ]
    return {key: value for key, value in common.items() if key not in (*alone, *differing)} | {"runs": of_each}


def _settled(measures: RunMeasures) -> dict[str, Any]:
    """The measured phases: for each band the step from which the guess stayed settled; empty in mid-run."""
    return {f"settled by {rule} (step)": steps for rule, steps in settled_steps(measures).items()}


def _is_own_word(name: str) -> bool:
    """Whether a setting is none of diffusers' bookkeeping."""
    return not name.startswith("_") or name == "_class_name"


def _plain(value: Any) -> Any:
    """A value as JSON has it: what is not finite as a word, arrays as lists, anything else by its name."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, str | int):
        return value
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)


# The rows -------------------------------------------------------------------------------------------------------------


def _measured(grid: RunGrid, progress: Progress | None, stop: Event | None) -> Iterator[RunMeasures]:
    lasts = [run.last for run in grid.runs]
    total, done = sum(lasts) + len(lasts), 0
    for run, last in zip(grid.runs, lasts, strict=True):
        measures = RunMeasures(run.planned_steps, run.info.space)
        for k in range(last + 1):
            measures.append(run, k)
            done += 1
            if stop is not None and stop.is_set():
                raise ExportCancelled
            if progress is not None:
                progress(done, total)
        measures.release_contents()  # or those of all runs would be in memory at once
        yield measures


def _grid_rows(grid: RunGrid, all_measures: list[RunMeasures]) -> Iterator[list[object]]:
    for number, (run, cell, measures) in enumerate(zip(grid.runs, grid.cells, all_measures, strict=True), start=1):
        request = run.info.request
        made_by = [
            run.info.sampler_name,
            run.planned_steps,
            "" if request.guidance is None else f"{request.guidance:g}",
        ]
        origin = [number, cell.form or "", cell.material or "", cell.noise.seed, cell.noise.words, *made_by]
        for row in table_rows(run, measures):
            yield [*origin, *row]


def table_rows(trajectory: AnyTrajectory, measures: RunMeasures) -> Iterator[list[object]]:
    """The rows under COLUMNS: one per state, 0 to the last that is measured."""
    last = min(trajectory.last, measures.last)
    energies, guidance = [measures.energies(source) for source in _SOURCES], measures.guidance()
    distances = measures.distances()
    clean = measures.spectrum("state", last) if last == trajectory.planned_steps else None
    correlations = measures.correlations() if measures.is_complete else np.full((last + 1, len(BANDS)), np.nan)
    for k in range(last + 1):
        powers = [_cell(float(value)) for table in energies for value in table[k]]
        powers += [*_noise_cells(clean, trajectory.levels[k]), _cell(float(guidance[k, 0]))]
        powers += [_cell(float(value)) for value in (*correlations[k], guidance[k, 1], *distances[k])]
        after = _cell(trajectory.levels[k].snr)
        if k == 0:
            yield [0, "", "", "", after, "", *powers]
            continue
        step = trajectory.step(k)
        before = step.before  # of a sampler that passes over a level, not that of the state before
        phase = phase_of(trajectory.before(k))  # everywhere that of the state that the step starts from
        milliseconds = f"{step.duration_s * 1000:.3f}" if step.duration_s else ""  # none of those made with others
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
