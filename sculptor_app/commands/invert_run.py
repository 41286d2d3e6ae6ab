"""Carrying out `sculptor-app invert`: check everything first, find the noise, carve it again, say and save."""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.run_options import bring_model, check_picture, given_picture, request_of
from sculptor_app.commands.saving import check_files, code_of, gif_options, refused, write_files
from sculptor_app.commands.terminal import BAD_INPUT, DONE, INTERRUPTED, Interruption, ProgressBar, say, stop_on_signal
from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.files import ExportCancelled
from sculptor_app.measures.bands import slope
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import frame_spectrum

if TYPE_CHECKING:
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.diffusion.studies.inversion import Inversion


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    try:
        request, options = _checked(arguments)
    except SculptorError as error:
        return refused(error, BAD_INPUT)
    with stop_on_signal() as interruption:
        try:
            bring_model(arguments, interruption)
            engine, inversion = _inverted(request, arguments, interruption)
            error_db = _carved_back(engine, request, inversion, interruption)
            if arguments.out is not None or arguments.csv is not None:
                way = inversion.trajectory
                write_files(arguments, options, way, RunMeasures.of(way), 0, interruption)
        except (Cancelled, ExportCancelled) as cancelled:
            return refused(str(cancelled) or "Interrupted; nothing was written.", interruption.code or INTERRUPTED)
        except SculptorError as error:
            return refused(error, code_of(error))
    facts = _facts(inversion, error_db)
    say(json.dumps(facts) if arguments.json else _sentences(facts), sys.stdout)
    return DONE


def _checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
    check_picture(arguments)
    request = request_of(arguments)
    if arguments.out is not None or arguments.csv is not None:
        check_files(arguments)
    return request, gif_options(arguments, arguments.frames, arguments.size_px, into_noise=True)


def _inverted(
    request: RunRequest, arguments: argparse.Namespace, interruption: Interruption
) -> tuple[Engine, Inversion]:
    from sculptor_app.diffusion.sampling.engine import Engine, model_facts
    from sculptor_app.diffusion.studies.inversion import Inversion, invert  # torch takes seconds to import

    opened = given_picture(arguments, model_facts(request.model).size)
    with ProgressBar("Undoing", request.steps, "step") as bar:
        engine = Engine(report=bar.say)
        for found in invert(engine, request, opened.frame, interruption.event, opened.name, arguments.iterations,
                            arguments.tolerance, arguments.grain):  # fmt: skip
            if isinstance(found, Inversion):
                return engine, found
            if found.done == 1:
                bar.say("")
            bar.move_to(found.done)
    raise AssertionError("an inversion ends with its record")


def _carved_back(engine: Engine, request: RunRequest, inversion: Inversion, interruption: Interruption) -> float:
    """How near a run from the noise comes to the picture, in dB."""
    from sculptor_app.diffusion.sampling.sample import sample

    with ProgressBar("Sculpting", request.steps, "step") as bar:
        for event in sample(engine, request, interruption.event, start=inversion.start):
            trajectory = event.trajectory
            bar.move_to(trajectory.last)
    return inversion.error_db(trajectory.state(trajectory.last))


def _facts(inversion: Inversion, error_db: float) -> dict[str, Any]:
    steps = len(inversion.evaluations)
    return {
        "picture": inversion.name,
        "conditions": inversion.trajectory.info.conditions,
        "steps": steps,
        "error_db": error_db if math.isfinite(error_db) else None,
        "evaluations": sum(inversion.evaluations),
        "unsolved_steps": inversion.unsolved,
        "drawn_steps": inversion.grain_steps,
        "noise": {
            "mean": inversion.mean,
            "deviation": inversion.deviation,
            "slope": slope(frame_spectrum(inversion.noise)),
        },
    }


def _sentences(facts: dict[str, Any]) -> str:
    noise, error_db = facts["noise"], facts["error_db"]
    nearness = "the very same picture" if error_db is None else f"{error_db:.1f} dB from the picture"
    spread = f"mean {noise['mean']:.3f}, standard deviation {noise['deviation']:.3f}"
    lines = [
        f"{facts['picture']}, carved as {facts['conditions']}:",
        f"{facts['steps']} steps undone with {facts['evaluations']} evaluations of the network",
        f"carved again from the noise found: {nearness}",
        f"the noise: {spread}, slope of its spectrum {noise['slope']:.2f} (drawn noise: 0, 1, 0)",
    ]
    if facts["unsolved_steps"]:
        lines.append(f"{facts['unsolved_steps']} steps are not solved; more --steps or --iterations may help")
    return "\n".join(lines)
