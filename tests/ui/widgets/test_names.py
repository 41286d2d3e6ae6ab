"""What every view says the same way."""

import pytest

from sculptor_app.core.colours import BAND_KEYS, PHASE_KEYS
from sculptor_app.core.requests.request import FORMS, MATERIALS
from sculptor_app.core.trajectory.levels import PHASES, PhaseSpan
from sculptor_app.ui.widgets.names import (
    band_name,
    form_name,
    material_name,
    neighbour_phase_step,
    phase_action,
    phase_name,
    step_range,
)


def test_names_are_those_of_the_phases() -> None:
    assert tuple(phase.key for phase in PHASES) == PHASE_KEYS
    for phase in PHASES:
        assert phase_name(phase.key) == phase.name
        assert phase_action(phase.key) == phase.action


def test_bands() -> None:
    from sculptor_app.measures.spectrum import BANDS

    assert tuple(band.key for band in BANDS) == BAND_KEYS
    assert [band_name(band.key) for band in BANDS] == [band.name for band in BANDS]


def test_every_form_and_material_has_a_name_of_its_own() -> None:
    names = [form_name(key) for key in FORMS] + [material_name(key) for key in MATERIALS]
    assert len(set(names)) == len(FORMS) + len(MATERIALS)
    assert (form_name("seated"), material_name("basalt")) == ("Seated figure", "Basalt")


@pytest.mark.parametrize(("first", "last", "text"), [(16, 30, "16–30"), (7, 7, "7")])
def test_step_range(first: int, last: int, text: str) -> None:
    assert step_range(first, last) == text


@pytest.mark.parametrize(
    ("step", "direction", "expected"),
    [(0, 1, 1), (1, 1, 6), (5, 1, 6), (6, 1, 16), (31, 1, 50), (50, 1, 50),
     (50, -1, 31), (31, -1, 16), (20, -1, 16), (6, -1, 1), (1, -1, 0), (0, -1, 0)],
)  # fmt: skip
def test_page_keys(spans: tuple[PhaseSpan, ...], step: int, direction: int, expected: int) -> None:
    assert neighbour_phase_step(spans, step, direction, 50) == expected
