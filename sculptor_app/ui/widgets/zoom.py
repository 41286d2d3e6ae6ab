"""The arithmetic of zooming into a picture, free of widgets.

Scales are device pixels per picture pixel. A picture that fits its place seldom does so by a whole number: its pixels
then have two neighbouring widths, which the eye sees up to about 5; below that the picture is smoothed, a small one
only at the borders between its pixels.
"""

import math
from dataclasses import dataclass

STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)
_UNEVEN_FROM = 5.0
_SHARPENED_AT_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class View:
    """A part of a picture, free of any widget's size, so that views of other sizes can show the same part.

    Attributes:
        magnification: over the scale that fits the widget; 1 and less mean fit.
        x, y: the middle of the view as a fraction 0..1 of the picture.
    """

    magnification: float = 1.0
    x: float = 0.5
    y: float = 0.5

    @property
    def is_fit(self) -> bool:
        """Whether the whole picture is shown."""
        return self.magnification <= 1.0


FIT = View()
"""The whole picture."""


def fit_scale(picture_width: int, picture_height: int, width: float, height: float) -> float:
    """The scale at which a picture fills width x height device pixels; below 1 for a picture larger than that.

    Raises:
        ValueError: a picture without pixels.
    """
    if picture_width < 1 or picture_height < 1:
        raise ValueError(f"a picture has at least one pixel; got {picture_width} x {picture_height}")
    return max(min(width / picture_width, height / picture_height), 1e-3)


def looks_better_smooth(scale: float) -> bool:
    """Whether pixels of uneven width would show at this scale."""
    return scale < _UNEVEN_FROM and abs(scale - round(scale)) > 1e-6


def is_worth_sharpening(picture_width: int, picture_height: int, scale: float) -> bool:
    """Whether a smoothed picture's own pixels can still be seen, and enlarging it first costs little."""
    return scale > 1 and picture_width * picture_height * math.ceil(scale) ** 2 <= _SHARPENED_AT_MOST


def scale_of(view: View, fit: float) -> float:
    """The scale of a view in a widget whose fitting scale is `fit`; whole numbers unless it fits."""
    return fit if view.is_fit else float(max(1, round(fit * view.magnification)))


def stepped(scale: float, steps: int, fit: float) -> int | None:
    """The next whole scale, `steps` further in (+) or out (-); None when that is no more than fitting."""
    wanted = scale
    for _ in range(abs(steps)):
        if steps > 0:
            wanted = min((step for step in STEPS if step > wanted + 1e-6), default=STEPS[-1])
        else:
            wanted = max((step for step in STEPS if step < wanted - 1e-6), default=0)
    return None if wanted <= fit else int(wanted)
