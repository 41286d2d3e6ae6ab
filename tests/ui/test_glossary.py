"""Everything that is seen, measured or chosen has its place in the glossary, and its tooltips."""

import re

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QMainWindow, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.cli import main
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.trajectory.levels import PHASES
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.glossary import CHAPTERS, TERMS
from sculptor_app.measures.spectrum import BANDS, band_energies, frame_spectrum
from sculptor_app.ui.dialogs.help import GlossaryDialog, ShortcutsDialog
from sculptor_app.ui.drown.frames import ForwardStage
from sculptor_app.ui.fields.inputs import SamplerBox
from sculptor_app.ui.playback.stage import Stage
from tests.helpers.window import Driver

MEASURES = (
    "snr", "sigma", "log-snr", "phase", "band", "energy", "spectrum", "noise-floor", "settled", "drowns",
    "guidance-norm", "psnr", "whiteness", "latent-map", "loss", "learned",
)  # fmt: skip


def test_every_frame_sampler_phase_band_measure_and_plot_has_an_entry() -> None:
    wanted = {
        *(kind.value for kind in FrameKind),
        *(f"sampler-{key}" for key in SAMPLERS),
        *(f"phase-{phase.key}" for phase in PHASES),
        *(f"band-{band.key}" for band in BANDS),
        *MEASURES,
    }
    assert wanted - TERMS.keys() == set()
    assert {key for key in TERMS if key.startswith("sampler-")} == {f"sampler-{key}" for key in SAMPLERS}
    assert len(TERMS) == sum(len(chapter.terms) for chapter in CHAPTERS)  # no key twice


def test_white_noise_has_in_the_texts_what_it_has_on_the_axes() -> None:
    noise = np.random.default_rng(0).normal(size=(3, 128, 128)).astype(np.float32)
    assert band_energies(frame_spectrum(noise))[1:] == pytest.approx(np.ones(3), abs=0.2)  # few waves are coarse
    assert "white noise of variance 1 has 1 in every band" in TERMS["energy"].text
    assert "variance 1 at 1" in TERMS["spectrum"].text
    assert not [term.key for term in TERMS.values() if "as a power of ten" in term.text]


@pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)
def test_an_entry_is_one_or_two_sentences(term) -> None:
    assert term.text.endswith(".")
    assert len(re.findall(r"[.:?](?= |$)", term.text)) <= 3, term.text
    assert len(term.text) <= 260
    assert not term.text.startswith(term.title)


def test_bands_are_those_that_are_measured() -> None:
    for band in BANDS:
        numbers = [int(number) for number in re.findall(r"\d+", TERMS[f"band-{band.key}"].text)]
        assert numbers[0] == band.low
        assert numbers[1:] in ([], [band.high])


def test_each_sampler_is_explained_where_it_is_chosen(qtbot: QtBot) -> None:
    box = SamplerBox(tuple(SAMPLERS))
    qtbot.addWidget(box)
    tips = [box.itemData(row, Qt.ItemDataRole.ToolTipRole) for row in range(box.count())]
    assert tips == [TERMS[f"sampler-{key}"].text for key in SAMPLERS]
    box.setCurrentIndex(box.findData("heun"))
    assert box.toolTip().startswith(TERMS["sampler-heun"].text)


def test_help_begins_where_it_tells_of_the_page_in_front(driver: Driver) -> None:
    """At its beginning while nothing has been carved."""
    help_, actions = driver.window.bench.menus.help, driver.window.bench.menus.actions

    def top() -> str:
        actions["glossary"].trigger()
        QApplication.processEvents()
        shown = help_._glossary.text
        return shown.cursorForPosition(QPoint(4, 8)).block().text()

    assert top().startswith("The idea · The frames")
    for entry in driver.window.bench.pages.entries[1:]:
        driver.window.bench.pages.show(entry.key)
        assert top().lower().startswith(TERMS[entry.term].title.lower())
    assert entry.term == "fork"


@pytest.mark.parametrize("stage", [Stage, ForwardStage])
def test_each_kind_of_frame_is_explained_where_it_is_chosen(qtbot: QtBot, stage: type[Stage]) -> None:
    shown = stage()
    qtbot.addWidget(shown)
    panel = shown.panels[0]
    for action in panel.title_button.menu().actions():
        assert action.toolTip() == shown.kind_meaning(action.data())
        assert action.toolTip().endswith(".")
    assert panel.title_button.toolTip().startswith(shown.kind_meaning(shown.kinds[0]))


def test_the_help_finds_and_goes_to_a_term(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = GlossaryDialog(parent)
    whole = dialog.text.toPlainText()
    assert all(term.text in whole for term in TERMS.values())
    links = dialog.text.toHtml()
    assert all(f'href="#chapter-{each.key}"' in links and f'name="chapter-{each.key}"' in links for each in CHAPTERS)
    dialog.word_line.setText("heun")
    qtbot.waitUntil(lambda: TERMS["twin"].text not in dialog.text.toPlainText())
    assert TERMS["sampler-heun"].text in dialog.text.toPlainText()
    shown = []
    dialog.text.textChanged.connect(lambda: shown.append(dialog.text.toPlainText()))
    for letter in "no such word at all":  # typed faster than it can be shown
        dialog.word_line.insert(letter)
    dialog.word_line.setText("no such word at all")
    qtbot.waitUntil(lambda: bool(shown))
    assert len(shown) == 1
    assert "no such word at all" in shown[0]
    dialog.show()
    dialog.go_to("sampler-heun")
    QApplication.processEvents()
    assert dialog.word_line.text() == ""
    assert dialog.text.verticalScrollBar().value() > 0
    dialog.close_button.click()
    assert not dialog.isVisible()


def test_the_sheet_of_keys_is_seen_whole_and_fits_a_small_screen(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    menu = window.menuBar().addMenu("Go")
    for number in range(10):
        menu.addAction(f"Step {number}").setShortcut(f"Ctrl+{number}")
    dialog = ShortcutsDialog([menu], window)
    dialog.show()
    scroll = dialog.findChild(QScrollArea)
    bars = scroll.verticalScrollBar(), scroll.horizontalScrollBar()
    qtbot.waitUntil(lambda: not any(bar.isVisible() for bar in bars))
    assert dialog.height() > 250
    assert dialog.minimumSizeHint().height() < 200


def test_the_command_line_explains_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "twin"]) == 0
    told = capsys.readouterr().out
    assert " ".join(TERMS["twin"].text.split()[:6]) in told
    assert "Heun" not in told
    assert main(["explain", "hann", "window"]) == 0  # as people type it, without quotes
    assert "Fades a picture out" in capsys.readouterr().out
    assert main(["explain", "nosuchword"]) == 2
    assert "nosuchword" in capsys.readouterr().err
