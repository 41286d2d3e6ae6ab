"""The noises that runs start from, drawn as the pipeline draws them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import torch

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.pictures.noise_blending import slerp
from sculptor_app.core.pictures.noise_painting import painted
from sculptor_app.core.requests.noise_recipe import NoiseRecipe
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.diffusion.sampling.engine import model_folder

CHANNELS = 3


def seed_noise(seed: int, size: int) -> tuple[Frame, torch.Generator]:
    """The noise that a run of a seed starts from, and the generator as that run goes on with it.

    Args:
        seed: 0..MAX_SEED.
        size: Edge in pixels of the model's pictures.

    Returns:
        (3, size, size) float32, and the generator.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    noise: Frame = torch.randn((1, CHANNELS, size, size), generator=generator)[0].numpy()
    return noise, generator


def noise_of(recipe: NoiseRecipe, size: int) -> Frame:
    """The noise of a recipe, (3, size, size) float32."""
    noise, _ = seed_noise(recipe.seed, size)
    if recipe.towards is not None:
        noise = slerp(noise, seed_noise(recipe.towards, size)[0], recipe.share)
    others = [noise if stroke.seed is None else seed_noise(stroke.seed, size)[0] for stroke in recipe.strokes]
    return painted(noise, recipe.strokes, others, recipe.stays_noise)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model without loading it.

    Attributes:
        size: edge in pixels of its pictures.
        forms, materials: its labels; empty for a model without such.
    """

    size: int
    forms: tuple[str, ...]
    materials: tuple[str, ...]


def model_facts(model: str | None) -> ModelFacts:
    """What a model's folder says of itself.

    Args:
        model: Folder of the model; None is the embedded one.

    Raises:
        ModelFolderError: The folder cannot be read.
    """
    folder = model_folder(model)
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        unet = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
        size = int(unet["sample_size"]) * int(index.get("patch_size", 4))
        forms, materials = (tuple(map(str, index.get(f"{what}_names", ()))) for what in ("form", "material"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"The model in {folder} cannot be read ({error}).", "Choose a whole model.") from error
    return ModelFacts(size, forms, materials)


def stacked(noises: list[Frame]) -> torch.Tensor:
    """Noises as one batch, (B, 3, H, W)."""
    return torch.from_numpy(np.stack(noises))
