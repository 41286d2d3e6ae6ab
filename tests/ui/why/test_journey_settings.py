"""Two settings as columns and rows: what is run, which states stand together, and what the fields make of it."""

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QSettings
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from sculptor_app.core.trajectory.levels import matching_state
from sculptor_app.ui.why.controls import ExperimentControls
from sculptor_app.ui.why.experiments import Experiment
from tests.ui.why.conftest import Visitor


@pytest.fixture
def chooser(visitor: Visitor) -> Visitor:
    visitor.choose(Experiment.SETTINGS)
    return visitor


def controls_of(visitor: Visitor) -> ExperimentControls:
    return visitor.page.controls[Experiment.SETTINGS]


def set_axes(visitor: Visitor, x: str, x_values: str, y: str = "", y_values: str = "") -> None:
    controls = controls_of(visitor)
    for box, line, key, values in (
        (controls.x_axis, controls.x_values, x, x_values), (controls.y_axis, controls.y_values, y, y_values),
    ):  # fmt: skip
        box.setCurrentIndex(box.findData(key))
        line.setText(values)


def test_samplers_by_steps_stand_together_by_their_noise(chooser: Visitor) -> None:
    set_axes(chooser, "sampler", "ddim, euler", "steps", "3, 8")
    chooser.wait_for_noises()
    assert len(chooser.page.grid.runs) == 4
    chooser.run()
    runs, grid = chooser.page.grid.runs, chooser.page.grid
    assert [(run.info.request.sampler, run.last) for run in runs] == [
        ("ddim", 3), ("euler", 3), ("ddim", 8), ("euler", 8),
    ]  # fmt: skip
    assert all(run.is_complete for run in runs)
    lead = chooser.page.session.trajectory
    assert (lead, lead.planned_steps) == (runs[2], 8)
    for step in (0, 1, 4, 8):
        chooser.go_to(step)
        for cell in (0, 1, 3):
            state, _ = grid._shown_of(cell)
            assert state == matching_state(lead.levels, step, runs[cell].levels, runs[cell].last, "snr")
    assert [grid._shown_of(cell)[0] for cell in range(4)] == [3, 3, 8, 8]
    assert grid.describe(3) == "Bust · seed 21 · Euler · 8 steps"


def test_whose_steps_the_scrubber_counts_is_said_and_a_cell_tells_its_own(chooser: Visitor) -> None:
    set_axes(chooser, "steps", "3, 8")
    chooser.run()
    page, grid = chooser.page, chooser.page.grid
    assert "the steps of the longest runs, 8; the others go along by SNR" in page.status_text
    chooser.go_to(4)
    assert page.presenter.caption(page.session.trajectory, 4).endswith(" · runs of 8 steps")
    own = grid._shown_of(0)[0]
    assert grid.step_text(0).startswith(f"step {own} of 3 · SNR ")
    assert grid.step_text(1).startswith("step 4 of 8 · SNR ")
    QTest.mouseMove(grid, grid.cell_rect(0).center().toPoint())
    chooser.qtbot.waitUntil(lambda: f" · step {own} of 3 · SNR " in page.status_text)
    set_axes(chooser, "guidance", "1, 2")
    chooser.run()
    assert page.grid.step_text(0) == ""  # all have the scrubber's
    assert "runs of" not in page.presenter.caption(page.session.trajectory, 2)


def test_what_is_saved_goes_together_in_the_same_way(chooser: Visitor) -> None:
    set_axes(chooser, "steps", "2, 5")
    chooser.run()
    saved = chooser.page.views.grid()
    assert (saved.lock, saved.lead, saved.captions) == ("snr", 1, ("2 steps", "5 steps"))
    assert saved.lead_run.planned_steps == 5


def test_guidance_alone(chooser: Visitor) -> None:
    set_axes(chooser, "guidance", "0, 5")
    chooser.run()
    one, other = chooser.page.grid.runs
    assert (one.info.request.guidance, other.info.request.guidance) == (0, 5)
    np.testing.assert_array_equal(one.state(0), other.state(0))
    assert chooser.page.views.grid().lock == "step"
    result = chooser.page.results.of(Experiment.SETTINGS)
    assert result.title_parts[:3] == ("Bust · seed 21 · 2 weights of guidance", "DDIM", "4 steps")


def shown(controls: ExperimentControls) -> set[str]:
    names = ("form", "material", "seed", "steps", "guidance", "sampler", "y_values")
    fields: dict[str, QWidget] = {name: controls._row_of(name) for name in names}
    return {name for name, field in fields.items() if not field.isHidden()}


def test_what_is_an_axis_has_no_field_of_its_own(chooser: Visitor) -> None:
    controls = controls_of(chooser)
    assert shown(controls) == {"form", "material", "seed", "guidance", "y_values"}
    set_axes(chooser, "seed", "1, 2")
    assert shown(controls) == {"form", "material", "steps", "guidance", "sampler"}


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        (("sampler", "ddim, plms", "", ""), "“plms” is not known"),
        (("steps", "5, 2000", "", ""), "2000"),
        (("steps", "", "", ""), "An axis has no values"),
        (("steps", "4", "steps", "5"), "Columns and rows are the same setting"),
        (("seed", ", ".join(map(str, range(9))), "guidance", ", ".join(map(str, range(9)))), "The grid has 81 cells"),
    ],
)
def test_wrong_values_are_said_and_nothing_starts(chooser: Visitor, axes: tuple[str, ...], sentence: str) -> None:
    set_axes(chooser, *axes)
    assert sentence in controls_of(chooser).reason
    assert not chooser.page.can_start
    chooser.page.start()
    assert not chooser.page.results.is_busy
    set_axes(chooser, "sampler", "ddim")
    assert controls_of(chooser).reason == ""


def test_the_panel_says_what_differs_and_takes_it_back(chooser: Visitor) -> None:
    set_axes(chooser, "steps", "2, 3")
    chooser.run()
    set_axes(chooser, "guidance", "1, 2")
    assert "columns" in chooser.page.run_panel.difference.text().lower()
    chooser.page.use_settings()
    controls = controls_of(chooser)
    assert (controls.x_axis.currentData(), controls.x_values.text(), controls.y_axis.currentData()) == (
        "steps",
        "2, 3",
        "",
    )
    assert not chooser.page.run_panel.difference.isVisible()


def test_axes_are_remembered(open_page: Callable[..., Visitor], settings: QSettings) -> None:
    first = open_page()
    first.choose(Experiment.SETTINGS)
    set_axes(first, "guidance", "1, 3", "seed", "5, 6, 7")
    first.page.save_choices()
    controls = controls_of(open_page())
    found = [controls.x_axis.currentData(), controls.x_values.text(), controls.y_axis.currentData()]
    assert [*found, controls.y_values.text()] == ["guidance", "1, 3", "seed", "5, 6, 7"]
