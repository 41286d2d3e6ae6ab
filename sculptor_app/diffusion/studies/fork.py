"""Fork of a run: a run that shares the first steps of another one, bit for bit, and then goes on by itself.

The pipeline is called again with the same arguments. Up to the fork its networks are not evaluated, and the scheduler's
results are replaced by the states of the snapshots; there the scheduler and all random generators are restored, and the
run goes on. What pipelines themselves do between the steps, as laying the known part of a picture over each state in
inpainting, they do here as well. A pipeline that carries something of its own from step to step, as a momentum of
its guidance, would have it computed from zeros: such a fork is not exact.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.pictures.painting import Ground
from sculptor_app.core.pictures.painting import painted_state as state_of_painting
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.changes import FIXED_OPTIONS
from sculptor_app.core.requests.painting import Painting
from sculptor_app.core.requests.request import MAX_STEPS, Parting, RequestError, RunRequest
from sculptor_app.core.requests.samplers import begins_anywhere, draws_noise
from sculptor_app.core.texts import steps_text, translate
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, Fork, RunInfo
from sculptor_app.core.trajectory.levels import NoiseLevel, steps_through
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.observer import state_in
from sculptor_app.diffusion.pipelines.networks import stubbed_networks
from sculptor_app.diffusion.samplers.levels import Call, Scheduler
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.noise import white_noise
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.sample import Event, StorageBudget, TrajectoryWriter, sample, stream_events
from sculptor_app.diffusion.sampling.snapshots import SHARE_OF_BUDGET, NotForkable, RunSnapshots, SnapshotRecorder
from sculptor_app.diffusion.sampling.solver_state import with_strides

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
        parting: What that state is, which the new run's record tells. After a U-turn, and where something was painted,
            the sampler begins afresh, if it can; else what it remembers of the steps before stays.
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
        _check_changed(trajectory, k, state)
    budget = StorageBudget(budget_bytes, spill_folder, journal_folder)
    # Up to the fork the call is that of the run: what it draws beside the states' noise, it draws again.
    began = trajectory.info.forks[0].request if trajectory.info.forks else old.request
    run = PipelineRun(engine, replace(new, seed=began.seed), old.start, watch_guidance, stop)
    new = replace(new, loras=run.request.loras)
    run.info = replace(run.info, request=new, forks=(*trajectory.info.forks, Fork(k, old.request, parting, painting)))
    snapshots = RunSnapshots(new, old.start, budget_bytes // SHARE_OF_BUDGET, budget.folder)
    snapshots.share(old, k)
    seed = None if new.seed == old.request.seed else new.seed
    is_another = k > 0 and old.after(k).taken_by != (new.sampler, new.steps)
    is_painted = parting is Parting.PAINTED and begins_anywhere(trajectory.info.sampler_settings)
    is_fresh = state is not None and (parting is Parting.U_TURN or is_painted)
    replay = ForkReplay(snapshots, run, trajectory, k, seed, state, is_fresh or is_another)

    def join(planned: Levels) -> Levels:
        replay.calls = _call_at(trajectory, k, planned, run, engine)
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


def _call_at(old: Trajectory, k: int, planned: Levels, run: PipelineRun, engine: Engine) -> int:
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


def check_begins(info: RunInfo) -> None:
    """Refuse a sampler that needs the steps before (`NotForkable`)."""
    if not begins_anywhere(info.sampler_settings):
        raise NotForkable(
            translate("errors", "{0} needs the steps before, and cannot begin in the middle of a run.").format(
                info.sampler_name
            ),
            translate("errors", "Choose another sampler."),
        )


def _check_changed(trajectory: Trajectory, k: int, state: Frame) -> None:
    if state.shape != trajectory.shape or not np.isfinite(state).all():
        raise RequestError(
            translate("errors", "The state to go on from does not fit the run; give {0} finite values.").format(
                " × ".join(map(str, trajectory.shape))
            )
        )
    if not k:
        raise NotForkable(
            translate("errors", "The noise that a run starts from cannot be changed in a fork of it."),
            translate("errors", "Choose a later step."),
        )


def parting_of_noise(trajectory: Trajectory) -> Parting:
    """How forks with other noise leave a run: where its sampler draws none, the noise is laid on."""
    return Parting.OWN_STATE if draws_noise(trajectory.info.sampler_settings) else Parting.NOISED_BACK


def parted(
    trajectory: Trajectory, step: int, parting: Parting, seed: int, painting: Painting | None = None
) -> tuple[int, Frame | None]:
    """What `fork` is given to part from a run at a step: the k of its own, and the state to go on from.

    Args:
        step: the last one before which nothing is changed.
        seed: of the noise that is laid on.
        painting: what is painted, where that is how it parts.

    Raises:
        NotForkable: A run is not whole, or its sampler cannot begin there.
        RequestError: There is no such step, or a level is not known; nothing is painted, or it cannot be.
    """
    match parting:
        case Parting.NOISED_BACK:
            return step - 1, noised_back(trajectory, step, seed)
        case Parting.U_TURN:
            return step, drowned_again(trajectory, step, seed)
        case Parting.PAINTED:
            return step, painted_state(trajectory, step, painting)
        case Parting.OWN_STATE:
            return step, None


def check_paintable(trajectory: Trajectory, k: int) -> Ground:
    """The frames of a step, if a fork can go on from what is painted on them.

    Raises:
        NotForkable: The state cannot be changed, or the pipeline changes it itself.
        RequestError: There is no such step, or its level is not known.
    """
    ground = Ground.of(trajectory, k)
    if isinstance(trajectory.snapshots, RunSnapshots):
        _check_changed(trajectory, k, ground.state)
    if trajectory.returned(k) is not None:
        raise NotForkable(
            translate("errors", "The pipeline lays a picture over the state of step {0} itself.").format(k),
            translate("errors", "Choose a model that does not."),
        )
    return ground


def painted_state(trajectory: Trajectory, k: int, painting: Painting | None) -> Frame | None:
    """State k of a run with a painting on it, or on its guess; None where that is the run's own, bit for bit.

    Raises:
        NotForkable: As `check_paintable`.
        RequestError: Nothing is painted, or a stroke cannot be made there.
    """
    if painting is None:
        raise RequestError(translate("errors", "Nothing is painted; give at least one stroke."))
    ground = check_paintable(trajectory, k)
    made = state_of_painting(ground, painting, lambda seed: white_noise(seed, trajectory.shape))
    return None if np.array_equal(made, ground.state) else made


def drowned_again(trajectory: Trajectory, k: int, seed: int) -> Frame:
    """The finished picture of a run in fresh noise of a seed, at the level of state k: a_k x_0 + s_k e.

    Args:
        k: 1 to one before the last.

    Raises:
        NotForkable: The run is not whole, or its sampler cannot begin in the middle.
        RequestError: There is no such step, or its level is not known.
    """
    if not trajectory.is_complete:
        raise NotForkable(
            translate("errors", "The run is not finished, so there is no picture to turn back from."),
            translate("errors", "Go on with it first."),
        )
    check_begins(trajectory.info)
    if not 1 <= k < trajectory.last:
        raise RequestError(
            translate("errors", "There is no U-turn at step {0}; choose 1 to {1}.").format(k, trajectory.last - 1)
        )
    level, end = trajectory.levels[k], trajectory.levels[trajectory.last]
    if not level.is_known or not end.is_known:
        raise RequestError(translate("errors", "The noise levels of this run are not known; choose another sampler."))
    clean = trajectory.state(trajectory.last) / np.float32(end.scale)
    made: Frame = np.asarray(
        np.float32(level.signal) * clean + np.float32(level.noise) * white_noise(seed, trajectory.shape), np.float32
    )
    return made


def noised_back(trajectory: Trajectory, k: int, seed: int) -> Frame:
    """State k of a run with fresh noise of a seed, back at the level of state k - 1: it can be denoised otherwise.

    From x_k = a_k x_0 + s_k n it is (a / a_k) x_k + sqrt(s^2 - (a s_k / a_k)^2) e with a, s of state k - 1 and white e
    of variance 1: one step of the forward process.

    Args:
        k: 2 or more, so that the noise at the start stays.

    Raises:
        RequestError: There is no such step, a level is not known, or the noise is that of the run, of which there would
            be too much.
    """
    if not 2 <= k <= trajectory.last:
        raise RequestError(
            translate("errors", "Step {0} cannot be noised back; choose 2 to {1}.").format(k, trajectory.last)
        )
    if seed == trajectory.info.request.seed and trajectory.info.has_seed and trajectory.start_noise() is None:
        raise RequestError(
            translate("errors", "The noise of seed {0} is that of the run itself; choose another seed.").format(seed)
        )
    before, here = trajectory.levels[k - 1], trajectory.levels[k]
    if not before.is_known or not here.is_known or not here.signal:
        raise RequestError(translate("errors", "The noise levels of this run are not known; choose another sampler."))
    share = before.signal / here.signal
    rest = math.sqrt(max(0.0, before.noise**2 - (share * here.noise) ** 2))
    noise = white_noise(seed, trajectory.shape)
    made: Frame = np.asarray(np.float32(share) * trajectory.state(k) + np.float32(rest) * noise, np.float32)
    return made


class ForkReplay(SnapshotRecorder):
    """Replay of the shared steps from their snapshots; a recorder of snapshots for those after them.

    Args:
        seed: What the generators go on with; None restores their states.
        changed: State to go on from, in place of that of the last shared step; None keeps it.
        is_fresh: Whether the sampler forgets what it remembers of the shared steps.

    Attributes:
        calls: Which of the new run's steps is the last that is replayed; another than that of the old run where the
            steps that follow are those of a run of another number of steps.
    """

    def __init__(
        self,
        snapshots: RunSnapshots,
        run: PipelineRun,
        trajectory: Trajectory,
        steps: int,
        seed: int | None,
        changed: Frame | None = None,
        is_fresh: bool = False,
    ) -> None:
        super().__init__(snapshots, run.random)
        self._is_fresh = is_fresh
        self._run, self._old, self._steps, self._seed, self._changed = run, trajectory, steps, seed, changed
        self.calls = steps
        self._is_live = steps == 0

    def networks(self) -> contextlib.AbstractContextManager[None]:
        """Context of the pipeline's call: stubs of its networks; without shared steps, hooks on them."""
        shapes = self.snapshots.output_shapes
        if self._is_live or not shapes.at_each_step:  # a run of one step alone does not tell which networks step
            return shapes.recording(self._run.pipeline)
        return stubbed_networks(self._run.pipeline, shapes, lambda: self._is_live)

    def run_started(self, scheduler: Scheduler) -> None:
        """Note the scheduler's state; a run that shares the noise alone has its own generators from here on."""
        super().run_started(scheduler)
        if self._is_live and self._seed is not None:
            self._random.reseed(self._seed)

    def replace_step(self, call: Call, real_step: Callable[[], Any]) -> Any | None:
        """The result of a call with the state of its snapshot; after the last one the run goes live."""
        if self._is_live:
            return None
        result = real_step()  # of zeros; it advances the scheduler, and has the form of a result
        if call.completes:
            is_last = call.number == self.calls
            k = self._steps if is_last else min(call.number, self._steps)
            snapshot = self.snapshots.after(k)
            returned = self._old.returned(k)  # the pipeline changes it once more
            frame = self._old.state(k) if returned is None else returned
            if self._changed is not None and is_last:
                frame = self._changed
            state = snapshot.tensor(frame, state_in(result).device)
            if self._changed is not None and is_last and snapshot.state is not None:
                state = self._packed(state, self._changed)
            handed_on: tuple[torch.Tensor | None, ...] = tuple(
                snapshot.store.read(each, state.device) for each in snapshot.handed_on
            )
            if self._is_fresh and is_last:
                handed_on = (None,) * len(handed_on)  # as the pipeline hands on in its first step
            result = _with_state(result, state, handed_on)
            if is_last:
                self._go_live(state)
        return result

    def _packed(self, state: torch.Tensor, changed: Frame) -> torch.Tensor:
        """The changed state in the form of the run's own; `NotForkable` where a frame does not hold all of that."""
        made = self._run.observer_options.converter.with_frame(state, changed)
        if made is None:
            raise NotForkable(
                translate("errors", "The state of step {0} cannot be changed in this run.").format(self._steps),
                translate("errors", "Choose another model."),
            )
        return with_strides(made, state.stride())

    def _go_live(self, state: torch.Tensor) -> None:
        snapshot, device = self.snapshots.after(self._steps), torch.device(self._run.device.id)
        assert self._solver is not None
        if self._is_fresh:
            self._solver.restart()
        else:
            self._solver.restore(snapshot.solver, snapshot.store, device)
        if self._seed is None:
            self._random.set_states([snapshot.store.read(each, device) for each in snapshot.random])
        else:
            self._random.reseed(self._seed)
        if self._is_fresh or self._seed is not None or self._changed is not None:
            self.snapshots.renew(self._steps, state, self._solver, self._random)
        self._is_live = True


def _with_state(result: Any, state: torch.Tensor, handed_on: tuple[torch.Tensor | None, ...]) -> Any:
    """A scheduler's result with another state in it, and with what the pipeline hands on, if it does."""
    if isinstance(result, tuple):
        return (state, *(handed_on or result[1:]))
    result.prev_sample = state
    return result
