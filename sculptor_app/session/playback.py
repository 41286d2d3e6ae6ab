"""Where playing goes next: arithmetic on step numbers, with no clock and no widgets."""

from dataclasses import dataclass
from enum import Enum


class LoopMode(Enum):
    """What playing does at the end of the states."""

    ONCE = "once"
    LOOP = "loop"
    PING_PONG = "ping_pong"


MIN_SPEED = 0.5
MAX_SPEED = 60.0
"""Steps per second; a display shows no more than its frame rate."""

DEFAULT_SPEED = 12.0


@dataclass(frozen=True, slots=True)
class Move:
    """What one tick of the playing clock does.

    Attributes:
        position: the state to show, 0..last.
        direction: -1 or 1 while playing goes on, 0 when it has come to its end.
    """

    position: int
    direction: int


def next_move(position: int, direction: int, last: int, mode: LoopMode, growing: bool) -> Move:
    """The next state to show.

    At the live edge of a run that still goes on, playing forward waits for the next state, whatever the mode: to jump
    back there would make a person miss what they are waiting for.

    Args:
        position: the state shown now, 0..last.
        direction: -1 (backward) or 1 (forward).
        last: newest state.
        mode: what to do at an end.
        growing: whether a run still adds states.
    """
    ahead = position + direction
    if 0 <= ahead <= last:
        return Move(ahead, direction)
    if growing and direction > 0:
        return Move(position, direction)
    if mode is LoopMode.LOOP and last > 0:
        return Move(0 if direction > 0 else last, direction)
    if mode is LoopMode.PING_PONG and last > 0:
        return Move(position - direction, -direction)
    return Move(position, 0)


def start_position(position: int, direction: int, last: int, growing: bool) -> int:
    """Where playing begins when a person presses play: at the other end if there is nothing left to play."""
    if direction > 0 and position == last and not growing:
        return 0
    return last if direction < 0 and position == 0 else position
