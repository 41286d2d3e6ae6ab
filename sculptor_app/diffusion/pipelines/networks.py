"""Networks of a pipeline: which they are, the lock for building one, and stubs of them for replaying a run."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ModelMixin

from sculptor_app.diffusion.pipelines.layout import AUTOENCODERS

BUILD_LOCK = threading.RLock()
"""Held while any network is built.

While diffusers and transformers build a model that they are about to read, they change torch for all threads: new
parameters stay empty, `torch.nn.init` does nothing, and the default dtype is the model's. A network that another thread
builds meanwhile would be empty, or learn from whatever was in memory.
"""

Signature = tuple[str, tuple[int, ...]]
"""Name of a network, and the shape of the first tensor that it is given."""


def networks_of(pipeline: Any) -> dict[str, torch.nn.Module]:
    """The networks of a pipeline by the names of its components, without autoencoders and text encoders."""
    parts = vars(pipeline).items()
    return {name: part for name, part in parts if isinstance(part, ModelMixin) and name not in AUTOENCODERS}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a tensor of an answer is like."""

    shape: tuple[int, ...]
    dtype: torch.dtype


class OutputShapes:
    """What the answers of a run's networks are like, learned in its first steps: kinds and shapes, no values.

    Attributes:
        at_each_step: names of the networks that were asked between two steps. Others prepare the run once, and have to
            do so again when it is replayed.
    """

    def __init__(self) -> None:
        self.at_each_step: set[str] = set()
        self._known: dict[Signature, Any] = {}
        self._steps = 0
        self._hooks: list[Any] = []

    @contextlib.contextmanager
    def learning(self, pipeline: Any) -> Iterator[None]:
        """Learn while the block runs; `step_taken` ends it earlier."""
        self._steps = 0
        for name, network in networks_of(pipeline).items():
            hook = functools.partial(self._note, name)
            self._hooks.append(network.register_forward_hook(hook, with_kwargs=True))
        try:
            yield
        finally:
            self._stop()

    def step_taken(self) -> None:
        """Say that the sampler has taken a step. After the second everything is known."""
        self._steps += 1
        if self._steps == 2:
            self._stop()

    def _stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _note(self, name: str, network: Any, given: tuple[Any, ...], named: dict[str, Any], answer: Any) -> None:
        if self._steps == 1:
            self.at_each_step.add(name)
        self.learn(name, given, named, answer)

    def learn(self, name: str, given: tuple[Any, ...], named: Mapping[str, Any], answer: Any) -> None:
        """Note what an answer is like."""
        first = _first_tensor(given, named)
        if first is not None:
            self._known[name, tuple(first.shape)] = _outline(answer)

    def like(self, name: str, given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Zeros that look like the network's answer; None where it is not known what that looks like."""
        first = _first_tensor(given, named)
        outline = None if first is None else self._known.get((name, tuple(first.shape)))
        return None if outline is None or first is None else _zeros(outline, first.device)


@contextlib.contextmanager
def stubbed_networks(pipeline: Any, answers: OutputShapes, is_live: Callable[[], bool]) -> Iterator[None]:
    """Have the networks answer with zeros while the block runs, until `is_live` says that their answers matter.

    A network that is asked in a way that the answers do not know is asked once in earnest, and then known.

    Args:
        pipeline: Whose networks.
        answers: Of the run that is replayed.
        is_live: Whether the run goes on by itself.
    """
    networks = networks_of(pipeline)
    names = [name for name in answers.at_each_step if name in networks]
    before = {name: vars(networks[name]).get("forward") for name in names}
    for name in names:
        setattr(networks[name], "forward", _standing_in(name, networks[name].forward, answers, is_live))  # noqa: B010
    try:
        yield
    finally:
        for name in names:
            if before[name] is None:
                del networks[name].forward
            else:  # offloading replaces it, too
                setattr(networks[name], "forward", before[name])  # noqa: B010


def _standing_in(name: str, forward: Any, answers: OutputShapes, is_live: Callable[[], bool]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def answer(*given: Any, **named: Any) -> Any:
        if is_live():
            return forward(*given, **named)
        zeros = answers.like(name, given, named)
        if zeros is not None:
            return zeros
        real = forward(*given, **named)
        answers.learn(name, given, named, real)
        return real

    return answer


def _first_tensor(given: tuple[Any, ...], named: Mapping[str, Any]) -> torch.Tensor | None:
    return next((each for each in (*given, *named.values()) if isinstance(each, torch.Tensor)), None)


def _outline(answer: Any) -> Any:
    """The same nesting, with what tensors are like in place of the tensors."""
    if isinstance(answer, torch.Tensor):
        return _Answer(tuple(answer.shape), answer.dtype)
    if isinstance(answer, Mapping):  # diffusers' outputs are, too
        return type(answer)(**{name: _outline(each) for name, each in answer.items()})
    if isinstance(answer, list | tuple):
        return type(answer)(_outline(each) for each in answer)
    return answer


def _zeros(outline: Any, device: torch.device) -> Any:
    if isinstance(outline, _Answer):
        return torch.zeros(outline.shape, dtype=outline.dtype, device=device)
    if isinstance(outline, Mapping):
        return type(outline)(**{name: _zeros(each, device) for name, each in outline.items()})
    if isinstance(outline, list | tuple):
        return type(outline)(_zeros(each, device) for each in outline)
    return outline
