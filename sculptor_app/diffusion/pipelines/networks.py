"""Networks of a pipeline: which they are, the lock for building one, stops within them, stubs for replaying a run."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
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


def networks_of(pipeline: Any) -> dict[str, torch.nn.Module]:
    """The networks of a pipeline by the names of its components, without autoencoders and text encoders."""
    parts = vars(pipeline).items()
    return {name: part for name, part in parts if isinstance(part, ModelMixin) and name not in AUTOENCODERS}


class NetworkHook:
    """Hook of a network for the time of a run; in copies and pickles of the network it does nothing.

    Args:
        function: What is called, as `register_forward_hook` and its like want it.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function

    def __call__(self, *given: Any) -> None:
        """Hand on what the network was given, and returned."""
        self._function(*given)

    def __reduce__(self) -> tuple[Any, ...]:
        return NetworkHook, (_do_nothing,)  # deep copies are made of it, too


def _do_nothing(*given: Any) -> None:
    """What a copied hook calls."""


_check_stop: contextvars.ContextVar[Callable[[], None] | None] = contextvars.ContextVar(
    "check for a stop", default=None
)
_POLL_S = 0.05


@contextlib.contextmanager
def stops_while_preparing(pipeline: Any, check: Callable[[], None]) -> Iterator[None]:
    """Let a run be stopped while the block prepares it: while words are read, and between the layers that encode them.

    The networks that take the steps are left alone: a stop is heard between steps, and nothing slows them.

    Args:
        check: Raises what ends the run, once a stop was asked for.
    """
    stepping = set(networks_of(pipeline).values())
    encoders = [each for each in pipeline.components.values() if isinstance(each, torch.nn.Module)]
    layers = {layer for each in encoders if each not in stepping for layer in each.modules()}
    hook = NetworkHook(lambda *_: check())
    handles = [each.register_forward_pre_hook(hook) for each in layers]
    readers = {
        type(part): _READING
        for part in pipeline.components.values()
        if callable(getattr(part, "decode", None)) and not isinstance(part, torch.nn.Module)
    }
    token = _check_stop.set(check)
    try:
        with replaced_methods(readers):
            yield
    finally:
        _check_stop.reset(token)
        for each in handles:
            each.remove()


def _leavable(kind: type, read: Any) -> Any:
    """A method by which a tokenizer reads words, in a form that can be left while it does."""

    @functools.wraps(read)
    def read_leavable(self: Any, *given: Any, **named: Any) -> Any:
        check = _check_stop.get()
        if check is None:
            return read(self, *given, **named)
        return _left_at_stop(lambda: read(self, *given, **named), check)

    return read_leavable


MakeMethod = Callable[[type, Any], Any]
"""Makes what stands in for a method, given the class and that method."""

_READING: Mapping[str, MakeMethod] = dict.fromkeys(("__call__", "tokenize", "encode", "apply_chat_template"), _leavable)
"""Methods by which pipelines let a tokenizer, or a processor with one, read words."""

_classes = threading.Lock()


@contextlib.contextmanager
def replaced_methods(kinds: Mapping[type, Mapping[str, MakeMethod]]) -> Iterator[None]:
    """Other methods for classes while the block runs; those that a class has not are left out.

    Blocks of one class may overlap, in any order: the first puts the methods there, the last takes them away.
    """
    with contextlib.ExitStack() as replaced:
        for kind, methods in kinds.items():
            for name, make in methods.items():
                if hasattr(kind, name):  # flow-matching schedulers scale nothing
                    _replace(kind, name, make)
                    replaced.callback(_put_back, kind, name)
        yield


def _replace(kind: type, name: str, make: MakeMethod) -> None:
    with _classes:
        method: Any = vars(kind).get(name)
        if not hasattr(method, "blocks"):
            own, method = method, make(kind, getattr(kind, name))
            method.blocks, method.replaced = 0, own
            method.is_inherited = own is None
            setattr(kind, name, method)
        method.blocks += 1


def _put_back(kind: type, name: str) -> None:
    with _classes:
        method: Any = vars(kind).get(name)
        if not hasattr(method, "blocks"):
            return  # somebody else has replaced it meanwhile
        method.blocks -= 1
        if method.blocks == 0 and method.is_inherited:
            delattr(kind, name)
        elif method.blocks == 0:
            setattr(kind, name, method.replaced)


def _left_at_stop(work: Callable[[], Any], check: Callable[[], None]) -> Any:
    """The result of work in a thread that is left behind when `check` raises: the tokenizers cannot be interrupted."""
    result: Future[Any] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # it is raised in the thread that waits
            result.set_exception(error)

    thread = threading.Thread(target=run, name="tokenizer", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_S)
        check()
    return result.result()


@dataclass(frozen=True, slots=True)
class _TensorShape:
    shape: tuple[int, ...]
    dtype: torch.dtype


class OutputShapes:
    """Shapes and dtypes of the outputs of a run's networks, recorded in its first steps; no values.

    Attributes:
        at_each_step: names of the networks that were called between two steps. Others prepare the run once, and have
            to do so again when it is replayed.
    """

    def __init__(self) -> None:
        self.at_each_step: set[str] = set()
        self._known: dict[tuple[str, tuple[int, ...]], Any] = {}  # by name, and shape of the first tensor of the input
        self._steps = 0
        self._hooks: list[Any] = []

    @contextlib.contextmanager
    def recording(self, pipeline: Any) -> Iterator[None]:
        """Record while the block runs; `step_taken` ends it earlier."""
        self._steps = 0
        for name, network in networks_of(pipeline).items():
            hook = NetworkHook(functools.partial(self._record_call, name))
            self._hooks.append(network.register_forward_hook(hook, with_kwargs=True))
        try:
            yield
        finally:
            self._stop()

    def step_taken(self) -> None:
        """Count a step of the sampler. After the second everything is known."""
        self._steps += 1
        if self._steps == 2:
            self._stop()

    def _stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _record_call(self, name: str, network: Any, given: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        if self._steps == 1:
            self.at_each_step.add(name)
        self.record(name, given, named, output)

    def record(self, name: str, given: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
        """Record the shapes of one output."""
        first = _first_tensor(given, named)
        if first is not None:
            self._known[name, tuple(first.shape)] = _shapes_of(output)

    def zeros(self, name: str, given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Zeros in the shape of the network's output; None where that is not known."""
        first = _first_tensor(given, named)
        if first is None:
            return None
        shapes = self._known.get((name, tuple(first.shape))) or self._of_another_batch(name, tuple(first.shape))
        return None if shapes is None else _zeros(shapes, first.device)

    def _of_another_batch(self, name: str, shape: tuple[int, ...]) -> Any:
        """The shapes of an output whose batch is another one, as where guidance begins or ends; None if not known."""
        for (other, given), shapes in self._known.items():
            if other == name and given[1:] == shape[1:] and _has_batch(shapes, given[0]):
                return _with_batch(shapes, shape[0])
        return None


@contextlib.contextmanager
def stubbed_networks(pipeline: Any, shapes: OutputShapes, is_live: Callable[[], bool]) -> Iterator[None]:
    """Stubs of the networks while the block runs: they return zeros until `is_live` says that their outputs matter.

    A network that is called in a way that was not recorded in `shapes` is run once, and recorded.
    """
    networks = networks_of(pipeline)
    names = [name for name in shapes.at_each_step if name in networks]
    before = {name: vars(networks[name]).get("forward") for name in names}
    for name in names:
        setattr(networks[name], "forward", _stub(name, networks[name].forward, shapes, is_live))  # noqa: B010
    try:
        yield
    finally:
        for name in names:
            if before[name] is None:
                del networks[name].forward
            else:  # offloading replaces it, too
                setattr(networks[name], "forward", before[name])  # noqa: B010


def _stub(name: str, forward: Any, shapes: OutputShapes, is_live: Callable[[], bool]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def stub(*given: Any, **named: Any) -> Any:
        if is_live():
            return forward(*given, **named)
        zeros = shapes.zeros(name, given, named)
        if zeros is not None:
            return zeros
        output = forward(*given, **named)
        shapes.record(name, given, named, output)
        return output

    return stub


def _first_tensor(given: tuple[Any, ...], named: Mapping[str, Any]) -> torch.Tensor | None:
    return next((each for each in (*given, *named.values()) if isinstance(each, torch.Tensor)), None)


def _shapes_of(output: Any) -> Any:
    """The same nesting, with shapes in place of the tensors."""
    if isinstance(output, torch.Tensor):
        return _TensorShape(tuple(output.shape), output.dtype)
    if isinstance(output, Mapping):  # diffusers' outputs are, too
        return _mapping_like(output, {name: _shapes_of(each) for name, each in output.items()})
    if isinstance(output, list | tuple):
        return type(output)(_shapes_of(each) for each in output)
    return output


def _has_batch(shapes: Any, count: int) -> bool:
    """Whether all tensors of an output have as many rows as the batch that it was made of."""
    if isinstance(shapes, _TensorShape):
        return shapes.shape[:1] == (count,)
    if isinstance(shapes, Mapping):
        return all(_has_batch(each, count) for each in shapes.values())
    return not isinstance(shapes, list | tuple) or all(_has_batch(each, count) for each in shapes)


def _with_batch(shapes: Any, count: int) -> Any:
    """The same nesting, of a batch of so many."""
    if isinstance(shapes, _TensorShape):
        return _TensorShape((count, *shapes.shape[1:]), shapes.dtype)
    if isinstance(shapes, Mapping):
        return _mapping_like(shapes, {name: _with_batch(each, count) for name, each in shapes.items()})
    return type(shapes)(_with_batch(each, count) for each in shapes) if isinstance(shapes, list | tuple) else shapes


def _mapping_like(kind: Mapping[Any, Any], entries: dict[Any, Any]) -> Any:
    """Entries as a mapping of the same type; those of a plain dictionary may be numbers, as of a network's layers."""
    return entries if type(kind) is dict else type(kind)(**entries)


def _zeros(shapes: Any, device: torch.device) -> Any:
    if isinstance(shapes, _TensorShape):
        return torch.zeros(shapes.shape, dtype=shapes.dtype, device=device)
    if isinstance(shapes, Mapping):
        return _mapping_like(shapes, {name: _zeros(each, device) for name, each in shapes.items()})
    if isinstance(shapes, list | tuple):
        return type(shapes)(_zeros(each, device) for each in shapes)
    return shapes
