"""The page as a person uses it: with a real runner and a tiny real model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, QSettings, Qt
from PySide6.QtTest import QTest

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import FORMS, RunRequest
from sculptor_app.core.trajectory.events import GridStep
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session import engine as access
from sculptor_app.ui.why import cell_paint
from sculptor_app.ui.why.experiment_chooser import story
from sculptor_app.ui.why.experiments import Experiment, Labels
from tests.ui.why.conftest import RUN_MS, Visitor


def test_the_blocks_are_there_before_anything_is_carved(visitor: Visitor) -> None:
    page = visitor.page
    assert page.invitation.isVisible()
    card = page.invitation.geometry()
    for cell in range(len(page.grid.runs)):
        box = page.grid.cell_rect(cell)
        below = QRect(round(box.left()), round(box.bottom()) + 1, round(box.width()), 20)
        assert not card.intersects(below), f"the caption of cell {cell}"
    assert len(page.grid.runs) == len(FORMS)
    assert len(set(visitor.images())) == 1  # one block, over and over
    assert (page.session.last, page.timeline.maximum()) == (0, 0)
    visitor.choose(Experiment.NOISES, count="6")
    visitor.wait_for_noises()
    assert len(set(visitor.images())) == 6
    assert not visitor.runner.is_running


def test_one_block_becomes_as_many_statues_as_there_are_labels(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.LABELS)
    visitor.wait_for_noises()
    blocks = visitor.images()
    QTest.mouseClick(page.invitation.button, Qt.MouseButton.LeftButton)
    assert not page.invitation.isVisible()
    visitor.wait_for_end()
    page.presenter.clock.flush()
    assert visitor.ends == [(Experiment.LABELS, "finished")]
    assert (page.session.position, page.timeline.step) == (4, 4)
    assert len(set(visitor.images())) == len(FORMS)
    assert page.run_panel.line.text().startswith("8 pictures in ")
    visitor.go_to(0)
    assert visitor.images() == blocks
    assert [run.info.conditions for run in page.grid.runs][:2] == ["bust", "figure"]


def test_the_scrubber_moves_all_cells_and_the_switch_shows_the_noisy_states(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.NOISES, count="6")
    visitor.run()
    at_end = visitor.images()
    visitor.go_to(2)
    assert all(one != other for one, other in zip(at_end, visitor.images(), strict=True))
    guesses = visitor.images()
    QTest.mouseClick(page.header.state, Qt.MouseButton.LeftButton)
    assert all(one != other for one, other in zip(guesses, visitor.images(), strict=True))
    QTest.mouseClick(page.transport.first_button, Qt.MouseButton.LeftButton)
    assert page.session.position == 0


def test_a_blend_begins_and_ends_at_the_seeds_own_runs(visitor: Visitor) -> None:
    visitor.choose(Experiment.BLEND, count="6")
    controls = visitor.page.controls[Experiment.BLEND]
    controls.seed.setText("3")
    controls.towards.setText("5")
    visitor.run()
    runs = visitor.page.grid.runs
    visitor.choose(Experiment.NOISES, count="6")
    visitor.page.controls[Experiment.NOISES].seed.setText("3")
    visitor.run()
    alone = visitor.page.grid.runs
    np.testing.assert_allclose(runs[0].state(4), alone[0].state(4), atol=1e-4)
    np.testing.assert_allclose(runs[-1].state(4), alone[2].state(4), atol=1e-4)
    assert "noise 40 % of the way from seed 3 to seed 5" in runs[2].info.conditions


def test_forms_times_materials_is_one_table(visitor: Visitor) -> None:
    visitor.choose(Experiment.LABELS, steps=2, labels=Labels.BOTH.value)
    visitor.run()
    assert len(visitor.page.grid.runs) == 48
    rects = [visitor.page.grid.cell_rect(cell) for cell in range(48)]
    assert len({rect.left() for rect in rects}) == 8
    assert len({rect.top() for rect in rects}) == 6


def test_stop_keeps_what_is_there_and_start_begins_anew(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.NOISES, steps=1000, count="6")
    visitor.click_start()
    visitor.qtbot.waitUntil(lambda: page.session.is_running and page.session.last >= 3, timeout=RUN_MS)
    assert page.is_busy
    assert page.run_panel.button.text() == "Stop"
    QTest.keyClick(page, Qt.Key.Key_Escape)
    visitor.wait_for_end()
    assert visitor.ends == [(Experiment.NOISES, "cancelled")]
    assert page.run_panel.line.text() == f"Stopped at step {page.grid.runs[0].last} of 1000"
    assert not page.session.is_running
    assert {run.ended for run in page.grid.runs} == {"cancelled"}
    visitor.choose(Experiment.NOISES, steps=3)
    visitor.run()
    assert visitor.ends[-1] == (Experiment.NOISES, "finished")


def test_each_experiment_keeps_its_grid_while_another_is_looked_at(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.NOISES, steps=3, count="6")
    visitor.run()
    noises = page.grid.runs
    visitor.choose(Experiment.LABELS, steps=1000)
    visitor.click_start()
    visitor.qtbot.waitUntil(lambda: page.session.is_running and page.session.last >= 2, timeout=RUN_MS)
    visitor.choose(Experiment.NOISES, steps=3)
    assert page.grid.runs == noises
    running = page.results.of(Experiment.LABELS).runs[0]
    here = running.last
    visitor.qtbot.waitUntil(lambda: running.last >= here + 4, timeout=RUN_MS)
    assert (page.session.last, page.session.is_running) == (3, False)
    assert page.grid.runs == noises
    visitor.choose(Experiment.LABELS, steps=1000)
    assert page.session.is_running
    here = page.session.last
    visitor.qtbot.waitUntil(lambda: page.session.last > here, timeout=RUN_MS)
    page.stop()
    visitor.wait_for_end()


def test_a_run_of_another_page_ends_the_grid(visitor: Visitor, tiny_model: Path) -> None:
    page = visitor.page
    visitor.choose(Experiment.NOISES, steps=1000, count="6")
    visitor.click_start()
    visitor.qtbot.waitUntil(lambda: page.session.is_running and page.session.last >= 1, timeout=RUN_MS)
    with visitor.qtbot.waitSignal(visitor.runner.finished, timeout=RUN_MS):
        visitor.runner.start(RunRequest(steps=3, model=str(tiny_model)))
    assert visitor.ends == [(Experiment.NOISES, "cancelled")]
    assert page.run_panel.button.text() == "Start"


def test_what_other_pages_have_done_by_the_model_is_none_of_its_business(visitor: Visitor) -> None:
    told: list[object] = []
    visitor.page.results.stepped.connect(told.append)
    visitor.page.results.ended.connect(lambda *ending: told.append(ending))
    with visitor.qtbot.waitSignal(visitor.runner.finished, timeout=RUN_MS):
        visitor.runner.submit(lambda engine, stop: iter([GridStep(5)]))
    assert told == []
    assert visitor.page.run_panel.button.text() == "Start"


def test_a_click_enlarges_a_cell_and_another_opens_its_run(visitor: Visitor) -> None:
    page = visitor.page
    opened: list[object] = []
    places: list[str] = []
    page.open_requested.connect(lambda run, place: (opened.append(run), places.append(place)))
    visitor.choose(Experiment.NOISES, steps=3, count="6")
    visitor.run()
    QTest.mouseClick(page.grid, Qt.MouseButton.LeftButton, pos=page.grid.cell_rect(2).center().toPoint())
    assert page.grid.enlarged == 2
    assert page.header.title.what.text() == "Bust · seed 14"
    QTest.mouseClick(page.grid, Qt.MouseButton.LeftButton, pos=page.grid.enlarged_rect.center().toPoint())
    assert opened == [page.grid.runs[2]]
    row, column = divmod(2, page.grid.columns)
    assert places == [f"opened from cell ({column + 1}, {row + 1}) of “Why noise?”"]
    QTest.keyClick(page.grid, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert page.grid.enlarged == 3
    QTest.keyClick(page.grid, Qt.Key.Key_Return)
    assert opened[1] is page.grid.runs[3]
    QTest.mouseClick(page.header.open, Qt.MouseButton.LeftButton)
    assert len(opened) == 3
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert page.grid.enlarged == -1
    assert not page.header.open.isVisible()


def test_a_double_click_opens_the_cell_that_was_pressed_whatever_lies_there_by_then(visitor: Visitor) -> None:
    page, grid = visitor.page, visitor.page.grid
    opened: list[object] = []
    page.open_requested.connect(lambda run, place: opened.append(run))

    def double_click(place: QPoint) -> None:
        QTest.mouseClick(grid, Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseDClick(grid, Qt.MouseButton.LeftButton, pos=place)  # the second press alone

    visitor.choose(Experiment.NOISES, steps=3, count="6")
    visitor.run()
    places = [grid.cell_rect(cell).center().toPoint() for cell in range(6)]
    page.enlarge(0)
    under = [grid.cell_at(QPointF(place)) for place in places]
    page.enlarge(-1)
    moving = next(cell for cell in range(1, 6) if 0 < under[cell] != cell)  # another cell comes to lie there
    QTest.mouseMove(grid, places[moving])
    double_click(places[moving])
    assert opened == [grid.runs[moving]]
    assert grid.enlarged == moving
    assert grid._hovered == grid.cell_at(QPointF(places[moving])) != moving  # the frame follows what lies there now
    double_click(grid.enlarged_rect.center().toPoint())
    assert opened == 2 * [grid.runs[moving]]  # by its first press, and not again
    page.enlarge(-1)
    assert grid._hovered == grid.cell_at(QPointF(places[moving])) == moving
    double_click(QPoint(2, 2))
    assert len(opened) == 2


def test_other_cells_put_an_enlarged_one_back_in_the_header_too(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.NOISES, steps=2, count="12")
    visitor.wait_for_noises()
    page.enlarge(11)
    visitor.choose(Experiment.NOISES, count="6")
    visitor.wait_for_noises()
    assert page.grid.enlarged == -1
    assert not page.header.open.isVisible()
    visitor.run()
    page.enlarge(5)
    page.controls[Experiment.NOISES].seed.setText("40")
    visitor.run()
    assert page.grid.enlarged == -1
    assert page.header.title.what.text() == "Bust · seeds 40–45"


def test_wrong_settings_are_explained_and_nothing_starts(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.BLEND)
    page.controls[Experiment.BLEND].towards.setText("many")
    assert not page.run_panel.button.isEnabled()
    assert "no whole number" in page.controls[Experiment.BLEND].problem.text()
    assert not page.can_start
    page.start()
    assert not page.results.is_busy
    page.controls[Experiment.BLEND].towards.setText("9")
    assert page.can_start
    visitor.choose(Experiment.NOISES, count="6")
    page.controls[Experiment.NOISES].seed.setText(str(2**63 - 1))
    page.start()
    assert "choose a whole number" in page.messages.message
    assert not page.results.is_busy


def test_choices_are_remembered(open_page: Callable[..., Visitor], settings: QSettings) -> None:
    page = open_page().page
    page.chooser.choose(Experiment.BLEND)
    page.controls[Experiment.BLEND].towards.setText("77")
    page.controls[Experiment.NOISES].seed.setText("66")
    page.header.choose_kind(FrameKind.NOISY_STATE)
    page.paint_panel.brushes.buttons["blue"].setChecked(True)
    page.paint_panel.brushes.reach.setValue(31)
    page.save_choices()
    again = open_page().page
    assert again.experiment is Experiment.BLEND
    assert again.controls[Experiment.BLEND].towards.text() == "77"
    assert again.controls[Experiment.NOISES].seed.text() == "66"
    assert again.header.kind is FrameKind.NOISY_STATE
    assert (again.paint_panel.brushes.chosen_key, again.paint_panel.brushes.reach.value()) == ("blue", 31)
    assert again.paint_panel.canvas.brush.radius == 0.31
    assert [key for key in settings.allKeys() if not key.startswith(("why/", "folded/why/"))] == []


def test_a_model_without_labels_offers_what_it_can(
    open_page: Callable[..., Visitor], tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "unlabelled"
    shutil.copytree(tiny_model, folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["form_names"] = index["material_names"] = []
    (folder / "model_index.json").write_text(json.dumps(index))
    page = open_page(folder).page
    assert page.experiment is Experiment.NOISES
    assert not page.chooser.cards[Experiment.LABELS].isEnabled()
    assert "knows no forms" in page.chooser.cards[Experiment.LABELS].toolTip()
    assert page.controls[Experiment.NOISES].choices().form is None


def test_a_model_that_is_not_there_is_told(open_page: Callable[..., Visitor], tmp_path: Path) -> None:
    page = open_page(tmp_path / "nothing").page
    assert "There is no folder" in page.messages.message


def test_everything_that_can_be_focused_has_a_name(visitor: Visitor) -> None:
    from PySide6.QtWidgets import QWidget

    nameless = [
        widget
        for widget in visitor.page.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.isVisible()
        and not (widget.accessibleName() or getattr(widget, "text", lambda: "")())
        and widget.focusProxy() is None
        and not widget.objectName().startswith("qt_")
    ]
    assert [type(widget).__name__ for widget in nameless if type(widget).__name__ != "QScrollArea"] == []


def test_the_header_says_which_grid_is_on_screen_and_the_panel_in_what_the_fields_differ(visitor: Visitor) -> None:
    page, panel = visitor.page, visitor.page.run_panel
    visitor.choose(Experiment.NOISES, steps=3, count="6")
    assert page.header.title.what.text().startswith("Every block holds")  # nothing has been made
    assert page.views.title() == ()
    visitor.run()
    title = ("Bust · seeds 12–17", "DDIM", "3 steps", "tiny")
    assert page.views.title() == title
    assert page.header.title.accessibleName() == " · ".join(title)
    assert panel.difference.isHidden()
    controls = page.controls[Experiment.NOISES]
    controls.steps.set_text("5")
    controls.seed.setText("40")
    assert panel.difference.text() == "Not the settings of the grid on screen: first seed, steps"
    assert panel.difference.isVisible()
    QTest.mouseClick(panel.take_over, Qt.MouseButton.LeftButton)
    assert (controls.steps.text(), controls.seed.text()) == ("3", "12")
    assert panel.difference.isHidden()


def test_the_grid_before_is_a_click_away(visitor: Visitor) -> None:
    page, back = visitor.page, visitor.page.header.title.back
    visitor.choose(Experiment.NOISES, steps=3, count="6")
    visitor.run()
    first = page.grid.runs
    assert not back.isVisible()
    assert not page.can_go_back
    page.controls[Experiment.NOISES].seed.setText("40")
    visitor.run()
    second = page.grid.runs
    assert back.toolTip() == "Back to the grid before (Ctrl+B): Bust · seeds 12–17 · DDIM · 3 steps · tiny"
    QTest.mouseClick(back, Qt.MouseButton.LeftButton)
    assert page.grid.runs == first
    assert page.header.title.what.text() == "Bust · seeds 12–17"
    assert page.run_panel.difference.text().endswith(": first seed")
    page.show_run_before()
    assert page.grid.runs == second
    visitor.choose(Experiment.LABELS)
    assert not back.isVisible()


def test_going_back_stops_the_grid_that_runs_and_keeps_what_it_has(visitor: Visitor) -> None:
    page = visitor.page
    visitor.choose(Experiment.NOISES, steps=3, count="6")
    visitor.run()
    first = page.grid.runs
    visitor.choose(Experiment.NOISES, steps=1000)
    visitor.click_start()
    visitor.qtbot.waitUntil(lambda: page.session.is_running and page.session.last >= 2, timeout=RUN_MS)
    broken = page.grid.runs
    page.show_run_before()
    assert (page.grid.runs, page.session.last, page.is_busy) == (first, 3, False)
    assert page.run_panel.line.text() or page.run_panel.difference.isVisible()
    visitor.qtbot.waitUntil(lambda: not visitor.runner.is_running, timeout=RUN_MS)
    assert (page.session.last, page.timeline.maximum()) == (3, 3)
    page.show_run_before()
    assert page.grid.runs == broken
    assert page.session.last == broken[0].last
    page.results._grid_run._runner.budget_bytes = 2  # as of two much larger grids
    page.results._take_step(2)
    page.results.running = Experiment.NOISES
    page.results._take_step(2)
    page.results.running = None
    assert not page.can_go_back


def test_a_grid_that_failed_before_it_began_says_nothing_of_the_one_on_screen(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise SculptorError("There is no memory.", "Close something.")

    page = visitor.page
    visitor.choose(Experiment.NOISES, steps=3, count="6")
    visitor.run()
    ended = page.run_panel.line.text()
    assert ended.startswith("6 pictures in ")
    monkeypatch.setattr(access, "sample_grid", fails)
    visitor.run()
    assert visitor.ends[-1] == (Experiment.NOISES, "failed")
    assert "There is no memory." in page.messages.message
    assert page.run_panel.line.text() == ended


def test_going_back_in_one_experiment_leaves_the_progress_of_another(visitor: Visitor) -> None:
    page = visitor.page
    for steps in (3, 2):
        visitor.choose(Experiment.NOISES, steps=steps, count="6")
        visitor.run()
    visitor.choose(Experiment.LABELS, steps=1000)
    visitor.click_start()
    visitor.qtbot.waitUntil(lambda: page.session.is_running and page.session.last >= 3, timeout=RUN_MS)
    visitor.choose(Experiment.NOISES, steps=2)
    page.show_run_before()
    assert page.run_panel.bar.value() >= 3 * len(FORMS)
    visitor.run()  # in place of the labels
    stopped = page.results.of(Experiment.LABELS).runs[0]
    visitor.choose(Experiment.LABELS, steps=1000)
    assert page.run_panel.line.text() == f"Stopped at step {stopped.last} of 1000"


def test_the_pixel_under_the_pointer_is_named_with_its_values(visitor: Visitor) -> None:
    page, grid = visitor.page, visitor.page.grid
    visitor.choose(Experiment.NOISES, steps=3, count="6")
    visitor.run()
    box = grid.cell_rect(2)
    point = QPoint(int(box.left() + 5.5 / 16 * box.width()), int(box.top() + 9.5 / 16 * box.height()))

    def text(numbers: np.ndarray) -> str:
        red, green, blue = (f"{value:+.2f}".replace("-", "−") for value in numbers[:, 9, 5])
        return f"Bust · seed 14 · 5, 9 · R {red}  G {green}  B {blue}"

    QTest.mouseMove(grid, point)
    assert page.status_text == text(grid.runs[2].guess(3))
    visitor.go_to(1)
    assert page.status_text == text(grid.runs[2].guess(1))
    page.controls[Experiment.NOISES].seed.setText("20")
    visitor.run()
    visitor.go_to(1)
    QTest.mouseMove(grid, point)
    assert page.status_text.startswith("Bust · seed 22")
    page.show_run_before()  # under a pointer that rests
    visitor.go_to(1)
    assert page.status_text == text(grid.runs[2].guess(1))
    page.header.choose_kind(FrameKind.NOISY_STATE)
    with visitor.qtbot.waitSignal(page.status_changed):
        visitor.go_to(2)
    assert page.status_text == text(grid.runs[2].state(2))
    QTest.mouseMove(grid, QPoint(2, 2))
    assert page.status_text == story(Experiment.NOISES)
    page.enlarge(0)
    QTest.mouseMove(grid, grid.enlarged_rect.bottomRight().toPoint() - QPoint(2, 2))
    assert page.status_text.startswith("Bust · seed 12 · 15, 15 · R ")
    assert page.header.title.facts.text() == "DDIM · 3 steps · tiny"


def test_captions_and_titles_grow_with_the_type(visitor: Visitor) -> None:
    """As in full screen, for a lecture room."""
    grid = visitor.page.grid
    visitor.choose(Experiment.NOISES, steps=2, count="6")
    visitor.wait_for_noises()
    visitor.page.invitation.hide()  # it lies over the captions

    def caption_heights() -> tuple[float, int]:
        """Of the room under a picture, and of the letters in it."""
        box, below = grid.cell_rect(0), grid.cell_rect(grid.columns).top()
        image = grid.grab().toImage()
        rows = range(int(box.bottom()) + 2, int(below) - 2)
        swatch_px = grid._caption_px * cell_paint.SWATCH / cell_paint.CAPTION
        left, right = int(box.left() + swatch_px) + 2, int(box.right())
        ground = image.pixel(2, 2)
        inked = [y for y in rows if any(image.pixel(x, y) != ground for x in range(left, right))]
        return below - box.bottom(), inked[-1] - inked[0] if inked else 0

    room, letters = caption_heights()
    font = grid.font()
    font.setPointSizeF(font.pointSizeF() * 2)
    grid.setFont(font)
    larger_room, larger_letters = caption_heights()
    assert larger_room - room == pytest.approx(cell_paint.CAPTION, abs=2)
    assert letters > 5
    assert larger_letters == pytest.approx(2 * letters, abs=3)
