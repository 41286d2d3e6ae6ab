"""Observer of `scheduler.step` in a running pipeline; the run stays bit-identical.

A state is what the next evaluation is given, and the last one what the pipeline returns: pipelines may change what
`step` returned, as inpainting does, which lays the known part of a picture over every state. A step is therefore
reported when its state is certain: mostly at once, when the state is scaled or enters a network unchanged; at the
latest when the sampler is given it.

Of a scheduler whose arithmetic is not known the states are recorded as of any other. There is no guess then, and each
call counts as a step.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch

from sculptor_app.core.errors import Cancelled, SamplerFailed
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import UNKNOWN
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.observe.guidance import GuidanceSplitter, PredictionsUnknown
from sculptor_app.diffusion.observe.scheduler_hooks import hooked
from sculptor_app.diffusion.pipelines.networks import NetworkHook
from sculptor_app.diffusion.samplers.levels import (
    Call,
    Scheduler,
    UnknownSchedulerError,
    call_index,
    calls_in,
    open_calls,
    plan_calls,
)
from sculptor_app.diffusion.samplers.predictions import NoExactRuleError, guess_of

_STEPS_KEPT = translate("errors", "It cannot be watched to the end; the steps so far are kept.")


class StepHook(Protocol):
    """Hook of a run's calls of `scheduler.step`, beside the observer's own callbacks."""

    def run_started(self, scheduler: Scheduler) -> None:
        """The run begins; the scheduler is planned."""

    def replace_step(self, call: Call, real_step: Callable[[], Any]) -> Any | None:
        """A result to return in place of the step, as a fork does up to where it begins; None takes and reports it."""

    def step_returned(self, call: Call, result: Any) -> None:
        """A step was taken, and returned this."""


@dataclass(frozen=True, eq=False)
class ObserverOptions:
    """Options of an observer: what of a run it records, and how."""

    converter: FrameConverter = field(default_factory=FrameConverter)  # of the run's tensors to frames
    # Finds the unconditional and the conditional prediction; None leaves them out.
    guidance_splitter: GuidanceSplitter | None = None
    max_pictures: int | None = None  # how many pictures of the batch are observed, its first ones; None is all of them
    # How many calls of `step` the pipeline is going to make, None if it is not known; asked at the start.
    calls_left: Callable[[], int | None] = lambda: None
    # How many schedulers the pipeline has, one for each model of a cascade. Of several the first is observed that works
    # on pictures, and whose steps are known if those of any are; the others run unobserved.
    scheduler_count: int = 1
    are_any_known: bool = True
    step_hook: StepHook | None = None  # is called for every step that is observed; may replace it
    networks: Sequence[torch.nn.Module] = ()  # the pipeline's denoising networks: their evaluations are watched, too


class BatchObserver:
    """Observer that makes one Step of every call of `scheduler.step` for each picture of the batch.

    Args:
        on_start: Is given state 0 of each picture and the planned calls, once, before the network's first evaluation
            where the pipeline scales its input through the scheduler, else before the first call of `step`.
        on_step: Is given the Step of each picture, once for every call, when its state is certain.
        interrupt: Is called whenever the run may be ended: before every evaluation and before every step. All three
            may raise: the exception ends the run and comes out of the pipeline.
    """

    def __init__(
        self,
        on_start: Callable[[list[Frame], tuple[Call, ...]], None],
        on_step: Callable[[list[Step]], None],
        interrupt: Callable[[], None] = lambda: None,
        options: ObserverOptions | None = None,
    ) -> None:
        self._on_start = on_start
        self._on_step = on_step
        self._interrupt = interrupt
        self.options = options or ObserverOptions()
        self._scheduler: Scheduler | None = None  # the one that is observed
        self._plan: tuple[Call, ...] = ()
        self._timesteps: list[float] = []
        self._why_no_guess = ""  # of any step, where the scheduler's arithmetic is not known
        self._first = 0  # where in the schedule the run starts: later than 0 when a picture was given to start from
        self._skipped = 0  # steps before that
        self._next = 0
        self._pending: _TakenStep | None = None  # a completed step whose state may still be changed
        self._changes_states = False  # whether the pipeline changed a state of this run
        self._clock: float | None = None  # when what belongs to the next step began

    @property
    def has_begun(self) -> bool:
        """Whether the run has called its scheduler."""
        return self._scheduler is not None

    @property
    def first_step(self) -> int:
        """Which step of the whole schedule the run began with, from 1 on."""
        return 1 + self._skipped

    @property
    def scheduler(self) -> Scheduler | None:
        """The scheduler that is observed; None before the run has begun."""
        return self._scheduler

    @property
    def is_over(self) -> bool:
        """Whether all calls that were planned are taken; never where they are counted as they come."""
        return self.has_begun and not self._is_going_on(self._scheduler)

    @property
    def is_plan_open(self) -> bool:
        """Whether the calls are counted as they come: the scheduler is none whose steps are known."""
        return bool(self._why_no_guess)

    def before_scaling(self, scheduler: Scheduler, timestep: Any, sample: Any) -> None:
        """The pipeline is about to scale a network's input; what it gives may hold more than the state."""
        is_state = isinstance(sample, torch.Tensor) and self.options.converter.is_state(sample)
        if self._scheduler is None and is_state:
            self._start(scheduler, timestep, sample)
        elif self._is_going_on(scheduler) and is_state and self._pending is not None:
            given = self._pending.state_of(sample)
            if given is not None:
                self._confirm(self._changed(given))
        self._interrupt()

    def before_evaluation(self, network: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        """A network is about to be evaluated."""
        if self._clock is None:
            self._clock = time.perf_counter()
        pending = self._pending
        if pending is not None and any(map(pending.is_part_of, (*given, *named.values()))):
            self._confirm()
        self._interrupt()

    def finish(self, result: Any) -> None:
        """The pipeline returned its result: what it holds is the last state."""
        if self._pending is not None:
            states = [step.state for step in self._pending.steps]
            converter, returned = self.options.converter, self._pending.returned
            self._confirm(converter.last_states(result, returned, states, self._changes_states))

    def close(self) -> None:
        """Report a step that was taken and never confirmed; the run ended."""
        if self._pending is not None:
            self._confirm()

    def _start(self, scheduler: Scheduler, timestep: Any, sample: torch.Tensor) -> None:
        """Note state 0 and the plan, at the first call of the run."""
        if self._is_to_be_left_alone(scheduler, sample):
            return
        self._scheduler = scheduler
        try:
            plan_calls(scheduler)
            self._first = self._next = call_index(scheduler, timestep, 0, self.options.calls_left())
            plan = plan_calls(scheduler, self._first)
            self._timesteps = scheduler.timesteps.tolist()
        except UnknownSchedulerError as reason:
            self._why_no_guess = reason.args[0]
            plan = self._open_plan(scheduler)
        self._skipped = plan[0].number - 1
        self._plan = tuple(replace(call, number=call.number - self._skipped) for call in plan)
        if self.options.step_hook is not None:
            self.options.step_hook.run_started(scheduler)
        began = time.perf_counter()
        self._clock = began if self._clock is None else self._clock  # a network was evaluated before, or is next
        self._on_start(self._frames(sample), self._plan)
        self._pause(began)

    def _open_plan(self, scheduler: Scheduler) -> tuple[Call, ...]:
        """The calls that are expected of a scheduler whose arithmetic is not known; there may be fewer or more."""
        self._next = 0
        expected = self.options.calls_left()
        with contextlib.suppress(UnknownSchedulerError):
            count = calls_in(scheduler)
            self._first = max(0, count - expected) if expected else self._first
            expected = count - self._first
        if not expected:
            steps = getattr(scheduler, "num_inference_steps", None)
            expected = steps if isinstance(steps, int) else 1
        return open_calls(scheduler, self._first, max(1, expected))

    def _is_going_on(self, scheduler: Scheduler) -> bool:
        """Whether this is the observed scheduler in the observed run: no other stage, and no run after it."""
        return self._scheduler is scheduler and (self.is_plan_open or self._next < self._first + len(self._plan))

    def _is_to_be_left_alone(self, scheduler: Scheduler, sample: torch.Tensor) -> bool:
        """Whether this scheduler is one of several, and not the one to observe."""
        if self.options.scheduler_count == 1:
            return False
        if self.options.are_any_known:
            try:
                plan_calls(scheduler)
            except UnknownSchedulerError:
                return True
        return not self.options.converter.is_picture(sample)

    def observe_step(
        self, scheduler: Scheduler, real_step: Callable[[], Any], output: torch.Tensor, timestep: Any, x: torch.Tensor
    ) -> Any:
        """Take the real step and report it; `x` is the state before it, (B, C, H, W) or of the converter's layout."""
        if self._scheduler is None:
            self._start(scheduler, timestep, x)
        elif self._pending is not None:
            self._confirm(self._changed(x) if self._is_going_on(scheduler) else None)
        self._interrupt()
        if not self._is_going_on(scheduler):
            return real_step()
        call, hook = self._next_call(scheduler, timestep), self.options.step_hook
        replaced = None if hook is None else hook.replace_step(call, real_step)
        if replaced is not None:
            self._clock = None
            if (splitter := self.options.guidance_splitter) is not None:
                splitter.forget()
            return replaced
        facts = self._predictions(scheduler, x, output, call)
        result = real_step()
        returned = state_in(result)
        states = self._frames(returned)
        _refuse_nan(states, call)
        if hook is not None:
            hook.step_returned(call, result)
        now = time.perf_counter()
        duration_s, self._clock = now - (now if self._clock is None else self._clock), now
        steps = [
            Step(
                number=call.number,
                stage=call.stage,
                completes=call.completes,
                timestep=_number(timestep),
                before=call.before,
                after=call.after,
                state=state,
                duration_s=duration_s,
                **{name: each[place] if isinstance(each, list) else each for name, each in facts.items()},
            )
            for place, state in enumerate(states)
        ]
        self._pending = _TakenStep(steps, returned)
        if not call.completes:
            self._confirm()
        return result

    def _changed(self, given: torch.Tensor) -> list[Frame] | None:
        """The states that the pipeline went on with as frames; None where they are those that the sampler returned."""
        assert self._pending is not None
        return None if self._pending.is_unchanged(given) else self._frames(given)

    def _confirm(self, states: list[Frame] | None = None) -> None:
        """Report the step that was taken; `states` are those that the pipeline made of it, None if it changed none."""
        pending, self._pending = self._pending, None
        assert pending is not None
        steps = pending.steps
        if states is not None:
            steps = [_with_state(step, state) for step, state in zip(steps, states, strict=True)]
            self._changes_states = self._changes_states or any(step.returned is not None for step in steps)
        began = time.perf_counter()
        self._on_step(steps)
        self._pause(began)

    def _pause(self, began: float) -> None:
        """Leave out of the sampler's time what the receiver of an event did since then."""
        if self._clock is not None:
            self._clock += time.perf_counter() - began

    def _frames(self, batch: torch.Tensor) -> list[Frame]:
        return self.options.converter.frames(batch[: self.options.max_pictures])

    def _next_call(self, scheduler: Scheduler, timestep: Any) -> Call:
        if self.is_plan_open:
            self._next += 1
            planned = self._next <= len(self._plan)
            return self._plan[self._next - 1] if planned else Call(self._next, 0, True, UNKNOWN, UNKNOWN)
        index = call_index(scheduler, timestep, self._next)
        if not self._first <= index < self._first + len(self._plan):
            raise SamplerFailed(
                translate("errors", "The model went on after the last planned call of its sampler, number {0}.").format(
                    len(self._plan)
                ),
                _STEPS_KEPT,
            )
        seen, wanted = _number(timestep), self._timesteps[index]
        if abs(seen - wanted) > 1e-3 * max(1.0, abs(wanted)):
            raise SamplerFailed(
                translate("errors", "The model's steps come in an unknown order: {0:g} in place of {1:g}.").format(
                    seen, wanted
                ),
                _STEPS_KEPT,
            )
        self._next = index + 1
        return self._plan[index - self._first]

    def _predictions(self, scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, call: Call) -> dict[str, Any]:
        """Fields of a Step that follow from the network's output; a list has an entry for each picture."""
        most = self.options.max_pictures
        observed_states = x[:most]
        if self._why_no_guess:
            facts: dict[str, Any] = {"guess": [None] * len(observed_states), "guess_note": self._why_no_guess}
            return facts if self.options.guidance_splitter is None else facts | {"guidance_note": self._why_no_guess}
        try:
            guesses: Sequence[Frame | None] = self._guesses(scheduler, observed_states, output[:most], call)
            facts = {"guess": guesses, "guess_note": ""}
        except NoExactRuleError as reason:
            facts = {"guess": [None] * len(observed_states), "guess_note": reason.args[0]}
        if (splitter := self.options.guidance_splitter) is None:
            return facts
        try:
            unconditional, conditional, guidance = splitter.split(x, output)
            return facts | {
                "guess_unconditional": self._guesses(scheduler, x[:1], unconditional, call)[0],
                "guess_conditional": self._guesses(scheduler, x[:1], conditional, call)[0],
                "guidance": guidance,
            }
        except (PredictionsUnknown, NoExactRuleError) as reason:
            return facts | {"guidance_note": reason.args[0]}

    def _guesses(self, scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, call: Call) -> list[Frame]:
        return self.options.converter.frames(guess_of(scheduler, x, output, call.before))


@dataclass(frozen=True, eq=False)
class _TakenStep:
    """A step that was taken, with the state that `step` returned; what the pipeline makes of that is not known yet."""

    steps: list[Step]  # of each picture
    returned: torch.Tensor
    version: int = field(init=False)

    def __post_init__(self) -> None:
        if self.returned.is_inference():  # such tensors do not count their changes: a copy is held against them
            object.__setattr__(self, "returned", self.returned.clone())
        object.__setattr__(self, "version", _version(self.returned))

    def is_unchanged(self, given: torch.Tensor) -> bool:
        """Whether this is the tensor that `step` returned, or holds the same numbers but for a rounding to its type."""
        if given is self.returned:
            return self.version == _version(given)
        return given.shape == self.returned.shape and torch.equal(given, self.returned.to(given))

    def is_part_of(self, value: Any) -> bool:
        """Whether a network's argument begins with the state: alone, doubled for guidance, or beside other inputs."""
        if not isinstance(value, torch.Tensor) or self.version != _version(self.returned):
            return False
        if value is self.returned:
            return True
        shape = self.returned.shape
        if value.ndim != len(shape) or any(has < needs for has, needs in zip(value.shape, shape, strict=True)):
            return False
        return torch.equal(value[tuple(map(slice, shape))], self.returned.to(value))

    def state_of(self, sample: torch.Tensor) -> torch.Tensor | None:
        """The state in what is scaled: all of it, or one of the equal parts of a batch that guidance doubled."""
        if sample is self.returned:
            return sample
        count = len(self.returned)
        if sample.shape[1:] != self.returned.shape[1:] or not count or len(sample) % count:
            return None
        parts: tuple[torch.Tensor, ...] = torch.split(sample, count)
        return parts[0] if all(torch.equal(parts[0], each) for each in parts[1:]) else None


def _version(tensor: torch.Tensor) -> int:
    """How often a tensor was changed in place; always 0 where torch does not count it."""
    return 0 if tensor.is_inference() else tensor._version


def _with_state(step: Step, state: Frame) -> Step:
    """A step with the state that the pipeline made of the one that `step` returned, which stays beside it."""
    return step if np.array_equal(step.state, state) else replace(step, state=state, returned=step.state)


def state_in(result: Any) -> torch.Tensor:
    """The state that a scheduler's `step` returned."""
    state: torch.Tensor = result[0] if isinstance(result, tuple) else getattr(result, "prev_sample", result)
    return state


def _refuse_nan(states: list[Frame], call: Call) -> None:
    for state in states:
        if not np.isfinite(state.sum()):
            raise SamplerFailed(
                translate("errors", "Step {0} gave NaN or infinite values.").format(call.number),
                translate("errors", "Choose another sampler or other settings; the steps before it are kept."),
            )


def _number(timestep: Any) -> float:
    """A timestep as a number; some pipelines give one for each picture, and some schedulers take none."""
    if timestep is None:
        return math.nan
    return float(timestep.flatten()[0]) if isinstance(timestep, torch.Tensor) else float(timestep)


class Observer(BatchObserver):
    """Observer that makes one Step of every call of `scheduler.step`, of batch element 0."""

    def __init__(
        self,
        on_start: Callable[[Frame, tuple[Call, ...]], None],
        on_step: Callable[[Step], None],
        interrupt: Callable[[], None] = lambda: None,
        options: ObserverOptions | None = None,
    ) -> None:
        super().__init__(
            lambda frames, plan: on_start(frames[0], plan),
            lambda steps: on_step(steps[0]),
            interrupt,
            replace(options or ObserverOptions(), max_pictures=1),
        )


@contextlib.contextmanager
def observed(schedulers: Scheduler | Sequence[Scheduler], observer: BatchObserver) -> Iterator[None]:
    """Report every call of `scheduler.step` to `observer` while the block runs."""
    splitter = observer.options.guidance_splitter
    with contextlib.ExitStack() as stack:
        stack.enter_context(hooked(schedulers if isinstance(schedulers, Sequence) else [schedulers], observer))
        for network in observer.options.networks:
            seen = NetworkHook(observer.before_evaluation)
            hook = network.register_forward_pre_hook(seen, with_kwargs=True)
            stack.callback(hook.remove)
        if splitter is not None:
            stack.enter_context(splitter.capture())
        try:
            yield
        except Cancelled:
            raise
        except Exception:
            observer.close()
            raise
        observer.close()
