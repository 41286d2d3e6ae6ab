"""`sculptor-app sculpt` and `resculpt`: a run without a window, from noise or from a noised picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sculptor_app import folders
from sculptor_app.commands.run_options import (
    add_changes,
    add_conditions,
    add_guidance,
    add_labels,
    add_like,
    add_model,
    add_picture,
    add_sampler,
    add_seed,
    add_steps,
    bring_model,
    changes_of,
    check_changes,
    check_like,
    check_picture,
    given_picture,
    request_of,
    say_changes_along,
    with_models_own,
)
from sculptor_app.commands.saving import (
    add_files,
    add_look,
    add_save,
    animation_options,
    check_files,
    run_checked,
    save_run,
    scale,
    write_files,
)
from sculptor_app.commands.terminal import (
    Interruption,
    OneOf,
    Parser,
    ProgressBar,
    file_path,
    is_terminal,
    number,
    say,
    stderr,
    stdout,
    whole_number,
)
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.files import is_file
from sculptor_app.core.requests.changes import NO_CHANGES, RunChanges
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import plural
from sculptor_app.core.trajectory.levels import DEFAULT_SETTLING_RULE, SETTLING_RULES
from sculptor_app.exports.animation.options import (
    DECODINGS,
    FRAMES,
    LAST,
    MAX_SIZE_PX,
    MIN_SIZE_PX,
    NONE,
    AnimationOptions,
)
from sculptor_app.exports.files import OptionError
from sculptor_app.exports.formats import picture_format
from sculptor_app.measures.frame_kinds import current_word

if TYPE_CHECKING:
    from sculptor_app.core.pictures.start import Start
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.exports.animation.plan import DecodedFrames, Wanted
    from sculptor_app.measures.run_measures import RunMeasures

CHANGED = (
    "The model changed its states after the sampler's steps, as inpainting does; --frames after-step shows what the "
    "sampler returned."
)

FALLBACK = "What could not be decoded is seen through the linear map instead"
SMALL = "; --decoder FOLDER names a small decoder, which needs less memory"

Check = Callable[[argparse.Namespace], tuple[RunRequest, AnimationOptions]]
Sample = Callable[[RunRequest, argparse.Namespace, Interruption], "Sculpted"]

SCULPT_EXAMPLES = """examples:
  sculptor-app sculpt --form bust --material bronze --seed 7 --out bust.gif
  sculptor-app sculpt --form vase --steps 100 --sampler dpmpp-2m --frames both --plot --out vase.gif
  sculptor-app sculpt --seed 3 --numbers energies.csv
  sculptor-app sculpt --like bust.gif --sampler heun --out heun.gif
  sculptor-app sculpt --form ring --out ring.png
  sculptor-app sculpt --form head --save head.sculpt
  sculptor-app sculpt --form bust --change 8:form=vase --guidance-between 0.02,1.9 --out both.gif
  sculptor-app sculpt --model FOLDER --guidance 7.5 --prompt "a marble lion" --out lion.gif
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
    add_like(make)
    add_labels(make)
    add_seed(make, "the noise at the start")
    for add in (add_steps, add_sampler, add_guidance, add_model, add_conditions, add_changes):
        add(make)
    _add_decoding(_add_output(sculpt))
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


def _add_output(parser: Parser) -> argparse._ArgumentGroup:
    files, look = add_output(parser)
    add_save(files)
    return look


def add_output(parser: Parser) -> tuple[argparse._ArgumentGroup, argparse._ArgumentGroup]:
    """Add the files that show a run, and how a GIF of it looks; returns the two groups."""
    files = parser.add_argument_group("what to save")
    add_files(
        files, {"animation": "the run", "still": "its last picture"}, "energy per band and step, SNR, phase and times"
    )
    look = parser.add_argument_group("how the GIF looks")
    look.add_argument("--frames", action=OneOf, type=current_word, known=tuple(FRAMES), name="frame", default="guess",
                      help="both: the guess beside the noisy state; three: these and the chips; guesses: both guesses "
                      "of guidance beside the one that they make (guess)")  # fmt: skip
    large = look.add_mutually_exclusive_group()
    size = whole_number("size", MIN_SIZE_PX, MAX_SIZE_PX)
    large.add_argument("--size-px", type=size, default=256, metavar="N", help="longer side of a picture (256)")
    large.add_argument("--scale", type=scale, metavar="N", help="or: edge of one of the model's pixels")
    add_look(look, "step", "the last frame", "the noise")
    rules = "; ".join(f"{key}: {rule.meaning}" for key, rule in SETTLING_RULES.items()).replace("%", "%%")
    look.add_argument("--settled-by", action=OneOf, known=tuple(SETTLING_RULES), name="rule",
                      default=DEFAULT_SETTLING_RULE, help="what the plot marks on each band as the first step from "
                      f"which on it stays so: {rules} ({DEFAULT_SETTLING_RULE}; files say both)")  # fmt: skip
    return files, look


def _add_decoding(look: argparse._ArgumentGroup) -> None:
    look.add_argument("--decode", action=OneOf, known=tuple(DECODINGS), name="decoding", default=LAST,
                      help="of a model that works on latents: decode the last frame (and any PNG), all frames, or "
                      "none; the others are seen through a linear map (last)")  # fmt: skip
    look.add_argument("--decoder", type=file_path, metavar="FOLDER",
                      help="a small decoder, as TAESD, for frames that the linear map would show; "
                      "with --decode all for all of them")  # fmt: skip


def run_sculpt(arguments: argparse.Namespace) -> int:
    """Run `sculpt`; returns the exit code, and what went wrong is said on the error stream."""

    def sampled(request: RunRequest, arguments: argparse.Namespace, interruption: Interruption) -> Sculpted:
        changes = changes_of(arguments)
        made = _sampled(request, arguments, interruption, changes=changes)
        if changes:
            say_changes_along(made.trajectory.info)
        return made

    def checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
        check_changes(changes_of(arguments), arguments.steps)
        return _checked(arguments)

    return _run(arguments, checked, sampled)


def run_resculpt(arguments: argparse.Namespace) -> int:
    """Run `resculpt`; returns the exit code, and what went wrong is said on the error stream."""
    from sculptor_app.core.pictures.start import Start, first_step_of  # numpy comes with it

    def checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
        check_picture(arguments)
        first_step_of(arguments.from_level, arguments.steps)
        return _checked(arguments)

    def sampled(request: RunRequest, arguments: argparse.Namespace, interruption: Interruption) -> Sculpted:
        from sculptor_app.diffusion.sampling.engine import model_facts  # torch takes seconds to import

        opened = given_picture(arguments, model_facts(request.model).size)
        first_step = first_step_of(arguments.from_level, request.steps)
        return _sampled(
            request, arguments, interruption, Start(opened.frame, first_step=first_step, origin=opened.name)
        )

    return _run(arguments, checked, sampled)


def options_of(arguments: argparse.Namespace, run: AnyTrajectory | None = None) -> AnimationOptions:
    """The animation's options as they were typed.

    Args:
        run: whose pictures `--scale` is about; None while there is none.

    Raises:
        OptionError: a value is outside what is allowed.
    """
    options = animation_options(arguments, arguments.frames, arguments.size_px, settled_by=arguments.settled_by)
    if arguments.scale is None or run is None:
        return options
    from sculptor_app.exports.animation.plan import native_size  # numpy comes with it, and is here by now

    return replace(options, size_px=arguments.scale * max(native_size(run, options)))


def _run(arguments: argparse.Namespace, check: Check, sample: Sample) -> int:
    def work(checked: tuple[RunRequest, AnimationOptions], interruption: Interruption) -> None:
        request, _ = checked
        bring_model(arguments, interruption)
        with interruption.at_once():  # torch takes seconds to import
            import sculptor_app.diffusion.sampling.sample  # noqa: F401
        made = sample(with_models_own(request, arguments), arguments, interruption)
        run = made.trajectory
        options = with_frames_that_are_there(arguments.out, options_of(arguments, run), run)
        if arguments.save is not None and run.info.space == "latents":
            find_map(made.engine, run, interruption)  # by which they are seen without the model
        save_run(arguments, run, interruption)
        decoded = _decoded(made.engine, run, options, arguments, interruption)
        write_files(arguments, options, run, made.measures, run.last, interruption, decoded)
        _say_settled(made.measures, options.settled_by)

    return run_checked(lambda: check(arguments), work)


def with_frames_that_are_there(
    out: Path | None, options: AnimationOptions, trajectory: AnyTrajectory
) -> AnimationOptions:
    """The noisy state in place of the guess where the model's sampler gives none, which is said: a run takes long."""
    from sculptor_app.exports.animation.plan import has_guesses

    row = None if out is None else picture_format(out)
    is_filmed = row is not None and row.kind == "animation"
    if not is_filmed or options.frames not in ("guess", "both", "three") or has_guesses(trajectory):
        return options
    say(f"{trajectory.step(trajectory.last).guess_note} The noisy state is shown instead.", stderr())
    return replace(options, frames="noisy")


def _say_settled(measures: RunMeasures, rule: str) -> None:
    """Say on a terminal at which steps the bands settled."""
    from sculptor_app.exports.settings import settled_steps

    steps = settled_steps(measures).get(rule, {})
    marks = ", ".join(f"{band} {step}" for band, step in steps.items() if step is not None)
    if marks and is_terminal(stdout()):
        say(f"Bands settled by {rule} at steps: {marks}", stdout())


def _checked(arguments: argparse.Namespace) -> tuple[RunRequest, AnimationOptions]:
    """What is wanted, and that it can be written, found out before any time is spent."""
    check_like(arguments)
    request = request_of(arguments)
    check_files(arguments)
    _check_decoding(arguments)
    return request, options_of(arguments)


def _check_decoding(arguments: argparse.Namespace) -> None:
    folder = getattr(arguments, "decoder", None)
    if folder is not None and arguments.decode == NONE:
        raise OptionError("There is nothing to do for --decoder.", "Leave it out, or choose --decode last or all.")
    if folder is not None and not is_file(folder / "config.json"):
        raise OptionError(f"{folder} holds no small decoder.", "Name a folder with config.json and its weights.")


@dataclass(frozen=True, slots=True)
class Sculpted:
    """A finished run, and the engine that still has its model."""

    engine: Engine
    trajectory: Trajectory
    measures: RunMeasures


def _sampled(
    request: RunRequest,
    arguments: argparse.Namespace,
    interruption: Interruption,
    start: Start | None = None,
    changes: RunChanges = NO_CHANGES,
) -> Sculpted:
    """Take all steps, from the noise of the seed or from another start, with settings that may change along them."""
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.diffusion.studies.changes import sample_with_changes
    from sculptor_app.measures.run_measures import measured

    trajectory = measures = None
    steps = request.steps + 1 - (1 if start is None else start.first_step)
    both = FRAMES[arguments.frames].is_of_guidance or arguments.save is not None
    with ProgressBar("Sculpting", steps, "step") as bar:
        engine = Engine(report=bar.say)
        events = sample_with_changes(engine, request, changes, interruption.event, start=start, watch_guidance=both)
        for event in measured(events):
            if trajectory is None and arguments.scale is not None:  # too large a scale is known before the first step
                options_of(arguments, event.trajectory)
            if trajectory is None:
                bar.say("")
                bar.note(engine.notes)  # before the steps, which may take hours then
            trajectory, measures = event.trajectory, event.measures
            bar.move_to(trajectory.last)
    assert trajectory is not None
    assert measures is not None
    if trajectory.info.note:
        say(trajectory.info.note, stderr())
    if any(trajectory.returned(k) is not None for k in range(1, trajectory.last + 1)):
        say(CHANGED, stderr())
    return Sculpted(engine, trajectory, measures)


# Latents --------------------------------------------------------------------------------------------------------------


def _decoded(
    engine: Engine,
    run: Trajectory,
    options: AnimationOptions,
    arguments: argparse.Namespace,
    interruption: Interruption,
) -> DecodedFrames | None:
    """What `--decode` asks for of a run in latents; says on the error stream how its frames are made, and why.

    Whatever cannot be decoded, for want of memory, say, is seen through the linear map.

    Raises:
        Cancelled: It was interrupted.
        ExportError: There is nothing to show.
    """
    row = None if arguments.out is None else picture_format(arguments.out)
    if row is None or run.info.space != "latents":
        return None
    from sculptor_app.exports.animation.plan import DecodedFrames, frames_to_decode, kinds_of, shown_states

    states = (run.last,) if row.kind == "still" else shown_states(run, options)
    own, by_small = frames_to_decode(run, options, states, arguments.decoder is not None)
    decoded, told = DecodedFrames(spill_folder=folders.spill()), []
    for wanted, folder, name in (
        (own, None, "the model's own decoder"),
        (by_small, arguments.decoder, f"the small decoder {arguments.decoder}"),
    ):
        before = len(decoded)
        failure = _decode(engine, run, wanted, folder, decoded, interruption)
        if len(decoded) > before:
            told.append(f"{frames_text(len(decoded) - before)} decoded by {name}")
        if failure:
            say(failure, stderr())
    rest = len(states) * len(kinds_of(options)) - len(decoded)
    if rest:
        if run.info.latent_map is None:
            find_map(engine, run, interruption)
        told.append(f"{frames_text(rest)} {seen_text(run, options, states[-1])}")
    say(f"Of latents: {'; '.join(told)}.", stderr())
    return decoded


def frames_text(count: int) -> str:
    """A number of frames, in words."""
    return plural(count, "1 frame", f"{count} frames")


def seen_text(run: AnyTrajectory, options: AnimationOptions, k: int) -> str:
    """How a frame became colours that was not decoded."""
    from sculptor_app.exports.animation.plan import decoder_factor, kinds_of
    from sculptor_app.measures.pictures import picture

    seen, edge, known = picture(run, k, kinds_of(options)[0]).seen, decoder_factor(run, options), run.info.latent_map
    if known is not None:
        seen = f"seen through a linear map (R² {max(0.0, known.r2_overall - 0.005):.2f})"
    return f"{seen}, each latent as {edge} × {edge} pixels" if edge > 1 else seen


def _decode(
    engine: Engine,
    run: Trajectory,
    wanted: list[Wanted],
    small_decoder: Path | None,
    decoded: DecodedFrames,
    interruption: Interruption,
) -> str:
    """Decode frames; returns why not all of them could be, in plain words, or how they were where that is unusual."""
    from sculptor_app.diffusion.latents.decoding import decode_frames
    from sculptor_app.diffusion.pipelines.errors import run_errors
    from sculptor_app.exports.animation.plan import latents_of

    note, before = "", len(decoded)
    if not wanted:
        return note
    try:
        with ProgressBar("Decoding", len(wanted), "frame") as bar, run_errors(run.info.device_name):
            made = decode_frames(engine, run.info.request, latents_of(wanted), interruption.event, small_decoder)
            for each in made:
                decoded.keep(cast("Wanted", each.key), each.frame)
                bar.move_to(len(decoded) - before)
                note = str(each.note) if small_decoder is None else ""
    except SculptorError as error:
        return f"{error.message} {FALLBACK}{'' if small_decoder is not None else SMALL}."
    return note and f"Frames were {note}."


def find_map(engine: Engine, run: Trajectory, interruption: Interruption) -> None:
    """Give a run the linear map of its model's latents; without it their first three channels are seen."""
    from sculptor_app.core.trajectory.latent_map import LatentMap
    from sculptor_app.diffusion.latents.decoding import find_latent_map

    try:
        with ProgressBar("Finding out how latents look", 0, "picture") as bar:
            for found in find_latent_map(engine, run.info.request, interruption.event):
                if isinstance(found, LatentMap):
                    run.info = replace(run.info, latent_map=found)
                else:
                    bar.move_to(found.done)
    except SculptorError as error:
        say(f"{error.message} No linear map can be found for the latents.", stderr())
