"""What a person may ask for, and the sentence that answers what they may not."""

from typing import Any

import pytest

from sculptor_app.diffusion.errors import SculptError
from sculptor_app.diffusion.request import MAX_SEED, SAMPLER_NAMES, SAMPLERS, RequestError, SculptRequest


def test_as_dict_makes_the_request_again() -> None:
    request = SculptRequest(form="bust", material="bronze", seed=MAX_SEED, steps=1000, sampler="heun", guidance=0)
    assert SculptRequest(**request.as_dict()) == request


def test_every_sampler_has_a_name() -> None:
    assert set(SAMPLER_NAMES) == set(SAMPLERS)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"steps": 0}, "The number of steps is 0; choose 1 to 1000."),
        ({"steps": 10**9}, "The number of steps is 1000000000; choose 1 to 1000."),
        ({"steps": 2.5}, "The steps 2.5 is no whole number; give one."),
        ({"steps": True}, "The steps True is no whole number; give one."),
        ({"seed": -1}, f"The seed is -1; choose 0 to {MAX_SEED}."),
        ({"seed": "seven"}, "The seed 'seven' is no whole number; give one."),
        ({"guidance": float("nan")}, "The guidance is nan; choose 0 to 30.0."),
        ({"sampler": "plms"}, f"The sampler 'plms' is not known; choose one of {', '.join(SAMPLERS)}."),
        ({"sampler": ""}, f"The sampler '' is not known; choose one of {', '.join(SAMPLERS)}."),
    ],
)
def test_refusals_name_the_value_and_what_is_allowed(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        SculptRequest(**wrong)
    assert str(caught.value) == sentence
    assert isinstance(caught.value, (SculptError, ValueError))


def test_unknown_form_names_the_known_ones() -> None:
    with pytest.raises(RequestError, match=r"The form 'teapot' is not known; choose one of bust, "):
        SculptRequest(form="teapot")
