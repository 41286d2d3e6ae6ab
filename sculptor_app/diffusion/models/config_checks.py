"""Checks of components' configs: a bound for each number in them, and keys that name programs, files or other models.

The bounds are wide: several times what any published model uses. What slips through them meets the limits of the
sandbox, where a step of the model is taken.
"""

from __future__ import annotations

import inspect
import math
import re
import typing
from collections.abc import Iterator
from types import CodeType
from typing import Any

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.verdict import Finding, shown

MOST_ITEMS = 20_000
MOST_LETTERS = 100_000
MOST_LABELS = 10_000
"""Forms or materials of a model of the embedded kind."""
MOST_FINDINGS = 50
"""Of one file; whoever lists thousands helps nobody."""
NO_LIMIT = 10**20
"""From here on, transformers takes a tokenizer's greatest length for none."""

_HUGE = translate("errors", "Building or running it would take more memory or time than any model needs.")
_Bound = tuple[str, float, float]
_WORDS: tuple[_Bound, ...] = (
    ("model_max_length", 1, 1 << 20),
    ("extra_ids|pad_to_multiple_of", 0, 4_096),
    ("(shortest|longest)_edge|(min|max)_pixels", 0, 1 << 24),
    (".*(max_length|stride|num_image_tokens|seq_len).*", -1, 1 << 20),
    ("(crop_|patch_|merge_|image_)?size|height|width", 0, 4_096),
)
_SAMPLING: tuple[_Bound, ...] = (
    ("num_train_timesteps|original_inference_steps", 1, 10_000),
    ("(solver|predictor|corrector)_order", 1, 5),
    ("beta_(start|end)|trained_betas", 0, 1),
    ("lambda_min_clipped", -math.inf, 1_000),
    ("noise_sampler_seed", 0, 1 << 64),
    ("num_vec_classes|mask_token_id|.*seq_len", 0, 1 << 20),
    (".*(steps|stages|grid|topk|length|offset)", 0, 1_000),
    (".*", -1_000_000, 1_000_000),
)
_BUILDING: tuple[_Bound, ...] = (
    ("num_train_timesteps", 1, 10_000),
    ("time_step_limit", 0, math.inf),
    (r"(.*_)?(sample|image)_(size|height|width)(_t)?", 0, 4_096),
    (r".*(vocab|token|position|num_embeds|num_classes|labels|n_embed|codebook|seq_len|max_length).*|.*_ids?",
     -(1 << 22), 1 << 22),
    ("num_(forms|materials)", 0, MOST_LABELS),
    (r".*(layers|blocks|depth|num_stages|num_frames|heads|groups).*", -1_000, 4_096),
    (r".*(channels|dim|dims|width|hidden|size|features|rank|filters|kernel|stride|patch|scale_factor|experts).*",
     -1_000, 100_000),
)  # fmt: skip
_ANY: _Bound = (".*", -(10**12), 10**12)
BOUNDS = {
    kind: tuple((re.compile(pattern, re.DOTALL), least, most) for pattern, least, most in (*rows, _ANY))
    for kind, rows in {"data": _WORDS, "scheduler": _SAMPLING, "guider": _SAMPLING, "": _BUILDING}.items()
}
"""Keys as patterns, the first that fits counts, and the numbers that are allowed for them; by kinds of components.

Networks, encoders and the index have those of "". Numbers that are not finite are allowed where a bound is none.
"""
LISTS = (
    (re.compile("(?s:.*)(block_out_channels|block_types|channel_mult|ch_mult|channels_mult|dim_mult|downsample)"), 10),
    (re.compile("trained_betas"), 10_000),
)
"""Most items of lists, by patterns of their keys: each block of an autoencoder doubles the edge of a picture."""
_ATTENTION = [None, "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"]
_FILES = ("vocab_file", "merges_file", "tokenizer_file", "spm_file", "sp_model_file", "source_spm", "target_spm")

_FORBIDDEN = {
    "auto_map": translate("errors", "It names program files to run; Sculptor runs no code that comes with a model."),
    "custom_pipeline": translate(
        "errors", "It names program files to run; Sculptor runs no code that comes with a model."
    ),
    "custom_pipelines": translate(
        "errors", "It names program files to run; Sculptor runs no code that comes with a model."
    ),
    "trust_remote_code": translate("errors", "A model has no say in whom to trust."),
    "transformers_weights": translate("errors", "It names weight files of its own, which no check has seen."),
    "quantization_config": translate(
        "errors", "Quantised weights cannot be opened yet; look for a copy in 16 or 32 bits."
    ),
    "compression_config": translate(
        "errors", "Compressed weights cannot be opened yet; look for a copy in 16 or 32 bits."
    ),
}


def check_settings(path: str, settings: dict[str, Any], kind: str = "", used_by: Any = None) -> Iterator[Finding]:
    """Everything in a component's settings that speaks against it, each key once, and no more than MOST_FINDINGS.

    Args:
        kind: Of the component, one of those in BOUNDS; all others have the bounds of networks.
        used_by: Its class, which says where a word cannot stand.
    """
    found: dict[str, Finding] = {}
    for key, finding in _all_findings(path, settings, BOUNDS.get(kind, BOUNDS[""])):
        found.setdefault(key, finding)
        if len(found) >= MOST_FINDINGS:
            break
    wrong = {} if used_by is None else dict(_wrong_types(path, settings, used_by))
    if used_by is not None and kind == "scheduler":
        wrong = dict(_unknown_words(path, settings, used_by)) | wrong
    yield from (wrong | found).values()


def _all_findings(path: str, settings: dict[str, Any], bounds: Any) -> Iterator[tuple[str, Finding]]:
    waiting: list[tuple[str, Any]] = [("", settings)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            for each in _check_keys(path, value):
                yield each.message, each
            waiting.extend((str(inner), each) for inner, each in value.items())
        elif isinstance(value, list):
            yield from ((key, each) for each in _check_length(path, key, value))
            waiting.extend((key, each) for each in value[:MOST_ITEMS])
        elif isinstance(value, str) and len(value) > MOST_LETTERS:
            message = translate("errors", "{0} in {1} has {2:,} letters; allowed are {3:,}.")
            yield key, Finding(message.format(_shown_key(key), path, len(value), MOST_LETTERS), _HUGE)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield from ((key, each) for each in _check_number(path, key, value, bounds))


def _check_length(path: str, key: str, value: list[Any]) -> Iterator[Finding]:
    most = next((most for pattern, most in LISTS if pattern.fullmatch(key)), MOST_ITEMS)
    if len(value) > most:
        message = translate("errors", "{0} in {1} has {2:,} items; allowed are {3:,}.")
        yield Finding(message.format(_shown_key(key), path, len(value), most), _HUGE)


def _wrong_types(path: str, settings: dict[str, Any], used_by: Any) -> Iterator[tuple[str, Finding]]:
    """Words and objects where a class of diffusers, or of ours, takes numbers alone, by its settings' annotations."""
    if not used_by.__module__.startswith(("diffusers.", "sculptor_app.")):
        return
    try:
        hints = typing.get_type_hints(inspect.unwrap(used_by.__init__))
    except Exception:  # an annotation of an optional library that is not there
        return
    for key, hint in hints.items():
        members = {getattr(each, "__name__", "") for each in _plain_types(hint)}
        value = settings.get(key)
        items = value if isinstance(value, list) else [value]
        takes_numbers = members and members <= {"int", "float", "bool", "NoneType"}
        if takes_numbers and any(isinstance(each, str | dict) for each in items[:MOST_ITEMS]):
            message = translate("errors", "{0} in {1} is {2}; only numbers can stand there.").format(
                _shown_key(key), path, shown(value)
            )
            yield key, Finding(message, translate("errors", "Restore the file from where it came."))


_DECIDING = ("prediction_type", "beta_schedule", "timestep_spacing")
"""Settings of schedulers that are one of some words, without which no step can be taken."""


def _unknown_words(path: str, settings: dict[str, Any], scheduler: Any) -> Iterator[tuple[str, Finding]]:
    """Words that the code of a scheduler's class does not know, where it looks for one of several."""
    known = _words_in(scheduler)
    taken = inspect.signature(scheduler.__init__).parameters
    for key in _DECIDING:
        value = settings.get(key)
        is_read = key in taken and taken[key].default in known
        if is_read and value is not None and not (isinstance(value, str) and value in known):
            message = translate("errors", "{0} in {1} is {2}, which {3} does not know.")
            yield (
                key,
                Finding(
                    message.format(key, path, shown(value), scheduler.__name__),
                    translate("errors", "No step could be taken; restore the file from where it came."),
                ),
            )


def _words_in(kind: type) -> set[str]:
    """The texts in the code of a class of diffusers and of those that it is made of."""
    own = (each for base in kind.__mro__ if base.__module__.startswith("diffusers.") for each in vars(base).values())
    waiting: list[Any] = [getattr(inspect.unwrap(each), "__code__", None) for each in own if inspect.isroutine(each)]
    words: set[str] = set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            words.add(item)
        elif isinstance(item, tuple | frozenset):
            waiting += item
        elif isinstance(item, CodeType):
            waiting += item.co_consts
    return words


def _plain_types(hint: Any) -> set[Any]:
    """The types that an annotation allows: those of its unions, and of the items of its lists."""
    arguments = typing.get_args(hint)
    if not arguments:
        return {hint}
    return {each for argument in arguments if argument is not Ellipsis for each in _plain_types(argument)}


def _check_keys(path: str, settings: dict[str, Any]) -> Iterator[Finding]:
    for key, why in _FORBIDDEN.items():
        if settings.get(key) not in (None, False, [], {}):
            yield Finding(translate("errors", "{0} has {1}: {2}.").format(path, key, shown(settings[key])), why)
    for key in ("attn_implementation", "_attn_implementation", "_attn_implementation_internal"):
        named = settings.get(key)
        if any(each not in _ATTENTION for each in (named.values() if isinstance(named, dict) else [named])):
            message = translate("errors", "{0} has {1}: {2}.").format(path, key, shown(named))
            yield Finding(
                message,
                translate(
                    "errors", "It can name program code on the hub; Sculptor runs no code that comes with a model."
                ),
            )
    for key in _FILES:
        if isinstance(settings.get(key), str) and not re.fullmatch(r"\w[\w.\-]*", settings[key]):
            message = translate("errors", "{0} has {1}: {2}.").format(path, key, shown(settings[key]))
            yield Finding(message, translate("errors", "It leads out of the folder; it could read any file of yours."))


def _check_number(path: str, key: str, value: float, bounds: Any) -> Iterator[Finding]:
    least, most = next((least, most) for pattern, least, most in bounds if pattern.fullmatch(key))
    if least <= value <= most or (key == "model_max_length" and NO_LIMIT < value < math.inf):
        return
    message = translate("errors", "{0} in {1} is {2}; allowed is {3:,} to {4:,}.")
    yield Finding(message.format(_shown_key(key), path, shown(value), least, most), _HUGE)


def _shown_key(key: str) -> str:
    """A setting's name; one that is no plain word stands in quotes."""
    return key if re.fullmatch(r"\w{1,60}", key, re.ASCII) else shown(key)
