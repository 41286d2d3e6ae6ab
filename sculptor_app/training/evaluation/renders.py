"""Renders to measure with: fresh ones that no model has seen, and those that a model was trained on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from sculptor_app.atelier.renderer import render
from sculptor_app.atelier.sheet import to_bytes
from sculptor_app.core.errors import ModelFolderError
from sculptor_app.training.data.shards import SHARD, labels_of, read_shard, shard_name, write_shard
from sculptor_app.training.errors import BadInput
from sculptor_app.training.evaluation.parallel import in_parallel, workers_on

JUDGE_SEEDS = 2**40
"""First seed of the renders that a judge is made with; training sets use low seeds."""
FRESH_SEEDS = 2**41
"""From here on are the seeds of the renders that samples are compared with; there are 2^40 of them."""
TRAINING_FILE = "training.json"
MOST_PARTS = 100_000

Blocks = list[tuple[int, int]]
"""Runs of consecutive seeds, (first seed, count), each inside one shard."""
Wanted = tuple[list[int], list[int], list[int]]
"""Seeds, forms and materials."""
AT_ONCE_CPU = 48


def fresh_renders(
    seed: int, forms: list[int], materials: list[int], size: int, device: str = "cpu"
) -> Iterator[torch.Tensor]:
    """Renders of these labels, from seeds that belong to no training and to no judge.

    Args:
        seed: Another one gives other pictures.
        forms: Labels.
        materials: Labels.
        size: Edge in pixels.
        device: Where to render.

    Yields:
        (n, 3, size, size) uint8, in the order of the labels.
    """
    first = FRESH_SEEDS + int(np.random.default_rng(seed).integers(2**40 - len(forms)))
    yield from _rendered((list(range(first, first + len(forms))), forms, materials), size, device)


def training_blocks(folder: Path) -> Blocks:
    """Which renders a model was trained on, by its training.json; none if it has no such file.

    The file holds `{"render_seeds": [[first seed, count], …]}`; labels follow `shards.labels_of`.

    Raises:
        ModelFolderError: The file is there and says something else.
    """
    path = folder / TRAINING_FILE
    try:
        ranges = json.loads(path.read_text(encoding="utf-8"))["render_seeds"]
        checked = [(first, count) for first, count in ranges if _is_range(first, count)]
        if len(checked) != len(ranges) or sum(count for _, count in checked) > MOST_PARTS * SHARD:
            raise ValueError("a range is none")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFolderError(
            f"{path} does not say which renders the model was trained on ({error}).",
            "Restore the file, or delete it to leave the comparison out.",
        ) from error
    return [(first + skip, min(SHARD, count - skip)) for first, count in checked for skip in range(0, count, SHARD)]


def _is_range(first: object, count: object) -> bool:
    whole = type(first) is int and type(count) is int
    return whole and first >= 0 and count >= 1 and first + count <= 2**63  # type: ignore[operator,return-value]


def choose_blocks(blocks: Blocks, most: int | None) -> Blocks:
    """As many of the pictures as asked for, from shards spread over all; the last shard is cut short.

    Args:
        blocks: All.
        most: Pictures at most; None takes all.
    """
    total = sum(count for _, count in blocks)
    if most is None or total <= most:
        return blocks
    needed = -(-most // SHARD)
    while sum(count for _, count in _spread(blocks, needed)) < most:  # a range may end in a part of a shard
        needed += 1
    chosen, left = [], most
    for first, count in _spread(blocks, needed):
        if left:
            chosen.append((first, min(count, left)))
            left -= chosen[-1][1]
    return chosen


def _spread(blocks: Blocks, count: int) -> Blocks:
    return [blocks[i * len(blocks) // count] for i in range(count)]


def training_renders(blocks: Blocks, size: int, store: Path | None, device: str = "cpu") -> Iterator[torch.Tensor]:
    """The training pictures of some blocks, from a store of shards as far as it has them, else rendered anew.

    Args:
        blocks: Which.
        size: Edge in pixels.
        store: Folder of shards, as training keeps them; whole shards that it lacks are rendered into it.
        device: Where to render.

    Yields:
        (n, 3, size, size) uint8; those of the store come first.

    Raises:
        BadInput: A shard holds something else than pictures of this size.
        NotWritten: A shard could not be kept.
    """
    kept = [block for block in blocks if store is not None and _is_kept(store, *block)]
    others = [block for block in blocks if block not in kept]
    if store is not None:
        yield from in_parallel(lambda block: _from_store(store, *block, size, device), kept, workers_on(device))
    for first, count in others:
        seeds, forms, materials = labels_of(first)
        yield from _rendered((seeds[:count], forms[:count], materials[:count]), size, device)


def _is_kept(store: Path, first: int, count: int) -> bool:
    return count == SHARD or (store / shard_name(first)).exists()


def _from_store(store: Path, first: int, count: int, size: int, device: str) -> torch.Tensor:
    return pictures_of(write_shard(store, first, size, device), size)[0][:count]


def _rendered(wanted: Wanted, size: int, device: str) -> Iterator[torch.Tensor]:
    """Pictures in parts: a shard's at a time on a GPU, fewer on each core of a CPU."""
    at_once = AT_ONCE_CPU if device == "cpu" else SHARD
    cuts = [slice(i, i + at_once) for i in range(0, len(wanted[0]), at_once)]
    pieces = [(wanted[0][cut], wanted[1][cut], wanted[2][cut]) for cut in cuts]
    yield from in_parallel(lambda piece: _bytes(render(*piece, size, device)), pieces, workers_on(device))


def pictures_of(path: Path, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures (480, 3, size, size) uint8, forms (480,) and materials (480,) of a shard.

    Raises:
        BadInput: It is damaged, or holds something else.
    """
    pictures, forms, materials = read_shard(path)
    if pictures.shape != (SHARD, size, size, 3) or pictures.dtype != np.uint8:
        raise BadInput(f"{path} holds no {SHARD} pictures of {size} pixels.", "Choose another folder, or delete it.")
    return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(forms), torch.from_numpy(materials)


def _bytes(pictures: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(to_bytes(pictures)).permute(0, 3, 1, 2)
