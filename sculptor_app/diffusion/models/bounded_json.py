"""Reading a stranger's JSON: bounded in depth and number of parts before a parser sees it."""

from __future__ import annotations

import json
import re
from typing import Any

MOST_DEPTH = 32
MOST_PARTS = 500_000
"""Words and brackets; the header of ten thousand weights has a fifth of that."""

# A string, closed or cut off, or a bracket outside of strings. Every attempt to match takes what it has read: linear.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[\[\]{}]', re.DOTALL)


def parse(text: bytes) -> Any:
    """The value that a text holds.

    Raises:
        ValueError: It is no JSON in UTF-8, or is nested too deeply, or holds what is no number.
    """
    depth = 0
    for count, found in enumerate(_TOKEN.finditer(text)):
        first = found.group()[0]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} levels deep")
        if count >= MOST_PARTS:
            raise ValueError(f"it has more than {MOST_PARTS:,} words and brackets")
    return json.loads(text.decode("utf-8"), parse_constant=_infinite)


def _infinite(constant: str) -> float:
    """Schedulers of diffusers are saved with infinite bounds; what is no number at all has no use."""
    if constant == "NaN":
        raise ValueError("NaN is no number")
    return float(constant)
