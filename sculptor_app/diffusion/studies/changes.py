"""Runs whose settings change along them: each stretch goes on from the snapshot of the last step before it.

A change after step k makes what a fork at k makes, bit for bit; but it is one run, with one trajectory that grows: the
frames are kept once, and every step is there as it is taken. The pipeline is called once for each stretch, and its
networks are evaluated for none of the steps that are there.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.changes import RunChanges, Segment
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, Fork
from sculptor_app.core.trajectory.levels import UNKNOWN, NoiseLevel
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines.call import call_of
from sculptor_app.diffusion.pipelines.compatibility import check_sampler as check_sampler_of
from sculptor_app.diffusion.samplers.levels import Call, levels_of
from sculptor_app.diffusion.sampling.engine import Engine, PlanUnknown
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.sample import Event, StorageBudget, TrajectoryWriter, sample, stream_events
from sculptor_app.diffusion.sampling.snapshots import NotForkable, RunSnapshots
from sculptor_app.diffusion.studies.fork import check_shared, fork
from sculptor_app.diffusion.studies.parting import check_begins
from sculptor_app.diffusion.studies.replay import ForkReplay


def sample_with_changes(
    engine: Engine,
    request: RunRequest,
    changes: RunChanges,
    stop: threading.Event,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
    start: Start | None = None,
    watch_guidance: bool = False,
    journal_folder: Path | None = None,
) -> Generator[Event, None, None]:
    """Events of a run whose settings change along it: `Started` once, then a `StepTaken` for every step.

    What its record tells of the run (`info`) is told anew at each change; its `forks` are what it was up to there.

    Args:
        request: What it is asked for, as if nothing changed.
        changes: All that changes; without any it is the run of `sample`.
        stop, budget_bytes, spill_folder, start, watch_guidance, journal_folder: As for `sample`.

    Raises:
        RequestError: A change is not within the run, or its value is none for the model; nothing is evaluated then.
        NotForkable: No snapshot could be kept of the step before a change; the steps so far stay.
        Cancelled, SculptorError: As `sample`.
    """
    if not changes:
        yield from sample(
            engine, request, stop, budget_bytes, spill_folder, start, watch_guidance, journal_folder=journal_folder
        )
        return
    planned = planned_segments(engine, request, changes, stop, start)
    first, rest = planned[0], planned[1:]
    events = sample(
        engine, first.request, stop, budget_bytes, spill_folder, start, watch_guidance,
        journal_folder=journal_folder, until=rest[0].after if rest else None,
    )  # fmt: skip
    with contextlib.closing(events):
        begun = next(events)
        if changes.segments(request, begun.trajectory.levels) != planned:
            raise RequestError(
                translate("errors", "The run has other noise levels than were planned; tell places by steps.")
            )
        yield from go_through(engine, begun, events, rest, stop, watch_guidance)


def go_on(
    engine: Engine,
    trajectory: Trajectory,
    stop: threading.Event,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
    watch_guidance: bool = False,
    journal_folder: Path | None = None,
) -> Generator[Event, None, None]:
    """Events of a run that goes on with one that was stopped, and has the changes that were still to come.

    Args:
        trajectory: The run that was stopped; it stays as it is.
        stop, budget_bytes, spill_folder, watch_guidance, journal_folder: As for `sample`.

    Raises:
        NotForkable, RequestError, Cancelled, SculptorError: As `fork`.
    """
    kept, k = trajectory.snapshots, trajectory.last
    request, rest = trajectory.info.request, () if kept is None else kept.rest
    if rest and rest[0].after == k:  # it was stopped just before that change
        request, rest = rest[0].request, rest[1:]
    events = fork(
        trajectory, k, engine, stop, request, budget_bytes, spill_folder, watch_guidance,
        journal_folder=journal_folder, until=rest[0].after if rest else None,
    )  # fmt: skip
    with contextlib.closing(events):
        yield from go_through(engine, next(events), events, rest, stop, watch_guidance)


def planned_segments(
    engine: Engine, request: RunRequest, changes: RunChanges, stop: threading.Event, start: Start | None = None
) -> tuple[Segment, ...]:
    """The stretches of a run by its planned levels, each of them something that the model takes; loads the model.

    Raises:
        RequestError, SculptorError, Cancelled: As `sample_with_changes`.
    """
    pipeline = engine.load(request.model, request.device, stop)
    taken = request.steps if start is None else request.steps + 1 - start.first_step
    late = request.steps - taken  # what the plan has of levels before the run begins
    try:
        levels = engine.plan(request)[late:]
    except PlanUnknown:
        levels = (UNKNOWN,) * (taken + 1)
    segments = changes.segments(request, levels)
    for one, then in itertools.pairwise(segments):
        call_of(pipeline, then.request, start)
        check_sampler_of(pipeline, then.request.sampler, engine.settings)
        engine.check_plan(then.request)
        if then.request.sampler != one.request.sampler and levels[0].is_known:
            nearby = zip(levels[: then.after + 1], engine.plan(then.request)[late:], strict=False)
            if not all(mine.is_near(theirs) for mine, theirs in nearby):
                _refuse_levels(SAMPLERS[then.request.sampler].label, request, levels, then.after, engine)
    return segments


def go_through(
    engine: Engine,
    begun: Event,
    events: Generator[Event, None, None],
    rest: tuple[Segment, ...],
    stop: threading.Event,
    watch_guidance: bool,
) -> Generator[Event, None, None]:
    """Events of a run that has begun, and of the stretches that follow where those pause.

    Args:
        begun: The first event, of a run that keeps snapshots.
        events: Those after it; they pause at the first of the stretches, if there is one.
        rest: The stretches that follow.
    """
    made: Trajectory = begun.trajectory
    if isinstance(made.snapshots, RunSnapshots):
        made.snapshots.rest = rest
    try:
        yield begun
        yield from events
        for number, segment in enumerate(rest):
            if stop.is_set():
                raise Cancelled
            yield from _go_on(engine, made, segment, rest[number + 1 :], stop, watch_guidance)
    except (Cancelled, GeneratorExit, KeyboardInterrupt):
        events.close()
        _end(made, "cancelled")
        raise
    except SculptorError as error:
        _end(made, f"failed: {error}")
        raise
    finally:
        made.finish_journal()


def _end(made: Trajectory, reason: str) -> None:
    if not made.is_complete and not made.ended:
        made.end(reason)


def _go_on(
    engine: Engine,
    made: Trajectory,
    segment: Segment,
    rest: tuple[Segment, ...],
    stop: threading.Event,
    watch_guidance: bool,
) -> Generator[Event, None, None]:
    """A `StepTaken` for each further step of a run that has paused, up to the next stretch or to its end."""
    kept, k = made.snapshots, made.last
    if not isinstance(kept, RunSnapshots) or k != segment.after:
        raise NotForkable(
            translate("errors", "The settings cannot change after step {0}: nothing was kept of it.").format(
                segment.after
            )
        )
    check_shared(made, k, kept.request, segment.request)
    is_another = kept.after(k).taken_by != (segment.request.sampler, segment.request.steps)
    run = PipelineRun(engine, segment.request, kept.start, watch_guidance, stop)
    request = replace(segment.request, loras=run.request.loras)
    run.info = replace(
        run.info, request=request, created=made.info.created, first_step=made.info.first_step,
        latent_map=made.info.latent_map, forks=(*made.info.forks, Fork(k, kept.request)),
    )  # fmt: skip

    def begin(levels: tuple[NoiseLevel, ...], shape: tuple[int, ...]) -> None:
        nearby = zip(levels[: k + 1], made.levels[: k + 1], strict=False)
        is_alike = all(one == two or one.is_near(two) for one, two in nearby) and shape == made.shape
        if not is_alike:
            _refuse_levels(run.info.sampler_name, made.info.request, made.levels, k, engine)
        if is_another:
            check_begins(run.info)
        made.go_on_with(run.info, levels)
        kept.request, kept.rest = request, rest

    replay = ForkReplay(kept, run, made, k, None, is_fresh=is_another)
    run.observer_options = replace(run.observer_options, step_hook=replay)
    writer = _ContinuingWriter(run, kept, stop, made, begin, rest[0].after if rest else None)
    yield from stream_events(run, writer, replay.networks())


def _refuse_levels(name: str, request: RunRequest, levels: Sequence[NoiseLevel], k: int, engine: Engine) -> NoReturn:
    """Refuse a sampler for a run of these levels, naming some that take them (`RequestError`).

    Args:
        name: of the sampler, as the interface writes it.
        request: of the run.
        k: the state up to which the levels count.
    """
    others = engine.schedules(request, threading.Event())
    near = [
        other for other, theirs in others.items()
        if all(one.is_near(two) for one, two in zip(theirs[: k + 1], levels[: k + 1], strict=False))
    ]  # fmt: skip
    advice = translate("errors", "Choose one whose levels are the same, as {0}.").format(", ".join(near))
    raise RequestError(
        translate(
            "errors", "{0} takes other noise levels than the run did up to step {1}, and cannot go on from there."
        ).format(name, k),
        advice if near else translate("errors", "Keep the sampler, or make a new run with another."),
    )


Begin = Callable[[tuple[NoiseLevel, ...], tuple[int, ...]], None]


class _ContinuingWriter(TrajectoryWriter):
    """Writer of further steps into a trajectory that is there.

    Args:
        begin: Is given the levels of all states, and the shape of state 0, before the first step is replayed.
    """

    def __init__(
        self, run: PipelineRun, snapshots: RunSnapshots, stop: threading.Event, made: Trajectory, begin: Begin,
        until: int | None,
    ) -> None:  # fmt: skip
        super().__init__(run, snapshots, stop, StorageBudget(), until=until)
        self._trajectory, self._begin = made, begin

    def _start(self, start: Frame, calls: tuple[Call, ...]) -> None:
        self._begin(levels_of(calls), start.shape)
        self.interrupt()
