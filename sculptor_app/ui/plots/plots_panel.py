"""The panel of both frequency plots: energy per band over the steps, and the whole spectrum at the step shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QActionGroup, QResizeEvent
from PySide6.QtWidgets import QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from sculptor_app.core.trajectory.levels import SETTLING_RULES
from sculptor_app.ui.plots.panel_head import GUESS, STATE, PanelHead
from sculptor_app.ui.theme.tokens import RIGHT_PANEL_PX
from sculptor_app.ui.widgets.basics import give_menu
from sculptor_app.ui.widgets.folding import FoldingPanel
from sculptor_app.ui.widgets.names import display, settled_notes, settled_text

if TYPE_CHECKING:  # numpy comes with these, and the window is to be on screen before
    from collections.abc import Mapping, Sequence

    import numpy as np

    from sculptor_app.core.requests.request import RunRequest
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.levels import NoiseLevel
    from sculptor_app.measures.run_measures import RunMeasures, Source
    from sculptor_app.measures.spectrum import Spectrum
    from sculptor_app.session.session import Session
    from sculptor_app.ui.plots.band_plot import BandPlot
    from sculptor_app.ui.plots.course_plot import CoursePlot
    from sculptor_app.ui.plots.spectrum_plot import SpectrumPlot
    from sculptor_app.ui.widgets.frame_clock import FrameClock

BANDS, SPECTRUM = "bands", "spectrum"
ENERGY = "energy"
"""What is plotted over the steps at first; everything else is a kind of `measures.course.COURSES`."""
CLEAN_SNR = 100
"""A last state with less noise than this is taken for the picture itself."""

ROOMY_WINDOW_PX, ROOMY_PX, NARROW_PX = 1180, RIGHT_PANEL_PX, 336
"""A window from which on the panel has the greater width, and both widths."""

LEAVES_PX = 560
"""Where it would leave less to the frames, it folds by itself."""

LEAST_FOR_BOTH_PX = 470
"""In a lower panel one plot is seen at a time: two would have an axis of one number each."""


class PlotsPanel(QWidget):
    """Both plots of one source; empty until `load` has imported pyqtgraph."""

    step_requested = Signal(int)  # a step was pointed at in a plot
    loaded = Signal()  # the plots are there
    schedules_wanted = Signal(object)  # what levels other samplers would take for this request is to be shown
    more_due = Signal()  # one of the plots has been drawn, the other one is to be drawn next

    def __init__(
        self, session: Session, parent: QWidget | None = None, sources: tuple[Source, ...] = (GUESS, STATE)
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._sources = sources
        self.source = sources[0]
        self.band_plot: BandPlot | None = None
        self.course_plot: CoursePlot | None = None
        self.course = ENERGY  # what is plotted over the steps: the energies, or a kind of COURSES
        self._courses = QActionGroup(self)
        self._scheduled: RunRequest | None = None  # whose schedules are known, or were asked for
        self._schedules: tuple[tuple[str, np.ndarray], ...] = ()  # its SNR under other samplers, by their names
        self.spectrum_plot: SpectrumPlot | None = None
        self._plotted = -1  # newest step in the curves of the bands
        self._ended = -1  # newest step when the ends of the phases were looked up: the plot keeps curves that stay
        self._ends: dict[str, Spectrum] = {}
        self._drawn: dict[str, tuple[int, int]] = {}  # of each plot, the step that it shows and the newest one
        self._next = BANDS
        self._moment = 0  # position at which all views were drawn last, while states come or are played
        self._views: FrameClock | None = None  # of the views that are drawn with the plots
        self._is_busy = False
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(14, 12, 14, 10)
        self._column.setSpacing(8)
        self.head = PanelHead(sources, session.into_noise, self)
        self.head.source_chosen.connect(self.set_source)
        self._column.addWidget(self.head)
        self._is_single = False  # one plot is seen at a time
        self._front = BANDS  # which one then
        self._turns: list[QToolButton] = []  # buttons that bring the other one to the front
        self._of_spectrum: QToolButton | None = None  # the choice of its frame, beside its title
        session.settling_rule_changed.connect(self._mark_again)
        self._waiting = QLabel(self.tr("The plots are on their way…"), self)
        self._waiting.setProperty("tone", "muted")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._column.addWidget(self._waiting, 1)

    def load(self) -> None:
        """Import pyqtgraph and put the plots in, once; called when the window or the page has been painted."""
        if self.band_plot is not None:
            return
        from sculptor_app.ui.plots.band_plot import BandPlot
        from sculptor_app.ui.plots.course_plot import CoursePlot
        from sculptor_app.ui.plots.spectrum_plot import SpectrumPlot

        self._column.removeWidget(self._waiting)
        self._waiting.deleteLater()
        self.band_plot, self.spectrum_plot = BandPlot(self), SpectrumPlot(self)
        self.course_plot = CoursePlot(self)
        menu = self._make_course_menu()
        for upper in (self.band_plot, self.course_plot):
            self._add_turn(upper.add_button(self.tr("Spectrum"), self.tr("Show the spectrum in this place")))
            upper.offer(menu)
        if len(self._sources) > 1:
            self._of_spectrum = self.spectrum_plot.add_button("", self.tr("Which frame's spectrum this is"))
            give_menu(self._of_spectrum, self.head.menu)
        over_steps = self.tr("Over the layers") if self._session.into_noise else self.tr("Over the steps")
        self._add_turn(self.spectrum_plot.add_button(over_steps, self.tr("Show the curves in this place")))
        for plot in (self.band_plot, self.course_plot, self.spectrum_plot):
            plot.counts_layers = self._session.into_noise
        self.spectrum_plot.has_floor = self.source == STATE
        self.spectrum_plot.clear()
        for plot in (self.band_plot, self.course_plot, self.spectrum_plot):
            self._column.addWidget(plot, 1)
        self._arrange()
        self.band_plot.step_requested.connect(self.step_requested)
        self.course_plot.step_requested.connect(self.step_requested)
        self._say_why_empty()
        self.loaded.emit()
        if self._session.trajectory is not None:
            self.show_trajectory()

    def _add_turn(self, button: QToolButton) -> None:
        button.clicked.connect(self._turn)
        self._turns.append(button)

    @Slot()
    def _turn(self) -> None:
        """Bring the other plot to the front."""
        self._front = SPECTRUM if self._front == BANDS else BANDS
        self._arrange()

    def _arrange(self) -> None:
        """Show both plots, or the one in front, under a heading that fits what is seen."""
        if self.band_plot is None or self.course_plot is None or self.spectrum_plot is None:
            return
        shows_upper = not self._is_single or self._front == BANDS
        self.band_plot.setVisible(shows_upper and self.course == ENERGY)
        self.course_plot.setVisible(shows_upper and self.course != ENERGY)
        self.spectrum_plot.setVisible(not self._is_single or self._front == SPECTRUM)
        for button in self._turns:
            button.setVisible(self._is_single)
        has_other = shows_upper and self.course != ENERGY
        self.head.set_of_frequencies(not has_other)
        if self._of_spectrum is not None:
            self._of_spectrum.setText(self._name())
            self._of_spectrum.setVisible(has_other)

    def _make_course_menu(self) -> QMenu:
        """The energies and the kinds of COURSES, one of them chosen."""
        from sculptor_app.measures.course import COURSES

        menu = QMenu(self)
        rows = [(ENERGY, self.tr("Energy per band"))]
        rows += [
            (kind.key, display(kind.title)) for kind in COURSES.values()
            if kind.has_noise_alone or not self._session.into_noise
        ]  # fmt: skip
        for key, text in rows:
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(key == self.course)
            action.setData(key)
            self._courses.addAction(action)
        self._courses.triggered.connect(lambda action: self.set_course(action.data()))
        return menu

    def set_course(self, key: str) -> None:
        """Plot the energies over the steps, or a kind of COURSES."""
        from sculptor_app.measures.course import COURSES

        self.course = key
        if self.band_plot is None or self.course_plot is None:
            return
        for action in self._courses.actions():
            action.setChecked(action.data() == key)
        self._arrange()
        if key != ENERGY:
            self.course_plot.set_kind(COURSES[key])
        self._plot_again()

    def _ask_for_schedules(self, trajectory: AnyTrajectory) -> None:
        """Once for each run of a model, when they are to be seen; one that began with a picture has none to compare."""
        info = trajectory.info
        if self.course == "noise" and info.is_of_a_model and info.first_step == 1 and info.request != self._scheduled:
            self._scheduled, self._schedules = info.request, ()
            self.schedules_wanted.emit(info.request)

    @Slot(object, object)
    def set_schedules(self, request: RunRequest, schedules: Mapping[str, Sequence[NoiseLevel]]) -> None:
        """The noise levels that other samplers would take for a request, by their names."""
        if request != self._scheduled:
            return
        if not schedules:  # another model is loaded
            self._scheduled = None
            return
        from sculptor_app.measures.course import snr_and_sigma

        self._schedules = tuple((name, snr_and_sigma(levels)[:, 0]) for name, levels in schedules.items())
        self._mark_again()

    def follow(self, views: FrameClock, own: FrameClock) -> None:
        """Draw when these clocks are due: that of the session's other views, and one of the plots' own.

        While states come or are played, all views are drawn in the same moment, of one position. Who scrubs by hand is
        not held up by the plots: they come in the frames after the others'.
        """
        session, self._views = self._session, views
        for signal in (session.length_changed, session.step_changed, session.running_changed, session.playback_changed):
            signal.connect(own.request)
        for signal in (session.running_changed, session.playback_changed):
            signal.connect(self._catch_up)
        session.compared_changed.connect(self._mark_again)
        views.due.connect(self._draw_with_views)
        own.due.connect(self._draw_after_views)
        self.more_due.connect(own.request)

    @property
    def _is_moving(self) -> bool:
        return self._session.is_running or bool(self._session.direction)

    @Slot()
    def _catch_up(self) -> None:
        """Begin to move from one position: at rest, the plots come after the other views."""
        if self._is_moving and self._views is not None:
            self._views.flush()
            self._draw_with_views()

    @Slot()
    def _draw_with_views(self) -> None:
        if self._is_moving:
            self._moment = self._session.position
            self.draw()
            self.draw()  # the other plot

    @Slot()
    def _draw_after_views(self) -> None:
        if not self._is_moving:
            self.draw()

    @Slot(str)
    def set_source(self, source: Source) -> None:
        """Plot the guess or the noisy state, of the step that the other views show in the same moment."""
        if self._views is not None:
            self._views.flush()
        self.source = source
        self.head.set_source(source)
        self._arrange()
        self._plot_again()

    @Slot()
    def _mark_again(self) -> None:
        """Another rule says when a band has settled, or another run is compared."""
        self._plotted = -1
        self._drawn.clear()
        self.draw()

    @Slot()
    def show_trajectory(self) -> None:
        """Plot another run."""
        self._moment = self._session.position
        self._plot_again()

    def _plot_again(self) -> None:
        trajectory = self._session.trajectory
        if self.band_plot is None or self.course_plot is None or self.spectrum_plot is None or trajectory is None:
            return
        self._plotted = self._ended = -1
        self.spectrum_plot.has_floor = self.source == STATE
        self.spectrum_plot.clear()
        self.band_plot.set_plan(self._session.spans, trajectory.planned_steps)
        self.course_plot.set_plan(self._session.spans, trajectory.planned_steps)
        self._ask_for_schedules(trajectory)
        self._say_why_empty()
        self._drawn, self._next = {}, BANDS
        self.draw()
        self.draw()

    def show_plan(self, levels: tuple[NoiseLevel, ...]) -> None:
        """Shade the phases of a run that has not been made."""
        from sculptor_app.core.trajectory.levels import phase_spans

        if self._session.trajectory is None:
            for plot in (self.band_plot, self.course_plot):
                if plot is not None:
                    plot.set_plan(phase_spans(levels), len(levels) - 1)

    @Slot()
    def draw(self) -> None:
        """Bring one plot up to date and say that the other is due: both at once would hold up a scrubber's frame."""
        measures, trajectory = self._session.measures, self._session.trajectory
        if self.band_plot is None or self.spectrum_plot is None or trajectory is None or measures is None:
            return
        if measures.last < 0:
            return
        position = self._moment if self._is_moving else self._session.position
        wanted = (min(position, measures.last), measures.last)
        stale = [name for name in (BANDS, SPECTRUM) if self._drawn.get(name) != wanted]
        if not stale:
            return
        name = self._next if self._next in stale else stale[0]
        self._next = SPECTRUM if name == BANDS else BANDS
        self._drawn[name] = wanted
        if name == BANDS and self.course != ENERGY and self.course_plot is not None:
            self._draw_course(self.course_plot, trajectory, measures, wanted[0])
        elif name == BANDS:
            self._draw_bands(self.band_plot, trajectory, measures, wanted[0])
        else:
            self._draw_spectrum(self.spectrum_plot, trajectory, measures, wanted[0])
        if len(stale) > 1:
            self.more_due.emit()

    def _draw_bands(self, plot: BandPlot, trajectory: AnyTrajectory, measures: RunMeasures, step: int) -> None:
        if measures.last != self._plotted:
            self._plotted = measures.last
            if plot.planned != trajectory.planned_steps:  # of a sampler whose steps are counted as they come
                plot.set_plan(self._session.spans, trajectory.planned_steps)
            plot.set_empty_text(self._why_empty(trajectory))
            plot.set_energies(
                self._in_order(measures.energies(self.source)),
                self._name(),
                self._space(measures),
                self._window(measures),
            )
            if self.source == GUESS:
                rule = self._session.settling_rule
                words = self.tr("from here on this band hardly changes")
                exactly = self.tr("Dots: settled by {0}: {1}.").format(
                    display(SETTLING_RULES[rule].name), display(SETTLING_RULES[rule].meaning)
                )
                plot.set_settled(self.settled_marks(), settled_text(rule), words, settled_notes(), exactly)
            else:
                from sculptor_app.measures.forward import noise_floors

                words = self.tr("from here on this band is stronger than the noise")
                if self._session.into_noise:
                    words = self.tr("from here on this band is weaker than the noise")
                exactly = self.tr("Dots: where the power of a band of the finished picture passes that of the noise.")
                plot.set_settled(self.emerging_marks(), self._emerging_text(), words, meaning=exactly)
                plot.set_noise_floor(self._in_order(noise_floors(measures, trajectory.levels)))
            self._draw_compared(plot, trajectory, measures)
        plot.set_step(step)

    def _draw_course(self, plot: CoursePlot, trajectory: AnyTrajectory, measures: RunMeasures, step: int) -> None:
        if measures.last != self._plotted:
            self._plotted = measures.last
            if plot.planned != trajectory.planned_steps:
                plot.set_plan(self._session.spans, trajectory.planned_steps)
            plot.set_empty_text(self._why_no_course(trajectory, measures))
            plot.set_values(self._in_order(plot.kind.values(trajectory, measures)))
            is_of_levels = plot.kind.key == "noise" and not self._session.into_noise
            is_known = is_of_levels and trajectory.info.request == self._scheduled
            plot.set_behind(self._schedules if is_known else ())
        plot.set_step(step)

    def _why_no_course(self, trajectory: AnyTrajectory, measures: RunMeasures) -> str:
        """Why there may be nothing to plot of a run that has steps."""
        kind = self.course_plot.kind if self.course_plot is not None else None
        if kind is None or kind.key == "noise":
            return self.tr("The noise levels of this run are not known.")
        if kind.key == "distance":
            if trajectory.ended or measures.is_complete:
                return self.tr("This run has no picture at its end that a distance could be from.")
            return self.tr("The distances are known when the run is over.")
        from sculptor_app.measures.pictures import why_no_guidance_guesses

        return display(why_no_guidance_guesses(trajectory, trajectory.last)) if trajectory.last > 0 else ""

    def _draw_compared(self, plot: BandPlot, trajectory: AnyTrajectory, measures: RunMeasures) -> None:
        """The energies of the run that is compared with this one, where they are in the same units."""
        import numpy as np

        from sculptor_app.core.trajectory.levels import matching_places

        compared = self._session.compared
        others = None if compared is None else compared.measures
        if compared is None or others is None or others.last < 0 or others.space != measures.space:
            plot.set_compared(np.empty(0), np.empty((0, 4)))
            return
        levels = compared.trajectory.levels[: others.last + 1]
        places = np.array(matching_places(trajectory.levels, levels, self._session.lock))
        plot.set_compared(places, others.energies(self.source))

    def _compared_spectrum(self, measures: RunMeasures) -> Spectrum | None:
        compared = self._session.compared
        others = None if compared is None else compared.measures
        if others is None or others.space != measures.space:
            return None
        return others.spectrum(self.source, min(self._session.compared_state, others.last))

    def _draw_spectrum(self, plot: SpectrumPlot, trajectory: AnyTrajectory, measures: RunMeasures, step: int) -> None:
        if measures.last != self._ended:
            self._ended = measures.last
            self._ends = self._phase_ends(trajectory, measures)
            plot.set_labels(self._name(), self._space(measures), self._window(measures))
            plot.set_empty_text(self._why_empty(trajectory))
        state = self._session.state_at(step)
        spectrum = measures.spectrum(self.source, state)
        floor, covered_from = None, None
        level = trajectory.levels[state]
        if self.source == STATE and spectrum is not None and level.is_known:
            from sculptor_app.measures import forward

            clean = self._clean(trajectory, measures)
            floor = forward.floor_spectrum(spectrum, level)
            covered_from = None if clean is None else forward.noise_floor_cutoff(clean, level)
        plot.set_curves(spectrum, self._ends, step, floor, covered_from, self._compared_spectrum(measures))

    @Slot(bool)
    def set_busy(self, busy: bool) -> None:
        """Whether a run was asked for and has not ended: then there is none to be started."""
        self._is_busy = busy
        self._say_why_empty()

    def _say_why_empty(self) -> None:
        trajectory, text = self._session.trajectory, ""
        if trajectory is not None and trajectory.last > 0 and self._session.measures is None:
            text = self.tr("The run is being measured…")
        elif trajectory is not None:
            text = self._why_empty(trajectory)
        elif self._session.into_noise:
            text = self.tr("The picture is on its way…")
        elif self._is_busy:
            text = self.tr("The run is on its way…")
        for plot in (self.band_plot, self.course_plot, self.spectrum_plot):
            if plot is not None:
                plot.set_empty_text(text)

    def _why_empty(self, trajectory: AnyTrajectory) -> str:
        """Why nothing of a run can be plotted, if it cannot: it has no guess, or its first step is on its way."""
        if self.source == GUESS and trajectory.last > 0 and trajectory.step(trajectory.last).guess_note:
            return self.tr("This run has no guess: choose “noisy state” above.")
        if trajectory.last > 0:
            return self.tr("The pure noise has no guess: go to a later step.") if self.source == GUESS else ""
        if trajectory.ended:
            return self.tr("The run ended before its first step.")
        return self.tr("The first step of the run is on its way…")

    def _clean(self, trajectory: AnyTrajectory, measures: RunMeasures) -> Spectrum | None:
        """The spectrum of the finished picture; None while there is none."""
        is_clean = measures.is_complete and trajectory.levels[-1].snr > CLEAN_SNR
        return measures.spectrum(STATE, trajectory.planned_steps) if is_clean else None

    def settled_marks(self) -> list[tuple[str, int]]:
        """The measured phases: each band's key and the step from which it stayed settled in this run's guesses."""
        from sculptor_app.measures.spectrum import BANDS

        measures = self._session.measures
        if measures is None:
            return []
        steps = measures.settled(self._session.settling_rule)
        return [(band.key, step) for band, step in zip(BANDS, steps, strict=True) if step is not None]

    def emerging_marks(self) -> list[tuple[str, int]]:
        """Each band's key and the position at which it comes out of the noise, or drowns in it."""
        trajectory, measures = self._session.trajectory, self._session.measures
        clean = self._clean(trajectory, measures) if trajectory is not None and measures is not None else None
        if trajectory is None or clean is None:
            return []
        from sculptor_app.measures.forward import emerging_steps
        from sculptor_app.measures.spectrum import BANDS

        steps = emerging_steps(clean, trajectory.levels)
        marks = [(band.key, step) for band, step in zip(BANDS, steps, strict=True) if step is not None]
        if self._session.into_noise:  # the layer that undoes the step
            return [(key, trajectory.planned_steps - step + 1) for key, step in marks]
        return marks

    def _emerging_text(self) -> str:
        return self.tr("{0} drowns here") if self._session.into_noise else self.tr("{0} comes out of the noise here")

    def _in_order(self, values: np.ndarray) -> np.ndarray:
        """Values of the states, the first axis, in the order of playing forward."""
        return values[::-1] if self._session.into_noise else values

    def _phase_ends(self, trajectory: AnyTrajectory, measures: RunMeasures) -> dict[str, Spectrum]:
        """The spectra at the ends of the phases that are over, by phase key."""
        ends = {span.phase.key: span.last_step for span in self._session.spans if span.last_step <= measures.last}
        spectra = {key: measures.spectrum(self.source, self._session.state_at(step)) for key, step in ends.items()}
        return {key: spectrum for key, spectrum in spectra.items() if spectrum is not None}

    def _name(self) -> str:
        return self.head.name(self.source)

    def _window(self, measures: RunMeasures) -> str:
        return self.tr("Hann window") if measures.window == "hann" else self.tr("no window")

    def _space(self, measures: RunMeasures) -> str:
        if measures.space == "pixels":
            return self.tr("luminance of the pixels")
        if measures.space == "latents":
            return self.tr("latents, the mean over their channels")
        return self.tr("luminance of the decoded pixels")

    def sizeHint(self) -> QSize:
        return QSize(ROOMY_PX, 560)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_single = self.height() < LEAST_FOR_BOTH_PX
        if is_single != self._is_single:
            self._is_single = is_single
            self._arrange()


def plots_fold(content: QWidget, plots: PlotsPanel, title: str, parent: QWidget | None = None) -> FoldingPanel:
    """The panel of the plots at the right of a page, which folds to a rail."""
    return FoldingPanel(content, (plots.head,), title, "right", NARROW_PX, LEAVES_PX, parent=parent)
