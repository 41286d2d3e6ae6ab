"""Both themes can be read by everybody."""

from dataclasses import asdict, fields

import pytest

from sculptor_app.core.colours import DARK_PAPER, LIGHT_PAPER, Paper, contrast, luminance
from sculptor_app.ui.theme.tokens import DARK, LIGHT, Tokens

THEMES = [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")]


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert luminance("#ffffff") == pytest.approx(1)


@pytest.mark.parametrize("tokens", THEMES)
@pytest.mark.parametrize("ground", ["window", "well", "field", "hover"])
@pytest.mark.parametrize("ink", ["text", "muted", "accent_text"])
def test_ink_on_every_ground_is_readable(tokens: Tokens, ink: str, ground: str) -> None:
    assert contrast(getattr(tokens, ink), getattr(tokens, ground)) >= 4.5


@pytest.mark.parametrize("tokens", THEMES)
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("on_accent", "accent"),
        ("on_accent", "accent_hover"),
        ("on_accent", "accent_pressed"),
        ("accent_text", "accent_soft"),
        ("text", "accent_soft"),
        ("text", "pressed"),
        ("on_bubble", "bubble"),
        ("warning", "window"),
    ],
)
def test_pairs_that_meet_are_readable(tokens: Tokens, ink: str, ground: str) -> None:
    assert contrast(getattr(tokens, ink), getattr(tokens, ground)) >= 4.5


@pytest.mark.parametrize("tokens", THEMES)
@pytest.mark.parametrize("ground", ["window", "well", "field"])
def test_the_focus_ring_is_seen(tokens: Tokens, ground: str) -> None:
    assert contrast(tokens.focus, getattr(tokens, ground)) >= 3


@pytest.mark.parametrize(("tokens", "paper"), [(LIGHT, LIGHT_PAPER), (DARK, DARK_PAPER)], ids=["light", "dark"])
def test_what_is_drawn_on_in_the_window_is_the_paper_of_the_exports(tokens: Tokens, paper: Paper) -> None:
    """By being one: no colour of it stands in a second table."""
    assert isinstance(tokens, Paper)
    assert {each.name: getattr(tokens, each.name) for each in fields(Paper)} == asdict(paper)
    assert tokens.window == paper.paper
