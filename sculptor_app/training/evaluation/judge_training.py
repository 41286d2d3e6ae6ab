"""Making a judge: it learns from fresh renders, and is then measured on others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy, mse_loss

from sculptor_app.training.evaluation.degradation import wear
from sculptor_app.training.evaluation.frechet import Gaussian, fit
from sculptor_app.training.evaluation.judge import Judge, read, scaled


@dataclass(frozen=True)
class Pictures:
    """Renders with their labels.

    Attributes:
        pictures: (N, 3, H, W) uint8.
        forms: (N,) int64.
        materials: (N,) int64.
    """

    pictures: torch.Tensor
    forms: torch.Tensor
    materials: torch.Tensor


@dataclass(frozen=True)
class JudgeRecipe:
    """How a judge learns.

    Attributes:
        renders: Pictures to learn from.
        held_out: Pictures that it never learns from: for its accuracy, and for the statistics of clean renders.
        passes: How often it sees each of `renders`, worn differently every time.
        batch: Pictures per step.
        learning_rate: Highest; it rises over the first tenth and falls as a cosine.
        weight_decay: Of AdamW.
        roughness_weight: Of the third head's error beside those of form and material.
        seed: Of everything random.
    """

    renders: int = 9600
    held_out: int = 3840
    passes: int = 12
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    roughness_weight: float = 2.0
    seed: int = 0


@dataclass(frozen=True)
class Standard:
    """What samples are held against.

    Attributes:
        judge: Reads them.
        reference: Its features of clean renders.
        size: Edge in pixels of the pictures that it was made for.
        form_accuracy: Share of the held-out renders whose form it reads, clean.
        material_accuracy: The same of the material.
        form_accuracy_worn: Of the same renders with noise and blur.
        material_accuracy_worn: The same of the material.
        renders: How many renders it learned from.
        held_out: How many renders the accuracies and the reference are of.
    """

    judge: Judge
    reference: Gaussian
    size: int
    form_accuracy: float
    material_accuracy: float
    form_accuracy_worn: float
    material_accuracy_worn: float
    renders: int
    held_out: int


def learn(
    pictures: Pictures, recipe: JudgeRecipe, device: str = "cpu", show: Callable[[int], None] = lambda seen: None
) -> Judge:
    """Train a judge.

    Args:
        pictures: To learn from.
        recipe: How.
        device: Where to train, as torch names it.
        show: Called after every step with the number of pictures seen.

    Returns:
        The judge, on the CPU.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        judge = Judge().train().to(device)
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=0.0, weight_decay=recipe.weight_decay)
    steps = recipe.passes * math.ceil(len(pictures.forms) / recipe.batch)
    seen = step = 0
    for _ in range(recipe.passes):
        for places in torch.split(torch.randperm(len(pictures.forms), generator=generator), recipe.batch):
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * min(1.0, 10 * (step + 1) / steps) * _cosine(step / steps)
            loss = _loss(judge, pictures, places, recipe, generator)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
            optimizer.step()
            seen, step = seen + len(places), step + 1
            show(seen)
    return judge.cpu().eval().requires_grad_(False)


def _cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))


def _loss(
    judge: Judge, pictures: Pictures, places: torch.Tensor, recipe: JudgeRecipe, generator: torch.Generator
) -> torch.Tensor:
    """Cross entropy of both labels, and the error of the roughness, on worn pictures."""
    device = judge.form.weight.device
    worn, wanted = (tensor.to(device) for tensor in wear(scaled(pictures.pictures[places]), generator))
    forms, materials = pictures.forms[places].to(device), pictures.materials[places].to(device)
    form, material, roughness = judge(worn)
    labels = cross_entropy(form, forms) + cross_entropy(material, materials)
    return labels + recipe.roughness_weight * mse_loss(roughness, wanted)


def finish(judge: Judge, held_out: Pictures, size: int, recipe: JudgeRecipe) -> Standard:
    """Bring a trained judge into the form in which it is kept, and measure it.

    Its features get mean 0 and variance 1 over clean renders, so that distances between them have a unit; its weights
    are rounded to 16 bits.

    Args:
        judge: Changed in place.
        held_out: Renders that it has not learned from.
        size: Edge of the pictures in pixels.
        recipe: How it learned.
    """
    found = fit(read(judge, held_out.pictures).features)
    judge.standardise(found.mean.float(), found.covariance.diagonal().sqrt().clamp(min=1e-6).float())
    judge.half().float()
    clean = read(judge, held_out.pictures)
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    parts = [wear(scaled(part), generator)[0] for part in torch.split(held_out.pictures, 64)]
    worn = read(judge, torch.cat([((part + 1) * 127.5).round().to(torch.uint8) for part in parts]))
    return Standard(
        judge, fit(clean.features), size,
        share(clean.forms == held_out.forms), share(clean.materials == held_out.materials),
        share(worn.forms == held_out.forms), share(worn.materials == held_out.materials),
        recipe.renders, len(held_out.forms),
    )  # fmt: skip


def share(right: torch.Tensor) -> float:
    """How much of (N,) bool is true, 0 to 1."""
    return float(right.double().mean())
