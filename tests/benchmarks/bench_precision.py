"""A guided step of the embedded model on a CPU: other memory layouts and 16 bits, over plain float32.

    python -m tests.benchmarks.bench_precision [--rounds 12] [--threads 1] [--pictures 4]

Ways take turns within each round, so that what else the machine does falls on all of them; the ratio is that of the
medians. The pictures are those of whole runs with the same seeds, compared in levels of 255.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.resources import path as resource
from sculptor_app.training.evaluation.pictures import cycle_labels, draw_samples

STEPS, GUIDANCE = 50, 2.0


def main() -> None:
    """Print a line per way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ways = ways_of_computing()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, (pipeline, context) in ways.items():
            times[name].append(seconds_of_steps(pipeline, context))
    forms, materials = cycle_labels(arguments.pictures)
    pictures = {name: sampled(pipeline, forms, materials, context) for name, (pipeline, context) in ways.items()}
    plain = next(iter(ways))
    for name in ways:
        ratio = statistics.median(times[name]) / statistics.median(times[plain])
        apart = (pictures[name].float() - pictures[plain].float()).abs()
        print(
            f"{name:32} {1000 * statistics.median(times[name]):6.1f} ms a step, {ratio:.2f} of float32; apart: "
            f"mean {apart.mean():.3f}, 99.9 % within {apart.flatten().quantile(0.999):.0f}, at most {apart.max():.0f}"
        )


def ways_of_computing() -> dict[str, tuple[SculptorPipeline, Callable[[], AbstractContextManager[object]]]]:
    """Pipelines, and the context in which each computes; the first is what the others are compared with."""

    def pipeline(dtype: torch.dtype = torch.float32, channels_last: bool = False) -> SculptorPipeline:
        made = load_sculptor(resource("models/atelier-128"))
        made.unet.to(dtype)
        if channels_last:
            made.unet.to(memory_format=torch.channels_last)
        return made

    def autocast() -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16)

    plain = contextlib.nullcontext
    return {
        "float32": (pipeline(), plain),
        "float32, channels last": (pipeline(channels_last=True), plain),
        "bfloat16 autocast": (pipeline(), autocast),
        "bfloat16 autocast, channels last": (pipeline(channels_last=True), autocast),
    }


@torch.no_grad()
def seconds_of_steps(pipeline: SculptorPipeline, context: Callable[[], AbstractContextManager[object]]) -> float:
    """Mean time of three guided steps of one picture, each two pictures at once for the network."""
    labels = pipeline.label_embedding(torch.tensor([8, 0]), torch.tensor([6, 1]))
    patch = pipeline.config.patch_size  # 1 of a network that makes its patches itself
    edge = pipeline.picture_size // patch
    state = torch.randn((2, 3 * patch**2, edge, edge), generator=torch.Generator().manual_seed(0))
    with context():
        pipeline.unet(state, torch.tensor(500), class_labels=labels)
        begun = time.perf_counter()
        for _ in range(3):
            pipeline.unet(state, torch.tensor(500), class_labels=labels)
    return (time.perf_counter() - begun) / 3


def sampled(
    pipeline: SculptorPipeline, forms: list[int], materials: list[int],
    context: Callable[[], AbstractContextManager[object]],
) -> torch.Tensor:  # fmt: skip
    """Pictures (N, 3, H, W) uint8 of the same seeds."""
    dtype = torch.float32 if context is contextlib.nullcontext else torch.bfloat16
    return torch.cat(list(draw_samples(pipeline, forms, materials, 0, STEPS, GUIDANCE, dtype)))


if __name__ == "__main__":
    main()
