"""Cells keep off one another, stay inside, and are as large as can be."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.ui.why.cell_layout import CellLayout, GridSpace, Rect, cell_layout, enlarged_layout

SPACES = st.builds(
    GridSpace, st.floats(400, 2000), st.floats(110, 1200), st.just(10.0), st.sampled_from([0.0, 30.0]),
    st.sampled_from([0.0, 22.0]), st.sampled_from([0.0, 80.0]), st.sampled_from([0.0, 40.0]),
)  # fmt: skip


def overlap(one: Rect, other: Rect) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


@given(st.integers(1, 48), SPACES, st.booleans())
def test_cells_are_equal_squares_inside_that_keep_apart(count: int, space: GridSpace, enlarged: bool) -> None:
    layout = (enlarged_layout if enlarged else cell_layout)(count, space)
    rects = list(layout.pictures)
    assert len({rect[2:] for rect in rects}) == 1
    assert all(rect[2] == rect[3] for rect in rects)
    assert layout.caption in (0.0, space.caption)
    assert all(rect[0] >= space.left - 1 and rect[0] + rect[2] <= space.width + 1 for rect in rects)
    assert all(rect[1] >= space.head - 1 and rect[1] + rect[3] + layout.caption <= space.height + 2 for rect in rects)
    everything = rects + ([layout.enlarged] if layout.enlarged else [])
    assert not any(overlap(one, other) for i, one in enumerate(everything) for other in everything[:i])


@pytest.mark.parametrize(
    ("count", "width", "height", "columns"),
    [(8, 1000, 500, 4), (8, 500, 1000, 2), (12, 1150, 500, 6), (6, 1150, 500, 3), (1, 500, 500, 1)],
)
def test_columns_that_fit(count: int, width: float, height: float, columns: int) -> None:
    assert cell_layout(count, GridSpace(width, height)).columns == columns


def test_the_number_of_columns_can_be_given() -> None:
    layout = cell_layout(4, GridSpace(800, 400), 2)
    assert layout.columns == 2
    assert layout.pictures[0][0] == layout.pictures[2][0]
    assert layout.pictures[0][1] == layout.pictures[1][1]


@pytest.mark.parametrize(
    ("count", "columns", "caption", "head", "left"),
    [(48, 8, 0.0, 22.0, 80.0), (48, 0, 32.0, 0.0, 0.0), (24, 0, 32.0, 0.0, 0.0)],
)
@pytest.mark.parametrize("layout", [cell_layout, enlarged_layout])
def test_all_cells_are_in_the_smallest_window(
    layout: Callable[..., CellLayout], count: int, columns: int, caption: float, head: float, left: float
) -> None:
    """What is left of 792 by 460 pixels: captions go, and cells get smaller, before any falls out of it."""
    found = layout(count, GridSpace(520, 117, 6.0 if count > 24 else 12.0, caption, head, left), columns)
    assert max(x + width for x, _, width, _ in found.pictures) <= 520
    assert max(y + height + found.caption for _, y, _, height in found.pictures) <= 117
    assert found.pictures[0][2] >= 12


def test_in_a_tall_space_the_cells_are_below_the_large_one() -> None:
    """As beside the canvas of a small window."""
    found = enlarged_layout(8, GridSpace(168, 337, 12.0, 0.0, 22.0, 80.0), 4)
    assert found.enlarged == (0.0, 0.0, 168.0, 168.0)
    assert min(y for _, y, _, _ in found.pictures) > 168
    assert max(x + width for x, _, width, _ in found.pictures) <= 168
    assert found.pictures[0][2] >= 12


def test_the_enlarged_one_is_the_largest() -> None:
    layout = enlarged_layout(12, GridSpace(1100, 500))
    assert layout.enlarged is not None
    assert layout.enlarged[2] == 500
    assert layout.enlarged[2] > 3 * layout.pictures[0][2]
