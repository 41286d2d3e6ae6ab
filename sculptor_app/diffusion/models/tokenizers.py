"""Vocabularies of tokenizers: whether there is one, and SentencePiece models read for transformers.

WORKAROUND: transformers 5.24 reads them with protobuf alone, which is no dependency of its own or of ours. Where it is
missing, it takes the file for one of tiktoken and asks for that package. The few fields that it looks at are read here.

Source: `sentencepiece_model.proto` of google/sentencepiece for the numbers of the fields and their defaults.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.verdict import Finding, Unfit, shown_path

MOST_PIECES = 1 << 21
"""Several times the largest vocabulary there is."""

_PIECE: dict[int, tuple[str, Any]] = {1: ("piece", ""), 2: ("score", 0.0), 3: ("type", 1)}
_TRAINING: dict[int, tuple[str, Any]] = {
    3: ("model_type", 1), 35: ("byte_fallback", False), 40: ("unk_id", 0), 41: ("bos_id", 1), 42: ("eos_id", 2),
    43: ("pad_id", -1), 45: ("unk_piece", "<unk>"), 46: ("bos_piece", "<s>"), 47: ("eos_piece", "</s>"),
    48: ("pad_piece", "<pad>"),
}  # fmt: skip
_NORMALIZING: dict[int, tuple[str, Any]] = {
    1: ("name", ""), 2: ("precompiled_charsmap", b""), 3: ("add_dummy_prefix", True),
    4: ("remove_extra_whitespaces", True), 5: ("escape_whitespaces", True),
}  # fmt: skip
"""Names and defaults of the fields that are read, by their numbers; the default has the field's type."""

_NO_WORDS = ("merges_file", "normalizer_file", "special_tokens_file", "tokenizer_config_file")
"""Files of a tokenizer, as transformers calls them, that hold none of its words."""
_LEAST_WORDS = 2
"""A SentencePiece tokenizer of transformers without a file has one, the mark of a space."""


def missing_vocabulary(tokenizer_class: Any, folder: Path, names: Iterable[str]) -> Finding | None:
    """The finding that a tokenizer's folder holds no file with words; None where it does, or where none is needed.

    Args:
        tokenizer_class: of any component that is no network; only those with vocabulary files of their own are judged.
        names: of the files in the folder.
    """
    known = getattr(tokenizer_class, "vocab_files_names", None)
    if not isinstance(known, dict) or not known:  # a processor, or one of bytes
        return None
    words = {file for kind, file in known.items() if kind not in _NO_WORDS} | {"tokenizer.json"}
    if any(name in words or name.endswith(".model") for name in names):
        return None
    return _no_vocabulary(folder, " or ".join(sorted(words)))


def check_vocabulary(component: Any, folder: Path) -> None:
    """Refuse (`Unfit`) a tokenizer, or a processor with one, whose files hold no words.

    transformers builds one all the same, which takes every word for the unknown one.
    """
    parts: tuple[Any, ...] = component, getattr(component, "tokenizer", None)
    for tokenizer in parts:
        if hasattr(tokenizer, "get_added_vocab") and hasattr(tokenizer, "get_vocab"):
            words = set(tokenizer.get_vocab()) - set(tokenizer.get_added_vocab())
            if len(words) < _LEAST_WORDS:
                found = _no_vocabulary(folder, "tokenizer.json")
                raise Unfit(found.message, found.explanation)


def _no_vocabulary(folder: Path, files: str) -> Finding:
    return Finding(
        translate("errors", "{0} has no vocabulary: {1} is missing, or holds no words.").format(
            f"{shown_path(folder)}/", files
        ),
        translate("errors", "Every prompt would be nonsense to the model; copy the folder again from where it came."),
    )


@contextlib.contextmanager
def sentencepiece_models(folder: Path) -> Iterator[None]:
    """Let transformers read the SentencePiece models of a tokenizer's folder while the block runs.

    One thread at a time, as for all building.

    Raises:
        Unfit: A file that it would read is no such model.
    """
    files = [] if (folder / "tokenizer.json").exists() else sorted(folder.glob("*.model"))
    if not files or importlib.util.find_spec("transformers") is None:
        yield
        return
    for file in files:
        _read_file(file)
    converters: Any = importlib.import_module("transformers.convert_slow_tokenizer")  # it has a function of that name
    real = converters.SentencePieceExtractor

    class Extractor(real):  # type: ignore[misc, valid-type]  # transformers ships no types
        def __init__(self, model: str) -> None:
            self.proto = _read_file(Path(model))

    converters.SentencePieceExtractor = Extractor
    try:
        yield
    finally:
        converters.SentencePieceExtractor = real


def _read_file(path: Path) -> SimpleNamespace:
    try:
        return read_model(path.read_bytes())
    except (ValueError, IndexError, struct.error, OSError) as error:
        raise Unfit(
            translate("errors", "{0} is no SentencePiece model.").format(shown_path(path)),
            translate("errors", "Copy it again from where it came; it holds the words that the model knows."),
        ) from error


def read_model(content: bytes) -> SimpleNamespace:
    """A SentencePiece model: `pieces`, `trainer_spec` and `normalizer_spec`, with the names of its format.

    Raises:
        ValueError, IndexError, struct.error: It is none.
    """
    pieces: list[SimpleNamespace] = []
    training, normalizing = _message(b"", _TRAINING), _message(b"", _NORMALIZING)
    for number, value in _fields(content):
        if number == 1:
            pieces.append(_message(value, _PIECE))
        elif number == 2:
            training = _message(value, _TRAINING)
        elif number == 3:
            normalizing = _message(value, _NORMALIZING)
        if len(pieces) > MOST_PIECES:
            raise ValueError("no vocabulary is so large")
    if not pieces:
        raise ValueError("it has no pieces")
    return SimpleNamespace(pieces=pieces, trainer_spec=training, normalizer_spec=normalizing)


def _message(content: Any, names: dict[int, tuple[str, Any]]) -> SimpleNamespace:
    if isinstance(content, int):
        raise ValueError("a number is in the place of a message")
    values = dict(names.values())
    for number, value in _fields(content):
        if number in names:
            name, default = names[number]
            values[name] = _as(type(default), value)
    return SimpleNamespace(**values)


def _as(kind: type, value: Any) -> Any:
    """A field's value as its type: whole numbers are of 64 bits, and negative ones the upper half of them."""
    if isinstance(value, int) is not (kind in (int, bool)):
        raise ValueError("a field has another type")
    if kind is float:
        return struct.unpack("<f", value)[0]
    if kind in (str, bytes):
        return bytes(value) if kind is bytes else bytes(value).decode("utf-8")
    return bool(value) if kind is bool else value - (1 << 64 if value >> 63 else 0)


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and values of a message's fields: a whole number, or bytes, 4 or 8 of a number that is none."""
    view, place = memoryview(content), 0
    while place < len(view):
        key, place = _varint(view, place)
        if key & 7 == 0:
            value, place = _varint(view, place)
            yield key >> 3, value
            continue
        if key & 7 == 2:
            length, place = _varint(view, place)
        else:
            length = {1: 8, 5: 4}.get(key & 7, -1)
        if not 0 <= length <= len(view) - place:
            raise ValueError("a field does not fit")
        yield key >> 3, view[place : place + length]
        place += length


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = view[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a number does not end")
