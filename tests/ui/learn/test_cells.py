"""Where cells lie, which of many are shown, and which are meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.training.records.events import LEVELS, Report
from sculptor_app.ui.learn.cells import MOST_CELL_PX, grid_geometry, spaced
from sculptor_app.ui.learn.plots import learned_at, phase_index, phase_stretches, place_of
from sculptor_app.ui.learn.texts import count_text


def report(pictures: int, learned: float) -> Report:
    """A report with the same share learned at every level but the first, where nothing is known."""
    shares: list[float | None] = [None, *[learned] * (LEVELS - 1)]
    losses = [None if share is None else 1 - share for share in shares]
    return Report(pictures, 1 - learned, 1e-3, 50.0, 1.0, losses, shares, 0)


def test_few_are_all_shown():
    assert spaced(3, 12, 0) == [0, 1, 2]
    assert spaced(0, 12, 0) == []


def test_many_are_spaced_evenly_and_the_chosen_is_among_them():
    assert spaced(26, 12, 0) == [0, 2, 5, 7, 9, 11, 14, 16, 18, 20, 23, 25]
    assert spaced(26, 12, 8) == [0, 2, 5, 7, 8, 11, 14, 16, 18, 20, 23, 25]


@given(st.integers(1, 300), st.integers(2, 40), st.data())
def test_what_is_shown_rises_and_holds_the_chosen(count: int, slots: int, data: st.DataObject):
    chosen = data.draw(st.integers(0, count - 1))
    shown = spaced(count, slots, chosen)
    assert chosen in shown
    assert len(shown) == min(slots, count)
    assert shown == sorted(set(shown))


@given(st.integers(60, 3000), st.integers(60, 2000), st.integers(1, 64), st.integers(2, 51), st.data())
def test_the_middle_of_a_cell_means_what_it_shows(
    width: int, height: int, rows: int, columns: int, data: st.DataObject
):
    chosen = (data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1)))
    at = grid_geometry(width, height, 40, 22, (rows, columns), chosen)
    assert chosen[0] in at.rows
    assert chosen[1] in at.columns
    row, column = at.rows.index(chosen[0]), at.columns.index(chosen[1])
    left, top = at.corner(row, column)
    assert at.shown_at(left + at.cell_px / 2, top + at.cell_px / 2) == chosen
    # Between two that are shown lie those that are not: to a drag the middle means the cell or one near it.
    assert abs(at.row_at(top + at.cell_px / 2) - chosen[0]) <= rows / len(at.rows)
    assert abs(at.column_at(left + at.cell_px / 2) - chosen[1]) <= columns / len(at.columns)
    assert at.pitch <= MOST_CELL_PX
    assert (at.row_at(-1e6), at.row_at(1e6)) == (0, rows - 1) or len(at.rows) < 2


def test_every_row_and_state_can_be_dragged_to():
    at = grid_geometry(760, 500, 40, 22, (40, 26), (0, 0))
    rows = {at.row_at(y) for y in range(500)}
    columns = {at.column_at(x) for x in range(760)}
    assert (rows, columns) == (set(range(40)), set(range(26)))


def test_noise_levels_lie_in_their_bins():
    assert [place_of(edge) for edge in (-8, -6, 0, 6)] == [1, 2, 5, 8]
    assert (place_of(-100), place_of(100)) == (0, 9)
    assert [phase_index(level) for level in range(9)] == [0, 0, 0, 1, 2, 3, 3, 3, 3]
    assert phase_stretches()[0][1] == 0
    assert phase_stretches()[-1][2] == 9


def test_what_is_learned_is_the_mean_of_the_last_fifth():
    reports = [report(100, 0.1), report(850, 0.4), report(1000, 0.6), report(2000, 0.9)]
    assert learned_at(reports, 1000)[:2] == [None, pytest.approx(0.5)]
    assert learned_at(reports, 50)[1] == pytest.approx(0.1)
    assert learned_at(reports, 5000)[1] == pytest.approx(0.9)
    assert learned_at([], 10)[1] is None


@pytest.mark.parametrize(
    ("pictures", "text"),
    [(0, "0"), (640, "640"), (1000, "1k"), (2120, "2.1k"), (9960, "10k"), (31_400, "31k"), (1_240_000, "1.2M")],
)
def test_counts(pictures: int, text: str):
    assert count_text(pictures) == text
