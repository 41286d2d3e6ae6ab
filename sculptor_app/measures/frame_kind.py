"""The kinds of frame that a person may look at. Without numpy: menus name them before anything is computed."""

from enum import Enum


class FrameKind(Enum):
    """What a frame shows."""

    NOISY_STATE = "noisy"
    CURRENT_GUESS = "guess"
    PREDICTED_NOISE = "predicted-noise"
    STATE_CHIPS = "chips"
    GUESS_CHIPS = "guess-chips"
    TWIN = "twin"

    @property
    def label(self) -> str:
        """English name, shown through tr()."""
        return _LABELS[self]

    @property
    def is_signed(self) -> bool:
        """Whether it is shown on a colour scale centred on zero."""
        return self in (FrameKind.STATE_CHIPS, FrameKind.GUESS_CHIPS)


_LABELS = {
    FrameKind.NOISY_STATE: "Noisy state",
    FrameKind.CURRENT_GUESS: "Current guess",
    FrameKind.PREDICTED_NOISE: "Predicted noise",
    FrameKind.STATE_CHIPS: "Chips of the noisy state",
    FrameKind.GUESS_CHIPS: "Chips of the current guess",
    FrameKind.TWIN: "Twin",
}
