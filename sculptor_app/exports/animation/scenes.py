"""From the states of a run to the scenes of an animation."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.exports.animation.caption import Cell, caption_height, draw_caption
from sculptor_app.exports.animation.chart import LEAST_HEIGHT_PX, EnergyChart, chart_width
from sculptor_app.exports.animation.drawing import DARK, LIGHT, new_paper
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import GAP_PX, Geometry, geometry, kinds_of
from sculptor_app.exports.gif.encoder import Scene
from sculptor_app.exports.gif.palette import CAPTION_COLOURS, CHART_COLOURS, PLAIN_COLOURS, SheetPalette
from sculptor_app.measures.pictures import picture
from sculptor_app.measures.run_measures import RunMeasures, Source

Bytes = NDArray[np.uint8]


class RunScenes:
    """Draws the scene of any state of a run.

    Args:
        trajectory: the run.
        measures: its band energies; needed for a plot only.
        options: what is wanted.
        states: the states that will be drawn; the sheet's colours are chosen from some of them.
    """

    def __init__(
        self,
        trajectory: AnyTrajectory,
        measures: RunMeasures | None,
        options: AnimationOptions,
        states: tuple[int, ...],
    ) -> None:
        self._trajectory, self._options = trajectory, options
        self._kinds = kinds_of(options)
        self._inks = DARK if options.dark else LIGHT
        self._geometry = geometry(trajectory, options)
        self._pictures_width = len(self._kinds) * self._geometry.width + (len(self._kinds) - 1) * GAP_PX
        self.width, self.height = sheet_size(trajectory, options)
        self._chart: EnergyChart | None = None
        if options.plot:
            measures = measures or RunMeasures.of(trajectory)
            source: Source = "state" if options.frames == "noisy" else "guess"
            self._chart = EnergyChart(trajectory, measures, source, self.height, self._inks, options.into_noise)
        self._own_colours = self._sheet_colours(states)

    @property
    def colours(self) -> Bytes:
        """The colours of the sheets, (S, 3)."""
        return self._own_colours.colours

    @property
    def scale(self) -> int:
        """Sheet pixels per native pixel."""
        return self._geometry.scale

    def scene(self, k: int) -> Scene:
        """The scene of state k, which must hold every kind of picture that is shown."""
        pictures = [picture(self._trajectory, k, kind) for kind in self._kinds]
        limits = [shown.limit for shown in pictures]
        small = [shrunk(shown.rgb, self._geometry) for shown in pictures if shown.rgb is not None]
        width = self._geometry.width
        places = tuple(
            (index * width // self.scale, width // self.scale, index * (width + GAP_PX), 0)
            for index in range(len(pictures))
        )
        return Scene(np.concatenate(small, axis=1), self._own_colours.indexed(self._sheet(k, limits)), places)

    def _sheet(self, k: int, limits: list[float | None]) -> Image.Image:
        """Paper, caption and plot of state k, in RGB."""
        sheet = new_paper(self.width, self.height, self._inks)
        if self._chart is not None:
            sheet.paste(self._chart.at(k), (self.width - self._chart.width, 0))
        if self._options.caption:
            cells = tuple(
                Cell(index * (self._geometry.width + GAP_PX), self._geometry.width, kind.label, _note(limit))
                for index, (kind, limit) in enumerate(zip(self._kinds, limits, strict=True))
            )
            draw_caption(sheet, self._trajectory, k, self._geometry.height, cells, self._inks, self._options.into_noise)
        return sheet

    def _sheet_colours(self, states: tuple[int, ...]) -> SheetPalette:
        """From the sheets of the first, the middle and the last state."""
        most = CHART_COLOURS if self._chart else CAPTION_COLOURS if self._options.caption else PLAIN_COLOURS
        chosen = sorted({states[0], states[len(states) // 2], states[-1]})
        return SheetPalette([self._sheet(k, [0.25] * len(self._kinds)) for k in chosen], most)


def shrunk(rgb: Bytes, geometry: Geometry) -> Bytes:
    """A picture averaged down by the whole factor, if it is larger than what was asked for."""
    block = geometry.shrink
    if block == 1:
        return rgb
    height, width = geometry.height * block, geometry.width * block
    small: Bytes = np.asarray(Image.fromarray(np.ascontiguousarray(rgb[:height, :width])).reduce(block))
    return small


def sheet_size(trajectory: AnyTrajectory, options: AnimationOptions) -> tuple[int, int]:
    """Width and height in pixels of the whole GIF."""
    size, pictures = geometry(trajectory, options), len(kinds_of(options))
    width, height = pictures * size.width + (pictures - 1) * GAP_PX, size.height
    if options.caption:
        height += caption_height(width)
    if options.plot:
        height = max(height, LEAST_HEIGHT_PX)
        width += chart_width(height)
    return width, height


def _note(limit: float | None) -> str:
    return "" if limit is None else f"±{limit:.2g}"
