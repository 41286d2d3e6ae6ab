"""Every widget with made-up but plausible data, light and dark: run it to look at them, or to write screenshots.

python tests/ui/gallery.py [--shots FOLDER]
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from sculptor_app.core.trajectory.levels import NoiseLevel, cosine_snr, phase_spans
from sculptor_app.ui import theme
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.frame_panel import FramePanel
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

STEPS = 50


def levels(steps: int = STEPS) -> list[NoiseLevel]:
    """Levels of a cosine run, noise first."""
    found = []
    for k in range(steps):
        snr = cosine_snr(999 - k * 999 / max(1, steps - 1))
        found.append(NoiseLevel(math.sqrt(snr / (1 + snr)), math.sqrt(1 / (1 + snr))))
    return [*found, NoiseLevel(1.0, 0.0)]


def to_image(rgb: np.ndarray) -> QImage:
    """An RGB32 picture from floats 0..1 (H, W, 3)."""
    data = np.ascontiguousarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    return QImage(
        data.data, data.shape[1], data.shape[0], 3 * data.shape[1], QImage.Format.Format_RGB888
    ).convertToFormat(QImage.Format.Format_RGB32)


def figure(side: int = 64) -> np.ndarray:
    """Something bust-like in warm light."""
    y, x = np.mgrid[0:side, 0:side] / side
    picture = np.stack([0.28 + 0.1 * y, 0.62 - 0.3 * y, 0.55 - 0.1 * y], axis=-1)
    head = np.exp(-((((x - 0.5) / 0.13) ** 2 + ((y - 0.35) / 0.17) ** 2) ** 2))
    body = np.exp(-((((x - 0.5) / 0.26) ** 2 + ((y - 0.72) / 0.18) ** 2) ** 2))
    mask = np.clip(head + body, 0, 1)[..., None]
    shade = (0.55 + 0.5 * (0.6 - x) + 0.2 * np.sin(9 * y))[..., None]
    return picture * (1 - mask) + mask * shade * np.array([0.95, 0.72, 0.52])


def noisy(k: int, steps: int = STEPS, side: int = 64) -> QImage:
    """State k of a made-up run."""
    level = levels(steps)[k]
    noise = np.random.default_rng(7).normal(0.5, 0.35, (side, side, 3))
    return to_image((level.signal * figure(side) + level.noise * noise) / (level.signal + level.noise))


def chips(side: int = 64) -> QImage:
    """A made-up diverging picture."""
    field = np.random.default_rng(3).normal(0, 0.25, (side, side, 1)) + (figure(side)[..., :1] - 0.5)
    low, high = np.array([0.2, 0.42, 0.72]), np.array([0.85, 0.4, 0.15])
    amount = np.clip(np.abs(field) * 1.2, 0, 1)
    return to_image(0.97 * (1 - amount) + amount * np.where(field < 0, low, high))


def controls() -> QWidget:
    """Plain controls in every state."""
    box = QWidget()
    column = QVBoxLayout(box)
    title = QLabel("The block")
    title.setFont(theme.fonts.strong())
    column.addWidget(title)
    combo = QComboBox()
    combo.addItems(["Bust", "Figure", "Ring", "Vase"])
    seed = QLineEdit("7")
    action = seed.addAction(theme.icon("dice", "accent_text"), QLineEdit.ActionPosition.TrailingPosition)
    action.setToolTip("new seed")
    spin, off = QSpinBox(), QSpinBox()
    spin.setRange(1, 1000)
    spin.setValue(50)
    off.setEnabled(False)
    theme.inset(spin)
    theme.inset(off)
    for name, widget in (("Form", combo), ("Seed", seed), ("Steps", spin), ("Off", off)):
        label = QLabel(name)
        label.setProperty("tone", "muted")
        column.addWidget(label)
        column.addWidget(widget)
    check, radio = QCheckBox("Caption"), QRadioButton("Every step")
    check.setChecked(True)
    radio.setChecked(True)
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setValue(40)
    column.addWidget(check)
    column.addWidget(radio)
    column.addWidget(slider)
    column.addStretch(1)
    bar = QProgressBar()
    bar.setValue(66)
    bar.setTextVisible(False)
    column.addWidget(QLabel("34 of 50 · 0.5 s left"))
    column.addWidget(bar)
    start, plain, quiet, off_button = (
        QPushButton("Start"),
        QPushButton("Export…"),
        QPushButton("Reset"),
        QPushButton("Start"),
    )
    start.setProperty("kind", "primary")
    quiet.setProperty("kind", "quiet")
    off_button.setProperty("kind", "primary")
    off_button.setEnabled(False)
    for button in (start, plain, quiet, off_button):
        column.addWidget(button)
    box.setFixedWidth(220)
    return box


def frames() -> QWidget:
    """Three frames, a zoomed one and an empty one."""
    box = QWidget()
    box.setProperty("ground", "well")
    box.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    grid = QGridLayout(box)
    grid.setContentsMargins(16, 14, 16, 14)
    grid.setSpacing(14)
    named = ("guess", "Current guess"), ("noisy", "Noisy state"), ("chips", "Chips"), ("noise", "Predicted noise")
    kinds = [(kind, name, "") for kind, name in named]
    panels = [FramePanel() for _ in range(4)]
    for panel, kind in zip(panels, ("guess", "noisy", "chips", "noise"), strict=True):
        panel.set_kinds(kinds)
        panel.set_kind(kind)
    panels[0].set_picture(to_image(figure()), "what the model sees in the block")
    panels[1].set_picture(noisy(12), "SNR 0.16")
    panels[2].set_picture(chips(), "taken off")
    panels[2].set_legend(["#3369b8", "#9db9df", "#f7f7f7", "#e5a587", "#c45a1d"], 0.21)
    panels[3].set_picture(None, "", "The pure noise is nobody's guess: there is no predicted noise at state 0.")
    grid.addWidget(panels[0], 0, 0, 2, 1)
    for row, panel in enumerate(panels[1:3]):
        grid.addWidget(panel, row, 1)
    grid.addWidget(panels[3], 0, 2)
    grid.setColumnStretch(0, 5)
    grid.setColumnStretch(1, 2)
    grid.setColumnStretch(2, 2)
    panels[1].set_marker(30, 20)
    return box


class Gallery(QWidget):
    """All of it in one window."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Gallery")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 8)
        top = QHBoxLayout()
        top.setSpacing(0)
        top.addWidget(controls())
        top.addWidget(frames(), 1)
        top.addWidget(self.plots())
        column.addLayout(top, 1)
        lower = QVBoxLayout()
        lower.setContentsMargins(16, 6, 16, 0)
        column.addLayout(lower)
        lower.addWidget(self.transport())
        for planned, available in ((STEPS, STEPS), (STEPS, 34)):
            lower.addWidget(self.timeline(planned, available))
        lower.addWidget(self.filmstrip())

    def plots(self) -> QWidget:
        """The two plots."""
        try:
            from tests.ui.gallery_plots import plots
        except ImportError:
            return QWidget()
        return plots(levels())

    def transport(self) -> TransportBar:
        """In the middle of a run."""
        bar = TransportBar()
        bar.set_range(34, STEPS)
        bar.set_step(12)
        bar.set_caption("Structure · SNR 0.16")
        bar.set_run_active(True)
        bar.set_following(False)
        bar.set_loop_mode("ping_pong")
        return bar

    def timeline(self, planned: int, available: int) -> Timeline:
        """With marks when complete."""
        line = Timeline()
        run = levels(planned)
        line.set_plan(phase_spans(run), planned, [level.snr for level in run])
        line.set_available(available)
        line.set_step(12)
        if available == planned:
            line.set_settled([("layout", 5), ("structure", 13), ("detail", 15), ("polish", 36)])
        return line

    def filmstrip(self) -> Filmstrip:
        """A run of 50."""
        strip = Filmstrip()
        strip.set_source(noisy)
        strip.set_planned(STEPS)
        strip.set_spans(phase_spans(levels()))
        strip.set_count(STEPS + 1)
        strip.set_current(6)
        return strip


def main() -> int:
    """Shows the gallery, or writes light.png and dark.png."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--mode", default="light")
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--height", type=int, default=900)
    options = parser.parse_args()
    app = QApplication(sys.argv[:1])
    theme.apply(app, options.mode)
    gallery = Gallery()
    gallery.resize(options.width, options.height)
    gallery.show()
    if options.shots:
        modes = ["light", "dark"]

        def shoot() -> None:
            gallery.grab().save(str(options.shots / f"{theme.theme().mode}-{gallery.devicePixelRatio():g}.png"))
            if modes:
                theme.apply(app, modes.pop())
                QTimer.singleShot(300, shoot)
            else:
                app.quit()

        theme.apply(app, modes.pop(0))
        QTimer.singleShot(500, shoot)
    return app.exec()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    raise SystemExit(main())
