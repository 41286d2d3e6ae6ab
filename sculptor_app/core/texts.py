"""Texts and units as people read them, without Qt: sentences that can be translated, sizes in bytes, ratios."""

import math
import os
import re
from collections.abc import Sequence
from numbers import Real
from pathlib import PurePath
from string import Formatter
from typing import Any, TypeVar

MOST_TEMPLATE = 1_000
"""Letters of a template from another process: what its facts make of it stays bounded."""
_PLAIN_FIELD = re.compile(r",?(\.\d)?[efg%]?")
"""Format of a fact that cannot ask for more letters than the fact has."""
AnyText = TypeVar("AnyText", bound=str)

NEXT_TO_NOTHING = 1e-4
"""Amounts below it are shown as "≈ 0"."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MOST_SENTENCE = 1_000
"""Letters of a sentence that a person is shown, whatever a file or a model's config puts into it."""
MOST_FACT = 500
"""Letters of what is put into a template."""
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, changes of the direction of writing, and halves of letters: they change terminals and lines."""
_BREAKS = re.compile(r"[\t\r\n]+")
_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6))


class _PlainNumbers(Formatter):
    """Formatter that never writes an exponent where a fact has the form {0} or {0:g}: see `number_text`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Real) and (format_spec == "g" or (not format_spec and "e" in str(value))):
            return number_text(float(value))
        return str(super().format_field(value, format_spec))


def fill(template: str, facts: Sequence[object]) -> str:
    """A template with its facts, numbers as people write them."""
    return _PlainNumbers().vformat(template, facts, {})


class Text(str):
    """An English text that keeps its template and facts, so that a window can show it in another language.

    Attributes:
        context: of the translation, as Qt counts them.
        template: the marked literal, with {0}, {1} … for the facts.
        facts: what was put in; None before `format`.
    """

    context: str
    template: str
    facts: tuple[object, ...] | None

    def __new__(cls, context: str, template: str, facts: tuple[object, ...] | None = None) -> "Text":
        """Put the facts into the template."""
        facts = None if facts is None else tuple(_shown_fact(fact) for fact in facts)
        text = super().__new__(cls, template if facts is None else fill(template, facts))
        text.context, text.template, text.facts = context, template, facts
        return text

    def __getnewargs__(self) -> tuple[str, str, tuple[object, ...] | None]:  # type: ignore[override]  # for pickle
        return self.context, self.template, self.facts

    def format(self, *facts: object) -> "Text":  # type: ignore[override]
        """The text with its facts."""
        return Text(self.context, self.template, facts)


def translate(context: str, text: str) -> Text:
    """A text below ui, marked so that lupdate finds it by this function's name; `ui.widgets.names.display` shows it.

    Args:
        context: of the translation: "names" for labels in tables, "errors" for sentences.
        text: English, a literal; {0}, {1} … for what `format` puts in.
    """
    return Text(context, text)


def harmless(text: str, most: int = MOST_SENTENCE) -> str:
    """A text of any origin as it may be shown: bounded, its control characters replaced by a mark, its lines kept.

    Args:
        most: letters of it that are shown.
    """
    shown = _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", text[:most])
    return shown if len(text) <= most else f"{shown}…"


def _shown_fact(fact: object) -> object:
    """A fact, harmless and in one line if it is words; numbers and texts of the program's own stay what they are."""
    if isinstance(fact, Text) or not isinstance(fact, str | PurePath | BaseException):
        return fact
    return harmless(_BREAKS.sub(" ", str(fact)[: MOST_FACT + 1]), MOST_FACT)


def to_plain(text: str) -> object:
    """A text as values that JSON takes, with its template and facts; `from_plain` reads them."""
    if not isinstance(text, Text):
        return text
    facts = None if text.facts is None else [_plain_fact(fact) for fact in text.facts]
    return {"context": text.context, "template": text.template, "facts": facts}


def _plain_fact(fact: object) -> object:
    if isinstance(fact, str):
        return to_plain(fact)
    return fact if fact is None or isinstance(fact, int | float) else str(fact)


def from_plain(plain: object) -> str:
    """The text that `to_plain` made plain values of, in a process that is not trusted.

    Raises:
        ValueError: They are no text, or its template does more than to put its facts in.
        TypeError: A fact does not have the kind that its format needs.
    """
    if isinstance(plain, str):
        return harmless(plain)
    if not isinstance(plain, dict) or plain.keys() != {"context", "template", "facts"}:
        raise ValueError("it is no text")
    context, template, facts = plain["context"], plain["template"], plain["facts"]
    if not isinstance(context, str) or not isinstance(template, str) or not isinstance(facts, list | None):
        raise ValueError("it is no text")
    if facts is None:
        return Text(context, template)
    _check_fields(template, len(facts))
    return Text(context, template, tuple(from_plain(fact) if isinstance(fact, dict) else fact for fact in facts))


def _check_fields(template: str, count: int) -> None:
    if len(template) > MOST_TEMPLATE:
        raise ValueError("its template is too long")
    for _, field, form, conversion in Formatter().parse(template):
        if field is None:  # what stands behind the last of them
            continue
        if not (field.isdecimal() and int(field) < count and conversion in (None, "r")):
            raise ValueError("its template names no fact")
        if not _PLAIN_FIELD.fullmatch(form or ""):
            raise ValueError("its template asks for another form than facts have")


_SECRETS = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.\-]*://)[^\s/?#'\"<>]+@"), r"\1…@"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.\-]*://[^\s?#'\"<>]+)\?[^\s#'\"<>)]*"), r"\1?…"),
    (re.compile(r"(?<![\w/])[\w.%+\-]+:[^\s/:@]+@(?=[\w\-]+\.\w|localhost)"), "…@"),
    (re.compile(r"\b(hf_|api_org_)[A-Za-z0-9]{8,}"), r"\1…"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=\-]{8,}"), r"\1 …"),
    (re.compile(r"(?i)(?<![^\W_])((?:hf_)?token|password|passwd|api[_-]?key)=[^\s&,;'\"]+"), r"\1=…"),
)
"""What tells a password or token, and what stands in its place: users of addresses, their queries, the hub's tokens."""
_SECRET_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
_LEAST_SECRET = 6
"""Letters of a token that is looked for as it stands: a shorter one would be found in any word."""


def without_secrets(text: str) -> str:
    """A text without passwords and tokens, for whatever is shown, logged or exported; a `Text` stays one."""
    if isinstance(text, Text):
        facts = None if text.facts is None else tuple(map(_fact_without_secrets, text.facts))
        return text if facts == text.facts else Text(text.context, text.template, facts)
    for name in _SECRET_VARIABLES:
        value = os.environ.get(name, "").strip()
        if len(value) >= _LEAST_SECRET:
            text = text.replace(value, "…")
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def _fact_without_secrets(fact: object) -> object:
    if isinstance(fact, str):
        return without_secrets(fact)
    if fact is None or isinstance(fact, int | float):
        return fact
    shown = str(fact)  # an error, a path
    clean = without_secrets(shown)
    return fact if clean == shown else clean


def byte_text(count: float) -> str:
    """As "840 bytes", "12 kB", "4.2 MB", "5.1 GB", in the decimal units of disks and of the hub."""
    for unit, size in _UNITS:
        if count >= 0.99995 * size:  # what would be written as 1000.0 of the smaller unit
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.0f} kB" if count >= 1000 else plural(count, "1 byte", f"{count:.0f} bytes")


def number_text(value: float) -> str:
    """A number as people write it, never with an "e": "7.5", "0.00002", "4,294,967,295", "3.4 · 10³⁸", "2.4 · 10⁻⁹"."""
    size = abs(value)
    if not math.isfinite(value) or size == 0 or 1e-4 <= size < 1e6:
        return f"{value:g}"
    if 1e6 <= size < 1e12:
        return f"{value:,.0f}"
    mantissa, _, exponent = f"{value:.2g}".partition("e")
    if size >= 1e-6 and size < 1:
        return f"{value:.{1 - math.floor(math.log10(size))}f}".rstrip("0")
    return f"{mantissa} · 10{str(int(exponent)).translate(_RAISED)}"


def power_of_ten_text(power: int) -> str:
    """As "10⁻²"; "1" for 0, "10" for 1."""
    return ("1", "10")[power] if power in (0, 1) else f"10{str(power).translate(_RAISED)}"


def plural(count: float, one: AnyText, several: AnyText) -> AnyText:
    """The text for one thing, or the text for none or several; either takes the count as any other fact."""
    return one if count == 1 else several


def amount_text(amount: float) -> str:
    """An amount of 0 and more, to two figures: "0.21", "1.5", "120"; "≈ 0" below 0.0001."""
    return "≈ 0" if 0 < amount < NEXT_TO_NOTHING else number_text(float(f"{amount:.2g}"))


def spread_text(limit: float) -> str:
    """Both ends of a scale that is centred on zero: "±0.21", "≈ 0"."""
    return f"±{amount_text(limit)}" if limit >= NEXT_TO_NOTHING else amount_text(limit)


def decimal_text(value: float) -> str:
    """A number as it can be typed in again, without an exponent: "0.00001"."""
    from decimal import Decimal  # takes longer to import than all of this, and the window is to be on screen before

    return format(Decimal(f"{value:g}"), "f")


def steps_text(count: int) -> Text:
    """As "1 step", "50 steps"."""
    return plural(count, translate("names", "1 step"), translate("names", "{0} steps")).format(count)


def pictures_text(count: int) -> Text:
    """As "1 picture", "3,200 pictures"."""
    return plural(count, translate("names", "1 picture"), translate("names", "{0:,} pictures")).format(count)


def ratio_text(ratio: float, infinite: str = "∞") -> str:
    """A ratio, 0 and more, with two figures that mean something: "0.0021", "0.09", "1.9", "12", "4300", "< 0.0001".

    Args:
        ratio: as a signal-to-noise ratio, or a noise level σ.
        infinite: word for a ratio without bound.
    """
    if ratio == 0 or math.isinf(ratio):
        return "0" if ratio == 0 else infinite
    if ratio < 1e-4:
        return "< 0.0001"
    if ratio >= 1e6:
        return translate("Numbers", "over {0} million").format(f"{math.floor(ratio / 1e6):,}")
    if ratio >= 100:
        return f"{float(f'{ratio:.2g}'):.0f}"
    return f"{ratio:.{max(0, 1 - math.floor(math.log10(ratio)))}f}"
