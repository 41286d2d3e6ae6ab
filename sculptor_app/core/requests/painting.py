"""Paintings on a step of a run: strokes of a brush, or boxes, on its noisy state or on its current guess."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sculptor_app.core.requests.request import MAX_SEED, MOST_SHIFT, Point, RequestError
from sculptor_app.core.texts import plural, translate

if TYPE_CHECKING:  # numpy comes with it, and this is read before the first paint
    import numpy as np
    from numpy.typing import NDArray

    Frame = NDArray[np.float32]

MOST_STROKES = 1_000
MOST_POINTS = 2_000
"""Of one stroke."""
MOST_SOURCES = 16
"""Frames of other runs that one painting copies from."""
_COLOUR = re.compile(r"#[0-9a-f]{6}")


class PaintedFrame(StrEnum):
    """The frame of a step that is painted on."""

    GUESS = "guess"  # the current guess; the noise that goes with it stays, and both make the state
    STATE = "state"  # the noisy state itself


class StrokeKind(StrEnum):
    """What a stroke does."""

    COLOUR = "colour"  # brings a guess towards a colour
    SHIFT = "shift"  # adds to red, green and blue of a state, in standard deviations of its noise
    NOISE = "noise"  # puts the noise of a seed in place of a state's own
    ERASE = "erase"  # brings back what the run had there
    COPY = "copy"  # brings what another run has there


_KINDS = {
    PaintedFrame.GUESS: (StrokeKind.COLOUR, StrokeKind.ERASE, StrokeKind.COPY),
    PaintedFrame.STATE: (StrokeKind.SHIFT, StrokeKind.NOISE, StrokeKind.ERASE, StrokeKind.COPY),
}


def kinds_on(frame: PaintedFrame) -> tuple[StrokeKind, ...]:
    """The kinds of strokes that a frame takes."""
    return _KINDS[frame]


@dataclass(frozen=True, slots=True)
class PaintStroke:
    """One stroke, or a box; `RequestError` if a value is not allowed."""

    kind: StrokeKind
    points: tuple[Point, ...]  # where the brush went; of a box two corners that face each other
    radius: float = 0.08  # of the brush, as a share of the picture's width; a box has none
    strength: float = 1.0  # above 0, up to 1: the share of it all
    colour: str = ""  # of COLOUR: "#c04030"
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of SHIFT
    seed: int = 0  # of NOISE
    source: int = 0  # of COPY: which of the painting's copied frames
    is_box: bool = False  # hard edges, along the sides of the picture

    def __post_init__(self) -> None:
        if not self.points or len(self.points) > MOST_POINTS or (self.is_box and len(self.points) != 2):
            raise RequestError(
                translate("errors", "A stroke has {0} points; give 1 to {1}, and two corners of a box.").format(
                    len(self.points), MOST_POINTS
                )
            )
        for point in self.points:
            if not all(0 <= each <= 1 for each in point):
                raise RequestError(
                    translate("errors", "The point {0:g},{1:g} is outside of the picture; choose 0 to 1.").format(
                        *point
                    )
                )
        self._check_brush()

    def _check_brush(self) -> None:
        if not self.is_box and not 0 < self.radius <= 1:
            raise RequestError(
                translate("errors", "The brush has the radius {0}; choose more than 0, up to 1.").format(self.radius)
            )
        if not 0 < self.strength <= 1:
            raise RequestError(
                translate("errors", "The strength of the brush is {0}; choose more than 0, up to 1.").format(
                    self.strength
                )
            )
        if self.kind is StrokeKind.COLOUR and not _COLOUR.fullmatch(self.colour):
            raise RequestError(
                translate("errors", "The colour {0!r} is none; write one as #c04030.").format(self.colour)
            )
        for value in self.shift:
            if not abs(value) <= MOST_SHIFT:
                raise RequestError(
                    translate("errors", "A stroke shifts the noise by {0}; choose {1:g} to {2:g}.").format(
                        value, -MOST_SHIFT, MOST_SHIFT
                    )
                )
        if not 0 <= self.seed <= MAX_SEED:
            raise RequestError(
                translate("errors", "The seed {0!r} is no seed; choose a whole number from 0 to {1}.").format(
                    self.seed, MAX_SEED
                )
            )
        if not 0 <= self.source < MOST_SOURCES:
            raise RequestError(
                translate("errors", "One painting copies from {0} other runs at most.").format(MOST_SOURCES)
            )

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Red, green and blue of its colour, each -1..1, as guesses have them."""
        red, green, blue = (int(self.colour[at : at + 2], 16) / 127.5 - 1 for at in (1, 3, 5))
        return red, green, blue

    def plain(self) -> dict[str, Any]:
        """Values that JSON takes; `from_plain` reads them."""
        told: dict[str, Any] = {"kind": self.kind.value, "points": [list(point) for point in self.points]}
        told |= {"box": True} if self.is_box else {"radius": self.radius}
        told["strength"] = self.strength
        match self.kind:
            case StrokeKind.COLOUR:
                told["colour"] = self.colour
            case StrokeKind.SHIFT:
                told["shift"] = list(self.shift)
            case StrokeKind.NOISE:
                told["seed"] = self.seed
            case StrokeKind.COPY:
                told["source"] = self.source
        return told

    @classmethod
    def from_plain(cls, plain: Any) -> PaintStroke:
        """The stroke of values that nobody vouches for.

        Raises:
            RequestError: They are none, with a sentence that says why.
        """
        if not isinstance(plain, Mapping) or not plain.keys() <= _STROKE_NAMES.keys():
            raise RequestError(
                translate("errors", "A stroke has {0} and nothing else; give those.").format(", ".join(_STROKE_NAMES))
            )
        kind = plain.get("kind")
        if kind not in list(StrokeKind):
            raise RequestError(
                translate("errors", "The kind of stroke {0!r} is not known; choose one of {1}.").format(
                    kind, ", ".join(StrokeKind)
                )
            )
        try:
            points = tuple((_number(across), _number(down)) for across, down in plain["points"])
            red, green, blue = map(_number, plain.get("shift", (0, 0, 0)))
            return cls(
                StrokeKind(kind), points, _number(plain.get("radius", 0.08)), _number(plain.get("strength", 1.0)),
                _text(plain.get("colour", "")), (red, green, blue), _whole(plain.get("seed", 0)),
                _whole(plain.get("source", 0)), plain.get("box", False) is True,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, RequestError):
                raise
            raise RequestError(
                translate("errors", "A stroke cannot be understood ({0}); give {1}.").format(
                    str(error), ", ".join(_STROKE_NAMES)
                )
            ) from error


_STROKE_NAMES = dict.fromkeys(("kind", "points", "radius", "box", "strength", "colour", "shift", "seed", "source"))


@dataclass(frozen=True, slots=True)
class Painting:
    """What was painted on a frame of a step; `RequestError` where a stroke does not go with the frame.

    Attributes:
        copied: (C, H, W) float32 each, of other runs, that strokes of the kind COPY bring parts of. They belong to the
            run, and travel beside its record; where they are not known, it is fewer than `sources`.
    """

    frame: PaintedFrame
    strokes: tuple[PaintStroke, ...]  # in the order in which they were made
    copied: tuple[Frame, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.strokes) <= MOST_STROKES:
            raise RequestError(
                translate("errors", "The number of strokes is {0}; give 1 to {1}.").format(
                    len(self.strokes), MOST_STROKES
                )
            )
        for stroke in self.strokes:
            if stroke.kind in kinds_on(self.frame):
                continue
            if self.frame is PaintedFrame.GUESS:
                raise RequestError(
                    translate("errors", "A stroke of the kind {0} is for the noisy state; begin with state.").format(
                        stroke.kind.value
                    )
                )
            raise RequestError(
                translate("errors", "Colours are for the current guess; begin with guess, or shift the state.")
            )

    @property
    def sources(self) -> int:
        """How many copied frames its strokes ask for."""
        return max((stroke.source + 1 for stroke in self.strokes if stroke.kind is StrokeKind.COPY), default=0)

    @property
    def words(self) -> str:
        """A description in plain words: "3 strokes on the guess"."""
        count = len(self.strokes)
        said = plural(count, translate("names", "1 stroke on the {1}"), translate("names", "{0} strokes on the {1}"))
        return said.format(count, self.frame.value)

    def plain(self) -> dict[str, Any]:
        """Values that JSON takes, without what was copied; `from_plain` reads them."""
        return {"frame": self.frame.value, "strokes": [stroke.plain() for stroke in self.strokes]}

    @classmethod
    def from_plain(cls, plain: Any, copied: tuple[Frame, ...] = ()) -> Painting:
        """The painting of values that nobody vouches for; `RequestError` where they are none."""
        is_one = isinstance(plain, Mapping) and plain.keys() == {"frame", "strokes"}
        if not is_one or plain["frame"] not in list(PaintedFrame) or not isinstance(plain["strokes"], list):
            raise RequestError(
                translate("errors", 'A painting has a frame, "guess" or "state", and a list of strokes; give those.')
            )
        if len(plain["strokes"]) > MOST_STROKES:
            raise RequestError(
                translate("errors", "The number of strokes is {0}; give 1 to {1}.").format(
                    len(plain["strokes"]), MOST_STROKES
                )
            )
        return cls(PaintedFrame(plain["frame"]), tuple(map(PaintStroke.from_plain, plain["strokes"])), copied)


def _too_many(count: int) -> RequestError:
    return RequestError(translate("errors", "The number of strokes is {0}; give 1 to {1}.").format(count, MOST_STROKES))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no word")
    return value.lower()
