"""Watching `scheduler.step` of a running pipeline without changing the run.

The scheduler's class is swapped, while the run lasts, for a subclass made on the fly. An instance attribute would break
deep copies, and a proxy `isinstance` and the passing of `eta` and `generator`.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sculptor_app.diffusion.errors import SamplerFailed
from sculptor_app.diffusion.predictions import NoExactRuleError, guess_of
from sculptor_app.diffusion.scheduler_levels import Call, Scheduler, call_index, plan_calls
from sculptor_app.diffusion.step import Frame, Step


class BatchObserver:
    """Makes one Step of every call of `scheduler.step` for each picture of the batch.

    Args:
        on_start: Is given state 0 of each picture and the planned calls, once, before the network's first evaluation
            where the pipeline scales its input through the scheduler, else before the first call of `step`.
        on_step: Is given the Step of each picture, once for every call.
        interrupt: Is called whenever the run may be ended: before every evaluation and before every step. All three
            may raise: the exception ends the run and comes out of the pipeline.
        most: How many pictures of the batch are watched, its first ones; None is all of them.
    """

    def __init__(
        self,
        on_start: Callable[[list[Frame], tuple[Call, ...]], None],
        on_step: Callable[[list[Step]], None],
        interrupt: Callable[[], None] = lambda: None,
        most: int | None = None,
    ) -> None:
        self._on_start = on_start
        self._on_step = on_step
        self._interrupt = interrupt
        self._most = most
        self._plan: tuple[Call, ...] | None = None
        self._first = 0  # where in the schedule the run starts: later than 0 when a picture was given to start from
        self._next = 0
        self._clock = time.perf_counter()

    def start(self, scheduler: Scheduler, timestep: Any, sample: torch.Tensor) -> None:
        """Note state 0 and the plan, when this is the first sign of the run."""
        self._interrupt()
        if self._plan is not None:
            return
        self._first = self._next = call_index(scheduler, timestep, 0)
        plan = plan_calls(scheduler)
        skipped = plan[self._first].number - 1
        self._plan = tuple(replace(call, number=call.number - skipped) for call in plan)
        self._on_start(to_frames(sample[: self._most]), self._plan[self._first :])
        self._clock = time.perf_counter()

    def watch(
        self, scheduler: Scheduler, real_step: Callable[[], Any], output: torch.Tensor, timestep: Any, x: torch.Tensor
    ) -> Any:
        """Take the real step and report it.

        Args:
            scheduler: Before its step.
            real_step: Takes it.
            output: The network's output.
            timestep: What the network saw.
            x: The state before the step, (B, C, H, W).
        """
        self.start(scheduler, timestep, x)
        call = self._coming_call(scheduler, timestep)
        guesses, note = self._guesses(scheduler, x, output, call)
        result = real_step()
        after = result[0] if isinstance(result, tuple) else result.prev_sample
        states = to_frames(after[: self._most])
        self._refuse_no_numbers(states, call)
        duration_s = time.perf_counter() - self._clock
        self._on_step(
            [
                Step(
                    number=call.number,
                    stage=call.stage,
                    completes=call.completes,
                    timestep=float(timestep),
                    before=call.before,
                    after=call.after,
                    state=state,
                    guess=guess,
                    guess_note=note,
                    duration_s=duration_s,
                )
                for state, guess in zip(states, guesses, strict=True)
            ]
        )
        self._clock = time.perf_counter()  # what the receiver did is not the sampler's time
        return result

    def _refuse_no_numbers(self, states: list[Frame], call: Call) -> None:
        for state in states:
            if not np.isfinite(state.sum()):
                raise SamplerFailed(
                    f"Step {call.number} made values that are no numbers.",
                    "Choose another sampler, more steps or less guidance; the steps before it are kept.",
                )

    def _coming_call(self, scheduler: Scheduler, timestep: Any) -> Call:
        assert self._plan is not None
        index = call_index(scheduler, timestep, self._next)
        if not self._first <= index < len(self._plan):
            raise SamplerFailed(
                f"The model went on after the {len(self._plan)} planned calls of its sampler.",
                "It cannot be watched to the end; the steps so far are kept.",
            )
        self._next = index + 1
        return self._plan[index]

    def _guesses(
        self, scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, call: Call
    ) -> tuple[Sequence[Frame | None], str]:
        watched = x[: self._most]
        try:
            return to_frames(guess_of(scheduler, watched, output[: self._most], call.before)), ""
        except NoExactRuleError as reason:
            return [None] * len(watched), str(reason)


class Observer(BatchObserver):
    """Makes one Step of every call of `scheduler.step`, of batch element 0.

    Args:
        on_start: Is given state 0 and the planned calls; otherwise as that of a BatchObserver.
        on_step: Is given every Step.
        interrupt: As that of a BatchObserver.
    """

    def __init__(
        self,
        on_start: Callable[[Frame, tuple[Call, ...]], None],
        on_step: Callable[[Step], None],
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            lambda frames, plan: on_start(frames[0], plan), lambda steps: on_step(steps[0]), interrupt, most=1
        )


@contextlib.contextmanager
def observed(scheduler: Scheduler, observer: BatchObserver) -> Iterator[None]:
    """Report every call of `scheduler.step` to `observer` while the block runs.

    Raises:
        UnknownSchedulerError: Out of the first call, when the scheduler's noise levels are not known.
    """
    original = type(scheduler)
    scheduler.__class__ = _watching(original, observer)
    try:
        yield
    finally:
        scheduler.__class__ = original


def _watching(original: Any, observer: BatchObserver) -> type:
    """A subclass of a scheduler's class that reports to `observer`; pipelines find the same signatures on it."""

    @functools.wraps(original.step)
    def step(self: Scheduler, model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        def real_step() -> Any:
            return original.step(self, model_output, timestep, sample, *args, **kwargs)

        return observer.watch(self, real_step, model_output, timestep, sample)

    body: dict[str, Any] = {"step": step, "keeps_step_arithmetic": True, "__module__": original.__module__}
    if hasattr(original, "scale_model_input"):  # flow-matching schedulers have none
        body["scale_model_input"] = _noting_the_start(original, observer)
    return type(original.__name__, (original,), body)


def _noting_the_start(original: Any, observer: BatchObserver) -> Callable[..., Any]:
    @functools.wraps(original.scale_model_input)
    def scale_model_input(self: Scheduler, sample: Any, *args: Any, **kwargs: Any) -> Any:
        observer.start(self, args[0] if args else kwargs.get("timestep"), sample)
        return original.scale_model_input(self, sample, *args, **kwargs)

    return scale_model_input


def to_frame(batch: torch.Tensor, element: int = 0) -> Frame:
    """A copy of one element of a batch in main memory.

    Args:
        batch: (B, C, H, W), on any device, of any floating dtype.
        element: Which one, 0..B-1.

    Returns:
        (C, H, W) float32.

    Raises:
        SamplerFailed: The tensor has another number of axes.
    """
    if batch.ndim != 4:
        raise SamplerFailed(
            f"The states of this model have the shape {tuple(batch.shape)}, which is no picture.",
            "Choose a model that works on pictures.",
        )
    frame: Frame = batch[element].detach().to("cpu", torch.float32, copy=True).contiguous().numpy()
    return frame


def to_frames(batch: torch.Tensor) -> list[Frame]:
    """Copies of all elements of a batch, each of its own memory; otherwise as `to_frame`."""
    if len(batch) == 1:
        return [to_frame(batch)]
    together = batch.detach().to("cpu")  # one transfer for all of them
    return [to_frame(together, element) for element in range(len(together))]
