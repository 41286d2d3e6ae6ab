"""What commands do with a finished trajectory: check early where it goes, write it, and end with the right code."""

import argparse
import sys
from pathlib import Path

from sculptor_app.commands.exit_codes import BAD_INPUT, NO_MODEL, NOT_WRITTEN, RUN_FAILED
from sculptor_app.commands.terminal import Interruption, ProgressBar, is_terminal, say
from sculptor_app.core.errors import DeviceMissing, ModelFolderError, PictureError, SculptorError
from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.atomic import check_target
from sculptor_app.exports.errors import ExportError, OptionError
from sculptor_app.exports.gif.writer import write_gif
from sculptor_app.exports.numbers import write_csv
from sculptor_app.exports.stills import write_png
from sculptor_app.measures.run_measures import RunMeasures


def check_files(arguments: argparse.Namespace) -> None:
    """Refuse `--out` and `--csv` that cannot be written, before any time is spent.

    Raises:
        ExportError: there is nothing to write, or something does not go.
    """
    out, numbers = arguments.out, arguments.csv
    if out is None and numbers is None:
        raise OptionError("There is nothing to save.", "Add --out FILE or --csv FILE.")
    if out is not None and out.suffix.lower() not in (".gif", ".png"):
        raise OptionError(f"{out} is neither a .gif nor a .png.", "Choose one of them.")
    if out is not None and numbers is not None and out.resolve() == numbers.resolve():
        raise OptionError(f"{out} is to be a picture and numbers at once.", "Choose two names.")
    for path in (out, numbers):
        if path is not None:
            check_target(path)


def write_files(
    arguments: argparse.Namespace,
    options: AnimationOptions,
    trajectory: AnyTrajectory,
    measures: RunMeasures,
    still: int,
    interruption: Interruption,
) -> None:
    """Write `--out` and `--csv`; a stop before the last is whole leaves the ones that are.

    Args:
        arguments: of the command.
        options: of the GIF.
        trajectory: what is written.
        measures: of the trajectory.
        still: the state that a PNG shows.
        interruption: looked at between frames.

    Raises:
        ExportError: a file could not be written.
        ExportCancelled: it was interrupted.
    """
    out: Path | None = arguments.out
    if out is not None and out.suffix.lower() == ".png":
        write_png(out, trajectory, still, options)
    elif out is not None:
        with ProgressBar("Writing", 0, "frame") as bar:
            write_gif(out, trajectory, measures, options, lambda done, _: bar.move_to(done), interruption.event)
    if arguments.csv is not None:
        write_csv(arguments.csv, trajectory, measures)
    for path in (out, arguments.csv):
        if path is not None and is_terminal(sys.stdout):
            say(f"{path}: {path.stat().st_size / 1024:.0f} KiB", sys.stdout)


def code_of(error: SculptorError) -> int:
    """The exit code that goes with a fault."""
    if isinstance(error, (RequestError, DeviceMissing, OptionError, PictureError)):
        return BAD_INPUT
    if isinstance(error, ModelFolderError):
        return NO_MODEL
    return NOT_WRITTEN if isinstance(error, ExportError) else RUN_FAILED


def refused(reason: object, code: int) -> int:
    """Say why, and hand back the exit code."""
    say(str(reason), sys.stderr)
    return code
