"""Carrying out `sculptor-app forward`: check everything first, then open or render, then drown, then write."""

import argparse
import sys
import threading

from sculptor_app.commands.forward import FRESH
from sculptor_app.commands.run_options import rendered
from sculptor_app.commands.saving import check_files, code_of, gif_options, refused, write_files
from sculptor_app.commands.terminal import BAD_INPUT, DONE, INTERRUPTED, ProgressBar, is_terminal, say, stop_on_signal
from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.pictures.opening import OpenedPicture, open_picture
from sculptor_app.core.trajectory.forward import ForwardTrajectory, run_forward_process
from sculptor_app.exports.animation.options import MIN_SIZE_PX, AnimationOptions
from sculptor_app.exports.files import ExportCancelled, OptionError
from sculptor_app.measures.forward import ForwardMeasures


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    try:
        _check(arguments)
    except SculptorError as error:
        return refused(error, BAD_INPUT)
    with stop_on_signal() as interruption:
        try:
            opened = _opened(arguments)
            options = _options(arguments, max(opened.frame.shape[1:]))
            trajectory = run_forward_process(opened.frame, opened.name, steps=arguments.steps, seed=arguments.seed,
                               fresh=arguments.static == FRESH)  # fmt: skip
            _draw(trajectory, interruption.event)
            write_files(arguments, options, trajectory, ForwardMeasures.of(trajectory), 0, interruption)
        except (Cancelled, ExportCancelled):
            return refused("Interrupted; nothing was written.", interruption.code or INTERRUPTED)
        except SculptorError as error:
            return refused(error, code_of(error))
    return DONE


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what can be seen to be wrong before a file is opened."""
    if arguments.picture is None and arguments.render is None:
        raise OptionError("There is nothing to drown.", "Name a PICTURE, or add --render FORM.")
    if arguments.picture is not None and arguments.render is not None:
        raise OptionError("There are a PICTURE and --render.", "Choose one of them.")
    if arguments.material is not None and arguments.render is None:
        raise OptionError("--material is that of a sculpture.", "Add --render FORM, or leave it out.")
    check_files(arguments)
    if arguments.picture is not None:
        for path in (arguments.out, arguments.csv):
            if path is not None and path.resolve() == arguments.picture.resolve():
                raise OptionError(f"{path} is the picture itself.", "Choose another name to save under.")
    _options(arguments, MIN_SIZE_PX)


def _options(arguments: argparse.Namespace, longer_side_px: int) -> AnimationOptions:
    return gif_options(arguments, "noisy", max(MIN_SIZE_PX, arguments.scale * longer_side_px), into_noise=True)


def _opened(arguments: argparse.Namespace) -> OpenedPicture:
    if arguments.render is not None:
        return rendered(arguments.render, arguments.material, arguments.seed, arguments.size_px)
    opened = open_picture(arguments.picture, longest_px=arguments.size_px)
    if opened.notes and is_terminal(sys.stdout):
        say(f"{opened.name}: {', '.join(opened.notes)}", sys.stdout)
    return opened


def _draw(trajectory: ForwardTrajectory, stop: threading.Event) -> None:
    """Draw what has to be drawn in order, with a bar."""
    with ProgressBar("Drowning", trajectory.planned_steps if trajectory.fresh else 0, "layer") as bar:
        trajectory.draw(bar.move_to, stop)
