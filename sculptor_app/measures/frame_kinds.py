"""The table of frame kinds: everything about one in one row.

Stage, menus, filmstrip, command line, animations and tests read it. Without numpy: menus name the kinds before anything
is computed. The numbers behind a kind are in `pictures.frame`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sculptor_app.core.texts import translate


@dataclass(frozen=True, slots=True)
class FrameKindRow:
    """A row of the table.

    Attributes:
        is_picture: its numbers are those of a picture, so that a decoder can show it, and a latent map with its bias.
    """

    word: str  # as the command line, exported settings and remembered settings write it
    title: str  # English name, on screen shown through translation (context "names")
    label: str = ""  # longer name, as exported files write it; empty where the title does
    note: str = ""  # English words beside the title, translated likewise; empty where numbers stand there
    is_signed: bool = False  # shown on a colour scale centred on zero
    is_picture: bool = False
    is_animated: bool = False  # on offer for the filmstrip and for exported animations
    is_of_guidance: bool = False  # only runs that kept the two predictions of guidance have it
    guidance_weight: float | None = None  # of those two predictions, the weight of guidance that gives it


class FrameKind(Enum):
    """The kinds of frame: values are the words of the rows, and the rows' facts are attributes."""

    NOISY_STATE = FrameKindRow("noisy", translate("names", "Noisy state"), is_picture=True, is_animated=True)
    AFTER_STEP = FrameKindRow(
        "after-step", translate("names", "After the step"), label="Noisy state as the sampler returned it",
        is_picture=True, is_animated=True, note=translate("names", "before the pipeline went on with it"),
    )  # fmt: skip
    CURRENT_GUESS = FrameKindRow(
        "guess", translate("names", "Current guess"), is_picture=True, is_animated=True,
        note=translate("names", "what the model sees in the block"),
    )  # fmt: skip
    PREDICTED_NOISE = FrameKindRow(
        "predicted-noise", translate("names", "Predicted noise"),
        note=translate("names", "what the model takes for noise"),
    )  # fmt: skip
    STATE_CHIPS = FrameKindRow(
        "chips", translate("names", "Chips"), label="Chips of the noisy state", is_signed=True,
        is_animated=True, note=translate("names", "taken off"),
    )  # fmt: skip
    GUESS_CHIPS = FrameKindRow(
        "guess-chips", translate("names", "Chips of the guess"), label="Chips of the current guess",
        is_signed=True, note=translate("names", "changed"),
    )  # fmt: skip
    TWIN = FrameKindRow(
        "twin", translate("names", "Twin"), is_picture=True,
        note=translate("names", "the finished picture, as deep in the noise seen here (scaled to the level)"),
    )  # fmt: skip
    UNCONDITIONAL_GUESS = FrameKindRow(
        "unconditional", translate("names", "Unconditional guess"), is_picture=True, is_animated=True,
        is_of_guidance=True, guidance_weight=0.0,
    )  # fmt: skip
    CONDITIONAL_GUESS = FrameKindRow(
        "conditional", translate("names", "Conditional guess"), is_picture=True, is_animated=True,
        is_of_guidance=True, guidance_weight=1.0,
    )  # fmt: skip
    GUIDANCE_DIRECTION = FrameKindRow(
        "guidance", translate("names", "Guidance direction"), is_signed=True, is_animated=True,
        is_of_guidance=True,
    )  # fmt: skip

    def __new__(cls, row: FrameKindRow) -> FrameKind:
        """A member whose value is the word of its row."""
        kind = object.__new__(cls)
        kind._value_ = row.word
        return kind

    def __init__(self, row: FrameKindRow) -> None:
        self.title, self.label, self.note = row.title, row.label or row.title, row.note
        self.is_signed, self.is_picture, self.is_animated = row.is_signed, row.is_picture, row.is_animated
        self.guidance_weight, self.is_of_guidance = row.guidance_weight, row.is_of_guidance


DEFAULT_KINDS = (FrameKind.CURRENT_GUESS, FrameKind.NOISY_STATE, FrameKind.STATE_CHIPS)
"""The kinds that are shown until a person chooses others."""

GUIDANCE_KINDS = tuple(kind for kind in FrameKind if kind.is_of_guidance)
"""The kinds that only runs have that kept the two predictions of guidance."""

ANIMATED_KINDS = tuple(dict.fromkeys((*DEFAULT_KINDS, *(kind for kind in FrameKind if kind.is_animated))))
"""The kinds that filmstrip and animations may show, in the order of menus."""

_FORMER_WORDS = {"unguided": "unconditional"}


def current_word(word: str) -> str:
    """Today's word for a kind of frame, given one that older settings or commands may hold."""
    return _FORMER_WORDS.get(word, word)
