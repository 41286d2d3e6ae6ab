"""Paintings as they are typed: strokes in words, strokes in a file, and parts of another saved run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.terminal import file_path
from sculptor_app.core.files import is_file
from sculptor_app.core.requests.painting import PaintedFrame, Painting, PaintStroke, StrokeKind
from sculptor_app.core.requests.request import Point
from sculptor_app.exports.files import OptionError

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory

HOW = 'as in "guess #c04030 0.5,0.4 0.6,0.5 radius 0.08"'
_MOST_BYTES = 2**24
"""Of a file of strokes."""


def add_painting(group: argparse._ArgumentGroup) -> None:
    """Add the options that paint on a step."""
    group.add_argument("--paint", action="append", default=[], metavar="STROKE",
                       help="a fork with what is painted on this step, in which all strokes are; of each the frame "
                       "(guess or state), what it does (#rrggbb, erase or copy; of the state shift R,G,B in standard "
                       "deviations of its noise, noise SEED, erase or copy), its points X,Y from 0,0 at the top left "
                       "to 1,1, and radius R, strength S, or box for its corners; can be repeated")  # fmt: skip
    group.add_argument("--paint-file", type=file_path, metavar="FILE",
                       help="strokes as the files of a painted fork tell them, under painting")  # fmt: skip
    group.add_argument("--copy-from", type=file_path, metavar="FILE",
                       help="a saved run that strokes copy from, at this step")  # fmt: skip
    group.add_argument("--box", type=box, metavar="X,Y,W,H", action="append", default=[],
                       help="copy this part of that run, in shares of width and height; can be repeated")  # fmt: skip


def painting_of(arguments: argparse.Namespace) -> Painting | None:
    """The painting that was asked for, without what it copies; None where there is none.

    Raises:
        OptionError: It cannot be read, or asks for what is not there.
        RequestError: A value of it is not allowed.
    """
    frame: PaintedFrame | None = None
    strokes: list[PaintStroke] = []
    if arguments.paint_file is not None:
        told = _read(arguments.paint_file)
        frame, strokes = told.frame, list(told.strokes)
    for text in arguments.paint:
        own, stroke = parse_stroke(text)
        if frame is not None and own is not None and own is not frame:
            raise OptionError(
                "Strokes are on the guess and on the state.", "Paint on one of them; make another fork for the other."
            )
        frame, strokes = own or frame, [*strokes, stroke]
    strokes += [PaintStroke(StrokeKind.COPY, corners, is_box=True) for corners in arguments.box]
    copies = any(stroke.kind is StrokeKind.COPY for stroke in strokes)
    if copies and arguments.copy_from is None:
        raise OptionError("There is nothing to copy from.", "Add --copy-from FILE, a saved run.")
    if arguments.copy_from is not None and not copies:
        raise OptionError(
            "Nothing is copied from the other run.", 'Add --box X,Y,W,H, or --paint "guess copy 0.5,0.5".'
        )
    painting = Painting(frame or PaintedFrame.GUESS, tuple(strokes)) if strokes else None
    if painting is not None and painting.sources > 1:
        raise OptionError("The strokes copy from several runs.", "Use 0 as the source of each; one run can be named.")
    return painting


def with_copied(painting: Painting, run: Trajectory, at: int, file: Path | None) -> Painting:
    """The painting with what it copies from a saved run.

    Raises:
        RequestError: That run has no such frame, or it is of another size.
        TrajectoryFileError: It cannot be read, or is damaged.
    """
    if not painting.sources or file is None:
        return painting
    from sculptor_app.core.pictures.painting import frame_to_copy
    from sculptor_app.core.trajectory.file import open_run

    other = open_run(file)
    try:
        return replace(painting, copied=(frame_to_copy(run, at, other, painting.frame),))
    finally:
        other.close()


def parse_stroke(text: str) -> tuple[PaintedFrame | None, PaintStroke]:
    """The stroke that a few words name, and the frame that it is for, if they say so.

    Raises:
        OptionError: A word has no meaning there, or one is missing.
        RequestError: A value is not allowed.
    """
    words = text.replace(", ", ",").split()
    frame = PaintedFrame(words.pop(0)) if words and words[0] in list(PaintedFrame) else None
    values: dict[str, Any] = {}
    points: list[Point] = []
    while words:
        word = words.pop(0)
        if word.startswith("#"):
            values |= {"kind": StrokeKind.COLOUR, "colour": word.lower()}
        elif word == "box":
            values["is_box"] = True
        elif word in (StrokeKind.ERASE, StrokeKind.COPY):
            values["kind"] = StrokeKind(word)
        elif word in _TAKE_A_VALUE:
            if not words:
                raise OptionError(f"There is nothing after {word} in {text!r}.", f"Write a stroke {HOW}.")
            values |= _value(word, words.pop(0), text)
        else:
            across, down = _numbers(word, 2, text)
            points.append((across, down))
    if "kind" not in values or not points:
        missing = "what to do" if "kind" not in values else "where to paint"
        raise OptionError(f"The stroke {text!r} does not say {missing}.", f"Write it {HOW}.")
    return frame, PaintStroke(points=tuple(points), **values)


_TAKE_A_VALUE = ("shift", "noise", "radius", "strength")


def _value(word: str, value: str, text: str) -> dict[str, Any]:
    """What a word and its value say of a stroke."""
    if word == "shift":
        return {"kind": StrokeKind.SHIFT, "shift": _numbers(value, 3, text)}
    if word != "noise":
        return {word: _numbers(value, 1, text)[0]}
    if not value.isdecimal():
        raise OptionError(f"The seed {value!r} in {text!r} is no whole number.", "Write it as in noise 5.")
    return {"kind": StrokeKind.NOISE, "seed": int(value)}


def _numbers(word: str, count: int, text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(each) for each in word.split(","))
    except ValueError:
        found = ()
    if len(found) != count:
        raise OptionError(f"{word!r} is not understood in the stroke {text!r}.", f"Write it {HOW}.")
    return found


def box(text: str) -> Sequence[Point]:
    """A converter for argparse: two corners of X,Y,W,H, each 0..1."""
    try:
        left, top, width, height = (float(each) for each in text.split(","))
    except ValueError:
        left = top = width = height = -1.0
    is_inside = left >= 0 and top >= 0 and left + width <= 1 and top + height <= 1
    if not (is_inside and width > 0 and height > 0):
        raise argparse.ArgumentTypeError(
            f"the box {text!r} is none within the picture; write X,Y,W,H from 0 to 1, as in 0.25,0,0.5,0.5"
        )
    return ((left, top), (left + width, top + height))


def _read(file: Path) -> Painting:
    if not is_file(file):
        raise OptionError(f"There is no file {file}.", "Name a file of strokes.")
    try:
        text = file.read_bytes()
        content = json.loads(text) if len(text) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        content = None
    except OSError as error:
        raise OptionError(f"{file} cannot be read ({error.strerror}).", "Choose another file.") from error
    if not isinstance(content, dict):
        raise OptionError(f"{file} holds no strokes.", "Give it the form of a painting in the files of a fork.")
    return Painting.from_plain(content)
