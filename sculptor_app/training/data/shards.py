"""Shards of rendered sculptures as a training set; they appear on disk one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.core.texts import translate
from sculptor_app.training.errors import BadInput, PicturesChanged, RenderSizeMismatch
from sculptor_app.training.files import whole_file

SHARD = 480
"""Pictures in a shard; a multiple of forms times materials, so that every pair is equally frequent."""


def labels_of(
    first_seed: int, forms: int = len(FORMS), count: int | None = None
) -> tuple[list[int], list[int], list[int]]:
    """Seeds, forms and materials of the shard that starts at a seed.

    Args:
        count: Pictures; None is SHARD.
    """
    count = SHARD if count is None else count
    pairs = [(i % forms, i // forms % len(MATERIALS)) for i in range(count)]
    return list(range(first_seed, first_seed + count)), [f for f, _ in pairs], [m for _, m in pairs]


def write_shard(
    folder: Path, first_seed: int, size: int, device: str = "cpu", forms: Sequence[str] = FORMS,
    count: int | None = None,
) -> Path:  # fmt: skip
    """Render one shard and put it in place in one go, so that a reader never sees half of it.

    Args:
        first_seed: Its pictures have this seed and those that follow.
        size: Edge in pixels.
        forms: Which forms; their labels are their places here.
        count: Pictures; None is SHARD.

    Returns:
        The file: an .npz of `pictures` (N, H, W, 3) uint8, `forms` and `materials` (N,) int64.

    Raises:
        NotWritten: The disk did not take it.
    """
    from sculptor_app.atelier.renderer import render, to_bytes

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / shard_name(first_seed)
    if path.exists():
        return path
    seeds, labels, materials = labels_of(first_seed, len(forms), count)
    pictures = to_bytes(render(seeds, [FORMS.index(forms[label]) for label in labels], materials, size, device))
    with whole_file(path) as file:
        np.savez(file, pictures=pictures, forms=np.array(labels), materials=np.array(materials))
    return path


def shard_name(first_seed: int) -> str:
    """The file name of the shard whose first picture has this seed."""
    return f"shard-{first_seed:012d}.npz"


def write_shards(
    folder: Path, count: int, size: int, first_seed: int, device: str, share: tuple[int, int] = (0, 1)
) -> Iterator[Path]:
    """Render `count` shards, one after another.

    Args:
        share: (i, n): of n processes that share the work this is the i-th, and renders every n-th.
    """
    for number in range(share[0], count, share[1]):
        yield write_shard(folder, first_seed + number * SHARD, size, device)


class ShardSet:
    """All shards of a folder in memory, growing as new ones appear.

    Args:
        size: Edge in pixels that they must have; None takes any.
    """

    def __init__(self, folder: Path, size: int | None = None) -> None:
        self._folder, self._size = folder, size
        self._names: list[str] = []
        self._pictures: list[np.ndarray] = []  # (N, H, W, 3) uint8 each
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

        Raises:
            BadInput: A shard is damaged.
            RenderSizeMismatch: Its pictures have another size.
            PicturesChanged: A shard that the run had is not there any more.
        """
        there = sorted(path.name for path in self._folder.glob("shard-*.npz")) if only is None else only
        for name in there:
            if name not in self._names:
                pictures, forms, materials = read_shard(self._folder / name)
                if self._size is not None and pictures.shape[1:3] != (self._size, self._size):
                    raise RenderSizeMismatch(
                        translate("errors", "{0} holds pictures of {1} pixels, not {2}.").format(
                            self._folder / name, pictures.shape[1], self._size
                        )
                    )
                self._pictures.append(pictures)
                self._labels.append((forms, materials))
                self._names.append(name)

    def provenance(self) -> dict[str, Any]:
        """Which renders the model was learned from: [first seed, count] of each run of consecutive seeds."""
        ranges: list[list[int]] = []
        for name, pictures in sorted(zip(self._names, self._pictures, strict=True), key=lambda pair: pair[0]):
            first = int(name.removeprefix("shard-").removesuffix(".npz"))
            if ranges and sum(ranges[-1]) == first:
                ranges[-1][1] += len(pictures)
            else:
                ranges.append([first, len(pictures)])
        return {"render_seeds": ranges, "pictures": len(self)}

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pictures (B, H, W, 3) uint8, forms (B,) and materials (B,) at these places."""
        starts = np.cumsum([0] + [len(p) for p in self._pictures])
        shard = np.searchsorted(starts, indices, side="right") - 1
        inside = indices - starts[shard]
        pictures = np.stack([self._pictures[s][i] for s, i in zip(shard, inside, strict=True)])
        forms = np.array([self._labels[s][0][i] for s, i in zip(shard, inside, strict=True)])
        materials = np.array([self._labels[s][1][i] for s, i in zip(shard, inside, strict=True)])
        return pictures, forms, materials


def read_shard(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (N, H, W, 3) uint8, forms and materials (N,); `BadInput` if damaged, `PicturesChanged` if missing."""
    try:
        # WORKAROUND: np.load of numpy 2.4 leaves a file that it opened itself open when the file is a broken archive.
        with path.open("rb") as file, np.load(file) as shard:
            return shard["pictures"], shard["forms"], shard["materials"]
    except FileNotFoundError as error:
        raise PicturesChanged(
            translate("errors", "{0} is not there any more, and this run learns from it.").format(path)
        ) from error
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise BadInput(
            translate("errors", "{0} is damaged ({1}).").format(path, error),
            translate("errors", "Delete it; it will be rendered again."),
        ) from error
