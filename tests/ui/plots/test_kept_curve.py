"""The kept copies of curves: what is on screen is what painting everything anew would give."""

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage

from sculptor_app.ui.plots.band_plot import BandPlot


def _pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.array(image.constBits()).reshape(image.height(), image.bytesPerLine())


def _energies(count: int) -> np.ndarray:
    return np.exp(np.sin(np.arange(4 * count).reshape(count, 4) / 5.0))


def _painted(plot: BandPlot) -> QImage:
    canvas = plot.canvas
    return canvas.grab().toImage()


def test_a_curve_that_grew_step_by_step_looks_like_one_drawn_at_once(qtbot):
    grown, at_once = BandPlot(), BandPlot()
    for plot in (grown, at_once):
        qtbot.addWidget(plot)
        plot.resize(400, 260)
        with qtbot.waitExposed(plot):
            plot.show()
        plot.set_plan((), 40)
    for count in range(1, 42):
        grown.set_energies(_energies(count), "x", "pixels", "none")
        grown.set_step(count - 1)
        QCoreApplication.processEvents()  # painted as on screen: only what changed
    grown.set_step(7)
    at_once.set_energies(_energies(41), "x", "pixels", "none")
    at_once.canvas.view.setYRange(*grown.canvas.view.viewRange()[1], padding=0)
    for item in at_once._curves:
        item.setCacheMode(item.CacheMode.NoCache)
    at_once.set_step(7)
    kept = _pixels(_painted(grown)).astype(int)
    fresh = _pixels(_painted(at_once)).astype(int)
    assert np.mean(np.abs(kept - fresh) > 40) < 0.002
