"""Elided labels give way sensibly; a menu button is at rest once its menu is closed; bars move nothing."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QFontMetrics, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMenu, QMessageBox, QToolButton, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.ui.models.dialogs import HubDialog, RefusalDialog
from sculptor_app.ui.saving.gif_form import ask_to_replace
from sculptor_app.ui.widgets.bars import MOST_LINES, BarColumn, BarText, MessageBar, WorkBar
from sculptor_app.ui.widgets.basics import ElidedLabel, give_menu, show_tip


def test_it_is_not_lit_any_more_when_its_menu_closes_under_a_pointer_elsewhere(qtbot: QtBot) -> None:
    button = QToolButton()
    qtbot.addWidget(button)
    menu = QMenu(button)
    menu.addAction("one")
    give_menu(button, menu)
    button.move(200, 200)
    button.show()
    qtbot.waitExposed(button)
    button.cursor().setPos(button.mapToGlobal(QPoint(-50, -50)))
    button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)  # as Qt leaves it
    menu.popup(QPoint(0, 0))
    assert button.underMouse()
    menu.hide()
    qtbot.waitUntil(lambda: not button.underMouse())


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("SNR 0.16 · σ 2.5", "SNR 0.16 · σ 2.5", "SNR 0.16 · σ 2.5"),
        ("SNR 0.16 · σ 2.5", "SNR 0.16 · σ", "SNR 0.16"),
        ("what the model sees", "what the mode…", "what the mode…"),
        ("SNR 0.16", "SNR", ""),
        ("noise level 0.1625", "noise level 0.1…", "noise level…"),
        ("picture_20241129.png", "picture_2024…", "picture_2024…"),
        ("", "anything", ""),
    ],
)
def test_shown_text(qtbot: QtBot, text: str, room: str, shown: str) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.resize(label.fontMetrics().horizontalAdvance(room) + 1, 20)
    label.setText(text)
    assert label.shown_text == shown
    assert label.toolTip() == ("" if shown == text else text)
    assert label.text() == text
    label.grab()


def test_a_label_may_shrink_before_it_is_cut(qtbot: QtBot) -> None:
    label = ElidedLabel("SNR < 0.0001 · σ 157")
    qtbot.addWidget(label)
    label.shrink()
    whole = label.fontMetrics().horizontalAdvance("SNR < 0.0001")
    label.resize(whole + 2, 20)
    assert (label.shown_text, label.shown_font) == ("SNR < 0.0001", label.font())
    label.resize(round(0.72 * whole), 20)
    assert label.shown_text == "SNR < 0.0001"
    assert label.shown_font.pointSizeF() < label.font().pointSizeF()
    assert QFontMetrics(label.shown_font).horizontalAdvance(label.shown_text) <= label.width()
    label.grab()


def test_a_label_keeps_its_size_of_type_for_what_is_to_come(qtbot: QtBot) -> None:
    label = ElidedLabel("SNR 1.1")
    qtbot.addWidget(label)
    label.shrink()
    label.resize(label.fontMetrics().horizontalAdvance("SNR 0.008"), 20)
    assert label.shown_font == label.font()
    label.keep_size_for("SNR 0.0088")
    small = label.shown_font
    assert small.pointSizeF() < label.font().pointSizeF()
    label.setText("SNR 0.062")
    assert label.shown_font == small
    label.keep_size_for("a text that has no room in any size of type")
    assert label.shown_font == label.font()


def test_a_label_keeps_its_parts_for_what_is_to_come(qtbot: QtBot) -> None:
    label = ElidedLabel("SNR 2 · σ 1")
    qtbot.addWidget(label)
    label.shrink()
    label.resize(label.fontMetrics().horizontalAdvance("SNR 0.0088 · σ"), 20)
    assert label.shown_text == "SNR 2 · σ 1"
    label.keep_size_for("SNR 0.0088 · σ 0.0088")
    assert label.shown_text == "SNR 2"  # else σ would come and go while somebody scrubs
    assert label.shown_font == label.font()


@pytest.mark.parametrize("shun", [QRect(20, 300, 760, 90), QRect(500, 100, 200, 150), QRect(0, 0, 300, 200)])
def test_a_tooltip_leaves_free_what_it_is_about(qtbot: QtBot, shun: QRect) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    owner.setGeometry(shun)
    owner.show()
    show_tip(shun.center(), "Step 12 of 50 · Structure (6–15)\nSNR 0.067 before it, 0.086 after", owner, shun)
    tip = next(each for each in QApplication.topLevelWidgets() if each.inherits("QTipLabel"))
    assert not tip.geometry().intersects(shun)
    QToolTip.hideText()


def test_a_label_that_fills_its_place_lays_nothing_out_anew(qtbot: QtBot) -> None:
    asked: list[QEvent.Type] = []

    class Row(QWidget):
        def event(self, event: QEvent) -> bool:
            asked.append(event.type())
            return super().event(event)

    row = Row()
    qtbot.addWidget(row)
    layout = QHBoxLayout(row)
    moving, filling = ElidedLabel("", row), ElidedLabel("first", row)
    filling.fill_place()
    for label in (moving, filling):
        layout.addWidget(label, 1)
    row.resize(400, 40)
    row.show()
    qtbot.waitExposed(row)
    for label, lays_out in ((moving, True), (filling, False)):
        QApplication.processEvents()
        asked.clear()
        label.setText("SNR 0.16 · σ 2.5")
        QApplication.processEvents()
        assert (QEvent.Type.LayoutRequest in asked) is lays_out
        assert label.text() == label.shown_text == "SNR 0.16 · σ 2.5"
        spoken = QAccessible.queryAccessibleInterface(label).text(QAccessible.Text.Name)
        assert spoken == "SNR 0.16 · σ 2.5"
    assert row.grab().toImage() != (filling.setText("") or row.grab().toImage())


def test_the_message_bar_shows_one_message_and_its_action(qtbot: QtBot) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    done = []
    bar.show_message("The disk is full.", "Free some space.", action="Retry", on_action=lambda: done.append(1))
    assert bar.message == "The disk is full. Free some space."
    bar._action.click()
    assert done == [1]
    assert bar.message == ""
    bar.show_message("Saved.", is_fault=False)
    assert not bar._action.isVisibleTo(bar)


@pytest.mark.parametrize("text", ["One line.", "Many words that need more lines than one. " * 6])
@pytest.mark.parametrize("action", ["", "Do it"])
def test_mark_and_cross_of_a_message_stand_on_its_first_line(qtbot: QtBot, text: str, action: str) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    bar.resize(420, 40)
    bar.show_message(text, action=action, on_action=lambda: None)
    bar.resize(420, bar.heightForWidth(420))
    bar.layout().activate()
    label, line_px = bar._text, bar._text.fontMetrics().lineSpacing()
    inner = label.viewport().geometry().translated(label.pos())
    is_one_line = label.heightForWidth(label.width()) < 2 * line_px
    first_line = inner.center().y() if is_one_line else inner.top() + line_px / 2
    for widget in (bar._mark, bar._close):
        assert abs(widget.geometry().center().y() - first_line) <= 3


@pytest.mark.parametrize("text", ["/" + "a" * 4000, "\n".join(f"line {number}" for number in range(300))])
@pytest.mark.parametrize("make", [MessageBar, functools.partial(WorkBar, "Progress")])
def test_a_text_of_any_length_stays_in_a_bar_and_is_copied_whole(
    qtbot: QtBot, make: Callable[[], MessageBar | WorkBar], text: str
) -> None:
    bar = make()
    qtbot.addWidget(bar)
    show = bar.show_message if isinstance(bar, MessageBar) else bar.show_work
    show("Short.")
    one_line_px = bar.heightForWidth(420)
    show(text)
    QApplication.processEvents()
    assert bar.minimumSizeHint().width() <= 420
    assert one_line_px < bar.heightForWidth(420) <= one_line_px + MOST_LINES * bar.fontMetrics().lineSpacing()
    shown = bar.findChild(BarText)
    shown.selectAll()
    offered = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    offered.ignore()
    QApplication.sendEvent(shown, offered)
    assert offered.isAccepted()  # else the menu would copy the picture instead
    shown.copy()
    assert QGuiApplication.clipboard().text() == text


def test_no_name_makes_a_dialog_wider_than_a_screen(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    hub, refusal = HubDialog(window), RefusalDialog("/" + "a" * 4000, [], window)
    hub.name.setEditText("https://huggingface.co/" + "a" * 400)
    ask_to_replace(Path("<b>" + "a" * 240 + ".gif"), lambda: None, window)
    question = window.findChild(QMessageBox)
    for dialog in (hub, refusal, question):
        dialog.adjustSize()
        assert dialog.minimumSizeHint().width() < 700
        dialog.close()
    assert question.text().startswith("<b>aaa")
    assert question.textFormat() is Qt.TextFormat.PlainText
    assert question.buttonRole(question.defaultButton()) is QMessageBox.ButtonRole.RejectRole  # Return replaces nothing


def test_bars_lie_over_what_they_belong_to_and_move_nothing(qtbot: QtBot) -> None:
    around = QWidget()
    qtbot.addWidget(around)
    row = QHBoxLayout(around)
    left, right = QWidget(around), QWidget(around)
    row.addWidget(left)
    row.addWidget(right)
    message, work = MessageBar(), WorkBar("Progress")
    bars = BarColumn(around, (message, work))
    bars.lie_over(right)
    around.resize(800, 300)
    around.show()
    QApplication.processEvents()
    before = left.geometry(), right.geometry()
    assert bars.height() == 0
    message.show_message("The disk is full. " * 12)
    work.show_work("Saving…")
    qtbot.waitUntil(lambda: bars.height() > 80)
    assert (left.geometry(), right.geometry()) == before
    assert (bars.x(), bars.width()) == (right.x(), right.width())
    assert bars.geometry().bottom() == right.geometry().bottom()
    qtbot.waitUntil(lambda: message.height() >= message.heightForWidth(right.width()))
    message.clear()
    work.hide()
    qtbot.waitUntil(lambda: bars.height() == 0)


def test_a_success_passes_and_a_fault_stays(qtbot: QtBot) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    bar.show_message("Saved x.gif.", is_fault=False, passes=True)
    assert bar._passing.isActive()
    bar.pass_by()
    assert bar.message == ""
    bar.show_message("Saved x.gif.", is_fault=False, passes=True)
    bar.show_message("The disk is full.")
    assert not bar._passing.isActive()
    bar.pass_by()
    assert bar.message == "The disk is full."
