"""Latents made visible: the linear map of the model that is open, and a run decoded in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app import folders
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session import engine as access
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.tasks import ModelTask

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.latent_map import LatentMap, MapFittingProgress
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.session.engine import DecodedFrame, Engine


class Latents(QObject):
    """Linear maps and decoded runs of latents, both made in the model's thread when nothing else runs there.

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
        self._maps: dict[str | None, LatentMap] = {}
        self._mapped_model: str | None = None
        self._mapping, self._decoding, self._frames = (ModelTask(runner, self, was_asked_for=False) for _ in range(3))
        self._mapping.produced.connect(self._take_map)
        self._decoding.produced.connect(self._take_state)
        self._frames.produced.connect(self._take_frame)
        for task, ended in ((self._decoding, self.ended), (self._frames, self.frames_ended)):
            for signal in (task.finished, task.cancelled, task.failed):
                signal.connect(ended)
        for task in (self._mapping, self._decoding, self._frames):
            task.failed.connect(self.failed)

    @property
    def is_decoding_frames(self) -> bool:
        """Whether single frames are being decoded."""
        return self._frames.is_busy

    @property
    def is_mapping(self) -> bool:
        """Whether a map is being fitted."""
        return self._mapping.is_busy

    @property
    def is_decoding(self) -> bool:
        """Whether a run is being decoded."""
        return self._decoding.is_busy

    def is_mapped(self, model: str | None) -> bool:
        """Whether the map of a model has been found."""
        return model in self._maps

    # The map ----------------------------------------------------------------------------------------------------------

    def find_map(self, request: RunRequest) -> None:
        """Find the map of a request's model, where it is not known; a model of pixels has none."""
        if request.model is None or request.model in self._maps:
            return
        self._mapped_model = request.model
        self._mapping.submit(lambda engine, stop: access.find_latent_map(engine, request, stop))

    def apply_map(self, trajectory: Trajectory) -> bool:
        """Give a run in latents the map of its model; returns whether it looks different now."""
        info = trajectory.info
        found = self._maps.get(info.request.model)
        if info.space != "latents" or found is None or info.latent_map is not None:
            return False
        trajectory.info = replace(info, latent_map=found)
        return True

    @Slot(object)
    def _take_map(self, item: MapFittingProgress | LatentMap) -> None:
        from sculptor_app.core.trajectory.latent_map import LatentMap  # numpy, which is there by now

        match item:
            case LatentMap():
                self._maps[self._mapped_model] = item
                self.mapped.emit(self._mapped_model)
            case _:
                self.mapping.emit(item.done, item.planned)

    # Decoding ---------------------------------------------------------------------------------------------------------

    def decode_frames(
        self, trajectory: Trajectory, wanted: list[tuple[object, Frame]], tiny_decoder: Path | None = None
    ) -> None:
        """Decode single frames of a run; those that were asked for before and are not there are given up.

        Args:
            wanted: A key that comes back with the picture, and (C, h, w) latents.
            tiny_decoder: Folder of a tiny decoder to use instead of the model's own.
        """

        def work(engine: Engine, stop: threading.Event) -> Iterator[object]:
            for frame in access.decode_frames(engine, trajectory.info.request, wanted, stop, tiny_decoder):
                yield trajectory, frame

        self._frames.submit(work)

    def decode(self, trajectory: Trajectory, budget_bytes: int, tiny_decoder: Path | None = None) -> None:
        """Decode a run that is over, state by state; each can be looked at as soon as it is there."""
        from sculptor_app.core.trajectory.trajectory import DecodedTrajectory  # numpy, which is there by now
        from sculptor_app.measures.run_measures import RunMeasures

        decoded = DecodedTrajectory(trajectory, budget_bytes, folders.spill())
        measures = RunMeasures(decoded.planned_steps, decoded.info.space)

        def work(engine: Engine, stop: threading.Event) -> Iterator[object]:
            for k in access.decode_run(engine, decoded, stop, tiny_decoder):
                measures.append(decoded, k)
                yield k, decoded, measures

        self._decoding.submit(work)

    @Slot()
    def stop(self) -> None:
        """Give up decoding; what is decoded stays."""
        self._decoding.stop()

    @Slot()
    def stop_frames(self) -> None:
        """Give up single frames that are being decoded."""
        self._frames.stop()

    @Slot(object)
    def _take_frame(self, made: tuple[Trajectory, DecodedFrame]) -> None:
        self.frame_decoded.emit(*made)

    @Slot(object)
    def _take_state(self, made: tuple[int, object, object]) -> None:
        k, decoded, measures = made
        if k == 0:
            self.decoding.emit(decoded, measures)
        self.decoded.emit(k)


@dataclass(frozen=True, slots=True)
class FrameDecoder:
    """What decodes frames of a run in latents, and whether the model is at work for somebody else now."""

    latents: Latents
    is_in_the_way: Callable[[], bool]
