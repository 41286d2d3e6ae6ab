"""Snapshots of a run after each step, so that a fork can share its first steps bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from sculptor_app.core.errors import SculptorError, TrajectoryStorageError
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.changes import Segment
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.diffusion.observe.observer import state_in
from sculptor_app.diffusion.pipelines.networks import OutputShapes
from sculptor_app.diffusion.samplers.levels import Call, Scheduler
from sculptor_app.diffusion.sampling.noise import RandomStreams
from sculptor_app.diffusion.sampling.solver_state import (
    SolverState,
    SolverValues,
    StoredTensor,
    TensorStore,
    UncopyableState,
    with_strides,
)

SHARE_OF_BUDGET = 4
"""Snapshots take up to one in so many bytes of a run's budget; its frames have the rest."""
_AS_FRAMES = (torch.float32, torch.float16, torch.bfloat16)
"""Types that a frame of float32 holds exactly."""


class NotForkable(SculptorError):
    """A run cannot be forked at one of its steps."""


@dataclass(frozen=True, slots=True, eq=False)
class StepSnapshot:
    """State of a run after a step."""

    state: StoredTensor | None  # the tensor that the pipeline went on with; None where the frame holds the same numbers
    dtype: torch.dtype
    strides: tuple[int, ...]  # the order of its numbers in memory
    solver: SolverValues
    random: tuple[StoredTensor, ...]
    store: TensorStore  # where the tensors of all these are
    handed_on: tuple[StoredTensor, ...] = ()  # what the step returned beside the state, for the next step
    taken_by: tuple[str, int] = ("", 0)  # sampler and number of steps of the request that it was taken for

    def tensor(self, frame: Frame, device: torch.device) -> torch.Tensor:
        """The very tensor that the pipeline went on with; `frame` is the state as the trajectory has it."""
        if self.state is not None:
            return self.store.read(self.state, device)
        return with_strides(torch.from_numpy(frame.copy())[None].to(device, self.dtype), self.strides)


class RunSnapshots:
    """Snapshots of one run, append-only. When they cannot be stored any more, the run goes on without them.

    Attributes:
        request: what the newest steps were asked for.
        rest: the stretches that are still to come, of a run whose settings change along it.
    """

    def __init__(self, request: RunRequest, start: Start | None, budget_bytes: int, spill_folder: Path) -> None:
        self.request, self.start, self.budget_bytes = request, start, budget_bytes
        self.rest: tuple[Segment, ...] = ()
        self.output_shapes = OutputShapes()
        self.store = TensorStore(budget_bytes, spill_folder)
        self._steps: list[StepSnapshot] = []
        self._random: tuple[tuple[torch.Tensor, ...], tuple[StoredTensor, ...]] = ((), ())
        self._failure = ""
        self._taken_by = (request.sampler, request.steps)

    def after(self, k: int) -> StepSnapshot:
        """Snapshot after step k, from 1 on; `NotForkable` if there is none."""
        if not 1 <= k <= len(self._steps):
            why = self._failure or translate("errors", "Step {0} of this run was not kept.").format(k)
            raise NotForkable(
                translate("errors", "The run cannot be forked here. {0}").format(why),
                translate("errors", "Start a new run instead."),
            )
        return self._steps[k - 1]

    def share(self, other: RunSnapshots, steps: int) -> None:
        """Begin with the snapshots of another run, whose tensors stay where they are."""
        self._steps = other._steps[:steps]
        self.output_shapes = other.output_shapes

    def append(
        self,
        state: torch.Tensor,
        frame_holds_it: bool,
        solver: SolverState,
        random: RandomStreams,
        handed_on: Sequence[torch.Tensor] = (),
    ) -> None:
        """Store the snapshot after the next step.

        Args:
            frame_holds_it: Whether the state is one picture, as its frame shows it.
            handed_on: What the step returned beside the state, where the pipeline gives it to the next step.
        """
        if self._failure:
            return
        try:
            plain = frame_holds_it and state.dtype in _AS_FRAMES
            tensor = None if plain else self.store.append(state)
            facts = tensor, state.dtype, state.stride(), solver.save(), self._generators(random)
            handed = tuple(map(self.store.append, handed_on))
            self._steps.append(StepSnapshot(*facts, self.store, handed, self._taken_by))
        except UncopyableState as reason:
            self._failure = reason.args[0]
        except TrajectoryStorageError as error:
            self._failure = f"{error.message} {error.advice}"

    def renew(self, k: int, state: torch.Tensor, solver: SolverState, random: RandomStreams) -> None:
        """Note how the run goes on after step k, in another way than the run that this step was shared with.

        Not where the pipeline is handed what a step returned.

        Args:
            state: that the pipeline goes on with.
        """
        snapshot = self.after(k)
        if not snapshot.handed_on:
            try:
                tensor = None if snapshot.state is None else self.store.append(state)
                solver_values, generators = solver.save(), self._generators(random)
            except (UncopyableState, TrajectoryStorageError):
                return
            self._steps[k - 1] = replace(
                snapshot, state=tensor, solver=solver_values, random=generators, store=self.store,
                taken_by=self._taken_by,
            )  # fmt: skip

    def _generators(self, random: RandomStreams) -> tuple[StoredTensor, ...]:
        """Stored states of the generators; most samplers never draw again, and share one copy."""
        states, (before, stored) = random.states(), self._random
        if len(before) != len(states) or not all(map(torch.equal, states, before)):
            stored = tuple(self.store.append(state) for state in states)
            self._random = (states, stored)
        return stored

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of this run's own snapshots that are in memory."""
        return self.store.bytes_in_memory

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of this run's own snapshots that are in a temporary file."""
        return self.store.bytes_on_disk

    def close(self) -> None:
        """Drop the snapshots; runs that share some keep those."""
        self._steps, self._random = [], ((), ())
        self._failure = self._failure or translate("errors", "The run was closed.")
        self.store = TensorStore(0, Path())


class SnapshotRecorder:
    """Recorder of a snapshot after every step of a run, as a `StepHook`."""

    def __init__(self, snapshots: RunSnapshots, random: RandomStreams) -> None:
        self.snapshots, self._random = snapshots, random
        self._solver: SolverState | None = None
        self._is_history_returned = False

    def run_started(self, scheduler: Scheduler) -> None:
        """Note the scheduler's state when the run begins."""
        # What CogVideoX' solver remembers of a step it returns, and is given with the next one.
        step = getattr(scheduler, "step", None)
        names = () if step is None else signature(step).parameters
        self._is_history_returned = any(name.startswith("old_") for name in names)
        self._solver = SolverState(scheduler, self.snapshots.store)

    def replace_step(self, call: Call, real_step: Callable[[], Any]) -> Any | None:
        """None: the run takes its steps itself."""
        return None

    def step_returned(self, call: Call, result: Any) -> None:
        """Store a snapshot after a call that completes a step."""
        self.snapshots.output_shapes.step_taken()
        if call.completes and self._solver is not None:
            state = state_in(result)
            handed_on = result[1:] if self._is_history_returned and isinstance(result, tuple) else ()
            is_frame = state.ndim == 4 and len(state) == 1
            self.snapshots.append(state, is_frame, self._solver, self._random, handed_on)
