"""The pages there are, in the order of their tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.ui.playback.page import Page
from sculptor_app.ui.shell.pages import CARVE, Entry

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.session.engine import MakeStart
    from sculptor_app.session.runner import SampleRun
    from sculptor_app.ui.shell.main_window import MainWindow


COLOURS = 3


def _tr(text: str) -> str:
    return QCoreApplication.translate("Pages", text)


def entries(window: MainWindow) -> list[Entry]:
    """Titles, tips and makers of the pages of a window."""
    return [
        Entry(CARVE, _tr("Carve"), _tr("Noise is taken away, step by step, until a picture is there")),
        Entry("drown", _tr("Drown"), _tr("A picture drowns in static, and comes back"), lambda: _drown(window)),
        Entry(
            "learn", _tr("Learn"), _tr("A model learns what noise looks like, while you watch"), lambda: _learn(window)
        ),
        Entry(
            "why",
            _tr("Why noise?"),
            _tr("Many runs at once: what the noise decides, and what not"),
            lambda: _why(window),
        ),
    ]


def _drown(window: MainWindow) -> Page:
    from sculptor_app.ui.drown.page import DrownPage

    def carve(request: RunRequest, start: MakeStart) -> SampleRun:
        window.bench.pages.show(CARVE)
        return window.run_control.carve(request, start)

    result = lambda: _result(window)  # noqa: E731
    return DrownPage(window.runner, carve, window.controls.request, result, window.settings, window.messages, window)


def _learn(window: MainWindow) -> Page:
    from sculptor_app.ui.learn.page import LearnPage

    page = LearnPage(window.settings, window.messages, window)

    def carve_with(folder: str) -> None:
        window.bench.pages.show(CARVE)
        window.bench.models.open(folder)

    page.model_ready.connect(carve_with)
    return page


def _why(window: MainWindow) -> Page:
    from sculptor_app.ui.why.page import WhyPage

    page = WhyPage(window.runner, window.settings, window.messages, window)

    def look_at(trajectory: Trajectory) -> None:
        from sculptor_app.measures.run_measures import RunMeasures

        window.bench.pages.show(CARVE)
        window.run_control.show_run(trajectory, RunMeasures.of(trajectory))

    device = window.controls.device
    page.set_device(device.currentData())
    device.currentIndexChanged.connect(lambda _: page.set_device(device.currentData()))
    page.open_requested.connect(look_at)
    return page


def _result(window: MainWindow) -> tuple[Any, str] | None:
    """The finished picture of the page Carve and what it is called; latents give one when they are seen decoded."""
    trajectory = window.session.trajectory
    if trajectory is None or not trajectory.is_complete or trajectory.info.space == "latents":
        return None
    if trajectory.shape[0] != COLOURS:
        return None
    last = trajectory.state(trajectory.last) / trajectory.levels[-1].scale
    return last.clip(-1, 1), _tr("carved: {0}").format(trajectory.info.conditions)
