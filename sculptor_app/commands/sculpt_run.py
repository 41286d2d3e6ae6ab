"""Carrying out `sculptor-app sculpt`: check everything first, then sample, then write."""

import argparse

from sculptor_app.commands.exit_codes import BAD_INPUT, DONE, INTERRUPTED
from sculptor_app.commands.saving import check_files, code_of, refused, write_files
from sculptor_app.commands.sculpt import options_of
from sculptor_app.commands.terminal import Interruption, ProgressBar, stop_on_signal
from sculptor_app.diffusion.errors import Cancelled, SculptError
from sculptor_app.diffusion.request import RequestError, SculptRequest
from sculptor_app.diffusion.trajectory import Trajectory
from sculptor_app.exports.errors import ExportCancelled, ExportError
from sculptor_app.exports.gif_options import GifOptions
from sculptor_app.measures.recording import RunMeasures, measured


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    try:
        request, options = _checked(arguments)
    except (RequestError, ExportError) as error:
        return refused(error, BAD_INPUT)
    with stop_on_signal() as interruption:
        try:
            trajectory, measures = _sculpted(request, arguments, interruption)
            if arguments.scale is not None:
                options = options_of(arguments, max(trajectory.shape[1:]))
            write_files(arguments, options, trajectory, measures, trajectory.last, interruption)
        except (Cancelled, ExportCancelled):
            return refused("Interrupted; nothing was written.", interruption.code or INTERRUPTED)
        except SculptError as error:
            return refused(error, code_of(error))
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
    check_files(arguments)
    return request, options_of(arguments)


def _sculpted(
    request: SculptRequest, arguments: argparse.Namespace, interruption: Interruption
) -> tuple[Trajectory, RunMeasures]:
    """Take all steps."""
    from sculptor_app.diffusion.engine import Engine, sculpt  # torch takes seconds to import

    trajectory = measures = None
    with ProgressBar("Sculpting", request.steps, "step") as bar:
        for event in measured(sculpt(Engine(), request, interruption.event)):
            if trajectory is None and arguments.scale is not None:  # too large a scale is known before the first step
                options_of(arguments, max(event.trajectory.shape[1:]))
            trajectory, measures = event.trajectory, event.measures
            bar.move_to(trajectory.last)
    assert trajectory is not None
    assert measures is not None
    return trajectory, measures
