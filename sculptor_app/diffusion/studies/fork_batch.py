"""Batch of forks: several from one step of a run in one call of its pipeline, of which the pictures alone are kept.

A network is evaluated once for all of them at each step. Each picture has the random generator that a fork of its seed
has: it is that fork's picture but for rounding, as kernels add in another order where a batch has another size. A fork
that is to be the same to the last bit, with all its states, is made by `fork`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sculptor_app.core.errors import Cancelled, SamplerFailed
from sculptor_app.core.requests.request import Parting, RunRequest
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.observer import BatchObserver
from sculptor_app.diffusion.pipelines.batch import NoBatch
from sculptor_app.diffusion.pipelines.networks import stops_while_preparing
from sculptor_app.diffusion.samplers.levels import Call, Scheduler, levels_of
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.snapshots import NotForkable, RunSnapshots
from sculptor_app.diffusion.studies.fork import call_at, check_shared, is_forgetful, is_planned_otherwise
from sculptor_app.diffusion.studies.parting import check_begins, check_changed
from sculptor_app.diffusion.studies.replay import ForkReplay


def run_batch(engine: Engine, request: RunRequest, seeds: Sequence[int], stop: threading.Event) -> list[Frame]:
    """The pictures of runs of a request with several seeds, (C, H, W) float32 each on the scale of pictures.

    Raises:
        NoBatch: The model makes one picture at a time, or draws noise that is not that of a picture's own generator.
        Cancelled, SculptorError: As `sample`.
    """
    run = PipelineRun(engine, request, stop=stop, seeds=seeds)
    batch = _Batch(run, stop)
    run.observer_options = replace(run.observer_options, step_hook=_OwnNoise(run))
    with stops_while_preparing(run.pipeline, batch.interrupt):
        return batch.pictures()


def fork_batch(
    trajectory: Trajectory,
    k: int,
    engine: Engine,
    stop: threading.Event,
    request: RunRequest,
    seeds: Sequence[int],
    states: Sequence[Frame] = (),
    parting: Parting = Parting.OWN_STATE,
) -> list[Frame]:
    """The pictures of several forks from state k of a run, (C, H, W) float32 each on the scale of pictures.

    Args:
        trajectory: The run; it stays as it is.
        k: How many of its steps are shared, 0 to all but the last.
        stop: Set from any thread to end it within a step.
        request: What to sample from there on, the same for all forks but for their seeds.
        seeds: Of the forks, one or more; none is that of the run itself, which such a fork would repeat.
        states: (C, H, W) float32 for each, to go on from in place of state k; empty keeps that one for all.
        parting: What those states are, as for `fork`.

    Raises:
        NoBatch: As `run_batch`, or the run's states cannot be repeated.
        NotForkable, RequestError, Cancelled, SculptorError: As `fork`.
    """
    old = trajectory.snapshots
    if not isinstance(old, RunSnapshots):
        raise NotForkable(
            translate("errors", "The run cannot be forked: nothing was kept for it."),
            translate("errors", "Start a new run instead."),
        )
    check_shared(trajectory, k, old.request, request)
    for state in states:
        check_changed(trajectory, k, state)
    is_another = is_planned_otherwise(old, k, request)
    # Up to the fork the call is that of the run: what it draws beside the states' noise, it draws again.
    began = trajectory.info.forks[0].request if trajectory.info.forks else old.request
    run = PipelineRun(engine, replace(request, seed=began.seed), old.start, stop=stop, seeds=[began.seed] * len(seeds))
    if is_another:
        check_begins(run.info)
    is_fresh = is_another or (bool(states) and is_forgetful(trajectory, parting))
    replay = _BatchReplay(old, run, trajectory, k, seeds, states, is_fresh)

    def find_place(planned: Sequence[NoiseLevel]) -> None:
        replay.calls = call_at(trajectory, k, planned, run, engine)

    run.observer_options = replace(run.observer_options, step_hook=replay)
    batch = _Batch(run, stop, find_place)
    with replay.networks(), stops_while_preparing(run.pipeline, batch.interrupt):
        return batch.pictures()


class _Batch:
    """A run of several pictures, of which the last states are kept."""

    def __init__(
        self,
        run: PipelineRun,
        stop: threading.Event,
        on_plan: Callable[[Sequence[NoiseLevel]], None] = lambda planned: None,
    ) -> None:
        self._run, self._stop, self._on_plan = run, stop, on_plan
        self._last: list[Step] = []

    def pictures(self) -> list[Frame]:
        """Sample them; `SamplerFailed` where the pipeline came back early."""
        observer = BatchObserver(self._start, self._take, self.interrupt, self._run.observer_options)
        self._run.execute(observer)
        self.interrupt()
        if not self._last or not (observer.is_over or observer.is_plan_open):
            raise SamplerFailed(translate("errors", "The model came back before all its steps were taken."))
        return [np.divide(step.state, step.after.scale, dtype=np.float32) for step in self._last]

    def interrupt(self) -> None:
        """Raise `Cancelled` once a stop was asked for."""
        if self._stop.is_set():
            raise Cancelled

    def _start(self, starts: list[Frame], calls: tuple[Call, ...]) -> None:
        self._on_plan(levels_of(calls))

    def _take(self, steps: list[Step]) -> None:
        if len(steps) != len(self._run.generators):
            raise _no_batch()
        self._last = steps


class _OwnNoise:
    """Check of a batch that all noise comes from its pictures' own generators, after every step of it.

    From torch's global generators the noise of a batch is drawn at once, and is not that of each picture alone.
    """

    def __init__(self, run: PipelineRun) -> None:
        self._random = run.random

    def run_started(self, scheduler: Scheduler) -> None:
        """Check what prepared the run."""
        self.step_returned()

    def replace_step(self, call: Call, real_step: Callable[[], Any]) -> Any | None:
        """None: the run takes its steps itself."""
        return None

    def step_returned(self, *_: object) -> None:
        """`NoBatch` where a global generator was used."""
        if self._random.is_global_one_used():
            raise _no_batch()


class _BatchReplay(ForkReplay):
    """Replay of the shared steps for several forks at once, with the state of each after the last; keeps no snapshots.

    Args:
        seeds: What the generator of each goes on with.
        changed: State of each to go on from, in place of that of the last shared step; empty keeps that one.
        others: As of `ForkReplay`.
    """

    def __init__(
        self,
        snapshots: RunSnapshots,
        run: PipelineRun,
        trajectory: Trajectory,
        steps: int,
        seeds: Sequence[int],
        changed: Sequence[Frame],
        is_fresh: bool,
    ) -> None:
        super().__init__(snapshots, run, trajectory, steps, seeds[0], changed[0] if changed else None, is_fresh)
        self._seeds, self._all_changed, self._own_noise = seeds, changed, _OwnNoise(run)

    def run_started(self, scheduler: Scheduler) -> None:
        """As of `ForkReplay`."""
        self._own_noise.step_returned()
        super().run_started(scheduler)
        if self._is_live:
            self._seed_each()

    def step_returned(self, call: Call, result: Any) -> None:
        """Check the noise of a step that was taken."""
        self._own_noise.step_returned()

    def _state(self, k: int, changed: Frame | None, device: torch.device) -> torch.Tensor:
        first = super()._state(k, changed, device)
        if len(first) != 1:
            raise _no_batch()
        if changed is None:
            return first.repeat(len(self._seeds), *[1] * (first.ndim - 1))
        return torch.cat(
            [first, *(super(_BatchReplay, self)._state(k, each, device) for each in self._all_changed[1:])]
        )

    def _go_live(self, state: torch.Tensor) -> None:
        snapshot, device = self.snapshots.after(self._steps), torch.device(self._run.device.id)
        assert self._solver is not None
        if snapshot.handed_on:
            raise _no_batch()
        if self._is_fresh:
            self._solver.restart()
        else:
            self._solver.restore(snapshot.solver, snapshot.store, device, len(self._seeds))
        self._own_noise.step_returned()
        self._seed_each()
        self._is_live = True

    def _seed_each(self) -> None:
        for generator, seed in zip(self._run.generators, self._seeds, strict=True):
            generator.manual_seed(seed)


def _no_batch() -> NoBatch:
    return NoBatch(translate("errors", "This model makes several pictures in another way than each alone."))
