"""Training from the command line: render what is missing, go on from the last checkpoint, write the model."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from accelerate import Accelerator
from tqdm import tqdm

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.training.checkpoint import CheckpointError
from sculptor_app.training.folder import FolderSet, TooFewPictures
from sculptor_app.training.model import new_pipeline
from sculptor_app.training.recipe import Recipe
from sculptor_app.training.shards import SHARD, ShardSet, write_shards
from sculptor_app.training.trainer import PictureSet, Trainer, TrainingFailed

BOUNDS = {"pictures": (1, 10**9), "renders": (1, 10**7), "size": (16, 512), "batch": (1, 4096)}
PRECISIONS = ("bf16", "fp16", "no")


def run(arguments: argparse.Namespace) -> tuple[int, str]:
    """Train as the arguments say.

    Returns:
        The exit code (0 when the model is written, 2 for a bad argument, 4 when training failed), and a sentence.
    """
    wrong = find_mistake(arguments)
    if wrong:
        return 2, wrong
    model = arguments.out / "model"
    try:
        trainer = make_trainer(arguments)
        trainer.run()
        trainer.averaged_pipeline().save_pretrained(model)
    except (CheckpointError, TrainingFailed) as error:
        return 4, str(error)
    except (TooFewPictures, NotADirectoryError, ValueError) as error:
        return 2, str(error)
    except OSError as error:
        return 4, f"The run in {arguments.out} stopped ({error}). Start the same command again to go on."
    return 0, f"The model is in {model}. Open it with `sculptor-app --model {model}`."


def find_mistake(arguments: argparse.Namespace) -> str:
    """What is wrong with the arguments, as a sentence; empty if nothing is."""
    for name, (low, high) in BOUNDS.items():
        if not low <= getattr(arguments, name) <= high:
            return f"--{name} is {getattr(arguments, name)}; choose {low} to {high}."
    if arguments.size % 16:
        return f"--size is {arguments.size}; choose a multiple of 16."
    if not 0 < arguments.learning_rate <= 0.1:
        return f"--learning-rate is {arguments.learning_rate:g}; choose above 0, up to 0.1."
    if arguments.precision not in PRECISIONS:
        return f"--precision is {arguments.precision}; choose one of {', '.join(PRECISIONS)}."
    return ""


def make_trainer(arguments: argparse.Namespace) -> Trainer:
    """Gather the pictures and set up the run, from its checkpoint if there is one."""
    accelerator = Accelerator(mixed_precision=arguments.precision)
    pictures, forms, materials = choose_pictures(arguments, accelerator)
    recipe = Recipe(
        total_pictures=arguments.pictures,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        mixed_precision=arguments.precision,
        seed=arguments.seed,
    )
    torch.manual_seed(arguments.seed)
    pipeline = new_pipeline(forms, materials, arguments.size)
    return Trainer(pipeline, pictures, recipe, arguments.out, accelerator=accelerator)


def choose_pictures(
    arguments: argparse.Namespace, accelerator: Accelerator
) -> tuple[PictureSet, tuple[str, ...], tuple[str, ...]]:
    """The training set with its form and material ids: a person's own pictures without labels, or renders."""
    if arguments.folder is not None:
        return FolderSet(arguments.folder, arguments.size), (), ()
    shards = arguments.out / "renders"
    if accelerator.is_main_process:
        render_missing(shards, -(-arguments.renders // SHARD), arguments.size, str(accelerator.device))
    accelerator.wait_for_everyone()
    return ShardSet(shards), FORMS, MATERIALS


def render_missing(folder: Path, count: int, size: int, device: str) -> None:
    """Render the shards that are not there yet, with a progress bar."""
    for _ in tqdm(write_shards(folder, count, size, 0, device), total=count, unit="shard", desc="Rendering"):
        pass
