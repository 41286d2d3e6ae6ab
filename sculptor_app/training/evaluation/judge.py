"""The judge: a small network that reads form, material and roughness off a picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from sculptor_app.atelier.labels import FORMS, MATERIALS

WIDTHS = (32, 64, 96)
FEATURES = 64
"""Numbers that stand for a picture; the Fréchet distance is measured between them."""
ROUGHNESS = 2
"""How much noise and how much blur was added, each 0 (none) to 1 (the most that training adds)."""


class Block(nn.Module):
    """Two convolutions beside a shortcut.

    Source: He et al. 2016, "Identity Mappings in Deep Residual Networks", figure 4e; Wu and He 2018, "Group
    Normalization".

    Args:
        width: Channels in.
        out: Channels out.
        stride: 2 halves the edge.
    """

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.before, self.between = nn.GroupNorm(8, width), nn.GroupNorm(8, out)
        self.first = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(width, out, stride, stride, bias=False) if out != width else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, out, H/stride, W/stride) of (B, width, H, W)."""
        y = self.first(nn.functional.silu(self.before(x)))
        total: torch.Tensor = self.shortcut(x) + self.second(nn.functional.silu(self.between(y)))
        return total


class Judge(nn.Module):
    """A residual network with three heads on one layer of features.

    The third head reads how noisy and how blurred a picture is. Without it, a network that learns to see past noise and
    blur would drop them from its features, and a distance between features would not tell rough samples from clean
    renders.
    """

    def __init__(self) -> None:
        super().__init__()
        low, middle, high = WIDTHS
        self.trunk = nn.Sequential(
            nn.Conv2d(3, low, 4, 2, 1, bias=False),  # (B, 32, H/2, W/2)
            Block(low, middle, 2),  # (B, 64, H/4, W/4)
            Block(middle, middle, 1),
            Block(middle, high, 2),  # (B, 96, H/8, W/8)
            Block(high, high, 1),
            nn.GroupNorm(8, high),
            nn.SiLU(),
        )
        self.features = nn.Linear(2 * high, FEATURES)
        self.form = nn.Linear(FEATURES, len(FORMS))
        self.material = nn.Linear(FEATURES, len(MATERIALS))
        self.roughness = nn.Linear(FEATURES, ROUGHNESS)

    def embed(self, pictures: torch.Tensor) -> torch.Tensor:
        """Features (B, 64) of pictures (B, 3, H, W) in [-1, 1]."""
        maps = self.trunk(pictures)
        features: torch.Tensor = self.features(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))
        return features

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scores of the forms (B, 8), of the materials (B, 6), and the roughness (B, 2)."""
        features = self.embed(pictures)
        return self.form(features), self.material(features), self.roughness(features)

    @torch.no_grad()
    def standardise(self, mean: torch.Tensor, spread: torch.Tensor) -> None:
        """Shift and scale the features, and undo it in the heads: what is read stays the same.

        Args:
            mean: (64,), what becomes 0.
            spread: (64,), what becomes 1.
        """
        for head in (self.form, self.material, self.roughness):
            head.bias.add_(head.weight @ mean)
            head.weight.mul_(spread)
        self.features.bias.sub_(mean).div_(spread)
        self.features.weight.div_(spread[:, None])


@dataclass(frozen=True)
class Reading:
    """What the judge reads off pictures.

    Attributes:
        features: (N, 64) float64 on the CPU.
        forms: (N,) int64, the likeliest.
        materials: (N,) int64, the likeliest.
        roughness: (N, 2) float64: noise and blur.
    """

    features: torch.Tensor
    forms: torch.Tensor
    materials: torch.Tensor
    roughness: torch.Tensor


@torch.no_grad()
def read(judge: Judge, pictures: torch.Tensor, at_once: int = 64) -> Reading:
    """Read pictures.

    Args:
        judge: On any device.
        pictures: (N, 3, H, W) uint8, N at least 1.
        at_once: How many go through the network together.
    """
    device = judge.form.weight.device
    features = torch.cat([judge.embed(scaled(part.to(device))) for part in torch.split(pictures, at_once)])
    return Reading(
        features.double().cpu(),
        judge.form(features).argmax(dim=1).cpu(),
        judge.material(features).argmax(dim=1).cpu(),
        judge.roughness(features).double().cpu(),
    )


def scaled(pictures: torch.Tensor) -> torch.Tensor:
    """Float32 in [-1, 1] of uint8."""
    return pictures.float() / 127.5 - 1
