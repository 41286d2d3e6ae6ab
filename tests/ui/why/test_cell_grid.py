"""Cells keep off one another, stay inside, and are as large as can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.ui.why.cell_grid import Rect, Room, place, place_enlarged

ROOMS = st.builds(
    Room, st.floats(400, 2000), st.floats(360, 1200), st.just(10.0), st.sampled_from([0.0, 30.0]),
    st.sampled_from([0.0, 22.0]), st.sampled_from([0.0, 80.0]), st.sampled_from([0.0, 40.0]),
)  # fmt: skip


def overlap(one: Rect, other: Rect) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


@given(st.integers(1, 48), ROOMS, st.booleans())
def test_cells_are_equal_squares_inside_that_keep_apart(count: int, room: Room, enlarged: bool) -> None:
    places = (place_enlarged if enlarged else place)(count, room)
    rects = list(places.pictures)
    assert len({rect[2:] for rect in rects}) == 1
    assert all(rect[2] == rect[3] for rect in rects)
    if rects[0][2] > 24:  # the smallest ones may need more room than there is
        assert all(rect[0] >= room.side - 1 and rect[0] + rect[2] <= room.width + 1 for rect in rects)
        assert all(rect[1] >= room.head - 1 and rect[1] + rect[3] + room.caption <= room.height + 2 for rect in rects)
        everything = rects + ([places.enlarged] if places.enlarged else [])
        assert not any(overlap(one, other) for i, one in enumerate(everything) for other in everything[:i])


@pytest.mark.parametrize(
    ("count", "width", "height", "columns"),
    [(8, 1000, 500, 4), (8, 500, 1000, 2), (12, 1150, 500, 6), (6, 1150, 500, 3), (1, 500, 500, 1)],
)
def test_columns_that_fit(count: int, width: float, height: float, columns: int) -> None:
    assert place(count, Room(width, height)).columns == columns


def test_columns_can_be_told() -> None:
    places = place(4, Room(800, 400), 2)
    assert places.columns == 2
    assert places.pictures[0][0] == places.pictures[2][0]
    assert places.pictures[0][1] == places.pictures[1][1]


def test_the_enlarged_one_is_the_largest() -> None:
    places = place_enlarged(12, Room(1100, 500))
    assert places.enlarged is not None
    assert places.enlarged[2] == 500
    assert places.enlarged[2] > 3 * places.pictures[0][2]
