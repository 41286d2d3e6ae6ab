"""What a scheduler remembers from one call of `step` to the next: a solver's history, its counters.

Every scheduler keeps it in plain attributes. Those that are as they were when the run began, its schedule above all,
need not be kept: planning the run again makes them anew.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import torch

from sculptor_app.diffusion.samplers.levels import Scheduler
from sculptor_app.diffusion.sampling.tensor_store import Kept, TensorStore

_SETTINGS = "_internal_dict"
"""The attribute that holds a scheduler's config, which no call changes."""
_PLAIN = (type(None), bool, int, float, complex, str, bytes, Fraction, torch.dtype, torch.device)

Memory = dict[str, Any]
"""Attributes by name; tensors in them are `Kept`."""


class NotKeepable(Exception):
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

    def note(self) -> Memory:
        """What differs now from how the run began.

        Raises:
            NotKeepable: Some of it cannot be copied.
            TrajectoryStorageError: There is no room for it.
        """
        found = _attributes(self._scheduler).items()
        return {name: self._kept(name, value) for name, value in found if self._has_changed(name, value)}

    def restore(self, memory: Memory, store: TensorStore, device: torch.device) -> None:
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
        raise NotKeepable(f"{kind} remembers a {type(value).__name__}, which cannot be kept.")


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
    if isinstance(value, Kept):
        return store.read(value, device)
    if isinstance(value, list | tuple):
        return type(value)(_read(each, store, device) for each in value)
    if isinstance(value, dict):
        return {key: _read(each, store, device) for key, each in value.items()}
    return value.copy() if isinstance(value, np.ndarray) else value
