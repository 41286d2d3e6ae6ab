"""Three frames of the same step under the title of their run, zoomed and pointed at together, and their places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QImage, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from sculptor_app.measures.frame_kinds import DEFAULT_KINDS, FrameKind
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.basics import ElidedLabel, Subject, give_menu
from sculptor_app.ui.widgets.frame_panel import FramePanel
from sculptor_app.ui.widgets.names import display, explained
from sculptor_app.ui.widgets.picture_source import Shown
from sculptor_app.ui.widgets.picture_view import View


@dataclass(frozen=True, slots=True)
class Room:
    """What the frames have to fit into, in logical pixels."""

    width: float  # width, height: of the stage, margins taken off
    height: float
    overhead: float  # height of a frame's header and footer
    gap: float  # between frames
    aspect: float = 1.0  # width over height of the pictures


Rect = tuple[int, int, int, int]
"""Left, top, width, height."""


def _small_height(large: float, room: Room) -> float:
    """Height of two small pictures that together stand as high as a large one of height `large`."""
    return (large - room.overhead - room.gap) / 2


def one_large(room: Room) -> tuple[Rect, Rect, Rect]:
    """The first frame large, the others above each other at its right, as high as it together, all of it centred."""
    by_height = room.height - room.overhead
    # aspect·(large + small) + gap = width, with `small` as above
    by_width = (2 * (room.width - room.gap) / room.aspect + room.overhead + room.gap) / 3
    large = max(40.0, min(by_height, by_width))
    small = max(20.0, _small_height(large, room))
    wide, narrow = large * room.aspect, small * room.aspect
    left = max(0.0, (room.width - wide - room.gap - narrow) / 2)
    top = max(0.0, (room.height - large - room.overhead) / 2)
    beside = left + wide + room.gap
    high = small + room.overhead
    return (
        _whole(left, top, wide, large + room.overhead),
        _whole(beside, top, narrow, high),
        _whole(beside, top + high + room.gap, narrow, high),
    )


def side_by_side(room: Room) -> tuple[Rect, Rect, Rect]:
    """Three frames of one size in a row, centred."""
    side = max(40.0, min(room.height - room.overhead, (room.width - 2 * room.gap) / 3 / room.aspect))
    wide, high = side * room.aspect, side + room.overhead
    left = max(0.0, (room.width - 3 * wide - 2 * room.gap) / 2)
    top = max(0.0, (room.height - high) / 2)
    first, second, third = (_whole(left + i * (wide + room.gap), top, wide, high) for i in range(3))
    return first, second, third


def pair(room: Room) -> tuple[Rect, Rect, Rect]:
    """The first two frames side by side, and the third below them, smaller."""
    below = LEAST_CONTRAST_PX + room.overhead + room.gap
    by_height = room.height - below - room.overhead
    side = max(40.0, min(by_height, (room.width - room.gap) / 2 / room.aspect))
    wide, high = side * room.aspect, side + room.overhead
    small = max(20.0, min(side, room.height - high - room.gap - room.overhead))
    top = max(0.0, (room.height - high - room.gap - small - room.overhead) / 2)
    left = max(0.0, (room.width - 2 * wide - room.gap) / 2)
    return (
        _whole(left, top, wide, high),
        _whole(left + wide + room.gap, top, wide, high),
        _whole(
            (room.width - small * room.aspect) / 2, top + high + room.gap, small * room.aspect, small + room.overhead
        ),
    )


LEAST_CONTRAST_PX = 120
"""What is left at least to the difference of two runs that stand above it."""


def pair_beside(room: Room) -> tuple[Rect, Rect, Rect]:
    """The first two frames side by side, and the third at their right, smaller."""
    by_width = (room.width - 2 * room.gap - LEAST_CONTRAST_PX * room.aspect) / 2 / room.aspect
    side = max(40.0, min(room.height - room.overhead, by_width))
    wide = side * room.aspect
    small = max(20.0, min(side, (room.width - 2 * (wide + room.gap)) / room.aspect))
    left = max(0.0, (room.width - 2 * (wide + room.gap) - small * room.aspect) / 2)
    high, low = side + room.overhead, small + room.overhead
    return (
        _whole(left, (room.height - high) / 2, wide, high),
        _whole(left + wide + room.gap, (room.height - high) / 2, wide, high),
        _whole(left + 2 * (wide + room.gap), (room.height - low) / 2, small * room.aspect, low),
    )


def of_compared(room: Room) -> tuple[Rect, Rect, Rect]:
    """Two runs as large as they can be, and their difference: in one row, below them, or small at their right."""
    row, others = side_by_side(room), (pair(room), pair_beside(room))
    larger = max(others, key=lambda rects: rects[0][2])
    return larger if larger[0][2] > WORTH * row[0][2] else row


def of_wiped(room: Room) -> tuple[Rect, Rect, Rect]:
    """The third frame large, in which two runs are wiped; those at its right."""
    large, upper, lower = one_large(room)
    return upper, lower, large


WORTH = 1.15
"""So much larger two pictures must be for the third one to be smaller."""

SMALLEST_PX = 90
"""A frame smaller than this shows too little: three of one size are better then."""


def best(room: Room) -> tuple[Rect, Rect, Rect]:
    """One frame large, unless that leaves too little for the others and a row gives them more."""
    large, row = one_large(room), side_by_side(room)
    return row if large[1][2] < SMALLEST_PX and row[1][2] > large[1][2] else large


def _whole(left: float, top: float, width: float, height: float) -> Rect:
    return round(left), round(top), int(width), int(height)


def alone(room: Room) -> tuple[Rect]:
    """The first frame, as large as it can be."""
    side = max(40.0, min(room.height - room.overhead, room.width / room.aspect))
    wide, high = side * room.aspect, side + room.overhead
    return (_whole((room.width - wide) / 2, (room.height - high) / 2, wide, high),)


MARGIN = 16
GAP = 16
LEAST_FOR_REMARK_PX = 440
"""On a lower stage there is no line about the step: the frames need the room more."""
AUTOMATIC, LARGE, ROW, ALONE = "automatic", "large", "row", "alone"
DIFFERENCE, WIPE = "difference", "wipe"
"""How two runs are contrasted."""
_PLACES: dict[str, Callable[[Room], tuple[Rect, ...]]] = {
    AUTOMATIC: best, LARGE: one_large, ROW: side_by_side, ALONE: alone,
}  # fmt: skip


class StageTitle(QWidget):
    """Says which run is on screen, in one line, and leads back to the one before it, or away from a comparison."""

    back_requested = Signal()
    end_requested = Signal()  # no more comparing

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._has_way_back = False
        self.what, self.facts = ElidedLabel("", self), ElidedLabel("", self)
        self.what.setFont(fonts.strong())
        self.facts.setProperty("tone", "muted")
        self.facts.setFont(fonts.tabular(fonts.body()))
        self.back = QToolButton(self)
        self.back.setText(self.tr("← Run before"))
        self.back.setProperty("kind", "outlined")
        self.back.setFont(fonts.small())
        self.back.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.back.clicked.connect(self.back_requested)
        self.back.hide()
        self.runs = QToolButton(self)  # a menu of all of them, where there is one
        self.runs.setText(self.tr("Runs"))
        self.runs.setProperty("kind", "small")
        self.runs.setFont(fonts.small())
        self.runs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.runs.hide()
        self.lock, self.end = (self._small_button(text) for text in ("", self.tr("Stop comparing")))
        self.end.clicked.connect(self.end_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        for label in (self.what, self.facts):
            label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
            row.addWidget(label)
        row.addStretch(1)
        for button in (self.lock, self.end, self.back, self.runs):
            row.addWidget(button)

    def _small_button(self, text: str) -> QToolButton:
        """A button that is there while two runs are compared."""
        button = QToolButton(self)
        button.setText(text)
        button.setProperty("kind", "small")
        button.setFont(fonts.small())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.hide()
        return button

    def set_comparing(self, lock: str = "") -> None:
        """Offer what can be done while two runs are compared; `lock` says how their states go together, or nothing."""
        self.lock.setText(lock)
        for button in (self.lock, self.end):
            button.setVisible(bool(lock))
        self._offer_way_back()

    def set_menu(self, menu: QMenu) -> None:
        """Give it a menu of all runs, which is seen where there is a way back."""
        give_menu(self.runs, menu)

    def set_parts(self, parts: tuple[str, ...]) -> None:
        """Show a run's title; empty for none."""
        self.what.setText(parts[0] if parts else "")
        self.facts.setText(" · ".join(parts[1:]))
        self.setAccessibleName(" · ".join(parts))
        self._divide()

    def set_way_back(self, is_there: bool, tip: str = "", text: str = "") -> None:
        """Whether there is a run to go back to, and which; `text` says where it leads if not to the one before."""
        self._has_way_back = is_there
        self._offer_way_back()
        if text:
            self.back.setText(text)
        self.back.setToolTip(tip)

    def _offer_way_back(self) -> None:
        """While runs are compared, their names and the other buttons need the room; the menus lead back, too."""
        self.back.setVisible(self._has_way_back and self.end.isHidden())
        self.runs.setVisible(self._has_way_back and self.runs.menu() is not None)

    def _divide(self) -> None:
        """What it is takes its room first, up to half of it: labels, or the beginning of a long prompt."""
        self.what.setMinimumWidth(min(self.what.sizeHint().width(), self.width() // 2))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._divide()

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), max(self.back.sizeHint().height(), self.what.sizeHint().height()))


class Stage(QWidget):
    """Three frames under their run's title and, below them, a line about what a step in the middle of a run is."""

    kinds_changed = Signal()  # a person chose to see something else in one of them
    compared_requested = Signal(object)  # the value of another run, to be compared with that on screen
    contrast_requested = Signal(object)  # DIFFERENCE or WIPE
    wiped = Signal(float)  # the share of the picture, from the left on, at which the pointer is over a wipe
    first_kinds = DEFAULT_KINDS

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("ground", "well")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._arrangement = AUTOMATIC
        self._aspect = 1.0
        self._is_comparing = False
        self._cover: QWidget | None = None
        self._contrast = DIFFERENCE
        self._smooths = True
        self._colours: list[QColor] = []
        self.kinds: list[FrameKind] = list(self.first_kinds)
        self.panels = [FramePanel(self) for _ in range(3)]
        for panel in self.panels:
            self._offer_kinds(panel)
            panel.kind_requested.connect(self._kind_requested)
            panel.view_changed.connect(self._share_view)
            panel.pixel_hovered.connect(self._share_marker)
            panel.set_picture(None, "", self.empty_text())
        self._explain_notes()
        self.title = StageTitle(self)
        self._wants_remark = True
        self.remark = ElidedLabel("", self)
        self.remark.fill_place()
        self.remark.setProperty("tone", "muted")
        self.remark.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def _offer_kinds(self, panel: FramePanel) -> None:
        panel.set_kinds([(kind, self.kind_name(kind), self.kind_meaning(kind)) for kind in self.known_kinds()])
        panel.set_kind(self.kinds[self.panels.index(panel)])

    def empty_text(self) -> str:
        """What stands in the frames before there is a picture."""
        return self.tr("The run is on its way…")

    def known_kinds(self) -> list[FrameKind]:
        """What can be chosen to be shown, in the order of the menu."""
        return list(FrameKind)

    def kind_name(self, kind: FrameKind) -> str:
        """What a kind of frame is called, translated."""
        return display(kind.title)

    def kind_meaning(self, kind: FrameKind) -> str:
        """What a kind of frame shows, translated."""
        return explained(kind.value)

    def set_kinds(self, kinds: list[FrameKind]) -> None:
        """Choose what the three frames show."""
        self.kinds = list(kinds)
        for panel, kind in zip(self._panels_of_kinds, kinds, strict=False):
            panel.set_kind(kind)
        self._explain_notes()
        self.kinds_changed.emit()

    @property
    def _panels_of_kinds(self) -> list[FramePanel]:
        """Those whose kind can be chosen: while runs are compared the first one's is that of all."""
        return self.panels[:1] if self._is_comparing else self.panels

    def compare(self, runs: list[tuple[object, str, str]], compared: object, contrast: str) -> None:
        """Show two runs and their contrast instead of three kinds of frame.

        Args:
            runs: those that can be compared with the one on screen: each a value, its title and a tooltip.
            compared: the value of the one that is.
            contrast: DIFFERENCE or WIPE.
        """
        self._is_comparing = True
        second, third = self.panels[1:]
        second.set_kinds(runs)
        second.set_kind(compared)
        second.title_button.setText(self.tr("Compared run"))
        second.picture_view.setAccessibleName(self.tr("Compared run"))
        third.set_kinds([
            (DIFFERENCE, self.tr("Difference"), self.tr("What this run has more of, and less, than the compared one.")),
            (WIPE, self.tr("Wipe"), self.tr("This run at the left of the pointer, the compared one at its right.")),
        ])  # fmt: skip
        third.set_kind(contrast)
        self._contrast = contrast
        self._explain_notes()
        self._place()

    def end_comparing(self) -> None:
        """Show three kinds of frame again."""
        if self._is_comparing:
            self._is_comparing = False
            for panel in self.panels[1:]:
                self._offer_kinds(panel)
            self._explain_notes()
            self._place()

    @property
    def arrangement(self) -> str:
        """AUTOMATIC, LARGE, ROW or ALONE."""
        return self._arrangement

    def set_arrangement(self, arrangement: str) -> None:
        """Put one frame large, or all three in a row, or whichever fits better, or show the first one alone."""
        self._arrangement = arrangement
        self._show_panels()
        self._place()

    def cover(self, widget: QWidget | None) -> None:
        """Have something else in the place of the frames, a child of this stage; None shows the frames again."""
        if self._cover is not None and self._cover is not widget:
            self._cover.hide()
        self._cover = widget
        self._show_panels()
        self._place()
        if widget is not None:
            widget.show()

    def _show_panels(self) -> None:
        for number, panel in enumerate(self.panels):
            panel.setVisible(self._cover is None and (number == 0 or self._arrangement != ALONE))

    @property
    def smooths(self) -> bool:
        """Whether guesses are enlarged smoothly; noise never is."""
        return self._smooths

    @Slot(bool)
    def set_smooths(self, smooths: bool) -> None:
        """Enlarge guesses smoothly, or pixel by pixel; what is zoomed has its own pixels in any case."""
        self._smooths = smooths
        self.kinds_changed.emit()

    def show_pictures(self, shown: list[Shown], notes: list[str], guesses: Sequence[bool] = (False,) * 3) -> None:
        """Show a picture and a note in each frame.

        Args:
            guesses: whether each is a guess, which has no grain.
        """
        for panel, picture, note, is_guess in zip(self.panels, shown, notes, guesses, strict=True):
            panel.picture_view.set_smooth(is_guess and self._smooths)
            panel.set_picture(picture.image, note, display(picture.why_empty))
            panel.set_legend(self._legend() if picture.limit is not None else (), picture.limit)
        image = shown[0].image
        if image is not None and image.width() / image.height() != self._aspect:
            self._aspect = image.width() / image.height()
            self._place()

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Of the keyboard's focus: the first frame; beside the frames there is nothing."""
        return self.panels[0].subject_at(None) if place is None else None

    def set_remark_wanted(self, is_wanted: bool) -> None:
        """Whether there is a line under the frames, where there is room for it."""
        self._wants_remark = is_wanted
        self._place()

    def set_remark(self, text: str) -> None:
        """The line under the frames."""
        if text != self.remark.text():
            self.remark.setText(text)

    def _legend(self) -> list[QColor]:
        if not self._colours:
            from sculptor_app.measures.colours import TABLE  # numpy comes with it; there is a picture by now

            self._colours = [QColor(*map(int, rgb)) for rgb in TABLE]
        return self._colours

    def _explain_notes(self) -> None:
        """What stands beside the titles of noisy states: SNR and σ."""
        for panel in self.panels[1:]:
            panel.note.set_tip("")
        for panel, kind in zip(self._panels_of_kinds, self.kinds, strict=False):
            is_level = kind is FrameKind.NOISY_STATE
            panel.note.set_tip(f"{explained('snr')}\n\n{explained('sigma')}" if is_level else "")

    @property
    def _sending_panel(self) -> FramePanel:
        """The panel whose signal is being answered."""
        panel = self.sender()
        assert isinstance(panel, FramePanel)  # they alone are connected
        return panel

    @Slot(object)
    def _kind_requested(self, kind: FrameKind) -> None:
        index = self.panels.index(self._sending_panel)
        if self._is_comparing and index:
            (self.compared_requested if index == 1 else self.contrast_requested).emit(kind)
            return
        self.kinds[index] = kind
        self._explain_notes()
        self.kinds_changed.emit()

    @Slot(object)
    def _share_view(self, view: View) -> None:
        for panel in self.panels:
            if panel is not self._sending_panel:
                panel.set_view(view)

    @Slot(int, int)
    def _share_marker(self, column: int, row: int) -> None:
        of = self._sending_panel.picture_view.image
        if self._is_comparing and self._sending_panel is self.panels[2] and of is not None and column >= 0:
            self.wiped.emit((column + 0.5) / of.width())
        for panel in self.panels:
            if panel is not self._sending_panel:
                panel.set_marker(*_same_place(column, row, of, panel.picture_view.image))

    def _place(self) -> None:
        self.remark.setVisible(self._wants_remark and self.height() >= LEAST_FOR_REMARK_PX)
        line, head = (0 if part.isHidden() else part.sizeHint().height() for part in (self.remark, self.title))
        below = MARGIN // 2 + head if head else 0  # where the frames may begin
        panel = self.panels[0]
        overhead = panel.sizeHint().height() - 280  # its size hint is that of a picture of 280 pixels
        if self._cover is not None:
            high = self.height() - 2 * MARGIN - line - below
            self._cover.setGeometry(MARGIN, MARGIN + below, self.width() - 2 * MARGIN, high)
        room = Room(self.width() - 2 * MARGIN, self.height() - 2 * MARGIN - line - below, overhead, GAP, self._aspect)
        is_of_two = self._is_comparing and self._arrangement not in (ALONE, ROW)
        of_two = of_wiped if self._contrast == WIPE else of_compared
        rects = (of_two if is_of_two else _PLACES[self._arrangement])(room)
        for panel, (left, top, width, height) in zip(self.panels, rects, strict=False):
            panel.setGeometry(left + MARGIN, top + MARGIN + below, width, height)
        self.title.setGeometry(MARGIN, MARGIN // 2, self.width() - 2 * MARGIN, head)
        self.remark.setGeometry(MARGIN, self.height() - MARGIN // 2 - line, self.width() - 2 * MARGIN, line)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 120)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()


def _same_place(column: int, row: int, of: QImage | None, other: QImage | None) -> tuple[int, int]:
    """A pixel of one picture in another of the same; a decoded one has more of them than its latents."""
    if column < 0 or of is None or other is None or of.size() == other.size():
        return column, row
    return column * other.width() // of.width(), row * other.height() // of.height()
