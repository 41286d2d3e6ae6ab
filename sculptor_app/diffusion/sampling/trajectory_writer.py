"""Writes a run's steps into its trajectory and hands them over to whoever iterates over the run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sculptor_app import folders
from sculptor_app.core.errors import Cancelled, SamplerFailed
from sculptor_app.core.trajectory.events import Started, StepTaken
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import DEFAULT_BUDGET_BYTES, Trajectory
from sculptor_app.diffusion.observe.observer import Observer
from sculptor_app.diffusion.samplers.levels import Call
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.second_stack import hand_over
from sculptor_app.diffusion.sampling.snapshots import RunSnapshots, SnapshotRecorder


@dataclass(frozen=True, slots=True)
class Room:
    """Where a run's frames and records go.

    Attributes:
        budget_bytes: most bytes in memory.
        spill_folder: of the temporary files for those beyond it; None is the program's cache folder.
    """

    budget_bytes: int = DEFAULT_BUDGET_BYTES
    spill_folder: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the temporary files go."""
        return self.spill_folder or folders.spill()


class TrajectoryWriter:
    """Makes the trajectory of a run.

    Args:
        run: Whose steps.
        records: What is kept beside the frames; None for a run that is not to be forked.
        stop: Ends the run within a step.
        room: Where everything goes.
        begin: Is given the new trajectory before anybody else sees it.
    """

    def __init__(
        self,
        run: PipelineRun,
        records: RunSnapshots | None,
        stop: threading.Event,
        room: Room,
        begin: Callable[[Trajectory], None] = lambda trajectory: None,
    ) -> None:
        watching = run.watching
        if records is not None and watching.follower is None:
            watching = replace(watching, follower=SnapshotRecorder(records, run.random))
        self.observer = Observer(self._start, self._take, self._interrupt, watching)
        self._run, self._records, self._stop, self._room, self._begin = run, records, stop, room, begin
        self._trajectory: Trajectory | None = None

    def end(self, reason: str) -> None:
        """Say in the trajectory, if there is one, why it is not complete."""
        if self._trajectory is not None and not self._trajectory.is_complete:
            self._trajectory.end(reason)

    def check_complete(self) -> None:
        """Refuse a run that came back without having taken its steps."""
        if self._trajectory is None or not self._trajectory.is_complete:
            self.end("failed: it ended early")
            raise SamplerFailed("The model came back before all its steps were taken.", "The steps so far are kept.")

    def _start(self, start: Frame, calls: tuple[Call, ...]) -> None:
        levels = (calls[0].before, *(call.after for call in calls if call.completes))
        info = replace(self._run.info, first_step=self.observer.first_step)
        room = self._room
        self._trajectory = Trajectory(info, start, levels, room.budget_bytes, room.folder, self._records)
        self._begin(self._trajectory)
        self._send(Started(self._trajectory))

    def _take(self, step: Step) -> None:
        assert self._trajectory is not None
        self._trajectory.append(step)
        if step.completes:
            self._send(StepTaken(self._trajectory, step))

    def _send(self, event: Started | StepTaken) -> None:
        self._run.random.leave()
        hand_over(event)
        self._run.random.enter()
        self._interrupt()

    def _interrupt(self) -> None:
        if self._stop.is_set():
            raise Cancelled
