"""Design tokens: every colour, and the few lengths, that the interface is made of, for a light and a dark room.

Colours are "#rrggbb". Those of phases and bands are in `core.colours`, as exports draw with them, too.
"""

from dataclasses import dataclass, fields
from typing import Any

from sculptor_app.core.colours import DARK_PAPER, LIGHT_PAPER, Paper

LEFT_PANEL_PX, RIGHT_PANEL_PX = 240, 400
"""Widths of the panels beside the frames: the bare window shows their grounds before there are panels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens(Paper):
    """The colours of one theme: those of its paper, which is the ground of the window, and those of the interface.

    Attributes:
        name: "light" or "dark"; also the folder of the style sheet's small pictures.
        well: the quieter ground that the frames lie on. field: inputs, plots.
        hover, pressed: grounds of quiet buttons under the pointer and when held.
        hairline, hairline_strong: separators and outlines of inputs.
        disabled: ink; `muted` of the paper keeps 4.5:1 on window, well and field.
        accent, accent_hover, accent_pressed: the terracotta; on_accent is ink on it. accent_text is accent used as ink.
        accent_soft: ground of a selection. focus: focus ring. warning: ink of a warning.
        bubble, on_bubble: the cursor of timeline and plots.
    """

    name: str
    well: str
    field: str
    hover: str
    pressed: str
    hairline: str
    hairline_strong: str
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

    @property
    def window(self) -> str:
        """Ground of menu bar, docks and lower bar."""
        return self.paper


def _of(paper: Paper) -> dict[str, Any]:
    """The colours of a paper by name."""
    return {each.name: getattr(paper, each.name) for each in fields(paper)}


LIGHT = Tokens(
    **_of(LIGHT_PAPER),
    name="light",
    well="#f4f2ee",
    field="#ffffff",
    hover="#f3efe9",
    pressed="#e9e3da",
    hairline="#e3dfd8",
    hairline_strong="#cfc9bf",
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
)

DARK = Tokens(
    **_of(DARK_PAPER),
    name="dark",
    well="#191715",
    field="#2a2724",
    hover="#2f2b27",
    pressed="#3a352f",
    hairline="#37332e",
    hairline_strong="#4d4740",
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
)
