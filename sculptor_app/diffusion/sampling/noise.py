"""The noises that runs start from, drawn as the pipeline draws them."""

from __future__ import annotations

import torch

from sculptor_app.core.pictures.noise_blending import slerp
from sculptor_app.core.pictures.noise_painting import painted
from sculptor_app.core.requests.noise_recipe import NoiseRecipe
from sculptor_app.core.trajectory.step import Frame

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
