"""All views of a moment show one position, whatever was done before."""

import re
import time

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PySide6.QtWidgets import QApplication

from sculptor_app.measures.run_measures import RunMeasures
from tests.helpers.runs import made_run
from tests.helpers.window import Driver

STEPS = 12
MOVES = st.one_of(
    st.tuples(st.just("go_to"), st.integers(-2, STEPS + 2)),
    st.tuples(st.just("go_by"), st.integers(-3, 3)),
    st.tuples(st.just("grow"), st.integers(1, 4)),
    st.tuples(st.just("follow"), st.booleans()),
    st.tuples(st.just("play"), st.sampled_from((-1, 1))),
    st.tuples(st.just("tick"), st.integers(1, 3)),
    st.tuples(st.just("page"), st.sampled_from(("drown", "carve"))),
    st.tuples(st.just("events"), st.integers(1, 3)),
    st.tuples(st.just("plot"), st.sampled_from(("guess", "state"))),
    st.tuples(st.just("end"), st.just(0)),
)


def do(driver: Driver, what: str, value: int | bool | str) -> None:
    session = driver.session
    match what:
        case "go_to":
            session.go_to(value)
        case "go_by":
            session.go_by(value)
        case "grow" if session.is_running:
            session.grow(min(STEPS, session.last + value))
        case "follow":
            session.set_following(value)
        case "play":
            session.play(value)
        case "tick" if session.direction:
            for _ in range(value):
                session._tick()
        case "page":
            driver.window.bench.pages.show(value)
        case "plot":
            driver.window.panels.plots.set_source(value)
        case "events":
            for _ in range(value):
                QApplication.processEvents()
        case "end":
            session.end_run()


def shown(driver: Driver) -> dict[str, int]:
    """The step that each view says it is at."""
    panels, bench = driver.window.panels, driver.window.bench
    plots = panels.plots
    assert plots.band_plot is not None
    assert plots.spectrum_plot is not None
    status = re.search(r"step (\d+) of", panels.status_line.text())
    found = {
        "timeline": panels.timeline.step, "transport": panels.transport.step_box.value(), "film": bench.film.current,
        "band plot": plots.band_plot._cursor.step, "spectrum": plots.spectrum_plot._step,
        "status line": int(status[1]) if status else -1,
    }  # fmt: skip
    if bench.pages.page is not None:  # the status line is that page's, which has a position of its own
        del found["status line"]
    return found


def settle(driver: Driver) -> None:
    """The event loop until nothing waits to be drawn."""
    clocks = (driver.window.bench.presenter.clock, driver.window.bench.plot_clock)
    driver.qtbot.waitUntil(lambda: not any(clock._alarm.isActive() for clock in clocks), timeout=3000)


def test_every_view_shows_the_position_of_the_session(driver: Driver) -> None:
    driver.window.complete()
    driver.window.panels.plots.load()
    run = made_run(steps=STEPS)
    measures = RunMeasures.of(run)

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @example(
        [("grow", 1), ("events", 3), ("grow", 4), ("events", 2), ("page", "drown"), ("grow", 2), ("page", "carve")]
    )
    @example([("go_to", 0), ("end", 0), ("events", 2), ("play", -1)])
    @example([("go_to", 0), ("end", 0), ("plot", "guess"), ("play", -1)])
    @example([("play", 1), ("tick", 2), ("page", "drown"), ("end", 0), ("page", "carve")])
    @given(st.lists(MOVES, max_size=12))
    def check(moves: list[tuple[str, int | bool | str]]) -> None:
        do(driver, "page", "carve")
        driver.session.show(run, measures, running=True)
        driver.session._last = driver.session._position = 1  # as if the rest of the run were still to come
        driver.session.length_changed.emit(1)
        driver.session.step_changed.emit(1)
        driver.flush()
        for what, value in moves:
            do(driver, what, value)
            if driver.session.is_running or driver.session.direction:  # whatever is drawn is drawn in one moment
                together = shown(driver)
                assert together == dict.fromkeys(together, together["timeline"]), what
        do(driver, "page", "carve")
        driver.session.pause()
        driver.session.end_run()
        settle(driver)
        assert shown(driver) == dict.fromkeys(shown(driver), driver.session.position)

    check()


def test_a_click_in_the_filmstrip_moves_all_views_at_once(driver: Driver) -> None:
    """The strip marks its cell by itself; the others would follow when the pause after a slow drawing is over."""
    driver.window.complete()
    driver.window.panels.plots.load()
    run = made_run(steps=STEPS)
    driver.session.show(run, RunMeasures.of(run), running=True)
    driver.session._last = STEPS
    driver.session.length_changed.emit(STEPS)
    driver.flush()
    clock, film = driver.window.bench.presenter.clock, driver.window.bench.film
    clock._next_s = time.monotonic() + 60
    film.setCurrentIndex(film.model().index(4, 0))
    together = shown(driver)
    assert together == dict.fromkeys(together, 4)
    driver.session.end_run()
