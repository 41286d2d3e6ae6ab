"""Training of a judge on degraded renders, its measurement on others, and where judges are kept."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import conv2d, cross_entropy, interpolate, mse_loss, pad

from sculptor_app import folders, resources
from sculptor_app.core.files import is_folder
from sculptor_app.core.requests.request import FORMS, MATERIALS
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.training.data.shards import SHARD, write_shard
from sculptor_app.training.errors import JudgeError, JudgeSizeMismatch
from sculptor_app.training.evaluation.figures import fit
from sculptor_app.training.evaluation.judge import Judge, Standard, read, read_judge, scaled, write_judge
from sculptor_app.training.evaluation.pictures import (
    JUDGE_SEEDS,
    EvaluationListener,
    in_parallel,
    pictures_of,
    workers_on,
)

MOST_NOISE = 0.25
"""Largest standard deviation of added noise, for pictures in [-1, 1]."""
MOST_BLUR_PX = 1.2
"""Largest standard deviation of the blur at 64 pixels; it grows with the picture."""
CLEAN_SHARE = 0.3
"""Share of the pictures that get neither noise nor blur."""
SHIFT, CONTRAST = 0.12, 0.15
"""Brightness moves by so much at most, contrast by such a share."""


def degrade(pictures: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirror, blur, dim or brighten, and add noise; every picture by another amount.

    Args:
        pictures: (B, 3, H, W) in [-1, 1].
        generator: Source of all chance, on the CPU.

    Returns:
        The degraded pictures, in [-1, 1], and their roughness (B, 2): noise and blur, each 0 to 1.
    """
    count = len(pictures)
    chance = torch.rand(count, 6, generator=generator)
    rough = (chance[:, 0] >= CLEAN_SHARE).float()
    noise, blur = chance[:, 1].square() * rough, chance[:, 2] * rough
    degraded = torch.where(_column(chance[:, 3] < 0.5), pictures.flip(3), pictures)
    degraded = _blurred(degraded, blur * MOST_BLUR_PX * pictures.shape[3] / 64)
    middle = degraded.mean(dim=(1, 2, 3), keepdim=True)
    contrast, shift = _column(1 + CONTRAST * (2 * chance[:, 4] - 1)), _column(SHIFT * (2 * chance[:, 5] - 1))
    degraded = middle + contrast * (degraded - middle) + shift
    degraded = degraded + _column(noise * MOST_NOISE) * _mixed_noise(degraded.shape, generator)
    return degraded.clamp(-1, 1), torch.stack([noise, blur], dim=1)


def _column(values: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, 1, 1, 1)


def _mixed_noise(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Noise of unit variance: fine grain and blotches of 4 pixels in a ratio of its own for every picture.

    A model that works on patches of 4 by 4 errs at both scales.
    """
    fine = torch.randn(shape, generator=generator)
    coarse = interpolate(torch.randn(*shape[:2], shape[2] // 4, shape[3] // 4, generator=generator), shape[2:])
    turn = _column(torch.rand(shape[0], generator=generator) * torch.pi / 2)
    return turn.cos() * fine + turn.sin() * coarse


def _blurred(pictures: torch.Tensor, sigma_px: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, H, W) under a Gaussian of the given widths (B,); 0 leaves a picture as it is."""
    count, channels, height, width = pictures.shape
    reach = max(1, round(3 * MOST_BLUR_PX * width / 64))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (steps / sigma_px.clamp(min=0.05)[:, None]).square())
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)  # (3B, 2·reach + 1)
    lined = pad(pictures, (reach, reach, reach, reach), mode="replicate").reshape(
        1, -1, height + 2 * reach, width + 2 * reach
    )
    lined = conv2d(lined, kernel[:, None, :, None], groups=len(kernel))
    lined = conv2d(lined, kernel[:, None, None, :], groups=len(kernel))
    return lined.reshape(count, channels, height, width)


@dataclass(frozen=True)
class Pictures:
    """Renders with their labels."""

    pictures: torch.Tensor  # (N, 3, H, W) uint8
    forms: torch.Tensor  # (N,) int64
    materials: torch.Tensor  # (N,) int64


@dataclass(frozen=True)
class JudgeRecipe:
    """How a judge learns.

    Attributes:
        held_out: Pictures that it never learns from: for its accuracy, and for the statistics of clean renders.
    """

    renders: int = 9600  # pictures to learn from
    held_out: int = 3840
    passes: int = 12  # how often it sees each of `renders`, degraded differently every time
    batch: int = 64  # pictures per step
    learning_rate: float = 3e-3  # highest; it rises over the first tenth and falls as a cosine
    weight_decay: float = 0.05  # of AdamW
    roughness_weight: float = 2.0  # of the third head's error beside those of form and material
    seed: int = 0  # of everything random


def train_judge(
    pictures: Pictures, recipe: JudgeRecipe, device: str = "cpu", show: Callable[[int], None] = lambda seen: None
) -> Judge:
    """Train a judge; it comes back on the CPU.

    Args:
        show: Called after every step with the number of pictures seen.
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
    """Cross entropy of both labels, and the error of the roughness, on degraded pictures."""
    device = judge.form.weight.device
    degraded, wanted = (tensor.to(device) for tensor in degrade(scaled(pictures.pictures[places]), generator))
    forms, materials = pictures.forms[places].to(device), pictures.materials[places].to(device)
    form, material, roughness = judge(degraded)
    labels = cross_entropy(form, forms) + cross_entropy(material, materials)
    return labels + recipe.roughness_weight * mse_loss(roughness, wanted)


def finish(judge: Judge, held_out: Pictures, size: int, recipe: JudgeRecipe) -> Standard:
    """Bring a trained judge into the form in which it is kept, and measure it.

    Its features get mean 0 and variance 1 over clean renders, so that distances between them have a unit; its weights
    are rounded to 16 bits.

    Args:
        judge: Changed in place.
    """
    found = fit(read(judge, held_out.pictures).features)
    judge.standardise(found.mean.float(), found.covariance.diagonal().sqrt().clamp(min=1e-6).float())
    judge.half().float()
    clean = read(judge, held_out.pictures)
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    parts = [degrade(scaled(part), generator)[0] for part in torch.split(held_out.pictures, 64)]
    degraded = read(judge, torch.cat([((part + 1) * 127.5).round().to(torch.uint8) for part in parts]))
    return Standard(
        judge, fit(clean.features), size,
        share(clean.forms == held_out.forms), share(clean.materials == held_out.materials),
        share(degraded.forms == held_out.forms), share(degraded.materials == held_out.materials),
        recipe.renders, len(held_out.forms),
    )  # fmt: skip


def share(right: torch.Tensor) -> float:
    """How much of (N,) bool is true, 0 to 1."""
    return float(right.double().mean())


SHIPPED_SIZE = 128
"""Edge in pixels of the pictures that the judge in the resources reads."""


def find_judge(size: int) -> Path | None:
    """Folder of the judge of pictures of a size: the one that comes with the program, else one that was made here.

    Raises:
        JudgeError: The one that comes with the program is not there; making another takes up to an hour.
    """
    for folder in (resources.root() / "models" / f"judge-{size}", own_judge(size)):
        if is_folder(folder):
            return folder
    if size == SHIPPED_SIZE:
        raise JudgeError(
            translate("errors", "{0} is missing: this copy of Sculptor is not whole.").format(
                resources.root() / "models" / f"judge-{size}"
            )
        )
    return None


def own_judge(size: int) -> Path:
    """Where a judge that is made here is kept."""
    return folders.cache() / "judges" / f"judge-{size}"


def open_judge(folder: Path, size: int) -> Standard:
    """A judge of this size from its folder; `JudgeError` if that is broken, or of a judge of another size."""
    standard = read_judge(folder)
    if standard.size != size:
        raise JudgeSizeMismatch(
            translate("errors", "The judge in {0} reads pictures of {1} pixels, not of {2}.").format(
                folder, standard.size, size
            )
        )
    return standard


def read_labels(pictures: Sequence[Frame], run: Trajectory) -> dict[str, list[str]]:
    """Form and material of pictures as the judge of their size reads them; nothing of other kinds.

    Args:
        pictures: (3, H, W) float32 in [-1, 1] each, that came of forks of the run.
    """
    from sculptor_app.diffusion.models.loader import is_of_embedded_kind

    model = run.info.request.model
    if run.info.space != "pixels" or (model is not None and not is_of_embedded_kind(model)):
        return {}
    size = run.shape[1]
    folder = find_judge(size)
    if folder is None:
        return {}
    bytes_of = np.clip(np.round((np.stack(pictures) + 1) * 127.5), 0, 255).astype(np.uint8)
    reading = read(open_judge(folder, size).judge, torch.from_numpy(bytes_of))
    return {
        "form": [FORMS[each] for each in reading.forms.tolist()],
        "material": [MATERIALS[each] for each in reading.materials.tolist()],
    }


def make_judge(size: int, device: str, recipe: JudgeRecipe, listener: EvaluationListener) -> Path:
    """Render, train, measure and write a judge; renders that an interrupted making left are gone on with.

    Returns:
        Its folder.

    Raises:
        OSError: Its folders could not be made or emptied.
        SculptorError: The renders or the judge could not be written.
    """
    folder = own_judge(size)
    store = folder.with_name(f"renders-{size}")
    learnt, held_out = _pictures(store, size, device, recipe, listener)
    with listener.progress("Training the judge", recipe.passes * len(learnt.forms)) as show:
        judge = train_judge(learnt, recipe, device, show)
    folder.mkdir(parents=True, exist_ok=True)
    write_judge(folder, finish(judge, held_out, size, recipe))
    shutil.rmtree(store)
    return folder


def _pictures(
    store: Path, size: int, device: str, recipe: JudgeRecipe, listener: EvaluationListener
) -> tuple[Pictures, Pictures]:
    count = -(-(recipe.renders + recipe.held_out) // SHARD)
    parts = []
    with listener.progress("Rendering for the judge", count * SHARD) as show:
        for part in _shards(store, count, size, device):
            parts.append(part)
            show(len(parts) * SHARD)
    pictures, forms, materials = (torch.cat(column) for column in zip(*parts, strict=True))
    border, end = recipe.renders, recipe.renders + recipe.held_out
    learnt = Pictures(pictures[:border], forms[:border], materials[:border])
    return learnt, Pictures(pictures[border:end], forms[border:end], materials[border:end])


def _shards(
    store: Path, count: int, size: int, device: str
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    seeds = range(JUDGE_SEEDS, JUDGE_SEEDS + count * SHARD, SHARD)
    yield from in_parallel(
        lambda seed: pictures_of(write_shard(store, seed, size, device), size), seeds, workers_on(device)
    )
