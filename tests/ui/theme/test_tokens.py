"""Both themes can be read by everybody."""

import itertools

import numpy as np
import pytest

from sculptor_app.ui.theme.tokens import BAND_DASHES, BAND_KEYS, DARK, LIGHT, PHASE_KEYS, Tokens, contrast, luminance

THEMES = [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")]
# Machado, Oliveira & Fernandes 2009, full dichromacy, on linear RGB.
DEFICIENCIES = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


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


@pytest.mark.parametrize("tokens", THEMES)
@pytest.mark.parametrize("key", PHASE_KEYS)
def test_labels_on_phases_are_readable(tokens: Tokens, key: str) -> None:
    assert contrast(tokens.on_phase, tokens.phases[key]) >= 4.5
    assert contrast(tokens.on_phase_muted, tokens.phases[key]) >= 4.5


@pytest.mark.parametrize("tokens", THEMES)
@pytest.mark.parametrize("key", BAND_KEYS)
def test_band_names_are_readable_as_text(tokens: Tokens, key: str) -> None:
    assert contrast(tokens.bands[key], tokens.window) >= 4.5


def _lab(colour: str, deficiency: str | None) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if deficiency:
        linear = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ linear / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("tokens", THEMES)
@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_neighbouring_phases_differ_also_for_colour_blind_eyes(tokens: Tokens, deficiency: str | None) -> None:
    for first, second in itertools.pairwise(PHASE_KEYS):
        apart = np.linalg.norm(_lab(tokens.phases[first], deficiency) - _lab(tokens.phases[second], deficiency))
        assert apart >= 8, (first, second)


def test_bands_differ_by_dash_alone() -> None:
    assert len({BAND_DASHES[key] for key in BAND_KEYS}) == len(BAND_KEYS)
