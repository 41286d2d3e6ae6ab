"""Phases and bands are told apart by everybody, on both papers, and have one table of colours.

Distances are CIEDE2000, of which 1 is just noticed and 10 is seen at a glance; hues are angles in CIELAB.
"""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from sculptor_app.core.colours import BAND_DASHES, BAND_KEYS, DARK_PAPER, LIGHT_PAPER, PHASE_DASHES, PHASE_KEYS, Paper
from sculptor_app.core.colours import contrast as contrast_of
from sculptor_app.exports.animation import drawing
from sculptor_app.ui.theme.tokens import DARK, LIGHT, Tokens

PAPERS = [pytest.param(LIGHT_PAPER, id="light"), pytest.param(DARK_PAPER, id="dark")]
# Machado, Oliveira & Fernandes 2009, full dichromacy, on linear RGB.
EYES = {
    "all colours": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)


def lab(colour: str, eye: str = "all colours") -> np.ndarray:
    """CIELAB (D65) of "#rrggbb", as an eye sees it."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = _TO_XYZ @ np.clip(EYES[eye] @ linear, 0, 1) / _TO_XYZ.sum(1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def hue(colour: str) -> float:
    """Degrees."""
    _, a, b = lab(colour)
    return float(np.degrees(np.arctan2(b, a)) % 360)


def turn(first: float, second: float) -> float:
    """Degrees between two hues, 0..180."""
    return abs((first - second + 180) % 360 - 180)


def ciede2000(one: np.ndarray, two: np.ndarray) -> float:
    """Colour difference (Sharma, Wu & Dalal 2005) of two CIELAB colours."""
    mean = (np.hypot(*one[1:]) + np.hypot(*two[1:])) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    (l1, a1, b1), (l2, a2, b2) = one, two
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, stretch * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turned = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    across = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turned / 2))
    middle = (h1 + turned / 2) % 360 if c1 * c2 else h1 + h2
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    waves = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63))
    t = 1 + sum(size * np.cos(np.radians(times * middle + shift)) for size, times, shift in waves)
    weights = (
        1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2),
        1 + 0.045 * chroma,
        1 + 0.015 * chroma * t,
    )
    parts = np.array([l2 - l1, c2 - c1, across]) / weights
    bend = (
        2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((middle - 275) / 25) ** 2))))
    )
    return float(np.sqrt((parts**2).sum() - bend * parts[1] * parts[2]))


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_is_that_of_the_published_table(one: tuple, two: tuple, expected: float) -> None:
    assert ciede2000(np.array(one), np.array(two)) == pytest.approx(expected, abs=1e-4)


def least(pairs: Iterable[tuple[str, str]], eye: str) -> float:
    return min(ciede2000(lab(one, eye), lab(two, eye)) for one, two in pairs)


@pytest.mark.parametrize("paper", PAPERS)
def test_no_phase_has_the_hue_of_a_band(paper: Paper) -> None:
    for phase in (*paper.phases.values(), *paper.phase_lines.values()):
        for band in paper.bands.values():
            assert turn(hue(phase), hue(band)) >= 45, (phase, band)


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("key", PHASE_KEYS)
def test_lines_of_a_phase_have_the_hue_of_its_fill(paper: Paper, key: str) -> None:
    assert turn(hue(paper.phases[key]), hue(paper.phase_lines[key])) <= 10


@pytest.mark.parametrize("key", PHASE_KEYS)
def test_a_phase_has_one_hue_on_both_papers(key: str) -> None:
    assert turn(hue(LIGHT_PAPER.phases[key]), hue(DARK_PAPER.phases[key])) <= 5
    assert turn(hue(LIGHT_PAPER.phase_lines[key]), hue(DARK_PAPER.phase_lines[key])) <= 15


@pytest.mark.parametrize("key", BAND_KEYS)
def test_a_band_has_one_hue_on_both_papers(key: str) -> None:
    assert turn(hue(LIGHT_PAPER.bands[key]), hue(DARK_PAPER.bands[key])) <= 15


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("eye", EYES)
def test_phases_and_bands_are_told_apart_by_every_eye(paper: Paper, eye: str) -> None:
    fills, lines, bands = (list(colours.values()) for colours in (paper.phases, paper.phase_lines, paper.bands))
    assert least(itertools.combinations(fills, 2), eye) >= 9
    assert least(itertools.combinations(lines, 2), eye) >= 11.5
    assert least(itertools.combinations(bands, 2), eye) >= 11.5
    assert least(itertools.product(lines, bands), eye) >= 10
    assert least(itertools.product([*lines, *bands], [paper.text]), eye) >= 12  # the current spectrum is in text's ink


@pytest.mark.parametrize("paper", PAPERS)
def test_phases_grow_lighter_as_the_run_goes_on(paper: Paper) -> None:
    for colours in (paper.phases, paper.phase_lines):
        lightness = [lab(colours[key])[0] for key in PHASE_KEYS]
        assert lightness == sorted(lightness)


@pytest.mark.parametrize("tokens", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
def test_inks_are_seen_on_every_ground_that_they_are_drawn_on(tokens: Tokens) -> None:
    for key in PHASE_KEYS:
        assert contrast_of(tokens.on_phase, tokens.phases[key]) >= 4.5
        assert contrast_of(tokens.on_phase_muted, tokens.phases[key]) >= 4.5
    for ground in (tokens.window, tokens.well, tokens.field):
        for key in PHASE_KEYS:
            assert contrast_of(tokens.phase_lines[key], ground) >= 3
        for key in BAND_KEYS:
            assert contrast_of(tokens.bands[key], ground) >= 4.5


@pytest.mark.parametrize("paper", PAPERS)
def test_bands_are_seen_on_the_shades_of_phases_behind_them(paper: Paper) -> None:
    share = 0.34  # the strongest tint of window and exports
    for band, phase in itertools.product(paper.bands.values(), paper.phases.values()):
        ink, ground = (drawing._rgb(colour) for colour in (phase, paper.paper))
        shade = "#{:02x}{:02x}{:02x}".format(*drawing.blend(ink, ground, share))
        assert contrast_of(band, shade) >= 3


def test_lines_differ_by_dash_alone() -> None:
    assert len({BAND_DASHES[key] for key in BAND_KEYS}) == len(BAND_KEYS)
    assert len({PHASE_DASHES[key] for key in PHASE_KEYS}) == len(PHASE_KEYS)


@pytest.mark.parametrize(
    ("tokens", "paper", "inks"),
    [
        pytest.param(LIGHT, LIGHT_PAPER, drawing.LIGHT, id="light"),
        pytest.param(DARK, DARK_PAPER, drawing.DARK, id="dark"),
    ],
)
def test_window_and_exports_have_one_table(tokens: Tokens, paper: Paper, inks: drawing.Inks) -> None:
    for name in ("phases", "bands", "phase_lines"):
        assert getattr(tokens, name) is getattr(paper, name)
    for name in ("phases", "bands"):
        assert {key: "#" + bytes(ink).hex() for key, ink in getattr(inks, name).items()} == getattr(paper, name)
    assert (tokens.window, tokens.text, tokens.muted) == (paper.paper, paper.text, paper.muted)
    assert ["#" + bytes(ink).hex() for ink in (inks.paper, inks.text, inks.muted)] == [
        paper.paper,
        paper.text,
        paper.muted,
    ]
