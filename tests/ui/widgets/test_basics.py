"""What does not fit gives way sensibly."""

import pytest
from pytestqt.qtbot import QtBot

from sculptor_app.ui.widgets.basics import ElidedLabel


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("SNR 0.16 · σ 2.5", "SNR 0.16 · σ 2.5", "SNR 0.16 · σ 2.5"),
        ("SNR 0.16 · σ 2.5", "SNR 0.16 · σ", "SNR 0.16"),
        ("what the model sees", "what the mode…", "what the mode…"),
        ("SNR 0.16", "SNR", ""),
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
