"""The pictures that the command line asks for: a person's own, or renders, made first where they are missing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from accelerate import Accelerator

from sculptor_app.commands.terminal import ProgressBar
from sculptor_app.commands.train import RENDERS
from sculptor_app.training.data.batches import PictureSet
from sculptor_app.training.data.memory import refuse_too_many
from sculptor_app.training.data.picture_folder import FolderSet
from sculptor_app.training.data.shards import SHARD, ShardSet, shard_name, write_shards
from sculptor_app.training.loop.processes import agreed
from sculptor_app.training.loop.progress import Progress
from sculptor_app.training.loop.run_folder import RENDERS as RENDERS_FOLDER


def choose_pictures(
    arguments: argparse.Namespace, size: int, accelerator: Accelerator, progress: Progress
) -> PictureSet:
    """The training set; renders are shared out among the processes.

    Args:
        arguments: Say what to learn.
        size: Edge of the pictures in pixels.
        accelerator: The place of this process among others.
        progress: Where sentences about it go.

    Raises:
        TrainingError: There are too few pictures, or too many, or the disk does not take the renders.
    """
    if arguments.folder is not None:
        return _read(arguments.folder, size, progress.say, accelerator.is_main_process)
    count, first = -(-(arguments.renders or RENDERS) // SHARD), arguments.first_seed or 0
    refuse_too_many(count * SHARD, size, "Choose fewer --renders, or a smaller --size.")
    folder = arguments.out / RENDERS_FOLDER
    names = [shard_name(first + number * SHARD) for number in range(count)]
    if not all((folder / name).exists() for name in names):
        progress.say(f"Rendering {count * SHARD:,} sculptures into {folder}.")
        share = (accelerator.process_index, accelerator.num_processes)
        agreed(accelerator, lambda: _render(folder, count, size, first, str(accelerator.device), share))
    others = {path.name for path in folder.glob("shard-*.npz")} - set(names)
    if others:
        progress.say(f"{folder} holds {len(others):,} more shards of renders; they are learned, too.")
    return ShardSet(folder, size)


def _read(folder: Path, size: int, say: Callable[[str], None], first: bool) -> FolderSet:
    """The pictures of a folder, with a bar while they are read."""
    with ExitStack() as stack:
        bars: list[ProgressBar] = []

        def move(done: int, of: int) -> None:
            if not bars:
                bars.append(stack.enter_context(ProgressBar("Reading", of, "picture")))
            bars[0].move_to(done)

        return FolderSet(folder, size, say, move if first else lambda done, of: None)


def _render(folder: Path, count: int, size: int, first_seed: int, device: str, share: tuple[int, int]) -> None:
    """Render the shards of this process that are not there yet."""
    mine = len(range(share[0], count, share[1]))
    with ProgressBar("Rendering", mine if share[0] == 0 else 0, "shard") as bar:
        for done, _ in enumerate(write_shards(folder, count, size, first_seed, device, share), 1):
            bar.move_to(done)
