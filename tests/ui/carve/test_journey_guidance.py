"""The two guesses of guidance in the real window: chosen, shown with a word, and said why where there are none."""

from pathlib import Path

import numpy as np
import pytest

from sculptor_app.measures.frame_kinds import GUIDANCE_KINDS, FrameKind
from sculptor_app.measures.pictures import NO_STEP_YET, NOT_KEPT, picture
from tests.helpers.window import RUN_MS, Driver

UNCONDITIONAL, CONDITIONAL, DIRECTION = GUIDANCE_KINDS


def bytes_of(image) -> np.ndarray:
    """(H, W, 3) uint8 of an RGB32 image."""
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return rows[..., 2::-1].copy()


def choose(driver: Driver, panel: int, kind: FrameKind) -> None:
    """From the menu in a panel's title."""
    actions = driver.window.bench.stage.panels[panel]._kinds.actions()
    next(action for action in actions if action.data() is kind).trigger()


@pytest.fixture
def guided(ready: Driver) -> Driver:
    """A finished run of four steps with guidance, its three kinds chosen."""
    ready.window.panels.controls.form.setCurrentIndex(1)
    for panel, kind in enumerate(GUIDANCE_KINDS):
        choose(ready, panel, kind)
    ready.run(4)
    return ready


def test_they_are_kept_and_shown_with_a_word_about_each(guided: Driver) -> None:
    panels, run = guided.window.bench.stage.panels, guided.session.trajectory
    for panel, kind in zip(panels, GUIDANCE_KINDS, strict=True):
        np.testing.assert_array_equal(bytes_of(panel.picture_view.image), picture(run, 4, kind).rgb)
    assert [panel.title_button.text() for panel in panels] == [
        "Unconditional guess", "Conditional guess", "Guidance direction",
    ]  # fmt: skip
    assert [panel.note.text() for panel in panels] == [
        "w = 0", "w = 1", "w = 2",
    ]  # fmt: skip
    assert panels[2].legend.isVisible()
    guided.session.go_to(0)
    guided.flush()
    for panel in panels:
        assert panel.picture_view.image is None
        assert panel.picture_view.accessibleDescription() == NO_STEP_YET
        assert panel.note.text() == ""


def test_unticked_they_are_not_kept_and_the_panels_say_so(guided: Driver) -> None:
    menus = guided.window.bench.menus
    assert menus.actions["keep_guesses"].isChecked()
    held = guided.session.trajectory.bytes_in_memory
    menus.actions["keep_guesses"].trigger()
    guided.run(4)
    assert guided.session.trajectory.bytes_in_memory < held
    assert guided.window.bench.stage.panels[0].picture_view.accessibleDescription() == NOT_KEPT


def test_the_choice_is_remembered_and_so_is_the_filmstrips(open_window) -> None:
    first = open_window().window
    first.bench.menus.actions["keep_guesses"].trigger()
    film = next(action for action in first.bench.menus.table.groups["film"].actions() if action.data() is CONDITIONAL)
    film.trigger()
    first.close()
    again = open_window().window
    assert not again.bench.menus.actions["keep_guesses"].isChecked()
    assert not again.panels.runner.watches_guidance
    assert again.bench.presenter.film_kind is CONDITIONAL


def test_the_filmstrip_shows_them(guided: Driver) -> None:
    presenter, run = guided.window.bench.presenter, guided.session.trajectory
    presenter.set_film_kind(DIRECTION)
    np.testing.assert_array_equal(bytes_of(presenter._thumbnail(3)), picture(run, 3, DIRECTION).rgb)
    np.testing.assert_array_equal(bytes_of(presenter._thumbnail(0)), picture(run, 0, FrameKind.NOISY_STATE).rgb)


def test_what_the_panel_shows_is_saved(guided: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    files = guided.window.bench.menus.files
    monkeypatch.setattr(files, "ask_size", lambda sizes, usual_px, key: min(sizes)[0])  # the picture's own
    monkeypatch.setattr(files, "_ask", lambda *_: tmp_path / "x.png")
    files.save_picture()
    guided.qtbot.waitUntil(lambda: not files.writer.is_busy, timeout=RUN_MS)
    with Image.open(tmp_path / "x.png") as image:
        np.testing.assert_array_equal(
            np.asarray(image.convert("RGB")), picture(guided.session.trajectory, 4, UNCONDITIONAL).rgb
        )


def test_a_forward_process_offers_none_of_them(driver: Driver) -> None:
    driver.window.bench.pages.show("drown")
    assert not set(driver.window.bench.pages.page.views.stage.known_kinds()) & set(GUIDANCE_KINDS)
