"""Running a model so that every reverse step comes out of a plain generator.

The pipeline runs on a second stack in the same thread: at every step the scheduler's hook switches back to
whoever iterates the generator, and goes on when the next item is asked for.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from pathlib import Path

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.start import Start
from sculptor_app.core.trajectory.events import Started, StepTaken
from sculptor_app.core.trajectory.trajectory import DEFAULT_BUDGET_BYTES
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.run import run_info as run_info
from sculptor_app.diffusion.sampling.second_stack import SecondStack
from sculptor_app.diffusion.sampling.snapshots import SHARE_OF_BUDGET, RunSnapshots
from sculptor_app.diffusion.sampling.trajectory_writer import Room, TrajectoryWriter

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
    run, room = PipelineRun(engine, request, start, watch_guidance, stop), Room(budget_bytes, spill_folder)
    if not forkable:
        yield from carried_out(run, TrajectoryWriter(run, None, stop, room))
        return
    records = RunSnapshots(request, start, budget_bytes // SHARE_OF_BUDGET, room.folder)
    recorder = TrajectoryWriter(run, records, stop, room)
    yield from carried_out(run, recorder, records.answers.learning(run.pipeline))


def carried_out(
    run: PipelineRun, recorder: TrajectoryWriter, meanwhile: contextlib.AbstractContextManager[object] | None = None
) -> Generator[Event, None, None]:
    """Carry a run out on a second stack, handing over its events; arguments and errors are those of `sculpt`.

    Args:
        run: Ready to go.
        recorder: Makes its trajectory.
        meanwhile: Is open while the pipeline runs.
    """
    try:
        yield from _iterate(SecondStack(lambda: run.carry_out(recorder.observer, meanwhile)))
    except (Cancelled, GeneratorExit, KeyboardInterrupt):
        recorder.end("cancelled")
        raise
    except SculptorError as error:
        recorder.end(f"failed: {error}")
        raise
    recorder.check_complete()


def _iterate(worker: SecondStack) -> Generator[Event, None, None]:
    """What the worker hands over, until it is done; leaving early ends it."""
    try:
        while True:
            event = worker.resume()
            if worker.is_over:
                return
            yield event
    finally:
        worker.close()
