"""The grid paints what it would paint anew, whatever was on it before."""

import random

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.ui import theme
from sculptor_app.ui.learn.grid import SampleGrid

ROWS = tuple(range(0, 4000, 100))


def picture(row: int, state: int) -> QImage | None:
    """Each cell in a colour of its own; one row cannot be read."""
    if row == 7:
        return None
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    image.fill(QColor(5 * row % 256, 9 * state % 256, (row * state) % 256))
    return image


@pytest.fixture
def make_grid(qtbot: QtBot, qapp: QApplication):
    theme.apply(qapp, "light")

    def make(rows: tuple[int, ...] = ROWS, cell: tuple[int, int] = (0, 0)) -> SampleGrid:
        grid = SampleGrid()
        qtbot.addWidget(grid)
        grid.resize(700, 420)
        grid.set_source(picture)
        grid.set_axes(rows, 25)
        grid.set_cell(*cell)
        return grid

    return make


def painted(grid: SampleGrid) -> QImage:
    """Painted until nothing is owed."""
    for _ in range(200):
        found = grid.grab().toImage()
        if not grid._more.isActive():
            return found
        grid._more.stop()
    raise AssertionError("it is never done")


def test_what_is_kept_is_what_would_be_painted_anew(make_grid) -> None:
    grid, chance = make_grid(), random.Random(3)
    for _ in range(12):
        cell = (chance.randrange(40), chance.randrange(26))
        grid.set_cell(*cell)
        assert painted(grid) == painted(make_grid(cell=cell))


def test_a_row_that_comes_and_rows_that_go(make_grid) -> None:
    grid = make_grid(ROWS[:3], (2, 25))
    painted(grid)
    grid.set_axes(ROWS[:5], 25)
    grid.set_cell(4, 25)
    assert painted(grid) == painted(make_grid(ROWS[:5], (4, 25)))
    grid.set_axes(ROWS[:2], 25)
    grid.set_cell(1, 25)
    assert painted(grid) == painted(make_grid(ROWS[:2], (1, 25)))


def test_another_noise_is_painted_anew(make_grid) -> None:
    grid = make_grid()
    before = painted(grid)
    grid.set_source(lambda row, state: picture(39 - row, state))
    assert painted(grid) != before
    grid.set_source(picture)
    assert painted(grid) == before


def test_a_painting_takes_few_new_cells_at_a_time(make_grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sculptor_app.ui.learn.cells.SPENT_S", 0.0)
    grid = make_grid()
    grid.grab()
    assert grid._more.isActive()
    grid._more.stop()


def test_a_press_means_the_cell_that_is_seen(qtbot: QtBot, make_grid) -> None:
    grid = make_grid()
    at = grid.cell_geometry
    for y, x in ((0, 0), (2, 5), (len(at.rows) - 1, len(at.columns) - 1)):
        left, top = at.corner(y, x)
        with qtbot.waitSignal(grid.cell_requested, raising=False, timeout=100) as asked:
            QTest.mouseClick(grid, Qt.MouseButton.LeftButton, pos=QPoint(int(left + 3), int(top + at.cell_px - 3)))
        assert (asked.args or [0, 0]) == [at.rows[y], at.columns[x]]
