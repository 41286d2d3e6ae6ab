"""Carrying out `sculptor-app sculpt`: check everything first, then sample, then write."""

import argparse
import sys
from pathlib import Path

from sculptor_app.commands.exit_codes import BAD_INPUT, DONE, INTERRUPTED, NO_MODEL, NOT_WRITTEN, RUN_FAILED
from sculptor_app.commands.sculpt import gif_options
from sculptor_app.commands.terminal import Interruption, ProgressBar, is_terminal, say, stop_on_signal
from sculptor_app.diffusion.errors import Cancelled, DeviceMissing, ModelFolderError, SculptError
from sculptor_app.diffusion.request import RequestError, SculptRequest
from sculptor_app.diffusion.trajectory import Trajectory
from sculptor_app.exports.atomic import check_target
from sculptor_app.exports.errors import ExportCancelled, ExportError, OptionError
from sculptor_app.exports.gif import write_gif
from sculptor_app.exports.gif_options import GifOptions
from sculptor_app.exports.numbers import write_csv
from sculptor_app.exports.stills import write_png
from sculptor_app.measures.recording import RunMeasures, measured


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    try:
        request, options = _checked(arguments)
    except (RequestError, ExportError) as error:
        return _refused(error, BAD_INPUT)
    with stop_on_signal() as interruption:
        try:
            trajectory, measures = _sculpted(request, arguments, interruption)
            if arguments.scale is not None:
                options = gif_options(arguments, max(trajectory.shape[1:]))
            _write(arguments, options, trajectory, measures, interruption)
        except (Cancelled, ExportCancelled):
            return _refused("Interrupted; nothing was written.", interruption.code or INTERRUPTED)
        except SculptError as error:
            return _refused(error, _code(error))
    return DONE


def _checked(arguments: argparse.Namespace) -> tuple[SculptRequest, GifOptions]:
    """What is wanted, and that it can be written: found out before any time is spent."""
    request = SculptRequest(
        form=arguments.form,
        material=arguments.material,
        seed=arguments.seed,
        steps=arguments.steps,
        sampler=arguments.sampler,
        guidance=arguments.guidance,
        device=arguments.device,
        model=arguments.model,
    )
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
    return request, gif_options(arguments)


def _sculpted(
    request: SculptRequest, arguments: argparse.Namespace, interruption: Interruption
) -> tuple[Trajectory, RunMeasures]:
    """Take all steps."""
    from sculptor_app.diffusion.engine import Engine, sculpt  # torch takes seconds to import

    trajectory = measures = None
    with ProgressBar("Sculpting", request.steps, "step") as bar:
        for event in measured(sculpt(Engine(), request, interruption.event)):
            if trajectory is None and arguments.scale is not None:  # too large a scale is known before the first step
                gif_options(arguments, max(event.trajectory.shape[1:]))
            trajectory, measures = event.trajectory, event.measures
            bar.move_to(trajectory.last)
    assert trajectory is not None
    assert measures is not None
    return trajectory, measures


def _write(
    arguments: argparse.Namespace,
    options: GifOptions,
    trajectory: Trajectory,
    measures: RunMeasures,
    interruption: Interruption,
) -> None:
    """Write the files; a stop before the last is whole leaves the ones that are."""
    out: Path | None = arguments.out
    if out is not None and out.suffix.lower() == ".png":
        write_png(out, trajectory, trajectory.last, options)
    elif out is not None:
        with ProgressBar("Writing", 0, "frame") as bar:
            write_gif(out, trajectory, measures, options, lambda done, _: bar.move_to(done), interruption.event)
    if arguments.csv is not None:
        write_csv(arguments.csv, trajectory, measures)
    for path in (out, arguments.csv):
        if path is not None and is_terminal(sys.stdout):
            say(f"{path}: {path.stat().st_size / 1024:.0f} KiB", sys.stdout)


def _code(error: SculptError) -> int:
    if isinstance(error, (RequestError, DeviceMissing, OptionError)):
        return BAD_INPUT
    if isinstance(error, ModelFolderError):
        return NO_MODEL
    return NOT_WRITTEN if isinstance(error, ExportError) else RUN_FAILED


def _refused(reason: object, code: int) -> int:
    say(str(reason), sys.stderr)
    return code
