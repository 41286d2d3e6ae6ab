"""The lane over the timeline with what changes along the next run: a band of guidance, and flags, to be dragged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.basics import show_tip
from sculptor_app.ui.widgets.names import step_range
from sculptor_app.ui.widgets.timeline_paint import Axis

ROW_PX, GAP_PX = 20.0, 4.0
_SIDE, _GRIP_PX, _REACH_PX, _PAD = 1, 4.0, 7.0, 7.0
_OFF_PX = 48
"""So far above or below the lane a change is dragged off it."""

BAND_FIRST, BAND_LAST, BAND = "first", "last", "band"
_KEYS = frozenset({Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Delete})
Part = str | int
"""What can be taken hold of: an end of the band, all of it, or the flag after a step, by that step."""


@dataclass(frozen=True, slots=True)
class GuidanceBand:
    """Guidance that counts from one step to another only."""

    first: int  # so many steps come before it, 0 or more
    last: int  # the last step that it counts in
    guidance: str  # as typed


@dataclass(frozen=True, slots=True)
class Flag:
    """What changes after a step."""

    after: int
    text: str


class ChangesLane(QWidget):
    """A lane as wide as the timeline, on the same steps; it takes no room while nothing changes.

    What it shows changes when it is told so, not when a person asks for it.

    Signals:
        band_requested: the band is to lie after one step and up to another.
        flag_requested: the flag after a step is to stand after another one.
        removal_requested: a part is to go: BAND, or the step of a flag.
        edit_requested: a part is to be edited: BAND, or the step of a flag.
    """

    band_requested = Signal(int, int)
    flag_requested = Signal(int, int)
    removal_requested = Signal(object)
    edit_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._planned = 0
        self._snr: Sequence[str] = ()
        self._band: GuidanceBand | None = None
        self._flags: tuple[Flag, ...] = ()
        self._chosen: Part | None = None
        self._held: Part | None = None
        self._grabbed_at = 0  # of the whole band: the step under the pointer, less its first
        self._is_off = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Changes along the next run"))
        theme().changed.connect(self.update)
        self.hide()

    # What it shows

    def show_changes(
        self, planned: int, band: GuidanceBand | None, flags: Sequence[Flag], snr: Sequence[str] = ()
    ) -> None:
        """Show what changes along a run of so many steps.

        Args:
            flags: By rising steps, one for each.
            snr: Signal-to-noise ratio of the states 0..N as words; may be left out.
        """
        had_rows = self._rows
        self._planned, self._band, self._flags, self._snr = planned, band, tuple(flags), snr
        if self._chosen not in self.parts:
            self._chosen = next(iter(self.parts), None)
        self.setVisible(bool(planned and self.parts))
        if self._rows != had_rows:
            self.updateGeometry()
        self._describe()
        self.update()

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the keyboard goes through: both ends of the band, and the flags."""
        ends: tuple[Part, ...] = () if self._band is None else (BAND_FIRST, BAND_LAST)
        return (*ends, *(flag.after for flag in self._flags))

    @property
    def chosen(self) -> Part | None:
        """The part that keys move."""
        return self._chosen

    def choose(self, part: Part) -> None:
        """Have keys move another part."""
        self._chosen = part
        self._describe()
        self.update()

    @property
    def band_text(self) -> str:
        """As "guidance 1.75, steps 6–31"."""
        band = self._band
        if band is None:
            return ""
        return self.tr("guidance {0}, steps {1}").format(band.guidance, step_range(band.first + 1, band.last))

    def x_after(self, step: int) -> float:
        """Where the border after a step is, in pixels."""
        return self._axis.start(step + 1)

    def tip(self, part: Part) -> str:
        """What a part says of itself, and what can be done with it."""
        whose, edit = self.tr("Of the next run."), self.tr("Double-click it to edit it.")
        how = self.tr("Drag it, or choose it and press Left or Right; Delete takes it away.")
        if isinstance(part, int):
            text = next((flag.text for flag in self._flags if flag.after == part), "")
            said = self.tr("{0} after step {1}").format(text, part) + self._level(part)
            return f"{said}\n{whose} {how} {edit}"
        band = self._band
        if band is None:
            return ""
        ends = [f"{each}{self._level(each)}" for each in (band.first, band.last)]
        said = self.tr("Guidance {0} counts after step {1} and up to step {2}, else it is 1.").format(
            band.guidance, *ends
        )
        return f"{said}\n{whose} {how}"

    def _level(self, step: int) -> str:
        return self.tr(" (SNR {0})").format(self._snr[step]) if step < len(self._snr) else ""

    def _describe(self) -> None:
        said = "" if self._chosen is None else self.tip(self._chosen)
        self.setAccessibleDescription(said.replace("\n", " "))

    # Geometry

    @property
    def _axis(self) -> Axis:
        return Axis(_SIDE, max(1.0, self.width() - 2.0 * _SIDE), self._planned)

    @property
    def _rows(self) -> int:
        return (self._band is not None) + bool(self._flags)

    def _band_box(self) -> QRectF:
        assert self._band is not None
        left, right = self.x_after(self._band.first), self.x_after(self._band.last)
        return QRectF(left, 0.5, max(right - left - 1, 2 * _GRIP_PX), ROW_PX - 1)

    def _flag_boxes(self) -> list[tuple[Flag, QRectF, str]]:
        """Flags with their boxes, and as much of their texts as there is room for; none over another."""
        top = 0.5 + (ROW_PX + GAP_PX) * (self._band is not None)
        metrics, right_end = QFontMetricsF(fonts.small()), self._axis.right
        places = [self.x_after(flag.after) for flag in self._flags]
        made, taken = [], self._axis.left
        for number, (flag, x) in enumerate(zip(self._flags, places, strict=True)):
            until = places[number + 1] - 3 if number + 1 < len(places) else right_end
            wanted = metrics.horizontalAdvance(flag.text) + 2 * _PAD
            if wanted > until - x and number + 1 == len(places) and wanted <= x - taken:
                box = QRectF(x - wanted, top, wanted, ROW_PX - 1)  # there is no room at its right
            else:
                box = QRectF(x, top, max(2 * _GRIP_PX, min(wanted, until - x)), ROW_PX - 1)
            text = metrics.elidedText(flag.text, Qt.TextElideMode.ElideRight, box.width() - 2 * _PAD + 1)
            made.append((flag, box, text if box.width() > 3 * _PAD else ""))
            taken = box.right() + 3
        return made

    def part_at(self, point: QPointF) -> Part | None:
        """The part under a point; None for none."""
        for flag, box, _ in reversed(self._flag_boxes()):
            if box.adjusted(-3, -2, 3, 2).contains(point):
                return flag.after
        if self._band is None or point.y() > ROW_PX + GAP_PX / 2:
            return None
        box = self._band_box()
        ends = {BAND_FIRST: abs(point.x() - box.left()), BAND_LAST: abs(point.x() - box.right())}
        nearest = min(ends, key=lambda part: ends[part])
        if ends[nearest] <= min(_REACH_PX, max(_GRIP_PX, box.width() / 3)):
            return nearest
        return BAND if box.contains(point) else None

    def _step_at(self, x: float) -> int:
        """The step whose end is nearest."""
        return round((x - self._axis.left) / self._axis.cell) - 1

    # What a person asks for

    def _move(self, part: Part, step: int) -> None:
        """Ask for a part to be moved, as far as it can be."""
        band = self._band
        if isinstance(part, int):
            step = min(max(step, 1), self._planned - 1)
            if step != part:
                self._held = step if self._held == part else self._held
                self._chosen = step
                self.flag_requested.emit(part, step)
            return
        if band is None:
            return
        first, last = band.first, band.last
        if part == BAND_FIRST:
            first = min(max(step, 0), last - 1)
        elif part == BAND_LAST:
            last = min(max(step, first + 1), self._planned)
        else:
            first = min(max(step, 0), self._planned - (last - first))
            last = first + band.last - band.first
        if (first, last) != (band.first, band.last):
            self.band_requested.emit(first, last)

    def _remove(self, part: Part) -> None:
        self.removal_requested.emit(part if isinstance(part, int) else BAND)

    # Qt overrides

    def sizeHint(self) -> QSize:
        return QSize(600, round(self._rows * ROW_PX + max(0, self._rows - 1) * GAP_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(fonts.small())
        if self._band is not None:
            self._paint_band(painter)
        for flag, box, text in self._flag_boxes():
            self._paint_flag(painter, flag, box, text)
        painter.end()

    def _paint_band(self, painter: QPainter) -> None:
        tokens, box, axis = theme().tokens, self._band_box(), self._axis
        middle = box.center().y()
        painter.setOpacity(0.35 if self._is_off and not isinstance(self._held, int) else 1.0)
        painter.setPen(QPen(QColor(tokens.hairline_strong), 1))
        for left, right in ((axis.start(1), box.left()), (box.right(), axis.right)):
            self._paint_outside(painter, QRectF(left, box.top(), max(0.0, right - left), box.height()), middle)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.accent_soft))
        painter.drawRoundedRect(box, 4, 4)
        painter.setBrush(QColor(tokens.accent))
        for part, x in ((BAND_FIRST, box.left()), (BAND_LAST, box.right() - _GRIP_PX)):
            painter.drawRoundedRect(QRectF(x, box.top(), _GRIP_PX, box.height()), 2, 2)
            if self.hasFocus() and self._chosen == part:
                self._paint_focus(painter, QRectF(x - 2, box.top(), _GRIP_PX + 4, box.height()))
        painter.setPen(QColor(tokens.accent_text))
        assert self._band is not None
        room = box.width() - 2 * (_PAD + _GRIP_PX)
        metrics = QFontMetricsF(fonts.small())
        for text in (self.band_text, self.tr("guidance {0}").format(self._band.guidance), self._band.guidance):
            if metrics.horizontalAdvance(text) <= room:
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
                break
        painter.setOpacity(1.0)

    def _paint_outside(self, painter: QPainter, room: QRectF, middle: float) -> None:
        """The line beside the band, where guidance is 1, which it says if it can."""
        text, metrics = self.tr("guidance 1"), QFontMetricsF(fonts.small())
        width = metrics.horizontalAdvance(text)
        painter.setPen(QPen(QColor(theme().tokens.hairline_strong), 1))
        if room.width() < width + 4 * _PAD:
            painter.drawLine(QPointF(room.left(), middle), QPointF(room.right(), middle))
            return
        start = room.center().x() - width / 2
        painter.drawLine(QPointF(room.left(), middle), QPointF(start - _PAD, middle))
        painter.drawLine(QPointF(start + width + _PAD, middle), QPointF(room.right(), middle))
        painter.setPen(QColor(theme().tokens.muted))
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_flag(self, painter: QPainter, flag: Flag, box: QRectF, text: str) -> None:
        tokens, x = theme().tokens, self.x_after(flag.after)
        painter.setOpacity(0.35 if self._is_off and self._held == flag.after else 1.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.accent_soft))
        painter.drawRoundedRect(box, 3, 3)
        painter.setBrush(QColor(tokens.accent))
        pole = QRectF(x - (box.left() < x) * 3, box.top(), 3, self.height() - box.top())
        painter.drawRect(pole)
        if self.hasFocus() and self._chosen == flag.after:
            self._paint_focus(painter, box)
        painter.setPen(QColor(tokens.accent_text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.setOpacity(1.0)

    def _paint_focus(self, painter: QPainter, box: QRectF) -> None:
        painter.save()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(theme().tokens.focus), 2))
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 3, 3)
        painter.restore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        part = self.part_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton or part is None:
            event.ignore()
            return
        self._held, self._is_off = part, False
        if part == BAND and self._band is not None:
            self._grabbed_at = self._step_at(event.position().x()) - self._band.first
        self.choose(BAND_FIRST if part == BAND else part)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        part = self._held
        if part is None:
            over = self.part_at(event.position())
            shapes: dict[Part | None, Qt.CursorShape] = {
                None: Qt.CursorShape.ArrowCursor, BAND: Qt.CursorShape.OpenHandCursor
            }  # fmt: skip
            self.setCursor(shapes.get(over, Qt.CursorShape.SizeHorCursor))
            return
        y = event.position().y()
        self._is_off = not -_OFF_PX <= y <= self.height() + _OFF_PX
        if not self._is_off:
            step = self._step_at(event.position().x())
            self._move(part, step - self._grabbed_at if part == BAND else step)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        part, self._held = self._held, None
        was_off, self._is_off = self._is_off, False
        if part is not None and was_off:
            self._remove(part)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        part = self.part_at(event.position())
        self._held = None
        if part is not None:
            self.edit_requested.emit(part if isinstance(part, int) else BAND)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        part, parts, band = self._chosen, self.parts, self._band
        if part is None:
            event.ignore()
            return
        here = part if isinstance(part, int) else 0
        if band is not None and not isinstance(part, int):
            here = band.last if part == BAND_LAST else band.first
        match event.key():
            case Qt.Key.Key_Left:
                self._move(part, here - 1)
            case Qt.Key.Key_Right:
                self._move(part, here + 1)
            case Qt.Key.Key_Up | Qt.Key.Key_Down:
                towards = 1 if event.key() == Qt.Key.Key_Down else -1
                self.choose(parts[(parts.index(part) + towards) % len(parts)])
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace:
                self._remove(part)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_F2:
                self.edit_requested.emit(part if isinstance(part, int) else BAND)
            case _:
                event.ignore()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in _KEYS:
            event.accept()  # else they would move the run
            return True
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            part = self.part_at(QPointF(event.pos()))
            lane = QRect(self.mapToGlobal(QPoint()), self.size())
            show_tip(event.globalPos(), "" if part is None else self.tip(part), self, lane)
            return True
        return super().event(event)
