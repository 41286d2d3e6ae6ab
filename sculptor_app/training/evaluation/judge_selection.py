"""Finding the judge for a size of pictures, or making it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from sculptor_app import folders, resources
from sculptor_app.training.data.shards import SHARD, write_shard
from sculptor_app.training.errors import JudgeSizeMismatch
from sculptor_app.training.evaluation.judge_folder import read_judge, write_judge
from sculptor_app.training.evaluation.judge_training import JudgeRecipe, Pictures, Standard, finish, learn
from sculptor_app.training.evaluation.listener import EvaluationListener
from sculptor_app.training.evaluation.parallel import in_parallel, workers_on
from sculptor_app.training.evaluation.renders import JUDGE_SEEDS, pictures_of


def find_judge(size: int) -> Path | None:
    """Folder of the judge of pictures of a size: the one that comes with the program, else one that was made here."""
    for folder in (resources.root() / "models" / f"judge-{size}", own_judge(size)):
        if folder.is_dir():
            return folder
    return None


def own_judge(size: int) -> Path:
    """Where a judge that is made here is kept."""
    return folders.cache() / "judges" / f"judge-{size}"


def open_judge(folder: Path, size: int) -> Standard:
    """Read a judge.

    Raises:
        JudgeError: The folder is broken, or of a judge of another size.
    """
    standard = read_judge(folder)
    if standard.size != size:
        raise JudgeSizeMismatch(f"The judge in {folder} reads pictures of {standard.size} pixels, not of {size}.")
    return standard


def make_judge(size: int, device: str, recipe: JudgeRecipe, listener: EvaluationListener) -> Path:
    """Render, train, measure and write a judge; renders that an interrupted making left are gone on with.

    Args:
        size: Edge in pixels.
        device: Where to render and to train, as torch names it.
        recipe: How.
        listener: Shows the progress.

    Returns:
        Its folder.

    Raises:
        OSError: Its folders could not be made or emptied.
        SculptorError: The renders or the judge could not be written.
    """
    folder = own_judge(size)
    store = folder.with_name(f"renders-{size}")
    learnt, held_out = _pictures(store, size, device, recipe, listener)
    with listener.progress("Training the judge", recipe.passes * len(learnt.forms)) as show:
        judge = learn(learnt, recipe, device, show)
    folder.mkdir(parents=True, exist_ok=True)
    write_judge(folder, finish(judge, held_out, size, recipe))
    shutil.rmtree(store)
    return folder


def _pictures(
    store: Path, size: int, device: str, recipe: JudgeRecipe, listener: EvaluationListener
) -> tuple[Pictures, Pictures]:
    """What to learn from, and what to measure with."""
    count = -(-(recipe.renders + recipe.held_out) // SHARD)
    parts = []
    with listener.progress("Rendering for the judge", count * SHARD) as show:
        for part in _shards(store, count, size, device):
            parts.append(part)
            show(len(parts) * SHARD)
    pictures, forms, materials = (torch.cat(column) for column in zip(*parts, strict=True))
    border, end = recipe.renders, recipe.renders + recipe.held_out
    learnt = Pictures(pictures[:border], forms[:border], materials[:border])
    return learnt, Pictures(pictures[border:end], forms[border:end], materials[border:end])


def _shards(
    store: Path, count: int, size: int, device: str
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    seeds = range(JUDGE_SEEDS, JUDGE_SEEDS + count * SHARD, SHARD)
    yield from in_parallel(
        lambda seed: pictures_of(write_shard(store, seed, size, device), size), seeds, workers_on(device)
    )
