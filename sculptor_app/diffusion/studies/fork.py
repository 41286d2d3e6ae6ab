"""Fork of a run: a run that shares the first steps of another one, bit for bit, and then goes on by itself.

The pipeline is called again with the same arguments. Up to the fork its networks are not evaluated, and the scheduler's
results are replaced by the states of the snapshots; there the scheduler and all random generators are restored, and the
run goes on. What pipelines themselves do between the steps, as laying the known part of a picture over each state in
inpainting, they do here as well. A pipeline that carries something of its own from step to step, as a momentum of
its guidance, would have it computed from zeros: such a fork is not exact.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.changes import FIXED_OPTIONS
from sculptor_app.core.requests.painting import Painting
from sculptor_app.core.requests.request import MAX_STEPS, Parting, RequestError, RunRequest
from sculptor_app.core.requests.samplers import begins_anywhere
from sculptor_app.core.texts import steps_text, translate
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, Fork, RunInfo
from sculptor_app.core.trajectory.levels import NoiseLevel, steps_through
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.sample import Event, StorageBudget, TrajectoryWriter, sample, stream_events
from sculptor_app.diffusion.sampling.snapshots import SHARE_OF_BUDGET, NotForkable, RunSnapshots
from sculptor_app.diffusion.studies.parting import check_begins, check_changed, parted
from sculptor_app.diffusion.studies.replay import ForkReplay

Levels = Sequence[NoiseLevel]
SCHEDULE_FIELDS = ("model",)
"""What both runs share, with FIXED_OPTIONS: it decides of which pictures they are, and where their steps begin."""
MOST_NUMBERS, MOST_TRIED = 8, 32
"""How many numbers of steps are named with which a fork could go on, and how many are tried for that."""


def fork(
    trajectory: Trajectory,
    k: int,
    engine: Engine,
    stop: threading.Event,
    request: RunRequest | None = None,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
    watch_guidance: bool = False,
    state: Frame | None = None,
    journal_folder: Path | None = None,
    parting: Parting = Parting.OWN_STATE,
    painting: Painting | None = None,
    until: int | None = None,
) -> Generator[Event, None, None]:
    """Events of a run that goes on from state k of another one, as that run did or in another way.

    Args:
        trajectory: The run, complete or not; it stays as it is. The model must be the same, on the same kind of device.
        k: How many of its steps are shared, 0 to all that it has.
        stop: Set from any thread to end the new run within a step.
        request: What to sample from there on: another prompt, label or guidance. Model and size are those of the run.
            With another seed the sampler's fresh noise is another one from there on. Another sampler begins afresh, and
            one of its own states must have the noise level of this one; so it is with another number of steps, of
            which those are taken that come after that state. None is the request of the run, which it then repeats to
            the last bit.
        budget_bytes, spill_folder, watch_guidance, journal_folder, until: As for `sample`.
        state: (C, H, W) float32, to go on from in place of state k, as `parted` makes one; k is 1 or more.
        parting: What that state is, which the new run's record tells. After a U-turn, and where noise was laid on or
            something painted, the sampler begins afresh, if it can; else what it remembers of the steps before stays.
        painting: What was painted, where that is how it parts; `state` is None where that changed nothing.

    Yields:
        `Started` with a trajectory that has its first k steps already, then a `StepTaken` for every further step.

    Raises:
        NotForkable: There is no snapshot of that step, its state cannot be changed, or another sampler cannot begin
            there.
        RequestError: The request differs in what both runs share, there is no such step, or no state of its schedule
            is as noisy as this one.
        Cancelled, SculptorError: As `sample`.
    """
    old = trajectory.snapshots
    if not isinstance(old, RunSnapshots):
        raise NotForkable(
            translate("errors", "The run cannot be forked: nothing was kept for it."),
            translate("errors", "Start a new run instead."),
        )
    new = old.request if request is None else request
    check_shared(trajectory, k, old.request, new)
    if k:
        old.after(k)  # refused before anything is loaded
    if state is not None:
        check_changed(trajectory, k, state)
    budget = StorageBudget(budget_bytes, spill_folder, journal_folder)
    # Up to the fork the call is that of the run: what it draws beside the states' noise, it draws again.
    began = trajectory.info.forks[0].request if trajectory.info.forks else old.request
    run = PipelineRun(engine, replace(new, seed=began.seed), old.start, watch_guidance, stop)
    new = replace(new, loras=run.request.loras)
    run.info = replace(run.info, request=new, forks=(*trajectory.info.forks, Fork(k, old.request, parting, painting)))
    snapshots = RunSnapshots(new, old.start, budget_bytes // SHARE_OF_BUDGET, budget.folder)
    snapshots.share(old, k)
    seed = None if new.seed == old.request.seed else new.seed
    is_another = is_planned_otherwise(old, k, new)
    is_fresh = is_another or (state is not None and is_forgetful(trajectory, parting))
    replay = ForkReplay(snapshots, run, trajectory, k, seed, state, is_fresh)

    def join(planned: Levels) -> Levels:
        replay.calls = call_at(trajectory, k, planned, run, engine)
        return (*trajectory.levels[: k + 1], *planned[replay.calls + 1 :])

    def begin(made: Trajectory) -> None:
        if is_another:
            check_begins(made.info)
        made.share(trajectory, k, state)

    run.observer_options = replace(run.observer_options, step_hook=replay)
    writer = TrajectoryWriter(run, snapshots, stop, budget, on_start=begin, join_levels=join, until=until)
    yield from stream_events(run, writer, replay.networks())


def make_again(
    engine: Engine,
    info: RunInfo,
    stop: threading.Event,
    start: Start | None = None,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
    watch_guidance: bool = False,
    journal_folder: Path | None = None,
) -> Generator[Event, None, None]:
    """Events of a run made again from what is told of it, and of a fork first of what it left.

    Args:
        info: of the run.
        start: what it began with, as `start_of` has it; None is the noise of the seed.
        stop, budget_bytes, spill_folder, watch_guidance, journal_folder: As for `sample`, of the run itself.

    Raises:
        NotForkable, RequestError, Cancelled, SculptorError: As `sample` and `fork`.
    """
    requests = [*(each.request for each in info.forks), info.request]
    made: Trajectory | None = None
    for number, request in enumerate(requests):
        is_last = number + 1 == len(requests)
        options: dict[str, Any] = (
            {
                "budget_bytes": budget_bytes, "spill_folder": spill_folder, "watch_guidance": watch_guidance,
                "journal_folder": journal_folder,
            } if is_last else {}
        )  # fmt: skip
        if made is None:
            events = sample(engine, request, stop, start=start, **options)
        else:
            left = info.forks[number - 1]
            step = left.step + (left.parting is Parting.NOISED_BACK)
            k, state = parted(made, step, left.parting, request.seed, left.painting)
            options |= {"state": state, "parting": left.parting, "painting": left.painting}
            events = fork(made, k, engine, stop, request, **options)
        if is_last:
            yield from events
            return
        next_one = info.forks[number]
        for event in events:
            made = event.trajectory
            needed = made.planned_steps if next_one.parting is Parting.U_TURN else next_one.step + 1
            if made.last >= min(needed, made.planned_steps):
                break
        events.close()
        if stop.is_set():
            raise Cancelled


def is_planned_otherwise(old: RunSnapshots, k: int, new: RunRequest) -> bool:
    """Whether a fork's sampler, or its number of steps, is another than that which came to state k of its run."""
    return k > 0 and old.after(k).taken_by != (new.sampler, new.steps)


def is_forgetful(trajectory: Trajectory, parting: Parting) -> bool:
    """Whether the sampler of a fork that goes on from a changed state begins afresh there.

    What it remembers is of the run's own states: UniPC's corrector would lead back to them.
    """
    can_forget = parting in (Parting.PAINTED, Parting.NOISED_BACK) and begins_anywhere(trajectory.info.sampler_settings)
    return parting is Parting.U_TURN or can_forget


def check_shared(trajectory: Trajectory, k: int, old: RunRequest, new: RunRequest) -> None:
    """Refuse a request that differs in what both runs share, and a step that there is not (`RequestError`)."""
    if not 0 <= k <= trajectory.last:
        raise RequestError(
            translate("errors", "There is no state {0} in this run; choose 0 to {1}.").format(k, trajectory.last)
        )
    for each in fields(RunRequest):
        if each.name in SCHEDULE_FIELDS and getattr(old, each.name) != getattr(new, each.name):
            raise RequestError(
                translate("errors", "A fork cannot have another {0}; keep {1!r}.").format(
                    each.name, getattr(old, each.name)
                )
            )
    for name in FIXED_OPTIONS:
        if old.option_values.get(name) != new.option_values.get(name):
            raise RequestError(
                translate("errors", "A fork cannot have another {0}; keep {1!r}.").format(
                    name, old.option_values.get(name)
                )
            )


def call_at(old: Trajectory, k: int, planned: Levels, run: PipelineRun, engine: Engine) -> int:
    """Which state of a new run's plan state k of the old one takes the place of; `RequestError` if there is none."""
    place = place_of(old.levels[k], planned, k)
    if place is not None:
        return place
    info, request = run.info, old.info.request
    if info.request.sampler != request.sampler:
        others = engine.schedules(replace(request, steps=info.request.steps), threading.Event())
        near = [name for name, levels in others.items() if place_of(old.levels[k], levels, k) is not None]
        advice = translate("errors", "Choose one that does, as {0}.").format(", ".join(near))
        raise RequestError(
            translate("errors", "{0} takes other noise levels than the run, and comes to none as at step {1}.").format(
                info.sampler_name, k
            ),
            advice if near else translate("errors", "Keep the sampler, or make a new run with another."),
        )
    numbers = ", ".join(map(str, steps_to_go_on_with(old, k, engine)))
    advice = translate("errors", "Choose one of these numbers of steps: {0}.").format(numbers)
    raise RequestError(
        translate("errors", "A run of {0} never is at the noise level of step {1} of this run.").format(
            steps_text(info.request.steps), k
        ),
        advice if numbers else translate("errors", "Keep the number of steps."),
    )


def place_of(level: NoiseLevel, planned: Levels, usual: int) -> int | None:
    """Which of the planned states has a noise level, the nearest to the usual one if there are several; else None."""
    if not level.is_known:
        return usual if usual < len(planned) else None
    places = [place for place, each in enumerate(planned) if each.is_near(level)]
    return min(places, key=lambda place: abs(place - usual), default=None)


def steps_to_go_on_with(trajectory: Trajectory, k: int, engine: Engine) -> list[int]:
    """Some other numbers of steps that a fork at step k, 1 or more, could have: one of their states is as noisy."""
    request = trajectory.info.request
    left = [fork.request.steps for fork in trajectory.info.forks if k <= fork.step]
    steps = left[0] if left else request.steps
    likely = {count for each in (True, False) for count, _ in steps_through(steps, k, MAX_STEPS, each)[:MOST_TRIED]}
    found: list[int] = []
    for count in sorted(likely, key=lambda count: abs(count - steps)):
        with contextlib.suppress(SculptorError):
            levels = engine.plan(replace(request, steps=count))
            if place_of(trajectory.levels[k], levels[:-1], k) is not None:
                found.append(count)
        if len(found) == MOST_NUMBERS:
            break
    return sorted(found)
