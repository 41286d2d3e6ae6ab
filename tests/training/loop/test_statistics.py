"""Share of a run that is done, time left, and the rate over the last steps."""

import pytest

from sculptor_app.training.loop.statistics import RateMeter, seconds_left, share_done
from sculptor_app.training.records.plan import Recipe


def test_time_left_follows_the_rate_or_the_clock():
    by_pictures, by_time = Recipe(1000), Recipe(10**9, minutes=2)
    assert (seconds_left(by_pictures, 400, 77, 20.0), share_done(by_pictures, 400, 77)) == (30, 0.4)
    assert (seconds_left(by_time, 400, 30, 20.0), share_done(by_time, 400, 30)) == (90, 0.25)
    assert seconds_left(by_pictures, 0, 0, 0.0) == float("inf")
    assert (share_done(by_pictures, 1004, 0), share_done(by_time, 0, 121)) == (1, 1)


def test_the_rate_is_that_of_the_last_steps():
    pace = RateMeter()
    pace.mark(0, 0.0)
    assert pace.rate == 0
    for step in range(1, 300):
        pace.mark(10 * step, 100.0 * step)
    for step in range(300, 500):
        pace.mark(10 * step, 100.0 * 299 + 2.0 * (step - 299))
    assert pace.rate == pytest.approx(5.0)
