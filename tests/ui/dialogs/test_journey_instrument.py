"""View, Check the instrument: what is measured on top of what must be, for any sampler; stopped, and refused."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.session import engine as access
from sculptor_app.ui.dialogs.instrument import InstrumentDialog
from tests.helpers.window import RUN_MS, Driver


@pytest.fixture
def dialog(ready: Driver) -> InstrumentDialog:
    ready.set_steps(12)
    ready.window.bench.menus.actions["instrument"].trigger()
    shown = ready.window.findChild(InstrumentDialog)
    assert shown.isVisible()
    return shown


def check(ready: Driver, dialog: InstrumentDialog) -> None:
    QTest.mouseClick(dialog.button, Qt.MouseButton.LeftButton)
    assert dialog.is_busy
    assert dialog.button.text() == "Stop"
    ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)


def drawn(dialog: InstrumentDialog) -> tuple[np.ndarray, np.ndarray]:
    """Values of the lines at the places of the rings, and those of the rings; what is below the axis left out."""
    lines = np.array([item.getData()[1] for item in dialog.plot._curves])
    places, rings = dialog.plot._rings.getData()
    at = [lines[:, int(place)][np.nanargmin(np.abs(lines[:, int(place)] - ring))] for place, ring in
          zip(places, rings, strict=True)]  # fmt: skip
    return np.array(at), rings


def test_it_begins_with_the_panels_settings_and_shows_both_on_top_of_each_other(
    ready: Driver, dialog: InstrumentDialog
) -> None:
    controls = ready.window.panels.controls
    assert (dialog.sampler.currentData(), dialog.steps.text()) == (controls.sampler.currentData(), "12")
    assert dialog.sampler.count() == len(SAMPLERS)
    assert dialog.told.text() == "Not checked yet."
    check(ready, dialog)
    assert dialog.verdict.text().startswith("✓ Agrees: every pixel of the guesses within 0.0")
    assert dialog.button.text() == "Check"
    assert "12 steps, as of tiny: cosine schedule, a network that predicts v." in dialog.told.text()
    assert [row[0].text() for row in dialog.figures.rows[1:6]] == ["✓"] * 5
    for source in ("guess", "state"):
        next(each for each in dialog.sources.buttons() if each.property("source") == source).click()
        lines, rings = drawn(dialog)
        assert len(rings) >= 20  # of four bands; a narrow plot has one for every second step
        np.testing.assert_allclose(lines, rings, atol=1e-3 if source == "guess" else 0.5)
    assert dialog.plot.title.text() == "Energy per band of the noisy state"
    assert "expected" in dialog.plot.tooltip_at(5)
    assert ready.session.trajectory is None  # the page Carve shows what it showed
    dialog.close()
    ready.window.bench.menus.actions["instrument"].trigger()
    assert dialog.verdict.text().startswith("✓")  # what was found stays


def test_another_sampler_is_checked_on_a_schedule_of_its_own_kind(ready: Driver, dialog: InstrumentDialog) -> None:
    dialog.sampler.setCurrentIndex(dialog.sampler.findData("flow-euler"))
    check(ready, dialog)
    assert dialog.verdict.text().startswith("✓")
    assert "not as of tiny, which this sampler is not for: a network of flow matching." in dialog.told.text()


def test_it_is_stopped_by_its_button_and_by_closing(ready: Driver, dialog: InstrumentDialog) -> None:
    dialog.steps.set_text("1000")
    for stop in (lambda: QTest.mouseClick(dialog.button, Qt.MouseButton.LeftButton), dialog.close):
        QTest.mouseClick(dialog.button, Qt.MouseButton.LeftButton)
        ready.qtbot.waitUntil(lambda: dialog.told.text().startswith("Checking: step 1"), timeout=RUN_MS)
        stop()
        ready.qtbot.waitUntil(lambda: not dialog.is_busy, timeout=RUN_MS)
        assert dialog.told.text() == "Stopped."
        assert dialog.verdict.text() == ""
        assert dialog.plot.is_empty


def test_wrong_fields_and_failures_are_one_sentence(
    ready: Driver, dialog: InstrumentDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog.steps.set_text("0")
    QTest.mouseClick(dialog.button, Qt.MouseButton.LeftButton)
    assert not dialog.is_busy
    assert "steps" in dialog.told.text()
    dialog.steps.set_text("200")
    dialog.sampler.setCurrentIndex(dialog.sampler.findData("lcm"))
    check(ready, dialog)
    assert dialog.told.text().startswith("With 200 steps, the numbers of LCM do not stay finite")
    ready.window.panels.controls.seed.setText("")
    QTest.mouseClick(dialog.button, Qt.MouseButton.LeftButton)
    assert dialog.told.text() == "A field of the page Carve is wrong; correct it first."
    ready.window.panels.controls.seed.setText("7")

    def failing(*_):
        raise SculptorError("The model fell off.", "Glue it.")
        yield

    monkeypatch.setattr(access, "check_instrument", failing)
    check(ready, dialog)
    assert dialog.told.text() == "The model fell off. Glue it."
