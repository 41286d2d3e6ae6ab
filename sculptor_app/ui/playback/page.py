"""A page of the window, with a session of its own, and the views that files are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sculptor_app.session.session import Session
from sculptor_app.ui.playback.presenter import FramePresenter
from sculptor_app.ui.playback.stage import Stage
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.folding import Folds

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from sculptor_app.exports.animation.plan import RunGrid
    from sculptor_app.exports.decisions import DecisionSet

FILM_MARGINS, SCRUBBER_MARGINS, SCRUBBER_GAP_PX = (14, 2, 14, 4), (14, 10, 14, 4), 8
"""Around a filmstrip, and around and between transport bar and timeline: these stand at one height on all pages."""


def scrubber_column(transport: QWidget, timeline: QWidget) -> QVBoxLayout:
    """The foot of a page."""
    column = QVBoxLayout()
    column.setContentsMargins(*SCRUBBER_MARGINS)
    column.setSpacing(SCRUBBER_GAP_PX)
    column.addWidget(transport)
    column.addWidget(timeline)
    return column


@dataclass(frozen=True, slots=True)
class Views:
    """A session and what shows it."""

    session: Session  # which trajectory, which step
    stage: Stage  # the frames, large
    presenter: FramePresenter  # makes their pictures


@dataclass(frozen=True, slots=True)
class GridViews:
    """Many runs that one session moves."""

    session: Session  # which step
    grid: Callable[[], RunGrid | None]  # the runs that are seen now; None where there are none
    frames: Callable[[], str]  # what is seen of each, as `AnimationOptions.frames` has it
    name: Callable[[], str]  # what a file of them is called, without its ending
    title: Callable[[], tuple[str, ...]]  # what they are and what made them; empty where nothing has been made


@dataclass(frozen=True, slots=True)
class FigureViews:
    """A run, and figures about it."""

    session: Session  # the run
    figures: Callable[[], DecisionSet | None]  # None while there are none
    plot: Callable[[], QImage | None]  # their picture


class Page(QWidget):
    """What the window asks of a page besides being shown.

    A page is built when it is first entered; what takes long in it (numpy, pyqtgraph, pictures) comes in `enter`.
    """

    ability_changed = Signal()  # `is_busy`, `can_start` or `can_go_back`
    status_changed = Signal()  # `status_text`
    into_noise = False  # whether playing forward goes from a picture into the noise

    def __init__(self, settings: QSettings, messages: MessageBar, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.settings, self.messages = settings, messages
        # It is moved by the window's keys and menus while the page is in front; the runs that can be gone back to are
        # those of the page Carve alone, and the memory for them is spent there.
        self.session = Session(self, self.into_noise, memory_bytes=lambda: 0)
        self.folds: Folds | None = None  # its side panels
        self.views: Views | GridViews | FigureViews | None = None  # what the File menu saves; None for nothing

    @property
    def is_busy(self) -> bool:
        """Whether something that `stop` ends goes on."""
        return False

    @property
    def keeps_checkpoint(self) -> bool:
        """Whether something goes on that `shutdown` keeps a checkpoint of."""
        return False

    @property
    def status_text(self) -> str:
        """What the status bar says while the page is in front; told anew at `status_changed` and `ability_changed`."""
        return ""

    @property
    def can_start(self) -> bool:
        """Whether `start` would do something."""
        return True

    @property
    def can_go_back(self) -> bool:
        """Whether `show_run_before` would do something."""
        return False

    def full_screen_parts(self) -> tuple[QWidget, ...]:
        """What fills the screen of a lecture room: the largest part first, a timeline last; none for nothing."""
        return ()

    def fit_into(self, width_px: int, height_px: int) -> None:
        """Fold what has no room in a window of this size; called when it changes, and before the page is shown."""
        if self.folds is not None:
            self.folds.fit(width_px)

    def enter(self) -> None:
        """Called whenever the page comes to the front."""

    def leave(self) -> None:
        """Called whenever another page comes to the front; playing stops, work in the background may go on."""
        self.session.pause()

    def start(self) -> None:
        """Do what the page is for: Ctrl+Return, wherever the focus is."""

    def stop(self) -> None:
        """Stop what the page has begun: Esc."""

    def show_run_before(self) -> None:
        """Put what was on screen before the last start back: Ctrl+B."""

    def save_choices(self) -> None:
        """Remember the page's choices in `settings`; called when the window closes."""
        if self.folds is not None:
            self.folds.save(self.settings)

    def shutdown(self) -> None:
        """End what goes on in the background, and wait for it; called when the window closes."""
