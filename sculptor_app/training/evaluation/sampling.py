"""Samples of a model with every pair of form and material, as equally often as their number allows."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import torch

from sculptor_app.atelier.labels import FORMS, MATERIALS
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.samplers.schedulers import make_scheduler
from sculptor_app.training.evaluation.parallel import Stopped, in_parallel, workers_on
from sculptor_app.training.loop.samples import denoise

PAIRS = len(FORMS) * len(MATERIALS)
BLOCK = 24
"""Pictures whose noise is drawn together; part of what a seed means, so that it is the same on every machine."""
AT_ONCE_CPU = 8
"""Pictures that one core samples together."""
_ORDER_SEED = 20_261_125


def cycle_labels(count: int) -> tuple[list[int], list[int]]:
    """Forms and materials of samples 0 to count - 1: all 48 pairs in a fixed shuffled order, again and again."""
    order = np.random.default_rng(_ORDER_SEED).permutation(PAIRS)
    pairs = [int(order[i % PAIRS]) for i in range(count)]
    return [pair % len(FORMS) for pair in pairs], [pair // len(FORMS) for pair in pairs]


def has_fast_16_bits(device: str) -> bool:
    """Whether a device is a CPU that computes in bfloat16, and so about twice as fast as in float32."""
    known = torch.cpu.get_capabilities() if device == "cpu" else {}
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def draw_samples(
    pipeline: SculptorPipeline,
    forms: list[int],
    materials: list[int],
    seed: int,
    steps: int,
    guidance: float,
    dtype: torch.dtype = torch.float32,
) -> Iterator[torch.Tensor]:
    """Sample a picture for each pair of labels with DDIM.

    The first n of many samples are the same as n samples alone.

    Args:
        pipeline: Makes the pictures.
        forms: Labels.
        materials: Labels.
        seed: Of the noise.
        steps: Reverse steps.
        guidance: Scale of the classifier-free guidance.
        dtype: What the network's products are computed in; the states are float32 in any case.

    Yields:
        (n, 3, H, W) uint8, in the order of the labels.
    """
    stopped, device = threading.Event(), pipeline.device.type
    config, base = pipeline.config, dict(pipeline.scheduler.config)

    def work(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        own = SculptorPipeline(pipeline.unet, pipeline.label_embedding, make_scheduler("ddim", base, steps),
                               config.patch_size, config.form_names, config.material_names)  # fmt: skip
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            return denoise(own, *batch, steps, guidance)

    def look_up(*_: object) -> None:
        if stopped.is_set():
            raise Stopped

    watch = pipeline.unet.register_forward_pre_hook(look_up)
    at_once = AT_ONCE_CPU if device == "cpu" else BLOCK
    batches = _batches(torch.tensor([forms, materials]), seed, pipeline.picture_size, at_once)
    try:
        yield from in_parallel(work, batches, workers_on(device), stopped)
    finally:
        watch.remove()


def _batches(labels: torch.Tensor, seed: int, size: int, at_once: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Noise (n, 3, size, size) and labels (2, n) of the samples, n up to `at_once`, from labels (2, N)."""
    for start in range(0, labels.shape[1], BLOCK):
        block = labels[:, start : start + BLOCK]
        generator = torch.Generator().manual_seed(int(np.random.default_rng([seed, start]).integers(2**63)))
        noise = torch.randn((block.shape[1], 3, size, size), generator=generator)
        yield from zip(torch.split(noise, at_once), torch.split(block, at_once, dim=1), strict=True)
