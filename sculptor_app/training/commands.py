"""The command `sculptor-app train`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parsers(subparsers: Any) -> None:
    """Add `train` to the program's command line."""
    train = subparsers.add_parser("train", help="learn the default model, or a model of your own pictures")
    train.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the run and its model go")
    train.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="FOLDER",
        help="learn these pictures (without it: rendered sculptures)",
    )
    train.add_argument("--pictures", type=int, default=500_000, help="pictures to see, repeats counted")
    train.add_argument("--renders", type=int, default=20_000, help="different pictures to render first (about)")
    train.add_argument("--size", type=int, default=64, help="edge of the pictures in pixels (default 64)")
    train.add_argument("--batch", type=int, default=16, help="pictures per step and process (default 16)")
    train.add_argument("--learning-rate", type=float, default=2.5e-4, help="highest learning rate (default 2.5e-4)")
    train.add_argument("--precision", default="bf16", help="bf16, fp16 or no (default bf16)")
    train.add_argument("--seed", type=int, default=0, help="of everything random (default 0)")
    train.set_defaults(run=run_training)


def run_training(arguments: argparse.Namespace) -> int:
    """Render, train, write the model, and return the exit code."""
    import sys

    from sculptor_app.training.cli import run

    code, sentence = run(arguments)
    print(sentence, file=sys.stderr if code else sys.stdout)
    return code
