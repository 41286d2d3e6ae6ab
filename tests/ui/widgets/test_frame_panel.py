"""A frame names what it shows, offers others, and gives its pixels' values."""

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QAccessible, QColor, QImage
from pytestqt.qtbot import QtBot

from sculptor_app.ui.widgets.frame_panel import FramePanel, LegendBar, signed

KINDS = [
    ("guess", "Current guess", "The clean picture."),
    ("noisy", "Noisy state", "Picture and noise."),
    ("chips", "Chips", ""),
]


def plain(width: int = 8, height: int = 8, colour: str = "#102030") -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    return image


@pytest.fixture
def panel(qtbot: QtBot) -> FramePanel:
    widget = FramePanel()
    qtbot.addWidget(widget)
    widget.set_kinds(KINDS)
    widget.resize(300, 400)
    widget.show()
    return widget


def test_the_title_offers_the_kinds(panel: FramePanel, qtbot: QtBot) -> None:
    assert panel.title_button.text() == "Current guess"
    actions = panel.title_button.menu().actions()
    assert [action.text() for action in actions] == [name for _, name, _ in KINDS]
    with qtbot.waitSignal(panel.kind_requested) as asked:
        actions[1].trigger()
    assert asked.args == ["noisy"]
    assert panel.title_button.text() == "Noisy state"


def test_set_kind_marks_without_asking(panel: FramePanel, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(panel.kind_requested):
        panel.set_kind("chips")
    assert panel.title_button.menu().actions()[2].isChecked()
    with pytest.raises(ValueError, match="'smell'"):
        panel.set_kind("smell")


def test_kinds_can_be_set_again(panel: FramePanel) -> None:
    panel.set_kinds(KINDS[1:])
    assert panel.title_button.text() == "Noisy state"
    assert len(panel.title_button.menu().actions()) == 2


def test_a_note_keeps_its_size_of_type_while_its_number_changes(panel: FramePanel) -> None:
    panel.resize(panel.title_button.sizeHint().width() + panel.note.fontMetrics().horizontalAdvance("SNR 0.0") + 8, 300)
    sizes = set()
    for text in ("SNR 1.1", "SNR 12", "SNR 0.062", "SNR 0.0021"):
        panel.set_picture(plain(), text)
        assert panel.note.shown_text == text
        sizes.add(panel.note.shown_font.pointSizeF())
    assert len(sizes) == 1


def test_a_long_note_gives_way_and_is_told_by_its_tooltip(panel: FramePanel) -> None:
    note = "what the model sees in the block at this very moment, and why"
    panel.set_picture(plain(), note)
    assert panel.note.shown_text.endswith("…")
    assert panel.note.toolTip() == note
    panel.set_picture(plain(), "SNR 0.16")
    assert panel.note.shown_text == "SNR 0.16"
    assert panel.note.toolTip() == ""


@pytest.mark.parametrize(("width", "height"), [(8, 8), (16, 8), (8, 16)])
def test_the_picture_keeps_its_aspect_and_the_panel(panel: FramePanel, width: int, height: int) -> None:
    panel.set_picture(plain(width, height))
    for size in ((300, 400), (500, 260), (160, 500)):
        panel.resize(*size)
        shown = panel.picture_view.geometry()
        assert shown.width() / shown.height() == pytest.approx(width / height, rel=0.03)
        assert panel.rect().contains(shown)


def test_the_readout_tells_position_and_colour(panel: FramePanel, qtbot: QtBot) -> None:
    panel.set_picture(plain())
    with qtbot.waitSignal(panel.pixel_hovered) as told:
        qtbot.mouseMove(panel.picture_view, QPoint(5, 5))
    assert told.args == [0, 0]
    assert panel.readout.text() == "0, 0 · R 16  G 32  B 48"


def test_a_reader_tells_the_true_value(panel: FramePanel, qtbot: QtBot) -> None:
    panel.set_picture(plain())
    panel.set_value_reader(lambda column, row: f"{column}/{row} = +0.25")
    qtbot.mouseMove(panel.picture_view, QPoint(6, 6))
    assert panel.readout.text() == "0/0 = +0.25"


def test_the_zoom_button_says_the_scale(panel: FramePanel) -> None:
    assert not panel.zoom_button.isEnabled()
    panel.set_picture(plain(64, 64))
    assert panel.zoom_button.text() == "Fit"
    eight = next(action for action in panel.zoom_button.menu().actions() if action.text() == "8×")
    eight.trigger()
    assert panel.zoom_button.text() == "8×"
    panel.zoom_button.menu().actions()[0].trigger()
    assert panel.zoom_button.text() == "Fit"


def test_screen_readers_hear_what_is_shown(panel: FramePanel) -> None:
    panel.set_picture(None, "", "there is no guess before the first step")
    interface = QAccessible.queryAccessibleInterface(panel.picture_view)
    assert interface.text(QAccessible.Text.Name) == "Current guess"
    assert interface.text(QAccessible.Text.Description) == "there is no guess before the first step"


def test_the_legend_comes_and_goes_with_the_colours(panel: FramePanel) -> None:
    assert panel.legend.isHidden()
    panel.set_legend(["#3369b8", "#f7f7f7", "#c45a1d"], 0.21)
    assert not panel.legend.isHidden()
    assert panel.legend.texts == ("−0.21", "+0.21")
    panel.set_legend((), None)
    assert panel.legend.isHidden()


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.214, "+0.21"), (-0.5, "−0.5"), (12.0, "+12"), (1e-4, "+0.0001")]
)
def test_signed(value: float, text: str) -> None:
    assert signed(value) == text


def test_the_legend_is_white_in_the_middle_and_coloured_at_its_ends(qtbot: QtBot) -> None:
    bar = LegendBar()
    qtbot.addWidget(bar)
    bar.set_scale(["#0000ff", "#ffffff", "#ff0000"], 1.0)
    bar.resize(bar.sizeHint())
    bar.show()
    shot = bar.grab().toImage()
    middle, y = bar.width() // 2, bar.height() // 2
    assert shot.pixelColor(middle - 30, y).blue() > shot.pixelColor(middle - 30, y).red() + 60
    assert shot.pixelColor(middle + 30, y).red() > shot.pixelColor(middle + 30, y).blue() + 60
