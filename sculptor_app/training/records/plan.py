"""Training plans and recipes as plain values: presets, a person's own pictures, and the learning rate schedule."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sculptor_app.core.requests.request import FORMS, MATERIALS
from sculptor_app.core.texts import translate
from sculptor_app.training.errors import CheckpointError, SettingsChanged
from sculptor_app.training.files import whole_file


@dataclass(frozen=True)
class Recipe:
    """How to learn.

    Attributes:
        minutes: Time to learn for; unless it is 0 the run and the decay end by time, whatever `total_pictures` says.
    """

    total_pictures: int  # pictures to see in all, repeats counted; the learning rate's decay ends here
    batch: int = 32  # pictures per step
    learning_rate: float = 1e-3  # highest
    optimizer: str = "muon"  # "muon" or "adamw"; see `optimizer`
    warmup_pictures: int = 4800  # the rate rises over so many pictures
    decay_share: float = 0.8  # the last share of the run in which the rate falls as a cosine to nothing
    ema_decay: float = 0.999  # of the averaged weights, per step
    label_dropout: float = 0.07  # see `batches.draw_labels`
    weight_decay: float = 0.01  # decoupled from the gradient, as in AdamW
    clip: float = 1.0  # largest norm of the gradient
    flip: bool = True  # mirror half of the pictures
    mixed_precision: str = "bf16"  # "bf16", "fp16" or "no"
    seed: int = 0  # of everything random
    report_every: int = 3200  # pictures between reports
    checkpoint_every: int = 9600  # pictures between checkpoints
    sample_every: int = 24000  # pictures between sample sheets; 0 draws none
    minutes: float = 0.0


def learning_rate_at(recipe: Recipe, pictures: int, elapsed_s: float = 0.0) -> float:
    """Warm-up, then constant, then a cosine to nothing over the run's last share.

    Args:
        elapsed_s: Seconds spent so far; they count if the run ends by time.
    """
    rise = min(1.0, (pictures + recipe.batch) / max(recipe.warmup_pictures, 1))
    place, end = (elapsed_s, 60 * recipe.minutes) if recipe.minutes else (pictures, recipe.total_pictures)
    start = end * (1 - recipe.decay_share)
    fall = min(1.0, max(0.0, (place - start) / max(end - start, 1)))
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * fall))


FILE = "plan.json"
NOISES = 4
"""Fixed noises that are denoised again and again."""
HISTORY_STEPS = 25
"""Reverse steps that each of them takes."""
TINY, SMALL, OWN = "tiny", "small", "own"
OWN_SIZES = (32, 48, 64, 96)


@dataclass(frozen=True)
class Plan:
    """What to learn, and how."""

    preset: str  # TINY, SMALL or OWN
    size: int  # edge of the pictures in pixels
    recipe: Recipe  # how; the precision "auto" stands for what the machine is fastest in when the run begins
    patch: int  # edge in pixels of what becomes one position of the U-Net
    channels: tuple[int, ...]  # width per level
    forms: tuple[str, ...] = ()  # what is rendered to learn from; none where a person's own pictures are learned
    renders: int = 0  # how many of them
    pictures: str = ""  # a person's own folder of pictures; empty for renders

    @property
    def materials(self) -> tuple[str, ...]:
        """What the forms are made of; none for a person's own pictures."""
        return MATERIALS if self.forms else ()

    def labels_of_noises(self) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        """Form and material that each fixed noise is denoised with, as labels; None where there are none."""
        if not self.forms:
            return (None,) * NOISES, (None,) * NOISES
        materials = range(1, NOISES + 1)  # not marble first: white on grey shows latest
        return tuple(i % len(self.forms) for i in range(NOISES)), tuple(i % len(MATERIALS) for i in materials)


_SMALL = Recipe(
    total_pictures=500_000, mixed_precision="auto", report_every=640, checkpoint_every=4800, sample_every=0,
)  # fmt: skip
"""The default model's own way of learning."""
_TINY = Recipe(
    total_pictures=30_000, mixed_precision="auto", batch=8, optimizer="adamw", learning_rate=4e-3, warmup_pictures=800,
    report_every=320, checkpoint_every=4800, sample_every=0,
)  # fmt: skip
"""Found by trying for four minutes of one core: many small steps, no orthogonalisation, a high rate, a network of two
levels; each of these learned more in the same time than what the default model is learned with."""
_SMALL_NETWORK: dict[str, Any] = {"patch": 2, "channels": (64, 128, 192, 224)}
_TINY_NETWORK: dict[str, Any] = {"patch": 2, "channels": (32, 64)}
LARGEST_TINY = 48
"""Edge in pixels up to which the small network is taken."""

PRESETS = {
    TINY: Plan(TINY, 32, _TINY, forms=FORMS[:1], renders=480, **_TINY_NETWORK),
    SMALL: Plan(SMALL, 64, _SMALL, forms=FORMS, renders=4800, **_SMALL_NETWORK),
    OWN: Plan(OWN, 32, replace(_TINY, total_pictures=60_000), **_TINY_NETWORK),
}
"""What is on offer, by key."""


def plan_of(preset: str, total_pictures: int, size: int | None = None, pictures: str = "") -> Plan:
    """A preset with what a person may choose about it.

    Args:
        total_pictures: To see in all, repeats counted.
        size: Of a person's own pictures, one of OWN_SIZES; those above LARGEST_TINY are learned as SMALL is.
    """
    plan = PRESETS[preset]
    if preset == OWN:
        plan = replace(plan, size=size or plan.size, pictures=pictures)
        if plan.size > LARGEST_TINY:
            plan = replace(plan, recipe=_SMALL, **_SMALL_NETWORK)
    return replace(plan, recipe=replace(plan.recipe, total_pictures=total_pictures))


def save_plan(folder: Path, plan: Plan) -> None:
    """Write a run's plan into its folder; `NotWritten` if the disk does not take it."""
    with whole_file(folder / FILE) as file:
        file.write((json.dumps(asdict(plan), indent=2) + "\n").encode())


def load_plan(folder: Path) -> Plan | None:
    """The plan of the run in a folder, None if there is none; `CheckpointError` if damaged, or another version's."""
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            translate("errors", "{0} cannot be read ({1}).").format(path, error),
            translate("errors", "Choose another folder for the run."),
        ) from error
    try:
        values = json.loads(text)
        lists = {name: tuple(values[name]) for name in ("channels", "forms")}
        return Plan(**{**values, **lists, "recipe": Recipe(**values["recipe"])})
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            translate("errors", "{0} is damaged, or was written by another version of this program.").format(path),
            translate("errors", "Choose another folder."),
        ) from error


def continued(folder: Path, was: Plan, now: Plan) -> Plan:
    """The plan with which a run goes on: only how long it takes may change, else `SettingsChanged`."""
    longer = replace(was, recipe=replace(was.recipe, total_pictures=now.recipe.total_pictures))
    asked = replace(now, recipe=replace(now.recipe, mixed_precision=was.recipe.mixed_precision))
    if longer != asked:
        raise SettingsChanged(
            translate("errors", "The run in {0} learns something else.").format(folder),
            translate("errors", "Choose another folder for this one."),
        )
    return longer
