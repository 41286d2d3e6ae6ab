"""Texts and units as people read them, without Qt: sentences that can be translated, sizes in bytes, ratios."""

import math
import re
from string import Formatter

MOST_TEMPLATE = 1_000
"""Letters of a template from another process: what its facts make of it stays bounded."""
_PLAIN_FIELD = re.compile(r",?(\.\d)?[efg%]?")
"""Format of a fact that cannot ask for more letters than the fact has."""
_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6))


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
        text = super().__new__(cls, template if facts is None else template.format(*facts))
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
        return plain
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


def byte_text(count: float) -> str:
    """As "12 kB", "4.2 MB", "5.1 GB", in the decimal units of disks and of the hub."""
    for unit, size in _UNITS:
        if count >= 0.99995 * size:  # what would be written as 1000.0 of the smaller unit
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.0f} kB"


def ratio_text(ratio: float, infinite: str = "∞") -> str:
    """A ratio, 0 and more, with two figures that mean something: "0.0021", "0.09", "1.9", "12", "4300", "below 0.0001".

    Args:
        ratio: as a signal-to-noise ratio, or a noise level σ.
        infinite: word for a ratio without bound.
    """
    if ratio == 0 or math.isinf(ratio):
        return "0" if ratio == 0 else infinite
    if ratio < 1e-4:
        return translate("Numbers", "below {0}").format("0.0001")
    if ratio >= 1e6:
        return translate("Numbers", "over {0} million").format(f"{math.floor(ratio / 1e6):,}")
    if ratio >= 100:
        return f"{float(f'{ratio:.2g}'):.0f}"
    return f"{ratio:.{max(0, 1 - math.floor(math.log10(ratio)))}f}"
