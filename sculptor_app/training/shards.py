"""The training set on disk: shards of rendered pictures that appear one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sculptor_app.atelier import FORMS, MATERIALS

SHARD = 480
"""Pictures in a shard; a multiple of forms times materials, so that every pair is equally frequent."""


def labels_of(first_seed: int) -> tuple[list[int], list[int], list[int]]:
    """Seeds, forms and materials of the shard that starts at a seed."""
    pairs = [(i % len(FORMS), i // len(FORMS) % len(MATERIALS)) for i in range(SHARD)]
    return list(range(first_seed, first_seed + SHARD)), [f for f, _ in pairs], [m for _, m in pairs]


def write_shard(folder: Path, first_seed: int, size: int, device: str = "cpu") -> Path:
    """Render one shard and put it in place in one go, so that a reader never sees half of it.

    Args:
        folder: Where the shards lie.
        first_seed: Its pictures have this seed and those that follow.
        size: Edge in pixels.
        device: Where to render.

    Returns:
        The file: an .npz of `pictures` (N, H, W, 3) uint8, `forms` and `materials` (N,) int64.
    """
    from sculptor_app.atelier.renderer import render
    from sculptor_app.atelier.sheet import to_bytes

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"shard-{first_seed:012d}.npz"
    if path.exists():
        return path
    seeds, forms, materials = labels_of(first_seed)
    pictures = to_bytes(render(seeds, forms, materials, size, device))
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(file, pictures=pictures, forms=np.array(forms), materials=np.array(materials))
    temporary.replace(path)
    return path


def write_shards(folder: Path, count: int, size: int, first_seed: int, device: str) -> Iterator[Path]:
    """Render `count` shards, one after another."""
    for number in range(count):
        yield write_shard(folder, first_seed + number * SHARD, size, device)


class ShardSet:
    """All shards of a folder in memory, growing as new ones appear.

    Attributes:
        pictures: List of (N, H, W, 3) uint8 arrays.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._pictures: list[np.ndarray] = []
        self._labels: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def shard_names(self) -> list[str]:
        """Names of the shards read, in the order of their pictures."""
        return list(self._names)

    def __len__(self) -> int:
        return sum(len(p) for p in self._pictures)

    def refresh(self, only: list[str] | None = None) -> None:
        """Read shards that are new.

        Args:
            only: Exactly these, in this order (a resumed run reads what it had); None reads all that are there.
        """
        there = sorted(path.name for path in self._folder.glob("shard-*.npz")) if only is None else only
        for name in there:
            if name not in self._names:
                with np.load(self._folder / name) as shard:
                    self._pictures.append(shard["pictures"])
                    self._labels.append((shard["forms"], shard["materials"]))
                self._names.append(name)

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pictures (B, H, W, 3) uint8, forms (B,) and materials (B,) at these places."""
        starts = np.cumsum([0] + [len(p) for p in self._pictures])
        shard = np.searchsorted(starts, indices, side="right") - 1
        inside = indices - starts[shard]
        pictures = np.stack([self._pictures[s][i] for s, i in zip(shard, inside, strict=True)])
        forms = np.array([self._labels[s][0][i] for s, i in zip(shard, inside, strict=True)])
        materials = np.array([self._labels[s][1][i] for s, i in zip(shard, inside, strict=True)])
        return pictures, forms, materials
