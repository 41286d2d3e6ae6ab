"""The noise floor in the plot of a GIF: where it must be, and where it must not."""

import numpy as np
import pytest
from PIL import ImageDraw

from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.exports.animation.chart import _BOTTOM, _FINE, _FLOOR_SHARE, _LEFT, _TOP, EnergyChart
from sculptor_app.exports.animation.drawing import DARK, LIGHT, Inks, blend, new_paper
from sculptor_app.measures.forward import ForwardMeasures, noise_floors
from sculptor_app.measures.run_measures import RunMeasures
from tests.helpers.runs import made_run, solid

STEPS = 50


def drowned_chart(inks: Inks) -> EnergyChart:
    trajectory = run_forward_process(solid(64), "x.png", steps=STEPS)
    return EnergyChart(trajectory, ForwardMeasures.of(trajectory, window="none"), "state", 400, inks, into_noise=True)


def floor_alone(chart: EnergyChart, inks: Inks) -> np.ndarray:
    """What is drawn of the floor, (H, W) bool in the fine pixels; the bands would lie over much of it."""
    sheet = new_paper(chart.width * _FINE, chart.height * _FINE, inks)
    chart._draw_floor(ImageDraw.Draw(sheet))
    return (np.asarray(sheet) == blend(inks.muted, inks.paper, _FLOOR_SHARE)).all(2)


@pytest.mark.parametrize("inks", [LIGHT, DARK], ids=["light", "dark"])
def test_where_signal_and_noise_are_as_strong_the_floor_is_half_of_white_noise(inks: Inks) -> None:
    """The cosine schedule has a = s about its middle."""
    chart = drowned_chart(inks)
    drawn = floor_alone(chart, inks)
    for k, power in ((0, 1.0), (STEPS // 2, 0.5)):
        near = round(chart._x(k)) * _FINE
        rows, _ = np.nonzero(drawn[:, near - 12 : near + 12])
        assert len(rows)
        np.testing.assert_allclose(rows.mean() / _FINE, chart._y(np.log10(power)), atol=3)


def test_the_floor_is_solid_as_dashes_are_those_of_bands_and_keeps_inside_the_axes() -> None:
    chart = drowned_chart(LIGHT)
    drawn = floor_alone(chart, LIGHT)
    inside = drawn[_TOP * _FINE : (chart.height - _BOTTOM) * _FINE + 1]
    assert inside.sum() == drawn.sum()
    assert inside[-60:].any()  # it leaves them at the bottom, where the picture is
    columns = drawn.any(0)[_LEFT * _FINE + 300 : (chart.width - 70) * _FINE]
    assert columns.all()


def test_the_whole_chart_has_the_floor_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = drowned_chart(LIGHT)
    monkeypatch.setattr(EnergyChart, "_draw_floor", lambda *_: None)
    assert (np.asarray(chart._base) != np.asarray(drowned_chart(LIGHT)._base)).any(2).sum() > 50


def test_in_pure_noise_the_floor_is_white_noise_and_in_the_picture_there_is_none() -> None:
    trajectory = run_forward_process(solid(32), "x.png", steps=STEPS)
    floors = noise_floors(ForwardMeasures.of(trajectory, window="none"), trajectory.levels)
    assert len(floors) == STEPS + 1
    assert floors[0] == pytest.approx(1, rel=1e-3)
    assert floors[-1] == 0
    assert (np.diff(floors) < 0).all()


def test_guesses_hold_no_noise_and_have_no_floor() -> None:
    run = made_run(steps=20, size=32)
    measures = RunMeasures.of(run)
    assert len(EnergyChart(run, measures, "guess", 256, LIGHT)._floor) == 0
    assert len(EnergyChart(run, measures, "state", 256, LIGHT)._floor) == 21


def test_a_run_that_is_not_finished_has_the_floor_of_its_states_so_far() -> None:
    run = made_run(steps=20, size=32, taken=7)
    assert len(EnergyChart(run, RunMeasures.of(run), "state", 256, LIGHT)._floor) == 8
