"""The pictures that a window's run learns from, made or read with its progress told step by step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from pathlib import Path

from sculptor_app.training.data.batches import PictureSet
from sculptor_app.training.data.memory import refuse_too_many
from sculptor_app.training.data.picture_folder import FolderSet, read_folder
from sculptor_app.training.data.shards import ShardSet, shard_name, write_shard
from sculptor_app.training.loop.events import Preparing
from sculptor_app.training.loop.plan import Plan
from sculptor_app.training.loop.run_folder import RENDERS as RENDERS_FOLDER

RENDERS_AT_ONCE = 24
"""So few that a stop need not wait long, and that the bar moves."""

Getting = Generator[Preparing, None, PictureSet | None]


def get_pictures(folder: Path, plan: Plan, say: Callable[[str], None], stop: threading.Event) -> Getting:
    """Render what is missing, or read a person's folder.

    Args:
        folder: Of the run; renders go into it.
        plan: Says what to learn.
        say: Called with sentences about what is skipped.
        stop: Set to break this off.

    Yields:
        How far it is.

    Returns:
        The set; None where it was broken off.

    Raises:
        TrainingError: There are too few pictures, or too many, or the disk does not take the renders.
    """
    return _render(folder / RENDERS_FOLDER, plan, stop) if plan.forms else _read(Path(plan.pictures), plan, say, stop)


def _render(folder: Path, plan: Plan, stop: threading.Event) -> Getting:
    refuse_too_many(plan.renders, plan.size)
    for first in range(0, plan.renders, RENDERS_AT_ONCE):
        if stop.is_set():
            return None
        if not (folder / shard_name(first)).exists():
            yield Preparing(True, first, plan.renders)
            write_shard(folder, first, plan.size, forms=plan.forms, count=min(RENDERS_AT_ONCE, plan.renders - first))
    return ShardSet(folder, plan.size)


def _read(folder: Path, plan: Plan, say: Callable[[str], None], stop: threading.Event) -> Getting:
    reading = read_folder(folder, plan.size, say)
    while not stop.is_set():
        try:
            done, of = next(reading)
        except StopIteration as end:
            return FolderSet.of(end.value)
        yield Preparing(False, done, of)
    return None
