"""What a file is called before a person has a word in it."""

from dataclasses import replace

import pytest

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.exports.animation.options import Disclosure
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


FOUND = translate("errors", "the noise found for {0}").format("my house.jpg")
LION = RunRequest(seed=7, options={"prompt": "a lion, in the desert at night under many stars"})


@pytest.mark.parametrize(
    ("request_", "origin", "conditions", "told", "expected"),
    [
        (RunRequest(seed=7), "my house.jpg", "unconditional", Disclosure.NAMES, "my-house-carved-7.gif"),
        (RunRequest(seed=7), "my house.jpg", "unconditional", Disclosure.PRIVATE, "a-picture-carved-7.gif"),
        (RunRequest("bust", seed=7), "my house.jpg", "bust", Disclosure.PATHS, "my-house-carved-7.gif"),
        (RunRequest(seed=7), FOUND, "unconditional", Disclosure.NAMES, "my-house-carved-7.gif"),
        (RunRequest(seed=7), "carved: bust · bronze", "unconditional", Disclosure.NAMES, "bust-bronze-carved-7.gif"),
        (RunRequest(seed=7), "", "unconditional", Disclosure.NAMES, "unconditional-7.gif"),
        (LION, "", "a lion, in the desert at night under many stars", Disclosure.NAMES,
         "a-lion-in-the-desert-at-night-7.gif"),
        (LION, "", "a lion, in the desert at night under many stars", Disclosure.PRIVATE, "run-7.gif"),
        (LION, "", "n" * 300, Disclosure.NAMES, f"{'n' * 30}-7.gif"),
    ],
)  # fmt: skip
def test_a_run_without_labels_of_its_own_is_called_by_what_it_was(
    request_: RunRequest, origin: str, conditions: str, told: Disclosure, expected: str
) -> None:
    run = made_run()
    run.info = replace(run.info, request=request_, origin=origin, conditions=conditions)
    assert suggested_name(run, ".gif", disclosure=told) == expected


def test_a_drowned_picture_is_not_named_where_it_is_not_told() -> None:
    drowned = run_forward_process(solid(8), "holiday.jpg", steps=2)
    assert suggested_name(drowned, ".gif", disclosure=Disclosure.PRIVATE) == "a-picture-drowned-7.gif"
