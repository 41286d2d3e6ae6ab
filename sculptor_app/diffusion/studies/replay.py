"""Replay of the steps that a fork shares with its run, from their snapshots, without evaluating a network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.observer import state_in
from sculptor_app.diffusion.pipelines.networks import stubbed_networks
from sculptor_app.diffusion.samplers.levels import Call, Scheduler
from sculptor_app.diffusion.sampling.run import PipelineRun
from sculptor_app.diffusion.sampling.snapshots import NotForkable, RunSnapshots, SnapshotRecorder
from sculptor_app.diffusion.sampling.solver_state import with_strides


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
            state = self._state(k, self._changed if is_last else None, state_in(result).device)
            handed_on: tuple[torch.Tensor | None, ...] = tuple(
                snapshot.store.read(each, state.device) for each in snapshot.handed_on
            )
            if self._is_fresh and is_last:
                handed_on = (None,) * len(handed_on)  # as the pipeline hands on in its first step
            result = _with_state(result, state, handed_on)
            if is_last:
                self._go_live(state)
        return result

    def _state(self, k: int, changed: Frame | None, device: torch.device) -> torch.Tensor:
        """State k as the pipeline went on with it, of a batch of 1; with other numbers where it is changed."""
        snapshot = self.snapshots.after(k)
        returned = self._old.returned(k)  # the pipeline changes it once more
        own = self._old.state(k) if returned is None else returned
        state = snapshot.tensor(own if changed is None else changed, device)
        return state if changed is None or snapshot.state is None else self._packed(state, changed)

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
