"""Animations: the scenes of a run in RGB with their times, and the way to those of a grid."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from sculptor_app.core.texts import spread_text
from sculptor_app.core.trajectory.base import AnyTrajectory, RunTitle
from sculptor_app.exports.animation.caption import CaptionCell, caption_height, draw_caption
from sculptor_app.exports.animation.chart import LEAST_HEIGHT_PX, EnergyChart, chart_width
from sculptor_app.exports.animation.drawing import DARK, LIGHT, Scene, Scenes, SheetDetail, new_paper
from sculptor_app.exports.animation.grid import GridScenes, places_of
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import (
    GAP_PX,
    DecodedFrames,
    RunGrid,
    RunOrGrid,
    TimedState,
    geometry,
    kinds_of,
    shown_picture,
    shown_states,
    timetable,
)
from sculptor_app.measures.run_measures import RunMeasures, Source


@dataclass(frozen=True, slots=True)
class Animation:
    """An animation before it is encoded: what draws its scenes, and its states in playing order."""

    scenes: Scenes
    frames: tuple[TimedState, ...]


def animation_of(
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    decoded: DecodedFrames | None = None,
    title: RunTitle | None = None,
) -> Animation:
    """Make ready to draw.

    Args:
        title: which run it is, as the caption says it; None is all of its own.
        decoded: what was decoded of runs in latents; the other frames are seen through the latents' map.
        measures: the band energies of a run; None has them measured if a plot needs them.

    Raises:
        ExportError: there is nothing to show, or it cannot be shown so.
    """
    states = shown_states(source, options)
    frames = timetable(states, options)
    if isinstance(source, RunGrid):
        return Animation(GridScenes(source, options, states, decoded), frames)
    return Animation(RunScenes(source, measures, options, states, decoded, title), frames)


def image_size(source: RunOrGrid, options: AnimationOptions) -> tuple[int, int]:
    """Width and height of the animation; pixels stay crisp, so it may be smaller than what was asked for."""
    if isinstance(source, RunGrid):
        places = places_of(source, options)
        return places.width, places.height
    size, pictures = geometry(source, options), len(kinds_of(options))
    width, height = pictures * size.width + (pictures - 1) * GAP_PX, size.height
    if options.caption:
        height += caption_height(width, titled=True)
    if options.plot:
        height = max(height, LEAST_HEIGHT_PX)
        width += chart_width(height)
    return width, height


class RunScenes(Scenes):
    """Draws the scene of any state of a run; the measures are needed for a plot only."""

    def __init__(
        self,
        trajectory: AnyTrajectory,
        measures: RunMeasures | None,
        options: AnimationOptions,
        states: tuple[int, ...],
        decoded: DecodedFrames | None = None,
        title: RunTitle | None = None,
    ) -> None:
        detail: SheetDetail = "chart" if options.plot else "caption" if options.caption else "paper"
        super().__init__(states, *image_size(trajectory, options), detail)
        self._trajectory, self._options, self._decoded = trajectory, options, decoded
        self._title = title or trajectory.info.title
        self._kinds = kinds_of(options)
        self._inks = DARK if options.dark else LIGHT
        self._geometry = geometry(trajectory, options)
        self._chart: EnergyChart | None = None
        if options.plot:
            measures = measures or RunMeasures.of(trajectory)
            source: Source = "state" if options.frames == "noisy" else "guess"
            self._chart = EnergyChart(
                trajectory, measures, source, self.height, self._inks, options.into_noise, options.settled_by
            )

    def scene(self, k: int) -> Scene:
        """The scene of state k, which must hold every kind of picture that is shown."""
        pictures = [shown_picture(self._trajectory, k, kind, self._options, self._decoded) for kind in self._kinds]
        sheet = self._sheet(k, [shown.limit for shown in pictures])
        small = [self._geometry.reduced(rgb) for rgb in (shown.rgb for shown in pictures) if rgb is not None]
        width, scale = self._geometry.width, self._geometry.scale
        places = tuple(
            (index * width // scale, width // scale, index * (width + GAP_PX), 0) for index in range(len(pictures))
        )
        return Scene(np.concatenate(small, axis=1), np.asarray(sheet), places, scale)

    def _sample_sheet(self, k: int) -> Image.Image:
        return self._sheet(k, [0.25] * len(self._kinds))

    def _sheet(self, k: int, limits: list[float | None]) -> Image.Image:
        sheet = new_paper(self.width, self.height, self._inks)
        if self._chart is not None:
            sheet.paste(self._chart.at(k), (self.width - self._chart.width, 0))
        if self._options.caption:
            cells = tuple(
                CaptionCell(index * (self._geometry.width + GAP_PX), self._geometry.width, kind.label, _note(limit))
                for index, (kind, limit) in enumerate(zip(self._kinds, limits, strict=True))
            )
            draw_caption(
                sheet,
                self._trajectory,
                k,
                self._geometry.height,
                cells,
                self._inks,
                self._options.into_noise,
                title=self._title,
            )
        return sheet


def _note(limit: float | None) -> str:
    return "" if limit is None else spread_text(limit)
