"""Typed text to requests, by table; the arrows of number fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.ui.fields.form import FormFields, read_form
from sculptor_app.ui.fields.inputs import NumberField


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"seed": 7, "steps": 50, "guidance": 2.0}),
        ({"seed": " 12 ", "steps": " 3"}, {"seed": 12, "steps": 3}),
        ({"seed": str(2**63 - 1)}, {"seed": 2**63 - 1}),
        ({"guidance": "2,5"}, {"guidance": 2.5}),
        ({"guidance": "0"}, {"guidance": 0.0}),
        ({"form": None, "material": None}, {"form": None, "material": None}),
    ],
)
def test_what_can_be_run(fields, expected) -> None:
    request = read_form(FormFields(**fields))
    assert isinstance(request, RunRequest)
    assert {name: getattr(request, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"seed": ""}, ["seed"]),
        ({"seed": "1.5"}, ["seed"]),
        ({"seed": str(2**63)}, ["seed"]),
        ({"seed": "9" * 5000}, ["seed"]),
        ({"steps": ""}, ["steps"]),
        ({"steps": "1001"}, ["steps"]),
        ({"guidance": "nan"}, ["guidance"]),
        ({"guidance": ""}, ["guidance"]),
        ({"seed": "x", "steps": "0", "guidance": "-1"}, ["seed", "steps", "guidance"]),
    ],
)
def test_what_cannot(fields, wrong) -> None:
    errors = read_form(FormFields(**fields))
    assert isinstance(errors, tuple)
    assert [error.field for error in errors] == wrong


@pytest.mark.parametrize(("steps", "strength", "can_be_run"), [("4", 0.2, False), ("5", 0.2, True), ("4", 0, False)])
def test_a_strength_that_leaves_no_step_is_said_in_the_form(steps: str, strength: float, can_be_run: bool) -> None:
    read = read_form(FormFields(steps=steps, options=(("strength", strength),)))
    assert isinstance(read, RunRequest) == can_be_run
    if not can_be_run:
        assert [error.sentence for error in read] == [
            f"The strength {strength:g} leaves no step of 4; choose at least 0.25, or more steps."
        ]


@given(st.text(), st.text(), st.text())
def test_any_text_gives_a_request_or_one_line_sentences(seed: str, steps: str, guidance: str) -> None:
    read = read_form(FormFields(seed=seed, steps=steps, guidance=guidance))
    if isinstance(read, tuple):
        assert all(error.sentence.endswith(".") and "\n" not in error.sentence for error in read)
        assert all(len(error.sentence) < 120 for error in read)


@pytest.mark.parametrize(
    ("text", "steps", "expected"),
    [
        ("50", 1, "51"),
        ("50", -60, "1"),
        ("999", 5, "1000"),
        ("many", 1, "1"),
        ("", 1, "1"),
        ("10000000000", -1, "1000"),
    ],
)
def test_the_arrows_of_a_number_field_stay_in_range(qtbot: QtBot, text: str, steps: int, expected: str) -> None:
    field = NumberField(1, 1000)
    qtbot.addWidget(field)
    field.set_text(text)
    assert field.text() == text  # what was typed is not repaired
    field.stepBy(steps)
    assert field.text() == expected
