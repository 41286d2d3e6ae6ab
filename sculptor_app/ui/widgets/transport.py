"""The transport bar: step and play either way, loop, speed, the typed step, and pinned or following the run."""

import math
import re
from collections.abc import Sequence
from typing import Literal, get_args

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QResizeEvent, QValidator
from PySide6.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QWidget,
)

from sculptor_app.core.requests.request import MAX_STEPS
from sculptor_app.ui.theme import fonts, icon, inset
from sculptor_app.ui.widgets.basics import ElidedLabel, give_menu
from sculptor_app.ui.widgets.names import explained

LoopMode = Literal["once", "loop", "ping_pong"]
LOOP_MODES: tuple[LoopMode, ...] = get_args(LoopMode)
_BESIDE = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
LEAST_PX, SPEED_PX, NAMED_PX, ROOMY_PX = 560, 720, 900, 1150
"""Least width, and from which on there is room for the speed, for most buttons' words, and for all of them."""

_FAR = 60.0
"""Of the logarithm of a signal-to-noise ratio that is 0 or without bounds."""
BOX_PX = 31
"""Height of the number fields: that of the buttons."""
_ICONS = {"once": "once", "loop": "loop", "ping_pong": "ping-pong"}


class _SpeedBox(QDoubleSpinBox):
    """A number that shows a decimal only where it has one: 12, but 0.5."""

    def textFromValue(self, value: float) -> str:
        return self.locale().toString(value, "f", 0 if value == int(value) else 1)


_LEVEL = re.compile(r"\s*(snr|sigma|σ)\s*[=:]?\s*([0-9.,e+-]*)\s*", re.IGNORECASE)
_LEVEL_BEGUN = re.compile(r"\s*(s(n(r)?)?|s(i(g(m(a)?)?)?)?|σ)\s*", re.IGNORECASE)


class StepBox(QSpinBox):
    """The number of a step; a noise level may be typed in its place, for the state that is nearest to it: "snr=0.3"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ratios: tuple[float, ...] = ()

    def set_ratios(self, ratios: Sequence[float]) -> None:
        """Signal-to-noise ratios of the states, in the order in which they are counted."""
        self._ratios = tuple(ratios)

    def _state_at(self, text: str) -> int | None:
        """The state that is nearest to the noise level that a text tells, of those that are there."""
        found = _LEVEL.fullmatch(text)
        value, is_number = self.locale().toDouble(found[2].strip()) if found else (0.0, False)
        known = [(k, each) for k, each in enumerate(self._ratios) if k <= self.maximum() and not math.isnan(each)]
        if found is None or not is_number or value <= 0 or not known:
            return None
        wanted = math.log(value) if found[1].lower() == "snr" else -2 * math.log(value)
        return min(known, key=lambda each: abs(_log(each[1]) - wanted))[0]

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        if _LEVEL_BEGUN.fullmatch(text):
            return QValidator.State.Intermediate, text, position
        if _LEVEL.fullmatch(text):
            is_whole = self._state_at(text) is not None
            return (QValidator.State.Acceptable if is_whole else QValidator.State.Intermediate), text, position
        return super().validate(text, position)

    def valueFromText(self, text: str) -> int:
        state = self._state_at(text)
        return super().valueFromText(text) if state is None else state


def _log(ratio: float) -> float:
    """Logarithm of a signal-to-noise ratio; of pure noise and of a clean picture far beyond all others."""
    return max(-_FAR, min(_FAR, math.log(ratio))) if ratio > 0 else -_FAR


class TransportBar(QWidget):
    """Buttons for moving through the states; each press is a request by signal."""

    first_requested = Signal()
    back_requested = Signal()
    forward_requested = Signal()
    last_requested = Signal()
    play_requested = Signal(int)  # direction +1 or -1
    pause_requested = Signal()
    loop_mode_requested = Signal(str)  # "once", "loop" or "ping_pong"
    speed_requested = Signal(float)  # steps per second
    step_requested = Signal(int)  # a number was typed
    following_requested = Signal(bool)  # follow the run, or pin the view

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._playing = 0
        self._range = (-1, -1)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)
        self._make_buttons()
        self._make_loop_button()
        self._make_speed()
        self._make_film_button()
        self._make_step()
        self._make_follow()
        # All but the caption is as wide and high as it will ever be: nothing moves from under the pointer.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_loop_mode("once")
        self.set_playing(0)
        self.set_range(0, 0)
        self.set_following(True)
        self.set_run_active(False)

    # Making

    def _button(self, name: str, text: str) -> QToolButton:
        button = QToolButton(self)
        button.setProperty("kind", "outlined")
        button.setIcon(icon(name))
        button.setIconSize(QSize(18, 18))
        button.setToolTip(text)
        button.setAccessibleName(text)
        button.setAutoRepeatDelay(350)
        self._row.addWidget(button)
        return button

    def _make_buttons(self) -> None:
        self.first_button = self._button("first", self.tr("First state: the untouched block (Home)"))
        self.back_button = self._button("step-back", self.tr("One step back (Left)"))
        self.play_back_button = self._button("play-back", self.tr("Play backward"))
        self.play_button = self._button("play", self.tr("Play (Space)"))
        self.forward_button = self._button("step-forward", self.tr("One step forward (Right)"))
        self.last_button = self._button("last", self.tr("Newest state (End)"))
        self.first_button.clicked.connect(self.first_requested)
        self.back_button.clicked.connect(self.back_requested)
        self.forward_button.clicked.connect(self.forward_requested)
        self.last_button.clicked.connect(self.last_requested)
        self.play_button.clicked.connect(self._play_clicked)
        self.play_back_button.clicked.connect(self._play_back_clicked)
        for button in (self.back_button, self.forward_button):
            button.setAutoRepeat(True)
            button.setAutoRepeatInterval(60)

    def _make_loop_button(self) -> None:
        self._row.addSpacing(8)
        self.loop_button = self._button("once", self.tr("At the end of playing"))
        self.loop_button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self._loop_menu = QMenu(self.loop_button)
        group = QActionGroup(self._loop_menu)
        names = (self.tr("Play once"), self.tr("Loop"), self.tr("Back and forth"))
        for mode, name in zip(LOOP_MODES, names, strict=True):
            action = self._loop_menu.addAction(icon(_ICONS[mode]), name)
            action.setCheckable(True)
            action.setData(mode)
            action.triggered.connect(self._loop_chosen)
            group.addAction(action)
        self._loop_group = group
        give_menu(self.loop_button, self._loop_menu)

    def _make_speed(self) -> None:
        self.speed_box = _SpeedBox(self)
        self.speed_box.setRange(0.5, 60.0)
        self.speed_box.setDecimals(1)
        self.speed_box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.speed_box.setSuffix(self.tr(" steps/s"))
        self.speed_box.setValue(12.0)
        self.speed_box.setKeyboardTracking(False)
        self.speed_box.setFont(fonts.tabular(fonts.body()))
        self.speed_box.setToolTip(self.tr("Playing speed"))
        self.speed_box.setAccessibleName(self.tr("Playing speed, steps per second"))
        self.speed_box.valueChanged.connect(self.speed_requested)
        inset(self.speed_box)
        self._row.addSpacing(4)
        self._row.addWidget(self.speed_box)

    def _make_film_button(self) -> None:
        self.film_button = self._button("filmstrip", self.tr("Show or hide the filmstrip"))
        self.film_button.setCheckable(True)
        self.film_button.setText(self.tr("Film"))

    def _make_step(self) -> None:
        self._step_label = QLabel(self.tr("Step"), self)
        self._step_label.setFont(fonts.strong())
        self._step_label.setToolTip(explained("step"))
        self.step_box = StepBox(self)
        self.step_box.setRange(0, MAX_STEPS)
        self.step_box.setKeyboardTracking(False)
        inset(self.step_box)
        self.step_box.setFont(fonts.tabular(fonts.strong()))
        self.step_box.setToolTip(self.tr("Type a step to go there, or a noise level: snr=0.3, sigma=1.5"))
        self.step_box.setAccessibleName(self.tr("Step"))
        self.step_box.valueChanged.connect(self.step_requested)
        self._of_label = QLabel(self)
        self._of_label.setFont(fonts.tabular(fonts.strong()))
        self._keep_step_size()
        self.caption = ElidedLabel("", self)
        self.caption.fill_place()
        self.caption.setProperty("tone", "muted")
        self.caption.setFont(fonts.tabular(fonts.body()))
        self.caption.set_tip(explained("snr"))
        self._row.addSpacing(12)
        for widget in (self._step_label, self.step_box, self._of_label):
            self._row.addWidget(widget)
        self.fork_button = QToolButton(self)
        self.fork_button.setProperty("kind", "outlined")
        self.fork_button.setText(self.tr("Fork"))
        self.fork_button.setIcon(icon("fork"))
        self.fork_button.setIconSize(QSize(18, 18))
        self.fork_button.setToolButtonStyle(_BESIDE)
        self.fork_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.fork_button.setFixedHeight(self.film_button.sizeHint().height())
        self.fork_button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.fork_button.hide()
        self._row.addSpacing(6)
        self._row.addWidget(self.fork_button)
        self._row.addSpacing(6)
        self._row.addWidget(self.caption, 1)
        self._row.addSpacing(10)

    def _keep_step_size(self) -> None:
        """Make room for the longest run, whichever is shown."""
        for box in (self.step_box, self.speed_box):
            box.setFixedHeight(max(BOX_PX, box.fontMetrics().height() + 14))  # before and after it is styled
            box.setFixedWidth(box.sizeHint().width())
        words = self.tr("Step"), self.tr("Layer")
        self._step_label.setFixedWidth(max(map(self._step_label.fontMetrics().horizontalAdvance, words)) + 2)
        longest = self._of_label.fontMetrics().horizontalAdvance(self.tr("of {0}").format(MAX_STEPS))
        self._of_label.setFixedWidth(longest + 2)

    def _make_follow(self) -> None:
        self.pin_button = self._segment("pin", self.tr("Pinned"), "left")
        self.follow_button = self._segment("follow", self.tr("Follow live"), "right")
        self.pin_button.setToolTip(self.tr("The view stays at its step while the run goes on"))
        self.follow_button.setToolTip(self.tr("The view goes with the newest step of the run"))
        group = QButtonGroup(self)
        for button in (self.pin_button, self.follow_button):
            group.addButton(button)
        self._row.setSpacing(4)
        pair = QHBoxLayout()
        pair.setSpacing(0)
        pair.addWidget(self.pin_button)
        pair.addWidget(self.follow_button)
        self._row.addLayout(pair)
        self.pin_button.clicked.connect(self._pin_clicked)
        self.follow_button.clicked.connect(self._follow_clicked)

    def _segment(self, name: str, text: str, side: str) -> QToolButton:
        button = QToolButton(self)
        button.setProperty("segment", side)
        button.setCheckable(True)
        button.setText(text)
        button.setIcon(icon(name, "muted"))
        button.setIconSize(QSize(16, 16))
        button.setToolButtonStyle(_BESIDE)
        return button

    # What it shows

    def set_range(self, last: int, planned: int) -> None:
        """States 0..last can be typed; the run has `planned` steps, 0 for no run."""
        if (last, planned) == self._range:
            return
        self._range = (last, planned)
        self.step_box.blockSignals(True)
        self.step_box.setRange(0, last)
        self.step_box.blockSignals(False)
        self._of_label.setText(self.tr("of {0}").format(planned) if planned else "")
        for button in (self.first_button, self.back_button, self.play_back_button, self.play_button):
            button.setEnabled(last > 0)
        for widget in (self.forward_button, self.last_button, self.step_box):
            widget.setEnabled(last > 0)

    def set_ratios(self, ratios: Sequence[float]) -> None:
        """Signal-to-noise ratios of all states, in the order in which they are counted: they may be typed, too."""
        self.step_box.set_ratios(ratios)

    def set_step(self, step: int) -> None:
        """The state on view."""
        if step != self.step_box.value():
            self.step_box.blockSignals(True)
            self.step_box.setValue(step)
            self.step_box.blockSignals(False)

    def set_caption(self, text: str) -> None:
        """A quiet word beside the step: its phase and noise level."""
        self.caption.setText(text)

    def set_playing(self, direction: int) -> None:
        """+1 or -1 while playing, 0 when paused; the button of that direction then pauses."""
        self._playing = direction
        self.play_button.setIcon(icon("pause" if direction > 0 else "play"))
        self.play_back_button.setIcon(icon("pause" if direction < 0 else "play-back"))
        texts = (self.tr("Pause (Space)"), self.tr("Play (Space)"), self.tr("Play backward"))
        forward, backward = texts[0 if direction > 0 else 1], texts[0 if direction < 0 else 2]
        for button, text in ((self.play_button, forward), (self.play_back_button, backward)):
            button.setToolTip(text)
            button.setAccessibleName(text)

    def set_loop_mode(self, mode: str) -> None:
        """What happens at the end of playing.

        Raises:
            ValueError: none of "once", "loop", "ping_pong".
        """
        if mode not in LOOP_MODES:
            raise ValueError(f"a loop mode is one of {', '.join(LOOP_MODES)}; got {mode!r}")
        for action in self._loop_group.actions():
            if action.data() == mode:
                action.setChecked(True)
                self.loop_button.setAccessibleName(self.tr("At the end: {0}").format(action.text()))
                self.loop_button.setToolTip(self.tr("At the end of playing: {0}").format(action.text().lower()))
        self.loop_button.setIcon(icon(_ICONS[mode], "text" if mode == "once" else "accent_text"))

    def set_speed(self, steps_per_second: float) -> None:
        self.speed_box.blockSignals(True)
        self.speed_box.setValue(steps_per_second)
        self.speed_box.blockSignals(False)

    def set_fork_menu(self, menu: QMenu) -> None:
        """Offer forks at the state on view."""
        give_menu(self.fork_button, menu)
        self.fork_button.show()

    def set_can_fork(self, can: bool, tip: str) -> None:
        """Whether the state on view can be forked; the tip says what that is, or why not."""
        self.fork_button.setEnabled(can)
        self.fork_button.setToolTip(tip)

    def set_following(self, following: bool) -> None:
        """Which of the two states the view is in."""
        self.follow_button.setChecked(following)
        self.pin_button.setChecked(not following)
        self.follow_button.setIcon(icon("follow", "accent_text" if following else "muted"))
        self.pin_button.setIcon(icon("pin", "muted" if following else "accent_text"))

    def set_run_active(self, active: bool) -> None:
        """Whether a run is in progress; only then is there something to follow."""
        self.follow_button.setEnabled(active)
        self.pin_button.setEnabled(active)

    def leave_out_following(self) -> None:
        """Take the choice between pinned and following away, where nothing grows."""
        self.pin_button.hide()
        self.follow_button.hide()

    def leave_out_film(self) -> None:
        """Take the filmstrip's button away, where there is none; what is beside it stays where it is on other pages."""
        policy = self.film_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.film_button.setSizePolicy(policy)
        self.film_button.hide()

    def count_layers(self) -> None:
        """Count layers of noise from a picture on, instead of steps from the noise on."""
        self._step_label.setText(self.tr("Layer"))
        self._step_label.setToolTip(explained("layer"))
        self.step_box.setAccessibleName(self.tr("Layer"))
        self.step_box.setToolTip(self.tr("Type a layer to go there, or a noise level: snr=0.3, sigma=1.5"))
        self.speed_box.setSuffix(self.tr(" layers/s"))
        self.speed_box.setAccessibleName(self.tr("Playing speed, layers per second"))
        for button, text in (
            (self.first_button, self.tr("The picture (Home)")),
            (self.back_button, self.tr("One layer back (Left)")),
            (self.forward_button, self.tr("One layer forward (Right)")),
            (self.last_button, self.tr("Pure noise (End)")),
        ):
            button.setToolTip(text)
            button.setAccessibleName(text)

    # Inside

    def _fit(self, width_px: int) -> None:
        """In a narrow window, pinned and following are pictograms; in the narrowest there is no speed to choose."""
        style = _BESIDE if width_px >= NAMED_PX else Qt.ToolButtonStyle.ToolButtonIconOnly
        for button in (self.pin_button, self.follow_button, self.fork_button):
            button.setToolButtonStyle(style)
        self.film_button.setToolButtonStyle(_BESIDE if width_px >= ROOMY_PX else Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.speed_box.setVisible(width_px >= SPEED_PX)

    def _play_clicked(self) -> None:
        self._play_or_pause(1)

    def _play_back_clicked(self) -> None:
        self._play_or_pause(-1)

    def _play_or_pause(self, direction: int) -> None:
        if self._playing == direction:
            self.pause_requested.emit()
        else:
            self.play_requested.emit(direction)

    def _loop_chosen(self) -> None:
        self.loop_mode_requested.emit(self._loop_group.checkedAction().data())

    def _pin_clicked(self) -> None:
        self.following_requested.emit(False)

    def _follow_clicked(self) -> None:
        self.following_requested.emit(True)

    # Qt overrides

    def minimumSizeHint(self) -> QSize:
        return QSize(LEAST_PX, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit(self.width())
