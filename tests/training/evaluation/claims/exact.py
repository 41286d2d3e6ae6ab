"""A pipeline whose data is a Gaussian of pictures, and whose network knows the posterior mean of it."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler

from sculptor_app.atelier.components import PictureGaussian
from sculptor_app.core.requests.request import FORMS, MATERIALS
from tests.diffusion.gaussian import COSINE

SIZE = 16


class ExactPipeline:
    """What the embedded model's pipeline offers to who samples in batches; it notes what was asked of the network."""

    picture_size = SIZE
    device = torch.device("cpu")

    def __init__(self, gaussian: PictureGaussian) -> None:
        self.gaussian = gaussian
        self.scheduler = DDIMScheduler(**COSINE)
        self.config = {"form_names": FORMS, "material_names": MATERIALS}
        self.asked: list[tuple[int, float]] = []  # timestep and scale of each evaluation
        self.labels: list[Any] = []

    def network(self, form: Any, material: Any, guidance_scale: float, batch_size: int = 1) -> Any:
        """From states and a timestep to v̂, whatever the labels."""
        self.labels.append((form, material))

        def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            self.asked.append((int(t), guidance_scale))
            alpha_bar = float(self.scheduler.alphas_cumprod[int(t)])
            a, s = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
            rows = (x - a * self.gaussian.mean).flatten(1)
            along = rows @ self.gaussian.components.T
            gain = a * self.gaussian.powers / (a**2 * self.gaussian.powers + s**2)
            clean = self.gaussian.mean + ((along * gain) @ self.gaussian.components).reshape(x.shape)
            return a * (x - a * clean) / s - s * clean

        return predict


def plain_gaussian(power: float = 9.0) -> PictureGaussian:
    """Grey pictures that are lighter or darker all over, and in their left half."""
    light = torch.ones(3, SIZE, SIZE)
    left = light.clone()
    left[:, :, SIZE // 2 :] = -1
    components = torch.stack([light.flatten(), left.flatten()]) / (3 * SIZE * SIZE) ** 0.5
    return PictureGaussian(torch.zeros(3, SIZE, SIZE), components, torch.tensor([power, power / 4]))
