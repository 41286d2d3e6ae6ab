"""Where playing goes, by table, and that it never leaves 0..last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.session.session import LoopMode, Move, next_move, start_position

ONCE, LOOP, PING_PONG = LoopMode.ONCE, LoopMode.LOOP, LoopMode.PING_PONG


@pytest.mark.parametrize(
    ("position", "direction", "last", "mode", "growing", "move"),
    [
        (3, 1, 9, ONCE, False, Move(4, 1)),
        (3, -1, 9, ONCE, False, Move(2, -1)),
        (9, 1, 9, ONCE, False, Move(9, 0)),
        (0, -1, 9, ONCE, False, Move(0, 0)),
        (9, 1, 9, LOOP, False, Move(0, 1)),
        (0, -1, 9, LOOP, False, Move(9, -1)),
        (9, 1, 9, PING_PONG, False, Move(8, -1)),
        (0, -1, 9, PING_PONG, False, Move(1, 1)),
        # at the live edge playing forward waits
        (9, 1, 9, ONCE, True, Move(9, 1)),
        (9, 1, 9, LOOP, True, Move(9, 1)),
        (9, 1, 9, PING_PONG, True, Move(9, 1)),
        (0, -1, 9, LOOP, True, Move(9, -1)),
        (0, -1, 9, ONCE, True, Move(0, 0)),
        # nothing to play
        (0, 1, 0, LOOP, False, Move(0, 0)),
        (0, 1, 0, PING_PONG, False, Move(0, 0)),
        (0, -1, 0, PING_PONG, True, Move(0, 0)),
    ],
)
def test_next_move(position, direction, last, mode, growing, move) -> None:
    assert next_move(position, direction, last, mode, growing) == move


@pytest.mark.parametrize(
    ("position", "direction", "last", "growing", "start"),
    [
        (9, 1, 9, False, 0),
        (9, 1, 9, True, 9),
        (4, 1, 9, False, 4),
        (0, -1, 9, False, 9),
        (4, -1, 9, False, 4),
        (0, 1, 0, False, 0),
    ],
)
def test_start_position(position, direction, last, growing, start) -> None:
    assert start_position(position, direction, last, growing) == start


@given(st.data())
def test_playing_moves_by_one_or_to_the_other_end_and_stays_inside(data: st.DataObject) -> None:
    last = data.draw(st.integers(0, 1000))
    position = data.draw(st.integers(0, last))
    direction = data.draw(st.sampled_from([-1, 1]))
    move = next_move(position, direction, last, data.draw(st.sampled_from(LoopMode)), data.draw(st.booleans()))
    assert 0 <= move.position <= last
    assert abs(move.position - position) in (0, 1, last)


@given(st.integers(1, 30))
def test_ping_pong_shows_every_state_twice_a_round_but_the_ends_once(last: int) -> None:
    seen, position, direction = [], 0, 1
    for _ in range(2 * last):
        move = next_move(position, direction, last, PING_PONG, False)
        position, direction = move.position, move.direction
        seen.append(position)
    assert sorted(seen) == sorted([0, last, *range(1, last), *range(1, last)])
