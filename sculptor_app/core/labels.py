"""The labels that a loaded pipeline knows, by the words that a request uses for them."""

from __future__ import annotations

from typing import Any, Literal

from sculptor_app.core.requests.request import FORMS, MATERIALS, RequestError

What = Literal["form", "material"]
_USUAL = {"form": FORMS, "material": MATERIALS}


def label_of(pipeline: Any, what: What, word: str | None) -> int | None:
    """The number of a label; None leaves it to the model.

    Args:
        pipeline: Of diffusers; one that does not name its labels has the usual ones.
        what: Which kind of label.
        word: The label, or None.

    Raises:
        RequestError: The pipeline knows no such label.
    """
    if word is None:
        return None
    known = known_labels(pipeline, what)
    if not known:
        raise RequestError(f"This model knows no {what}s; leave the {what} to the model.")
    if word not in known:
        raise RequestError(f"This model knows no {what} {word!r}; choose one of {', '.join(known)}.")
    return list(known).index(word)


def known_labels(pipeline: Any, what: str) -> list[str] | tuple[str, ...]:
    """Words for the labels of a kind: the model's own, the usual ones if it does not say, none if it has no labels."""
    without = getattr(getattr(pipeline, "label_embedding", None), f"null_{what}", None) == 0
    return pipeline.config.get(f"{what}_names") or (() if without else _USUAL[what])
