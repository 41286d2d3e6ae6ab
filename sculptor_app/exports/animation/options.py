"""Options of an animation, and what it can show of every step; checked before any work is done."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import DEFAULT_SETTLING_RULE, SETTLING_RULES
from sculptor_app.exports.files import OptionError
from sculptor_app.measures.frame_kinds import ANIMATED_KINDS, FrameKind, current_word


class Disclosure(StrEnum):
    """What an exported file tells of a person's own words and files, besides the settings of its run."""

    PATHS = "paths"  # prompts, and where model and pictures lie
    NAMES = "names"  # prompts, and files by their names alone: the usual
    PRIVATE = "private"  # no prompts, no pictures' names; model and LoRAs have their names and hashes


@dataclass(frozen=True, slots=True)
class Frames:
    """What an animation shows of every step."""

    label: str  # English name, on screen shown through translation (context "names")
    kinds: tuple[FrameKind, ...]  # what stands side by side, from left to right

    @property
    def is_of_guidance(self) -> bool:
        """Whether only runs have it that kept the two predictions of guidance."""
        return any(kind.is_of_guidance for kind in self.kinds)


_BOTH = Frames(translate("names", "Current guess beside noisy state"), (FrameKind.CURRENT_GUESS, FrameKind.NOISY_STATE))
_THREE = Frames(
    translate("names", "Current guess, noisy state and chips"),
    (FrameKind.CURRENT_GUESS, FrameKind.NOISY_STATE, FrameKind.STATE_CHIPS),
)
_GUESSES = Frames(
    translate("names", "Unconditional, conditional, guess"),
    (FrameKind.UNCONDITIONAL_GUESS, FrameKind.CONDITIONAL_GUESS, FrameKind.CURRENT_GUESS),
)
_SINGLE = {kind.value: Frames(kind.title, (kind,)) for kind in ANIMATED_KINDS}

FRAMES: Mapping[str, Frames] = MappingProxyType(
    {word: _SINGLE[word] for word in _SINGLE if not _SINGLE[word].is_of_guidance}
    | {"both": _BOTH, "three": _THREE}
    | {word: _SINGLE[word] for word in _SINGLE if _SINGLE[word].is_of_guidance}
    | {"guesses": _GUESSES}
)
"""What an animation can show, by the word for it: every animated kind of frame by itself, and some side by side."""

PLAIN_FRAMES = tuple(word for word, frames in FRAMES.items() if not frames.is_of_guidance)
"""What an animation of any run can show."""

LAST, ALL, NONE = "last", "all", "none"
DECODINGS: Mapping[str, str] = MappingProxyType(
    {
        LAST: translate("names", "The last one, as the decoder shows it"),
        ALL: translate("names", "All of them, as the decoder shows them"),
        NONE: translate("names", "None: all through the linear map"),
    }
)
"""Which frames of a run in latents are decoded, by the words for it; the others are seen through the latents' map."""

USUAL, POSTER, CONTACT_SHEET, PLOT = "usual", "poster", "contact-sheet", "plot"
LAYOUTS: Mapping[str, str] = MappingProxyType(
    {
        POSTER: translate("names", "Poster"),
        CONTACT_SHEET: translate("names", "Contact sheet"),
        PLOT: translate("names", "Energy plot"),
    }
)
"""What a page (SVG, PDF, PNG) shows, by the words for it: chosen states of each phase with the plot, all states phase
by phase, or the plot alone. USUAL is a poster, and of a PNG the picture of one state."""

PRESETS: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "slide": (
            translate("names", "For a slide"),
            {"frames": "both", "size_px": 768, "caption": True, "plot": False, "delay_ms": 120, "hold_ms": 3000},
        ),
        "lesson": (
            translate("names", "For a lesson"),
            {"frames": "three", "size_px": 512, "caption": True, "plot": True, "delay_ms": 250, "hold_ms": 4000},
        ),
        "message": (
            translate("names", "Small, for a message"),
            {"frames": "guess", "size_px": 256, "caption": False, "plot": False, "delay_ms": 60, "hold_ms": 1500,
             "every": 1},
        ),
    }
)  # fmt: skip
"""Choices that go together, by their words: an English name and the options."""

GRID_FRAMES = (FrameKind.CURRENT_GUESS.value, FrameKind.NOISY_STATE.value)
"""What an animation of many runs shows of each."""

MIN_DELAY_MS = 20
MAX_DELAY_MS = 10_000
MAX_HOLD_MS = 60_000
MIN_SIZE_PX = 16
MAX_SIZE_PX = 2048


@dataclass(frozen=True, slots=True)
class AnimationOptions:
    """The settings of one animation.

    Attributes:
        size_px: the longer side of one picture in pixels, 16..2048. Pixels stay crisp: the picture grows by the largest
            whole factor that fits, and a larger picture shrinks by a whole factor.
        into_noise: play from the picture into the noise, and count the layers of noise instead of the steps that take
            them off; the picture, which is then first, is held as long as the last frame.

    Raises:
        OptionError: when a value is outside what is allowed.
    """

    frames: str = "guess"  # one of FRAMES
    every: int = 1  # show every n-th step, >= 1; the first and the last are always shown
    size_px: int = 256
    delay_ms: int = 80  # time per frame, 20..10000 in whole 10 ms, as GIF counts time; players slow down what is faster
    hold_ms: int = 1500  # time of the last frame, 0..60000 in whole 10 ms; never less than `delay_ms`
    loop: bool = True  # play for ever, or once
    ping_pong: bool = False  # play backward after the last frame
    caption: bool = True  # write step and phase under the picture
    plot: bool = False  # draw the energy per band beside the picture
    dark: bool = False  # dark paper for caption and plot
    into_noise: bool = False
    full_colour: bool = False  # of a film: each pixel's own colour (4:4:4, WebP lossless), which some players refuse
    layout: str = USUAL  # of a page: USUAL, or one of LAYOUTS
    decode: str = LAST  # one of DECODINGS: which frames of a run in latents a decoder makes
    settled_by: str = DEFAULT_SETTLING_RULE  # by which of SETTLING_RULES the plot's marks say that a band has settled

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", current_word(self.frames))
        if self.frames not in FRAMES:
            raise OptionError(
                translate("errors", "The frame {0!r} is not known.").format(self.frames),
                translate("errors", "Choose one of {0}.").format(", ".join(FRAMES)),
            )
        if self.settled_by not in SETTLING_RULES:
            raise OptionError(
                translate("errors", "The rule {0!r} by which bands settle is not known.").format(self.settled_by),
                translate("errors", "Choose one of {0}.").format(", ".join(SETTLING_RULES)),
            )
        if self.every < 1:
            raise OptionError(
                translate("errors", "Every {0}th step cannot be shown.").format(self.every),
                translate("errors", "Choose 1 or more."),
            )
        _one_of_decodings(self.decode)
        if self.layout != USUAL and self.layout not in LAYOUTS:
            raise OptionError(
                translate("errors", "The layout {0!r} is not known.").format(self.layout),
                translate("errors", "Choose one of {0}.").format(", ".join(LAYOUTS)),
            )
        _within("size", self.size_px, MIN_SIZE_PX, MAX_SIZE_PX, "pixels")
        _time(translate("errors", "time per frame"), self.delay_ms, MIN_DELAY_MS, MAX_DELAY_MS)
        _time(translate("errors", "hold on the last frame"), self.hold_ms, 0, MAX_HOLD_MS)

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, as they travel in the file."""
        return asdict(self)


def _one_of_decodings(word: str) -> None:
    if word not in DECODINGS:
        raise OptionError(
            translate("errors", "The decoding {0!r} is not known.").format(word),
            translate("errors", "Choose one of {0}.").format(", ".join(DECODINGS)),
        )


def _within(name: str, value: int, low: int, high: int, unit: str) -> None:
    if not low <= value <= high:
        raise OptionError(
            translate("errors", "The {0} is {1} {2}.").format(name, value, unit),
            translate("errors", "Choose {0} to {1}.").format(low, high),
        )


def _time(name: str, value: int, low: int, high: int) -> None:
    _within(name, value, low, high, "ms")
    if value % 10:
        near = max(low, round(value / 10) * 10)
        raise OptionError(
            translate("errors", "The {0} is {1} ms, and GIF counts whole 10 ms.").format(name, value),
            translate("errors", "Choose {0}.").format(near),
        )
