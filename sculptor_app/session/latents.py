"""Latents made visible: the map of the model that is open, and a run decoded in the background."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app import folders
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session.runner import SamplingRunner

WORKS = "sculptor_app.diffusion.latents.jobs"


class Latents(QObject):
    """Finds how the latents of a model are seen, and decodes runs; both in the worker thread, when nothing else runs.

    Signals:
        mapping: done and planned pictures, while a map is fitted.
        mapped: the model that a map was found for.
        decoding: a decoded trajectory and its measures, when its first state can be read.
        decoded: number of the newest decoded state.
        ended: decoding is over, or was given up.
        frame_decoded: a trajectory and a `DecodedFrame` of it, as it was asked for.
        frames_ended: those that were asked for last are there, or were given up.
        failed: the exception.
    """

    mapping = Signal(int, int)
    mapped = Signal(object)
    decoding = Signal(object, object)
    decoded = Signal(int)
    ended = Signal()
    frame_decoded = Signal(object, object)
    frames_ended = Signal()
    failed = Signal(object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._maps: dict[str | None, Any] = {}
        self._mapping: tuple[int, RunRequest] | None = None
        self._decoding: tuple[int, Any, Any] | None = None
        self._single: tuple[int, Any] | None = None  # single frames that are being decoded, and their trajectory
        runner.produced.connect(self._take)
        for signal in (runner.finished, runner.cancelled):
            signal.connect(self._end)
        runner.failed.connect(self._fail)

    @property
    def is_decoding_frames(self) -> bool:
        """Whether single frames are being decoded."""
        return self._single is not None

    @property
    def is_mapping(self) -> bool:
        """Whether a map is being fitted."""
        return self._mapping is not None

    @property
    def is_decoding(self) -> bool:
        """Whether a run is being decoded."""
        return self._decoding is not None

    def is_mapped(self, model: str | None) -> bool:
        """Whether the map of a model has been found."""
        return model in self._maps

    def find_map(self, request: RunRequest) -> None:
        """Find the map of a request's model, where it is not known; a model of pixels has none."""
        if request.model is None or request.model in self._maps:
            return
        self._mapping = (self._runner.newest + 1, request)

        def work(engine: Any, stop: threading.Event) -> Iterator[object]:
            yield from importlib.import_module(WORKS).latent_map_job(request)(engine, stop)

        self._runner.submit(work)

    def dress(self, trajectory: Any) -> bool:
        """Give a run in latents the map of its model.

        Returns:
            Whether it looks different now.
        """
        info = trajectory.info
        found = self._maps.get(info.request.model)
        if info.space != "latents" or found is None or info.latent_map is not None:
            return False
        trajectory.info = replace(info, latent_map=found)
        return True

    def decode_frames(self, trajectory: Any, wanted: list[tuple[object, Any]], small: Path | None = None) -> None:
        """Decode single frames of a run; those that were asked for before and are not there are given up.

        Args:
            trajectory: Of which they are.
            wanted: A key that comes back with the picture, and (C, h, w) latents.
            small: Folder of a small decoder to use instead of the model's own.
        """
        self._single = (self._runner.newest + 1, trajectory)

        def work(engine: Any, stop: threading.Event) -> Iterator[object]:
            jobs = importlib.import_module(WORKS)
            yield from jobs.frame_decoding_job(trajectory.info.request, wanted, small)(engine, stop)

        self._runner.submit(work)

    def decode(self, trajectory: Any, budget_bytes: int, small: Path | None = None) -> None:
        """Decode a run that is over, state by state; each can be looked at as soon as it is there."""
        decoded = importlib.import_module("sculptor_app.core.trajectory.decoded").DecodedTrajectory(
            trajectory, budget_bytes, folders.spill()
        )
        measures = importlib.import_module("sculptor_app.measures.run_measures").RunMeasures(
            decoded.planned_steps, decoded.info.space
        )
        self._decoding = (self._runner.newest + 1, decoded, measures)

        def work(engine: Any, stop: threading.Event) -> Iterator[object]:
            for k in importlib.import_module(WORKS).decoding_job(decoded, small)(engine, stop):
                measures.append(decoded, k)
                yield k

        self._runner.submit(work)

    @Slot()
    def stop(self) -> None:
        """Give up decoding; what is decoded stays."""
        if self._decoding is not None and self._runner.newest == self._decoding[0]:
            self._runner.stop()

    @Slot(int, object)
    def _take(self, run_id: int, item: Any) -> None:
        if self._mapping is not None and run_id == self._mapping[0]:
            if hasattr(item, "planned"):
                self.mapping.emit(item.done, item.planned)
            else:
                model = self._mapping[1].model
                self._maps[model] = item
                self.mapped.emit(model)
        elif self._decoding is not None and run_id == self._decoding[0]:
            if item == 0:
                self.decoding.emit(*self._decoding[1:])
            self.decoded.emit(item)
        elif self._single is not None and run_id == self._single[0]:
            self.frame_decoded.emit(self._single[1], item)

    @Slot(int)
    def _end(self, run_id: int) -> None:
        if self._mapping is not None and run_id == self._mapping[0]:
            self._mapping = None
        elif self._decoding is not None and run_id == self._decoding[0]:
            self._decoding = None
            self.ended.emit()
        elif self._single is not None and run_id == self._single[0]:
            self._single = None
            self.frames_ended.emit()

    @Slot(int, object)
    def _fail(self, run_id: int, error: Exception) -> None:
        mine = [pair[0] for pair in (self._mapping, self._decoding, self._single) if pair is not None]
        if run_id in mine:
            self._end(run_id)
            self.failed.emit(error)
