"""Sample sheets: what the model makes of the same noise and labels again and again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.files import written_whole

COLUMNS, ROWS = 6, 8
"""Of a sheet: the materials and the forms of the default model."""


@torch.no_grad()
def sample_labelled(
    pipeline: SculptorPipeline, forms: list[int], materials: list[int], seed: int = 0, steps: int = 25,
    guidance_scale: float = 2.0, at_once: int = 48,
) -> np.ndarray:  # fmt: skip
    """Pictures of many different labels, which the pipeline's own call does not offer.

    Args:
        pipeline: Makes the pictures.
        forms: Labels.
        materials: Labels, as many.
        seed: Of the noise; a picture's noise does not depend on how many are made at once.
        steps: Reverse steps.
        guidance_scale: How much the labels count.
        at_once: Pictures in one batch; less takes less memory.

    Returns:
        (B, H, W, 3) uint8.
    """
    size = pipeline.picture_size
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((len(forms), 3, size, size), generator=generator, dtype=torch.float32)
    labels = torch.tensor([forms, materials])
    parts = [denoise(pipeline, noise[i : i + at_once], labels[:, i : i + at_once], steps, guidance_scale)
             for i in range(0, len(forms), at_once)]  # fmt: skip
    array: np.ndarray = torch.cat(parts).permute(0, 2, 3, 1).numpy()
    return array


def denoise(
    pipeline: SculptorPipeline, noise: torch.Tensor, labels: torch.Tensor, steps: int, guidance_scale: float
) -> torch.Tensor:
    """One batch of pictures.

    Args:
        pipeline: Makes the pictures; its scheduler must be nobody else's meanwhile.
        noise: (B, 3, H, W).
        labels: (2, B) int64, forms and materials.
        steps: Reverse steps.
        guidance_scale: How much the labels count.

    Returns:
        (B, 3, H, W) uint8 on the CPU.
    """
    scheduler, table, patch = pipeline.scheduler, pipeline.label_embedding, pipeline.config.patch_size
    free = torch.tensor([[table.null_form], [table.null_material]]).expand_as(labels)
    embedded = table(*torch.cat([free, labels], dim=1).to(pipeline.device))  # (2B, width), the free ones first
    x = noise.to(pipeline.device)
    scheduler.set_timesteps(steps, device=pipeline.device)
    for t in scheduler.timesteps:
        doubled = pixel_unshuffle(torch.cat([x, x]), patch)
        uncond, cond = pixel_shuffle(pipeline.unet(doubled, t, class_labels=embedded).sample, patch).float().chunk(2)
        x = scheduler.step(uncond + guidance_scale * (cond - uncond), t, x).prev_sample
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()


def write_sample_sheet(pipeline: SculptorPipeline, path: Path, at_once: int = COLUMNS * ROWS) -> None:
    """A sheet with a row per form and a column per material, on fixed noise; without labels all are samples.

    Raises:
        NotWritten: The disk did not take it.
    """
    table = pipeline.label_embedding
    forms = [i // COLUMNS % max(table.null_form, 1) for i in range(ROWS * COLUMNS)]
    materials = [i % COLUMNS % max(table.null_material, 1) for i in range(ROWS * COLUMNS)]
    pictures = sample_labelled(pipeline, forms, materials, at_once=at_once)
    height, width = pictures.shape[1:3]
    sheet = pictures.reshape(ROWS, COLUMNS, height, width, 3).transpose(0, 2, 1, 3, 4)
    with written_whole(path) as file:
        Image.fromarray(sheet.reshape(ROWS * height, COLUMNS * width, 3)).save(file, format="png")
