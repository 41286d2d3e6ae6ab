"""Watching `scheduler.step` of a running pipeline without changing the run.

The scheduler's class is swapped, while the run lasts, for a subclass made on the fly. An instance attribute would break
deep copies, and a proxy `isinstance` and the passing of `eta` and `generator`.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch

from sculptor_app.core.errors import SamplerFailed
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.observe.frames import to_frame as to_frame  # also read from here
from sculptor_app.diffusion.observe.frames import to_frames as to_frames
from sculptor_app.diffusion.observe.guidance import GuidanceSplitter, PredictionsUnknown
from sculptor_app.diffusion.samplers.levels import Call, Scheduler, UnknownSchedulerError, call_index, plan_calls
from sculptor_app.diffusion.samplers.predictions import NoExactRuleError, guess_of


class StepHook(Protocol):
    """Who follows a run's calls beside the observer."""

    def begin(self, scheduler: Scheduler) -> None:
        """The run begins; the scheduler is planned."""

    def serve(self, call: Call, real_step: Callable[[], Any]) -> Any | None:
        """What to return for a call in place of the step; None has the step taken, and shown."""

    def made(self, call: Call, state: torch.Tensor) -> None:
        """A step was taken, and returned this state."""


@dataclass(frozen=True, eq=False)
class ObserverOptions:
    """What is looked at in a run, and how.

    Attributes:
        look: turns the run's tensors into frames.
        halves: tells the two guesses apart that guidance is made of; None leaves them out.
        most: how many pictures of the batch are watched, its first ones; None is all of them.
        calls_left: says how many calls of `step` the pipeline is going to make, None if it does not say; asked at the
            start.
        stages: how many schedulers the pipeline has. Of several the first is watched that works on pictures and whose
            levels are known; what the others do passes unseen.
        follower: who else is told of what is watched; may serve calls itself.
    """

    look: FrameConverter = field(default_factory=FrameConverter)
    halves: GuidanceSplitter | None = None
    most: int | None = None
    calls_left: Callable[[], int | None] = lambda: None
    stages: int = 1
    follower: StepHook | None = None


_KEPT = "It cannot be watched to the end; the steps so far are kept."


class BatchObserver:
    """Makes one Step of every call of `scheduler.step` for each picture of the batch.

    Args:
        on_start: Is given state 0 of each picture and the planned calls, once, before the network's first evaluation
            where the pipeline scales its input through the scheduler, else before the first call of `step`.
        on_step: Is given the Step of each picture, once for every call.
        interrupt: Is called whenever the run may be ended: before every evaluation and before every step. All three
            may raise: the exception ends the run and comes out of the pipeline.
        watching: What is looked at.
    """

    def __init__(
        self,
        on_start: Callable[[list[Frame], tuple[Call, ...]], None],
        on_step: Callable[[list[Step]], None],
        interrupt: Callable[[], None] = lambda: None,
        watching: ObserverOptions | None = None,
    ) -> None:
        self._on_start = on_start
        self._on_step = on_step
        self._interrupt = interrupt
        self.watching = watching or ObserverOptions()
        self._scheduler: Scheduler | None = None  # the one that is watched
        self._plan: tuple[Call, ...] = ()
        self._timesteps: list[float] = []
        self._first = 0  # where in the schedule the run starts: later than 0 when a picture was given to start from
        self._skipped = 0  # steps before that
        self._next = 0
        self._clock = time.perf_counter()

    @property
    def has_begun(self) -> bool:
        """Whether the run has shown a first sign."""
        return self._scheduler is not None

    @property
    def first_step(self) -> int:
        """Which step of the whole schedule the run began with, from 1 on."""
        return 1 + self._skipped

    def start(self, scheduler: Scheduler, timestep: Any, sample: torch.Tensor) -> None:
        """Note state 0 and the plan, when this is the first sign of the run."""
        self._interrupt()
        if self._scheduler is not None or self._is_other_stage(scheduler, sample):
            return
        self._scheduler = scheduler
        self._first = self._next = call_index(scheduler, timestep, 0, self.watching.calls_left())
        plan = plan_calls(scheduler, self._first)
        self._skipped = plan[0].number - 1
        self._plan = tuple(replace(call, number=call.number - self._skipped) for call in plan)
        self._timesteps = scheduler.timesteps.tolist()
        if self.watching.follower is not None:
            self.watching.follower.begin(scheduler)
        self._on_start(self.watching.look.frames(sample[: self.watching.most]), self._plan)
        self._clock = time.perf_counter()

    def _is_other_stage(self, scheduler: Scheduler, sample: torch.Tensor) -> bool:
        """Whether this is a stage of a model with several that is not to be watched."""
        if self.watching.stages == 1:
            return False
        try:
            plan_calls(scheduler)
        except UnknownSchedulerError:
            return True
        return not self.watching.look.is_picture(sample)

    def is_watched(self, scheduler: Scheduler) -> bool:
        """Whether a call of this scheduler's `step` belongs to what is watched, which ends with its last step."""
        return self._scheduler is scheduler and self._next < len(self._timesteps)

    def watch(
        self, scheduler: Scheduler, real_step: Callable[[], Any], output: torch.Tensor, timestep: Any, x: torch.Tensor
    ) -> Any:
        """Take the real step and report it.

        Args:
            scheduler: Before its step.
            real_step: Takes it.
            output: The network's output.
            timestep: What the network saw.
            x: The state before the step, (B, C, H, W), or as the look knows it.
        """
        self.start(scheduler, timestep, x)
        if not self.is_watched(scheduler):
            return real_step()
        call, follower = self._coming_call(scheduler, timestep), self.watching.follower
        served = None if follower is None else follower.serve(call, real_step)
        if served is not None:
            return served
        seen = self._see(scheduler, x, output, call)
        result = real_step()
        states = self.watching.look.frames(state_in(result)[: self.watching.most])
        _refuse_no_numbers(states, call)
        if follower is not None:
            follower.made(call, state_in(result))
        duration_s = time.perf_counter() - self._clock
        self._on_step(
            [
                Step(
                    number=call.number,
                    stage=call.stage,
                    completes=call.completes,
                    timestep=_number(timestep),
                    before=call.before,
                    after=call.after,
                    state=state,
                    duration_s=duration_s,
                    **{name: each[place] if isinstance(each, list) else each for name, each in seen.items()},
                )
                for place, state in enumerate(states)
            ]
        )
        self._clock = time.perf_counter()  # what the receiver did is not the sampler's time
        return result

    def _coming_call(self, scheduler: Scheduler, timestep: Any) -> Call:
        index = call_index(scheduler, timestep, self._next)
        if not self._first <= index < len(self._timesteps):
            raise SamplerFailed(f"The model went on after the {len(self._plan)} planned calls of its sampler.", _KEPT)
        seen, planned = _number(timestep), self._timesteps[index]
        if abs(seen - planned) > 1e-3 * max(1.0, abs(planned)):
            raise SamplerFailed(f"The model's steps come in an unknown order: {seen:g} in place of {planned:g}.", _KEPT)
        self._next = index + 1
        return self._plan[index - self._first]

    def _see(self, scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, call: Call) -> dict[str, Any]:
        """Everything that a Step holds of the network's answer; a list has an entry for each picture."""
        most = self.watching.most
        watched = x[:most]
        try:
            guesses: Sequence[Frame | None] = self._frames(scheduler, watched, output[:most], call)
            seen: dict[str, Any] = {"guess": guesses, "guess_note": ""}
        except NoExactRuleError as reason:
            seen = {"guess": [None] * len(watched), "guess_note": str(reason)}
        return seen | self._see_halves(scheduler, x, output, call) if self.watching.halves is not None else seen

    def _see_halves(self, scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, call: Call) -> dict[str, Any]:
        assert self.watching.halves is not None
        try:
            free, conditional, guidance = self.watching.halves.take(x, output)
            return {
                "guess_unconditional": self._frames(scheduler, x[:1], free, call)[0],
                "guess_conditional": self._frames(scheduler, x[:1], conditional, call)[0],
                "guidance": guidance,
            }
        except (PredictionsUnknown, NoExactRuleError) as reason:
            return {"guidance_note": str(reason)}

    def _frames(self, scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, call: Call) -> list[Frame]:
        return self.watching.look.frames(guess_of(scheduler, x, output, call.before))


def state_in(result: Any) -> torch.Tensor:
    """The state that a scheduler's `step` returned."""
    state: torch.Tensor = result[0] if isinstance(result, tuple) else result.prev_sample
    return state


def _refuse_no_numbers(states: list[Frame], call: Call) -> None:
    for state in states:
        if not np.isfinite(state.sum()):
            raise SamplerFailed(
                f"Step {call.number} made values that are no numbers.",
                "Choose another sampler, more steps or less guidance; the steps before it are kept.",
            )


def _number(timestep: Any) -> float:
    """A timestep as a number; some pipelines give one for each picture."""
    return float(timestep.flatten()[0]) if isinstance(timestep, torch.Tensor) else float(timestep)


class Observer(BatchObserver):
    """Makes one Step of every call of `scheduler.step`, of batch element 0.

    Args:
        on_start: Is given state 0 and the planned calls; otherwise as that of a BatchObserver.
        on_step: Is given every Step.
        interrupt: As that of a BatchObserver.
        watching: As that of a BatchObserver; of the batch one picture is watched whatever it says.
    """

    def __init__(
        self,
        on_start: Callable[[Frame, tuple[Call, ...]], None],
        on_step: Callable[[Step], None],
        interrupt: Callable[[], None] = lambda: None,
        watching: ObserverOptions | None = None,
    ) -> None:
        super().__init__(
            lambda frames, plan: on_start(frames[0], plan),
            lambda steps: on_step(steps[0]),
            interrupt,
            replace(watching or ObserverOptions(), most=1),
        )


@contextlib.contextmanager
def observed(schedulers: Scheduler | Sequence[Scheduler], observer: BatchObserver) -> Iterator[None]:
    """Report every call of `scheduler.step` to `observer` while the block runs.

    Args:
        schedulers: The one of the pipeline, or all of them.
        observer: Is told.

    Raises:
        UnknownSchedulerError: Out of the first call, when the scheduler's noise levels are not known.
    """
    each = schedulers if isinstance(schedulers, Sequence) else [schedulers]
    originals = [type(scheduler) for scheduler in each]
    halves = observer.watching.halves
    for scheduler, original in zip(each, originals, strict=True):
        scheduler.__class__ = _watching(original, observer)
    try:
        with contextlib.nullcontext() if halves is None else halves.listening():
            yield
    finally:
        for scheduler, original in zip(each, originals, strict=True):
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
