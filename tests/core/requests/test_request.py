"""What a person may ask for, and the sentence that answers what they may not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import MAX_SEED, Lora, RequestError, RunRequest, differing_fields
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, OWN_SAMPLER, SAMPLERS, SCHEDULER_CLASSES


def test_as_dict_makes_the_request_again() -> None:
    request = RunRequest(form="bust", material="bronze", seed=MAX_SEED, steps=1000, sampler="heun", guidance=0)
    assert RunRequest(**request.as_dict()) == request


def test_a_lora_travels_by_the_name_and_the_hash_of_its_file() -> None:
    request = RunRequest(loras=(Lora("/home/me/marble.safetensors", 0.5, "ab"), Lora("C:\\loras\\wet.safetensors", -2)))
    told = json.loads(json.dumps(request.as_dict()))
    assert told["loras"] == [
        {"file": "marble.safetensors", "weight": 0.5, "sha256": "ab"},
        {"file": "wet.safetensors", "weight": -2, "sha256": ""},
    ]
    assert RunRequest(**told).loras == (Lora("marble.safetensors", 0.5, "ab"), Lora("wet.safetensors", -2))
    assert [each.words for each in request.loras] == ["LoRA marble × 0.5", "LoRA wet × -2"]


@pytest.mark.parametrize(
    ("text", "file", "weight"),
    [
        ("a.safetensors", "a.safetensors", 1.0),
        ("a.safetensors:0.8", "a.safetensors", 0.8),
        ("dir/a.safetensors:-1", "dir/a.safetensors", -1.0),
        ("C:\\loras\\a.safetensors", "C:\\loras\\a.safetensors", 1.0),
        ("C:\\loras\\a.safetensors:1.5", "C:\\loras\\a.safetensors", 1.5),
        ("a: b.safetensors", "a: b.safetensors", 1.0),
        ("a: b.safetensors:2e-1", "a: b.safetensors", 0.2),
        ("ratio 1:2", "ratio 1:2", 1.0),  # there is such a file
        ("ratio 1:2:3", "ratio 1:2", 3.0),
    ],
)
def test_the_weight_of_a_lora_is_what_follows_the_last_colon(
    text: str, file: str, weight: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ratio 1:2").touch()
    assert Lora.parse(text) == Lora(file, weight)


def test_every_sampler_has_a_name() -> None:
    assert {OWN_SAMPLER, *EMBEDDED_SAMPLERS} < set(SAMPLERS)
    assert len({row.label for row in SAMPLERS.values()}) == len(SAMPLERS)


def test_every_scheduler_class_is_known_once() -> None:
    """Two rows that name one class agree about it."""
    assert all(row.scheduler in SCHEDULER_CLASSES.values() for row in SAMPLERS.values() if row.id != OWN_SAMPLER)


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(max_size=9), st.none() | st.booleans() | NUMBERS | st.text()))
def test_options_travel_and_count_for_equality(options: dict[str, Any]) -> None:
    request = RunRequest(options=options, guidance=None)
    assert request == RunRequest(options=reversed(options.items()), guidance=None)
    assert hash(request) == hash(RunRequest(options=options, guidance=None))
    assert request.option_values == options
    assert RunRequest(**json.loads(json.dumps(request.as_dict()))) == request


def test_other_options_make_another_request() -> None:
    assert RunRequest(options={"prompt": "a bust"}) != RunRequest(options={"prompt": "a vase"}) != RunRequest()


def test_options_cannot_be_changed_afterwards() -> None:
    given_ = {"prompt": "a bust"}
    request = RunRequest(options=given_)
    given_["prompt"] = request.option_values["prompt"] = "a vase"
    assert request.options == (("prompt", "a bust"),)


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
        ({"options": {"size": [1, 2]}}, "The option 'size' is [1, 2]; give a word, a number, or nothing."),
        ({"options": {"eta": float("inf")}}, "The option 'eta' is inf; give a number."),
        (
            {"loras": [{"file": "a.safetensors", "weight": 11}]},
            "The weight of the LoRA a.safetensors is 11; choose -10 to 10.",
        ),
        (
            {"loras": [{"file": "a.safetensors", "weight": float("nan")}]},
            "The weight of the LoRA a.safetensors is nan; choose -10 to 10.",
        ),
        ({"loras": [{"file": "a"}, {"file": "a", "weight": 0.5}]}, "The LoRA a is given twice; give it once."),
        ({"loras": [{"file": ""}]}, "A LoRA has no file; name one."),
        ({"loras": ["a"]}, "The LoRA 'a' has not just file, weight and sha256; give those."),
        ({"loras": [{"file": str(n)} for n in range(17)]}, "There are 17 LoRAs; choose 16 at most."),
        ({"sampler": "plms"}, f"The sampler 'plms' is not known; choose one of {', '.join(SAMPLERS)}."),
        ({"sampler": ""}, f"The sampler '' is not known; choose one of {', '.join(SAMPLERS)}."),
    ],
)
def test_refusals_name_the_value_and_what_is_allowed(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        RunRequest(**wrong)
    assert str(caught.value) == sentence
    assert isinstance(caught.value, (SculptorError, ValueError))


def test_unknown_form_names_the_known_ones() -> None:
    with pytest.raises(RequestError, match=r"The form 'teapot' is not known; choose one of bust, "):
        RunRequest(form="teapot")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ()),
        ({"device": "cpu"}, ()),
        ({"form": "vase", "seed": 8}, ("form", "seed")),
        ({"options": {"height": 64}}, ("height",)),
        ({"options": {"height": None}}, ()),  # left to the model either way
        ({"loras": (Lora("/elsewhere/a.safetensors", 1.0, "f" * 64),)}, ()),
        ({"loras": ()}, ("loras",)),
        ({"model": "m", "guidance": None, "sampler": "ddpm", "steps": 9}, ("model", "steps", "sampler", "guidance")),
    ],
)
def test_in_what_two_requests_differ(changes: dict, names: tuple[str, ...]) -> None:
    request = RunRequest("bust", "bronze", loras=(Lora("a.safetensors"),))
    assert differing_fields(replace(request, **changes), request) == names
