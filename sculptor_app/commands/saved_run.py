"""`sculptor-app info`, `export`, `compare` and `library`: saved runs, and the files made of them, without a model."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sculptor_app import folders
from sculptor_app.commands.saving import check_files, run_checked, write_files
from sculptor_app.commands.sculpt import add_output, frames_text, options_of, seen_text, with_frames_that_are_there
from sculptor_app.commands.terminal import (
    Interruption,
    OneOf,
    Parser,
    ProgressBar,
    file_path,
    say,
    stderr,
    stdout,
    whole_number,
)
from sculptor_app.core.files import is_same_place
from sculptor_app.core.requests.request import MAX_STEPS
from sculptor_app.core.texts import amount_text, byte_text
from sculptor_app.core.trajectory.levels import LOCKS, matching_state
from sculptor_app.exports.animation.options import NONE
from sculptor_app.exports.files import ExportError, OptionError
from sculptor_app.exports.formats import picture_format, settings_suffixes

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.file import SavedTrajectory
    from sculptor_app.core.trajectory.library import Library

INFO_EXAMPLES = """examples:
  sculptor-app info bust.sculpt
  sculptor-app info bust.sculpt --check --json
  sculptor-app info bust.gif
"""
EXPORT_EXAMPLES = """examples:
  sculptor-app export bust.sculpt --frames both --plot --caption --out bust.gif
  sculptor-app export bust.sculpt --step 12 --out step-12.png --numbers energies.csv
"""
COMPARE_EXAMPLES = """examples:
  sculptor-app compare ddim.sculpt heun.sculpt
  sculptor-app compare ddim-20.sculpt ddim-50.sculpt --lock snr --caption --out both.mp4
  sculptor-app compare seed-7.sculpt seed-8.sculpt --json
"""
LIBRARY_EXAMPLES = """examples:
  sculptor-app library
  sculptor-app library bust bronze
  sculptor-app library --rename "bust-bronze-7 2026-11-29 18-32-10" "My first bust"
  sculptor-app library --remove "My first bust"
"""
_WORDS = {
    "states": "noisy states",
    "guesses": "guesses",
    "guesses_unconditional": "unconditional guesses",
    "guesses_conditional": "conditional guesses",
    "returned": "states before the pipeline changed them",
    "start_picture": "the picture that it began with",
    "start_noise": "the noise that it was given",
    "copied": "parts copied from other runs",
}


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the commands to the program's parser."""
    info = commands.add_parser(
        "info",
        help="say what a saved run holds, or what an exported file was made with",
        description="Say what a saved run holds: what was asked for, what made it, its states and their sizes. Neither "
        "its model nor torch is needed. Of an exported picture, film, web page or table: the settings that it carries, "
        "also of pictures that ComfyUI or AUTOMATIC1111’s web UI made.",
        epilog=INFO_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    info.add_argument("run_file", type=file_path, metavar="FILE",
                      help="a run that `--save` wrote, or a file that `--out` wrote")  # fmt: skip
    info.add_argument("--check", action="store_true", help="read every frame, and compare it with its check-sum")
    info.add_argument("--json", action="store_true", help="for a program to read, with all settings")
    info.set_defaults(run=run_info, parser=info)
    export = commands.add_parser(
        "export",
        help="make a GIF, a picture or a table of a saved run",
        description="Make a GIF, a picture or a table of a saved run, without its model. A run in latents is seen "
        "through its linear map.",
        epilog=EXPORT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("run_file", type=file_path, metavar="FILE", help="a run that `--save` wrote")
    files, _ = add_output(export)
    files.add_argument("--step", type=whole_number("step", 0, MAX_STEPS), metavar="N",
                       help="that a picture shows (the last)")  # fmt: skip
    export.set_defaults(run=run_export, parser=export)
    compare = commands.add_parser(
        "compare",
        help="say in what two saved runs differ, and show both side by side",
        description="Say in what the settings of two saved runs differ, and how far their pictures are apart at the "
        "end of each phase; show them side by side on one count of steps, the first run's.",
        epilog=COMPARE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument("run_file", type=file_path, metavar="FILE", help="a run that `--save` wrote")
    compare.add_argument("other_file", type=file_path, metavar="OTHER", help="another one")
    compare.add_argument("--lock", action=OneOf, known=LOCKS, name="lock", default=LOCKS[0],
                         help="which of their states go together: those of the same number (step), or those of the "
                         "nearest signal-to-noise ratio (snr; step)")  # fmt: skip
    compare.add_argument("--json", action="store_true", help="for a program to read, step by step")
    add_output(compare)
    compare.set_defaults(run=run_compare, parser=compare)
    _add_library(commands)


def _add_library(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser(
        "library",
        help="list the runs that the window has kept",
        description="List the runs that were made in the window and are still in its library, the newest first. Each "
        "is a file that `info`, `export`, `compare` and `reproduce` take.",
        epilog=LIBRARY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="those alone that have all of these words")
    parser.add_argument("--json", action="store_true", help="for a program to read")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--rename", nargs=2, metavar=("RUN", "NAME"),
                        help="give a run a name; it then stays until it is removed")  # fmt: skip
    change.add_argument("--remove", metavar="RUN", help="delete a run, for good")
    parser.set_defaults(run=run_library, parser=parser)


def run_library(arguments: argparse.Namespace) -> int:
    """Run `library`; returns the exit code, and what went wrong is said on the error stream."""

    def work(_: None, interruption: Interruption) -> None:
        from sculptor_app.core.trajectory.library import Library  # numpy comes with it

        library = Library(folders.library(), 0)
        if arguments.rename:
            run, name = arguments.rename
            say(str(library.rename(library.find(run).path, name)), stdout())
        elif arguments.remove:
            path = library.find(arguments.remove).path
            library.remove(path)
            library.forget_removed()
            say(f"Removed: {path}", stdout())
        else:
            found = [each for each in _listed(library, interruption) if _has_words(each, arguments.words)]
            say(json.dumps(found, indent=2) if arguments.json else "\n".join(map(_listed_line, found)), stdout())

    return run_checked(lambda: None, work)


def _listed(library: Library, interruption: Interruption) -> Iterator[dict[str, Any]]:
    from sculptor_app.core.errors import Cancelled, TrajectoryFileError
    from sculptor_app.core.trajectory.file import open_run

    for kept in library.runs():
        if interruption.event.is_set():
            raise Cancelled
        told: dict[str, Any] = {"name": kept.name, "path": str(kept.path), "size_bytes": kept.size_bytes,
                                "is_named": kept.is_named}  # fmt: skip
        try:
            run = open_run(kept.path)
        except TrajectoryFileError as error:
            yield told | {"title": [], "fault": str(error)}
            continue
        yield told | {"title": list(run.info.title.parts), "steps": run.last, "planned_steps": run.planned_steps}
        run.close()


def _has_words(told: dict[str, Any], words: list[str]) -> bool:
    text = " ".join((told["name"], *told["title"])).lower()
    return all(word.lower() in text for word in words)


def _listed_line(told: dict[str, Any]) -> str:
    what = ", ".join(told["title"]) or told["fault"]
    return f"{told['path']}: {what} ({byte_text(told['size_bytes'])})"


def run_info(arguments: argparse.Namespace) -> int:
    """Run `info`; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> None:
        if arguments.check and _is_exported(arguments):
            raise OptionError(f"{arguments.run_file} is no saved run.", "Leave --check out.")

    def work(_: None, interruption: Interruption) -> None:
        if _is_exported(arguments):
            told = _settings(arguments)
            say(json.dumps(told, indent=2) if arguments.json else "\n".join(_told_lines(told)), stdout())
            return
        run = _opened(arguments)
        if arguments.check:
            run.check_frames(interruption.event)
        say(json.dumps(_facts(run), indent=2) if arguments.json else "\n".join(_lines(run, arguments.check)), stdout())

    return run_checked(check, work)


def _is_exported(arguments: argparse.Namespace) -> bool:
    """Whether the file is one that shows a run, and carries settings alone."""
    return arguments.run_file.suffix.lower() in (*settings_suffixes(), ".csv", ".parquet")


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the file says that it was made with, this program's or another one's."""
    from sculptor_app.exports.made_with import read_made_with  # numpy and Pillow come with it
    from sculptor_app.exports.numbers import TABLE_SUFFIXES, read_header

    try:
        if arguments.run_file.suffix.lower() in TABLE_SUFFIXES:
            header = read_header(arguments.run_file)
            return header if arguments.json else {key: told for key, told in header.items() if key != "columns"}
        return dict(read_made_with(arguments.run_file).settings)
    except ExportError as error:
        raise OptionError(error.message, error.advice) from error


def _told_lines(told: dict[str, Any]) -> Iterator[str]:
    """Settings as lines, those inside others indented."""
    for name, value in told.items():
        if value in (None, "", [], {}):
            continue
        shown = name.replace("_", " ")
        if isinstance(value, dict):
            yield f"{shown}:"
            yield from (f"  {line}" for line in _told_lines(value))
        else:
            yield f"{shown}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def run_export(arguments: argparse.Namespace) -> int:
    """Run `export`; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> None:
        check_files(arguments)
        options_of(arguments)
        if any(path is not None and is_same_place(path, arguments.run_file) for path in (arguments.out, arguments.csv)):
            raise OptionError(f"{arguments.run_file} is the saved run itself.", "Choose another name to save under.")

    def work(_: None, interruption: Interruption) -> None:
        run = _opened(arguments)
        step = run.last if arguments.step is None else arguments.step
        if step > run.last:
            raise OptionError(f"The step is {step}; the run has {run.last}.", "Choose one that it has.")
        options = options_of(arguments, run)
        if run.last:
            options = with_frames_that_are_there(arguments.out, options, run)
        if run.info.space == "latents":  # what would decode them is not here
            options = replace(options, decode=NONE)
        row = None if arguments.out is None else picture_format(arguments.out)
        if row is not None and run.info.space == "latents":
            from sculptor_app.exports.animation.plan import kinds_of, shown_states

            states = (step,) if row.kind == "still" else shown_states(run, options)
            shown = frames_text(len(states) * len(kinds_of(options)))
            say(f"Of latents: {shown} {seen_text(run, options, states[-1])}.", stderr())
        write_files(arguments, options, run, _measures(run, interruption), step, interruption)

    return run_checked(check, work)


def run_compare(arguments: argparse.Namespace) -> int:
    """Run `compare`; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> None:
        if arguments.out is None and arguments.csv is None:
            return
        check_files(arguments)
        options_of(arguments)
        for path, file in itertools.product((arguments.out, arguments.csv), _compared_files(arguments)):
            if path is not None and is_same_place(path, file):
                raise OptionError(f"{file} is one of the saved runs.", "Choose another name to save under.")

    def work(_: None, interruption: Interruption) -> None:
        from sculptor_app.core.trajectory.file import open_run  # numpy comes with it
        from sculptor_app.exports.animation.plan import compared_runs

        one, other = (open_run(file) for file in _compared_files(arguments))
        _say_compared(arguments, one, other, interruption)
        if arguments.out is None and arguments.csv is None:
            return
        grid = compared_runs(one, other, arguments.lock)
        options = options_of(arguments, one)
        if one.last:
            options = with_frames_that_are_there(arguments.out, options, one)
        if "latents" in (one.info.space, other.info.space):  # what would decode them is not here
            options = replace(options, decode=NONE)
        write_files(arguments, options, grid, None, one.last, interruption)

    return run_checked(check, work)


def _compared_files(arguments: argparse.Namespace) -> tuple[Path, Path]:
    return arguments.run_file, arguments.other_file


def _say_compared(
    arguments: argparse.Namespace, one: SavedTrajectory, other: SavedTrajectory, interruption: Interruption
) -> None:
    """Say in what two runs differ, and by how much their guesses do: at every step, or at the end of each phase."""
    from sculptor_app.core.trajectory.comparison import differing_settings

    settings = differing_settings(one.info, other.info)
    apart = list(_apart(one, other, arguments.lock, interruption))
    if arguments.json:
        told = {
            "runs": [list(run.info.title.parts) for run in (one, other)],
            "lock": arguments.lock,
            "settings": {each.name: [each.one, each.other] for each in settings},
            "steps": [
                {"step": k, "other_step": j, "rms_of_guesses": guesses, "rms_of_states": states}
                for k, j, guesses, states in apart
            ],
        }  # fmt: skip
        say(json.dumps(told, indent=2), stdout())
        return
    for run in (one, other):
        say(", ".join(run.info.title.parts), stdout())
    differ = "; ".join(f"{each.name} {each.one or '—'} and {each.other or '—'}" for each in settings)
    say(f"They differ in: {differ}." if differ else "Their settings are the same.", stdout())
    if one.shape != other.shape:
        say("Their frames are of different sizes, so there is no difference of them.", stdout())
        return
    ends = {span.last_step: span.phase.name for span in one.spans}
    for k, j, guesses, states in apart:
        if k in ends:
            kind, far = ("guesses", guesses) if guesses is not None else ("noisy states", states)
            say(f"  {ends[k]}, step {k} beside step {j}: {kind} apart by {amount_text(far or 0)} (rms)", stdout())


def _apart(
    one: SavedTrajectory, other: SavedTrajectory, lock: str, interruption: Interruption
) -> Iterator[tuple[int, int, float | None, float | None]]:
    """For each state of a run the other one's that goes with it, and how far guesses and states are apart (rms)."""
    from sculptor_app.core.errors import Cancelled
    from sculptor_app.measures.frame_kinds import FrameKind
    from sculptor_app.measures.pictures import difference, rms

    for k in range(one.last + 1):
        if interruption.event.is_set():
            raise Cancelled
        j = matching_state(one.levels, k, other.levels, other.last, lock)
        parts = [difference(one, k, other, j, kind) for kind in (FrameKind.CURRENT_GUESS, FrameKind.NOISY_STATE)]
        guesses, states = (None if part is None else rms(part) for part in parts)
        yield k, j, guesses, states


def _opened(arguments: argparse.Namespace) -> SavedTrajectory:
    from sculptor_app.core.trajectory.file import open_run  # numpy comes with it

    return open_run(arguments.run_file)


def _measures(run: SavedTrajectory, interruption: Interruption) -> Any:
    from sculptor_app.core.errors import Cancelled
    from sculptor_app.measures.run_measures import RunMeasures

    measures = RunMeasures(run.planned_steps, run.info.space)
    with ProgressBar("Measuring", run.last, "step") as bar:
        for k in range(run.last + 1):
            if interruption.event.is_set():
                raise Cancelled
            measures.append(run, k)
            bar.move_to(k)
    measures.release_contents()
    return measures


def _facts(run: SavedTrajectory) -> dict[str, Any]:
    from sculptor_app.core.trajectory.record import RunRecord

    told = RunRecord.of(run).plain()["info"]
    told.pop("latent_map")
    return {
        "title": list(run.info.title.parts),
        **told,
        "schema": run.schema,
        "compact": run.is_compact,
        "size_bytes": run.size_bytes,
        "shape": list(run.shape),
        "states": run.last + 1,
        "planned_states": run.planned_steps + 1,
        "ended": run.ended,
        "phases": {span.phase.key: [span.first_step, span.last_step] for span in run.spans},
        "has_latent_map": run.info.latent_map is not None,
        "part_bytes": run.part_bytes,
    }


def _lines(run: SavedTrajectory, is_checked: bool) -> Iterator[str]:
    info, request = run.info, run.info.request
    yield ", ".join(run.info.title.parts)
    made_by = [info.model_name, f"SHA-256 {info.weights_hash[:12]}…" if info.weights_hash else "", info.device_name]
    settings = {name: value for name, value in request.as_dict().items() if value not in (None, (), [], {})}
    libraries = [f"{name} {version}" for name, version in info.libraries.items()]
    facts = {
        "made by": ", ".join(filter(None, made_by)),
        "made": info.created,
        "with": ", ".join(filter(None, [f"Sculptor {info.app_version}" if info.app_version else "", *libraries])),
        "settings": json.dumps(settings, ensure_ascii=False) if info.is_of_a_model else "",
        "states": f"{run.last + 1} of {run.planned_steps + 1}, {' × '.join(map(str, run.shape))}, {info.space}",
        "ended": run.ended,
        "phases": "; ".join(f"{span.phase.name} {span.first_step}–{span.last_step}" for span in run.spans),
        "holds": "; ".join(f"{_WORDS[name]}: {byte_text(size)}" for name, size in run.part_bytes.items()),
        "note": info.note,
        "file": f"{byte_text(run.size_bytes)}, schema {run.schema}, frames as "
        f"{'float16, rounded' if run.is_compact else 'float32, as recorded'}",
        "check": "every frame is what was saved" if is_checked else "",
    }
    for name, fact in facts.items():
        if fact:
            yield f"  {name + ':':10}{fact}"
