"""What the command line's options mean together."""

from __future__ import annotations

import argparse
from typing import Any

import torch

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.commands.train import HIGHEST_SEED, RENDERS, SIZE, given
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.errors import BadInput
from sculptor_app.training.loop.recipe import Recipe
from sculptor_app.training.network.architecture import new_pipeline
from sculptor_app.training.network.initialisation import start_from


def refuse_mistakes(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        BadInput: Some do not.
    """
    if arguments.export is not None:
        others = [option for option in given(arguments) if option not in ("--out", "--export")]
        if others:
            raise BadInput(f"{others[0]} does not go with --export, which trains nothing.", "Leave one of them out.")
    if arguments.folder is not None:
        for option, value in (("--renders", arguments.renders), ("--first-seed", arguments.first_seed)):
            if value is not None:
                raise BadInput(f"{option} does not go with --from: nothing is rendered.", "Leave one of them out.")
    if (arguments.first_seed or 0) + (arguments.renders or RENDERS) > HIGHEST_SEED:
        raise BadInput(f"The renders' seeds would go beyond {HIGHEST_SEED}.", "Choose a lower --first-seed.")


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """How to learn, as the options say."""
    return Recipe(
        total_pictures=arguments.pictures,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        optimizer=arguments.optimizer,
        ema_decay=arguments.ema,
        flip=not arguments.no_flip,
        mixed_precision=arguments.precision,
        seed=arguments.seed,
        report_every=arguments.report_every,
        checkpoint_every=arguments.checkpoint_every,
        sample_every=arguments.sample_every,
        minutes=arguments.minutes or 0.0,
    )


def begin_pipeline(arguments: argparse.Namespace) -> SculptorPipeline:
    """The network to train, new or another model's; labels are known for renders only.

    Raises:
        BadInput: Its size, patch and levels do not go together, or another model's are not those asked for.
        ModelFolderError: The model to start from cannot be used.
    """
    forms, materials = (FORMS, MATERIALS) if arguments.folder is None else ((), ())
    if arguments.start_from is not None:
        pipeline = start_from(arguments.start_from, forms, materials, arguments.size)
        _refuse_unlike(arguments, pipeline)
    else:
        chosen = {"patch_size": arguments.patch, "channels": arguments.channels, "layers": arguments.layers}
        torch.manual_seed(arguments.seed)
        pipeline = new_pipeline(
            forms, materials, arguments.size or SIZE, **{k: v for k, v in chosen.items() if v is not None}
        )
    shape = shape_of(pipeline)
    grain = shape["--patch"] * 2 ** (len(shape["--channels"]) - 1)
    size = arguments.size or pipeline.picture_size
    if size % grain:
        raise BadInput(
            f"--size is {size}; patches of {shape['--patch']} pixels on {len(shape['--channels'])} levels take a "
            f"multiple of {grain}.",
            f"Choose {max(grain, size // grain * grain)}.",
        )
    return pipeline


def shape_of(pipeline: SculptorPipeline) -> dict[str, Any]:
    """A network's architecture by the options that choose it."""
    unet = pipeline.unet.config
    return {
        "--size": pipeline.picture_size,
        "--patch": pipeline.config.patch_size,
        "--channels": list(unet.block_out_channels),
        "--layers": unet.layers_per_block,
    }


def unchanging(arguments: argparse.Namespace, pipeline: SculptorPipeline) -> dict[str, Any]:
    """What must be the same whenever a run goes on, by the option that chooses it."""
    return {
        "--from": "a folder of pictures" if arguments.folder is not None else "",
        **shape_of(pipeline),
        "--first-seed": arguments.first_seed or 0,
        "--seed": arguments.seed,
        "--start-from": arguments.start_from.name if arguments.start_from is not None else "",
    }


def _refuse_unlike(arguments: argparse.Namespace, pipeline: SculptorPipeline) -> None:
    wanted = {"--patch": arguments.patch, "--channels": arguments.channels, "--layers": arguments.layers}
    for option, there in shape_of(pipeline).items():
        asked = wanted.get(option)
        if asked is not None and (list(asked) if isinstance(asked, tuple) else asked) != there:
            shown = ",".join(map(str, there)) if isinstance(there, list) else there
            raise BadInput(
                f"The model in {arguments.start_from} has {option} {shown}.", f"Leave {option} out, or start anew."
            )
