"""The distance kernels, plain or melted by torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from sculptor_app.atelier import trace


@dataclass(frozen=True)
class Kernels:
    """The functions in which nearly all rendering time is spent; the same arithmetic, plain or compiled."""

    advance: Callable[..., Any]
    darken: Callable[..., Any]
    surface: Callable[..., Any]
    openness: Callable[..., Any]


@cache
def kernels(compiled: bool) -> Kernels:
    """The kernels.

    Args:
        compiled: Melt each into one loop with torch.compile; False is the reference that works everywhere.
    """
    functions = (trace.advance, trace.darken, trace.surface, trace.openness)
    if not compiled:
        return Kernels(*functions)
    torch._dynamo.config.cache_size_limit = max(torch._dynamo.config.cache_size_limit, 64)  # one entry per form
    return Kernels(*(torch.compile(function, dynamic=True) for function in functions))
