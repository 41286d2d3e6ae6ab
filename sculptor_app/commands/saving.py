"""What commands share around their work: checks, interruption and exit codes; and the files that they write."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sculptor_app.commands.terminal import (
    BAD_INPUT,
    DONE,
    INTERRUPTED,
    NO_MODEL,
    NOT_WRITTEN,
    RUN_FAILED,
    Interruption,
    OneOf,
    ProgressBar,
    file_path,
    say,
    stderr,
    stdout,
    stop_on_signal,
    whole_number,
)
from sculptor_app.core.errors import (
    Cancelled,
    DeviceMissing,
    ModelFolderError,
    PictureError,
    SculptorError,
    TrajectoryFileError,
)
from sculptor_app.core.files import is_same_place
from sculptor_app.core.requests.request import MAX_STEPS, RequestError
from sculptor_app.core.texts import byte_text
from sculptor_app.core.trajectory.levels import DEFAULT_SETTLING_RULE
from sculptor_app.exports.animation.options import (
    LAST,
    LAYOUTS,
    MAX_DELAY_MS,
    MAX_HOLD_MS,
    MIN_DELAY_MS,
    PRESETS,
    USUAL,
    AnimationOptions,
    Disclosure,
)
from sculptor_app.exports.files import (
    ExportCancelled,
    ExportError,
    OptionError,
    check_parquet,
    check_target,
    refuse_folder,
)
from sculptor_app.exports.formats import FORMATS, Export, Kind, picture_format, picture_formats, table_format
from sculptor_app.training import errors

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.exports.animation.plan import DecodedFrames, RunOrGrid
    from sculptor_app.measures.run_measures import RunMeasures

Checked = TypeVar("Checked")

MAX_SCALE = 256
PAGES = (".svg", ".pdf", ".png")
"""Endings of what can have a layout."""


def add_files(group: argparse._ArgumentGroup, shown: dict[Kind, str], numbers: str) -> None:
    """Add `--out` and `--numbers`, and what of a person's own they tell.

    Args:
        shown: what a format's file shows, by the kind of format.
        numbers: what a table holds.
    """
    by_kind = {kind: [f"x{row.suffix}" for row in picture_formats() if row.kind == kind] for kind in shown}
    out = "; ".join(f"{', '.join(names)}: {shown[kind]}" for kind, names in by_kind.items() if names)
    group.add_argument("--out", type=file_path, metavar="FILE", help=out)
    group.add_argument("--numbers", "--csv", dest="csv", type=file_path, metavar="FILE",
                       help=f"{numbers}, as CSV, or as Parquet where the name ends in .parquet")  # fmt: skip
    group.add_argument("--metadata", action=OneOf, known=tuple(Disclosure), name="metadata",
                       default=Disclosure.NAMES.value, help="what the files tell: prompts, and models and "
                       "pictures by their names; where these lie, too (paths); neither prompts nor names of pictures "
                       "(private); (names)")  # fmt: skip


def scale(text: str) -> int:
    """A converter for argparse: the edge of one pixel, in pixels of the animation."""
    return whole_number("scale", 1, MAX_SCALE)(text)


def add_look(group: argparse._ArgumentGroup, unit: str, held: str, back_to: str) -> None:
    """Add what does not depend on what the animation shows.

    Args:
        unit: what follows one another: "step", "layer".
        held: the frames that `--hold-ms` is for.
        back_to: where `--ping-pong` ends.
    """
    every, delay, hold = (
        whole_number(f"distance between shown {unit}s", 1, MAX_STEPS),
        whole_number("time per frame", MIN_DELAY_MS, MAX_DELAY_MS),
        whole_number("hold on the last frame", 0, MAX_HOLD_MS),
    )
    group.add_argument("--preset", action=Preset, choices=tuple(PRESETS), metavar="|".join(PRESETS),
                       help="frames, size, caption, plot and times that go together; options after it "
                       "count")  # fmt: skip
    group.add_argument("--layout", action=OneOf, known=tuple(LAYOUTS), name="layout", default=USUAL,
                       help="of .svg, .pdf and .png: a poster with chosen states of each phase and the plot, a sheet "
                       "of all states phase by phase, or the plot alone (poster; of .png one picture)")  # fmt: skip
    group.add_argument("--every", type=every, default=1, metavar="N", help=f"show every N-th {unit} (1)")
    group.add_argument("--delay-ms", type=delay, default=80, metavar="N", help="per frame, whole 10 ms (80)")
    group.add_argument("--hold-ms", type=hold, default=1500, metavar="N", help=f"for {held} (1500)")
    group.add_argument("--no-loop", action="store_true", help="play once")
    group.add_argument("--ping-pong", action="store_true", help=f"play back to {back_to}")
    group.add_argument("--caption", action="store_true", help=f"write {unit} and phase below")
    group.add_argument("--plot", action="store_true", help="draw the energy per band beside")
    group.add_argument("--dark", action="store_true", help="dark paper for caption and plot")
    group.add_argument("--full-colour", action="store_true",
                       help="of .mp4, .webm and .webp: each pixel's own colour, which some players refuse")  # fmt: skip


class Preset(argparse.Action):
    """Sets options that go together."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Set those of them that the command has."""
        _, options = PRESETS[values]
        for name, value in options.items():
            if hasattr(namespace, name):
                setattr(namespace, name, value)
        setattr(namespace, self.dest, values)


def animation_options(
    arguments: argparse.Namespace,
    frames: str,
    size_px: int,
    into_noise: bool = False,
    settled_by: str = DEFAULT_SETTLING_RULE,
) -> AnimationOptions:
    """The animation's options as they were typed.

    Args:
        arguments: with those of `add_look`.

    Raises:
        OptionError: a value is outside what is allowed.
    """
    return AnimationOptions(
        layout=arguments.layout,
        decode=getattr(arguments, "decode", LAST),
        frames=frames,
        every=arguments.every,
        size_px=size_px,
        delay_ms=arguments.delay_ms,
        hold_ms=arguments.hold_ms,
        loop=not arguments.no_loop,
        ping_pong=arguments.ping_pong,
        caption=arguments.caption,
        plot=arguments.plot,
        dark=arguments.dark,
        full_colour=arguments.full_colour,
        into_noise=into_noise,
        settled_by=settled_by,
    )


def add_save(group: argparse._ArgumentGroup) -> None:
    """Add `--save` and `--compact`."""
    group.add_argument("--save", type=file_path, metavar="FILE", help="x.sculpt: everything that is recorded, for "
                       "`sculptor-app info` and `export`, which need no model")  # fmt: skip
    group.add_argument("--compact", action="store_true", help="save frames as 16-bit numbers, in half the space")


def check_files(arguments: argparse.Namespace) -> None:
    """Refuse (`ExportError`) files that cannot be written, before any time is spent."""
    out, numbers, run = arguments.out, arguments.csv, getattr(arguments, "save", None)
    paths = [path for path in (out, numbers, run) if path is not None]
    if not paths:
        more = ", --numbers FILE or --save FILE" if hasattr(arguments, "save") else " or --numbers FILE"
        raise OptionError("There is nothing to save.", f"Add --out FILE{more}.")
    if run is None and getattr(arguments, "compact", False):
        raise OptionError("There is no run to be saved compact.", "Add --save FILE, or leave --compact out.")
    for path in paths:
        refuse_folder(path)
    if out is not None and picture_format(out) is None:
        known = ", ".join(row.suffix for row in picture_formats())
        raise OptionError(f"{out} ends in none of {known}.", "Choose one of them.")
    if getattr(arguments, "layout", USUAL) != USUAL and (out is None or out.suffix.lower() not in PAGES):
        raise OptionError("A --layout is one of a page.", f"Add --out FILE that ends in one of {', '.join(PAGES)}.")
    if numbers is not None and table_format(numbers).id == "parquet":
        check_parquet()
    if run is not None and run.suffix.lower() != FORMATS["sculpt"].suffix:
        raise OptionError(f"{run} is no {FORMATS['sculpt'].suffix}.", "Let the name end with it.")
    for one, other in itertools.combinations(paths, 2):
        if is_same_place(one, other):
            what = "a picture and numbers" if one == out and other == numbers else "two files"
            raise OptionError(f"{one} is to be {what} at once.", "Choose two names.")
    for path in paths:
        check_target(path)


def save_run(arguments: argparse.Namespace, trajectory: AnyTrajectory, interruption: Interruption) -> None:
    """Write `--save`, where that is asked for; errors are those of `write_files`."""
    path: Path | None = getattr(arguments, "save", None)
    if path is None:
        return
    with ProgressBar("Saving", 0, "frame") as bar:
        export = Export(
            trajectory,
            progress=lambda done, _: bar.move_to(done),
            stop=interruption.event,
            disclosure=Disclosure(arguments.metadata),
            is_compact=arguments.compact,
        )
        FORMATS["sculpt"].write(path, export)
    say_written(path, arguments)


def write_files(
    arguments: argparse.Namespace,
    options: AnimationOptions,
    source: RunOrGrid,
    measures: RunMeasures | None,
    still: int,
    interruption: Interruption,
    decoded: DecodedFrames | None = None,
) -> None:
    """Write `--out` and `--numbers`; a stop before the last is whole leaves the ones that are.

    Args:
        still: the state that a PNG shows.
        interruption: looked at between frames.
        decoded: what was decoded of a run in latents.

    Raises:
        ExportError: a file could not be written.
        ExportCancelled: it was interrupted.
    """
    out: Path | None = arguments.out
    row = None if out is None else picture_format(out)
    if out is not None and row is not None:
        with ProgressBar("Writing", 0, "frame") as bar:
            export = Export(
                source,
                options,
                still,
                measures,
                lambda done, _: bar.move_to(done),
                interruption.event,
                decoded,
                Disclosure(arguments.metadata),
            )
            row.write(out, export)
    if arguments.csv is not None:
        export = Export(source, measures=measures, disclosure=Disclosure(arguments.metadata))
        table_format(arguments.csv).write(arguments.csv, export)
    for path in (out, arguments.csv):
        if path is not None:
            say_written(path, arguments)


def say_written(path: Path, arguments: argparse.Namespace) -> None:
    """Say which file was written, and how large it is, unless all that is said is for a program to read."""
    if getattr(arguments, "json", None) is not True:
        say(f"{path}: {byte_text(path.stat().st_size)}", stdout())


EXIT_CODES: tuple[tuple[type[SculptorError], int], ...] = (
    (RequestError, BAD_INPUT),
    (DeviceMissing, BAD_INPUT),
    (OptionError, BAD_INPUT),
    (PictureError, BAD_INPUT),
    (TrajectoryFileError, BAD_INPUT),
    (errors.FolderNotWritable, NOT_WRITTEN),
    (errors.BadInput, BAD_INPUT),
    (ModelFolderError, NO_MODEL),
    (ExportError, NOT_WRITTEN),
    (errors.NotWritten, NOT_WRITTEN),
)
"""By class of the error, the first that fits; every other error has RUN_FAILED."""


def code_of(error: SculptorError) -> int:
    """The exit code that goes with an error."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), RUN_FAILED)


def refused(reason: object, code: int) -> int:
    """Say why, and hand back the exit code."""
    say(str(reason), stderr())
    return code


def run_checked(check: Callable[[], Checked], work: Callable[[Checked, Interruption], None]) -> int:
    """Check everything before any time is spent, then work until it is done or interrupted.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    try:
        checked = check()
    except SculptorError as error:
        return refused(error, BAD_INPUT)
    with stop_on_signal() as interruption:
        try:
            work(checked, interruption)
        except (Cancelled, ExportCancelled) as cancelled:
            return refused(str(cancelled) or "Interrupted; nothing was written.", interruption.code or INTERRUPTED)
        except SculptorError as error:
            return refused(error, code_of(error))
    return DONE
