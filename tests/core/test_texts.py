"""Numbers as people read them, and texts that cross from another process."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sculptor_app.core.texts import MOST_TEMPLATE, Text, from_plain, ratio_text, to_plain, translate


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0, "0"), (math.inf, "∞"), (0.0912, "0.091"), (0.0021, "0.0021"), (1.94, "1.9"), (12.3, "12"), (168, "170"),
     (432.1, "430"), (24000, "24000"), (3e7, "over 30 million"), (2.4e-9, "below 0.0001"), (0.5, "0.50"), (1, "1.0")],
)  # fmt: skip
def test_ratios_have_two_figures(ratio: float, text: str) -> None:
    assert ratio_text(ratio) == text


def test_a_ratio_without_bound_has_the_word_that_is_asked_for() -> None:
    assert ratio_text(math.inf, "infinite") == "infinite"


def test_a_text_keeps_its_template_and_facts_through_json() -> None:
    inner = translate("errors", "{0} and {1} more").format("'a'", 3)
    text = translate("errors", "{0} lacks {1} of {2:,} in {3:.1f}.").format(Path("x"), inner, 4000, 0.25)
    found = from_plain(json.loads(json.dumps(to_plain(text))))
    assert found == "x lacks 'a' and 3 more of 4,000 in 0.2."
    assert isinstance(found, Text)
    assert (found.context, found.template) == ("errors", text.template)
    assert found.facts == ("x", inner, 4000, 0.25)
    assert isinstance(found.facts[1], Text)
    assert from_plain(to_plain("as it is {0}")) == "as it is {0}"
    assert from_plain(to_plain(translate("errors", "no facts"))) == "no facts"


@pytest.mark.parametrize(
    "changed",
    [
        {"template": "{0:>999999999999}"}, {"template": "{0:999999}"}, {"template": "{0.__class__}"},
        {"template": "{0[0]}"}, {"template": "{1}"}, {"template": "{name}"}, {"template": "{}"}, {"template": "{"},
        {"template": "{0:{0}}"}, {"template": "{0!s}"}, {"template": "{0}" * MOST_TEMPLATE}, {"template": 3},
        {"facts": "a"}, {"context": None}, {"more": 1},
    ],
)  # fmt: skip
def test_a_text_of_another_process_can_do_no_more_than_hold_facts(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it is no text|its template|Single"):
        from_plain({"context": "errors", "template": "{0}", "facts": ["a"]} | changed)
