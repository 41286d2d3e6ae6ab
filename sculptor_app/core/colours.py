"""Colours and dashes of phases and bands, on light and on dark paper: the one table of window, GIFs, sheets and plots.

Phases are warm and grow lighter as the run goes on; bands are cool. So no phase has a band's hue, and warm and cool
are what colour-blind eyes tell apart; within each family the colours differ by lightness, too, and lines by their dash.
On dark paper each has the hue that it has on light paper.
Colours are "#rrggbb".
"""

from collections.abc import Mapping
from dataclasses import dataclass

PHASE_KEYS = ("decisions", "structure", "refinement", "polish")
BAND_KEYS = ("layout", "structure", "detail", "polish")

BAND_DASHES: Mapping[str, tuple[float, ...]] = {
    "layout": (),
    "structure": (5.0, 2.6),
    "detail": (1.0, 2.0),
    "polish": (6.0, 2.4, 1.0, 2.4),
}
"""Strokes and gaps of the bands' lines in units of the pen's width; empty means a solid line."""

PHASE_DASHES: Mapping[str, tuple[float, ...]] = {
    "decisions": (1.5, 1.5),
    "structure": (3.0, 1.5),
    "refinement": (8.0, 1.5),
    "polish": (),
}
"""The same of the lines taken at the ends of phases: the later, the longer the strokes."""


@dataclass(frozen=True, slots=True)
class Paper:
    """The ground that is drawn on, and what is drawn on it.

    Attributes:
        paper, text, muted: the ground, ink, and quieter ink of 4.5:1.
        phases: fills by phase key; `on_phase` is ink on them, `on_phase_muted` its quieter sister, both of 4.5:1.
        phase_lines: the same hues for lines, of 3:1 on the paper.
        bands: inks by band key, of 4.5:1, for lines and text.
    """

    paper: str
    text: str
    muted: str
    phases: Mapping[str, str]
    on_phase: str
    on_phase_muted: str
    phase_lines: Mapping[str, str]
    bands: Mapping[str, str]


LIGHT_PAPER = Paper(
    paper="#fcfbf9",
    text="#262320",
    muted="#6b655d",
    phases={"decisions": "#e49a77", "structure": "#cbbaa3", "refinement": "#fcca94", "polish": "#dfe9cf"},
    on_phase="#262320",
    on_phase_muted="#453f38",
    phase_lines={"decisions": "#741b06", "structure": "#755a3d", "refinement": "#ad7c20", "polish": "#848d65"},
    bands={"layout": "#004e4c", "structure": "#3472a9", "detail": "#462f84", "polish": "#944674"},
)

DARK_PAPER = Paper(
    paper="#211f1c",
    text="#ece7df",
    muted="#a9a196",
    phases={"decisions": "#50200b", "structure": "#4c4030", "refinement": "#724d17", "polish": "#596248"},
    on_phase="#f6f1ea",
    on_phase_muted="#e0d8cd",
    phase_lines={"decisions": "#b75532", "structure": "#b3a690", "refinement": "#ea953f", "polish": "#c5f06f"},
    bands={"layout": "#84c8cb", "structure": "#3c95dc", "detail": "#bdb8ff", "polish": "#a883a3"},
)


def _linear(channel: int) -> float:
    value = channel / 255
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    """Relative luminance 0..1 of "#rrggbb" (WCAG 2.2)."""
    red, green, blue = (_linear(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(ink: str, ground: str) -> float:
    """Contrast ratio 1..21 of two colours (WCAG 2.2); text needs 4.5, graphics 3."""
    high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)
