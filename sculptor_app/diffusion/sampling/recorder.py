"""Recorder of runs that somebody else makes: calls of a pipeline, or of its scheduler's `step` in a loop of one's own.

Nothing that goes wrong with a record disturbs the run: the record ends and says why, and the run goes on. What is
replaced for it (methods of classes, hooks of networks) is as before when the recorder is closed, and no random number
is drawn.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import diffusers
import torch

from sculptor_app import folders
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import MAX_GUIDANCE, MAX_SEED, MAX_STEPS, RequestError, RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.core.texts import translate, without_secrets
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, RunInfo
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.observe.guidance import GuidanceSplitter
from sculptor_app.diffusion.observe.observer import Observer, ObserverOptions, observed
from sculptor_app.diffusion.observe.scheduler_hooks import hooked_kinds
from sculptor_app.diffusion.pipelines.layout import latent_layout_of
from sculptor_app.diffusion.pipelines.networks import NetworkHook, networks_of, replaced_methods
from sculptor_app.diffusion.pipelines.parameters import native_size
from sculptor_app.diffusion.pipelines.suitability import watching_obstacle_of
from sculptor_app.diffusion.samplers.levels import Call, Scheduler, is_known, levels_of
from sculptor_app.diffusion.samplers.schedulers import schedulers_of
from sculptor_app.diffusion.sampling.run import stages_note
from sculptor_app.identity import VERSION

log = logging.getLogger(__name__)

_ENDED_EARLY = translate("errors", "It ended before all its steps were taken.")
_recorders: contextvars.ContextVar[tuple[Recorder, ...]] = contextvars.ContextVar("recorders", default=())


class Recorder:
    """Recorder of every run that a pipeline makes between `open` and `close`, in the thread that calls both.

    Args:
        pipeline: A pipeline of diffusers.
        budget_bytes: Most bytes in memory of all runs' frames together; older ones go to temporary files.
        both_guesses: Whether to keep the guesses of the unconditional and the conditional prediction, too.

    Attributes:
        runs: The runs so far, oldest first; the last one may still grow.

    Raises:
        RequestError: It is none, or its calls cannot be watched.
    """

    def __init__(self, pipeline: Any, budget_bytes: int = DEFAULT_BUDGET_BYTES, both_guesses: bool = False) -> None:
        _check(pipeline)
        self.pipeline = pipeline
        self.layout = latent_layout_of(pipeline)
        self.budget_bytes, self.both_guesses = budget_bytes, both_guesses
        self.runs: list[Trajectory] = []
        self.is_busy = False  # whether the pipeline is being called
        self._loop: _Record | None = None  # of a loop that calls the scheduler itself
        self._opened: contextlib.ExitStack | None = None

    def open(self) -> None:
        """Begin to record."""
        schedulers = [*_loaded(diffusers.SchedulerMixin), *map(type, schedulers_of(self.pipeline).values())]
        pipelines = [kind for kind in _loaded(diffusers.DiffusionPipeline) if "__call__" in vars(kind)]
        with contextlib.ExitStack() as stack:
            _recorders.set((*_recorders.get(), self))
            stack.callback(self._leave)
            stack.enter_context(replaced_methods({kind: {"__call__": _call_hook} for kind in pipelines}))
            stack.enter_context(replaced_methods({type(self.pipeline): {"__call__": _call_hook}}))
            stack.enter_context(replaced_methods({kind: {"set_timesteps": _plan_hook} for kind in schedulers}))
            stack.enter_context(hooked_kinds(schedulers, _OwnLoops()))
            for network in self.networks:
                hook = network.register_forward_pre_hook(NetworkHook(self._before_evaluation), with_kwargs=True)
                stack.callback(hook.remove)
            self._opened = stack.pop_all()

    def close(self, error: BaseException | None = None) -> None:
        """Record no more, and put everything back that was replaced; `error` is what ended the block."""
        self.end_loop("" if error is None else _reason(error))
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _leave(self) -> None:
        _recorders.set(tuple(each for each in _recorders.get() if each is not self))

    @property
    def networks(self) -> list[torch.nn.Module]:
        """The denoising networks that may be given hooks: those that are compiled would be compiled anew for them."""
        networks = networks_of(self.pipeline).values()
        return [each for each in networks if getattr(each, "_compiled_call_impl", None) is None]

    def budget_for_a_run(self) -> int:
        """Bytes that a new run may keep in memory, once the others have left at least half of the budget to it."""
        kept = sum(run.bytes_in_memory for run in self.runs)
        for run in self.runs:
            excess = kept - self.budget_bytes // 2
            if excess > 0:
                before = run.bytes_in_memory
                run.shrink(max(0, before - excess))
                kept -= before - run.bytes_in_memory
        return self.budget_bytes - kept

    def _new_record(self, arguments: Mapping[str, Any], is_loop: bool) -> _Record | None:
        """A record that has not begun; None where a pipeline is so strange that there can be none."""
        try:
            return _Record(self, arguments, is_loop)
        except Exception as error:
            log.warning("A run is not recorded: %s", error)
            return None

    # Calls of the pipeline --------------------------------------------------------------------------------------------

    def record_call(self, call: Callable[[], Any], arguments: Mapping[str, Any]) -> Any:
        """Call the pipeline and record it; returns and raises what the call does."""
        self.end_loop()
        record = self._new_record(arguments, is_loop=False)
        if record is None:
            return call()
        self.is_busy = True
        try:
            schedulers = list(schedulers_of(self.pipeline).values())
            with record.converter.noting_size(self.pipeline), observed(schedulers, record.observer):
                result = call()
                record.observer.finish(result)
        except BaseException as error:
            record.end(_reason(error))
            raise
        finally:
            self.is_busy = False
        record.end()
        return result

    # Loops that call the scheduler ------------------------------------------------------------------------------------

    def loop(self, scheduler: Scheduler, timestep: Any) -> _Record | None:
        """The record of the loop that this call of a scheduler belongs to; a new one where it begins again."""
        if self._loop is not None and not self._loop.goes_on(scheduler, timestep):
            self.end_loop()
        if self._loop is None:
            self._loop = self._new_record({}, is_loop=True)
        return self._loop

    def end_loop(self, reason: str = "") -> None:
        """The loop, if there is one, takes no further step."""
        record, self._loop = self._loop, None
        if record is not None:
            record.end(reason)

    def planned_anew(self, scheduler: Scheduler) -> None:
        """A scheduler's timesteps were set: what it was used for before is over."""
        if self._loop is not None and self._loop.observer.scheduler in (scheduler, None):
            self.end_loop()

    def _before_evaluation(self, network: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        if self._loop is not None and not self.is_busy:
            self._loop.observer.before_evaluation(network, given, named)


class _Record:
    """The record of one run, as it grows."""

    def __init__(self, recorder: Recorder, arguments: Mapping[str, Any], is_loop: bool) -> None:
        pipeline, stages = recorder.pipeline, schedulers_of(recorder.pipeline)
        self._recorder, self._arguments, self._is_loop = recorder, arguments, is_loop
        self._trajectory: Trajectory | None = None
        self._seed = _seed_in(arguments)  # before anything is drawn
        self._first_timestep: float | None = None  # of a loop
        self._timestep: float | None = None  # of its newest call
        self.converter = FrameConverter(recorder.layout, _size_of(pipeline, arguments))
        are_hooked = len(recorder.networks) == len(networks_of(pipeline))
        guidance = _guidance_in(arguments)
        options = ObserverOptions(
            self.converter,
            GuidanceSplitter(pipeline, guidance) if recorder.both_guesses and are_hooked and not is_loop else None,
            calls_left=lambda: None if is_loop else _calls_noted_by(pipeline),
            scheduler_count=1 if is_loop else len(stages),
            are_any_known=any(map(is_known, stages.values())),
            networks=recorder.networks,
        )
        self.observer = _Bystander(self._start, self._take, self._fail, options)

    def goes_on(self, scheduler: Scheduler, timestep: Any) -> bool:
        """Whether a call of a scheduler's method belongs to this loop."""
        if self.observer.scheduler not in (scheduler, None) or self.observer.is_over:
            return False
        number = _number(timestep)
        return number is None or number != self._first_timestep or self._timestep in (None, number)

    def note_timestep(self, timestep: Any) -> None:
        """The loop takes a step at this timestep."""
        self._timestep = _number(timestep)
        if self._first_timestep is None:
            self._first_timestep = self._timestep

    def end(self, reason: str = "") -> None:
        """The run takes no further step: it is complete, or ended for this reason."""
        self.observer.close()
        run = self._trajectory
        if run is None or run.ended:
            return
        if not reason and self.observer.is_plan_open and run.last:
            run.plan_again(run.last)
        if not run.is_complete:
            run.end(reason or f"failed: {_ENDED_EARLY}")

    def _start(self, start: Frame, calls: tuple[Call, ...]) -> None:
        recorder, levels = self._recorder, levels_of(calls)
        info = _info_of(recorder, self.observer, self._arguments, self._seed, len(levels) - 1)
        budget = recorder.budget_for_a_run()
        self._trajectory = Trajectory(info, start, levels, budget, folders.spill())
        recorder.runs.append(self._trajectory)

    def _take(self, step: Step) -> None:
        run = self._trajectory
        assert run is not None
        if self.observer.is_plan_open and step.number > run.planned_steps:
            run.plan_again(step.number)
        run.append(step)

    def _fail(self, error: Exception) -> None:
        log.warning("A run is recorded no further: %s", error)
        if self._trajectory is not None and not self._trajectory.ended:
            self._trajectory.end(_reason(error))


class _Bystander(Observer):
    """An observer whose own faults never reach the run: it watches no more, and says why.

    Args:
        on_fault: Is given what went wrong, once.
    """

    def __init__(
        self,
        on_start: Callable[[Frame, tuple[Call, ...]], None],
        on_step: Callable[[Step], None],
        on_fault: Callable[[Exception], None],
        options: ObserverOptions,
    ) -> None:
        super().__init__(on_start, on_step, options=options)
        self._on_fault, self._has_failed = on_fault, False

    def before_scaling(self, scheduler: Scheduler, timestep: Any, sample: Any) -> None:
        self._try(super().before_scaling, scheduler, timestep, sample)

    def before_evaluation(self, network: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._try(super().before_evaluation, network, given, named)

    def finish(self, result: Any) -> None:
        self._try(super().finish, result)

    def close(self) -> None:
        self._try(super().close)

    def observe_step(
        self, scheduler: Scheduler, real_step: Callable[[], Any], output: torch.Tensor, timestep: Any, x: torch.Tensor
    ) -> Any:
        if self._has_failed:
            return real_step()
        step = _OneStep(real_step)
        try:
            return super().observe_step(scheduler, step, output, timestep, x)
        except Exception as error:
            if error is step.error:  # the sampler's own
                raise
            self._fail(error)
        return step.result if step.is_taken else real_step()

    def _try(self, observe: Callable[..., None], *given: Any) -> None:
        if self._has_failed:
            return
        try:
            observe(*given)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed, self._pending = True, None
            self._on_fault(error)


class _OneStep:
    """A sampler's step that is taken once, with what it returned or raised."""

    def __init__(self, real_step: Callable[[], Any]) -> None:
        self._real_step = real_step
        self.is_taken, self.result = False, None
        self.error: Exception | None = None

    def __call__(self) -> Any:
        try:
            self.result = self._real_step()
        except Exception as error:
            self.error = error
            raise
        self.is_taken = True
        return self.result


# Hooks ----------------------------------------------------------------------------------------------------------------


class _OwnLoops:
    """Receiver of calls to schedulers outside of a pipeline's call, for whichever recorder they belong to."""

    def before_scaling(self, scheduler: Scheduler, timestep: Any, sample: torch.Tensor) -> None:
        """Note it for the loop that it belongs to."""
        recorder = _recorder_of(scheduler)
        record = None if recorder is None else recorder.loop(scheduler, timestep)
        if record is not None:
            record.observer.before_scaling(scheduler, timestep, sample)

    def observe_step(
        self, scheduler: Scheduler, real_step: Callable[[], Any], output: torch.Tensor, timestep: Any, x: torch.Tensor
    ) -> Any:
        """Take the step, and record it with the loop that it belongs to."""
        recorder = _recorder_of(scheduler)
        record = None if recorder is None else recorder.loop(scheduler, timestep)
        if record is None:
            return real_step()
        record.note_timestep(timestep)
        return record.observer.observe_step(scheduler, real_step, output, timestep, x)


def _recorder_of(scheduler: Scheduler) -> Recorder | None:
    """The recorder of the pipeline that a scheduler belongs to; of one that belongs to none the newest."""
    active = _recorders.get()
    owners = [each for each in active if any(own is scheduler for own in schedulers_of(each.pipeline).values())]
    return next(reversed(owners or active), None)


def _call_hook(kind: type, original: Any) -> Any:
    @functools.wraps(original)
    def call(self: Any, *given: Any, **named: Any) -> Any:
        active = _recorders.get()
        real_call = functools.partial(original, self, *given, **named)
        if not active or any(each.is_busy for each in active if each.pipeline is self):
            return real_call()
        recorder = next((each for each in reversed(active) if each.pipeline is self), None)
        if recorder is not None:
            return recorder.record_call(real_call, _arguments_of(original, (self, *given), named))
        if any(each.is_busy for each in active):  # a part of a pipeline that is being recorded
            return real_call()
        with hooked_kinds((), None):  # somebody else's
            return real_call()

    return call


def _plan_hook(kind: type, original: Any) -> Any:
    @functools.wraps(original)
    def set_timesteps(self: Scheduler, *given: Any, **named: Any) -> Any:
        for recorder in _recorders.get():
            recorder.planned_anew(self)
        return original(self, *given, **named)

    return set_timesteps


def _loaded(base: Any) -> list[type]:
    """A class of diffusers and all that are made from it so far."""
    found: dict[type, None] = {}
    waiting = [base]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found[kind] = None
            waiting += kind.__subclasses__()
    return [kind for kind in found if kind is not base]


# Facts of a run -------------------------------------------------------------------------------------------------------


def _check(pipeline: Any) -> None:
    name = type(pipeline).__name__
    if not isinstance(pipeline, diffusers.DiffusionPipeline):
        raise RequestError(translate("errors", "A pipeline of diffusers can be recorded; this is a {0}.").format(name))
    obstacle = watching_obstacle_of(pipeline)
    if obstacle is not None:
        raise RequestError(str(obstacle))
    if not schedulers_of(pipeline):
        raise RequestError(translate("errors", "{0} has no scheduler whose steps could be recorded.").format(name))


def _arguments_of(call: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments of a call by name; none where it does not take them, which it says itself."""
    try:
        return inspect.signature(call).bind_partial(*given, **named).arguments
    except (TypeError, ValueError):
        return {}


def _size_of(pipeline: Any, arguments: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width in pixels as they were asked for, or else the model's own."""
    height, width = arguments.get("height"), arguments.get("width")
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    return native_size(pipeline)


def _calls_noted_by(pipeline: Any) -> int | None:
    count = getattr(pipeline, "_num_timesteps", None)
    return count if isinstance(count, int) else None


def _guidance_in(arguments: Mapping[str, Any]) -> float | None:
    scale = arguments.get("guidance_scale")
    is_number = isinstance(scale, int | float) and not isinstance(scale, bool)
    return float(scale) if is_number and 0 <= scale <= MAX_GUIDANCE else None  # type: ignore[operator,arg-type]


def _seed_in(arguments: Mapping[str, Any]) -> int | None:
    """The seed of the call's generator, if it has drawn nothing yet; None where it is not known."""
    generator = arguments.get("generator")
    generator = generator[0] if isinstance(generator, list) and generator else generator
    if not isinstance(generator, torch.Generator):
        return None
    seed = generator.initial_seed()
    fresh = torch.Generator(generator.device).manual_seed(seed)
    return seed if 0 <= seed <= MAX_SEED and torch.equal(fresh.get_state(), generator.get_state()) else None


def _words_in(arguments: Mapping[str, Any]) -> str:
    """Prompt or labels in a few words."""
    words = []
    for name in ("prompt", "class_labels", "form", "material"):
        value = arguments.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str | int):
            words.append(value if isinstance(value, str) else f"{name.removesuffix('_labels')} {value}")
    return " · ".join(filter(None, words)) or "unconditional"


def _request_of(pipeline: Any, arguments: Mapping[str, Any], steps: int) -> RunRequest:
    """What was asked for, as far as a request can say it."""
    named = getattr(pipeline, "name_or_path", None) or pipeline.config.get("_name_or_path")
    left_out = ("num_inference_steps", "guidance_scale", "generator", "self")
    options = {
        name: value
        for name, value in arguments.items()
        if name not in left_out and isinstance(value, str | int | float) and math.isfinite(_as_number(value))
    }
    request = RunRequest(
        seed=0, steps=max(1, min(steps, MAX_STEPS)), sampler=OWN_SAMPLER, guidance=_guidance_in(arguments),
        model=named if isinstance(named, str) and named else type(pipeline).__name__,
    )  # fmt: skip
    with contextlib.suppress(RequestError):
        request = replace(request, options=options)  # type: ignore[arg-type]
    return request


def _as_number(value: str | float) -> float:
    return 0.0 if isinstance(value, str) else value


def _info_of(
    recorder: Recorder, observer: Observer, arguments: Mapping[str, Any], seed: int | None, planned: int
) -> RunInfo:
    """Facts of a run that is about to take its first step."""
    pipeline, scheduler = recorder.pipeline, observer.scheduler
    first_step = observer.first_step
    request = _request_of(pipeline, arguments, first_step - 1 + planned)
    return RunInfo(
        request=request if seed is None else replace(request, seed=seed),
        model_name=PurePath(request.model or "").name,
        device_name=str(getattr(pipeline, "_execution_device", pipeline.device)),
        sampler_name=type(scheduler).__name__,
        space=recorder.layout.space,
        conditions=_words_in(arguments),
        app_version=VERSION,
        first_step=first_step,
        note=stages_note(list(schedulers_of(pipeline))),
        decoder_factor=recorder.layout.factor,
        sampler_settings={**getattr(scheduler, "config", {}), "_class_name": type(scheduler).__name__},
        libraries={"diffusers": diffusers.__version__, "torch": str(torch.__version__)},
        has_seed=seed is not None,
    )


def _reason(error: BaseException) -> str:
    """Why a run ended, as `Trajectory.end` is given it."""
    if isinstance(error, SculptorError):
        return f"failed: {error}"
    if not isinstance(error, Exception):  # Ctrl+C
        return "cancelled"
    line = (str(error).strip().splitlines() or [""])[0]
    return without_secrets(f"failed: {type(error).__name__}: {line}".rstrip(": "))


def _number(timestep: Any) -> float | None:
    try:
        return float(timestep.flatten()[0] if isinstance(timestep, torch.Tensor) else timestep)
    except (TypeError, ValueError, IndexError):
        return None
