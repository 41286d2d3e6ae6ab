"""Painting on the noise: what strokes do to it and to the runs, and how they are taken back and remembered."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from sculptor_app.ui.why.experiments import Experiment
from tests.ui.why.conftest import Visitor


def test_a_stroke_carves_what_was_painted_and_keeps_the_untouched_ones(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.PAINT, count="2")
    visitor.wait_for_noises()
    visitor.paint((0.3, 0.3), (0.4, 0.5), (0.5, 0.6))
    assert page.results.is_busy
    visitor.wait_for_end()
    first = page.results.of(Experiment.PAINT)
    assert first.new == (0, 1, 2, 3)
    page.presenter.clock.flush()
    images = visitor.images()
    assert images[0] != images[2]
    assert len(page.paint_panel.strokes) == 1
    assert len(page.paint_panel.strokes[0].points) >= 3

    visitor.paint((0.8, 0.8), (0.7, 0.7))
    visitor.wait_for_end()
    second = page.results.of(Experiment.PAINT)
    assert second.new == (2, 3)  # the untouched ones are there already
    assert second.runs[:2] == first.runs[:2]
    assert not np.array_equal(second.runs[2].state(0), first.runs[2].state(0))

    QTest.mouseClick(page.paint_panel.undo_button, Qt.MouseButton.LeftButton)
    visitor.wait_for_end()
    np.testing.assert_array_equal(page.results.of(Experiment.PAINT).runs[2].state(4), first.runs[2].state(4))
    assert "painted on with 1 stroke" in page.grid.runs[2].info.conditions


def test_what_is_painted_stays_noise_unless_it_need_not(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.PAINT, count="1")
    page.paint_panel.brushes.reach.setValue(30)
    visitor.paint((0.5, 0.5))
    visitor.wait_for_end()
    held = page.paint_panel.whiteness.excess
    assert held < 1.5
    assert page.paint_panel.verdict.text().startswith("Noise like any other")
    QTest.mouseClick(
        page.paint_panel.stays_noise,
        Qt.MouseButton.LeftButton,
        pos=QPoint(8, page.paint_panel.stays_noise.height() // 2),
    )
    visitor.wait_for_end()
    assert page.paint_panel.whiteness.excess > 2 * held
    assert page.paint_panel.verdict.text().startswith("No noise is like this")


def test_escape_drops_a_stroke_and_ctrl_z_takes_one_back(visitor: Visitor) -> None:
    page, panel = visitor.page, visitor.page.paint_panel
    visitor.choose(Experiment.PAINT, count="1")
    visitor.paint((0.2, 0.2), (0.4, 0.4), release=False)
    assert panel.canvas.is_painting
    QTest.keyClick(page, Qt.Key.Key_Escape)
    QTest.mouseRelease(panel.canvas, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    assert panel.strokes == ()
    assert not page.results.is_busy
    visitor.paint((0.2, 0.2))
    visitor.paint((0.6, 0.2))  # a new stroke stops the runs of the one before
    visitor.wait_for_end()
    assert len(panel.strokes) == 2
    panel.undo()
    panel.clear()
    visitor.wait_for_end()
    assert panel.strokes == ()
    assert not panel.undo_button.isEnabled()


def test_what_was_painted_is_there_the_next_time_and_can_be_taken_back(open_page: Callable[..., Visitor]) -> None:
    visitor = open_page()
    visitor.choose(Experiment.PAINT, steps=2, count="1")
    for key, places in (("red", ((0.2, 0.3), (0.4, 0.5))), ("other", ((0.7, 0.7),))):
        QTest.mouseClick(visitor.page.paint_panel.brushes.buttons[key], Qt.MouseButton.LeftButton)
        visitor.paint(*places)
        visitor.wait_for_end()
    painted = visitor.page.results.of(Experiment.PAINT).runs[1]
    visitor.page.save_choices()

    again = open_page()
    panel = again.page.paint_panel
    assert panel.strokes == visitor.page.paint_panel.strokes
    assert [colour.name() for _, colour in panel.canvas._strokes] == ["#d8452e", "#9a8f80"]
    again.run()
    np.testing.assert_array_equal(again.page.results.of(Experiment.PAINT).runs[1].state(0), painted.state(0))
    QTest.mouseClick(panel.undo_button, Qt.MouseButton.LeftButton)
    again.wait_for_end()
    assert len(panel.strokes) == 1
    again.page.settings.setValue("why/paint/strokes", "[[")
    assert open_page().page.paint_panel.strokes == ()
