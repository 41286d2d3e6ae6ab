"""Where things lie on the timeline."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.trajectory.phases import PHASES, PhaseSpan
from sculptor_app.ui.widgets.timeline_paint import Axis, spread


def test_known_places() -> None:
    axis = Axis(10, 102, 50)
    assert axis.cell == 2
    assert axis.centre(0) == 11
    assert axis.centre(50) == 111
    assert axis.stretch(PhaseSpan(PHASES[1], 6, 15)) == (22, 42)


@given(st.integers(1, 1000), st.floats(200, 4000), st.data())
def test_a_states_own_place_leads_back_to_it(planned: int, width: float, data: st.DataObject) -> None:
    axis = Axis(1, width, planned)
    step = data.draw(st.integers(0, planned))
    assert axis.step_at(axis.centre(step)) == step


@given(st.floats(-1e4, 1e4), st.integers(0, 1000))
def test_every_place_has_a_state(x: float, planned: int) -> None:
    assert 0 <= Axis(1, 800, planned).step_at(x) <= planned


def test_labels_with_room_stay_centred() -> None:
    assert spread([50, 150, 300], [40, 40, 40], 0, 400, 10) == [30, 130, 280]


@pytest.mark.parametrize("centres", [[100, 101, 102], [0, 0, 0], [399, 400, 400]])
def test_crowded_labels_move_apart(centres: list[float]) -> None:
    places = spread(centres, [60, 60, 60], 0, 400, 10)
    assert places is not None
    assert places[0] >= 0
    assert places[-1] + 60 <= 400
    assert all(second - first >= 70 for first, second in itertools.pairwise(places))


def test_no_room_no_places() -> None:
    assert spread([1, 2], [60, 60], 0, 129, 10) is None
    assert spread([], [], 0, 100, 10) == []


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(1, 80)), min_size=1, max_size=8))
def test_labels_never_overlap(labels: list[tuple[float, float]]) -> None:
    labels.sort()
    centres, widths = [c for c, _ in labels], [w for _, w in labels]
    places = spread(centres, widths, 0, 500, 4)
    if sum(widths) + 4 * (len(widths) - 1) > 500:
        assert places is None
        return
    assert places is not None
    edge = -4.0
    for place, width in zip(places, widths, strict=True):
        assert place >= edge + 4 - 1e-9
        edge = place + width
    assert edge <= 500 + 1e-9
