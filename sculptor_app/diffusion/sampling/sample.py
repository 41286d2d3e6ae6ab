"""Sampling as a generator: a run of a model, with an event (`Started`, `StepTaken`) for every reverse step.

The pipeline runs in a greenlet of the same thread: at every step the scheduler's hook switches back to whoever
iterates over the generator, and the pipeline goes on when the next event is asked for.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from greenlet import getcurrent, greenlet

from sculptor_app import folders
from sculptor_app.core.errors import Cancelled, SamplerFailed, SculptorError
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES
from sculptor_app.core.trajectory.events import Started, StepTaken
from sculptor_app.core.trajectory.journal import new_journal
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.observer import Observer
from sculptor_app.diffusion.pipelines.networks import stops_while_preparing
from sculptor_app.diffusion.samplers.levels import Call, levels_of
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.snapshots import SHARE_OF_BUDGET, RunSnapshots, SnapshotRecorder

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
    journal_folder: Path | None = None,
    until: int | None = None,
) -> Generator[Event, None, None]:
    """Events of a run of a request; the generator ends when the run is complete.

    `Started` comes before the first evaluation of the network, then a `StepTaken` for every completed step. Closing the
    generator early cancels the run. The model stays loaded in the engine.

    Args:
        stop: Set from any thread to end the run within a step, its preparation within a layer of an encoder, and the
            loading before it between two components.
        budget_bytes: Memory for the trajectory's frames and snapshots.
        spill_folder: Where those beyond it go; None is the program's cache folder.
        start: What to start from; None is the noise of the seed. The trajectory of a run that starts late has the steps
            that are taken, counted from 1, and state 0 is the noised picture.
        watch_guidance: Keep the guesses of the unconditional and the conditional prediction, too; they take twice the
            memory of the guess.
        forkable: Keep the snapshots that `fork` needs of every step.
        journal_folder: Where what is recorded is written as it comes, to be read again if the process dies meanwhile;
            None keeps no journal.
        until: The step after which the run pauses, to be gone on with in another way by `studies.changes`; None goes to
            its end.

    Raises:
        Cancelled: `stop` was set; the trajectory so far stays valid, here and below.
        SculptorError: The run failed; the text says why and what to do.
        RequestError: The model does not know what is asked for, or the start does not fit it.
    """
    run = PipelineRun(engine, request, start, watch_guidance, stop)
    budget = StorageBudget(budget_bytes, spill_folder, journal_folder)
    if not forkable:
        yield from stream_events(run, TrajectoryWriter(run, None, stop, budget))
        return
    snapshots = RunSnapshots(run.request, start, budget_bytes // SHARE_OF_BUDGET, budget.folder)
    writer = TrajectoryWriter(run, snapshots, stop, budget, until=until)
    yield from stream_events(run, writer, snapshots.output_shapes.recording(run.pipeline))


class _Paused(Cancelled):
    """A run has come to the step after which it pauses."""


def stream_events(
    run: PipelineRun, writer: TrajectoryWriter, context: contextlib.AbstractContextManager[object] | None = None
) -> Generator[Event, None, None]:
    """Events of a run in a greenlet; errors are those of `sample`, and `context` is open while the pipeline runs.

    Of a run that pauses the trajectory is left as it is, its journal open.
    """

    def execute() -> None:
        with context or contextlib.nullcontext(), stops_while_preparing(run.pipeline, writer.interrupt):
            run.execute(writer.observer)

    coroutine, has_paused = GreenletCoroutine(execute), False
    try:
        yield from coroutine.items()
    except _Paused:
        has_paused = True
        return
    except (Cancelled, GeneratorExit, KeyboardInterrupt):
        writer.end("cancelled")
        raise
    except SculptorError as error:
        writer.end(f"failed: {error}")
        raise
    finally:
        if not has_paused:
            writer.finish_journal()
    writer.check_complete()


def whole_run(
    engine: Engine,
    request: RunRequest,
    stop: threading.Event,
    progress: Callable[[Trajectory], object] = lambda run: None,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    forkable: bool = True,
) -> Trajectory:
    """A run from its noise to its end.

    Args:
        progress: called with it when it begins, and after each step.
        stop, budget_bytes, forkable: As for `sample`.

    Raises:
        Cancelled, SculptorError: As `sample`; also where `stop` was set in the last step.
    """
    made: Trajectory | None = None
    for event in sample(engine, request, stop, budget_bytes, forkable=forkable):
        made = event.trajectory
        progress(made)
    if made is None or stop.is_set():
        raise Cancelled
    return made


@dataclass(frozen=True, slots=True)
class StorageBudget:
    """Memory limit and temporary folder of a run's frames and snapshots."""

    budget_bytes: int = DEFAULT_BUDGET_BYTES  # most bytes in memory
    spill_folder: Path | None = None  # of the temporary files for those beyond it; None is the program's cache folder
    journal_folder: Path | None = None  # of the run's journal; None keeps none

    @property
    def folder(self) -> Path:
        """Where the temporary files go."""
        return self.spill_folder or folders.spill()


class TrajectoryWriter:
    """Writer of a run's steps into its trajectory; yields an event to the caller for each of them.

    Args:
        snapshots: What is kept beside the frames; None for a run that is not to be forked.
        on_start: Is given the new trajectory before anybody else sees it.
        join_levels: Is given the levels of the states that the run planned, and returns those of the trajectory, which
            may begin with more or fewer steps than the run takes up to there.
        until: The step after which the run pauses; None goes to its end.
    """

    def __init__(
        self,
        run: PipelineRun,
        snapshots: RunSnapshots | None,
        stop: threading.Event,
        budget: StorageBudget,
        on_start: Callable[[Trajectory], None] = lambda trajectory: None,
        join_levels: Callable[[Sequence[NoiseLevel]], Sequence[NoiseLevel]] = lambda planned: planned,
        until: int | None = None,
    ) -> None:
        options = run.observer_options
        if snapshots is not None and options.step_hook is None:
            options = replace(options, step_hook=SnapshotRecorder(snapshots, run.random))
        self.observer = Observer(self._start, self._take, self.interrupt, options)
        self._run, self._snapshots, self._stop, self._budget, self._on_start = run, snapshots, stop, budget, on_start
        self._until = until
        self._trajectory: Trajectory | None = None
        self._join_levels, self._more = join_levels, 0

    def end(self, reason: str) -> None:
        """Note in the trajectory, if there is one, why it is not complete."""
        if self._trajectory is not None and not self._trajectory.is_complete:
            self._trajectory.end(reason)

    def finish_journal(self) -> None:
        """The run has ended, and the process lives."""
        if self._trajectory is not None:
            self._trajectory.finish_journal()

    def check_complete(self) -> None:
        """Refuse a run that came back without having taken its steps; steps that were counted are all there are."""
        trajectory = self._trajectory
        if trajectory is not None and self.observer.is_plan_open and trajectory.last:
            trajectory.plan_again(trajectory.last)
        if self._trajectory is None or not self._trajectory.is_complete:
            self.end("failed: it ended early")
            raise SamplerFailed(
                translate("errors", "The model came back before all its steps were taken."),
                translate("errors", "The steps so far are kept."),
            )

    def _start(self, start: Frame, calls: tuple[Call, ...]) -> None:
        planned = levels_of(calls)
        levels = self._join_levels(planned)
        self._more = len(levels) - len(planned)
        info = replace(self._run.info, first_step=self.observer.first_step)
        budget = self._budget
        journal = None if budget.journal_folder is None else new_journal(budget.journal_folder)
        given = self._run.start
        self._trajectory = Trajectory(
            info, start, levels, budget.budget_bytes, budget.folder, self._snapshots, journal,
            start_picture=None if given is None else given.picture, start_noise=None if given is None else given.noise,
        )  # fmt: skip
        self._on_start(self._trajectory)
        self._yield(Started(self._trajectory))

    def _take(self, step: Step) -> None:
        assert self._trajectory is not None
        if self._more:
            step = replace(step, number=step.number + self._more)
        if self.observer.is_plan_open and step.number > self._trajectory.planned_steps:
            self._trajectory.plan_again(step.number)
        self._trajectory.append(step)
        if step.completes:
            self._yield(StepTaken(self._trajectory, step))
            if step.number == self._until:
                raise _Paused

    def _yield(self, event: Event) -> None:
        self._run.random.leave()
        yield_to_caller(event)
        self._run.random.enter()
        self.interrupt()

    def interrupt(self) -> None:
        """Raise `Cancelled` once a stop was asked for."""
        if self._stop.is_set():
            raise Cancelled


class GreenletCoroutine:
    """A function in a greenlet that yields items from any depth of its calls; it has a grad mode of torch of its own.

    Args:
        function: Is called at the first `resume`, in the thread that calls it; yields with `yield_to_caller`.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._greenlet: Any = greenlet(function)

    @property
    def is_over(self) -> bool:
        """Whether the function has returned or raised."""
        return bool(self._greenlet.dead)

    def resume(self, error: BaseException | None = None) -> Any:
        """Run the function until it yields or ends, and return what it gave; `error` is raised where it waits."""
        self._greenlet.parent = getcurrent()  # whoever asks for the next item, which may change
        grad = torch.is_grad_enabled()
        try:
            return self._greenlet.switch() if error is None else self._greenlet.throw(error)
        finally:
            torch.set_grad_enabled(grad)

    def items(self) -> Generator[Any, None, None]:
        """What the function yields until it returns; leaving the iteration early closes it."""
        try:
            while True:
                item = self.resume()
                if self.is_over:
                    return
                yield item
        finally:
            self.close()

    def close(self) -> None:
        """End the function where it waits, if it has not ended."""
        if not self.is_over:
            with contextlib.suppress(Cancelled):
                self.resume(Cancelled())


def yield_to_caller(item: object) -> None:
    """In the function of a GreenletCoroutine: hand an item to the caller of `resume`, and wait for the next one."""
    grad = torch.is_grad_enabled()
    getcurrent().parent.switch(item)
    torch.set_grad_enabled(grad)  # the caller has its own
