"""Bars over what they belong to: where they lie, and how long a message stays."""

from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.session.session import Session
from sculptor_app.ui.learn.samples_view import SamplesView
from sculptor_app.ui.widgets.bars import PASSES_MS, BarColumn, MessageBar


def test_the_scrubber_of_the_samples_is_not_covered(qtbot: QtBot) -> None:
    around = QWidget()
    qtbot.addWidget(around)
    row = QHBoxLayout(around)
    samples, message = SamplesView(Session(around), around), MessageBar()
    row.addWidget(samples)
    samples.set_has_samples(True)
    bars = BarColumn(around, (message,))
    bars.lie_over(samples)
    around.resize(800, 500)
    around.show()
    message.show_message("The model has learned 30,000 pictures.", is_fault=False)
    QApplication.processEvents()
    bars.place()
    timeline = samples.timeline
    assert bars.height() > 0
    assert bars.geometry().bottom() < timeline.mapTo(around, timeline.rect().topLeft()).y()


def test_a_message_passes_when_it_has_been_seen_long_enough(qtbot: QtBot) -> None:
    around = QWidget()
    qtbot.addWidget(around)
    bar = MessageBar(around)
    assert bar._passing.interval() == PASSES_MS == 6000
    bar.show_message("Saved x.gif.", is_fault=False, passes=True)
    assert not bar._passing.isActive()  # nobody sees it yet
    around.show()
    assert bar._passing.isActive()
    around.hide()
    assert not bar._passing.isActive()
    assert bar.message == "Saved x.gif."
    around.show()
    bar._passing.timeout.emit()
    assert bar.message == ""
    bar.show_message("The settings of x.gif are in the fields.", action="Start", is_fault=False)
    assert not bar._passing.isActive()  # it asks something
