"""Headers of safetensors files: what safetensors itself writes is read, everything else is refused and never raises."""

import json
import struct
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.diffusion.models.folder import File
from sculptor_app.diffusion.models.weights import MOST_HEADER_BYTES, BrokenHeader, Header, read_header
from tests.helpers.diffusers_models import write_header

F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def header_of(path: Path) -> Header:
    return read_header(File(path, path, path.stat().st_size, 0))


DTYPES = st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
TENSORS = st.dictionaries(
    st.text(max_size=9).filter(lambda name: name != "__metadata__"),
    st.builds(torch.zeros, st.lists(st.integers(0, 4), max_size=3), dtype=DTYPES),
    min_size=1,  # safetensors 0.8 writes `{},"__metadata__":{}}` for none with empty metadata, and reads it no more
    max_size=4,
)


@given(TENSORS, st.none() | st.dictionaries(st.text(max_size=4), st.text(max_size=4)))
def test_what_safetensors_writes_is_read(tmp_path: Path, tensors: dict, metadata: dict | None) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors.torch.save(tensors, metadata))
    found = header_of(path).tensors
    assert {name: tensor.shape for name, tensor in found.items()} == {n: tuple(t.shape) for n, t in tensors.items()}
    assert sum(tensor.element_count for tensor in found.values()) == sum(tensor.numel() for tensor in tensors.values())


BROKEN = {
    "nothing": (b"", "its size in bytes, 0, is too small"),
    "seven bytes": (b"1234567", "its size in bytes, 7, is too small"),
    "a length beyond the file": (struct.pack("<Q", 3) + b"{}", "header, 3, does not fit a file of 10 bytes"),
    "a length of 2**63": (struct.pack("<Q", 1 << 63) + b"{}", "its header, 9,223,372,036,854,775,808"),
    "a negative length": (struct.pack("<q", -1) + b"{}", "its header, 18,446"),
    "no JSON": (struct.pack("<Q", 4) + b"{ab}", "no JSON"),
    "a list": (struct.pack("<Q", 2) + b"[]", "no JSON object"),
    "deep JSON": (struct.pack("<Q", 10_006) + b'{"a":' + b"[" * 10_000 + b"}", "nested more than 32"),
}  # fmt: skip
ENTRIES = {
    "an unknown dtype": ({"a": F32 | {"dtype": "F31"}}, "unknown dtype 'F31'"),
    "a dtype that is no word": ({"a": F32 | {"dtype": ["F32"]}}, r"unknown dtype \['F32'\]"),
    "a kind of half a byte": ({"a": F32 | {"dtype": "F4"}}, "unknown dtype 'F4'"),
    "a shape that is no list": ({"a": F32 | {"shape": 2}}, "the shape 2"),
    "a negative shape": ({"a": F32 | {"shape": [-1, -2]}}, r"the shape \[-1, -2\]"),
    "a shape of fractions": ({"a": F32 | {"shape": [2.0]}}, "the shape"),
    "a shape of truths": ({"a": F32 | {"shape": [True, 2]}}, "the shape"),
    "a huge shape": ({"a": F32 | {"shape": [1 << 62, 1 << 62]}}, "another size in bytes than 8"),
    "many dimensions": ({"a": F32 | {"shape": [1] * 17}}, "the shape"),
    "negative offsets": ({"a": F32 | {"data_offsets": [-8, 0]}}, r"the offsets \[-8, 0\]"),
    "offsets that run backward": ({"a": F32 | {"data_offsets": [8, 0]}}, r"the offsets \[8, 0\]"),
    "three offsets": ({"a": F32 | {"data_offsets": [0, 4, 8]}}, "the offsets"),
    "too few bytes": ({"a": F32 | {"data_offsets": [0, 4]}}, "another size in bytes than 4"),
    "a hole before": ({"a": F32 | {"data_offsets": [8, 16]}}, "leaves a hole"),
    "an overlap": ({"a": F32, "b": F32 | {"data_offsets": [4, 12]}}, "overlaps another"),
    "the same data twice": ({"a": F32, "b": F32}, "overlaps another"),
    "an entry that is no object": ({"a": [1]}, "not just dtype"),
    "an entry with more": ({"a": F32 | {"more": 1}}, "not just dtype"),
    "metadata that are no words": ({"a": F32, "__metadata__": {"x": 1}}, "metadata"),
    "metadata that are no object": ({"a": F32, "__metadata__": "pt"}, "metadata"),
    "a long name": ({"a" * 600: F32}, "600 letters"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_broken_files_are_named(what: str, tmp_path: Path) -> None:
    content, words = BROKEN[what]
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BrokenHeader, match=words):
        header_of(tmp_path / "x")


@pytest.mark.parametrize("what", ENTRIES)
def test_entries_that_cannot_be_are_named(what: str, tmp_path: Path) -> None:
    header, words = ENTRIES[what]
    write_header(tmp_path / "x", header, bytes(8))
    with pytest.raises(BrokenHeader, match=words):
        header_of(tmp_path / "x")


@pytest.mark.parametrize("data_bytes", [0, 7, 9, 1000])
def test_data_that_the_header_does_not_speak_of(data_bytes: int, tmp_path: Path) -> None:
    write_header(tmp_path / "x", {"a": F32}, bytes(data_bytes))
    with pytest.raises(BrokenHeader, match=f"8 bytes of data, and the file has {data_bytes:,}"):
        header_of(tmp_path / "x")


def test_a_header_of_just_the_length_of_a_pickles_beginning_is_a_header(tmp_path: Path) -> None:
    text = json.dumps({"a": F32}).encode()
    write_header(tmp_path / "x", text + b" " * (0x0280 - len(text)), bytes(8))
    assert (tmp_path / "x").read_bytes().startswith(b"\x80\x02")
    assert header_of(tmp_path / "x").tensors["a"].shape == (2,)


def test_a_header_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 1 << 30))
        file.truncate((1 << 30) + 8)  # sparse: takes no room
    with pytest.raises(BrokenHeader, match="its header, 1,073,741,824"):
        header_of(path)
    assert MOST_HEADER_BYTES < 1 << 30


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from(["F32", "", "BOOL"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SHAPES = JSON | st.lists(st.integers(0, 3), max_size=2)
OFFSETS = JSON | st.lists(st.integers(-4, 16), min_size=2, max_size=2)
ENTRY = st.fixed_dictionaries({"dtype": JSON | st.just("F32"), "shape": SHAPES, "data_offsets": OFFSETS})


@given(st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), JSON | ENTRY), st.binary(max_size=16))
def test_any_header_is_read_as_safetensors_reads_it_or_refused(tmp_path: Path, header: dict, data: bytes) -> None:
    path = tmp_path / "x"
    write_header(path, json.dumps(header).encode(), data)
    try:
        found = header_of(path)
    except BrokenHeader:
        return
    with safetensors.safe_open(path, "pt") as file:
        assert set(file.keys()) == set(found.tensors)


@given(st.binary(max_size=64))
def test_any_bytes_are_refused_or_a_header(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    try:
        header_of(path)
    except BrokenHeader:
        return
    safetensors.torch.load(content)
