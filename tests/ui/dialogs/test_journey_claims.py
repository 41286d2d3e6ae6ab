"""Help, Published findings: each tested on the model that is open, told with its figures, and stopped."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from sculptor_app.core.errors import SculptorError
from sculptor_app.measures.claims import CLAIMS, ClaimProgress, Outcome
from sculptor_app.session import engine as access
from sculptor_app.training.memorising import claim as memorising
from sculptor_app.ui.dialogs.claims import ClaimsDialog
from tests.helpers.window import RUN_MS, Driver


@pytest.fixture
def dialog(ready: Driver) -> ClaimsDialog:
    ready.set_steps(5)
    ready.window.bench.menus.actions["claims"].trigger()
    shown = ready.window.findChild(ClaimsDialog)
    assert shown.isVisible()
    shown.seeds.setCurrentIndex(0)
    return shown


def press(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_finding_is_tested_and_told_with_its_verdict(ready: Driver, dialog: ClaimsDialog) -> None:
    assert set(dialog.cards) == set(CLAIMS)
    card = dialog.cards["two-dimensional"]
    assert card.here.text() == "Not tested yet."
    assert "https://arxiv.org/abs/2303.02490" in card.source.text()
    press(card.button)
    assert dialog.is_busy
    assert card.button.text() == "Stop"
    assert not dialog.cards["u-turn"].button.isEnabled()
    ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)
    assert card.here.text().startswith("With DDIM two components hold ")
    assert card.here.text().endswith("(measured with 4 runs of 5 steps, DDIM, tiny)")
    assert card.verdict.isVisible()
    assert card.verdict.text().split()[-1] in ("Holds", "hold", "told")
    assert card.button.text() == "Test"
    assert ready.session.trajectory is None  # the page Carve shows what it showed
    dialog.close()
    ready.window.bench.menus.actions["claims"].trigger()
    assert card.here.text().startswith("With DDIM")  # what was measured stays


def test_findings_about_samples_and_forks_are_tested_too(ready: Driver, dialog: ClaimsDialog) -> None:
    dialog.resize(560, 420)
    no_judge = "There is no judge of pictures of this size (16 px) yet; the command evaluate makes one."
    for key, told in (
        ("closed-form", f"{no_judge} (measured with 48 samples of 5 steps, DDIM, tiny)"),
        ("late-start", f"{no_judge} (measured with 48 samples, DDIM, tiny)"),
        ("speciation", "Nothing reads a class off the pictures of this model. (measured with 4 runs of 5 steps, tiny)"),
    ):
        card = dialog.cards[key]
        dialog.cards_area.ensureWidgetVisible(card.button)
        press(card.button)
        ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)
        assert card.here.text() == told
        assert card.verdict.text() == "Cannot be told"


def test_a_finding_about_training_is_tested_on_networks_that_learn_here(
    ready: Driver, dialog: ClaimsDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MARKS", (2, 4)), ("OTHERS", 8), ("BASELINE", 4)):
        monkeypatch.setattr(memorising, name, value)
    card = dialog.cards["memorising"]
    dialog.cards_area.ensureWidgetVisible(card.button)
    press(card.button)
    assert dialog.is_busy
    ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)
    assert card.here.text() == (
        "Of 4 small networks that learned 8 and 32 renders here, 4 did not both generate and memorise within 4 steps. "
        "(measured with 4 networks)"
    )
    assert card.verdict.text() == "Cannot be told"
    monkeypatch.setattr(memorising, "MARKS", (100_000,))
    press(card.button)
    ready.qtbot.waitUntil(lambda: card.here.text().startswith("Testing: 0 of "), timeout=RUN_MS)
    assert " left" in card.here.text()
    press(card.button)
    ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)
    assert card.here.text() == "Stopped."


def test_how_much_time_is_left_is_told(ready: Driver, dialog: ClaimsDialog, monkeypatch: pytest.MonkeyPatch) -> None:
    def testing(engine, key, asked, stop):
        yield ClaimProgress(0, 40, 130.0)
        stop.wait(RUN_MS / 1000)
        yield Outcome("So it is.", True)

    monkeypatch.setattr(access, "test_claim", testing)
    card = dialog.cards["guidance-interval"]
    dialog.cards_area.ensureWidgetVisible(card.button)
    press(card.button)
    ready.qtbot.waitUntil(lambda: card.here.text().startswith("Testing: "), timeout=RUN_MS)
    assert card.here.text() == "Testing: 0 of 40, about 2 min 10 s left"
    press(card.button)
    ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)


def test_a_test_is_stopped_by_its_button_and_by_closing(ready: Driver, dialog: ClaimsDialog) -> None:
    dialog.seeds.setCurrentIndex(dialog.seeds.count() - 1)
    ready.set_steps(100)
    card = dialog.cards["coarse-to-fine"]
    for stop in (lambda: press(card.button), dialog.close):
        press(card.button)
        ready.qtbot.waitUntil(lambda: card.here.text().startswith("Testing: "), timeout=RUN_MS)
        stop()
        ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)
        assert card.here.text() == "Stopped."
        assert not card.verdict.isVisible()


def test_a_wrong_field_and_a_failure_are_said_in_the_card(
    ready: Driver, dialog: ClaimsDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = dialog.cards["u-turn"]
    ready.window.panels.controls.seed.setText("")
    press(card.button)
    assert card.here.text() == "A field of the page Carve is wrong; correct it first."
    ready.window.panels.controls.seed.setText("7")

    def failing(*_):
        raise SculptorError("The model fell off.", "Glue it.")
        yield

    monkeypatch.setattr(access, "test_claim", failing)
    press(card.button)
    ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)
    assert card.here.text() == "The model fell off. Glue it."
