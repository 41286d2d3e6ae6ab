"""Tokenizers: whether they have words, whether they make much out of little, and SentencePiece models read.

A tokenizer.json describes a little program: rules that replace, prepend, split and put together. Each rule here may do
no more than those of published models, so that a prompt grows by a bounded factor.

WORKAROUND: transformers 5.24 reads them with protobuf alone, which is no dependency of its own or of ours. Where it is
missing, it takes the file for one of tiktoken and asks for that package. The few fields that it looks at are read here.

Source: `sentencepiece_model.proto` of google/sentencepiece for the numbers of the fields and their defaults.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import importlib.util
import json
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.verdict import Finding, Unfit, shown, shown_path

MOST_RULES = 16
"""Of a list of rules; published tokenizers have up to six."""
MOST_RULE_LETTERS = 8
"""That a rule puts in the place of what it finds, or before it: "▁" as a rule."""
MOST_GROWTH = 64
"""As what a text is longer after all rules; Unicode's own normal forms make 18 letters of one."""
MOST_PATTERN_LETTERS = 2_000
MOST_CHARMAP_BYTES = 256
"""That the table of a SentencePiece model may put in the place of a letter; Unicode's longest has 33."""
MOST_IDS = 64
"""Of one entry of a post-processor, which is put around each prompt."""
MOST_WORD_LETTERS = 1_000
MOST_PADDING = 1 << 20
_RULES = ("normalizers", "pretokenizers", "processors", "decoders")
"""Names of the lists that rules may be in."""
_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""An escaped letter or a class of letters in a pattern, within which a bracket is just a letter."""
_ENDLESS = re.compile(r"\)(?:[*+]|\{\d*,?\d*\})")
"""A group that repeats: with anything in it that repeats, too, a search may take for ever."""
_REPEATED = re.compile(r"[()|]|(?:[*+]|\{\d*,(?:\d{2,})?\})[?+]?")
"""What groups and parts alternatives, and what repeats without end or at least ten times."""
MOST_REPEATED = 3
"""Parts that repeat in a row: a search among n letters takes n to their power; published patterns have two."""
_LITTLE = translate("errors", "It makes much out of little: a prompt would fill the memory, or take for ever.")

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


def check_tokenizer(folder: Path) -> None:
    """Refuse (`Unfit`) the tokenizer.json of a component's folder if it makes much out of little, or cannot be read."""
    path = folder / "tokenizer.json"
    if not path.exists():
        return
    try:
        rules = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise Unfit(
            translate("errors", "{0} cannot be read ({1}).").format(shown_path(path), shown(str(error))),
            translate("errors", "Restore the file from where it came."),
        ) from error
    if not isinstance(rules, dict):
        return  # the tokenizer's own loader says so
    growth = 1
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "truncation", "padding"):
        for key, value, most in _excesses(rules.get(part)):
            _refuse(path, f"{part}.{key}", value, most)
        if part in ("normalizer", "pre_tokenizer", "post_processor"):
            growth *= _growth(rules.get(part))
    if growth > MOST_GROWTH:
        message = translate("errors", "The rules of {0} may make a text {1:,} times as long; allowed is {2}.")
        raise Unfit(message.format(shown_path(path), growth, MOST_GROWTH), _LITTLE)


def _refuse(path: Path, key: str, value: Any, most: object) -> NoReturn:
    """Refuse (`Unfit`) a setting for its value, or, with a whole number as what is allowed, for its length."""
    if isinstance(most, int):
        message = translate("errors", "{0} in {1} has {2:,} letters or items; allowed are {3:,}.")
        raise Unfit(message.format(key, shown_path(path), value, most), _LITTLE)
    message = translate("errors", "{0} in {1} is {2}; allowed is {3}.")
    raise Unfit(message.format(key, shown_path(path), shown(value), most), _LITTLE)


def _each_rule(rules: Any) -> Iterator[dict[str, Any]]:
    """A rule, and those that are listed in it."""
    waiting = [rules]
    while waiting:
        rule = waiting.pop()
        if isinstance(rule, dict):
            yield rule
            waiting += [each for name in _RULES if isinstance(rule.get(name), list) for each in rule[name]]


_LENGTHS = {
    "content": MOST_RULE_LETTERS, "prepend": MOST_RULE_LETTERS, "replacement": MOST_RULE_LETTERS,
    "continuing_subword_prefix": 32, "end_of_word_suffix": 32, "prefix": 32, "suffix": 32, "unk_token": 1_000,
    **dict.fromkeys(_RULES, MOST_RULES), "single": 64, "pair": 64, "special_tokens": 10_000,
}  # fmt: skip
"""Most letters or items of a rule's settings."""
_NUMBERS = {
    "max_input_chars_per_word": MOST_WORD_LETTERS, "max_length": MOST_PADDING, "length": MOST_PADDING,
    "stride": MOST_PADDING, "pad_to_multiple_of": 4_096, "start": 1_000, "stop": 1_000, "Fixed": MOST_PADDING,
}  # fmt: skip


def _excesses(rules: Any) -> Iterator[tuple[str, object, object]]:
    """Settings of rules that are too much, with their values or lengths and what is allowed."""
    for rule in _each_rule(rules):
        for key, most in _LENGTHS.items():
            value = rule.get(key)
            if isinstance(value, str | list | dict) and len(value) > most:
                yield key, len(value), most
        strategy = rule.get("strategy")
        for place in (rule, strategy if isinstance(strategy, dict) else {}):
            for key, most in _NUMBERS.items():
                value = place.get(key)
                if isinstance(value, int | float) and not 0 <= value <= most:
                    yield key, value, f"0 to {most:,}"
        yield from _pattern_excesses(rule.get("pattern"))
        tokens = rule.get("special_tokens")
        for token in tokens.values() if isinstance(tokens, dict) else ():
            if isinstance(token, dict) and isinstance(token.get("ids"), list) and len(token["ids"]) > MOST_IDS:
                yield "special_tokens", len(token["ids"]), MOST_IDS
        longest = _longest_in_charmap(_decoded(rule.get("precompiled_charsmap")))
        if longest > MOST_CHARMAP_BYTES:
            yield "precompiled_charsmap", longest, MOST_CHARMAP_BYTES


def _pattern_excesses(pattern: Any) -> Iterator[tuple[str, object, object]]:
    """The same for what a rule looks for: a text, or a pattern that may take for ever to find."""
    for name, text in pattern.items() if isinstance(pattern, dict) else ():
        if isinstance(text, str) and len(text) > MOST_PATTERN_LETTERS:
            yield "pattern", len(text), MOST_PATTERN_LETTERS
        elif isinstance(text, str) and name == "Regex":
            plain = _ATOM.sub("x", text)
            if _ENDLESS.search(plain):
                yield "pattern", text, translate("errors", "one without groups that repeat")
            elif _repeated_in_a_row(plain) > MOST_REPEATED:
                most = translate("errors", "one with {0} parts that repeat, one after the other")
                yield "pattern", text, most.format(MOST_REPEATED)


def _repeated_in_a_row(pattern: str) -> int:
    """The most parts that repeat in one alternative of a pattern, its groups with their own."""
    most, current = [0], [0]
    for found in _REPEATED.finditer(pattern):
        token = found.group()
        if token == "(":
            most.append(0)
            current.append(0)
        elif token == ")" and len(most) > 1:
            inner = max(most.pop(), current.pop())
            current[-1] += inner
        elif token == "|":
            most[-1], current[-1] = max(most[-1], current[-1]), 0
        elif token not in "()":
            current[-1] += 1
    return max(*most, sum(current))


def _growth(rules: Any) -> int:
    """How many times as long rules may make a text, as far as they say it themselves."""
    growth = 1
    for rule in _each_rule(rules):
        content, pattern = rule.get("content"), rule.get("pattern")
        if rule.get("type") == "Replace" and isinstance(content, str):
            found = pattern.get("String") if isinstance(pattern, dict) else None
            growth *= max(1, -(-len(content) // max(1, len(found) if isinstance(found, str) else 1)))
        elif rule.get("type") == "ByteLevel":  # each byte above 127 becomes two
            growth *= 2
        elif isinstance(rule.get("single"), list):  # of a post-processor: how often it has the text itself
            growth *= max(1, sum(1 for each in rule["single"] if isinstance(each, dict) and "Sequence" in each))
    return growth


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""  # the tokenizer's own loader says so


def _longest_in_charmap(table: bytes) -> int:
    """Bytes of the longest text that the table of a SentencePiece model may put in the place of a letter.

    It holds the size of its trie, that trie, and texts that end with a 0.
    """
    if len(table) < 4:
        return 0
    texts = table[4 + int.from_bytes(table[:4], "little") :]
    return max((len(each) for each in texts.split(b"\0")), default=0)


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
        longest = _longest_in_charmap(_read_file(file).normalizer_spec.precompiled_charsmap)
        if longest > MOST_CHARMAP_BYTES:
            _refuse(file, "precompiled_charsmap", longest, MOST_CHARMAP_BYTES)
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
