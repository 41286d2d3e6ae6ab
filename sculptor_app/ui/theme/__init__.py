"""The look of the interface: tokens, palette, style sheet, type scale and icons.

`apply(app, "system")` puts it on; `theme().changed` is for widgets that paint by hand, to paint again.
"""

from sculptor_app.ui.theme import fonts
from sculptor_app.ui.theme.icons import icon, paint_icon
from sculptor_app.ui.theme.manager import (
    MODES,
    Theme,
    apply,
    band_colour,
    band_pen,
    inset,
    phase_colour,
    phase_line_colour,
    phase_pen,
    theme,
)
from sculptor_app.ui.theme.tokens import Tokens

__all__ = [
    "MODES",
    "Theme",
    "Tokens",
    "apply",
    "band_colour",
    "band_pen",
    "fonts",
    "icon",
    "inset",
    "paint_icon",
    "phase_colour",
    "phase_line_colour",
    "phase_pen",
    "theme",
]
