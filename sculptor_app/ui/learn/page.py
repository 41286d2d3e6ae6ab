"""The page Learn: training in the background, with samples during training, plots and progress."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QWidget

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import pictures_text
from sculptor_app.session.training import TrainingRunner, TrainingState
from sculptor_app.training.records.events import (
    Begun,
    Learned,
    Message,
    Preparing,
    Report,
    RunSummary,
    Sampled,
    Stepped,
)
from sculptor_app.training.records.plan import OWN
from sculptor_app.ui.learn import texts
from sculptor_app.ui.learn.details_panel import LEAST_WIDTH_PX, WIDTH_PX, DetailsPanel
from sculptor_app.ui.learn.presenter import SamplesPresenter
from sculptor_app.ui.learn.samples_view import SamplesView
from sculptor_app.ui.learn.settings_panel import TrainingRunPanel, TrainingSettings, new_folder
from sculptor_app.ui.playback.page import Page
from sculptor_app.ui.playback.run_panel import LEAVES_PX
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.basics import ScrolledPanel
from sculptor_app.ui.widgets.folding import RAIL_PX, FoldingPanel, Folds
from sculptor_app.ui.widgets.names import display

LEFT_PX, LEAST_LEFT_PX, LEAST_MIDDLE_PX = 248, 216, 660


class LearnPage(Page):
    """Settings and progress at the left, the grid of samples in the middle, an enlarged cell and plots at the right."""

    model_ready = Signal(str)  # folder of a model to be opened on the page Carve

    def __init__(self, settings: QSettings, messages: MessageBar, parent: QWidget | None = None) -> None:
        super().__init__(settings, messages, parent)
        self.learner = TrainingRunner(self)
        self.settings_panel, self.run_panel = TrainingSettings(self), TrainingRunPanel(self)
        self.samples, self.details = SamplesView(self.session, self), DetailsPanel(self)
        self.presenter = SamplesPresenter(self.session, self.samples, self.details)
        self._run: RunSummary | None = None
        self._seen = 0  # pictures, by the run
        self._reports: list[Report] = []
        self._waited_for = ""  # a sentence, while pictures are made
        self._entered = False
        self._lay_out()
        self._connect()
        self.settings_panel.restore(settings)
        self.presenter.restore(settings)

    def _lay_out(self) -> None:
        block = ScrolledPanel(self.settings_panel, self.run_panel, self)
        left = FoldingPanel(
            block, (self.settings_panel.title,), self.tr("What to learn"), "left", LEAST_LEFT_PX, LEAVES_PX
        )
        right = FoldingPanel(
            self.details, (self.details.title,), self.tr("Up close"), "right", LEAST_WIDTH_PX, LEAST_MIDDLE_PX
        )
        self.folds = Folds("learn", {"block": left, "details": right}, self)
        self.folds.restore(self.settings)
        self._sides = {left: LEFT_PX, right: WIDTH_PX}
        self.folds.changed.connect(self._share_width)
        self.splitter = QSplitter(self)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        for place, (widget, stretch) in enumerate(((left, 0), (self.samples, 1), (right, 0))):
            self.splitter.addWidget(widget)
            self.splitter.setStretchFactor(place, stretch)
        self.splitter.setSizes([LEFT_PX, 10_000, WIDTH_PX])
        remembered = self.settings.value("learn/splitter")
        if isinstance(remembered, QByteArray) and self.splitter.restoreState(remembered):
            self._take_widths()
        self.splitter.splitterMoved.connect(self._take_widths)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.splitter)

    @Slot()
    def _take_widths(self) -> None:
        """Remember how wide a person has made the panels at the sides; those that are folded stay as they were."""
        for panel, width in zip(self._sides, self.splitter.sizes()[::2], strict=True):
            if panel.is_open and width >= panel.least_px:
                self._sides[panel] = width

    @Slot()
    def _share_width(self) -> None:
        """Give the panels at the sides their widths, or their rails', and the rest to the samples."""
        widths = [max(panel.least_px, wanted) if panel.is_open else RAIL_PX for panel, wanted in self._sides.items()]
        most = self.width() - LEAST_MIDDLE_PX
        if sum(widths) > most:  # as wide as they need, where there is no room for what was wanted
            widths = [panel.least_px if panel.is_open else RAIL_PX for panel in self._sides]
        self.splitter.setSizes([widths[0], max(1, self.width() - sum(widths) - 2), widths[1]])

    def fit_into(self, width_px: int, height_px: int) -> None:
        """Fold what has no room, and share the width out again."""
        super().fit_into(width_px, height_px)
        self._share_width()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_width()

    def _connect(self) -> None:
        learner = self.learner
        learner.state_changed.connect(self._show_state)
        learner.progressed.connect(self._take)
        learner.inspected.connect(self._take_seen)
        learner.exported.connect(self.model_ready)
        learner.failed.connect(self._show_error)
        self.settings_panel.edited.connect(self._show_state)
        self.settings_panel.run_chosen.connect(self._run_chosen)
        self.settings_panel.new_run_requested.connect(self._new_run)
        self.run_panel.go_requested.connect(self.start)
        self.run_panel.stop_requested.connect(self.stop)
        self.run_panel.carve_requested.connect(self._carve)

    # Page ---------------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self.run_panel.halt.isEnabled()

    @property
    def status_text(self) -> str:
        return self.tr("The run is kept in {0}").format(self.settings_panel.folder)

    @property
    def can_start(self) -> bool:
        """Whether learning can begin, pause or go on."""
        return self.run_panel.go.isEnabled()

    def full_screen_parts(self) -> tuple[QWidget, ...]:
        return (self.samples,)

    def enter(self) -> None:
        """Called whenever the page comes to the front."""
        if not self._entered:
            self._entered = True
            self.details.load()
            self.learner.inspect(self.settings_panel.folder)
        self.presenter.clock.request()

    @property
    def keeps_checkpoint(self) -> bool:
        return self.learner.state is not TrainingState.IDLE

    @Slot()
    def start(self) -> None:
        """Begin, pause, or go on."""
        state = self.learner.state
        if state is TrainingState.LEARNING:
            self.learner.pause()
            return
        plan = self.settings_panel.plan()
        self.messages.clear()
        self._waited_for = ""
        if state is TrainingState.PAUSED:
            self.learner.resume()
        elif plan is not None:
            self.learner.start(self.settings_panel.folder, plan)

    @Slot()
    def stop(self) -> None:
        """Keep a checkpoint and let go of the run."""
        self.learner.stop()

    def save_choices(self) -> None:
        super().save_choices()
        self.settings_panel.save(self.settings)
        self.presenter.save(self.settings)
        self.settings.setValue("learn/splitter", self.splitter.saveState())

    def shutdown(self) -> None:
        """Keep a checkpoint, and wait for it."""
        self.presenter.stop()
        self.learner.shutdown()

    # Training events ----------------------------------------------------------------------------------------------

    @Slot(object)
    def _take(self, event: object) -> None:
        match event:
            case Stepped():
                self._show_step(event)
            case Report():
                self._reports.append(event)
                self.details.set_reports(self._reports)
            case Sampled():
                self.presenter.add_row(event)
            case Preparing():
                self._show_preparing(event)
            case Begun():
                self._show_run(event.run)
            case Message():
                self.messages.show_message(event.sentence, is_fault=False)
            case Learned():
                self._show_learned(event)

    def _show_step(self, step: Stepped) -> None:
        assert self._run is not None  # it has begun
        self._seen = step.pictures
        line = texts.seen_text(step.pictures, self._run.plan.recipe.total_pictures)
        self.run_panel.show_progress(step.share, line, texts.pace_text(step))

    def _show_preparing(self, event: Preparing) -> None:
        done = self.tr("{0:,} of {1:,}").format(event.done, event.of)
        activity = self.tr("rendering sculptures") if event.is_rendering else self.tr("reading pictures")
        self.run_panel.show_progress(event.done / max(1, event.of), done, activity)
        self._waited_for = event.note
        self._invite()

    def _invite(self) -> None:
        """What stands where the grid will: how to begin, or what is going on until there is a row."""
        reads = self.settings_panel.preset.currentData() == OWN
        title = ""
        if self.learner.state is not TrainingState.IDLE and self._run is not None:
            title = self.tr("Learning has begun: its first pictures are on their way…")
        elif self.learner.state is not TrainingState.IDLE:
            title = self.tr("Starting: reading the pictures…") if reads else ""
            title = title or self.tr("Starting: rendering the first pictures…")
        is_waiting = self.learner.state is TrainingState.PREPARING
        self.samples.set_invitation(title, self._waited_for if is_waiting else "")

    def _show_learned(self, event: Learned) -> None:
        self._seen = event.pictures  # not every step is reported
        self.run_panel.show_progress(1, texts.seen_text(event.pictures, event.pictures), "")
        self.messages.show_message(
            self.tr("The model has learned {0}.").format(display(pictures_text(event.pictures))),
            action=self.tr("Carve with it"),
            on_action=self._carve,
            is_fault=False,
        )

    @Slot(object, object)
    def _take_seen(self, folder: Path, run: RunSummary | None) -> None:
        if folder != self.settings_panel.folder:
            return
        if run is None:
            self._forget_run()
        else:
            self._show_run(run)

    def _show_run(self, run: RunSummary) -> None:
        self._run, self._seen, self._reports = run, run.pictures, list(run.reports)
        self.settings_panel.show_plan(run.plan)
        self.details.set_reports(self._reports)
        self.presenter.set_run(run)
        total = run.plan.recipe.total_pictures
        self.run_panel.show_progress(run.pictures / total, texts.seen_text(run.pictures, total), "")
        self._show_state()

    def _forget_run(self) -> None:
        self._run, self._seen, self._reports = None, 0, []
        self.settings_panel.show_plan(None)
        self.details.clear()
        self.presenter.set_run(None)
        self.run_panel.show_progress(0, "", "")
        self._show_state()

    @Slot(object)
    def _show_error(self, error: Exception) -> None:
        if isinstance(error, SculptorError):
            self.messages.show_message(error.message, texts.advice(error))
        elif isinstance(error, OSError):
            sentence = self.tr("The run stopped ({0}).").format(error.strerror or error)
            self.messages.show_message(sentence, self.tr("Look after its folder, then go on."))
        else:
            unforeseen = self.tr("Learning failed with an error that nobody foresaw ({0}: {1}).")
            advice = self.tr("The last checkpoint stays; Help > Show log has the details.")
            self.messages.show_error(error, unforeseen, advice=advice)

    @Slot()
    def _show_state(self) -> None:
        state = self.learner.state
        if state is TrainingState.IDLE and self._run is None:  # stopped before it began: nothing is on its way
            self.run_panel.show_progress(0, "", "")
        self._invite()
        self.settings_panel.set_busy(state is not TrainingState.IDLE)
        self.run_panel.show_state(state, self._run is not None, self.settings_panel.reason or self._reason_to_rest())
        self.ability_changed.emit()

    def _reason_to_rest(self) -> str:
        """Why the run does not go on by itself; empty where it does."""
        plan = self.settings_panel.plan()
        if self._run is None or plan is None or self._seen < plan.recipe.total_pictures:
            return ""
        return self.tr("All its pictures are seen: give it more of them to go on.")

    # Requests -----------------------------------------------------------------------------------------------------

    @Slot(str)
    def _run_chosen(self, folder: str) -> None:
        self._forget_run()
        self.settings_panel.set_folder(Path(folder))
        self.learner.inspect(Path(folder))

    @Slot()
    def _new_run(self) -> None:
        self._run_chosen(str(new_folder(self.settings_panel.preset.currentData())))

    @Slot()
    def _carve(self) -> None:
        self.learner.export(self.settings_panel.folder)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Up:
                self.presenter.go_to_row(self.presenter.row - 1)
            case Qt.Key.Key_Down:
                self.presenter.go_to_row(self.presenter.row + 1)
            case _:
                super().keyPressEvent(event)
