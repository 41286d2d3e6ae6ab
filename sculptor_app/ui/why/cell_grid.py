"""A grid of runs at the same step: the widget, and its presenter."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from sculptor_app.core.trajectory.levels import matching_state
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session.session import Session
from sculptor_app.ui.playback.presenter import PlaybackPresenter
from sculptor_app.ui.playback.texts import level_text, pixel_text
from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.why import cell_paint
from sculptor_app.ui.why.cell_layout import CellLayout, GridSpace, cell_layout, enlarged_layout
from sculptor_app.ui.why.experiments import Arrangement
from sculptor_app.ui.widgets.basics import Subject
from sculptor_app.ui.widgets.picture_source import PictureSource
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.exports.animation.plan import RunGrid

PICTURES_BYTES = 48 * 2**20
"""Most bytes of images that are kept, of all cells together."""

MARGIN, GAP, SPREAD = 16, 12, 42


class CellGrid(QWidget):
    """A grid of pictures, one frame of every run at the same step."""

    laid_out = Signal()  # the pictures have their places
    enlarge_requested = Signal(int)  # number of the cell that is to be shown large; -1 for none
    open_requested = Signal(int)  # number of the cell whose run is to be opened by itself
    pixel_hovered = Signal(str)  # cell and pixel under the pointer, and its values, in words; empty where there is none

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._arrangement = Arrangement(())
        self._runs: tuple[Trajectory, ...] = ()
        self._lead = 0  # number of the run whose steps are counted
        self._matched: dict[tuple[int, int, int], int] = {}  # states by cell, step of the lead, and newest state
        self._sources: list[PictureSource] = []
        self._step, self._kind = 0, FrameKind.CURRENT_GUESS
        self._enlarged = -1
        self._hovered = -1
        self._pressed = -1  # the cell that a second press opens, wherever it is by then
        self._pointer: QPointF | None = None  # where it is in this widget
        self._layout = CellLayout((), 1)
        self._background: QPixmap | None = None  # kept: it costs more than the pictures
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Grid of runs"))
        theme().changed.connect(self._invalidate)

    # Content

    def set_grid(self, arrangement: Arrangement, runs: Sequence[Trajectory], lead: int = 0) -> None:
        """Show other runs, as many as the arrangement has cells; none while they are being drawn.

        Args:
            lead: number of the run whose steps are counted; of runs with other numbers of steps those states are shown
                that are nearest to it in signal-to-noise ratio.
        """
        self._lead = lead
        is_other = arrangement.cells != self._arrangement.cells
        was_enlarged = self._enlarged >= 0
        if is_other:
            self._enlarged = self._pressed = -1
        self._arrangement = arrangement
        self.set_runs(runs)
        self._lay_out()
        if is_other and was_enlarged:
            self.enlarge_requested.emit(-1)  # whoever names the large cell learns that it is gone

    def set_runs(self, runs: Sequence[Trajectory]) -> None:
        """Show other runs of the same cells; pictures of those that stay are kept."""
        budget = PICTURES_BYTES // max(1, len(runs))
        kept = {id(run): source for run, source in zip(self._runs, self._sources, strict=True)}
        self._sources = []
        for run in runs:
            source = kept.get(id(run))
            if source is None:
                source = PictureSource(budget)
                source.set_trajectory(run)
            self._sources.append(source)
        self._runs = tuple(runs)
        self._matched.clear()
        self._invalidate()

    def set_step(self, step: int) -> None:
        """Show this state of every run, or its newest where it has not come so far."""
        if step != self._step:
            self._step = step
            self.update()
            self._describe()
            self._tell_pixel()

    def set_kind(self, kind: FrameKind) -> None:
        self._kind = kind
        self.update()
        self._tell_pixel()

    def set_enlarged(self, cell: int) -> None:
        """Show a cell large beside the others; -1 for none."""
        self._enlarged = cell if 0 <= cell < len(self._arrangement.cells) else -1
        self._lay_out()
        self._describe()

    @property
    def enlarged(self) -> int:
        """The cell that is shown large; -1 for none."""
        return self._enlarged

    @property
    def runs(self) -> tuple[Trajectory, ...]:
        return self._runs

    @property
    def arrangement(self) -> Arrangement:
        return self._arrangement

    @property
    def columns(self) -> int:
        """How many cells stand in a row."""
        return self._layout.columns

    @property
    def enlarged_rect(self) -> QRectF | None:
        """Where the large picture is; None without one."""
        return None if self._layout.enlarged is None else self._shifted(self._layout.enlarged)

    def cell_rect(self, cell: int) -> QRectF:
        """Where the picture of a cell is."""
        return self._shifted(self._layout.pictures[cell])

    def middle_without_captions(self, height_px: int) -> int:
        """The y in the middle of a row of pictures that something of a height can lie over, captions left free.

        Of the rows the one nearest to the middle of the grid that is high enough; else the middle itself.
        """
        half = self.height() / 2
        rows = {box.center().y() for box in self._boxes() if box.height() >= height_px}
        if not rows:
            return round(half)
        nearest = min(abs(y - half) for y in rows)
        return round(max(y for y in rows if abs(y - half) < nearest + 1))

    def cell_at(self, point: QPointF) -> int:
        """The cell under a point, -1 for none; the large picture is its cell's."""
        large = self.enlarged_rect
        if large is not None and large.contains(point):
            return self._enlarged
        caption = self._layout.caption
        for cell in range(len(self._layout.pictures)):
            if self.cell_rect(cell).adjusted(0, 0, 0, caption).contains(point):
                return cell
        return -1

    def image_of(self, cell: int) -> QImage | None:
        """The picture of a cell as it is shown; None where there is none."""
        if cell >= len(self._runs):
            return None
        return self._sources[cell].shown(*self._shown_of(cell)).image

    def pixel_text(self, point: QPointF) -> str:
        """The pixel under a point and its values, in the pipeline's own scale; empty where there is none."""
        cell = self.cell_at(point)
        if not 0 <= cell < len(self._runs):
            return ""
        large = self.enlarged_rect
        box = large if large is not None and large.contains(point) else self.cell_rect(cell)
        from sculptor_app.measures import pictures  # numpy comes with it; there is a picture by now

        numbers = pictures.frame(self._runs[cell], *self._shown_of(cell))
        if numbers is None or not box.contains(point):
            return ""
        height, width = numbers.shape[1:]
        column = min(int((point.x() - box.left()) / box.width() * width), width - 1)
        row = min(int((point.y() - box.top()) / box.height() * height), height - 1)
        is_of_latents = self._runs[cell].info.space == "latents"
        return pixel_text(column, row, [float(value) for value in numbers[:, row, column]], is_of_latents)

    def describe(self, cell: int) -> str:
        """The description of a cell: its labels and its noise."""
        return cell_paint.cell_description(self._arrangement, cell)

    def step_text(self, cell: int) -> str:
        """Which step of its own run a cell shows, and at what SNR; empty where it is the one on the scrubber."""
        if self.lock == "step":
            return ""
        run, step = self._runs[cell], self._shown_of(cell)[0]
        shown = self.tr("step {0} of {1}").format(step, run.planned_steps)
        return " · ".join(filter(None, (shown, level_text(run.levels[step]))))

    def run_grid(self, lead: int) -> RunGrid | None:
        """The runs with their captions, for files; None where they are not there yet.

        Args:
            lead: Number of the cell that speaks for all.
        """
        from sculptor_app.exports.animation.plan import RunGrid

        shown = self._arrangement
        if not self._runs or len(self._runs) != len(shown.cells):
            return None
        titles = shown.column_titles, shown.row_titles
        return RunGrid(self._runs, shown.cells, shown.captions, shown.columns, *titles, lead, self.lock)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """The picture of a cell, for a context menu; of the large one for the keyboard."""
        cell = max(0, self._enlarged) if place is None else self.cell_at(QPointF(place))
        if not 0 <= cell < len(self._runs):
            return None
        can_open = self._runs[cell].last > 0
        opens = functools.partial(self.open_requested.emit, cell) if can_open else None
        return Subject(self.image_of(cell), f"cell-{cell + 1}", self._kind.value, open_run=opens)

    # Inside

    def _shown_of(self, cell: int) -> tuple[int, FrameKind]:
        """State and kind of the frame that is shown of a cell: the newest of those that have not come so far."""
        run, lead = self._runs[cell], self._runs[self._lead]
        step = min(self._step, run.last)
        if run is not lead and self.lock != "step":
            key = cell, self._step, run.last
            if key not in self._matched:
                k = min(self._step, lead.planned_steps)
                self._matched[key] = matching_state(lead.levels, k, run.levels, run.last, self.lock)
            step = self._matched[key]
        return step, FrameKind.NOISY_STATE if step == 0 else self._kind

    @property
    def lock(self) -> str:
        """Which states go together, of `LOCKS`: those of one number where all runs have as many steps."""
        return "step" if len({run.planned_steps for run in self._runs}) < 2 else "snr"

    @property
    def _type_scale(self) -> float:
        """How much larger than usual its type is: it fills the screen of a lecture room, too."""
        return self.fontInfo().pointSizeF() / QFontInfo(fonts.body()).pointSizeF()

    @property
    def _caption_px(self) -> float:
        """Height that a caption wants; 0 where there are none."""
        return round(cell_paint.CAPTION * self._type_scale) if self._arrangement.captions else 0

    @property
    def _small_font(self) -> QFont:
        """Of captions and titles."""
        font = fonts.small()
        font.setPointSizeF(QFontInfo(font).pointSizeF() * self._type_scale)
        return font

    def _tell_pixel(self) -> None:
        """Say which pixel is under the pointer, and its values, which may be others now."""
        point = self._pointer
        text = "" if point is None else self.pixel_text(point)
        if point is not None and text:
            cell = self.cell_at(point)
            text = " · ".join(filter(None, (self.describe(cell), self.step_text(cell), text)))
        self.pixel_hovered.emit(text)

    def _shifted(self, rect: tuple[float, float, float, float]) -> QRectF:
        return QRectF(*rect).translated(MARGIN, MARGIN)

    def _lay_out(self) -> None:
        arrangement, count = self._arrangement, len(self._arrangement.cells)
        if not count:
            self._layout = CellLayout((), 1)
            self._invalidate()
            self._point_again()
            return
        left = cell_paint.widest(arrangement.row_titles, self.fontMetrics()) if arrangement.row_titles else 0
        space = GridSpace(
            self.width() - 2 * MARGIN,
            self.height() - 2 * MARGIN,
            GAP if count <= 24 else GAP / 2,
            self._caption_px,
            round(cell_paint.HEAD * self._type_scale) if arrangement.column_titles else 0,
            left,
            SPREAD if arrangement.columns > 4 else 0,
        )
        chosen = cell_layout if self._enlarged < 0 else enlarged_layout
        self._layout = chosen(count, space, arrangement.columns)
        self._invalidate()
        self._point_again()
        self.laid_out.emit()

    def _point_again(self) -> None:
        """Under a pointer that rests there may be another cell now."""
        if self._pointer is not None:
            self._hover(self.cell_at(self._pointer))
            self._tell_pixel()

    def _boxes(self) -> list[QRectF]:
        return [self.cell_rect(cell) for cell in range(len(self._layout.pictures))]

    def _painted_background(self) -> QPixmap:
        """The background that does not change with the step: titles, captions and swatches."""
        ratio = self.devicePixelRatioF()
        if self._background is None or self._background.devicePixelRatio() != ratio:
            self._background = QPixmap(self.size() * ratio)
            self._background.setDevicePixelRatio(ratio)
            self._background.fill(QColor(theme().tokens.well))
            painter = QPainter(self._background)
            boxes = self._boxes()
            painter.setFont(self._small_font)
            cell_paint.paint_titles(painter, self._arrangement, boxes, self._layout.columns)
            for cell, box in enumerate(boxes if self._layout.caption else ()):
                block = self._sources[cell].shown(0, FrameKind.NOISY_STATE).image if self._sources else None
                below = QRectF(box.left(), box.bottom(), box.width(), self._layout.caption)
                cell_paint.paint_caption(painter, below, self._arrangement, cell, block)
            painter.end()
        return self._background

    def _invalidate(self) -> None:
        """Paint the background again: colours, layout or runs have changed."""
        self._background = None
        self.update()

    def _describe(self) -> None:
        cell = self._enlarged
        self.setAccessibleDescription("" if cell < 0 else f"{self.describe(cell)}, {self._step}")

    def _hover(self, cell: int) -> None:
        if cell != self._hovered:
            self._hovered = cell
            self.setCursor(Qt.CursorShape.PointingHandCursor if cell >= 0 else Qt.CursorShape.ArrowCursor)
            self.update()

    def _click(self, cell: int, on_large: bool) -> None:
        if on_large:
            self.open_requested.emit(cell)
        else:
            self.enlarge_requested.emit(-1 if cell == self._enlarged else cell)

    # Qt overrides

    def sizeHint(self) -> QSize:
        return QSize(640, 420)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._painted_background())
        boxes = self._boxes()
        for cell, box in enumerate(boxes):
            cell_paint.paint_picture(painter, box, self.image_of(cell))
        large = self.enlarged_rect
        if large is not None:
            cell_paint.paint_picture(painter, large, self.image_of(self._enlarged))
            self._outline(painter, boxes[self._enlarged], theme().tokens.accent)
        if self._hovered >= 0 and self._hovered != self._enlarged:
            self._outline(painter, boxes[self._hovered], theme().tokens.focus)
        painter.end()

    def _outline(self, painter: QPainter, box: QRectF, colour: str) -> None:
        painter.setPen(QPen(QColor(colour), 2))
        painter.drawRect(box.adjusted(-2, -2, 2, 2))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position()
        self._hover(self.cell_at(event.position()))
        self._tell_pixel()

    def leaveEvent(self, event: object) -> None:
        self._pointer = None
        self._hover(-1)
        self._tell_pixel()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        cell, large = self.cell_at(event.position()), self.enlarged_rect
        on_large = large is not None and large.contains(event.position())
        self._pressed = -1 if on_large else cell  # the large one is opened by the first press
        if cell >= 0:
            self._click(cell, on_large)
        elif self._enlarged >= 0:
            self.enlarge_requested.emit(-1)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open the cell that was meant: the first press has moved the cells, and another may lie here now."""
        if event.button() == Qt.MouseButton.LeftButton and self._pressed >= 0:
            self.open_requested.emit(self._pressed)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl and an arrow go from cell to cell, Return enlarges the first or opens the one that is large."""
        count, columns = len(self._arrangement.cells), self._layout.columns
        moves: dict[int, int] = {
            Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -columns, Qt.Key.Key_Down: columns
        }  # fmt: skip
        is_control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if count and is_control and event.key() in moves:
            move = moves[event.key()]
            start = self._enlarged if self._enlarged >= 0 else min(0, -move)
            if 0 <= start + move < count:
                self.enlarge_requested.emit(start + move)
        elif count and not is_control and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._enlarged < 0:
                self.enlarge_requested.emit(0)
            else:
                self.open_requested.emit(self._enlarged)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.LanguageChange):
            self._lay_out()  # captions need another room
            self._invalidate()
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            cell = self.cell_at(QPointF(event.pos()))
            own = self.step_text(cell) if 0 <= cell < len(self._runs) else ""
            lines = (self.describe(cell), own, self.pixel_text(QPointF(event.pos()))) if cell >= 0 else ()
            QToolTip.showText(event.globalPos(), "\n".join(filter(None, lines)), self)
            return True
        return super().event(event)


class GridPresenter(PlaybackPresenter):
    """A session's step on a grid of runs, besides timeline and transport bar."""

    share_while_running = 0.05

    def __init__(self, session: Session, grid: CellGrid, timeline: Timeline, transport: TransportBar) -> None:
        super().__init__(session, timeline, transport, grid)
        self._grid = grid

    def caption(self, trajectory: AnyTrajectory, step: int) -> str:
        own = super().caption(trajectory, step)
        if self._grid.lock == "step":
            return own
        return self.tr("{0} · runs of {1} steps").format(own, trajectory.planned_steps)

    def draw_views(self, trajectory: AnyTrajectory, step: int, last: int) -> None:
        self._grid.set_step(step)
