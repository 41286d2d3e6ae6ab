"""Running a model so that every reverse step comes out of a plain generator.

The pipeline runs on a second stack in the same thread: at every step the scheduler's hook switches back to
whoever iterates the generator, and goes on when the next item is asked for.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from greenlet import getcurrent, greenlet

from sculptor_app import folders
from sculptor_app.core.errors import Cancelled, SamplerFailed, SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.start import Start
from sculptor_app.core.trajectory.events import Started, StepTaken
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import DEFAULT_BUDGET_BYTES, Trajectory
from sculptor_app.diffusion.observe.observer import Observer
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.diffusion.samplers.levels import Call
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.run import run_info as run_info
from sculptor_app.diffusion.sampling.snapshots import SHARE_OF_BUDGET, RunSnapshots, SnapshotRecorder


@dataclass(frozen=True, slots=True)
class StorageBudget:
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
        room: StorageBudget,
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
        yield_to_caller(event)
        self._run.random.enter()
        self._interrupt()

    def _interrupt(self) -> None:
        if self._stop.is_set():
            raise Cancelled


class GreenletCoroutine:
    """Runs a function up to each item that it hands over; torch's grad mode belongs to each side.

    Args:
        function: Is called at the first `resume`, in the thread that calls it; hands items over with `yield_to_caller`.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._worker: Any = greenlet(function)

    @property
    def is_over(self) -> bool:
        """Whether the function has returned or raised."""
        return bool(self._worker.dead)

    def resume(self, error: BaseException | None = None) -> Any:
        """Let the function run on until it hands something over or ends.

        Args:
            error: Is raised in the function where it stands.

        Returns:
            What it handed over, or returned.
        """
        self._worker.parent = getcurrent()  # whoever asks for the next item, which may change
        grad = torch.is_grad_enabled()
        try:
            return self._worker.switch() if error is None else self._worker.throw(error)
        finally:
            torch.set_grad_enabled(grad)

    def close(self) -> None:
        """End the function where it stands, if it has not ended."""
        if not self.is_over:
            with contextlib.suppress(Cancelled):
                self.resume(Cancelled())


def yield_to_caller(item: object) -> None:
    """In the function of a GreenletCoroutine: hand an item to the caller of `resume`, and wait for the next one."""
    grad = torch.is_grad_enabled()
    getcurrent().parent.switch(item)
    torch.set_grad_enabled(grad)  # the other side has its own


__all__ = ["Device", "Engine", "Event", "Started", "StepTaken", "sample"]

Event = Started | StepTaken


def sample(
    engine: Engine,
    request: RunRequest,
    stop: threading.Event,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
    start: Start | None = None,
    watch_guidance: bool = False,
    forkable: bool = True,
) -> Generator[Event, None, None]:
    """Run a request; the generator ends when the run is complete.

    Closing the generator early cancels the run. The model stays loaded in the engine.

    Args:
        engine: Loads the model where it has not.
        request: What to make.
        stop: Set from any thread to end the run within a step, and the loading before it between two components.
        budget_bytes: Memory for the trajectory's frames and records.
        spill_folder: Where those beyond it go; None is the program's cache folder.
        start: What to start from; None is the noise of the seed. The trajectory of a run that starts late has the steps
            that are taken, counted from 1, and state 0 is the noised picture.
        watch_guidance: Keep the two guesses that guidance is made of, too; they take twice the room of the guess.
        forkable: Keep what `forking.fork` needs of every step.

    Yields:
        `Started` before the first evaluation of the network, then a `StepTaken` for every completed step.

    Raises:
        Cancelled: `stop` was set; the trajectory so far stays valid, here and below.
        SculptorError: The run failed; the text says why and what to do.
        RequestError: The model does not know what is asked for, or the start does not fit it.
    """
    run, room = PipelineRun(engine, request, start, watch_guidance, stop), StorageBudget(budget_bytes, spill_folder)
    if not forkable:
        yield from stream_events(run, TrajectoryWriter(run, None, stop, room))
        return
    records = RunSnapshots(request, start, budget_bytes // SHARE_OF_BUDGET, room.folder)
    recorder = TrajectoryWriter(run, records, stop, room)
    yield from stream_events(run, recorder, records.answers.learning(run.pipeline))


def stream_events(
    run: PipelineRun, recorder: TrajectoryWriter, meanwhile: contextlib.AbstractContextManager[object] | None = None
) -> Generator[Event, None, None]:
    """Carry a run out on a second stack, handing over its events; arguments and errors are those of `sculpt`.

    Args:
        run: Ready to go.
        recorder: Makes its trajectory.
        meanwhile: Is open while the pipeline runs.
    """
    try:
        yield from _iterate(GreenletCoroutine(lambda: run.carry_out(recorder.observer, meanwhile)))
    except (Cancelled, GeneratorExit, KeyboardInterrupt):
        recorder.end("cancelled")
        raise
    except SculptorError as error:
        recorder.end(f"failed: {error}")
        raise
    recorder.check_complete()


def _iterate(worker: GreenletCoroutine) -> Generator[Event, None, None]:
    """What the worker hands over, until it is done; leaving early ends it."""
    try:
        while True:
            event = worker.resume()
            if worker.is_over:
                return
            yield event
    finally:
        worker.close()
