"""The closed-form Gaussian model through the whole chain, down to the numbers that the plot draws."""

import threading
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS
from sculptor_app.session.session import Session
from sculptor_app.ui.plots.plots_panel import PlotsPanel
from tests.diffusion.gaussian import gaussian_pipeline

HALF_AMPLITUDE_STEPS = (5, 13, 26, 36)


@pytest.fixture
def trajectory(tmp_path: Path) -> Trajectory:
    """A run of 50 steps on a periodic field, whose spectra need no window."""
    request = RunRequest(model=str(tmp_path), steps=50, seed=9)
    engine = Engine(lambda *_, **__: gaussian_pipeline())
    return list(sample(engine, request, threading.Event()))[-1].trajectory


@pytest.fixture
def plots(qtbot: QtBot, trajectory: Trajectory) -> PlotsPanel:
    """The panel after that run."""
    session = Session()
    panel = PlotsPanel(session)
    qtbot.addWidget(panel)
    panel.load()
    session.show(trajectory, RunMeasures.of(trajectory, window="none"), running=False)
    panel.show_trajectory()
    return panel


def test_curves_reach_half_amplitude_when_they_should(plots: PlotsPanel) -> None:
    reached = []
    for item in plots.band_plot._curves:
        steps, log_power = item.getData()
        drawn = np.isfinite(log_power)
        amplitude = 10 ** (log_power[drawn] / 2)
        reached.append(int(steps[drawn][np.argmax(amplitude >= amplitude[-1] / 2)]))
    assert reached == pytest.approx(HALF_AMPLITUDE_STEPS, abs=1)


def test_phases_are_shaded_and_settled_bands_marked_from_coarse_to_fine(plots: PlotsPanel) -> None:
    assert [(span.first_step, span.last_step) for span in plots.band_plot._spans] == [
        (1, 5),
        (6, 15),
        (16, 30),
        (31, 50),
    ]
    plots._session.set_settling_rule("energy")
    marks = plots.settled_marks()
    assert [key for key, _ in marks] == ["layout", "structure", "detail", "polish"]
    steps = [step for _, step in marks]
    assert steps == sorted(steps)
    assert steps[1] > HALF_AMPLITUDE_STEPS[1]  # within 10 % comes after half


def test_marks_are_those_of_the_rule_that_was_chosen(plots: PlotsPanel) -> None:
    """DDIM makes every mode stronger and changes none: by content the field is there long before by energy."""
    measures, keys = plots._session.measures, [band.key for band in BANDS]
    for rule, words in (("energy", "amplitude"), ("content", "correlation")):
        plots._session.set_settling_rule(rule)
        plots.draw()
        caption = plots.band_plot.caption
        assert caption.text() == "power · dots: from here on this band hardly changes"
        assert f"settled by {rule}: " in caption.toolTip()
        assert words in caption.toolTip()
        assert "luminance of the pixels · no window" in caption.toolTip()
        assert plots.band_plot._marks == tuple(zip(keys, measures.settled(rule), strict=True))
        assert words in plots.band_plot.tooltip_at(plots.band_plot._marks[3][1])
    assert all(
        early < late for early, late in zip(measures.settled("content"), measures.settled("energy"), strict=True)
    )


@pytest.mark.parametrize(("step", "slope"), [(1, -3.9), (50, -2.0)])
def test_drawn_spectrum_of_the_guess_falls_as_it_should(plots: PlotsPanel, step: int, slope: float) -> None:
    plots._session.go_to(step)
    plots.draw()
    plots.draw()  # one plot at a time
    octaves, log_power = plots.spectrum_plot._current_curve.getData()
    assert np.polyfit(octaves * np.log10(2), log_power, 1)[0] == pytest.approx(slope, abs=0.15)


@pytest.mark.parametrize("draws", [0, 1])
def test_the_last_phase_is_in_the_spectrum_whichever_plot_is_drawn_first(
    qtbot: QtBot, trajectory: Trajectory, draws: int
) -> None:
    measures = RunMeasures(50, window="none")
    for k in range(50):
        measures.append(trajectory, k)
    session = Session()
    panel = PlotsPanel(session)
    qtbot.addWidget(panel)
    panel.load()
    session.show(trajectory, measures, running=False)
    session.go_to(20)
    panel.show_trajectory()
    session.go_to(30)
    for _ in range(draws):
        panel.draw()
    measures.append(trajectory, 50)
    for _ in range(3):
        panel.draw()
    assert list(panel.spectrum_plot._ends) == ["decisions", "structure", "refinement", "polish"]


def test_the_curves_of_the_phases_ends_are_left_alone_while_a_person_scrubs(plots: PlotsPanel) -> None:
    before = dict(plots.spectrum_plot._ends)
    for step in (3, 40):
        plots._session.go_to(step)
        plots.draw()
        plots.draw()
        assert plots.spectrum_plot._step == step
        assert all(plots.spectrum_plot._ends[key] is spectrum for key, spectrum in before.items())
