"""What an animation is made of, whether it shows one run or many."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.exports.animation.grid import GridScenes, places_of
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import RunGrid, Shown, shown_states, timetable
from sculptor_app.exports.animation.scenes import RunScenes, sheet_size
from sculptor_app.exports.gif.encoder import Scene
from sculptor_app.exports.settings import grid_settings_text, settings_text
from sculptor_app.measures.run_measures import RunMeasures

RunOrGrid = AnyTrajectory | RunGrid
"""What can be made an animation of."""


class Scenes(Protocol):
    """Draws the frames of an animation, all of one size and in the same few colours beside the pictures."""

    width: int
    height: int

    @property
    def colours(self) -> NDArray[np.uint8]:
        """The colours of the sheets, (S, 3)."""

    @property
    def scale(self) -> int:
        """Sheet pixels per native pixel."""

    def scene(self, k: int) -> Scene:
        """The scene of state k."""


@dataclass(frozen=True, slots=True)
class Animation:
    """An animation before it is encoded.

    Attributes:
        scenes: draws its frames.
        frames: in playing order.
        comment: what travels in the file.
    """

    scenes: Scenes
    frames: tuple[Shown, ...]
    comment: bytes


def animation_of(source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions) -> Animation:
    """Make ready to draw.

    Args:
        source: a run so far, or many.
        measures: the band energies of a run; None has them measured if a plot needs them.
        options: what is wanted.

    Raises:
        ExportError: there is nothing to show, or it cannot be shown so.
    """
    states = states_of(source, options)
    frames = timetable(states, options)
    if isinstance(source, RunGrid):
        text = grid_settings_text(source, options.as_dict())
        return Animation(GridScenes(source, options, states), frames, text.encode("ascii"))
    text = settings_text(source, options.as_dict())
    return Animation(RunScenes(source, measures, options, states), frames, text.encode("ascii"))


def states_of(source: RunOrGrid, options: AnimationOptions) -> tuple[int, ...]:
    """The states that are shown, in the order of the run; of many runs those of the one that is counted."""
    return shown_states(source.lead_run if isinstance(source, RunGrid) else source, options)


def size_of(source: RunOrGrid, options: AnimationOptions) -> tuple[int, int]:
    """Width and height in pixels."""
    if isinstance(source, RunGrid):
        places = places_of(source, options)
        return places.width, places.height
    return sheet_size(source, options)
