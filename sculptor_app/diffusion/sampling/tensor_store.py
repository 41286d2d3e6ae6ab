"""Tensors of any type, kept as they are within a byte budget; each tensor object once, however often it is kept."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sculptor_app.core.trajectory.array_store import ArrayStore

_REMEMBERED = 32
"""How many of the tensors that were kept last are known again. Solvers hand on a handful from step to step."""


@dataclass(frozen=True, slots=True)
class Kept:
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
        self._known: OrderedDict[int, tuple[weakref.ref[torch.Tensor], int, Kept]] = OrderedDict()

    def keep(self, tensor: torch.Tensor) -> Kept:
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
        kept = Kept(number, tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.device.type == "cpu")
        self._known[id(tensor)] = (weakref.ref(tensor), tensor._version, kept)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return kept

    def read(self, kept: Kept, device: torch.device) -> torch.Tensor:
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
