"""A real run that is small enough for tests: pictures of 16×16 pixels, a few milliseconds a step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.loop.run import Beginning, Run
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.network import new_pipeline
from sculptor_app.training.records.events import RunListener
from sculptor_app.training.records.plan import Recipe

RECIPE = Recipe(total_pictures=64, batch=4, warmup_pictures=8, report_every=16, checkpoint_every=16, sample_every=0)


Weights = list[torch.Tensor]


class Pictures:
    """A set in memory."""

    def __init__(self, pictures: np.ndarray) -> None:
        self._pictures = pictures
        self.shard_names: list[str] = []

    def __len__(self) -> int:
        return len(self._pictures)

    def refresh(self, only: list[str] | None = None) -> None:
        pass

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._pictures[indices], indices % 2, indices % 3

    def provenance(self) -> dict[str, Any]:
        return {"render_seeds": [], "pictures": len(self)}


def some_pictures(count: int = 5) -> Pictures:
    return Pictures(np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8))


def tiny_pipeline() -> SculptorPipeline:
    torch.manual_seed(0)
    return new_pipeline(["a", "b"], ["x", "y", "z"], size=16, channels=(32, 32))


def tiny_trainer(recipe: Recipe = RECIPE, **more: Any) -> Trainer:
    return Trainer(tiny_pipeline(), some_pictures(), recipe, **more)


def tiny_run(folder: Path, recipe: Recipe = RECIPE, fixed: dict[str, Any] | None = None, **more: Any) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    return Run(tiny_trainer(recipe), folder, Beginning(fixed or {}, "the command", "the machine"), **more)


def with_recipe(**changes: Any) -> Recipe:
    return replace(RECIPE, **changes)


def weights(run: Run) -> Weights:
    """What was learned: live and averaged."""
    pipeline = run.trainer.pipeline
    return [*pipeline.unet.parameters(), *pipeline.label_embedding.parameters(), *run.trainer.average.parameters()]


def same(run: Run, wanted: Weights) -> bool:
    """Whether a run has learned bit for bit the same."""
    return all(torch.equal(a, b) for a, b in zip(weights(run), wanted, strict=True))


def fill(folder: Path, count: int = 16) -> Path:
    """A person's folder of pictures of different sizes, each of one colour."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.new("RGB", (20 + i, 30), (i * 10, 0, 0)).save(folder / f"{i:02d}.png")
    return folder


class Messages(RunListener):
    """Keeps the messages of a run."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def message(self, sentence: str) -> None:
        self.sentences.append(sentence)


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """The system itself refuses to write more into any file, as a full disk does."""
    import resource  # POSIX alone has it

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
