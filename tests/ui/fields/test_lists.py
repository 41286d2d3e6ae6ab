"""Drop-down lists: whole rows, all of them where there is room, in one frame."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QComboBox
from pytestqt.qtbot import QtBot

import sculptor_app
from sculptor_app.ui import theme
from sculptor_app.ui.fields.inputs import ChoiceBox


@pytest.fixture(params=["light", "dark"])
def mode(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[str]:
    theme.apply(qapp, request.param)
    yield request.param
    theme.apply(qapp, "light")


def opened(qtbot: QtBot, rows: int, editable: bool = False) -> ChoiceBox:
    box = ChoiceBox([(f"Entry {row}", str(row)) for row in range(rows)])
    box.setEditable(editable)
    qtbot.addWidget(box)
    box.show()
    box.setCurrentIndex(rows - 1)
    box.showPopup()
    qtbot.waitUntil(box.view().isVisible)
    return box


def edges(image: QImage, down: bool = False) -> list[str]:
    """The colours that one meets from the left edge, or from the upper one, to the middle, each once in a row."""
    across, high = image.width() // 2, image.height() // 2
    places = [(across, y) for y in range(high)] if down else [(x, high) for x in range(across)]
    return [colour for colour, _ in groupby(image.pixelColor(*place).name() for place in places)]


@pytest.mark.parametrize("editable", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 8, 14, 40])
def test_a_list_shows_whole_rows_and_all_of_up_to_fourteen(qtbot: QtBot, mode: str, rows: int, editable: bool) -> None:
    box = opened(qtbot, rows, editable)
    view = box.view()
    room, row = view.viewport().height(), view.sizeHintForRow(0)
    assert room == min(rows, 14) * row
    assert row >= 26
    assert (view.verticalScrollBar().maximum() == 0) == (rows <= 14)


def test_where_the_screen_has_no_room_the_last_row_is_whole(
    qtbot: QtBot, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = opened(qtbot, 40)
    box.hidePopup()
    show = QComboBox.showPopup

    def cut(self: QComboBox) -> None:
        show(self)
        self.view().window().resize(self.view().window().width(), 211)  # as Qt does at the screen's edge

    monkeypatch.setattr(QComboBox, "showPopup", cut)
    box.showPopup()
    view = box.view()
    assert view.viewport().height() % view.sizeHintForRow(0) == 0
    assert 0 <= 211 - view.window().height() < view.sizeHintForRow(0)


def test_no_entry_of_a_narrow_box_is_cut(qtbot: QtBot, mode: str) -> None:
    box = ChoiceBox([("DDIM", "a"), ("DPM-Solver++ 2M SDE, and then some more", "b")])
    qtbot.addWidget(box)
    box.setFixedWidth(90)
    box.show()
    box.showPopup()
    assert box.view().viewport().width() >= box.view().sizeHintForColumn(0)
    assert box.width() == 90


def test_a_list_has_one_frame(qtbot: QtBot, mode: str) -> None:
    box = opened(qtbot, 8)
    tokens = theme.theme().tokens
    image = box.view().window().grab().toImage()
    for seen in (edges(image), edges(image, down=True)):
        assert seen[:2] == [tokens.hairline_strong, tokens.field]
        assert tokens.hairline_strong not in seen[2:]


def test_every_list_of_the_program_is_of_this_kind() -> None:
    sources = Path(sculptor_app.__path__[0]).rglob("*.py")
    assert [path.name for path in sources if "= QComboBox(" in path.read_text(encoding="utf-8")] == []
