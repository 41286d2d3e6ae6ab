"""What the worker thread is doing, and what it says of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sculptor_app.core.requests.request import RunRequest


class RunState(Enum):
    """What the runner is doing."""

    IDLE = "idle"
    PREPARING = "preparing"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Prepared:
    """How far the engine is: the devices are known first, then the model is loaded.

    Attributes:
        devices: (id, name) of each device, the default first; empty where the engine itself could not be imported.
        model: name of the model that is loaded; empty where it is not (yet).
        error: what went wrong; None where nothing did.
    """

    devices: tuple[tuple[str, str], ...]
    model: str
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What a request's run would look like.

    Attributes:
        request: that was asked about.
        levels: noise levels of its states.
    """

    request: RunRequest
    levels: tuple[Any, ...]
