"""Published findings, tested on the model that is open: what was found, what it shows here, and whether it holds."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from html import escape

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import steps_text, translate
from sculptor_app.measures.claims import CLAIMS, SAMPLES_PER_SEED, Claim, ClaimProgress, ClaimRequest, Outcome
from sculptor_app.session.grid_run import ClaimRunner
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui.fields.inputs import ChoiceBox
from sculptor_app.ui.playback.texts import duration_text
from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.names import display

SEEDS = (4, 8, 16, 32, 64)
USUAL_SEEDS = 8
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


class ClaimsDialog(QDialog):
    """A card for each finding; the window stays free, and what was measured stays until the window goes.

    Args:
        runner: Does the model's work; one finding is tested at a time.
        request: What the fields of the page Carve say; None while something in them is wrong.
    """

    def __init__(self, runner: SamplingRunner, request: Callable[[], RunRequest | None], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Published findings, tested here"))
        self._request = request
        self._runner, self._tests = runner, ClaimRunner(runner, self)
        self._tested = ""  # key of the claim that is being tested
        self._settings = ""  # what it is tested with, in words
        intro = QLabel(
            self.tr(
                "Findings of papers about diffusion models. Each can be tested on the model that is open, with the "
                "settings of the page Carve: several runs are made for it, each of the next seed."
            ),
            self,
        )
        intro.setWordWrap(True)
        self.seeds = ChoiceBox([(str(count), str(count)) for count in SEEDS], self)
        self.seeds.setCurrentIndex(SEEDS.index(USUAL_SEEDS))
        self.seeds.setAccessibleName(self.tr("Runs"))
        self.seeds.setToolTip(
            self.tr(
                "More of them make a figure surer, and take longer. Findings about samples are tested on {0} samples "
                "for each."
            ).format(SAMPLES_PER_SEED)
        )
        above = QHBoxLayout()
        above.setSpacing(8)
        label = QLabel(self.tr("Runs"), self)
        label.setProperty("tone", "muted")
        label.setBuddy(self.seeds)
        above.addWidget(label)
        above.addWidget(self.seeds)
        above.addStretch(1)
        self.cards = {key: ClaimCard(claim, self) for key, claim in CLAIMS.items()}
        content = QWidget(self)
        cards = QVBoxLayout(content)
        cards.setContentsMargins(0, 0, 8, 0)
        cards.setSpacing(12)
        of_samples = [key for key, claim in CLAIMS.items() if claim.of_samples]
        of_training = [key for key, claim in CLAIMS.items() if claim.trains]
        for number, (key, card) in enumerate(self.cards.items()):
            if number:
                cards.addWidget(_Line(self))
            if key in of_samples[:1]:
                cards.addWidget(self._heading_of_samples())
            if key in of_training[:1]:
                cards.addWidget(self._heading_of_training())
            cards.addWidget(card)
            card.button.clicked.connect(functools.partial(self._test_or_stop, key))
        cards.addStretch(1)
        self.cards_area = scroll = QScrollArea(self)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        close = QPushButton(self.tr("Close"), self)
        close.setAutoDefault(False)
        close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 20, 16)
        column.setSpacing(14)
        column.addWidget(intro)
        column.addLayout(above)
        column.addWidget(scroll, 1)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        self._tests.went_on.connect(self._show_progress)
        self._tests.told.connect(self._show_outcome)
        self._tests.ended.connect(self._show_end)
        self._tests.busy_changed.connect(self._show_busy)
        room = parent.window().screen().availableGeometry().size() * 0.85
        self.resize(QSize(720, 760).boundedTo(room))

    def _heading_of_samples(self) -> QLabel:
        return self._heading(
            self.tr(
                "About many samples, by their distance to renders as a judge reads them: {0} samples for each of the "
                "runs above. These take minutes."
            ).format(SAMPLES_PER_SEED)
        )

    def _heading_of_training(self) -> QLabel:
        return self._heading(
            self.tr(
                "About training: a small network learns here for each of the runs above, whatever model is open. This "
                "takes ten minutes or so."
            )
        )

    def _heading(self, text: str) -> QLabel:
        heading = QLabel(text, self)
        heading.setProperty("tone", "muted")
        heading.setWordWrap(True)
        return heading

    def done(self, result: int) -> None:
        """Close it, however that was asked for; nobody waits for a test that goes on."""
        self.stop()
        super().done(result)

    @property
    def is_busy(self) -> bool:
        """Whether a finding is being tested."""
        return self._tests.is_busy

    def stop(self) -> None:
        """Stop the test that goes on."""
        self._tests.stop()

    @Slot()
    def _test_or_stop(self, key: str, _: bool = False) -> None:
        if self._tests.is_busy:
            self._tests.stop()
            return
        request, card = self._request(), self.cards[key]
        if request is None:
            card.say(self.tr("A field of the page Carve is wrong; correct it first."))
            return
        seeds = int(self.seeds.currentData())
        self._tested, self._settings = key, _settings_text(CLAIMS[key], request, seeds)
        newest = self._runner.newest
        is_of_another = self._runner.is_running and newest is not None and newest.was_asked_for
        stopped = self.tr("Getting ready… What was being made was stopped for this test.")
        card.say(stopped if is_of_another else self.tr("Getting ready…"))
        self._tests.start(key, ClaimRequest(request, seeds))

    @Slot(object)
    def _show_progress(self, progress: ClaimProgress) -> None:
        said = self.tr("Testing: {0} of {1}").format(progress.done, progress.planned)
        if progress.seconds_left is not None:
            said = self.tr("{0}, about {1} left").format(said, duration_text(progress.seconds_left))
        self.cards[self._tested].say(said)

    @Slot(object)
    def _show_outcome(self, outcome: Outcome) -> None:
        self.cards[self._tested].show_outcome(outcome, self._settings)

    @Slot(str, object)
    def _show_end(self, ending: str, error: Exception | None) -> None:
        card = self.cards[self._tested]
        if ending == "cancelled":
            card.say(self.tr("Stopped."))
        elif ending == "failed":
            told = error if isinstance(error, SculptorError) else None
            card.say(
                f"{display(told.message)} {display(told.advice)}".strip()
                if told
                else self.tr("This could not be tested: {0}.").format(error)
            )

    @Slot(bool)
    def _show_busy(self, busy: bool) -> None:
        self.seeds.setEnabled(not busy)
        for key, card in self.cards.items():
            is_this = busy and key == self._tested
            card.button.setText(self.tr("Stop") if is_this else self.tr("Test"))
            card.button.setEnabled(is_this or not busy)


def _settings_text(claim: Claim, request: RunRequest, seeds: int) -> str:
    """What a finding is tested with, as far as the test does not choose it itself."""
    if claim.trains:
        return display(translate("ClaimsDialog", "measured with {0} networks").format(seeds))
    if claim.of_samples:
        said = translate("ClaimsDialog", "measured with {0} samples").format(seeds * SAMPLES_PER_SEED)
    else:
        said = translate("ClaimsDialog", "measured with {0} runs").format(seeds)
    told = [display(said)]
    if "steps" not in claim.chooses:
        told[0] = display(translate("ClaimsDialog", "{0} of {1}").format(said, steps_text(request.steps)))
    if "sampler" not in claim.chooses:
        told.append(display(SAMPLERS[request.sampler].label))
    if request.model is not None:
        told.append(re.split(r"[\\/]", request.model.rstrip("\\/"))[-1])
    return ", ".join(told)


class ClaimCard(QWidget):
    """A finding, its source, what was published, and what the model shows."""

    def __init__(self, claim: Claim, parent: QWidget) -> None:
        super().__init__(parent)
        self._claim = claim
        self.finding = QLabel(display(claim.finding), self)
        self.finding.setFont(fonts.strong())
        self.finding.setWordWrap(True)
        self.source = QLabel(self)
        self.source.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.source.setOpenExternalLinks(True)
        self.source.setWordWrap(True)
        self.published = QLabel(display(claim.published), self)
        self.here = QLabel(self.tr("Not tested yet."), self)
        self.verdict = QLabel(self)
        self.verdict.setFont(fonts.strong())
        self.button = QPushButton(self.tr("Test"), self)
        self.button.setAutoDefault(False)
        self.button.setAccessibleName(self.tr("Test: {0}").format(display(claim.finding)))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.finding, 0, 0, 1, 2)
        grid.addWidget(self.button, 0, 2, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.source, 1, 0, 1, 2)
        grid.addWidget(self.verdict, 1, 2, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        for row, (name, text) in enumerate(
            ((self.tr("Published"), self.published), (self.tr("Here"), self.here)), start=2
        ):
            heading = QLabel(name, self)
            heading.setProperty("tone", "muted")
            text.setWordWrap(True)
            grid.addWidget(heading, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(text, row, 1, 1, 2)
        longest = self.tr("Does not hold")
        grid.setColumnMinimumWidth(2, self.verdict.fontMetrics().horizontalAdvance(f"✗ {longest}"))
        self.here.setMinimumHeight(2 * self.here.fontMetrics().lineSpacing())  # what is measured moves no button below
        self.here.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.verdict.hide()
        theme().changed.connect(self._dress)
        self._dress()

    def say(self, text: str) -> None:
        """Say how the test goes; an older verdict goes."""
        self.here.setText(text)
        self.verdict.hide()

    def show_outcome(self, outcome: Outcome, settings: str) -> None:
        """Show what the model shows, what that was measured with, and whether the finding holds."""
        self.here.setText(f"{display(outcome.here)} ({settings})")
        may_tell = outcome.holds is None and outcome.errors
        self.verdict.setToolTip(self.tr("More runs may tell.") if may_tell else "")
        sign = {True: "✓ ", False: "✗ ", None: ""}[outcome.holds]
        verdict = display(outcome.verdict)
        self.verdict.setText(f"{sign}{verdict[:1].upper()}{verdict[1:]}")
        self.verdict.show()

    @Slot()
    def _dress(self) -> None:
        tokens = theme().tokens
        link = f'<a style="color: {tokens.accent_text}" href="https://arxiv.org/abs/\\1">arXiv:\\1</a>'
        self.source.setText(
            f'<span style="color: {tokens.muted}">{_ARXIV.sub(link, escape(self._claim.source))}</span>'
        )


class _Line(QWidget):
    """A hairline between two cards."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedHeight(1)
        theme().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme().tokens.hairline))
        painter.end()
