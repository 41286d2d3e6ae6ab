"""What a run was made with, and what goes with its record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.latent_map import LatentMap


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a run left another one.

    Attributes:
        step: the last one that both share, 0 for the noise alone.
        request: what the run up to there was asked for.
    """

    step: int
    request: RunRequest


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run was made with, as it is shown and as it travels in exported files.

    Attributes:
        request: the settings as asked for.
        model_name: "atelier-64", or the name of the model's folder.
        device_name: "NVIDIA H200", "Apple M2 GPU", "CPU, 1 thread".
        sampler_name: "DPM-Solver++ 2M", as the interface writes it.
        space: "pixels" or "latents", what the frames are; "pixels (decoded)" of latents that were decoded afterwards.
        conditions: "bust · bronze", or "unconditional".
        created: time of the start, ISO 8601 in UTC.
        app_version: version of this program.
        origin: what it began with where that was not the noise of the seed, as "bust.jpg, drowned"; else empty.
        first_step: the first of the request's steps that was taken; later than 1 where a run began with a picture.
        latent_map: how latents are seen as colours; None for pixels, and as long as it is not known.
        note: what of the run is not shown, in plain words; empty where all of it is.
        forks: of a run that shares its first steps with another: where, oldest first.
    """

    request: RunRequest
    model_name: str = ""
    device_name: str = ""
    sampler_name: str = ""
    space: str = "pixels"
    conditions: str = ""
    created: str = field(default_factory=_now)
    app_version: str = ""
    origin: str = ""
    first_step: int = 1
    latent_map: LatentMap | None = None
    note: str = ""
    forks: tuple[Fork, ...] = ()

    @property
    def is_of_a_model(self) -> bool:
        """Whether a model made it; of a forward process' request only `seed` and `steps` mean anything."""
        return bool(self.model_name) or not self.origin


class SnapshotStore(Protocol):
    """What a trajectory asks of the snapshots kept beside it; `RunSnapshots` of the engine is one."""

    @property
    def budget_bytes(self) -> int:
        """Most bytes in memory."""

    @property
    def bytes_in_memory(self) -> int:
        """Bytes that are in memory."""

    @property
    def bytes_on_disk(self) -> int:
        """Bytes that are in a temporary file."""

    def close(self) -> None:
        """Forget them."""
