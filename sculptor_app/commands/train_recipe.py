"""What the options of `train` mean together, and advice for errors of training in their terms."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.files import is_file
from sculptor_app.core.texts import decimal_text
from sculptor_app.training import errors
from sculptor_app.training.errors import BadInput
from sculptor_app.training.records.plan import Recipe

RENDERS = 48_000
SIZE, PATCH, FINISH = 128, 4, "head"
HIGHEST_SEED = 2**40 - 1
"""Of renders to learn from; those above are kept for measuring, so that no model is measured with what it has seen."""


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that are not as they would be anyway, by their names."""
    return {action.option_strings[0]: getattr(arguments, action.dest) for action in arguments.options
            if getattr(arguments, action.dest) != action.default}  # fmt: skip


def command_line(arguments: argparse.Namespace) -> str:
    """The command as a person would type it; of folders the last part alone, as a model may travel."""
    words = ["sculptor-app", "train"]
    for option, value in given(arguments).items():
        words.append(option)
        if value is not True:
            words.append(_word(value))
    return shlex.join(words)


def _word(value: Any) -> str:
    if isinstance(value, Path):
        return value.name or str(value)
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return decimal_text(value) if isinstance(value, float) else str(value)


def refuse_mistakes(arguments: argparse.Namespace) -> None:
    """Refuse (`BadInput`) options that do not go together."""
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


AGAIN = "start the same command again"
ADVICE: dict[type[SculptorError], str] = {
    errors.NotWritten: f"Make room, or mend the folder's permissions, and {AGAIN}.",
    errors.Diverged: f"The last checkpoint is unharmed: {AGAIN} with a lower --learning-rate.",
    errors.CheckpointDamaged: "Delete it to start from the beginning, or choose another --out.",
    errors.CheckpointVersionError: "Go on with that version, or choose another --out.",
    errors.FolderNotWritable: "Choose another --out.",
    errors.FolderInUse: "Wait for its end, or choose another --out.",
    errors.NoCheckpoint: "Give the --out folder of a run that has begun.",
    errors.RenderSizeMismatch: "Choose another --out, or delete the folder of renders.",
    errors.UnsuitableModel: "Start from another, or leave --start-from out.",
    errors.SettingsChanged: "Give what it began with to go on, or choose another --out.",
    errors.PicturesChanged: "Put them back, or choose another --out.",
    errors.ArchitectureChanged: "Choose another --out, or take its model out with --export.",
    errors.OptimizerChanged: "Give --optimizer as it was, or choose another --out and --start-from what --export makes "
    "of this run.",
    errors.JudgeError: "Install the program again, or make a judge with --train-judge.",
    errors.JudgeSizeMismatch: "Make one with --train-judge.",
}
"""What to do about an error, in terms of the options."""


def sentence(error: SculptorError, arguments: argparse.Namespace | None = None) -> str:
    """An error with what to do about it, for a person at the command line."""
    advice = ADVICE.get(type(error), "")
    if arguments is not None:
        advice = _advice_on(error, arguments) or advice
    return f"{error} {advice}".strip()


def _advice_on(error: SculptorError, arguments: argparse.Namespace) -> str:
    from sculptor_app.training.records.run_folder import CHECKPOINT  # numpy comes with it

    checkpoint = arguments.out / CHECKPOINT
    go_on = f"{checkpoint} is whole: {AGAIN} to go on from it" if is_file(checkpoint) else AGAIN.capitalize()
    match error:
        case errors.TooManyPictures() if arguments.folder is not None:
            return "Choose a smaller --size, or a folder with fewer pictures."
        case errors.TooManyPictures():
            return "Choose fewer --renders, or a smaller --size."
        case errors.OutOfMemory():
            return f"{go_on}, with a --batch below {arguments.batch}."
        case errors.DeviceLost():
            return f"{go_on}; if the GPU does not come back, restart the machine first."
        case errors.PeerLost():
            return f"{go_on}."
    return ""
