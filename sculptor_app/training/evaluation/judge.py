"""The judge: a classifier of form, material and roughness, its folder on disk, and the statistics kept with it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.core.texts import translate
from sculptor_app.training.errors import JudgeError
from sculptor_app.training.evaluation.figures import Gaussian
from sculptor_app.training.files import whole_file

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
    """What the judge reads off pictures."""

    features: torch.Tensor  # (N, 64) float64 on the CPU
    forms: torch.Tensor  # (N,) int64, the likeliest
    materials: torch.Tensor  # (N,) int64, the likeliest
    roughness: torch.Tensor  # (N, 2) float64: noise and blur


@torch.no_grad()
def read(judge: Judge, pictures: torch.Tensor, at_once: int = 64) -> Reading:
    """Read pictures.

    Args:
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


@dataclass(frozen=True)
class Standard:
    """What samples are held against."""

    judge: Judge
    reference: Gaussian  # its features of clean renders
    size: int  # edge in pixels of the pictures that it was made for
    form_accuracy: float  # share of the held-out renders whose form it reads, clean
    material_accuracy: float  # the same of the material
    form_accuracy_worn: float  # of the same renders with noise and blur
    material_accuracy_worn: float  # the same of the material
    renders: int  # how many renders it learned from
    held_out: int  # how many renders the accuracies and the reference are of


WEIGHTS, FACTS = "judge.safetensors", "judge.json"
MOST_BYTES = 8_000_000
"""More than any judge weighs: a file that is larger is not read into memory."""
_SHARES = ("form_accuracy", "material_accuracy", "form_accuracy_worn", "material_accuracy_worn")
_COUNTS = ("size", "renders", "held_out")
_MEAN, _COVARIANCE = "reference.mean", "reference.covariance"


def write_judge(folder: Path, standard: Standard) -> None:
    """Write a judge: weights in 16 bits, statistics in 32; `NotWritten` if the disk does not take it.

    The weights come last, so that a folder with weights is whole.
    """
    facts = {name: getattr(standard, name) for name in (*_COUNTS, *_SHARES)}
    facts |= {"forms": list(FORMS), "materials": list(MATERIALS)}
    tensors = {name: tensor.half() for name, tensor in standard.judge.state_dict().items()}
    tensors |= {_MEAN: standard.reference.mean.float(), _COVARIANCE: standard.reference.covariance.float()}
    contents = {FACTS: (json.dumps(facts, indent=2) + "\n").encode(), WEIGHTS: safetensors.torch.save(tensors)}
    for name, content in contents.items():
        with whole_file(folder / name) as file:
            file.write(content)


def read_judge(folder: Path) -> Standard:
    """A judge from its folder; `JudgeError` if a file is missing, damaged, or for other forms and materials."""
    facts, tensors = _read_facts(folder / FACTS), _read_tensors(folder / WEIGHTS)
    reference = Gaussian(tensors.pop(_MEAN).double(), tensors.pop(_COVARIANCE).double())
    judge = Judge()
    judge.load_state_dict(tensors)
    return Standard(judge.eval().requires_grad_(False), reference, **facts)


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        found = {name: facts[name] for name in (*_COUNTS, *_SHARES)}
        labels = (facts["forms"], facts["materials"])
    except FileNotFoundError as error:
        raise JudgeError(translate("errors", "{0} is missing.").format(path)) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise JudgeError(translate("errors", "{0} cannot be read ({1!r}).").format(path, error)) from error
    if labels != (list(FORMS), list(MATERIALS)):
        raise JudgeError(translate("errors", "{0} is of a judge of other forms or materials.").format(path))
    whole = all(type(found[name]) is int and 0 < found[name] < 10**9 for name in _COUNTS)
    if not whole or not all(type(found[name]) is float and 0 <= found[name] <= 1 for name in _SHARES):
        raise JudgeError(translate("errors", "{0} holds numbers that no judge has.").format(path))
    return found


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor that a judge has, in float32; names and shapes are compared before anything is used."""
    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in Judge().state_dict().items()}
    wanted |= {_MEAN: (FEATURES,), _COVARIANCE: (FEATURES, FEATURES)}
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        tensors = safetensors.torch.load(path.read_bytes())
    except FileNotFoundError as error:
        raise JudgeError(translate("errors", "{0} is missing.").format(path)) from error
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise JudgeError(translate("errors", "{0} is damaged ({1}).").format(path, error)) from error
    if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != wanted:
        raise JudgeError(translate("errors", "{0} holds the weights of something else.").format(path))
    broken = [name for name, tensor in tensors.items() if not math.isfinite(float(tensor.double().abs().sum()))]
    if broken:
        raise JudgeError(translate("errors", "{0} has NaN or infinite values in {1!r}.").format(path, broken[0]))
    return {name: tensor.float() for name, tensor in tensors.items()}


def describe_judge(folder: Path, standard: Standard) -> dict[str, Any]:
    """Description of a judge for an evaluation: the first half of the name gives its size, the second its weights."""
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    return {
        "judge": f"{folder.name} {digest[:12]}",
        "judge_form_accuracy": round(standard.form_accuracy, 4),
        "judge_material_accuracy": round(standard.material_accuracy, 4),
    }
