"""The field for LoRA files: what it gives, what it says, what it remembers."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from sculptor_app.core.requests.request import MOST_LORAS, Lora
from sculptor_app.ui.fields.lora_field import LoraField


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{name}.safetensors" for name in ("marble", "wet")]
    for file in found:
        file.touch()
    return found


@pytest.fixture
def field(qtbot: QtBot) -> LoraField:
    made = LoraField()
    qtbot.addWidget(made)
    made.show()
    return made


def drop(field: LoraField, *paths: Path) -> bool:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    given = Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entering = QDragEnterEvent(QPoint(5, 5), *given)
    entering.setAccepted(False)
    QApplication.sendEvent(field, entering)
    if entering.isAccepted():
        QApplication.sendEvent(field, QDropEvent(QPointF(5, 5), *given))
    return entering.isAccepted()


def test_files_are_chosen_or_dropped_weighed_left_out_and_removed(
    field: LoraField, files: list[Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(files[0])], ""))
    with qtbot.waitSignal(field.edited):
        field.add.click()
    assert not drop(field, files[0].with_suffix(".png"))
    assert drop(field, files[1], files[0].with_suffix(".png"), files[0])
    assert field.loras == (Lora(str(files[0])), Lora(str(files[1])))
    field.rows[0].weight.set_text("-0,5")
    field.rows[1].tick.setChecked(False)
    assert field.loras == (Lora(str(files[0]), -0.5),)
    assert drop(field, files[1])  # there already: ticked again
    assert [row.tick.isChecked() for row in field.rows] == [True, True]
    field.rows[0].remove.click()
    assert field.loras == (Lora(str(files[1])),)
    assert field.focusWidget() is field.add


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [
        ("much", "“much” is no weight for the LoRA marble.safetensors: choose -10 to 10."),
        ("", "“” is no weight for the LoRA marble.safetensors: choose -10 to 10."),
        ("nan", "The weight of the LoRA marble.safetensors is nan; choose -10 to 10."),
        ("11", "The weight of the LoRA marble.safetensors is 11.0; choose -10 to 10."),
        ("1e1", ""),
    ],
)
def test_a_weight_that_cannot_be_used_is_said(field: LoraField, files: list[Path], weight: str, sentence: str) -> None:
    field.add_file(files[0])
    field.rows[0].weight.set_text(weight)
    assert field.problem == sentence
    assert len(field.loras) == (not sentence)
    field.rows[0].tick.setChecked(False)
    assert field.problem == ""


def test_a_file_that_is_gone_is_said_and_keeps_nobody_out(field: LoraField, files: list[Path]) -> None:
    for file in files:
        field.add_file(file)
    files[0].unlink()
    assert f"There is no file {files[0]}" in field.problem
    assert field.rows[0]._missing.isVisible()
    remembered = field.remembered()
    assert remembered == {str(files[0]): ["1", True], str(files[1]): ["1", True]}
    field.recall({})
    assert field.rows == []
    field.recall(remembered)  # as in the next session
    assert [row.tick.isChecked() for row in field.rows] == [False, True]
    assert field.rows[0]._missing.isVisible()
    assert field.problem == ""
    assert field.loras == (Lora(str(files[1])),)


@pytest.mark.parametrize("told", [{"a": 3}, {"": ["1", True]}, {"a": ["1"]}, {"a": [1, True]}, {"\0": ["1", True]}])
def test_what_is_remembered_wrongly_keeps_nobody_out(field: LoraField, told: dict) -> None:
    field.recall(told)
    assert field.problem == ""


def test_there_are_at_most_so_many(field: LoraField, tmp_path: Path) -> None:
    for number in range(MOST_LORAS + 2):
        field.add_file(tmp_path / f"{number}.safetensors")
    assert len(field.rows) == MOST_LORAS
    assert not field.add.isEnabled()


def test_what_a_full_list_does_not_take_is_said_until_there_is_room(field: LoraField, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.safetensors" for number in range(MOST_LORAS + 2)]
    for file in files:
        file.touch()
    assert drop(field, *files[:MOST_LORAS])
    assert field.hint.text() == "or drop it here"
    assert drop(field, *files[MOST_LORAS:])
    assert len(field.rows) == MOST_LORAS
    assert field.hint.text() == f"{files[-1].name} was not added: {MOST_LORAS} LoRAs are the most. Remove one first."
    assert field.hint.property("tone") == "warning"
    field.rows[0].remove.click()
    assert (field.hint.text(), field.hint.property("tone")) == ("or drop it here", "muted")
