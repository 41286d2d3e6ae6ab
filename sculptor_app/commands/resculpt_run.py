"""Carrying out `sculptor-app resculpt`: check everything first, then open or render, carve, and write."""

import argparse

from sculptor_app.commands.run_options import check_picture, given_picture
from sculptor_app.commands.sculpt_run import checked, finish, sculpted
from sculptor_app.commands.terminal import Interruption
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.start import Start, first_step_of
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.measures.run_measures import RunMeasures


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    return finish(arguments, _checked, _resculpted)


def _checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
    check_picture(arguments)
    first_step_of(arguments.from_level, arguments.steps)
    return checked(arguments)


def _resculpted(
    request: RunRequest, arguments: argparse.Namespace, interruption: Interruption
) -> tuple[Trajectory, RunMeasures]:
    from sculptor_app.diffusion.sampling.engine import model_facts  # torch takes seconds to import

    opened = given_picture(arguments, model_facts(request.model).size)
    first_step = first_step_of(arguments.from_level, request.steps)
    return sculpted(request, arguments, interruption, Start(opened.frame, first_step=first_step, origin=opened.name))
