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
    UNCONDITIONAL_GUESS = "unguided"
    CONDITIONAL_GUESS = "conditional"
    GUIDANCE_DIRECTION = "guidance"

    @property
    def label(self) -> str:
        """English name, shown through tr()."""
        return _LABELS[self]

    @property
    def is_signed(self) -> bool:
        """Whether it is shown on a colour scale centred on zero."""
        return self in (FrameKind.STATE_CHIPS, FrameKind.GUESS_CHIPS, FrameKind.GUIDANCE_DIRECTION)

    @property
    def is_of_guidance(self) -> bool:
        """Whether it shows something of the two guesses that guidance mixes."""
        return self in GUIDANCE_KINDS


_LABELS = {
    FrameKind.NOISY_STATE: "Noisy state",
    FrameKind.CURRENT_GUESS: "Current guess",
    FrameKind.PREDICTED_NOISE: "Predicted noise",
    FrameKind.STATE_CHIPS: "Chips of the noisy state",
    FrameKind.GUESS_CHIPS: "Chips of the current guess",
    FrameKind.TWIN: "Twin",
    FrameKind.UNCONDITIONAL_GUESS: "Unguided guess",
    FrameKind.CONDITIONAL_GUESS: "Conditional guess",
    FrameKind.GUIDANCE_DIRECTION: "Guidance direction",
}

GUIDANCE_KINDS = (FrameKind.UNCONDITIONAL_GUESS, FrameKind.CONDITIONAL_GUESS, FrameKind.GUIDANCE_DIRECTION)
"""What only a run that kept the two guesses of guidance has."""
