"""Hooks on `step` and `scale_model_input` of a scheduler's class, for the code of one run.

A scheduler that has a predictor and a corrector in place of one `step` takes its steps in `step_pred`.

The class's own methods are replaced while a run lasts. The scheduler object stays as it is: its type, copies and
pickles, and what pipelines find out about them, are those of a run that nobody watches. Which observer is called is a
context variable: runs in other threads and greenlets, of the same class, call the plain methods or their own observer.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import torch

from sculptor_app.diffusion.pipelines.networks import MakeMethod, replaced_methods

Scheduler = Any
"""A scheduler of diffusers, which ships no types."""


class SchedulerCalls(Protocol):
    """Receiver of the calls that a pipeline makes to its scheduler."""

    def before_scaling(self, scheduler: Scheduler, timestep: Any, sample: torch.Tensor) -> None:
        """`scale_model_input`, or a corrector, which has no timestep, is about to be called."""

    def observe_step(
        self, scheduler: Scheduler, real_step: Callable[[], Any], output: torch.Tensor, timestep: Any, x: torch.Tensor
    ) -> Any:
        """`step` is called with a network's output and a state; returns the result that the pipeline is given."""


_receiver: contextvars.ContextVar[SchedulerCalls | None] = contextvars.ContextVar("scheduler calls", default=None)


@contextlib.contextmanager
def hooked(schedulers: Sequence[Scheduler], receiver: SchedulerCalls) -> Iterator[None]:
    """Hand every call of these schedulers, and of copies of them, to `receiver` while this context runs the block."""
    with hooked_kinds([type(each) for each in schedulers], receiver):
        yield


@contextlib.contextmanager
def hooked_kinds(kinds: Iterable[type], receiver: SchedulerCalls | None) -> Iterator[None]:
    """Hand every call of any scheduler of these classes to `receiver`, as `hooked`; None has nobody watch."""
    token = _receiver.set(receiver)
    try:
        with replaced_methods({kind: _hooks_of(kind) for kind in kinds}):
            yield
    finally:
        _receiver.reset(token)


def _receiver_of(scheduler: Scheduler, kind: type) -> SchedulerCalls | None:
    """Who watches this scheduler; nobody where a subclass calls the method of its base class."""
    return _receiver.get() if type(scheduler) is kind else None


def _step_hook(kind: type, original: Any) -> Any:
    names = _names_in(original)

    @functools.wraps(original)
    def step(self: Scheduler, *args: Any, **kwargs: Any) -> Any:
        receiver = _receiver_of(self, kind)
        if receiver is None:
            return original(self, *args, **kwargs)

        def real_step() -> Any:
            return original(self, *args, **kwargs)

        given: dict[str, Any] = dict(zip(names, args, strict=False)) | kwargs
        output, timestep, sample = (
            next((given[each] for each in usual if each in given), None) for usual in _ARGUMENTS
        )
        return receiver.observe_step(self, real_step, output, timestep, sample)  # type: ignore[arg-type]

    return step


_ARGUMENTS = (("model_output", "score"), ("timestep", "t", "sigma_hat"), ("sample", "x", "sample_hat"))
"""What schedulers call the network's output, the timestep and the state that their `step` is given."""


def _names_in(step: Any) -> list[str]:
    """The names of the arguments of a scheduler's `step`, in order; the usual ones where it does not name them."""
    names = list(inspect.signature(step).parameters)[1:]
    return names if all(set(usual) & set(names) for usual in _ARGUMENTS) else [usual[0] for usual in _ARGUMENTS]


def _scaling_hook(kind: type, original: Any) -> Any:
    @functools.wraps(original)
    def scale_model_input(self: Scheduler, sample: Any, *args: Any, **kwargs: Any) -> Any:
        receiver = _receiver_of(self, kind)
        if receiver is not None:
            receiver.before_scaling(self, args[0] if args else kwargs.get("timestep"), sample)
        return original(self, sample, *args, **kwargs)

    return scale_model_input


def _corrector_hook(kind: type, original: Any) -> Any:
    @functools.wraps(original)
    def step_correct(self: Scheduler, model_output: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        receiver = _receiver_of(self, kind)
        if receiver is not None:
            receiver.before_scaling(self, None, sample)
        return original(self, model_output, sample, *args, **kwargs)

    return step_correct


def _hooks_of(kind: type) -> dict[str, MakeMethod]:
    """The hook of each method of a class that is watched."""
    if hasattr(kind, "step"):
        return {"step": _step_hook, "scale_model_input": _scaling_hook}
    return {"step_pred": _step_hook, "step_correct": _corrector_hook}
