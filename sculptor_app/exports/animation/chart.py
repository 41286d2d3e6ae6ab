"""The energy per band over the steps, drawn once; only the cursor moves from frame to frame."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sculptor_app.core.colours import BAND_DASHES
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.levels import DEFAULT_SETTLING_RULE, SETTLING_RULES
from sculptor_app.exports.animation.drawing import (
    DOT,
    Inks,
    Point,
    blend,
    first_that_fits,
    new_paper,
    polyline,
    typeface,
)
from sculptor_app.exports.animation.plan import share_done
from sculptor_app.measures.forward import noise_floors
from sculptor_app.measures.run_measures import RunMeasures, Source
from sculptor_app.measures.spectrum import BANDS

LEAST_HEIGHT_PX = 170
_FINE = 3  # lines are drawn three times as large and averaged down
_MOST_DECADES = 8
_TINT = 0.30
_DASH = 1.5  # pixels of a unit of dash: a little less than a line is wide, as a chart is small
_FLOOR_WIDTH, _FLOOR_SHARE = 4, 0.6  # thinner than the bands' lines, and that much of quiet ink on the paper
_SOURCE_NAMES: dict[Source, str] = {"guess": "current guess", "state": "noisy state"}
_RING = 4.5 * _FINE  # radius of a ring where a band has settled, on the large paper
_TOP, _LEFT, _RIGHT, _BOTTOM = 30, 30, 62, 42  # margins around the axes, in pixels
_TYPE, _SMALL = 13, 11


def chart_width(height: int) -> int:
    """Width in pixels of a chart of that height."""
    return max(260, round(1.2 * height))


class EnergyChart:
    """A chart of one run, ready to be copied for each frame; its steps run in the order in which they are played.

    Args:
        source: whose energies, "guess" or "state".
        height: pixels, at least LEAST_HEIGHT_PX.
        into_noise: as for `draw_caption`.
        settled_by: rule by which rings on the guess' lines say where a band of a finished run has settled.
    """

    def __init__(
        self,
        trajectory: AnyTrajectory,
        measures: RunMeasures,
        source: Source,
        height: int,
        inks: Inks,
        into_noise: bool = False,
        settled_by: str = DEFAULT_SETTLING_RULE,
    ) -> None:
        self._marks: dict[int, int] = {}  # by number of the band
        if source == "guess" and not into_noise:  # backward, it is no longer that it settles
            self._marks = {band: k for band, k in enumerate(measures.settled(settled_by)) if k is not None}
        self._settled_by = SETTLING_RULES[settled_by].name
        self.width, self.height = chart_width(height), height
        self._inks, self._steps, self._into_noise = inks, trajectory.planned_steps, into_noise
        with np.errstate(divide="ignore"):
            values = np.log10(measures.energies(source))
            floor = np.log10(noise_floors(measures, trajectory.levels)) if source == "state" else np.empty(0)
        self._values = np.where(np.isfinite(values), values, np.nan)
        self._floor = np.where(np.isfinite(floor), floor, np.nan)
        self._low, self._high = _value_range(self._values)
        self._values = np.maximum(self._values, self._low)
        self._base = self._drawn(trajectory, measures, source)

    def at(self, k: int) -> Image.Image:
        """The chart with its cursor at state k, an RGB picture."""
        sheet = self._base.copy()
        draw = ImageDraw.Draw(sheet)
        x = round(self._x(k))
        draw.line((x, _TOP, x, self.height - _BOTTOM), fill=self._inks.text)
        for band, value in zip(BANDS, self._values[k] if k < len(self._values) else (), strict=False):
            if not math.isnan(value):
                y = round(self._y(value))
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=self._inks.bands[band.key], outline=self._inks.paper)
        return sheet

    def _x(self, k: int) -> float:
        return self._across(share_done(k, self._steps, self._into_noise))

    def _across(self, share: float) -> float:
        return _LEFT + share * (self.width - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        return _TOP + (self._high - value) / (self._high - self._low) * (self.height - _TOP - _BOTTOM)

    def _drawn(self, trajectory: AnyTrajectory, measures: RunMeasures, source: Source) -> Image.Image:
        sheet = self._lines(trajectory)
        draw = ImageDraw.Draw(sheet)
        titles = (f"Energy per band of the {_SOURCE_NAMES[source]}", f"Energy, {_SOURCE_NAMES[source]}")
        title = first_that_fits(titles, typeface(_TYPE), self.width - _LEFT)
        draw.text((_LEFT, 19), title, self._inks.text, typeface(_TYPE), anchor="ls")
        self._ticks(draw)
        self._names(draw)
        window = "Hann window" if measures.window == "hann" else "no window"
        steps = "layers" if self._into_noise else "steps"
        parts = ["log10 of power", measures.space, window, steps]
        texts = [DOT.join(parts), " · ".join(parts), " · ".join(parts[:3])]
        if np.isfinite(self._floor).any():
            pale = "pale: noise floor"
            texts = [" · ".join([*shorter, pale]) for shorter in (parts, parts[:3], parts[:2], parts[:1])] + texts
        if self._marks:
            rings = f"rings: settled by {self._settled_by}"
            texts = [" · ".join([*shorter, rings]) for shorter in (parts, parts[:2], parts[:1])] + [rings] + texts
        about = first_that_fits(texts, typeface(_SMALL), self.width - _LEFT - 4)
        draw.text((_LEFT, self.height - 9), about, self._inks.muted, typeface(_SMALL), anchor="ls")
        return sheet

    def _lines(self, trajectory: AnyTrajectory) -> Image.Image:
        """Shaded phases and the four lines, without steps in their edges."""
        fine = new_paper(self.width * _FINE, self.height * _FINE, self._inks)
        draw = ImageDraw.Draw(fine)
        top, bottom = _TOP * _FINE, (self.height - _BOTTOM) * _FINE
        for span in trajectory.spans:
            left, right = sorted(self._x(state) * _FINE for state in (span.first_step - 1, span.last_step))
            ink = blend(self._inks.phases[span.phase.key], self._inks.paper, _TINT)
            draw.rectangle((round(left), top, round(right), bottom), fill=ink)
        self._draw_floor(draw)
        for index, band in enumerate(BANDS):
            dash = [_DASH * _FINE * length for length in BAND_DASHES[band.key]]
            for points in _runs(self._values[:, index]):
                places: list[Point] = [(self._x(k) * _FINE, self._y(value) * _FINE) for k, value in points]
                polyline(draw, places, self._inks.bands[band.key], 2 * _FINE, dash)
        for index, k in self._marks.items():
            x, y, ink = self._x(k) * _FINE, self._y(self._values[k, index]) * _FINE, self._inks.bands[BANDS[index].key]
            box = tuple(round(place) for place in (x - _RING, y - _RING, x + _RING, y + _RING))
            draw.ellipse(box, fill=self._inks.paper, outline=ink, width=2 * _FINE)
        return fine.resize((self.width, self.height), Image.Resampling.BOX)

    def _draw_floor(self, draw: ImageDraw.ImageDraw) -> None:
        """The noise floor, thin and pale, as dashes are those of bands; where it leaves the axes it is wiped away."""
        for points in _runs(self._floor):
            places: list[Point] = [(self._x(k) * _FINE, self._y(value) * _FINE) for k, value in points]
            polyline(draw, places, blend(self._inks.muted, self._inks.paper, _FLOOR_SHARE), _FLOOR_WIDTH, [])
        width, height = self.width * _FINE, self.height * _FINE
        for above, below in ((0, _TOP * _FINE - 1), ((self.height - _BOTTOM) * _FINE + 1, height)):
            draw.rectangle((0, above, width, below), fill=self._inks.paper)

    def _ticks(self, draw: ImageDraw.ImageDraw) -> None:
        """Numbers at both axes; whole powers of ten, and a few steps with the last."""
        font, bottom = typeface(_SMALL), self.height - _BOTTOM
        spread = max(1, math.ceil((self._high - self._low) / 5))
        for power in range(math.ceil(self._low), math.floor(self._high) + 1):
            if power % spread == 0:
                y = self._y(power)
                draw.line((_LEFT - 3, round(y), _LEFT, round(y)), fill=self._inks.muted)
                draw.text((_LEFT - 6, y), str(power), self._inks.muted, font, anchor="rm")
        for k in _step_ticks(self._steps):
            x = round(self._across(k / self._steps))
            draw.line((x, bottom, x, bottom + 3), fill=self._inks.muted)
            draw.text((x, bottom + 6), str(k), self._inks.muted, font, anchor="ma")

    def _names(self, draw: ImageDraw.ImageDraw) -> None:
        """The bands' names at the ends of their lines, moved apart where they would touch."""
        font, ends = typeface(_SMALL), []
        for index, band in enumerate(BANDS):
            points = [point for run in _runs(self._values[:, index]) for point in run]
            if points:
                ends.append((self._y(points[0 if self._into_noise else -1][1]), band))
        ends.sort(key=lambda end: end[0])
        places = _apart([y for y, _ in ends], 13, _TOP + 4, self.height - _BOTTOM - 4)
        for y, (_, band) in zip(places, ends, strict=True):
            draw.text((self.width - _RIGHT + 6, y), band.name, self._inks.bands[band.key], font, anchor="lm")


def _runs(values: NDArray[np.float64]) -> list[list[tuple[int, float]]]:
    """Stretches of (state, value) without gaps."""
    runs: list[list[tuple[int, float]]] = [[]]
    for k, value in enumerate(values):
        if math.isnan(value):
            runs.append([])
        else:
            runs[-1].append((k, float(value)))
    return [run for run in runs if run]


def _value_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest value with a little room; one decade where there is nothing.

    Of values that are next to nothing, as those of a blank first guess, eight decades below the highest are enough.
    """
    if np.isnan(values).all():
        return -0.5, 0.5
    high = float(np.nanmax(values))
    low = max(float(np.nanmin(values)), high - _MOST_DECADES)
    room = max(0.06 * (high - low), 0.1)
    return low - room, high + room


def _step_ticks(steps: int) -> list[int]:
    """About five round steps, and the last where it does not crowd the one before."""
    spacing = next(base * 10**power for power in range(9) for base in (1, 2, 5) if steps / (base * 10**power) <= 5.5)
    ticks = [k for k in range(0, steps + 1, spacing) if steps - k >= 0.6 * spacing]
    return [*ticks, steps]


def _apart(places: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Places in rising order, at least so far from one another, inside the bounds where there is room."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, low) if not moved else max(place, moved[-1] + distance))
    if moved:
        moved[-1] = min(moved[-1], high)
    for index in range(len(moved) - 2, -1, -1):
        moved[index] = min(moved[index], moved[index + 1] - distance)
    return moved
