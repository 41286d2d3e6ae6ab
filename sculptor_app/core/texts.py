"""Texts and units as people read them, without Qt: sentences that can be translated, sizes in bytes, ratios."""

import math

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


def byte_text(count: float) -> str:
    """As "12 kB", "4.2 MB", "5.1 GB", in the decimal units of disks and of the hub."""
    for unit, size in _UNITS:
        if count >= 0.99995 * size:  # what would be written as 1000.0 of the smaller unit
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.0f} kB"


def ratio_text(ratio: float, infinite: str = "∞") -> str:
    """A ratio, 0 and more, with two figures that mean something: "0.0021", "0.09", "1.9", "12", "4300".

    Args:
        ratio: as a signal-to-noise ratio, or a noise level σ.
        infinite: word for a ratio without bound.
    """
    if ratio == 0 or math.isinf(ratio):
        return "0" if ratio == 0 else infinite
    if ratio < 1e-4 or ratio >= 1e6:
        return f"{ratio:.1e}"
    if ratio >= 100:
        return f"{float(f'{ratio:.2g}'):.0f}"
    return f"{ratio:.{max(0, 1 - math.floor(math.log10(ratio)))}f}"
