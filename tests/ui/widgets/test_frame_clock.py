"""Many changes are one drawing, and drawing takes no more than its share of the time."""

import time

from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.ui.widgets.frame_clock import MOST_PAUSE_S, PAINTED_MS, FrameClock


def test_many_requests_are_one_drawing_and_the_last_is_not_lost(qtbot: QtBot) -> None:
    clock = FrameClock(frame_ms=20)
    state, drawn = [0], []
    clock.due.connect(lambda: drawn.append(state[0]))
    for value in range(1, 101):
        state[0] = value
        clock.request()
    qtbot.waitUntil(lambda: bool(drawn))
    assert drawn == [100]
    state[0] = 101
    clock.request()
    qtbot.waitUntil(lambda: len(drawn) == 2)
    assert drawn == [100, 101]


def test_flush_draws_what_is_due_and_nothing_else(qtbot: QtBot) -> None:
    clock = FrameClock()
    drawn = []
    clock.due.connect(lambda: drawn.append(1))
    clock.flush()
    assert not drawn
    clock.request()
    clock.flush()
    assert drawn == [1]
    qtbot.wait(PAINTED_MS + 2)  # the clock's own look at what painting took


def test_painting_in_a_window_counts_in_the_share_that_drawing_may_take(qtbot: QtBot) -> None:
    """What a widget paints comes milliseconds after it is asked to; a clock that missed it would limit nothing."""
    clock = FrameClock(frame_ms=1, share=0.1)
    painter = Busy()
    qtbot.addWidget(painter)
    painter.show()
    qtbot.waitExposed(painter)
    clock.due.connect(painter.update)

    def has_seen_it() -> bool:
        clock.request()  # again, where the machine painted later than usual
        return clock._spent_s >= Busy.PAINTING_S

    qtbot.waitUntil(has_seen_it)
    assert clock._next_s - clock._begun_s >= 10 * Busy.PAINTING_S


def test_a_drawing_that_waits_comes_at_once_when_it_may(qtbot: QtBot) -> None:
    """The end of a run gives drawing all the time: what was put off while it went on is not put off any longer."""
    clock, drawn = FrameClock(frame_ms=1, share=0.001), []
    clock.due.connect(lambda: drawn.append(1) or spend(Busy.PAINTING_S))
    with qtbot.waitSignal(clock.due):
        clock.request()
    qtbot.wait(PAINTED_MS + 20)
    clock.request()
    assert clock._alarm.remainingTime() > 1000
    clock.share = 1.0
    assert clock._alarm.remainingTime() <= 1
    qtbot.waitUntil(lambda: len(drawn) == 2, timeout=500)
    qtbot.wait(PAINTED_MS + 2)


def test_no_drawing_however_long_puts_the_next_off_for_more_than_two_seconds(qtbot: QtBot) -> None:
    clock = FrameClock(share=1e-6)
    clock.due.connect(lambda: spend(Busy.PAINTING_S))
    with qtbot.waitSignal(clock.due):
        clock.request()
    qtbot.wait(PAINTED_MS + 20)
    assert clock._next_s - clock._begun_s == MOST_PAUSE_S


def spend(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Busy(QWidget):
    """Takes a while of the processor's time to paint."""

    PAINTING_S = 0.004

    def paintEvent(self, event: object) -> None:
        spend(self.PAINTING_S)
