"""The form with the choices of a GIF; they are remembered, apart for one run and for many."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QSettings, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.files import is_file
from sculptor_app.core.texts import plural
from sculptor_app.core.trajectory.levels import DEFAULT_SETTLING_RULE
from sculptor_app.exports.animation.grid import fitting_size
from sculptor_app.exports.animation.options import (
    CONTACT_SHEET,
    DECODINGS,
    FRAMES,
    GRID_FRAMES,
    LAYOUTS,
    MAX_DELAY_MS,
    MAX_HOLD_MS,
    MAX_SIZE_PX,
    MIN_DELAY_MS,
    MIN_SIZE_PX,
    NONE,
    PLOT,
    PRESETS,
    USUAL,
    AnimationOptions,
)
from sculptor_app.exports.animation.plan import RunGrid, RunOrGrid, decoder_factor
from sculptor_app.exports.files import ExportError
from sculptor_app.exports.formats import FORMATS, AnimationFormat
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui import theme
from sculptor_app.ui.fields.inputs import ChoiceBox
from sculptor_app.ui.widgets.names import display

translate = QCoreApplication.translate  # a name that lupdate knows

BOXES = ("loop", "ping_pong", "caption", "plot", "dark", "full_colour")
"""Names of the options that are boxes, from top to bottom."""
FACTORS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
LEAST_SHRUNK_PX = 64
MOST_GRID_PX = 4096
"""Longer side of the pictures of many runs together, up to which sizes are on offer."""


def sizes_of(longer_px: int) -> list[tuple[int, str]]:
    """Sizes with crisp pixels, whole multiples and fractions of the longer side: pixels and name, smallest first."""
    shrunk = [(longer_px // factor, f"1/{factor}") for factor in (8, 4, 2) if longer_px // factor >= LEAST_SHRUNK_PX]
    grown = [(longer_px * factor, f"{factor}×") for factor in FACTORS]
    return shrunk + [(size, name) for size, name in grown if MIN_SIZE_PX <= size <= MAX_SIZE_PX]


def grid_sizes(grid: RunGrid) -> list[tuple[int, str]]:
    """Sizes on offer of each picture of many runs: those at which all of them together are no larger than allowed."""
    most_px = min(MAX_SIZE_PX, MOST_GRID_PX // max(grid.shape_in_cells))
    sizes = sizes_of(max(grid.lead_run.shape[1:]))
    return [size for size in sizes if size[0] <= most_px] or sizes[:1]


def nearest_size(sizes_px: list[int], wanted_px: int) -> int:
    """Of sizes on offer the one that comes nearest to another."""
    return min(sizes_px, key=lambda size: abs(size - wanted_px))


class GifForm(QWidget):
    """Reads and writes AnimationOptions.

    Args:
        sizes: that are on offer for the longer side of a picture, in pixels, and their names.
        planned: steps of the run.
        into_noise: it is a forward process, from the picture into the noise; only its states are of interest.
        is_grid: it is many runs.
        decodes: it is a run in latents whose frames can be decoded.
        own_px: longer side of a run's pictures as they are.
    """

    edited = Signal()  # some choice changed

    def __init__(
        self,
        sizes: list[tuple[int, str]],
        planned: int,
        into_noise: bool = False,
        parent: QWidget | None = None,
        is_grid: bool = False,
        decodes: bool = False,
        own_px: int = 0,
    ) -> None:
        super().__init__(parent)
        self._decodes, self._sizes, self._own_px = decodes, sizes, own_px
        self._into_noise, self._is_grid = into_noise, is_grid
        self.settling_rule = DEFAULT_SETTLING_RULE  # the window's, which is chosen in its View menu
        self._row: AnimationFormat | None = None  # the format that is offered
        self._make_fields(planned)
        form = self._rows = QFormLayout()
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(9)
        form.addRow(self.tr("Preset"), self.preset)
        form.addRow(self.tr("Page"), self.layout_choice)
        form.addRow(self.tr("Show"), self.frames)
        self._unit = QLabel(self)
        self._every_row = self._with_unit(self.every, self._unit)
        form.addRow(self.tr("Every"), self._every_row)
        form.addRow(self.tr("Size"), self.picture_size)
        if self._decodes:
            form.addRow(self.tr("Decoded"), self.decode)
        form.addRow(self.tr("Time per frame"), self.delay)
        form.addRow(self.tr("Hold both ends") if into_noise else self.tr("Hold the last"), self.hold)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(9)
        column.addLayout(form)
        for choice in self.findChildren(ChoiceBox):  # as wide as what can be chosen: a preset may choose the longest
            choice.setSizeAdjustPolicy(ChoiceBox.SizeAdjustPolicy.AdjustToContents)
        for label in self.findChildren(QLabel):  # as high as their fields: Qt would put them a little higher
            label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setMinimumWidth(form.sizeHint().width())  # nor does it become narrower with another format
        for box in self._boxes():
            column.addWidget(box)
        self.plot.setVisible(not self._is_grid)
        column.addStretch(1)
        self._connect()

    def _make_fields(self, planned: int) -> None:
        self.frames = ChoiceBox([], self)
        for word in (FrameKind.NOISY_STATE.value,) if self._into_noise else GRID_FRAMES if self._is_grid else FRAMES:
            self.frames.addItem(display(FRAMES[word].label), word)
        self.preset = ChoiceBox([(self.tr("Own choices"), "")], self)
        for word, (name, _) in PRESETS.items():
            self.preset.addItem(display(name), word)
        self.layout_choice = ChoiceBox([], self)
        for word, label in LAYOUTS.items():
            if not (self._is_grid and word == PLOT):  # many runs have none of their own
                self.layout_choice.addItem(display(label), word)
        self.layout_choice.setToolTip(
            self.tr("Poster: chosen states of each phase, and the plot. Contact sheet: all states, phase by phase.")
        )
        self.every = self._number(1, max(1, planned), 1)
        self.picture_size = ChoiceBox([], self)
        self._wanted_px = self._sizes[0][0]
        self._offer_sizes(self._sizes)
        self.decode = ChoiceBox([], self)
        self.decode.setVisible(self._decodes)
        for word, label in DECODINGS.items():
            self.decode.addItem(display(label), word)
        self.delay = self._number(MIN_DELAY_MS, MAX_DELAY_MS, 10, self.tr(" ms"))
        self.hold = self._number(0, MAX_HOLD_MS, 100, self.tr(" ms"))
        self.loop = QCheckBox(self.tr("Play for ever"), self)
        self.ping_pong = QCheckBox(self.tr("Back and forth"), self)
        self.caption = QCheckBox(self._caption_text(), self)
        self.plot = QCheckBox(self.tr("Energy per band beside the picture"), self)
        self.dark = QCheckBox(self.tr("Dark paper"), self)
        self.full_colour = QCheckBox(self.tr("Each pixel's own colour"), self)
        self.full_colour.setToolTip(
            self.tr("Films usually keep one colour for four pixels, which noise shows. Some players refuse the others.")
        )

    def _caption_text(self) -> str:
        if self._is_grid:
            return self.tr("Captions, step and phase")
        if self._into_noise:
            return self.tr("Layer and phase under the picture")
        return self.tr("Step and phase under the picture")

    def _number(self, low: int, high: int, step: int, suffix: str = "") -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(low, high)
        box.setSingleStep(step)
        box.setSuffix(suffix)
        theme.inset(box)
        return box

    @Slot()
    def _name_unit(self) -> None:
        if self._into_noise:
            self._unit.setText(plural(self.every.value(), self.tr("layer"), self.tr("layers")))
        else:
            self._unit.setText(plural(self.every.value(), self.tr("step"), self.tr("steps")))

    def _with_unit(self, field: QWidget, unit: QLabel) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(field, 1)
        row.addWidget(unit)
        return row

    def _boxes(self) -> tuple[QCheckBox, ...]:
        return self.loop, self.ping_pong, self.caption, self.plot, self.dark, self.full_colour

    def _connect(self) -> None:
        self.every.valueChanged.connect(self._name_unit)
        self._name_unit()
        self.preset.activated.connect(self._use_preset)
        self.edited.connect(self._name_preset)
        self.layout_choice.currentIndexChanged.connect(self._offer_again)
        self.picture_size.currentIndexChanged.connect(self._choose_size)
        for choice in (self.frames, self.decode):
            choice.currentIndexChanged.connect(self.edited)
        for number in (self.every, self.delay, self.hold):
            number.valueChanged.connect(self.edited)
        for box in self._boxes():
            box.toggled.connect(self.edited)

    @Slot()
    def _use_preset(self) -> None:
        """Fill in what goes together; of the sizes on offer the nearest."""
        word, options = self.preset.currentData(), self.options()
        if not word or isinstance(options, ExportError):
            return
        _, preset = PRESETS[word]
        frames = preset["frames"] if self.frames.findData(preset["frames"]) >= 0 else options.frames
        self.set_options(replace(options, **{**preset, "frames": frames}))
        self._name_preset()

    @Slot()
    def _name_preset(self) -> None:
        """Show which preset the choices are, if they are one."""
        options = self.options()
        found = "" if isinstance(options, ExportError) else preset_of(options, [size for size, _ in self._sizes])
        self.preset.setCurrentIndex(max(0, self.preset.findData(found)))

    @Slot()
    def _offer_again(self) -> None:
        if self._row is not None:
            self.offer(self._row)
        self.edited.emit()

    def _offer_sizes(self, sizes: list[tuple[int, str]]) -> None:
        """List sizes, of which the one that is nearest to what was wanted is chosen; nothing is emitted."""
        self.picture_size.blockSignals(True)
        self.picture_size.clear()
        for size, factor in sizes:
            self.picture_size.addItem(self.tr("{0} px · {1}").format(size, factor), size)
        pixels = [size for size, _ in sizes]
        self.picture_size.setCurrentIndex(pixels.index(nearest_size(pixels, self._wanted_px)))
        self.picture_size.blockSignals(False)

    @Slot()
    def _choose_size(self) -> None:
        self._wanted_px = self.picture_size.currentData()
        self.edited.emit()

    def _sizes_for(self, row: AnimationFormat) -> list[tuple[int, str]]:
        """The sizes that make a difference to files of a format."""
        if row.enlarges or self._is_grid:
            return self._sizes
        return [size for size in self._sizes if size[0] <= self._own_px] or self._sizes[:1]

    def offer(self, row: AnimationFormat) -> None:
        """Hide what makes no difference to files of a format."""
        self._row = row
        sizes = self._sizes_for(row)
        self._offer_sizes(sizes)
        self._rows.setRowVisible(self.preset, not row.is_page and not self._is_grid and not self._into_noise)
        layout = self._layout
        self._rows.setRowVisible(self.layout_choice, row.is_page)
        self._rows.setRowVisible(self.picture_size, layout != PLOT and len(sizes) > 1)
        if self._decodes:
            self._rows.setRowVisible(self.decode, layout != PLOT)
        for name, box in zip(BOXES, self._boxes(), strict=True):
            box.setVisible(name not in row.hides and not (name == "plot" and self._is_grid))
        self._rows.setRowVisible(self._every_row, "every" not in row.hides or layout == CONTACT_SHEET)
        self._rows.setRowVisible(self.delay, "delay_ms" not in row.hides)
        self._rows.setRowVisible(self.hold, "hold_ms" not in row.hides)

    def options(self) -> AnimationOptions | ExportError:
        """The choices, or what is wrong with them."""
        try:
            return AnimationOptions(
                frames=self.frames.currentData(), every=self.every.value(), size_px=self._size_px,
                delay_ms=self.delay.value(), hold_ms=self.hold.value(), loop=self.loop.isChecked(),
                ping_pong=self.ping_pong.isChecked(), caption=self.caption.isChecked(),
                plot=self.plot.isChecked() and not self._is_grid,
                dark=self.dark.isChecked(), into_noise=self._into_noise, settled_by=self.settling_rule,
                decode=self.decode.currentData() if self._decodes else NONE,
                full_colour=self.full_colour.isChecked(), layout=self._layout,
            )  # fmt: skip
        except ExportError as error:
            return error

    @property
    def _size_px(self) -> int:
        """The chosen size; what was wanted elsewhere where the format's largest is chosen, which is the same there."""
        chosen = int(self.picture_size.currentData())
        is_largest = self.picture_size.currentIndex() == self.picture_size.count() - 1
        return max(chosen, self._wanted_px) if is_largest else chosen

    @property
    def _layout(self) -> str:
        is_page = self._row is not None and self._row.is_page
        return str(self.layout_choice.currentData()) if is_page else USUAL

    def set_options(self, options: AnimationOptions) -> None:
        """Show choices; of the sizes on offer the nearest. The direction is that of what is saved."""
        self.layout_choice.setCurrentIndex(max(0, self.layout_choice.findData(options.layout)))
        self.frames.setCurrentIndex(max(0, self.frames.findData(options.frames)))
        self._wanted_px = nearest_size([size for size, _ in self._sizes], options.size_px)
        self._offer_sizes(self._sizes if self._row is None else self._sizes_for(self._row))
        self.decode.setCurrentIndex(self.decode.findData(options.decode))
        self.every.setValue(options.every)
        self.delay.setValue(options.delay_ms)
        self.hold.setValue(options.hold_ms)
        for name, box in zip(BOXES, self._boxes(), strict=True):
            box.setChecked(getattr(options, name))


def preset_of(options: AnimationOptions, sizes_px: list[int]) -> str:
    """The word of the preset that options are, at the nearest of the sizes on offer; empty for none."""
    for word, (_, preset) in PRESETS.items():
        nearest = nearest_size(sizes_px, preset["size_px"])
        if all(getattr(options, name) == value for name, value in {**preset, "size_px": nearest}.items()):
            return word
    return ""


def form_for(filmed: RunOrGrid, parent: QWidget, has_decoder: bool = False) -> GifForm:
    """The form for a run, a forward process, or many runs; of latents with a decoder, for decoded pictures."""
    if isinstance(filmed, RunGrid):
        return GifForm(grid_sizes(filmed), filmed.lead_run.planned_steps, parent=parent, is_grid=True)
    factor = decoder_factor(filmed, AnimationOptions()) if has_decoder else 1
    own_px, into_noise = max(filmed.shape[1:]) * factor, not filmed.info.is_of_a_model
    return GifForm(sizes_of(own_px), filmed.planned_steps, into_noise, parent, decodes=factor > 1, own_px=own_px)


RUN, GRID = "gif/options", "gif/grid_options"
"""Where the choices are remembered: of a GIF of one run, and of many."""


FORMAT = "gif/format"
"""Where the format of last time is remembered."""

MOST_NAME_PX = 360
"""Width of a file's name in a question: a message box is as wide as its longest word."""


def ask_to_replace(target: Path, accept: Callable[[], None], parent: QWidget) -> None:
    """Ask whether a file that is there may go; leaves the event loop running and calls `accept` if it may."""
    question, replace = _question(target, parent)
    question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    replace.clicked.connect(accept)
    question.open()


def may_replace(target: Path, parent: QWidget) -> bool:
    """Whether a file may be written: none is there, or a person, who is waited for, says that it may go."""
    if not is_file(target):  # nor is a name that no file can have; the saving says so
        return True
    question, replace = _question(target, parent)
    question.exec()
    question.deleteLater()
    return question.clickedButton() is replace


def _question(target: Path, parent: QWidget) -> tuple[QMessageBox, QPushButton]:
    """Whether a file may go, and the button that says so."""
    question = QMessageBox(parent)
    question.setIcon(QMessageBox.Icon.Question)
    question.setWindowTitle(translate("GifTexts", "Replace the file?"))
    question.setTextFormat(Qt.TextFormat.PlainText)
    name = question.fontMetrics().elidedText(target.name, Qt.TextElideMode.ElideMiddle, MOST_NAME_PX)
    question.setText(translate("GifTexts", "{0} is there already.").format(name))
    question.setInformativeText(translate("GifTexts", "Replace it? If the saving fails, the old file stays as it is."))
    replace = question.addButton(translate("GifTexts", "Replace"), QMessageBox.ButtonRole.AcceptRole)
    question.setDefaultButton(question.addButton(QMessageBox.StandardButton.Cancel))  # Return, pressed once too often
    return question, replace


def remember(settings: QSettings, options: AnimationOptions, key: str = RUN) -> None:
    """Offer these choices the next time, under RUN or GRID; what a GIF of a drowned picture must show is no choice."""
    chosen = options.as_dict()
    if options.into_noise:
        chosen |= {"into_noise": False, "frames": remembered(settings).frames}
    settings.setValue(key, json.dumps(chosen))


def remembered(settings: QSettings, key: str = RUN, size_px: int = AnimationOptions().size_px) -> AnimationOptions:
    """The choices of last time; the usual ones, with `size_px`, where there are none or none that are understood."""
    try:
        return AnimationOptions(**json.loads(str(settings.value(key, ""))))
    except (ValueError, TypeError, SculptorError):
        return AnimationOptions(size_px=size_px, dark=theme.theme().is_dark)


def key_of(filmed: RunOrGrid) -> str:
    """Where the choices for this are remembered."""
    return GRID if isinstance(filmed, RunGrid) else RUN


def remembered_for(settings: QSettings, filmed: RunOrGrid) -> AnimationOptions:
    """The choices of last time, or what suits one run or many."""
    if isinstance(filmed, RunGrid):
        return remembered(settings, GRID, fitting_size(filmed, FORMATS["gif"].sheet_px))
    return remembered(settings)
