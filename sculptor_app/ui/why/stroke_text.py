"""What was painted, as text for the settings: bounded in size, and read with suspicion."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sculptor_app.core.requests.noise_recipe import Stroke
from sculptor_app.core.requests.request import RequestError
from sculptor_app.ui.why.brushes import BRUSHES

MOST_TEXT = 100_000
"""Characters; of a longer painting the first strokes that fit are kept, as later ones lie over them."""

DIGITS = 4
"""Of a place on the block: a ten-thousandth of its width is less than anybody can aim at."""

Painted = tuple[Stroke, str]
"""A stroke and the key of its brush."""


def strokes_text(painted: Sequence[Painted]) -> str:
    """The strokes in the order in which they were made."""
    kept, length = [], 2
    for stroke, brush in painted:
        each = [brush, stroke.radius, list(stroke.shift), stroke.seed, [list(point) for point in stroke.points]]
        length += len(json.dumps(each)) + 2
        if length > MOST_TEXT:
            break
        kept.append(each)
    return json.dumps(kept)


def read_strokes(text: str) -> tuple[Painted, ...]:
    """The strokes of a text; none where any of it cannot be understood."""
    if len(text) > MOST_TEXT:
        return ()
    try:
        return tuple(_painted(*each) for each in json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError, RequestError):
        return ()


def _painted(brush: str, radius: float, shift: list[float], seed: int | None, points: list[list[float]]) -> Painted:
    if brush not in BRUSHES:
        raise ValueError(f"{brush!r} is no brush")
    red, green, blue = map(_number, shift)
    places = tuple((_share(across), _share(down)) for across, down in points)
    return Stroke(places, _number(radius), (red, green, blue), seed), brush


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _share(value: object) -> float:
    share = _number(value)
    if not 0 <= share <= 1:  # neither is what is no number
        raise ValueError(f"{share} is no place on the block")
    return share
