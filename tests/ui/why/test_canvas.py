"""What was painted comes back as it was, or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.requests.request import Stroke
from sculptor_app.ui.why.canvas import BRUSHES, MOST_TEXT, read_strokes, strokes_text

GOOD = ["red", 0.2, [1.0, -1.0, 0.5], None, [[0.25, 0.5]]]
SHARES = st.floats(0, 1).map(lambda share: round(share, 4))
STROKES = st.builds(
    Stroke,
    st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=9).map(tuple),
    st.floats(0.01, 1),
    st.tuples(*[st.floats(-8, 8)] * 3),
    st.none() | st.integers(0, 2**31),
)


def test_a_known_stroke_is_read() -> None:
    assert read_strokes(json.dumps([GOOD])) == ((Stroke(((0.25, 0.5),), 0.2, (1.0, -1.0, 0.5)), "red"),)


@given(st.lists(st.tuples(STROKES, st.sampled_from(BRUSHES)), max_size=6).map(tuple))
def test_strokes_come_back_bit_for_bit(painted: tuple[tuple[Stroke, str], ...]) -> None:
    assert read_strokes(strokes_text(painted)) == painted


def test_a_huge_painting_is_cut_at_a_whole_stroke() -> None:
    painted = [(Stroke(((0.1234, 0.5678),) * 250, 0.2, seed=number), "other") for number in range(200)]
    text = strokes_text(painted)
    kept = read_strokes(text)
    assert MOST_TEXT * 0.9 < len(text) <= MOST_TEXT
    assert kept == tuple(painted[: len(kept)])
    assert 10 < len(kept) < 200


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("wrong", ["mauve", True, None, [], {}, 9, -1, [[0.5]], [[2, 0.5]], ["x"], [[float("nan"), 0]]])
def test_what_cannot_be_understood_is_refused_silently(place: int, wrong: object) -> None:
    each = [*GOOD[:place], wrong, *GOOD[place + 1 :]]
    if (place, wrong) in ((3, None), (3, 9)):  # these are right
        assert len(read_strokes(json.dumps([each]))) == 1
    else:
        assert read_strokes(json.dumps([GOOD, each])) == ()


@pytest.mark.parametrize("text", ["", "[", "7", "null", "{}x", "[" * 5000, "[[1]]", " " * (MOST_TEXT + 1), '["ab"]'])
def test_any_other_text_is_no_painting(text: str) -> None:
    assert read_strokes(text) == ()
