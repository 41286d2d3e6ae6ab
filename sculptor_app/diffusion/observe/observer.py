"""Observer of `scheduler.step` in a running pipeline; the run stays bit-identical.

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
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.observe.guidance import GuidanceSplitter, PredictionsUnknown
from sculptor_app.diffusion.samplers.levels import Call, Scheduler, UnknownSchedulerError, call_index, plan_calls
from sculptor_app.diffusion.samplers.predictions import NoExactRuleError, guess_of

_STEPS_KEPT = translate("errors", "It cannot be watched to the end; the steps so far are kept.")


class StepHook(Protocol):
    """Hook of a run's calls of `scheduler.step`, beside the observer's own callbacks."""

    def run_started(self, scheduler: Scheduler) -> None:
        """The run begins; the scheduler is planned."""

    def replace_step(self, call: Call, real_step: Callable[[], Any]) -> Any | None:
        """A result to return in place of the step, as a fork does up to where it begins; None takes and reports it."""

    def step_returned(self, call: Call, state: torch.Tensor) -> None:
        """A step was taken, and returned this state."""


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
    # on pictures and whose levels are known; the others run unobserved.
    scheduler_count: int = 1
    step_hook: StepHook | None = None  # is called for every step that is observed; may replace it


class BatchObserver:
    """Observer that makes one Step of every call of `scheduler.step` for each picture of the batch.

    Args:
        on_start: Is given state 0 of each picture and the planned calls, once, before the network's first evaluation
            where the pipeline scales its input through the scheduler, else before the first call of `step`.
        on_step: Is given the Step of each picture, once for every call.
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
        self._first = 0  # where in the schedule the run starts: later than 0 when a picture was given to start from
        self._skipped = 0  # steps before that
        self._next = 0
        self._clock = time.perf_counter()

    @property
    def has_begun(self) -> bool:
        """Whether the run has called its scheduler."""
        return self._scheduler is not None

    @property
    def first_step(self) -> int:
        """Which step of the whole schedule the run began with, from 1 on."""
        return 1 + self._skipped

    def start(self, scheduler: Scheduler, timestep: Any, sample: torch.Tensor) -> None:
        """Note state 0 and the plan, at the first call of the run."""
        self._interrupt()
        if self._scheduler is not None or self._is_to_be_left_alone(scheduler, sample):
            return
        self._scheduler = scheduler
        self._first = self._next = call_index(scheduler, timestep, 0, self.options.calls_left())
        plan = plan_calls(scheduler, self._first)
        self._skipped = plan[0].number - 1
        self._plan = tuple(replace(call, number=call.number - self._skipped) for call in plan)
        self._timesteps = scheduler.timesteps.tolist()
        if self.options.step_hook is not None:
            self.options.step_hook.run_started(scheduler)
        self._on_start(self._frames(sample), self._plan)
        self._clock = time.perf_counter()

    def _is_to_be_left_alone(self, scheduler: Scheduler, sample: torch.Tensor) -> bool:
        """Whether this scheduler is one of several, and not the one to observe."""
        if self.options.scheduler_count == 1:
            return False
        try:
            plan_calls(scheduler)
        except UnknownSchedulerError:
            return True
        return not self.options.converter.is_picture(sample)

    def observe_step(
        self, scheduler: Scheduler, real_step: Callable[[], Any], output: torch.Tensor, timestep: Any, x: torch.Tensor
    ) -> Any:
        """Take the real step and report it; `x` is the state before it, (B, C, H, W) or of the converter's layout."""
        self.start(scheduler, timestep, x)
        if self._scheduler is not scheduler or self._next >= len(self._timesteps):  # another one, or beyond its end
            return real_step()
        call, hook = self._next_call(scheduler, timestep), self.options.step_hook
        replaced = None if hook is None else hook.replace_step(call, real_step)
        if replaced is not None:
            return replaced
        facts = self._predictions(scheduler, x, output, call)
        result = real_step()
        states = self._frames(state_in(result))
        _refuse_nan(states, call)
        if hook is not None:
            hook.step_returned(call, state_in(result))
        duration_s = time.perf_counter() - self._clock
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
        self._on_step(steps)
        self._clock = time.perf_counter()  # what the receiver did is not the sampler's time
        return result

    def _frames(self, batch: torch.Tensor) -> list[Frame]:
        return self.options.converter.frames(batch[: self.options.max_pictures])

    def _next_call(self, scheduler: Scheduler, timestep: Any) -> Call:
        index = call_index(scheduler, timestep, self._next)
        if not self._first <= index < len(self._timesteps):
            raise SamplerFailed(
                translate("errors", "The model went on after the {0} planned calls of its sampler.").format(
                    len(self._plan)
                ),
                _STEPS_KEPT,
            )
        seen, planned = _number(timestep), self._timesteps[index]
        if abs(seen - planned) > 1e-3 * max(1.0, abs(planned)):
            raise SamplerFailed(
                translate("errors", "The model's steps come in an unknown order: {0:g} in place of {1:g}.").format(
                    seen, planned
                ),
                _STEPS_KEPT,
            )
        self._next = index + 1
        return self._plan[index - self._first]

    def _predictions(self, scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, call: Call) -> dict[str, Any]:
        """Fields of a Step that follow from the network's output; a list has an entry for each picture."""
        most = self.options.max_pictures
        observed_states = x[:most]
        try:
            guesses: Sequence[Frame | None] = self._guesses(scheduler, observed_states, output[:most], call)
            facts: dict[str, Any] = {"guess": guesses, "guess_note": ""}
        except NoExactRuleError as reason:
            facts = {"guess": [None] * len(observed_states), "guess_note": reason.args[0]}
        splitter = self.options.guidance_splitter
        if splitter is None:
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


def state_in(result: Any) -> torch.Tensor:
    """The state that a scheduler's `step` returned."""
    state: torch.Tensor = result[0] if isinstance(result, tuple) else result.prev_sample
    return state


def _refuse_nan(states: list[Frame], call: Call) -> None:
    for state in states:
        if not np.isfinite(state.sum()):
            raise SamplerFailed(
                translate("errors", "Step {0} gave NaN or infinite values.").format(call.number),
                translate(
                    "errors", "Choose another sampler, more steps or less guidance; the steps before it are kept."
                ),
            )


def _number(timestep: Any) -> float:
    """A timestep as a number; some pipelines give one for each picture."""
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
    """Report every call of `scheduler.step` to `observer` while the block runs.

    Raises:
        UnknownSchedulerError: Out of the first call, when the scheduler's noise levels are not known.
    """
    each = schedulers if isinstance(schedulers, Sequence) else [schedulers]
    originals = [type(scheduler) for scheduler in each]
    splitter = observer.options.guidance_splitter
    for scheduler, original in zip(each, originals, strict=True):
        scheduler.__class__ = _observed_class(original, observer)
    try:
        with contextlib.nullcontext() if splitter is None else splitter.capture():
            yield
    finally:
        for scheduler, original in zip(each, originals, strict=True):
            scheduler.__class__ = original


def _observed_class(original: Any, observer: BatchObserver) -> type:
    """A subclass of a scheduler's class that reports to `observer`; pipelines find the same signatures on it."""

    @functools.wraps(original.step)
    def step(self: Scheduler, model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        def real_step() -> Any:
            return original.step(self, model_output, timestep, sample, *args, **kwargs)

        return observer.observe_step(self, real_step, model_output, timestep, sample)

    body: dict[str, Any] = {"step": step, "keeps_step_arithmetic": True, "__module__": original.__module__}
    if hasattr(original, "scale_model_input"):  # flow-matching schedulers have none
        body["scale_model_input"] = _observed_scaling(original, observer)
    return type(original.__name__, (original,), body)


def _observed_scaling(original: Any, observer: BatchObserver) -> Callable[..., Any]:
    """A scheduler's `scale_model_input` that notes the start of the run."""

    @functools.wraps(original.scale_model_input)
    def scale_model_input(self: Scheduler, sample: Any, *args: Any, **kwargs: Any) -> Any:
        observer.start(self, args[0] if args else kwargs.get("timestep"), sample)
        return original.scale_model_input(self, sample, *args, **kwargs)

    return scale_model_input
