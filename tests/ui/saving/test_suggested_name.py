"""What a file is called before a person has a word in it."""

import pytest

from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.ui.saving.files import suggested_name
from tests.helpers.runs import made_run, solid


def test_a_run_is_called_by_what_it_made() -> None:
    assert suggested_name(made_run(), ".gif") == "bust-bronze-7.gif"
    assert suggested_name(made_run(), ".png", 3) == "bust-bronze-7-step-3.png"


@pytest.mark.parametrize(
    ("name", "fresh", "expected"),
    [
        ("holiday.jpg", False, "holiday-drowned-7.gif"),
        ("holiday.jpg", True, "holiday-drowned-in-fresh-noise-7.gif"),
        ("bust · marble", False, "bust-marble-drowned-7.gif"),
        ("a, b/c: d?.png", False, "c-d-drowned-7.gif"),
        ("조각.png", False, "조각-drowned-7.gif"),
    ],
)
def test_a_drowned_picture_keeps_its_name(name: str, fresh: bool, expected: str) -> None:
    assert suggested_name(run_forward_process(solid(8), name, steps=2, fresh=fresh), ".gif") == expected
