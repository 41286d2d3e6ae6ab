"""What a scheduler remembers from one call of `step` to the next: a solver's history, its counters.

Every scheduler keeps it in plain attributes. Those that are as they were when the run began, its schedule above all,
need not be kept: planning the run again makes them anew.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sculptor_app.core.trajectory.array_store import ArrayStore
from sculptor_app.diffusion.samplers.levels import Scheduler

_REMEMBERED = 32
"""How many of the tensors that were kept last are known again. Solvers hand on a handful from step to step."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor is kept.

    Attributes:
        number: in the store; -1 for one without elements.
        dtype: its type.
        shape: its shape.
        strides: its strides: a convolution of the same numbers in another order differs in the last bit.
        on_cpu: whether it lay in main memory.
    """

    number: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    on_cpu: bool


def with_strides(tensor: torch.Tensor, strides: tuple[int, ...]) -> torch.Tensor:
    """The same numbers in another order in memory, where these strides are such an order; else as they are.

    Args:
        tensor: Contiguous.
        strides: One for each axis.
    """
    if tensor.stride() == strides or not _is_an_order(tensor.shape, strides):
        return tensor
    return torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype, device=tensor.device).copy_(tensor)


def _is_an_order(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether a tensor of these strides fills its memory without gaps and overlaps."""
    size = 1
    for stride, length in sorted(zip(strides, shape, strict=True)):
        if length != 1 and stride != size:
            return False
        size *= length
    return True


class TensorStore:
    """An append-only store of tensors, for one writer thread and any number of readers.

    Args:
        budget_bytes: Most bytes in memory; older ones go to a temporary file beyond it.
        spill_folder: Folder of that file.
    """

    def __init__(self, budget_bytes: int, spill_folder: Path) -> None:
        self._arrays = ArrayStore(budget_bytes, spill_folder)
        self._known: OrderedDict[int, tuple[weakref.ref[torch.Tensor], int, StoredTensor]] = OrderedDict()

    def keep(self, tensor: torch.Tensor) -> StoredTensor:
        """Keep a copy of a tensor, or find the one that was made of this very tensor before.

        Args:
            tensor: Of any shape and type, on any device.

        Raises:
            TrajectoryStorageError: There is no room for it.
        """
        known = self._known.get(id(tensor))
        if known is not None and known[0]() is tensor and known[1] == tensor._version:
            return known[2]
        number = -1
        if tensor.numel():
            content = tensor.detach().to("cpu", copy=True).contiguous().reshape(-1).view(torch.uint8)
            number = self._arrays.append(content.numpy())
        kept = StoredTensor(number, tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.device.type == "cpu")
        self._known[id(tensor)] = (weakref.ref(tensor), tensor._version, kept)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return kept

    def read(self, kept: StoredTensor, device: torch.device) -> torch.Tensor:
        """A copy of a tensor that was kept, where it lay: in main memory, or on the device."""
        where = torch.device("cpu") if kept.on_cpu else device
        if kept.number < 0:
            return torch.empty(kept.shape, dtype=kept.dtype, device=where)
        content = torch.from_numpy(self._arrays[kept.number].copy())  # torch has no read-only tensors
        return with_strides(content.view(kept.dtype).reshape(kept.shape).to(where), kept.strides)

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the tensors that are in memory."""
        return self._arrays.bytes_in_memory

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of the tensors that are in the temporary file."""
        return self._arrays.bytes_on_disk

    def close(self) -> None:
        """Forget all of them and delete the file."""
        self._known.clear()
        self._arrays.close()


_SETTINGS = "_internal_dict"
"""The attribute that holds a scheduler's config, which no call changes."""
_PLAIN = (type(None), bool, int, float, complex, str, bytes, Fraction, torch.dtype, torch.device)

SolverValues = dict[str, Any]
"""Attributes by name; tensors in them are `StoredTensor`."""


class UncopyableState(Exception):
    """A scheduler remembers something that cannot be copied; the text says what, for a person."""


class SolverState:
    """Notes and restores what a scheduler remembers.

    Args:
        scheduler: When its run begins, after `set_timesteps`.
        store: Where tensors go.
    """

    def __init__(self, scheduler: Scheduler, store: TensorStore) -> None:
        self._scheduler, self._store = scheduler, store
        self._first = {name: _copied(value) for name, value in _attributes(scheduler).items()}
        self._marks = {name: _mark(value) for name, value in self._first.items()}

    def note(self) -> SolverValues:
        """What differs now from how the run began.

        Raises:
            UncopyableState: Some of it cannot be copied.
            TrajectoryStorageError: There is no room for it.
        """
        found = _attributes(self._scheduler).items()
        return {name: self._kept(name, value) for name, value in found if self._has_changed(name, value)}

    def restore(self, memory: SolverValues, store: TensorStore, device: torch.device) -> None:
        """Let the scheduler remember what another one of its kind did, in a run that was planned in the same way.

        Args:
            memory: From `note`.
            store: Where its tensors are.
            device: Where the run computes.
        """
        for name in _attributes(self._scheduler):
            if name not in self._first:
                delattr(self._scheduler, name)
            elif name not in memory:
                setattr(self._scheduler, name, _copied(self._first[name]))
        for name, value in memory.items():
            setattr(self._scheduler, name, _read(value, store, device))

    def _has_changed(self, name: str, value: Any) -> bool:
        return name not in self._marks or _mark(value) != self._marks[name]

    def _kept(self, name: str, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._store.keep(value)
        if isinstance(value, list | tuple):
            return type(value)(self._kept(name, each) for each in value)
        if isinstance(value, dict):
            return {key: self._kept(name, each) for key, each in value.items()}
        if isinstance(value, np.ndarray):
            return value.copy()
        if isinstance(value, (*_PLAIN, np.generic)):
            return value
        kind = type(self._scheduler).__name__
        raise UncopyableState(f"{kind} remembers a {type(value).__name__}, which cannot be kept.")


def _attributes(scheduler: Scheduler) -> dict[str, Any]:
    return {name: value for name, value in vars(scheduler).items() if name != _SETTINGS}


def _copied(value: Any) -> Any:
    """A value whose lists are its own: schedulers write into them."""
    return type(value)(_copied(each) for each in value) if isinstance(value, list | tuple) else value


def _mark(value: Any) -> Any:
    """Something that differs when a value was replaced or written into; tables are replaced, never written into."""
    if isinstance(value, torch.Tensor):
        return id(value), value._version
    if isinstance(value, list | tuple):
        return [_mark(each) for each in value]
    return value if isinstance(value, _PLAIN) else id(value)


def _read(value: Any, store: TensorStore, device: torch.device) -> Any:
    if isinstance(value, StoredTensor):
        return store.read(value, device)
    if isinstance(value, list | tuple):
        return type(value)(_read(each, store, device) for each in value)
    if isinstance(value, dict):
        return {key: _read(each, store, device) for key, each in value.items()}
    return value.copy() if isinstance(value, np.ndarray) else value
