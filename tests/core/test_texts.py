"""Numbers as people read them."""

import math

import pytest

from sculptor_app.core.texts import ratio_text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0, "0"), (math.inf, "∞"), (0.0912, "0.091"), (0.0021, "0.0021"), (1.94, "1.9"), (12.3, "12"), (168, "170"),
     (432.1, "430"), (24000, "24000"), (3e7, "3.0e+07"), (0.00001, "1.0e-05"), (0.5, "0.50"), (1, "1.0")],
)  # fmt: skip
def test_ratios_have_two_figures(ratio: float, text: str) -> None:
    assert ratio_text(ratio) == text


def test_a_ratio_without_bound_has_the_word_that_is_asked_for() -> None:
    assert ratio_text(math.inf, "infinite") == "infinite"
