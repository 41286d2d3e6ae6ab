"""From the states of a run to the scenes of an animation."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sculptor_app.diffusion.any_trajectory import AnyTrajectory
from sculptor_app.exports.drawing import DARK, LIGHT, new_paper
from sculptor_app.exports.gif_caption import Cell, caption_height, draw_caption
from sculptor_app.exports.gif_chart import LEAST_HEIGHT_PX, EnergyChart, chart_width
from sculptor_app.exports.gif_encoder import Scene
from sculptor_app.exports.gif_options import GifOptions
from sculptor_app.exports.gif_palette import distinct, nearest, quantised
from sculptor_app.exports.gif_plan import GAP_PX, geometry, kinds_of
from sculptor_app.measures.pictures import picture
from sculptor_app.measures.recording import RunMeasures, Source

Bytes = NDArray[np.uint8]

_PLAIN_COLOURS = 2
_CAPTION_COLOURS = 28
_CHART_COLOURS = 72


class SceneMaker:
    """Draws the scene of any state of a run.

    Args:
        trajectory: the run.
        measures: its band energies; needed for a plot only.
        options: what is wanted.
        states: the states that will be drawn; the sheet's colours are chosen from some of them.
    """

    def __init__(
        self, trajectory: AnyTrajectory, measures: RunMeasures | None, options: GifOptions, states: tuple[int, ...]
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
        self.colours = self._choose_colours(states)
        self._drawn: Bytes | None = None
        self._indexed: Bytes | None = None

    @property
    def scale(self) -> int:
        """Sheet pixels per native pixel."""
        return self._geometry.scale

    def scene(self, k: int) -> Scene:
        """The scene of state k, which must hold every kind of picture that is shown."""
        pictures = [picture(self._trajectory, k, kind) for kind in self._kinds]
        limits = [shown.limit for shown in pictures]
        native = np.concatenate([self._shrunk(shown.rgb) for shown in pictures if shown.rgb is not None], axis=1)
        width = self._geometry.width
        places = tuple(
            (index * width // self.scale, width // self.scale, index * (width + GAP_PX))
            for index in range(len(pictures))
        )
        return Scene(native, self._in_colours(np.asarray(self._sheet(k, limits))), places)

    def _shrunk(self, rgb: Bytes) -> Bytes:
        """Averaged down by the whole factor, if the run's pictures are larger than what was asked for."""
        block = self._geometry.shrink
        if block == 1:
            return rgb
        height, width = self._geometry.height * block, self._geometry.width * block
        small: Bytes = np.asarray(Image.fromarray(np.ascontiguousarray(rgb[:height, :width])).reduce(block))
        return small

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

    def _choose_colours(self, states: tuple[int, ...]) -> Bytes:
        """Few colours for all sheets: those of the first, the middle and the last; the paper exactly."""
        most = _CHART_COLOURS if self._chart else _CAPTION_COLOURS if self._options.caption else _PLAIN_COLOURS
        chosen = sorted({states[0], states[len(states) // 2], states[-1]})
        sheets = [np.asarray(self._sheet(k, [0.25] * len(self._kinds))).reshape(-1, 3) for k in chosen]
        colours, _, counts = distinct(np.concatenate(sheets))
        common = colours[np.argsort(-counts)]
        exact, rest = common[: most // 2], common[most // 2 :]
        return exact if not len(rest) else np.concatenate([exact, quantised(rest, most - len(exact))[1]])

    def _in_colours(self, sheet: Bytes) -> Bytes:
        """Indices (H, W) of a sheet; only what differs from the sheet before is looked up."""
        if self._drawn is None or self._indexed is None:
            changed, indexed = np.ones(sheet.shape[:2], bool), np.zeros(sheet.shape[:2], np.uint8)
        else:
            changed, indexed = (sheet != self._drawn).any(2), self._indexed.copy()
        if changed.any():
            colours, inverse, _ = distinct(sheet[changed])
            indexed[changed] = nearest(colours, self.colours)[inverse]
        self._drawn, self._indexed = sheet, indexed
        return indexed


def sheet_size(trajectory: AnyTrajectory, options: GifOptions) -> tuple[int, int]:
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
