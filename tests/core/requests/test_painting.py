"""Paintings as they are recorded: what is read is what was told, and what is none is refused in one sentence."""

import json
from typing import Any

import pytest

from sculptor_app.core.requests.painting import PaintedFrame, Painting, PaintStroke, StrokeKind
from sculptor_app.core.requests.request import RequestError

DOT = {"kind": "colour", "points": [[0.5, 0.5]], "colour": "#c04030"}
STROKES = (
    PaintStroke(StrokeKind.COLOUR, ((0.5, 0.4), (0.6, 0.5)), 0.1, 0.7, "#c04030"),
    PaintStroke(StrokeKind.ERASE, ((0.0, 0.0), (0.25, 1.0)), is_box=True),
    PaintStroke(StrokeKind.COPY, ((0.1, 0.2),), 0.3, source=1),
)


def test_a_painting_is_read_as_it_was_told() -> None:
    painting = Painting(PaintedFrame.GUESS, STROKES)
    assert Painting.from_plain(json.loads(json.dumps(painting.plain()))) == painting
    assert (painting.sources, painting.words) == (2, "3 strokes on the guess")
    shifts = Painting(PaintedFrame.STATE, (
        PaintStroke(StrokeKind.SHIFT, ((0.5, 0.5),), shift=(1.0, 0.0, -8.0)),
        PaintStroke(StrokeKind.NOISE, ((0.5, 0.5),), seed=2**62),
    ))  # fmt: skip
    assert Painting.from_plain(json.loads(json.dumps(shifts.plain()))) == shifts
    assert Painting(PaintedFrame.STATE, shifts.strokes[:1]).words == "1 stroke on the state"


def test_a_colour_is_that_of_a_guess() -> None:
    assert PaintStroke(StrokeKind.COLOUR, ((0, 0),), colour="#ff0080").rgb == pytest.approx((1, -1, 0), abs=0.005)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "blot"}, "The kind of stroke 'blot' is not known; choose one of colour, shift, noise, erase, copy."),
        ({"points": []}, "A stroke has 0 points; give 1 to"),
        ({"points": [[0.5, 1.5]]}, "The point 0.5,1.5 is outside of the picture; choose 0 to 1."),
        ({"points": [[0.5, float("nan")]]}, "nan is no number"),
        ({"points": [[0.5, 0.5]], "box": True}, "two corners of a box"),
        ({"points": 7}, "A stroke cannot be understood"),
        ({"points": [[0.5]]}, "A stroke cannot be understood"),
        ({"radius": 0}, "The brush has the radius 0.0; choose more than 0, up to 1."),
        ({"radius": "wide"}, "'wide' is no number"),
        ({"strength": 2}, "The strength of the brush is 2.0; choose more than 0, up to 1."),
        ({"colour": "red"}, "The colour 'red' is none; write one as #c04030."),
        ({"colour": 7}, "7 is no word"),
        ({"kind": "noise", "seed": -1}, "The seed -1 is no seed"),
        ({"kind": "noise", "seed": 1.5}, "1.5 is no whole number"),
        ({"kind": "shift", "shift": [9, 0, 0]}, "A stroke shifts the noise by 9.0; choose -8 to 8."),
        ({"kind": "copy", "source": 16}, "copies from 16 other runs at most"),
        ({"hardness": 1}, "A stroke has kind, points, seed"),
        ({"kind": "shift"}, "A stroke of the kind shift is for the noisy state; begin with state."),
    ],
)
def test_a_stroke_that_is_none_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        Painting.from_plain({"frame": "guess", "strokes": [DOT | change]})
    assert sentence.partition("seed")[0] in str(caught.value)


@pytest.mark.parametrize("plain", [7, {}, {"frame": "x", "strokes": [DOT]}, {"frame": "guess", "strokes": {}},
                                   {"frame": "guess", "strokes": [DOT], "more": 1}])  # fmt: skip
def test_what_is_no_painting_is_refused(plain: Any) -> None:
    with pytest.raises(RequestError, match='A painting has a frame, "guess" or "state", and a list of strokes'):
        Painting.from_plain(plain)


def test_a_painting_without_strokes_or_with_those_of_another_frame_is_refused() -> None:
    with pytest.raises(RequestError, match="The number of strokes is 0; give 1 to"):
        Painting(PaintedFrame.GUESS, ())
    with pytest.raises(RequestError, match="The number of strokes is 1001"):
        Painting.from_plain({"frame": "guess", "strokes": [DOT] * 1001})
    with pytest.raises(RequestError, match="Colours are for the current guess; begin with guess"):
        Painting(PaintedFrame.STATE, STROKES[:1])
