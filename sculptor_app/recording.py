"""Recording of a person's own runs, from a script or a notebook: the public interface of the package.

>>> with sculptor_app.record(pipe) as run:
...     picture = pipe("a marble lion").images[0]
>>> run.states.shape
(51, 4, 64, 64)
"""

from __future__ import annotations

import contextlib
import html
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sculptor_app import folders
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.levels import phase_of
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.latents.decoding import decode_frames, find_latent_map
from sculptor_app.diffusion.pipelines.errors import run_errors
from sculptor_app.diffusion.sampling.recorder import Recorder
from sculptor_app.exports.animation.options import NONE, AnimationOptions
from sculptor_app.exports.animation.plan import (
    DecodedFrames,
    Wanted,
    frames_to_decode,
    has_guesses,
    kinds_of,
    latents_of,
    shown_states,
)
from sculptor_app.exports.files import OptionError, check_target, refuse_folder
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.page import page
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
SHOWN, SHOWN_DAYS = "shown", 7
"""Folder of the runs that were given to windows, and how long they are kept there: a window reads on from them."""
NOTEBOOK_STATES, NOTEBOOK_PX = 50, 760
"""Of the page that a notebook shows: most of its states, about, and its height."""


def record(pipeline: Any, *, both_guesses: bool = False, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> Recording:
    """Record every run that a pipeline makes in a `with` block; the runs are those of a pipeline nobody watches.

    A run is a call of the pipeline, or a loop of your own that calls `scheduler.step`, in the thread of the block. Of a
    batch the first picture is recorded. If a run cannot be recorded to its end (the disk is full, say), it goes on
    all the same, `ended` says why, and the log warns.

    Args:
        pipeline: Any pipeline of diffusers that makes pictures step by step.
        both_guesses: Keep the guesses of the unconditional and of the conditional prediction, too, for
            `export(..., frames="guesses")`; of the pipeline's calls alone.
        budget_bytes: Most bytes of memory for what is recorded in this block; older states go to a temporary file.

    Returns:
        A context manager, and the record of the last run; `runs` has all of them.

    Raises:
        SculptorError: The pipeline is none, or cannot be watched; its text says why.
    """
    return Recording(Recorder(pipeline, budget_bytes, both_guesses))


class RecordedRun:
    """The record of one run of N steps: N + 1 states, noise first, and a guess of each step."""

    def __init__(self, trajectory: Trajectory, pipeline: Any) -> None:
        self._trajectory = trajectory
        self._pipeline = weakref.ref(pipeline)  # a record keeps no model in memory
        self._measures: RunMeasures | None = None

    def __repr__(self) -> str:
        run = self._trajectory
        ended = f", {run.ended}" if run.ended else ""
        return f"<{type(self).__name__}: step {run.last} of {run.planned_steps}, {run.info.sampler_name}{ended}>"

    @property
    def states(self) -> Floats:
        """The noisy states 0..N, (N + 1, C, H, W) float32; the last is what the run ended with.

        Pixels have values of about -1 to 1, latents (C, h, w) those of the model. Each access makes the array anew.
        """
        run = self._trajectory
        return np.stack([run.state(k) for k in range(run.last + 1)])

    @property
    def guesses(self) -> Floats:
        """The clean pictures that the model had in mind in the steps 1..N, (N, C, H, W) float32, as `states` otherwise.

        NaN where there is none, as with a scheduler that is not known; `note` says why.
        """
        run = self._trajectory
        none = np.full(run.shape, np.nan, np.float32)
        found = [run.guess(k) for k in range(1, run.last + 1)]
        return np.stack([none if each is None else each for each in found] or [none])[: len(found)]

    @property
    def levels(self) -> NDArray[np.float64]:
        """Noise levels of the states 0..N, (N + 1, 2): a and s of `state = a * picture + s * noise`, both >= 0.

        Picture and noise have variance 1; the signal-to-noise ratio is (a / s)^2. NaN where they are not known.
        """
        run = self._trajectory
        return np.array([(level.signal, level.noise) for level in run.levels[: run.last + 1]])

    @property
    def ended(self) -> str:
        """Why the run stopped before its end ("failed: " and a sentence, or "cancelled"); empty where it did not."""
        return self._trajectory.ended

    @property
    def note(self) -> str:
        """What of the run is not shown, and why, in plain words; mostly empty."""
        run = self._trajectory
        steps = [run.step(k) for k in range(1, run.last + 1)]
        return " ".join(dict.fromkeys(filter(None, (run.info.note, *(step.guess_note for step in steps)))))

    def energies(self) -> Any:
        """Power per frequency band, step by step: a pandas frame, or without pandas a structured numpy array.

        Its N + 1 rows are the states, its columns `step` (0..N; the index of a frame), `phase` (its name, empty where
        it is not known), `snr` (ratio, inf without noise), and `guess_` and `noisy_` before `layout`, `structure`,
        `detail` and `polish`: mean power per frequency of the luminance, or of each channel of latents, where white
        noise of variance 1 has 1. States are divided by sqrt(a^2 + s^2). NaN where there is no guess (always in row
        0), or the picture is too small for a band. They are the columns of the CSV, which says more.
        """
        run, measures = self._trajectory, self._measured()
        rows = range(measures.last + 1)
        phases = ["", *(phase.name if (phase := phase_of(run.before(k))) else "" for k in rows[1:])]
        columns: dict[str, NDArray[Any]] = {
            "step": np.array(rows),
            "phase": np.array(phases),
            "snr": np.array([run.levels[k].snr for k in rows]),
        }
        for name, powers in (("guess", measures.energies("guess")), ("noisy", measures.energies("state"))):
            columns |= {f"{name}_{band.name}": powers[:, place] for place, band in enumerate(BANDS)}
        try:
            import pandas as pd
        except ImportError:
            kinds = np.dtype([(name, column.dtype) for name, column in columns.items()])
            table = np.empty(len(rows), kinds)
            for name, column in columns.items():
                table[name] = column
            return table
        return pd.DataFrame(columns).set_index("step")

    def export(self, path: str | Path, **look: Any) -> None:
        """Write the run as the ending of `path` says: .gif of all steps, .png of the last state, .csv of the numbers.

        All of `sculpt --out` and `--numbers` are known, as .html, .mp4, .pdf and .parquet.

        Args:
            path: The file to make or replace; whole or untouched, whatever happens.
            **look: How a GIF or PNG looks, by the names of `sculpt`'s options: frames ("guess", "noisy", "both", ...),
                every, size_px, delay_ms, hold_ms, loop, ping_pong, caption, plot, dark, layout, decode ("last", "all",
                "none": which frames of latents the model's own decoder makes; the others are seen through a linear
                map).

        Raises:
            SculptorError: The file cannot be written, a value is not allowed, or there is nothing to show.
            TypeError: There is no such option.
        """
        path, run = Path(path), self._trajectory
        refuse_folder(path)
        row = FORMATS.get(path.suffix.lower()[1:])
        if row is None:
            known = dict.fromkeys(each.suffix for each in FORMATS.values())
            raise OptionError(
                translate("errors", "{0} has no ending that is known.").format(path),
                translate("errors", "Choose one of {0}.").format(", ".join(known)),
            )
        check_target(path)
        options = AnimationOptions(**({"caption": False} | look))
        if row.kind == "animation" and options.frames in ("guess", "both", "three") and not has_guesses(run):
            log.warning("%s The noisy state is shown instead.", self.note)
            options = replace(options, frames="noisy")
        decoded = None if row.kind == "table" else self._decoded(options, row.kind == "still")
        row.write(path, Export(run, options, run.last, self._measured(), decoded=decoded))

    def save(self, path: str | Path, *, compact: bool = False) -> None:
        """Write everything that was recorded into a .sculpt file, which the window and `sculptor-app info` open.

        Args:
            path: The file to make or replace; whole or untouched, whatever happens.
            compact: Frames rounded to 16 bits: half as large, and no longer bit for bit what was recorded.

        Raises:
            SculptorError: The file cannot be written.
        """
        path = FORMATS["sculpt"].named(Path(path))
        check_target(path)
        FORMATS["sculpt"].write(path, Export(self._trajectory, is_compact=compact))

    def show(self) -> None:
        """Open the window on the run, or bring it into the window that is open; returns at once.

        The window is a program of its own: it stays when this one ends, and needs a display and Qt, which this does
        not. The run goes there as a file in the program's cache, which is deleted after a week.

        Raises:
            SculptorError: There is no display, or no room for the file.
        """
        from sculptor_app.display import missing_display

        if missing := missing_display():
            raise SculptorError(missing.splitlines()[0], translate("errors", "Save the run, and open it elsewhere."))
        folder = folders.spill() / SHOWN
        folder.mkdir(exist_ok=True, mode=0o700)
        _sweep(folder)
        handle, path = tempfile.mkstemp(FORMATS["sculpt"].suffix, "run-", folder)
        os.close(handle)
        self.save(path)
        command = [sys.executable, "-P", "-m", "sculptor_app", "--open", path]
        subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def _repr_html_(self) -> str:
        """The run as a page of its own inside a notebook, with about 50 of its states."""
        run = self._trajectory
        every = max(1, -(-run.last // NOTEBOOK_STATES))
        frames = "both" if run.last and has_guesses(run) else "noisy"
        options = AnimationOptions(frames=frames, every=every, decode=NONE)
        decoded = self._decoded(options, False)
        text = page(run, self._measured(), options, shown_states(run, options), decoded)
        look = f"width:100%;height:{NOTEBOOK_PX}px;border:0"
        return f'<iframe sandbox="allow-scripts" style="{look}" srcdoc="{html.escape(text)}"></iframe>'

    def _measured(self) -> RunMeasures:
        run = self._trajectory
        if self._measures is None:
            self._measures = RunMeasures(run.planned_steps, run.info.space)
        self._measures.catch_up(run)
        return self._measures

    def _decoded(self, options: AnimationOptions, is_still: bool) -> DecodedFrames | None:
        """What of a run in latents the model's own decoder shows; for the rest the run is given its linear map."""
        run, pipeline = self._trajectory, self._pipeline()
        if run.info.space != "latents":
            return None
        if pipeline is None:
            log.warning("The pipeline is gone, so its latents are not decoded.")
            return None
        states = (run.last,) if is_still else shown_states(run, options)
        wanted, _ = frames_to_decode(run, options, states)
        decoded = DecodedFrames(spill_folder=folders.spill())
        model, never, request = _LoadedModel(pipeline), threading.Event(), run.info.request
        try:
            with run_errors(run.info.device_name):
                for each in decode_frames(model, request, latents_of(wanted), never):
                    decoded.keep(cast("Wanted", each.key), each.frame)
        except SculptorError as error:
            log.warning("%s What could not be decoded is seen through the linear map instead.", error.message)
        if len(decoded) < len(states) * len(kinds_of(options)) and run.info.latent_map is None:
            try:
                for found in find_latent_map(model, request, never):
                    if isinstance(found, LatentMap):
                        run.info = replace(run.info, latent_map=found)
            except SculptorError as error:
                log.warning("%s No linear map can be found for the latents.", error.message)
        return decoded


def _sweep(folder: Path) -> None:
    """Delete runs that were shown long ago."""
    oldest = time.time() - SHOWN_DAYS * 24 * 3600
    for path in folder.glob("run-*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


class Recording:
    """A block in which runs are recorded: `runs` has all of them, everything else is that of the last one.

    `SculptorError` is raised by what needs a run while there is none.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder: Recorder | None = recorder
        self._runs: list[RecordedRun] = []

    def __enter__(self) -> Recording:
        if self._recorder is None:
            raise RuntimeError("this block is over; call record once more for another")
        self._recorder.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._recorder is not None
        self._recorder.close(error)
        self._runs, self._recorder = self.runs, None  # which holds the pipeline

    def __repr__(self) -> str:
        return f"<Recording: {self.runs}>"

    @property
    def runs(self) -> list[RecordedRun]:
        """The runs of the block so far, oldest first."""
        if self._recorder is not None:
            new = self._recorder.runs[len(self._runs) :]
            self._runs += [RecordedRun(each, self._recorder.pipeline) for each in new]
        return list(self._runs)

    @property
    def states(self) -> Floats:
        """`RecordedRun.states` of the last run."""
        return self._last.states

    @property
    def guesses(self) -> Floats:
        """`RecordedRun.guesses` of the last run."""
        return self._last.guesses

    @property
    def levels(self) -> NDArray[np.float64]:
        """`RecordedRun.levels` of the last run."""
        return self._last.levels

    @property
    def ended(self) -> str:
        """`RecordedRun.ended` of the last run."""
        return self._last.ended

    @property
    def note(self) -> str:
        """`RecordedRun.note` of the last run."""
        return self._last.note

    def energies(self) -> Any:
        """`RecordedRun.energies` of the last run."""
        return self._last.energies()

    def export(self, path: str | Path, **look: Any) -> None:
        """`RecordedRun.export` of the last run."""
        self._last.export(path, **look)

    def save(self, path: str | Path, *, compact: bool = False) -> None:
        """`RecordedRun.save` of the last run."""
        self._last.save(path, compact=compact)

    def show(self) -> None:
        """`RecordedRun.show` of the last run."""
        self._last.show()

    def _repr_html_(self) -> str | None:
        """The last run in a notebook; None, and so `repr`, where there is none."""
        return self._last._repr_html_() if self.runs else None

    @property
    def _last(self) -> RecordedRun:
        runs = self.runs
        if not runs:
            raise SculptorError(
                translate("errors", "No run was recorded."),
                translate("errors", "Call the pipeline, or the step of its scheduler, inside the block."),
            )
        return runs[-1]


class _LoadedModel:
    """A pipeline that somebody else has loaded, in the form of an engine's."""

    def __init__(self, pipeline: Any) -> None:
        self.cache: dict[Hashable, Any] = {}
        self._pipeline = pipeline

    def load(self, model: str | None, device: str, stop: threading.Event) -> Any:
        """The pipeline, wherever it is."""
        return self._pipeline
