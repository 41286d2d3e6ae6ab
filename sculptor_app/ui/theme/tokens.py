"""Design tokens: every colour, and the few lengths, that the interface is made of, for a light and a dark room.

Colours are "#rrggbb". Phase and band colours stay apart for colour-blind eyes by lightness and hue, and bands differ by
dash pattern as well, so that nothing is shown by colour alone.
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
"""Dash patterns in units of the pen's width; empty means a solid line."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours of one theme.

    Attributes:
        name: "light" or "dark"; also the folder of the style sheet's small pictures.
        window: menu bar, docks, lower bar. well: the quieter ground that the frames lie on. field: inputs, plots.
        hover, pressed: grounds of quiet buttons under the pointer and when held.
        hairline, hairline_strong: separators and outlines of inputs.
        text, muted, disabled: ink; `muted` keeps 4.5:1 on window, well and field.
        accent, accent_hover, accent_pressed: the terracotta; on_accent is ink on it. accent_text is accent used as ink.
        accent_soft: ground of a selection. focus: focus ring. warning: ink of a warning.
        bubble, on_bubble: the cursor of timeline and plots.
        phases: fills by phase key; on_phase is ink on them, on_phase_muted its quieter sister.
        bands: inks by band key, also readable as text on field.
    """

    name: str
    window: str
    well: str
    field: str
    hover: str
    pressed: str
    hairline: str
    hairline_strong: str
    text: str
    muted: str
    disabled: str
    accent: str
    accent_hover: str
    accent_pressed: str
    on_accent: str
    accent_text: str
    accent_soft: str
    focus: str
    warning: str
    bubble: str
    on_bubble: str
    phases: Mapping[str, str]
    on_phase: str
    on_phase_muted: str
    bands: Mapping[str, str]


LIGHT = Tokens(
    name="light",
    window="#fcfbf9",
    well="#f4f2ee",
    field="#ffffff",
    hover="#f3efe9",
    pressed="#e9e3da",
    hairline="#e3dfd8",
    hairline_strong="#cfc9bf",
    text="#262320",
    muted="#6b655d",
    disabled="#a8a199",
    accent="#8c4a2f",
    accent_hover="#7c3f27",
    accent_pressed="#6a3520",
    on_accent="#ffffff",
    accent_text="#8c4a2f",
    accent_soft="#f3e3d9",
    focus="#bf6b43",
    warning="#8a5a00",
    bubble="#262320",
    on_bubble="#fcfbf9",
    phases={"decisions": "#e6d5b8", "structure": "#d9b08a", "refinement": "#aabf9f", "polish": "#9db6d3"},
    on_phase="#262320",
    on_phase_muted="#453f38",
    bands={"layout": "#2a66ad", "structure": "#b1590c", "detail": "#317a4d", "polish": "#8d4698"},
)

DARK = Tokens(
    name="dark",
    window="#211f1c",
    well="#191715",
    field="#2a2724",
    hover="#2f2b27",
    pressed="#3a352f",
    hairline="#37332e",
    hairline_strong="#4d4740",
    text="#ece7df",
    muted="#a9a196",
    disabled="#6f685f",
    accent="#d08960",
    accent_hover="#dc9a73",
    accent_pressed="#bd7850",
    on_accent="#22150d",
    accent_text="#e09d76",
    accent_soft="#45301f",
    focus="#dd9268",
    warning="#e0b060",
    bubble="#ece7df",
    on_bubble="#211f1c",
    phases={"decisions": "#68593f", "structure": "#86532f", "refinement": "#4a6146", "polish": "#3e5779"},
    on_phase="#f6f1ea",
    on_phase_muted="#e0d8cd",
    bands={"layout": "#82b4ec", "structure": "#e8a35f", "detail": "#84c99a", "polish": "#d39be0"},
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
