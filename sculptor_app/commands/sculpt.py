"""`sculptor-app sculpt` and `resculpt`: a run without a window, from noise or from a noised picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sculptor_app.commands.run_options import (
    add_conditions,
    add_guidance,
    add_labels,
    add_model,
    add_picture,
    add_sampler,
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
    scale,
    write_files,
)
from sculptor_app.commands.terminal import (
    Interruption,
    OneOf,
    Parser,
    ProgressBar,
    number,
    say,
    whole_number,
)
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.exports.animation.options import (
    FRAMES,
    MAX_SIZE_PX,
    MIN_SIZE_PX,
    AnimationOptions,
)
from sculptor_app.exports.formats import picture_format
from sculptor_app.measures.frame_kinds import current_word

if TYPE_CHECKING:
    from sculptor_app.core.pictures.start import Start
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.measures.run_measures import RunMeasures

CHANGED = (
    "The model changed its states after the sampler's steps, as inpainting does; --frames after-step shows what the "
    "sampler returned."
)

Check = Callable[[argparse.Namespace], tuple[RunRequest, AnimationOptions]]
Sample = Callable[[RunRequest, argparse.Namespace, Interruption], tuple["Trajectory", "RunMeasures"]]

SCULPT_EXAMPLES = """examples:
  sculptor-app sculpt --form bust --material bronze --seed 7 --out bust.gif
  sculptor-app sculpt --form vase --steps 100 --sampler dpmpp-2m --frames both --plot --out vase.gif
  sculptor-app sculpt --seed 3 --csv energies.csv
  sculptor-app sculpt --form ring --out ring.png
  sculptor-app sculpt --model FOLDER --sampler model --guidance 7.5 --prompt "a marble lion" --out lion.gif
"""
RESCULPT_EXAMPLES = """examples:
  sculptor-app resculpt holiday.jpg --form bust --material bronze --out bust.gif
  sculptor-app resculpt holiday.jpg --from-level 0.7 --form vase --frames both --out vase.gif
  sculptor-app resculpt --render bust --material bronze --from-level 0.4 --out bronze.png
"""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add both commands to the program's parser."""
    sculpt = commands.add_parser(
        "sculpt",
        help="make a picture without a window",
        description="Run the model once and save how the picture came out of the noise.",
        epilog=SCULPT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make = sculpt.add_argument_group("what to make")
    add_labels(make)
    add_seed(make, "the noise at the start")
    for add in (add_steps, add_sampler, add_guidance, add_model, add_conditions):
        add(make)
    _add_output(sculpt)
    sculpt.set_defaults(run=run_sculpt, parser=sculpt)
    _add_resculpt(commands)


def _add_resculpt(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser(
        "resculpt",
        help="carve a picture again from part of the way into noise",
        description="Lay noise on a picture up to the level of one of the run's steps, and carve on from there: the "
        "higher the level, the less of the picture is left (SDEdit, Meng et al. 2022).",
        epilog=RESCULPT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    picture = parser.add_argument_group("what to begin with")
    add_picture(picture)
    picture.add_argument("--from-level", type=number("level", 0, 1), default=0.5, metavar="X",
                         help="share of the steps that are taken: 1 begins with pure noise; 0.5 takes the second half "
                         "of the steps (0.5)")  # fmt: skip
    make = parser.add_argument_group("what to make of it")
    add_labels(make)
    add_seed(make, "the noise that is laid on")
    for add in (add_steps, add_sampler, add_guidance, add_model):
        add(make)
    _add_output(parser)
    parser.set_defaults(run=run_resculpt, parser=parser)


def _add_output(parser: Parser) -> None:
    files = parser.add_argument_group("what to save")
    add_files(
        files, {"animation": "the run", "still": "its last picture"}, "energy per band and step, SNR, phase and times"
    )
    look = parser.add_argument_group("how the GIF looks")
    look.add_argument("--frames", action=OneOf, type=current_word, known=tuple(FRAMES), name="frame", default="guess",
                      help="both: the guess beside the noisy state; guesses: both guesses of guidance beside the one "
                      "that they make (guess)")  # fmt: skip
    large = look.add_mutually_exclusive_group()
    size = whole_number("size", MIN_SIZE_PX, MAX_SIZE_PX)
    large.add_argument("--size-px", type=size, default=256, metavar="N", help="longer side of a picture (256)")
    large.add_argument("--scale", type=scale, metavar="N", help="or: edge of one of the model's pixels")
    add_look(look, "step", "the last frame", "the noise")


def run_sculpt(arguments: argparse.Namespace) -> int:
    """Run `sculpt`; returns the exit code, and what went wrong is said on the error stream."""
    return _run(arguments, _checked, _sampled)


def run_resculpt(arguments: argparse.Namespace) -> int:
    """Run `resculpt`; returns the exit code, and what went wrong is said on the error stream."""
    from sculptor_app.core.pictures.start import Start, first_step_of  # numpy comes with it

    def checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
        check_picture(arguments)
        first_step_of(arguments.from_level, arguments.steps)
        return _checked(arguments)

    def sampled(
        request: RunRequest, arguments: argparse.Namespace, interruption: Interruption
    ) -> tuple[Trajectory, RunMeasures]:
        from sculptor_app.diffusion.sampling.engine import model_facts  # torch takes seconds to import

        opened = given_picture(arguments, model_facts(request.model).size)
        first_step = first_step_of(arguments.from_level, request.steps)
        return _sampled(
            request, arguments, interruption, Start(opened.frame, first_step=first_step, origin=opened.name)
        )

    return _run(arguments, checked, sampled)


def options_of(arguments: argparse.Namespace, longer_side_px: int | None = None) -> AnimationOptions:
    """The animation's options as they were typed.

    Args:
        longer_side_px: of the run's pictures, for `--scale`; None while it is not known.

    Raises:
        OptionError: a value is outside what is allowed.
    """
    size = arguments.size_px
    if arguments.scale is not None and longer_side_px is not None:
        size = arguments.scale * longer_side_px
    return animation_options(arguments, arguments.frames, size)


def _run(arguments: argparse.Namespace, check: Check, sample: Sample) -> int:
    def work(checked: tuple[RunRequest, AnimationOptions], interruption: Interruption) -> None:
        request, options = checked
        bring_model(arguments, interruption)
        trajectory, measures = sample(request, arguments, interruption)
        if arguments.scale is not None:
            options = options_of(arguments, max(trajectory.shape[1:]))
        options = _with_frames_that_are_there(arguments.out, options, trajectory)
        write_files(arguments, options, trajectory, measures, trajectory.last, interruption)

    return run_checked(lambda: check(arguments), work)


def _with_frames_that_are_there(
    out: Path | None, options: AnimationOptions, trajectory: Trajectory
) -> AnimationOptions:
    """The noisy state in place of the guess where the model's sampler gives none, which is said: a run takes long."""
    from sculptor_app.exports.animation.plan import has_guesses

    row = None if out is None else picture_format(out)
    is_filmed = row is not None and row.kind == "animation"
    if not is_filmed or options.frames not in ("guess", "both") or has_guesses(trajectory):
        return options
    say(f"{trajectory.step(trajectory.last).guess_note} The noisy state is shown instead.", sys.stderr)
    return replace(options, frames="noisy")


def _checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
    """What is wanted, and that it can be written, found out before any time is spent."""
    request = request_of(arguments)
    check_files(arguments)
    return request, options_of(arguments)


def _sampled(
    request: RunRequest, arguments: argparse.Namespace, interruption: Interruption, start: Start | None = None
) -> tuple[Trajectory, RunMeasures]:
    """Take all steps, from the noise of the seed or from another start."""
    from sculptor_app.diffusion.sampling.engine import Engine  # torch takes seconds to import
    from sculptor_app.diffusion.sampling.sample import sample
    from sculptor_app.measures.run_measures import measured

    trajectory = measures = None
    steps = request.steps + 1 - (1 if start is None else start.first_step)
    both = FRAMES[arguments.frames].is_of_guidance
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
    if any(trajectory.returned(k) is not None for k in range(1, trajectory.last + 1)):
        say(CHANGED, sys.stderr)
    return trajectory, measures
