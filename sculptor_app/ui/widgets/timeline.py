"""The scrubber: the run's states 0..N under the sculptor's four phases, with a cursor to drag."""

import math
from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QHelpEvent,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QSlider, QToolTip, QWidget

from sculptor_app.core.trajectory.levels import PhaseSpan
from sculptor_app.ui.theme import theme
from sculptor_app.ui.widgets import timeline_paint
from sculptor_app.ui.widgets.basics import TIP_GAP_PX, paint_frame, show_tip
from sculptor_app.ui.widgets.names import (
    band_name,
    neighbour_phase_step,
    phase_action,
    phase_name,
    ratio_name,
    step_range,
)
from sculptor_app.ui.widgets.picture_source import shrunk
from sculptor_app.ui.widgets.timeline_paint import Axis

_SIDE = 1
STEP_PICTURE_PX = 112
"""Longer side of the picture over the pointer."""


class StepPicture(QWidget):
    """A small picture of a state over the timeline, above the pointer; takes no part in anything."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner, Qt.WindowType.ToolTip)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._image = QImage()

    @property
    def image(self) -> QImage:
        """What it shows."""
        return self._image

    def show_at(self, image: QImage, middle: QPoint) -> None:
        """Show a picture over a place, in pixels of the screens."""
        self._image = shrunk(image, STEP_PICTURE_PX)
        self.resize(self._image.size() + QSize(2, 2))
        screen = self.screen().availableGeometry()
        left = min(max(middle.x() - self.width() // 2, screen.left()), screen.right() + 1 - self.width())
        self.move(left, middle.y() - self.height() - TIP_GAP_PX)
        self.show()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawImage(1, 1, self._image)
        paint_frame(painter, QRectF(self.rect()), theme().tokens.text)
        painter.end()


class Timeline(QSlider):
    """A slider over whole steps; being one, it has a slider's value for screen readers.

    The cursor moves when `set_step` is called, not when a person asks for a step.
    """

    step_requested = Signal(int)  # the person wants this state, 0..available
    menu_requested = Signal(int, QPoint)  # the menu of a state, at a place of the screen

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._spans: tuple[PhaseSpan, ...] = ()
        self._planned = 0
        self._available = 0
        self._marks: tuple[tuple[str, int], ...] = ()
        self._mark_text = self._mark_word = self._summary = ""
        self._mark_notes: dict[str, str] = {}
        self._mark_bounds: dict[str, str] = {}
        self._start_text = self.tr("the untouched block")
        self._empty_text = self.tr("The phases of the run come here.")
        self._counts_layers = False
        self._block_word = self.tr("noise")
        self._snr: Sequence[float] = ()
        self._is_silent = False
        self._wheel = 0
        self._magnification = 1.0
        self._picture: Callable[[int], QImage | None] = lambda step: None
        self._has_menu = False
        self._forks: tuple[tuple[int, str], ...] = ()
        self._preview: StepPicture | None = None  # made when it is shown first
        self._previewed = -1  # the state that it showed last
        self._layers: tuple[QPixmap, QPixmap] | None = None  # kept: they cost most, and stay while the cursor moves
        self.setRange(0, 0)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Timeline"))
        self.valueChanged.connect(self._value_was_changed)
        theme().changed.connect(self._dress)

    # What it shows

    def set_plan(self, spans: Sequence[PhaseSpan], planned: int, snr: Sequence[float] = ()) -> None:
        """A run's phases and its number of steps; nothing is computed yet, no mark is measured.

        Args:
            planned: N, 0 for no run at all.
            snr: signal-to-noise ratio of the states 0..N, for the tooltips; may be left out.

        Raises:
            ValueError: a negative number of steps.
        """
        if planned < 0:
            raise ValueError(f"a run has 0 or more steps; got {planned}")
        self._spans, self._planned, self._snr = tuple(spans), planned, tuple(snr)
        self._available, self._marks, self._summary = 0, (), ""
        self._set_silently(0)
        self._dress()

    def set_available(self, last: int) -> None:
        """The newest computed state; what lies behind it is hatched and cannot be asked for."""
        available = min(last, self._planned)
        if available != self._available:
            self._available = available
            self._set_silently(self.value())
            self.update()

    def set_step(self, step: int) -> None:
        """Puts the cursor on a state."""
        self._set_silently(step)
        self._describe()

    def set_settled(
        self,
        marks: Sequence[tuple[str, int]],
        text: str = "",
        summary: str = "",
        notes: Mapping[str, str] | None = None,
        bounds: Mapping[str, str] | None = None,
    ) -> None:
        """The measured marks: pairs of a band's key and the step from which it stayed settled.

        Args:
            text: what a mark means, with "{0}" for the band.
            summary: what they say together, a line for the tooltip of every step.
            notes: what is to be known about a band's mark besides, by the band's key.
            bounds: what a mark means that is known to be there or before, with "{0}", by the key of its band.
        """
        self._mark_bounds = dict(bounds or {})
        self._marks, self._summary, self._mark_text = tuple(marks), summary, text or self.tr("{0} settled here")
        self._mark_notes = dict(notes or {})
        self._dress()

    def set_forks(self, forks: Sequence[tuple[int, str]]) -> None:
        """Mark the states behind which the run went on in another way than before.

        Args:
            forks: their numbers, rising as a rule, each with what is said of it.
        """
        if tuple(forks) != self._forks:
            self._forks = tuple(forks)
            self._dress()

    def offer_menu(self) -> None:
        """Ask for a menu where a person wants one; see `menu_requested`."""
        self._has_menu = True

    @property
    def forks(self) -> tuple[int, ...]:
        """The states that are marked so."""
        return tuple(step for step, _ in self._forks)

    def set_magnification(self, magnification: float) -> None:
        """Paint everything so many times as large, type and bar alike."""
        self._magnification = magnification
        self.updateGeometry()
        self._dress()

    def set_empty_text(self, text: str) -> None:
        """Set what is said where nothing is planned."""
        self._empty_text = text
        self._dress()

    def set_pictures(self, picture: Callable[[int], QImage | None]) -> None:
        """Where the small picture of a state comes from that is shown over the pointer; may return None."""
        self._picture = picture

    def set_mark_word(self, word: str) -> None:
        """Set what stands before the marks, in place of "settled:" or "drowned:"."""
        self._mark_word = word
        self._dress()

    def set_start_text(self, text: str) -> None:
        self._start_text = text

    def set_block_word(self, word: str) -> None:
        """Set what stands on the cell of state 0, where there is room: "noise", unless a run began with less."""
        if word != self._block_word:
            self._block_word = word
            self.update()

    def count_layers(self) -> None:
        """Count layers of noise from a picture on, instead of steps from the noise on."""
        self._counts_layers = True
        self._start_text = self.tr("the picture")

    @property
    def step(self) -> int:
        return self.value()

    @property
    def planned(self) -> int:
        """N, the number of steps; 0 for no run at all."""
        return self._planned

    def step_at(self, point: QPoint) -> int:
        """The state nearest to a point of the widget, computed or not."""
        return self._axis().step_at(point.x() / self._magnification)

    def describe(self, step: int) -> str:
        """The tooltip of a state: its phase, what the sculptor does in it as a rule, its SNR, what was measured."""
        if step == 0:
            first = self.tr("Layer 0: {0}") if self._counts_layers else self.tr("State 0: {0}")
            lines = [first.format(self._start_text)]
        else:
            one = self.tr("Layer {0} of {1}") if self._counts_layers else self.tr("Step {0} of {1}")
            lines = [one.format(step, self._planned)]
        span = self._span_of(step)
        if span is not None:
            lines[0] += f" · {phase_name(span.phase.key)} ({step_range(span.first_step, span.last_step)})"
            lines.append(self.tr("As a rule: {0}").format(phase_action(span.phase.key)))
        if step < len(self._snr):
            lines += self._level_lines(step)
        for band, at in self._marks:
            if at == step:
                text = self._mark_bounds.get(band, self._mark_text).format(band_name(band).capitalize())
                lines += [text, *filter(None, [self._mark_notes.get(band)])]
        lines += [text for at, text in self._forks if at == step]
        if self._summary:
            lines.append(self._summary)
        if step > self._available:
            lines.append(self.tr("not computed yet"))
        return "\n".join(lines)

    # Inside

    def _level_lines(self, step: int) -> list[str]:
        """The level of the state shown; of a step first that of the state it starts from, which its phase goes by."""
        if math.isnan(self._snr[step]):
            return [self.tr("noise level not known")]
        after = ratio_name(self._snr[step])
        if step and not self._counts_layers and not math.isnan(self._snr[step - 1]):
            return [self.tr("SNR {0} before it, {1} after").format(ratio_name(self._snr[step - 1]), after)]
        return [self.tr("SNR {0}").format(after)]

    def _axis(self) -> Axis:
        return Axis(_SIDE, max(1.0, self.width() / self._magnification - 2.0 * _SIDE), self._planned)

    def _span_of(self, step: int) -> PhaseSpan | None:
        return next((span for span in self._spans if span.first_step <= step <= span.last_step), None)

    def _set_silently(self, step: int) -> None:
        """Sets range and value; nothing is emitted for it."""
        self._is_silent = True
        self.setRange(0, self._available)
        self.setValue(step)
        self._is_silent = False

    def _value_was_changed(self, step: int) -> None:
        # Only a screen reader sets the value of this slider by itself.
        if not self._is_silent:
            self.step_requested.emit(step)

    def _dress(self) -> None:
        """Phases, labels, marks or colours are others now."""
        self._layers = None
        self.update()

    def _painted_layers(self) -> tuple[QPixmap, QPixmap]:
        """The phases, and over what hatches the missing steps the labels and measured marks, each on a clear ground."""
        if self._layers is None or self._layers[0].devicePixelRatio() != self.devicePixelRatioF():
            self._layers = self._painted_layer(self._paint_phases), self._painted_layer(self._paint_labels)
        return self._layers

    def _painted_layer(self, paint: Callable[[QPainter, Axis], None]) -> QPixmap:
        layer = QPixmap(self.size() * self.devicePixelRatioF())
        layer.setDevicePixelRatio(self.devicePixelRatioF())
        layer.fill(Qt.GlobalColor.transparent)
        painter = QPainter(layer)
        painter.scale(self._magnification, self._magnification)
        painter.setFont(self.font())
        paint(painter, self._axis())
        painter.end()
        return layer

    def _paint_phases(self, painter: QPainter, axis: Axis) -> None:
        if not self._planned:
            timeline_paint.paint_empty(painter, axis, self._empty_text)
        elif not self._counts_layers:
            timeline_paint.paint_noise(painter, axis)
        if sum(span.last_step - span.first_step + 1 for span in self._spans) < self._planned:
            timeline_paint.paint_unknown(painter, axis)
        for span in self._spans:
            timeline_paint.paint_phase(painter, axis, span)

    def _paint_labels(self, painter: QPainter, axis: Axis) -> None:
        for span in self._spans:
            timeline_paint.paint_label(painter, axis, span)
        if self._planned and not self._spans:
            text = self.tr("The noise levels of this run are not known, so it has no phases.")
            timeline_paint.paint_unknown_label(painter, axis, text)
        for step in self.forks if self._planned else ():
            timeline_paint.paint_fork(painter, axis, step)
        if self._marks:
            below = QRectF(2, 0, self.width() / self._magnification - 4, self.height() / self._magnification)
            word = self._mark_word or (self.tr("drowned:") if self._counts_layers else self.tr("settled:"))
            timeline_paint.paint_marks(painter, axis, self._marks, below, word, self._mark_bounds)

    def _describe(self) -> None:
        self.setAccessibleDescription(self.describe(self.value()).replace("\n", ", "))

    def _ask(self, step: int) -> None:
        step = min(max(step, 0), self._available)
        if step != self.value():
            self.step_requested.emit(step)

    def _ask_at(self, event: QMouseEvent) -> None:
        self._ask(self.step_at(event.position().toPoint()))

    def sizeHint(self) -> QSize:
        return QSize(600, round(timeline_paint.HEIGHT * self._magnification))

    def minimumSizeHint(self) -> QSize:
        return QSize(160, round(timeline_paint.HEIGHT * self._magnification))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        phases, labels = self._painted_layers()
        axis = self._axis()
        painter.drawPixmap(0, 0, phases)
        painter.scale(self._magnification, self._magnification)
        if self._planned:
            timeline_paint.paint_missing(painter, axis, self._available)
        painter.resetTransform()
        painter.drawPixmap(0, 0, labels)
        painter.scale(self._magnification, self._magnification)
        if self._planned and not self._counts_layers and self.value():  # else the cursor would cross it out
            timeline_paint.paint_noise_label(painter, axis, self._block_word)
        if self._planned:
            timeline_paint.paint_cursor(painter, axis, self.value(), self.hasFocus())
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._layers = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._hide_preview()
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._ask_at(event)
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._ask_at(event)
        else:
            self._show_preview(event.position().toPoint())

    def _show_preview(self, place: QPoint) -> None:
        """Show the state under the pointer, if it has been computed."""
        step = self.step_at(place)
        image = self._picture(step) if self._planned and step <= self._available else None
        if image is None or image.isNull():
            self._hide_preview()
            return
        if self._preview is None:
            self._preview = StepPicture(self)
        if self._preview.isVisible() and step != self._previewed:
            QToolTip.hideText()  # it tells of the step before, and would lie under the picture
        self._previewed = step
        self._preview.show_at(image, self.mapToGlobal(QPoint(place.x(), 0)))

    def _hide_preview(self) -> None:
        if self._preview is not None:
            self._preview.hide()

    def leaveEvent(self, event: QEvent) -> None:
        self._hide_preview()
        super().leaveEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._hide_preview()
        super().hideEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown() and event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self._planned or not self._has_menu:
            super().contextMenuEvent(event)
            return
        by_keyboard = event.reason() is QContextMenuEvent.Reason.Keyboard
        step = self.value() if by_keyboard else self.step_at(event.pos())
        place = QPoint(round(self._axis().centre(step) * self._magnification), self.height() // 2)
        self._hide_preview()
        self.menu_requested.emit(step, self.mapToGlobal(place) if by_keyboard else event.globalPos())
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._wheel += event.angleDelta().y() or -event.angleDelta().x()
        notches = int(self._wheel / 120)
        self._wheel -= notches * 120
        if notches:
            self._ask(self.value() - notches)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        here, spans, planned = self.value(), self._spans, self._planned
        match event.key():
            case Qt.Key.Key_Right | Qt.Key.Key_Up:
                self._ask(here + 1)
            case Qt.Key.Key_Left | Qt.Key.Key_Down:
                self._ask(here - 1)
            case Qt.Key.Key_Home:
                self._ask(0)
            case Qt.Key.Key_End:
                self._ask(planned)
            case Qt.Key.Key_PageDown:
                self._ask(neighbour_phase_step(spans, here, 1, planned))
            case Qt.Key.Key_PageUp:
                self._ask(neighbour_phase_step(spans, here, -1, planned))
            case _:
                event.ignore()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            text = self.describe(self.step_at(event.pos())) if self._planned else ""
            is_shown = self._preview is not None and self._preview.isVisible()
            beside = self._preview.geometry() if self._preview is not None and is_shown else None
            show_tip(event.globalPos(), text, self, QRect(self.mapToGlobal(QPoint()), self.size()), beside)
            return True
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.LanguageChange):
            self._dress()
        return super().event(event)
