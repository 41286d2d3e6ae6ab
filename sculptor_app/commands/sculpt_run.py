"""Carrying out `sculptor-app sculpt`: check everything first, then sample, then write."""

import argparse
from collections.abc import Callable

from sculptor_app.commands.run_options import bring_model, request_of
from sculptor_app.commands.saving import check_files, code_of, refused, write_files
from sculptor_app.commands.sculpt import options_of
from sculptor_app.commands.terminal import BAD_INPUT, DONE, INTERRUPTED, Interruption, ProgressBar, stop_on_signal
from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.requests.start import Start
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation.options import GUIDANCE_FRAMES, AnimationOptions
from sculptor_app.exports.files import ExportCancelled, ExportError
from sculptor_app.measures.run_measures import RunMeasures, measured

Checked = Callable[[argparse.Namespace], tuple[RunRequest, AnimationOptions]]
Sculpted = Callable[[RunRequest, argparse.Namespace, Interruption], tuple[Trajectory, RunMeasures]]


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    return finish(arguments, checked, sculpted)


def finish(arguments: argparse.Namespace, check: Checked, make: Sculpted) -> int:
    """Check, make a run and save it.

    Args:
        arguments: with the files and the GIF's options of this command.
        check: what is wanted, found out before any time is spent.
        make: takes all steps.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    try:
        request, options = check(arguments)
    except (RequestError, ExportError) as error:
        return refused(error, BAD_INPUT)
    with stop_on_signal() as interruption:
        try:
            bring_model(arguments, interruption)
            trajectory, measures = make(request, arguments, interruption)
            if arguments.scale is not None:
                options = options_of(arguments, max(trajectory.shape[1:]))
            write_files(arguments, options, trajectory, measures, trajectory.last, interruption)
        except (Cancelled, ExportCancelled) as cancelled:
            return refused(str(cancelled) or "Interrupted; nothing was written.", interruption.code or INTERRUPTED)
        except SculptorError as error:
            return refused(error, code_of(error))
    return DONE


def checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
    """What is wanted, and that it can be written.

    Raises:
        RequestError: a value is outside what is allowed.
        ExportError: a file cannot be written, or an option of the GIF is outside.
    """
    request = request_of(arguments)
    check_files(arguments)
    return request, options_of(arguments)


def sculpted(
    request: RunRequest, arguments: argparse.Namespace, interruption: Interruption, start: Start | None = None
) -> tuple[Trajectory, RunMeasures]:
    """Take all steps, from the noise of the seed or from another start."""
    from sculptor_app.diffusion.sampling.engine import Engine  # torch takes seconds to import
    from sculptor_app.diffusion.sampling.sample import sample

    trajectory = measures = None
    steps = request.steps + 1 - (1 if start is None else start.first_step)
    both = arguments.frames in GUIDANCE_FRAMES
    with ProgressBar("Sculpting", steps, "step") as bar:
        engine = Engine(report=bar.say)
        for event in measured(sample(engine, request, interruption.event, start=start, watch_guidance=both)):
            if trajectory is None and arguments.scale is not None:  # too large a scale is known before the first step
                options_of(arguments, max(event.trajectory.shape[1:]))
            if trajectory is None:
                bar.say("")
            trajectory, measures = event.trajectory, event.measures
            bar.move_to(trajectory.last)
    assert trajectory is not None
    assert measures is not None
    return trajectory, measures
