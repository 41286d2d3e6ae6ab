"""`sculptor-app invert`: DDIM inversion, the noise that the model turns into a given picture."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.run_options import (
    add_guidance,
    add_labels,
    add_model,
    add_picture,
    add_seed,
    add_steps,
    bring_model,
    check_picture,
    given_picture,
    request_of,
)
from sculptor_app.commands.saving import (
    add_files,
    add_look,
    animation_options,
    check_files,
    run_checked,
    write_files,
)
from sculptor_app.commands.terminal import Interruption, OneOf, Parser, ProgressBar, number, say, stdout, whole_number
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import steps_text
from sculptor_app.exports.animation.options import MAX_SIZE_PX, MIN_SIZE_PX, PLAIN_FRAMES, AnimationOptions

if TYPE_CHECKING:
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.diffusion.studies.inversion import Inversion

EXAMPLES = """examples:
  sculptor-app invert holiday.jpg
  sculptor-app invert holiday.jpg --form bust --out noise.gif --ping-pong --caption
  sculptor-app invert --render bust --render-material bronze --form bust --material bronze --json
"""
LEAST_STEPS, MOST_ITERATIONS, MOST_TOLERANCE, MOST_GRAIN = 2, 1000, 1.0, 0.5


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "invert",
        help="find the noise that a picture is carved out of",
        description="Undo DDIM's steps one after the other, from a picture to the noise that the model carves it out "
        "of; then carve it again from that noise, and say how near it comes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_picture(parser.add_argument_group("what to begin with"))
    how = parser.add_argument_group("how to undo the steps")
    add_labels(how)
    add_steps(how, LEAST_STEPS)
    add_guidance(how, 1.0)
    how.add_argument("--iterations", type=whole_number("number of iterations", 0, MOST_ITERATIONS), default=30,
                     metavar="N", help="of a step at most; 0 is the usual, inexact inversion (30)")  # fmt: skip
    how.add_argument("--tolerance", type=number("tolerance", 0, MOST_TOLERANCE), default=1e-4, metavar="X",
                     help="what an iteration may still change of a solved step (0.0001)")  # fmt: skip
    how.add_argument("--grain", type=number("grain", 0, MOST_GRAIN), default=0.05, metavar="X",
                     help="share of noise up to which the picture's states have drawn grain; 0 finds every state, and "
                     "brings the very picture back, but outlines of it stay in the noise (0.05)")  # fmt: skip
    add_seed(how, "the grain")
    add_model(how)
    files = parser.add_argument_group("what to say and save")
    files.add_argument("--json", action="store_true", help="say it as JSON")
    add_files(files, {"animation": "the way to the noise", "still": "the noise"}, "energy per band and step on the way")
    look = parser.add_argument_group("how the GIF looks")
    look.add_argument("--frames", action=OneOf, known=PLAIN_FRAMES, name="frame", default="noisy",
                      help="both: the guess beside the noisy state (noisy)")  # fmt: skip
    look.add_argument("--size-px", type=whole_number("size", MIN_SIZE_PX, MAX_SIZE_PX), default=256, metavar="N",
                      help="longer side of a picture (256)")  # fmt: skip
    add_look(look, "step", "the picture and for the noise", "the picture")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""

    def work(checked: tuple[RunRequest, AnimationOptions], interruption: Interruption) -> None:
        from sculptor_app.measures.run_measures import RunMeasures  # numpy comes with it

        request, options = checked
        bring_model(arguments, interruption)
        engine, inversion = _inverted(request, arguments, interruption)
        error_db = _sampled_again(engine, request, inversion, interruption)
        if arguments.out is not None or arguments.csv is not None:
            trajectory = inversion.trajectory
            write_files(arguments, options, trajectory, RunMeasures.of(trajectory), 0, interruption)
        facts = _facts(inversion, error_db)
        say(json.dumps(facts) if arguments.json else _sentences(facts), stdout())

    return run_checked(lambda: _checked(arguments), work)


def _checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
    check_picture(arguments)
    request = replace(request_of(arguments), sampler="ddim")  # whose steps can be undone
    if arguments.out is not None or arguments.csv is not None:
        check_files(arguments)
    return request, animation_options(arguments, arguments.frames, arguments.size_px, into_noise=True)


def _inverted(
    request: RunRequest, arguments: argparse.Namespace, interruption: Interruption
) -> tuple[Engine, Inversion]:
    with interruption.at_once():  # torch takes seconds to import
        from sculptor_app.diffusion.sampling.engine import Engine, model_facts
        from sculptor_app.diffusion.studies.inversion import Inversion, invert

    opened = given_picture(arguments, model_facts(request.model).size)
    with ProgressBar("Undoing", request.steps, "step") as bar:
        engine = Engine(report=bar.say)
        engine.load(request.model, request.device, interruption.event)
        bar.note(engine.notes)  # before the steps, which may take hours then
        for found in invert(engine, request, opened.frame, interruption.event, opened.name, arguments.iterations,
                            arguments.tolerance, arguments.grain):  # fmt: skip
            if isinstance(found, Inversion):
                return engine, found
            if found.done == 1:
                bar.say("")
            bar.move_to(found.done)
    raise AssertionError("an inversion ends with its record")


def _sampled_again(engine: Engine, request: RunRequest, inversion: Inversion, interruption: Interruption) -> float:
    """How near a run from the noise comes to the picture, in dB."""
    from sculptor_app.diffusion.sampling.sample import sample

    with ProgressBar("Sculpting", request.steps, "step") as bar:
        for event in sample(engine, request, interruption.event, start=inversion.start):
            trajectory = event.trajectory
            bar.move_to(trajectory.last)
    return inversion.error_db(trajectory.state(trajectory.last))


def _facts(inversion: Inversion, error_db: float) -> dict[str, Any]:
    from sculptor_app.measures.spectrum import frame_spectrum, slope

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
    nearness = "the very same picture"
    if error_db is not None:
        nearness = f"the picture, with a peak signal-to-noise ratio of {error_db:.1f} dB (more is nearer)"
    spread = f"mean {noise['mean']:.3f}, standard deviation {noise['deviation']:.3f}"
    lines = [
        f"{facts['picture']}, carved as {facts['conditions']}:",
        f"{steps_text(facts['steps'])} undone with {facts['evaluations']} evaluations of the network",
        f"carved again from the noise found: {nearness}",
        f"the noise: {spread}, slope of its spectrum {noise['slope']:.2f} (drawn noise: 0, 1, 0)",
    ]
    if facts["unsolved_steps"]:
        lines.append(f"not solved: {steps_text(facts['unsolved_steps'])}; more --steps or --iterations may help")
    return "\n".join(lines)
