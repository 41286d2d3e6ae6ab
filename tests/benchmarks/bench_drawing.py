"""How long the interface's own drawing takes: plots, frames, timeline, filmstrip, on a 1,000-step run.

    python -m tests.benchmarks.bench_drawing

Each row is a setter and a painting of the whole widget after it (in the window only what changed is painted), in
milliseconds of the GUI thread's own computing time, which a busy machine stretches less than the clock.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from sculptor_app.ui import theme
from sculptor_app.ui.plots.band_plot import BandPlot
from sculptor_app.ui.plots.chart import Chart
from sculptor_app.ui.plots.spectrum_plot import SpectrumPlot
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.picture_view import PictureView
from sculptor_app.ui.widgets.timeline import Timeline
from tests.ui.plots.test_spectrum_plot import power_law
from tests.ui.widgets.conftest import spans_of

ROUNDS = 200


def measure(name: str, widget: QWidget, size: tuple[int, int], act: Callable[[int], None]) -> None:
    """Show the widget, act ROUNDS times and paint after each, print the median and the 95th percentile."""
    widget.resize(*size)
    widget.show()
    QTest.qWaitForWindowExposed(widget)
    QTest.qWait(50)
    painted = widget.canvas.viewport() if isinstance(widget, Chart) else widget
    painted = widget.viewport() if isinstance(widget, Filmstrip) else painted
    times = []
    for index in range(ROUNDS):
        started = time.thread_time()
        act(index)
        painted.repaint()
        times.append((time.thread_time() - started) * 1e3)
    widget.hide()
    sys.stdout.write(f"{name:44s} p50 {np.median(times):6.2f}   p95 {np.percentile(times, 95):6.2f} ms\n")


def bands(steps: int) -> tuple[BandPlot, np.ndarray]:
    """A plot of a run of so many steps, and its energies."""
    plot = BandPlot()
    plot.set_plan(spans_of(steps // 10, steps * 3 // 10, steps * 6 // 10, steps), steps)
    noise = np.random.default_rng(0).normal(0, 0.02, (steps + 1, 4))
    energies = 10.0 ** (np.array([0.0, -1.0, -2.0, -3.0]) + np.linspace(0, 1, steps + 1)[:, None] + noise)
    return plot, energies


def plain(side: int) -> QImage:
    """A picture of one colour."""
    image = QImage(side, side, QImage.Format.Format_RGB32)
    image.fill(QColor("teal"))
    return image


def move_cursor(plot: BandPlot, steps: int, index: int) -> None:
    plot.set_step(index % steps)


def show_picture(view: PictureView, picture: QImage, index: int) -> None:
    view.set_picture(picture)


def main() -> None:
    """Print the table."""
    app = QApplication([])
    theme.apply(app, "light")
    for steps in (50, 1000):
        plot, energies = bands(steps)
        first = steps + 1 - min(steps, ROUNDS)
        grow = lambda i, p=plot, e=energies, f=first: p.set_energies(e[: f + i], "guess", "pixels", "Hann")  # noqa: E731
        measure(f"band plot, {steps} steps: one step more", plot, (420, 300), grow)
        measure(f"band plot, {steps} steps: cursor", plot, (420, 300), partial(move_cursor, plot, steps))
    ends = {key: power_law(-2 - share, 256) for share, key in enumerate(("decisions", "structure", "refinement"))}
    curves = [power_law(-1 - index / ROUNDS, 256) for index in range(ROUNDS)]
    spectrum = SpectrumPlot()
    measure("spectrum of 512² pixels", spectrum, (420, 300), lambda i: spectrum.set_curves(curves[i], ends, step=i))
    for side, place in ((64, 500), (512, 500), (512, 1024)):
        view = PictureView()
        measure(f"{side}² picture in {place} px", view, (place, place), partial(show_picture, view, plain(side)))
    line = Timeline()
    line.set_plan(spans_of(100, 300, 600, 1000), 1000)
    line.set_available(1000)
    measure("timeline, 1,000 steps: cursor", line, (1400, 86), lambda i: line.set_step(i * 4))
    strip, image = Filmstrip(), plain(512)
    strip.set_source(lambda index: image)
    strip.set_count(1001)
    measure("filmstrip of 512² states: 5 cells on", strip, (1400, strip.height()), lambda i: strip.set_current(i * 5))


if __name__ == "__main__":
    main()
