"""Checks of components' configs: bounds for their numbers, and keys that name programs, files or other models.

The bounds are wide: several times what any published model uses. What slips through them meets the limits of the
sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.verdict import Finding, shown

MOST_ITEMS = 20_000
MOST_LETTERS = 100_000

_HUGE = translate("errors", "Building it would take more memory or time than any model needs.")
_BOUNDS = (
    ("num_train_timesteps", 1, 10_000),
    (r".*(vocab|token|position|sample_size|image_size|num_embeds|num_classes|labels|n_embed|codebook).*",
     -(1 << 22), 1 << 22),
    (r".*(layers|blocks|depth|num_stages|num_frames|heads|groups|experts).*", -1_000, 4_096),
    (r".*(channels|dim|dims|width|hidden|size|features|rank|filters|kernel|stride|patch|scale_factor).*",
     -1_000, 100_000),
)  # fmt: skip
"""Keys as patterns, the first that fits counts; and the whole numbers that are allowed for them."""
_COMPILED = tuple((re.compile(pattern), least, most) for pattern, least, most in _BOUNDS)
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


def check_settings(path: str, settings: dict[str, Any], numbers: bool = True) -> Iterator[Finding]:
    """Everything in a component's settings that speaks against it.

    Args:
        numbers: Whether something is built as large as the numbers say; a tokenizer may say 10^30.
    """
    waiting: list[tuple[str, Any]] = [("", settings)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            yield from _check_keys(path, value)
            waiting.extend((str(inner), each) for inner, each in value.items())
        elif isinstance(value, list):
            if len(value) > MOST_ITEMS:
                yield Finding(
                    translate("errors", "{0} in {1} has {2:,} items; allowed are {3:,}.").format(
                        key, path, len(value), MOST_ITEMS
                    ),
                    _HUGE,
                )
            waiting.extend((key, each) for each in value[:MOST_ITEMS])
        elif isinstance(value, str) and len(value) > MOST_LETTERS:
            yield Finding(
                translate("errors", "{0} in {1} has {2:,} letters; allowed are {3:,}.").format(
                    key, path, len(value), MOST_LETTERS
                ),
                _HUGE,
            )
        elif numbers and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield from _check_number(path, key, value)


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


def _check_number(path: str, key: str, value: float) -> Iterator[Finding]:
    for pattern, least, most in _COMPILED:
        if pattern.fullmatch(key):
            if not least <= value <= most:
                yield Finding(
                    translate("errors", "{0} in {1} is {2}; allowed is {3} to {4}.").format(
                        _shown_key(key), path, shown(value), least, most
                    ),
                    _HUGE,
                )
            return


def _shown_key(key: str) -> str:
    """A setting's name; one that is no plain word stands in quotes."""
    return key if re.fullmatch(r"\w{1,60}", key, re.ASCII) else shown(key)
