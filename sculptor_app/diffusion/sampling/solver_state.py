"""Solver state: what a scheduler remembers from one call of `step` to the next, saved and restored.

Every scheduler keeps its history and its counters in plain attributes. Those that are as they were when the run began,
its schedule above all, need not be saved: planning the run again restores them. Tensors are stored within a byte
budget, each tensor object once, however often it is saved.
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

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.array_store import ArrayStore
from sculptor_app.diffusion.samplers.levels import Scheduler

_SETTINGS = "_internal_dict"
"""The attribute that holds a scheduler's config, which no call changes."""
_PLAIN = (type(None), bool, int, float, complex, str, bytes, Fraction, torch.dtype, torch.device)
_PLACES = ("_step_index", "is_scale_input_called")
"""Attributes that say where in its plan a scheduler is, and nothing of the steps before."""
_LEAST_AXES = 3
"""Of a tensor that holds a batch of pictures, packed or not."""
_RECENT_TENSORS = 32
"""How many of the tensors that were stored last are recognized. Solvers hand on a handful from step to step."""

SolverValues = dict[str, Any]
"""Attributes of a scheduler by name; tensors in them are `StoredTensor`."""


class UncopyableState(Exception):
    """A scheduler remembers something that cannot be copied; the text names it, for a person."""


class SolverState:
    """State of a scheduler beyond `set_timesteps`, saved after a step, and restored in a run of the same plan."""

    def __init__(self, scheduler: Scheduler, store: TensorStore) -> None:
        self._scheduler, self._store = scheduler, store
        self._first = {name: _copied(value) for name, value in _attributes(scheduler).items()}
        self._marks = {name: _mark(value) for name, value in self._first.items()}

    def save(self) -> SolverValues:
        """The attributes that differ now from how the run began.

        Raises:
            UncopyableState: Some of it cannot be copied.
            TrajectoryStorageError: There is no room for it.
        """
        return {
            name: self._stored(value)
            for name, value in _attributes(self._scheduler).items()
            if name not in self._marks or _mark(value) != self._marks[name]
        }

    def restore(self, values: SolverValues, store: TensorStore, device: torch.device, pictures: int = 1) -> None:
        """Restore what `save` returned for a scheduler of the same class, in a run that was planned in the same way.

        Args:
            pictures: of the batch that goes on from here; what was remembered of one is repeated for each.
        """
        for name in _attributes(self._scheduler):
            if name not in self._first:
                delattr(self._scheduler, name)
            elif name not in values:
                setattr(self._scheduler, name, _copied(self._first[name]))
        for name, value in values.items():
            setattr(self._scheduler, name, _repeated(_read(value, store, device), pictures))

    def restart(self) -> None:
        """Stay at this place in the plan, with nothing known of the steps before."""
        here = {name: value for name, value in _attributes(self._scheduler).items() if name in _PLACES}
        self.restore(here, self._store, torch.device("cpu"))

    def _stored(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._store.append(value)
        if isinstance(value, list | tuple):
            return type(value)(self._stored(each) for each in value)
        if isinstance(value, dict):
            return {key: self._stored(each) for key, each in value.items()}
        if isinstance(value, np.ndarray):
            return value.copy()
        if isinstance(value, (*_PLAIN, np.generic)):
            return value
        kind = type(self._scheduler).__name__
        raise UncopyableState(
            translate("errors", "{0} remembers a {1}, which cannot be kept.").format(kind, type(value).__name__)
        )


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


def _repeated(value: Any, pictures: int) -> Any:
    """A value in which tensors of one picture, (1, C, H, W) or (1, L, D), are of so many; tables are none of one."""
    if isinstance(value, torch.Tensor) and pictures > 1 and value.ndim >= _LEAST_AXES and len(value) == 1:
        return value.repeat(pictures, *[1] * (value.ndim - 1))
    if isinstance(value, list | tuple):
        return type(value)(_repeated(each, pictures) for each in value)
    if isinstance(value, dict):
        return {key: _repeated(each, pictures) for key, each in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Reference to a tensor in a `TensorStore`."""

    number: int  # in the store; -1 for one without elements
    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # its strides: a convolution of the same numbers in another order differs in the last bit
    on_cpu: bool  # whether it lay in main memory


class TensorStore:
    """Append-only store of tensors of any type, for one writer thread and any number of readers.

    Those beyond the budget in memory go to a temporary file in the spill folder, the older ones first.
    """

    def __init__(self, budget_bytes: int, spill_folder: Path) -> None:
        self._arrays = ArrayStore(budget_bytes, spill_folder)
        self._recent: OrderedDict[int, tuple[weakref.ref[torch.Tensor], int, StoredTensor]] = OrderedDict()

    def append(self, tensor: torch.Tensor) -> StoredTensor:
        """Store a copy, or find that of this very tensor; `TrajectoryStorageError` if there is no room."""
        known = self._recent.get(id(tensor))
        if known is not None and known[0]() is tensor and known[1] == tensor._version:
            return known[2]
        number = -1
        if tensor.numel():
            content = tensor.detach().to("cpu", copy=True).contiguous().reshape(-1).view(torch.uint8)
            number = self._arrays.append(content.numpy())
        stored = StoredTensor(number, tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.device.type == "cpu")
        self._recent[id(tensor)] = (weakref.ref(tensor), tensor._version, stored)
        if len(self._recent) > _RECENT_TENSORS:
            self._recent.popitem(last=False)
        return stored

    def read(self, stored: StoredTensor, device: torch.device) -> torch.Tensor:
        """A copy of a stored tensor, where it lay: in main memory, or on the device."""
        place = torch.device("cpu") if stored.on_cpu else device
        if stored.number < 0:
            return torch.empty(stored.shape, dtype=stored.dtype, device=place)
        content = torch.from_numpy(self._arrays[stored.number].copy())  # torch has no read-only tensors
        return with_strides(content.view(stored.dtype).reshape(stored.shape).to(place), stored.strides)

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the tensors that are in memory."""
        return self._arrays.bytes_in_memory

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of the tensors that are in the temporary file."""
        return self._arrays.bytes_on_disk

    def close(self) -> None:
        """Drop all tensors and delete the file."""
        self._recent.clear()
        self._arrays.close()


def with_strides(tensor: torch.Tensor, strides: tuple[int, ...]) -> torch.Tensor:
    """A contiguous tensor's numbers in another order in memory, if these strides are such an order; else as it is."""
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
