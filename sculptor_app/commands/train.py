"""`sculptor-app train`: its options; what they mean together is in `train_recipe`, the run in `train_run`."""

from __future__ import annotations

import argparse
from typing import Any

from sculptor_app.commands.terminal import OneOf, file_path, number, whole_number
from sculptor_app.commands.train_recipe import FINISH, HIGHEST_SEED, PATCH, RENDERS, SIZE
from sculptor_app.core.requests.request import MAX_SEED
from sculptor_app.core.texts import decimal_text
from sculptor_app.training.records.plan import Recipe

PRECISIONS = ("bf16", "fp16", "no")
OPTIMIZERS = ("muon", "adamw")
FINISHES = ("none", "overlap", "head")
SMALLEST, LARGEST = 8, 512
USUAL = Recipe(total_pictures=500_000)
WIDTH_STEP, WIDEST, MOST_LEVELS = 32, 2048, 6
"""Widths are multiples of the group norms' 32 groups and of the attention heads' 32 channels."""

DESCRIPTION = """\
Learn the default model of rendered sculptures, or a model of your own pictures.
The run goes into one folder: checkpoint.pt, log.jsonl with the loss per noise
level, sample sheets on fixed noise, and in the end the model. The same command
goes on from the last checkpoint, however the run was ended: Ctrl-C, a power
cut, a full disk."""
EPILOG = """examples:
  sculptor-app train --out run
  sculptor-app train --out run --from pictures --size 64 --minutes 120
  sculptor-app train --out run --from pictures --start-from other/model
  sculptor-app train --out run --export model
on all GPUs, and on two CPU processes:
  accelerate launch --multi_gpu -m sculptor_app train --out run
  ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2 \\
      -m sculptor_app train --out run
"""


def add_parsers(subparsers: Any) -> None:
    """Add `train` to the program's command line."""
    parser = subparsers.add_parser(
        "train",
        help="learn the default model, or a model of your own pictures",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options = [
        *_add_folders(parser.add_argument_group("folders")),
        *_add_data(parser.add_argument_group("what to learn")),
        *_add_network(parser.add_argument_group("the network")),
        *_add_recipe(parser.add_argument_group("how to learn")),
        *_add_upkeep(parser.add_argument_group("on the way")),
    ]
    parser.set_defaults(run=run_training, options=options)


def _add_folders(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument("--out", type=file_path, required=True, metavar="FOLDER",
                           help="of the run; its model goes into FOLDER/model"),
        group.add_argument("--export", type=file_path, metavar="FOLDER",
                           help="write the last checkpoint's averaged weights as a model, and train nothing"),
    ]  # fmt: skip


def _add_data(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument("--from", dest="folder", type=file_path, metavar="FOLDER",
                           help="learn the pictures in this folder and those inside it (rendered sculptures)"),
        group.add_argument("--size", type=whole_number("size", SMALLEST, LARGEST), metavar="N",
                           help=f"edge of the pictures in pixels ({SIZE}, or that of --start-from)"),
        group.add_argument("--no-flip", action="store_true", help="do not mirror half of the pictures"),
        group.add_argument("--renders", type=whole_number("number of renders", 1, 10**7), metavar="N",
                           help=f"different sculptures to render first, about ({RENDERS:,})"),
        group.add_argument("--first-seed", type=whole_number("first seed", 0, HIGHEST_SEED), metavar="N",
                           help="of the renders; others are other sculptures (0)"),
    ]  # fmt: skip


def _add_network(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument("--patch", type=whole_number("patch", 1, 16), metavar="N",
                           help="edge in pixels of what becomes one position of the U-Net; a smaller one is slower "
                           f"and finer ({PATCH})"),
        group.add_argument("--channels", type=widths, metavar="N,N,…",
                           help=f"width per level, multiples of {WIDTH_STEP}; each level but the last halves the edge "
                           "(64,128,192,224)"),
        group.add_argument("--layers", type=whole_number("number of layers", 1, 8), metavar="N",
                           help="residual blocks per level (1)"),
        group.add_argument("--finish", action=OneOf, known=FINISHES, name="finish",
                           help="how neighbouring patches are joined: none, overlap (patches of twice the edge, added "
                           f"up) or head (residual blocks on pixels) ({FINISH})"),
        group.add_argument("--start-from", type=file_path, metavar="FOLDER",
                           help="begin with the weights of this model, and with its channels and layers; its patch and "
                                "finish, too, unless --patch (a multiple of its own) or --finish say otherwise"),
    ]  # fmt: skip


def _add_recipe(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    length = group.add_mutually_exclusive_group()
    return [
        length.add_argument("--pictures", type=whole_number("number of pictures", 1, 10**10),
                            default=USUAL.total_pictures, metavar="N",
                            help=f"pictures to see, repeats counted ({USUAL.total_pictures:,})"),
        length.add_argument("--minutes", type=number("number of minutes", 0.01, 10**6), metavar="X",
                            help="or: time to learn for, renders not counted; the learning rate falls with the time"),
        group.add_argument("--batch", type=whole_number("batch", 1, 4096), default=USUAL.batch, metavar="N",
                           help=f"pictures per step and process ({USUAL.batch})"),
        group.add_argument("--learning-rate", type=number("learning rate", 1e-8, 0.1), default=USUAL.learning_rate,
                           metavar="X",
                           help="the highest; it rises at first and falls to nothing "
                           f"({decimal_text(USUAL.learning_rate)})"),
        group.add_argument("--optimizer", action=OneOf, known=OPTIMIZERS, name="optimizer", default=USUAL.optimizer,
                           help="muon orthogonalises the momentum of matrices; adamw wants a lower rate "
                           f"({USUAL.optimizer})"),
        group.add_argument("--ema", type=number("decay of the average", 0, 0.999999), default=USUAL.ema_decay,
                           metavar="X", help="how slowly the averaged weights, which become the model, follow "
                           f"({decimal_text(USUAL.ema_decay)})"),
        group.add_argument("--precision", action=OneOf, known=PRECISIONS, name="precision",
                           default=USUAL.mixed_precision,
                           help=f"of the arithmetic; fp16 needs a GPU ({USUAL.mixed_precision})"),
        group.add_argument("--seed", type=whole_number("seed", 0, MAX_SEED), default=0, metavar="N",
                           help="of everything random (0)"),
        group.add_argument("--threads", type=whole_number("number of threads", 1, 1024), metavar="N",
                           help="of the CPU, per process (as many as there are cores)"),
    ]  # fmt: skip


def _add_upkeep(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument("--report-every", type=whole_number("distance between reports", 1, 10**9),
                           default=USUAL.report_every, metavar="N",
                           help=f"pictures between lines of the log ({USUAL.report_every:,})"),
        group.add_argument("--sample-every", type=whole_number("distance between sample sheets", 0, 10**9),
                           default=USUAL.sample_every, metavar="N",
                           help=f"pictures between sample sheets; 0 for none ({USUAL.sample_every:,})"),
        group.add_argument("--checkpoint-every", type=whole_number("distance between checkpoints", 1, 10**9),
                           default=USUAL.checkpoint_every, metavar="N",
                           help=f"pictures between checkpoints ({USUAL.checkpoint_every:,})"),
    ]  # fmt: skip


def widths(text: str) -> tuple[int, ...]:
    """A converter for argparse: widths of the U-Net's levels, with commas between them."""
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not 1 <= len(found) <= MOST_LEVELS or not all(w % WIDTH_STEP == 0 and 0 < w <= WIDEST for w in found):
        raise argparse.ArgumentTypeError(
            f"The channels are {text[:40]!r}; choose 1 to {MOST_LEVELS} multiples of {WIDTH_STEP} up to {WIDEST} with "
            "commas between them, as 128,192,224"
        )
    return found


def run_training(arguments: argparse.Namespace) -> int:
    """Render, train, write the model, and return the exit code."""
    from sculptor_app.commands.train_run import run  # torch comes with it

    return run(arguments)
