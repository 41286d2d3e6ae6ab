"""Where three frames go on the stage: arithmetic on rectangles, no widgets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Room:
    """What the frames have to fit into, in logical pixels.

    Attributes:
        width, height: of the stage, margins taken off.
        overhead: height of a frame's header and footer.
        gap: between frames.
        aspect: width over height of the pictures.
    """

    width: float
    height: float
    overhead: float
    gap: float
    aspect: float = 1.0


Rect = tuple[int, int, int, int]
"""Left, top, width, height."""


def _small_height(large: float, room: Room) -> float:
    """Height of two small pictures that together stand as high as a large one of height `large`."""
    return (large - room.overhead - room.gap) / 2


def one_large(room: Room) -> tuple[Rect, Rect, Rect]:
    """The first frame large, the others above each other at its right, as high as it together, all of it centred."""
    by_height = room.height - room.overhead
    # aspect·(large + small) + gap = width, with `small` as above
    by_width = (2 * (room.width - room.gap) / room.aspect + room.overhead + room.gap) / 3
    large = max(40.0, min(by_height, by_width))
    small = max(20.0, _small_height(large, room))
    wide, narrow = large * room.aspect, small * room.aspect
    left = max(0.0, (room.width - wide - room.gap - narrow) / 2)
    top = max(0.0, (room.height - large - room.overhead) / 2)
    beside = left + wide + room.gap
    high = small + room.overhead
    return (
        _whole(left, top, wide, large + room.overhead),
        _whole(beside, top, narrow, high),
        _whole(beside, top + high + room.gap, narrow, high),
    )


def side_by_side(room: Room) -> tuple[Rect, Rect, Rect]:
    """Three frames of one size in a row, centred."""
    side = max(40.0, min(room.height - room.overhead, (room.width - 2 * room.gap) / 3 / room.aspect))
    wide, high = side * room.aspect, side + room.overhead
    left = max(0.0, (room.width - 3 * wide - 2 * room.gap) / 2)
    top = max(0.0, (room.height - high) / 2)
    first, second, third = (_whole(left + i * (wide + room.gap), top, wide, high) for i in range(3))
    return first, second, third


SMALLEST_PX = 150
"""A frame smaller than this shows too little: three of one size are better then."""


def best(room: Room) -> tuple[Rect, Rect, Rect]:
    """One frame large, unless that leaves too little for the others and a row gives them more."""
    large, row = one_large(room), side_by_side(room)
    return row if large[1][2] < SMALLEST_PX and row[1][2] > large[1][2] else large


def _whole(left: float, top: float, width: float, height: float) -> Rect:
    return round(left), round(top), int(width), int(height)
