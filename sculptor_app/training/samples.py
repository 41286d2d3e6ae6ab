"""Sample sheets: what the model makes of the same noise and labels again and again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sculptor_app.diffusion.pipeline import SculptorPipeline


def sample_labelled(
    pipeline: SculptorPipeline, forms: list[int], materials: list[int], seed: int = 0, steps: int = 25,
    guidance_scale: float = 2.0,
) -> np.ndarray:  # fmt: skip
    """Pictures of many different labels in one batch, which the pipeline's own call does not offer.

    Returns:
        (B, H, W, 3) uint8.
    """
    scheduler, size, patch = pipeline.scheduler, pipeline.picture_size, pipeline.config.patch_size
    table, device = pipeline.label_embedding, pipeline.device
    free = (torch.full((len(forms),), table.free_form), torch.full((len(forms),), table.free_material))
    both = [torch.cat([f, torch.tensor(given)]).to(device) for f, given in zip(free, (forms, materials), strict=True)]
    x = torch.randn((len(forms), 3, size, size), generator=torch.Generator().manual_seed(seed)).to(device)
    with torch.no_grad():
        labels = table(*both)
        scheduler.set_timesteps(steps, device=device)
        for t in scheduler.timesteps:
            doubled = pixel_unshuffle(torch.cat([x, x]), patch)
            uncond, cond = pixel_shuffle(pipeline.unet(doubled, t, class_labels=labels).sample, patch).float().chunk(2)
            x = scheduler.step(uncond + guidance_scale * (cond - uncond), t, x).prev_sample
    array: np.ndarray = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return array


def write_sample_sheet(pipeline: SculptorPipeline, path: Path, columns: int = 6, rows: int = 8) -> None:
    """A sheet with a row per form and a column per material, on fixed noise."""
    table = pipeline.label_embedding
    forms = [i // columns % max(table.free_form, 1) for i in range(rows * columns)]
    materials = [i % columns % max(table.free_material, 1) for i in range(rows * columns)]
    pictures = sample_labelled(pipeline, forms, materials)
    height, width = pictures.shape[1:3]
    sheet = pictures.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    Image.fromarray(sheet.reshape(rows * height, columns * width, 3)).save(path)
