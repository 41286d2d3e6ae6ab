"""View, Check the instrument: a model whose every answer is known, measured as any run, beside what must be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import MAX_STEPS, RunRequest
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import steps_text
from sculptor_app.core.trajectory.levels import phase_spans
from sculptor_app.measures.instrument import EXPECTATIONS, Comparison, InstrumentCheck
from sculptor_app.measures.run_measures import Source
from sculptor_app.measures.spectrum import BANDS
from sculptor_app.session.grid_run import InstrumentRunner
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui.fields.form import FormFields, read_form
from sculptor_app.ui.fields.inputs import NumberField, SamplerBox
from sculptor_app.ui.plots.instrument_plot import InstrumentPlot
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.names import band_name, display

_STEPS_PX = 88
_SAMPLER_PX = 240
_PLOT_PX = 230
"""Least height of the plot with its title and caption."""
_BESIDE_PX = 780
"""Width from which on the figures have room beside the plot; else they are below it."""


class InstrumentDialog(QDialog):
    """Sampler and steps, the plot of both, every comparison with its bound, and a verdict; the window stays free.

    Args:
        runner: Does the model's work; one check is made at a time.
        request: What the fields of the page Carve say; None while something in them is wrong.
    """

    def __init__(self, runner: SamplingRunner, request: Callable[[], RunRequest | None], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Check the instrument"))
        self._request, self._runner = request, runner
        self._checks = InstrumentRunner(runner, self)
        self._found: InstrumentCheck | None = None
        self._settings = ""  # what is being checked, in words
        self._model = ""  # name of the model whose schedule is taken; empty for the embedded one
        self.plot = InstrumentPlot(self)
        self.figures = FiguresGrid(self)
        self.verdict, self.told = QLabel(self), QLabel(self.tr("Not checked yet."), self)
        self.verdict.setFont(fonts.strong())
        self.told.setProperty("tone", "muted")
        for label in (self.verdict, self.told):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        intro = QLabel(
            self.tr(
                "Runs a model whose every answer is known, of random pictures whose power falls as 1/f², through the "
                "same sampler, records and measures as any run, and shows what is measured beside what must be."
            ),
            self,
        )
        intro.setWordWrap(True)
        close = QPushButton(self.tr("Close"), self)
        close.setAutoDefault(False)
        close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 20, 16)
        column.setSpacing(12)
        column.addWidget(intro)
        column.addLayout(self._make_choices())
        column.addWidget(self.verdict)
        column.addWidget(self._make_content(), 1)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        self._checks.went_on.connect(self._show_progress)
        self._checks.checked.connect(self._show_found)
        self._checks.ended.connect(self._show_end)
        self._checks.busy_changed.connect(self._show_busy)
        room = parent.window().screen().availableGeometry().size() * 0.85
        self.resize(QSize(960, 600).boundedTo(room))

    def _make_choices(self) -> QHBoxLayout:
        self.sampler = SamplerBox(tuple(SAMPLERS), self)
        self.sampler.setFixedWidth(_SAMPLER_PX)
        self.sampler.setAccessibleName(self.tr("Sampler"))
        self.steps = NumberField(1, MAX_STEPS, parent=self)
        self.steps.setFixedWidth(_STEPS_PX)
        self.steps.setAccessibleName(self.tr("Steps"))
        self.steps.set_number(50)
        self.steps.lineEdit().returnPressed.connect(self._check_or_stop)
        self.button = QPushButton(self.tr("Check"), self)
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._check_or_stop)
        row = QHBoxLayout()
        row.setSpacing(8)
        for name, field in ((self.tr("Sampler"), self.sampler), (self.tr("Steps"), self.steps)):
            label = QLabel(name, self)
            label.setProperty("tone", "muted")
            label.setBuddy(field)
            row.addWidget(label)
            row.addWidget(field)
            row.addSpacing(8)
        row.addWidget(self.button)
        row.addStretch(1)
        return row

    def _make_content(self) -> QScrollArea:
        self.sources = QButtonGroup(self)
        choice = QHBoxLayout()
        choice.setSpacing(0)
        named = (("guess", self.tr("current guess"), "left"), ("state", self.tr("noisy state"), "right"))
        for source, text, side in named:
            button = QToolButton(self)
            button.setText(text)
            button.setCheckable(True)
            button.setChecked(source == "guess")
            button.setProperty("segment", side)
            button.setProperty("source", source)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self.sources.addButton(button)
            choice.addWidget(button)
        choice.addStretch(1)
        self.sources.buttonClicked.connect(self._plot)
        content = QWidget(self)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.setSpacing(8)
        left.addLayout(choice)
        left.addWidget(self.plot, 1)
        right.setSpacing(10)
        right.addWidget(self.figures)
        right.addWidget(self.told)
        right.addStretch(1)
        self._halves = QBoxLayout(QBoxLayout.Direction.LeftToRight, content)
        self._halves.setContentsMargins(0, 0, 8, 0)
        self._halves.setSpacing(20)
        self._halves.addLayout(left, 1)
        self._halves.addLayout(right)
        self.plot.setMinimumHeight(_PLOT_PX)
        scroll = QScrollArea(self)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setWidget(content)
        return scroll

    def take_settings(self) -> None:
        """Choose what the fields of the page Carve say, while nothing is being checked."""
        request = self._request()
        if request is not None and not self.is_busy:
            self.sampler.set_samplers(tuple(SAMPLERS), request.sampler)
            self.steps.set_number(request.steps)

    def done(self, result: int) -> None:
        """Close it, however that was asked for; nobody waits for a check that goes on."""
        self._checks.stop()
        super().done(result)

    @property
    def is_busy(self) -> bool:
        """Whether a check is being made."""
        return self._checks.is_busy

    @Slot()
    def _check_or_stop(self) -> None:
        if self.is_busy:
            self._checks.stop()
            return
        asked = self._request()
        if asked is None:
            self._say(self.tr("A field of the page Carve is wrong; correct it first."))
            return
        fields = FormFields(steps=self.steps.text(), sampler=str(self.sampler.currentData()), device=asked.device,
                            model=asked.model, has_guidance=False)  # fmt: skip
        request = read_form(fields)
        if not isinstance(request, RunRequest):
            self._say(request[0].sentence)
            return
        self._settings = f"{display(SAMPLERS[request.sampler].label)}, {display(steps_text(request.steps))}"
        self._model = "" if asked.model is None else re.split(r"[\\/]", asked.model.rstrip("\\/"))[-1]
        newest = self._runner.newest
        is_of_another = self._runner.is_running and newest is not None and newest.was_asked_for
        stopped = self.tr("Getting ready… What was being made was stopped for this check.")
        self._say(stopped if is_of_another else self.tr("Getting ready…"))
        self._checks.start(request)

    def _say(self, text: str) -> None:
        """Say how the check goes, in place of an older verdict."""
        self.verdict.setText("")
        self.told.setText(text)
        self._found = None
        self.figures.show_comparisons(())
        self.plot.clear()

    @Slot(int, int)
    def _show_progress(self, done: int, planned: int) -> None:
        self.told.setText(self.tr("Checking: step {0} of {1}").format(done, planned))

    @Slot(object)
    def _show_found(self, found: InstrumentCheck) -> None:
        self._found = found
        verdict = display(found.verdict)
        self.verdict.setText(f"{'✓' if found.agrees else '✗'} {verdict}")
        self.figures.show_comparisons(found.comparisons)
        self.told.setText("\n\n".join(self._notes(found)))
        self._plot()

    def _notes(self, found: InstrumentCheck) -> list[str]:
        model = self._model or self.tr("the embedded model")
        schedule = display(found.schedule)
        where = self.tr("as of {0}: {1}").format(model, schedule) if found.is_own_schedule else (
            self.tr("not as of {0}, which this sampler is not for: {1}").format(model, schedule)
        )  # fmt: skip
        measured, expected = found.half_steps
        halves = " · ".join(
            _unbroken(self.tr("{0} {1} ({2})").format(band_name(band.key), one, other))
            for band, one, other in zip(BANDS, measured, expected, strict=True)
        )
        names = {"noise": self.tr("noise"), "first guess": self.tr("first guess"), "picture": self.tr("picture")}
        slopes = " · ".join(
            _unbroken(self.tr("{0} {1} ({2})").format(names[key], _signed(one), _signed(other)))
            for key, (one, other) in found.slopes.items()
            if math.isfinite(one)
        )
        return [
            self.tr("{0}, {1}.").format(self._settings, where),
            self.tr("Half amplitude at step (expected): {0}.").format(halves),
            self.tr("Slope of the spectrum (expected): {0}.").format(slopes),
            self.tr("Expected bands of the noisy states: {0}.").format(display(EXPECTATIONS[found.state_prediction])),
            *(display(each.note) for each in found.comparisons if each.note),
        ]

    @Slot()
    def _plot(self, _: object = None) -> None:
        found, button = self._found, self.sources.checkedButton()
        if found is None or button is None:
            return
        source: Source = button.property("source")
        self.plot.set_plan(phase_spans(found.levels), found.steps)
        self.plot.set_energies(found.measured[source], button.text(), "pixels", self.tr("no window"))
        self.plot.set_expected(found.expected[source])
        self.plot.set_step(found.steps)

    @Slot(str, object)
    def _show_end(self, ending: str, error: Exception | None) -> None:
        if ending == "cancelled":
            self._say(self.tr("Stopped."))
        elif ending == "failed":
            told = error if isinstance(error, SculptorError) else None
            self._say(
                f"{display(told.message)} {display(told.advice)}".strip()
                if told
                else self.tr("This could not be checked: {0}.").format(error)
            )

    @Slot(bool)
    def _show_busy(self, busy: bool) -> None:
        self.button.setText(self.tr("Stop") if busy else self.tr("Check"))
        self.sampler.setEnabled(not busy)
        self.steps.setEnabled(not busy)

    # Qt override

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        has_room = self.width() >= _BESIDE_PX
        way = QBoxLayout.Direction.LeftToRight if has_room else QBoxLayout.Direction.TopToBottom
        self._halves.setDirection(way)


def _unbroken(text: str) -> str:
    """A text that no line breaks in."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _signed(value: float) -> str:
    """As "−1.96", "0.08"."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


class FiguresGrid(QWidget):
    """A row for each comparison: whether it is within its bound, what was found, and what the bound is."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self.rows: list[tuple[QLabel, ...]] = []

    def show_comparisons(self, comparisons: tuple[Comparison, ...]) -> None:
        """Show these in place of what is there."""
        for row in self.rows:
            for label in row:
                self._grid.removeWidget(label)
                label.hide()
                label.deleteLater()
        self.rows = []
        if comparisons:
            heads = ("", self.tr("Largest deviation"), "", self.tr("bound"))
            self.rows.append(self._add_row(0, heads, True))
        for number, each in enumerate(comparisons, start=1):
            sign = {True: "✓", False: "✗", None: ""}[each.agrees]
            bound = each.bound_text or self.tr("none")
            row = self._add_row(number, (sign, display(each.name), each.deviation_text, bound), False)
            where = self.tr("at step {0}").format(each.step) if each.deviation > 0 else ""
            none = self.tr("It holds nearly, or on average: what is found is told, and does not decide.")
            for label in row:
                label.setToolTip("\n".join(filter(None, (where, none if each.bound is None else ""))))
            self.rows.append(row)

    def _add_row(self, number: int, texts: tuple[str, ...], is_head: bool) -> tuple[QLabel, ...]:
        labels = tuple(QLabel(text, self) for text in texts)
        for place, label in enumerate(labels):
            if is_head or place == 3:
                label.setProperty("tone", "muted")
            side = Qt.AlignmentFlag.AlignRight if place >= 2 else Qt.AlignmentFlag.AlignLeft
            self._grid.addWidget(label, number, place, side | Qt.AlignmentFlag.AlignTop)
        return labels
