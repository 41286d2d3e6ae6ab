"""Geometry and painting of the timeline: cells of states, phases, cursor and measured marks.

Every state 0..N has a cell of equal width, so the cursor of step k stands in the middle of a cell that belongs to one
phase alone, also at a border between two.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from sculptor_app.core.trajectory.levels import PhaseSpan
from sculptor_app.ui.theme import band_colour, fonts, paint_icon, phase_colour, theme
from sculptor_app.ui.widgets.names import band_name, phase_name, short_phase_name, step_range


@dataclass(frozen=True, slots=True)
class Axis:
    """The states 0..planned on a stretch of `width` pixels from `left`."""

    left: float
    width: float
    planned: int

    @property
    def cell(self) -> float:
        """Width of one state."""
        return self.width / (self.planned + 1)

    @property
    def right(self) -> float:
        """Right end of the last state."""
        return self.left + self.width

    def centre(self, step: int) -> float:
        """The x of a state's middle."""
        return self.left + (step + 0.5) * self.cell

    def start(self, step: int) -> float:
        """The x of a state's left edge; `planned + 1` gives the right end."""
        return self.left + step * self.cell

    def step_at(self, x: float) -> int:
        """The state whose cell x lies in, the nearest one outside."""
        return min(max(int((x - self.left) // self.cell), 0), self.planned)

    def stretch(self, span: PhaseSpan) -> tuple[float, float]:
        """Left and right of a phase."""
        return self.start(span.first_step), self.start(span.last_step + 1)


def spread(
    centres: Sequence[float], widths: Sequence[float], left: float, right: float, gap: float
) -> list[float] | None:
    """Left ends for labels near their centres, none over another or outside [left, right]; None without enough room.

    Args:
        centres: where each label would best be centred, rising.
        left, right: where the first may begin, and the last must end.
        gap: least distance between neighbours.
    """
    if not widths or sum(widths) + gap * (len(widths) - 1) > right - left:
        return None if widths else []
    places: list[float] = []
    edge = left
    for centre, width in zip(centres, widths, strict=True):
        places.append(max(edge, centre - width / 2))
        edge = places[-1] + width + gap
    edge = right
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], edge - widths[index])
        edge = places[index] - gap
    return places


BUBBLE_HEIGHT = 19.0
BAR_TOP = 23.0
BAR_HEIGHT = 35.0
MARKS_TOP = BAR_TOP + BAR_HEIGHT + 3
HEIGHT = 86
_MARK_TEXT_TOP = MARKS_TOP + 9
CURSOR_PX = 7.0
"""How far the cursor's line reaches into the bar from above and from below."""
_ICON = 20.0
_PAD = 8.0
_LEAST_PAD = 3.0
_GAP = 6.0


@dataclass(frozen=True, slots=True)
class Label:
    """What of a phase's label finds room: pictogram, name, steps."""

    pictogram: bool
    name: str
    steps: str
    type_scale: int = 0  # of the name: usual, small, or small and narrow

    @property
    def name_font(self) -> QFont:
        font = fonts.small_strong() if self.type_scale else fonts.strong()
        if self.type_scale > 1:
            font.setStretch(85)
        return font


def label_that_fits(span: PhaseSpan, width: float) -> Label:
    """The longest label for a stretch of `width` pixels.

    All, without the steps, a short name, that in small type with and without the pictogram, in narrow type, the
    pictogram, nothing.
    """
    name, short = phase_name(span.phase.key), short_phase_name(span.phase.key)
    steps = step_range(span.first_step, span.last_step)
    room = width - 2 * _PAD
    for label in (
        Label(True, name, steps), Label(True, name, ""), Label(True, short, ""), Label(True, short, "", 1),
        Label(False, short, "", 1), Label(False, short, "", 2),
    ):  # fmt: skip
        needed = QFontMetricsF(label.name_font).horizontalAdvance(label.name)
        if label.steps:
            needed += _GAP + QFontMetricsF(fonts.small()).horizontalAdvance(label.steps)
        if (room - _ICON - _GAP if label.pictogram else width - 2 * _LEAST_PAD) >= needed:
            return label
    return Label(width >= _ICON + 6, "", "")


def paint_noise(painter: QPainter, axis: Axis) -> None:
    """The cell of state 0, the raw block: no phase's colour."""
    tokens = theme().tokens
    cell = QRectF(axis.left, BAR_TOP, max(axis.cell, 2.0) - 1, BAR_HEIGHT)
    painter.fillRect(cell, QColor(tokens.pressed))
    _hatch(painter, cell, QColor(tokens.hairline_strong), 4)


def paint_empty(painter: QPainter, axis: Axis, text: str) -> None:
    """The bar of no run, and why it is empty."""
    box = QRectF(axis.left, BAR_TOP, axis.right - axis.left - 1, BAR_HEIGHT)
    painter.fillRect(box, QColor(theme().tokens.well))
    painter.setFont(fonts.body())
    painter.setPen(QColor(theme().tokens.muted))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def paint_noise_label(painter: QPainter, axis: Axis, text: str) -> None:
    """The word on that cell, where it is wide enough."""
    if QFontMetricsF(fonts.small()).horizontalAdvance(text) + 6 <= axis.cell:
        painter.setFont(fonts.small())
        painter.setPen(QColor(theme().tokens.muted))
        painter.drawText(QRectF(axis.left, BAR_TOP, axis.cell - 1, BAR_HEIGHT), Qt.AlignmentFlag.AlignCenter, text)


def paint_unknown(painter: QPainter, axis: Axis) -> None:
    """A ground under all steps, seen where no phase covers it: the noise levels of those steps are not known."""
    box = QRectF(axis.start(1), BAR_TOP, axis.right - axis.start(1) - 1, BAR_HEIGHT)
    painter.fillRect(box, QColor(theme().tokens.pressed))


def paint_unknown_label(painter: QPainter, axis: Axis, text: str) -> None:
    """The sentence on that ground where no step has a phase."""
    box = QRectF(axis.start(1) + _PAD, BAR_TOP, axis.right - axis.start(1) - 2 * _PAD, BAR_HEIGHT)
    painter.setFont(fonts.small())
    painter.setPen(QColor(theme().tokens.muted))
    fitting = QFontMetricsF(fonts.small()).elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, fitting)


def paint_phase(painter: QPainter, axis: Axis, span: PhaseSpan) -> None:
    """One phase as a coloured stretch."""
    left, right = axis.stretch(span)
    box = QRectF(left, BAR_TOP, max(right - left - 1, 1), BAR_HEIGHT)
    painter.fillRect(box, phase_colour(span.phase.key))


def paint_label(painter: QPainter, axis: Axis, span: PhaseSpan) -> None:
    """What finds room of a phase's label: pictogram, name, steps."""
    left, right = axis.stretch(span)
    box = QRectF(left, BAR_TOP, max(right - left - 1, 1), BAR_HEIGHT)
    label = label_that_fits(span, box.width())
    tokens = theme().tokens
    x = box.left() + (_PAD if label.name else (box.width() - _ICON) / 2)
    if label.pictogram:
        place = QRectF(x, box.center().y() - _ICON / 2, _ICON, _ICON)
        paint_icon(painter, f"phase-{span.phase.key}", place, tokens.on_phase)
        x += _ICON + _GAP
    name_font = label.name_font
    if label.name and not label.pictogram:
        x = box.center().x() - QFontMetricsF(name_font).horizontalAdvance(label.name) / 2
    flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextDontClip
    for text, font, ink in (
        (label.name, name_font, tokens.on_phase),
        (label.steps, fonts.small(), tokens.on_phase_muted),
    ):
        painter.setFont(font)
        painter.setPen(QColor(ink))
        painter.drawText(QRectF(x, box.top(), box.right() - x, box.height()), flags, text)
        x += QFontMetricsF(font).horizontalAdvance(text) + _GAP


def paint_missing(painter: QPainter, axis: Axis, available: int) -> None:
    """A veil and hatching over the steps that are not computed yet."""
    if available >= axis.planned:
        return
    left = axis.start(available + 1)
    box = QRectF(left, BAR_TOP, axis.right - left, BAR_HEIGHT)
    tokens = theme().tokens
    veil = QColor(tokens.window)
    veil.setAlphaF(0.55)
    painter.fillRect(box, veil)
    hatch = QColor(tokens.on_phase)
    hatch.setAlphaF(0.16)
    _hatch(painter, box, hatch, 7)


def _hatch(painter: QPainter, box: QRectF, ink: QColor, spacing: int) -> None:
    """Slanted hairlines; Qt's brush patterns would come out at device pixels, too fine on a dense screen."""
    painter.save()
    painter.setClipRect(box, Qt.ClipOperation.IntersectClip)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(ink, 1))
    first = int(box.left() // spacing) * spacing
    lines = [
        QLineF(x, box.bottom(), x + box.height(), box.top())
        for x in range(first - int(box.height()), int(box.right()) + spacing, spacing)
    ]
    painter.drawLines(lines)
    painter.restore()


def paint_fork(painter: QPainter, axis: Axis, step: int) -> None:
    """Where a run left another one: a line behind a state, with a branch at its upper end."""
    tokens = theme().tokens
    x = round(axis.start(step + 1)) - 0.5
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    faint = QColor(tokens.text)
    faint.setAlphaF(0.25)  # there it may cross a label
    painter.setPen(QPen(faint, 1.5))
    painter.drawLine(QPointF(x, BAR_TOP), QPointF(x, BAR_TOP + BAR_HEIGHT))
    painter.setPen(QPen(QColor(tokens.text), 1.5))
    for top, bottom in (
        (BAR_TOP - 2, BAR_TOP + CURSOR_PX),
        (BAR_TOP + BAR_HEIGHT - CURSOR_PX, BAR_TOP + BAR_HEIGHT + 2),
    ):
        painter.drawLine(QPointF(x, top), QPointF(x, bottom))
    for across in (-4.0, 4.0):
        painter.drawLine(QPointF(x, BAR_TOP - 2), QPointF(x + across, BAR_TOP - 7))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def paint_cursor(painter: QPainter, axis: Axis, step: int, has_focus: bool) -> None:
    """The line at a state and its number in a bubble over it."""
    tokens = theme().tokens
    x = axis.centre(step)
    font = fonts.small_strong()
    text = str(step)
    width = max(QFontMetricsF(font).horizontalAdvance(text) + 14, 26)
    left = min(max(x - width / 2, 1), axis.right + axis.left - width - 1)
    bubble = QRectF(left, 1, width, BUBBLE_HEIGHT - 2)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(tokens.window), 1))
    painter.setBrush(QColor(tokens.bubble))
    painter.drawRect(QRectF(x - 1.5, BUBBLE_HEIGHT - 3, 3, BAR_TOP - BUBBLE_HEIGHT + 3))
    painter.drawRect(QRectF(x - 1.5, BAR_TOP + BAR_HEIGHT, 3, 3))
    for top in (BAR_TOP, BAR_TOP + BAR_HEIGHT - CURSOR_PX):  # between them stand the labels
        painter.fillRect(QRectF(x - 1, top, 2, CURSOR_PX), QColor(tokens.bubble))
    if has_focus:
        painter.setPen(QPen(QColor(tokens.focus), 2))
        painter.drawRoundedRect(bubble, 8.5, 8.5)
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(bubble, 8.5, 8.5)
    painter.setPen(QColor(tokens.on_bubble))
    painter.setFont(font)
    painter.drawText(bubble, Qt.AlignmentFlag.AlignCenter, text)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


@dataclass(frozen=True, slots=True)
class Mark:
    """The bands that stayed settled from one step on, in the order of their frequencies, and what is written of it."""

    step: int
    bands: tuple[str, ...]
    parts: tuple[str, ...]  # of its text: the names of the bands, the last one with the step, or the step alone
    left: float = 0.0
    width: float = 0.0

    @property
    def text(self) -> str:
        return "".join(self.parts)


def placed_marks(
    axis: Axis, marks: Sequence[tuple[str, int]], left: float, right: float, bounds: Collection[str] = ()
) -> list[Mark]:
    """One mark for each step, rising, with its text: named, in figures alone, or none, as far as there is room.

    Texts stand as near to their marks as their neighbours let them, in the same order, in [left, right].

    Args:
        bounds: bands of which no more is known than that it was by that step: "≤ 4".
    """
    steps: dict[int, list[str]] = {}
    for band, step in marks:
        steps.setdefault(step, []).append(band)
    ordered = sorted(steps.items())
    metrics = QFontMetricsF(fonts.small())
    centres = [axis.centre(step) for step, _ in ordered]
    for is_named in (True, False):
        parts = [_mark_parts(bands, step, bounds) if is_named else (_step_text(bands, step, bounds),)
                 for step, bands in ordered]  # fmt: skip
        widths = [sum(metrics.horizontalAdvance(part) for part in each) for each in parts]
        places = spread(centres, widths, left, right, 12)
        if places is not None:
            rows = zip(ordered, parts, places, widths, strict=True)
            return [Mark(step, tuple(bands), each, x, width) for (step, bands), each, x, width in rows]
    return [Mark(step, tuple(bands), ()) for step, bands in ordered]


def _step_text(bands: Sequence[str], step: int, bounds: Collection[str]) -> str:
    return f"≤ {step}" if all(band in bounds for band in bands) else f"{step}"


def _mark_parts(bands: Sequence[str], step: int, bounds: Collection[str]) -> tuple[str, ...]:
    """The step stands once where it is as well known of all bands, else after each."""
    steps = [_step_text((band,), step, bounds) for band in bands]
    told = [f"{band_name(band)} {at}" for band, at in zip(bands, steps, strict=True)]
    if len(set(steps)) == 1:
        told = [*(band_name(band) for band in bands[:-1]), told[-1]]
    return *(f"{each}, " for each in told[:-1]), told[-1]


def paint_marks(
    painter: QPainter, axis: Axis, marks: Sequence[tuple[str, int]], room: QRectF, word: str = "",
    bounds: Collection[str] = (),
) -> None:  # fmt: skip
    """Triangles at the steps from which bands stayed settled, their names below; a line leads to one that is aside.

    Args:
        word: what they mean, before the first of them, where there is room.
        bounds: as for `placed_marks`.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(fonts.small())
    metrics = QFontMetricsF(fonts.small())
    placed = placed_marks(axis, marks, room.left(), room.right(), bounds)
    if word and placed and placed[0].parts and placed[0].left > room.left() + metrics.horizontalAdvance(word) + 10:
        painter.setPen(QColor(theme().tokens.muted))
        box = QRectF(room.left(), _MARK_TEXT_TOP, placed[0].left - room.left(), room.bottom() - _MARK_TEXT_TOP)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip, word)
    for mark in placed:
        x = axis.centre(mark.step)
        _paint_triangle(painter, x, mark.bands)
        if not mark.parts:
            continue
        nearest = min(max(x, mark.left + 4), mark.left + mark.width - 4)
        if abs(nearest - x) > 4 or len(mark.bands) > 1 or abs(mark.left + mark.width / 2 - x) > 4:
            painter.setPen(QPen(QColor(theme().tokens.muted), 1))
            painter.drawLine(QPointF(x, MARKS_TOP + 5), QPointF(nearest, _MARK_TEXT_TOP + 3))
        left = mark.left
        for index, part in enumerate(mark.parts):
            painter.setPen(band_colour(mark.bands[index]))
            width = metrics.horizontalAdvance(part)
            box = QRectF(left, _MARK_TEXT_TOP, width, room.bottom() - _MARK_TEXT_TOP)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip, part)
            left += width
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _paint_triangle(painter: QPainter, x: float, bands: Sequence[str]) -> None:
    """A triangle with a stripe in the colour of each band."""
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    stripe = 8 / len(bands)
    for index, band in enumerate(bands):
        painter.setClipRect(QRectF(x - 4 + index * stripe, MARKS_TOP - 2, stripe, 8))
        painter.setBrush(band_colour(band))
        painter.drawPolygon([QPointF(x, MARKS_TOP - 1), QPointF(x - 4, MARKS_TOP + 5), QPointF(x + 4, MARKS_TOP + 5)])
    painter.restore()
