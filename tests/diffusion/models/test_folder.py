"""Untrusted JSON: what the standard parser gives, or a ValueError, and never long."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.diffusion.models import folder

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_json_is_read_as_it_is(value: object) -> None:
    assert folder.parse_json(json.dumps(value).encode()) == value
    assert folder.parse_json(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@given(st.binary(max_size=200))
def test_anything_else_is_a_value_error(text: bytes) -> None:
    try:
        expected = json.loads(text.decode("utf-8"))
    except ValueError:
        with pytest.raises(ValueError):
            folder.parse_json(text)
    else:
        assert folder.parse_json(text) == expected


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_depth_is_bounded_to_the_level() -> None:
    folder.parse_json(nested(32))
    with pytest.raises(ValueError, match="nested more than 32 levels"):
        folder.parse_json(nested(33))
    folder.parse_json(b'{"a": "' + b"[" * 1000 + b'"}')  # in a word they are no levels


def test_bounds_may_be_infinite() -> None:
    assert folder.parse_json(b'{"lambda_min_clipped": -Infinity}') == {"lambda_min_clipped": -math.inf}


@pytest.mark.parametrize("text", [b"[NaN]", b"[-NaN]", b"\xff\xfe", b"", b"9" * 5000])
def test_what_json_does_not_know(text: bytes) -> None:
    with pytest.raises(ValueError):
        folder.parse_json(text)


def test_the_number_of_parts_is_bounded() -> None:
    parts = 250_000
    assert len(folder.parse_json(b"[" + b"[]," * (parts - 2) + b"[]]")) == parts - 1
    with pytest.raises(ValueError, match="more than 500,000 words and brackets"):
        folder.parse_json(b"[" + b"[]," * (parts - 1) + b"[]]")
    with pytest.raises(ValueError, match="more than 500,000 words and brackets"):
        folder.parse_json(b"[" + b'"",' * (2 * parts) + b"1]")


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":' * 500_000, b"[" * 4_000_000, b"[]," * 1_000_001, b'"' + b'\\"' * 1_000_000, b'"' * 1_000_001,
        b"\\" * 1_000_000, b'"' + b"\\" * 1_000_001,
    ],
    ids=["objects", "lists", "wide", "quotes in a word", "words", "backslashes", "backslashes in a word"],
)  # fmt: skip
def test_nothing_takes_long(text: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError):
        folder.parse_json(text)
    assert time.perf_counter() - started < 5
