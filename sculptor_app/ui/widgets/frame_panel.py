"""One labelled frame: a choice of what is shown, the picture, and under it the pixel, the zoom and a colour scale."""

import re
from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup, QColor, QImage, QLinearGradient, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from sculptor_app.core.texts import NEXT_TO_NOTHING, amount_text, spread_text
from sculptor_app.ui.theme import fonts, icon, theme
from sculptor_app.ui.widgets.basics import ElidedLabel, Subject, give_menu, paint_frame
from sculptor_app.ui.widgets.picture_view import PictureView, View

_BAR_WIDTH = 88
_LEAST_BAR_WIDTH = 28
_BAR_HEIGHT = 7
_MINUS = "\N{MINUS SIGN}"


def signed(value: float) -> str:
    """A number with its sign, as in +0.21, to two figures; "≈ 0" where it is next to nothing."""
    text = amount_text(abs(value))
    return text if abs(value) < NEXT_TO_NOTHING else f"{'+' if value > 0 else _MINUS}{text}"


class LegendBar(QWidget):
    """Shows which colour means which amount; hidden without colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours: tuple[QColor, ...] = ()
        self._limit = 0.0
        self._room = QSize()
        self._gradient: tuple[QRectF, QLinearGradient] | None = None  # of hundreds of stops, for the bar painted last
        self._key: tuple[tuple[QColor | str, ...], float | None] = ((), None)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFont(fonts.small())
        theme().changed.connect(self.update)
        self.hide()

    def set_scale(self, colours: Sequence[QColor | str], limit: float | None) -> None:
        """Colours evenly spaced from -limit to +limit; no colours or no limit hide the bar."""
        key = (tuple(colours), limit)
        if key == self._key:
            return
        if key[0] != self._key[0]:
            self._colours, self._gradient = tuple(QColor(colour) for colour in colours), None
        self._key, self._limit = key, limit or 0.0
        shown = bool(self._colours) and limit is not None
        self.setVisible(shown)
        self.setAccessibleName(
            self.tr("colour scale from {0} to {1}").format(signed(-self._limit), signed(self._limit))
        )
        self.setToolTip(
            self.tr("Amount taken off, centred on zero: {0} to {1}").format(signed(-self._limit), signed(self._limit))
        )
        room = self.sizeHint()
        if room != self._room:
            self._room = room
            self.updateGeometry()
        self.update()

    @property
    def texts(self) -> tuple[str, str]:
        """The two numbers at the ends."""
        return signed(-self._limit), signed(self._limit)

    def _gradient_of(self, bar: QRectF) -> QLinearGradient:
        if self._gradient is None or self._gradient[0] != bar:
            gradient = QLinearGradient(bar.topLeft(), bar.topRight())
            for index, colour in enumerate(self._colours):
                gradient.setColorAt(index / max(1, len(self._colours) - 1), colour)
            self._gradient = bar, gradient
        return self._gradient[1]

    def _paint_narrow(self, painter: QPainter) -> None:
        """The limits alone, where there is no room for a bar."""
        painter.setPen(QColor(theme().tokens.muted))
        text = spread_text(abs(self._limit))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _number_width(self) -> int:
        # Wide enough for any limit, so that the bar stands still while the numbers change.
        usual = f"{_MINUS}0.88"
        return max(self.fontMetrics().horizontalAdvance(text) for text in (usual, *self.texts))

    def sizeHint(self) -> QSize:
        return QSize(2 * (self._number_width() + _GAP) + _BAR_WIDTH, self.fontMetrics().height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._number_width() + _GAP, self.fontMetrics().height() + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._colours:
            return
        painter = QPainter(self)
        tokens = theme().tokens
        left, right = self.texts
        if self.width() < 2 * (self._number_width() + _GAP) + _LEAST_BAR_WIDTH:
            self._paint_narrow(painter)
            return
        width = min(_BAR_WIDTH, self.width() - 2 * (self._number_width() + _GAP))
        bar = QRectF((self.width() - width) // 2, (self.height() - _BAR_HEIGHT) // 2, width, _BAR_HEIGHT)
        painter.fillRect(bar, self._gradient_of(bar))
        paint_frame(painter, bar, tokens.hairline_strong)
        painter.setPen(QColor(tokens.text))
        middle = bar.center().x()
        painter.drawLine(QPointF(middle, bar.bottom()), QPointF(middle, bar.bottom() + 2))
        painter.setPen(QColor(tokens.muted))
        side = QRectF(0, 0, bar.left() - _GAP, self.height())
        painter.drawText(side, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, left)
        side.moveLeft(bar.right() + _GAP)
        painter.drawText(side, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, right)
        painter.end()


_GAP = 6
_OLD_WORDS = {"state": "noisy"}
"""Of frames of the page Learn, in the glossary."""
_LEVEL, _WIDEST_LEVEL = re.compile(r"(SNR|σ|rms) (?:[<≈] ?)?(?:[\d.,]+|∞)"), r"\1 0.0088"
"""What changes from step to step in a note, and the widest that it becomes."""
_ZOOMS = (1, 2, 4, 8, 16, 32)


class FramePanel(QWidget):
    """A frame of the run with its header and footer, which keep to the picture's own edges."""

    kind_requested = Signal(object)  # the person chose to see another kind of frame (a value given to `set_kinds`)
    view_changed = Signal(object)  # zoomed or panned here; hand it to the other panels' `set_view`
    pixel_hovered = Signal(int, int)  # column and row, -1, -1 when the pointer left; for the others' `set_marker`

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reader: Callable[[int, int], str] | None = None
        self._aspect = 1.0
        self.picture_view = PictureView(self)
        self._header = self._make_header()
        self._footer = self._make_footer()
        self.picture_view.view_changed.connect(self._view_was_changed)
        self.picture_view.pixel_hovered.connect(self._hovered)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._update_zoom()

    def _make_header(self) -> QWidget:
        header = QWidget(self)
        row = QHBoxLayout(header)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.title_button = QToolButton(header)
        self.title_button.setProperty("kind", "title")
        self.title_button.setFont(fonts.strong())
        self._kinds = QMenu(self.title_button)
        self._kinds.setToolTipsVisible(True)
        self._kind_group = QActionGroup(self._kinds)
        give_menu(self.title_button, self._kinds)
        self.note = ElidedLabel("", header)
        self.note.fill_place()
        self.note.shrink()
        self.note.setProperty("tone", "muted")
        self.note.setFont(fonts.tabular(fonts.body()))
        self.note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.title_button)
        row.addWidget(self.note, 1)
        return header

    def _make_footer(self) -> QWidget:
        footer = QWidget(self)
        row = QHBoxLayout(footer)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.readout = ElidedLabel("", footer)
        self.readout.fill_place()
        self.readout.setProperty("tone", "muted")
        self.readout.setFont(fonts.small())
        self.legend = LegendBar(footer)
        self.zoom_button = QToolButton(footer)
        self.zoom_button.setProperty("kind", "small")
        self.zoom_button.setFont(fonts.small())
        give_menu(self.zoom_button, self._zoom_menu())
        self.zoom_button.setToolTip(self.tr("Zoom: wheel over the picture, drag to move, double click to fit"))
        row.addWidget(self.readout, 1)
        row.addWidget(self.legend)
        row.addWidget(self.zoom_button)
        return footer

    def _zoom_menu(self) -> QMenu:
        menu = QMenu(self)
        view = self.picture_view
        self._fit_action = menu.addAction(self.tr("Fit"), view.zoom_to_fit)
        self._fit_action.setCheckable(True)
        self._scales: list[QAction] = []
        menu.addAction(icon("zoom-in"), self.tr("Zoom in"), self._zoom_in)
        menu.addAction(icon("zoom-out"), self.tr("Zoom out"), self._zoom_out)
        menu.addSeparator()
        for scale in _ZOOMS:
            action = menu.addAction(f"{scale}×")
            action.setData(scale)
            action.setCheckable(True)
            self._scales.append(action)
        menu.aboutToShow.connect(self._tick_zoom)
        menu.triggered.connect(self._zoom_chosen)
        return menu

    @Slot()
    def _tick_zoom(self) -> None:
        """Tick how large the picture is now."""
        view = self.picture_view
        is_fit = view.view.is_fit or view.image is None
        self._fit_action.setChecked(is_fit)
        for action in self._scales:
            action.setChecked(not is_fit and round(view.device_scale) == action.data())

    # What it shows

    def set_kinds(self, kinds: Sequence[tuple[object, str, str]]) -> None:
        """What can be shown here: each a value, its translated name and what it means; the first is shown as chosen."""
        for action in self._kinds.actions():
            self._kind_group.removeAction(action)
        self._kinds.clear()
        for value, name, meaning in kinds:
            action = self._kinds.addAction(name)
            action.setToolTip(meaning)
            action.setCheckable(True)
            action.setData(value)
            action.triggered.connect(self._kind_was_chosen)
            self._kind_group.addAction(action)
        if kinds:
            self.set_kind(kinds[0][0])

    def set_kind(self, kind: object) -> None:
        """Marks a kind as shown and names it in the title.

        Raises:
            ValueError: it is none of those given to `set_kinds`.
        """
        for action in self._kinds.actions():
            if action.data() == kind:
                action.setChecked(True)
                self.title_button.setText(action.text())
                self.title_button.setToolTip("\n\n".join((action.toolTip(), self.tr("Choose what this frame shows"))))
                self.picture_view.setAccessibleName(action.text())
                return
        raise ValueError(f"{kind!r} is none of the kinds of this frame")

    def set_picture(self, image: QImage | None, note: str = "", empty_text: str = "") -> None:
        """Shows a picture with a note at the right of its title, or says why there is none."""
        self.picture_view.set_picture(image, empty_text)
        self.picture_view.setAccessibleDescription(note if image is not None else empty_text)
        self.note.setText(note)
        self.note.keep_size_for(_LEVEL.sub(_WIDEST_LEVEL, note))
        if image is not None and image.width() / image.height() != self._aspect:
            self._aspect = image.width() / image.height()
            self._place()
        self._update_zoom()

    def set_legend(self, colours: Sequence[QColor | str], limit: float | None) -> None:
        """The colour scale under the picture, from -limit to +limit; `()` or None take it away."""
        self.legend.set_scale(colours, limit)

    def set_view(self, view: View) -> None:
        """Zooms as another panel did."""
        self.picture_view.set_view(view)
        self._update_zoom()

    def set_marker(self, column: int, row: int) -> None:
        """Outlines a pixel that the pointer is on in another panel; -1, -1 for none."""
        self.picture_view.set_marker(column, row)

    def set_value_reader(self, reader: Callable[[int, int], str] | None) -> None:
        """The text of a pixel (column, row); without a reader, its position and colour are shown."""
        self._reader = reader

    # Inside

    def _kind_was_chosen(self) -> None:
        action = self._kind_group.checkedAction()
        self.title_button.setText(action.text())
        self.kind_requested.emit(action.data())

    def _zoom_in(self) -> None:
        self.picture_view.zoom_by(1)

    def _zoom_out(self) -> None:
        self.picture_view.zoom_by(-1)

    def _zoom_chosen(self, action: object) -> None:
        scale = action.data()  # type: ignore[attr-defined]
        if scale is not None:
            self.picture_view.zoom_to(scale)

    def _view_was_changed(self, view: View) -> None:
        self._update_zoom()
        self.view_changed.emit(view)

    def _update_zoom(self) -> None:
        view = self.picture_view
        self.zoom_button.setEnabled(view.image is not None)
        whole = f"{round(view.device_scale)}×"
        self.zoom_button.setText(self.tr("Fit") if view.view.is_fit or view.image is None else whole)

    def subject_at(self, place: QPoint | None) -> Subject:
        """The picture of this frame, for a context menu."""
        kind = self._kind_group.checkedAction()
        word = "" if kind is None else str(getattr(kind.data(), "value", kind.data()))
        return Subject(self.picture_view.image, word, _OLD_WORDS.get(word, word))

    def _hovered(self, column: int, row: int) -> None:
        self.readout.setText(self._text_of(column, row))
        self.pixel_hovered.emit(column, row)

    def _text_of(self, column: int, row: int) -> str:
        image = self.picture_view.image
        if column < 0 or image is None:
            return ""
        if self._reader is not None:
            return self._reader(column, row)
        colour = image.pixelColor(column, row)
        return f"{column}, {row} · R {colour.red()}  G {colour.green()}  B {colour.blue()}"

    def _place(self) -> None:
        """The picture as large as its aspect allows, header and footer along its edges, all of it centred."""
        head, footer = self._header.sizeHint().height(), self._footer.sizeHint().height()
        room_x, room_y = self.width(), max(1, self.height() - head - footer - 2 * _GAP)
        width = int(min(room_x, room_y * self._aspect))
        height = int(min(room_y, width / self._aspect))
        left = (room_x - width) // 2
        top = (room_y - height) // 2
        # Under a narrow picture, the texts may use the room beside it.
        strip = max(width, min(room_x, 200))
        strip_left = (room_x - strip) // 2
        self._header.setGeometry(QRect(strip_left, top, strip, head))
        self.picture_view.setGeometry(QRect(left, top + head + _GAP, width, height))
        self._footer.setGeometry(QRect(strip_left, top + head + height + 2 * _GAP, strip, footer))
        self._update_zoom()

    def sizeHint(self) -> QSize:
        return QSize(280, 280 + self._header.sizeHint().height() + self._footer.sizeHint().height() + 2 * _GAP)

    def minimumSizeHint(self) -> QSize:
        return QSize(130, 110 + self._header.sizeHint().height() + self._footer.sizeHint().height() + 2 * _GAP)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()
