"""The left panel of the page Drown: source picture, options of the forward process, and reverse runs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from sculptor_app.core.requests.request import MAX_STEPS, RunRequest
from sculptor_app.session.forward_process import ForwardProcessOptions
from sculptor_app.ui.fields.field_grid import FieldGrid
from sculptor_app.ui.fields.form import FieldError, FormFields, read_form
from sculptor_app.ui.fields.inputs import ChoiceBox, SeedRow
from sculptor_app.ui.fields.run_form import RunForm
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.basics import ElidedLabel
from sculptor_app.ui.widgets.names import display, explained
from sculptor_app.ui.widgets.picture_view import PictureView

MODEL_VIEW_PX, SMALL_VIEW_PX = 64, 44
"""Edge of the picture as the model gets it, in logical pixels, and where there is no room for that."""

GAP_PX, TIGHT_PX = 6, 3
"""Between the parts of the panel, and where there is no room for that."""

BEFORE_PX = 30
"""Width of the button with the arrow."""

SIZES_PX = (64, 128, 256, 512, 1024)

SCROLL_BAR_PX = 14
"""What the panel's scroll bar may take of its width."""


class DrownControls(RunForm):
    """The settings of the page and its buttons.

    `run_panel`, with Play, stands below it, so that it is seen where the rest must scroll.
    """

    open_requested = Signal()  # a picture from a file
    render_requested = Signal()  # a new render
    result_requested = Signal()  # the run's result
    before_requested = Signal()  # the picture before this one
    play_requested = Signal()
    carve_requested = Signal()  # a run from the level shown
    invert_requested = Signal()  # an inversion

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make_source()
        self._make_fields()
        self._make_reverse_buttons()
        self._lay_out()
        self._connect()
        self._validate()

    # Making

    def _make_source(self) -> None:
        self.open_button = QPushButton(self.tr("Open a picture…"), self)
        self.open_button.setToolTip(self.tr("Any picture file; it can be dropped onto the window, or pasted, too."))
        self.render_button = QPushButton(self.tr("Sculpture"), self)
        self.render_button.setToolTip(
            self.tr(
                "Renders a random sculpture that nobody has seen, the kind the model has learnt from, and opens it."
            )
        )
        self.result_button = QPushButton(self.tr("Carved"), self)
        self.result_button.setToolTip(
            self.tr("Opens the picture at the end of the run on the page Carve, once there is one.")
        )
        self.before_button = QToolButton(self)
        self.before_button.setText("←")
        self.before_button.setProperty("kind", "outlined")
        self.before_button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)  # as its neighbours
        self.before_button.setFixedWidth(BEFORE_PX)
        self.before_button.setToolTip(self.tr("Back to the picture before this one, and again for this one."))
        self.before_button.setAccessibleName(self.before_button.toolTip())
        self.before_button.setEnabled(False)
        self.name = ElidedLabel("", self)
        self.name.setFont(fonts.strong())
        self.about = ElidedLabel("", self)  # of one line, so that no other picture moves the rest
        self.about_text = ""  # size and notes
        self.about.setProperty("tone", "muted")
        self.about.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _make_fields(self) -> None:
        self.steps = self.steps_field("50")
        self.steps.setToolTip(
            self.tr("Layers of noise between the picture and pure noise, 1 to {0}.").format(MAX_STEPS)
        )
        self.longer_side = ChoiceBox([(self.tr("≤ {0} px").format(size), str(size)) for size in SIZES_PX], self)
        self.longer_side.setCurrentIndex(self.longer_side.findData("512"))
        self.longer_side.setToolTip(
            self.tr("A larger picture is shrunk until its longer side is this; a smaller one stays as it is.")
        )
        self._seeds = SeedRow(self)
        self.seed = self._seeds.line
        self.seed.setToolTip(explained("seed"))
        self.layers = ChoiceBox([(self.tr("One for all"), "one"), (self.tr("Fresh in each"), "fresh")], self)
        for box in (self.longer_side, self.layers):
            box.setMinimumContentsLength(6)  # or the panel would be wider than that of other pages
        self.layers.setToolTip(
            self.tr(
                "One for all layers: the same noise growing stronger. Fresh in each: other noise is laid on in every "
                "layer. At every level both mix picture and noise alike."
            )
        )

    def _make_reverse_buttons(self) -> None:
        self.play_button = QPushButton(self.tr("Let it drown"), self)
        self.play_button.setProperty("kind", "primary")
        self.play_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.play_button.setToolTip(self.tr("Play from the picture into the noise (Ctrl+Return)"))
        self.carve_button = QPushButton(self.tr("Carve it out from here"), self)
        self.carve_button.setToolTip(explained("resculpt"))
        self.invert_button = QPushButton(self.tr("Find its noise"), self)
        self.invert_button.setToolTip(explained("inversion"))
        self.model_view = PictureView(self)
        self.model_view.setFixedSize(MODEL_VIEW_PX, MODEL_VIEW_PX)
        self.model_note = QLabel(self)
        self.model_note.setProperty("tone", "muted")
        self.model_note.setFont(fonts.small())
        self.model_note.setWordWrap(True)
        self.model_note.setToolTip(
            self.tr(
                "The model carves pictures of one size only. Yours is cut to its middle square and brought to that "
                "size: this is what its runs begin with."
            )
        )
        self.progress = ElidedLabel("", self)
        self.progress.setProperty("tone", "muted")
        self.progress.setFont(fonts.tabular(fonts.small()))
        self.progress.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _lay_out(self) -> None:
        self.grid = FieldGrid(
            [
                [(self.tr("Layers"), self.steps), (self.tr("Longer side"), self.longer_side)],
                [(self.tr("Noise"), self.layers)],
                [(self.tr("Seed"), self._seeds)],
            ],
            self,
        )
        # Number fields wish a little more than they need: a grid that gave way would move the rest when it grows back.
        self.grid.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.seed.setAccessibleName(self.tr("Seed"))
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 2)
        column.setSpacing(GAP_PX)
        others = QHBoxLayout()
        others.setSpacing(6)
        for button in (self.render_button, self.result_button):
            button.setProperty("kind", "tight")
            others.addWidget(button, 1)
        others.addWidget(self.before_button)
        self.title = self.heading(self.tr("The picture"))
        column.addWidget(self.title)
        column.addWidget(self.open_button)
        column.addLayout(others)
        named = self._named = QHBoxLayout()
        named.setSpacing(8)
        for label in (self.name, self.about):
            label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
            named.addWidget(label)
        column.addLayout(named)
        column.addSpacing(3)
        column.addWidget(self.heading(self.tr("How it drowns")))
        column.addWidget(self.grid)
        column.addWidget(self.problem)
        column.addSpacing(3)
        way_back = QHBoxLayout()
        way_back.addWidget(self.heading(self.tr("The way back")))
        way_back.addWidget(self.progress, 1)
        column.addLayout(way_back)
        as_model_gets_it = QHBoxLayout()
        as_model_gets_it.setSpacing(10)
        as_model_gets_it.addWidget(self.model_view)
        as_model_gets_it.addWidget(self.model_note, 1)
        column.addLayout(as_model_gets_it)
        column.addWidget(self.carve_button)
        column.addWidget(self.invert_button)
        column.addStretch(1)
        self.run_panel = QWidget(self)
        lower = QVBoxLayout(self.run_panel)
        lower.setContentsMargins(16, 8, 16, 14)
        lower.addWidget(self.play_button)

    def fit_into(self, height_px: int) -> None:
        """Fold the labels beside their fields, then draw everything together, where not all would be seen.

        At last the picture as the model gets it is shown smaller.
        """
        self.model_view.setFixedSize(MODEL_VIEW_PX, MODEL_VIEW_PX)
        self._column.setSpacing(GAP_PX)
        super().fit_into(height_px)
        if self.sizeHint().height() > height_px:
            self._column.setSpacing(TIGHT_PX)
        if self.sizeHint().height() > height_px:
            self.model_view.setFixedSize(SMALL_VIEW_PX, SMALL_VIEW_PX)

    def _connect(self) -> None:
        self.open_button.clicked.connect(self.open_requested)
        self.render_button.clicked.connect(self.render_requested)
        self.result_button.clicked.connect(self.result_requested)
        self.play_button.clicked.connect(self.play_requested)
        self.before_button.clicked.connect(self.before_requested)
        self.carve_button.clicked.connect(self.carve_requested)
        self.invert_button.clicked.connect(self.invert_requested)
        for box in (self.longer_side, self.layers):
            box.currentIndexChanged.connect(self._validate)
        for field in (self.seed, self.steps.lineEdit()):
            field.textChanged.connect(self._validate)

    # Values

    def options(self) -> ForwardProcessOptions | None:
        """The options of the forward process; None while a field is wrong."""
        read = self._read()
        if isinstance(read, tuple):
            return None
        return ForwardProcessOptions(
            read.steps, read.seed, self.layers.currentData() == "fresh", int(self.longer_side.currentData())
        )

    def set_picture(self, name: str, size: str, notes: Sequence[str] = ()) -> None:
        """Show the name of the picture and its size; notes about it are seen with the pointer on them."""
        self.about_text = " · ".join((size, *map(display, notes)))
        self.name.setText(name)
        self.about.setText(size)
        self.about.set_tip(f"{name} · {self.about_text}" if notes else name)
        self._divide()

    def _divide(self) -> None:
        """The picture's size takes its room first, and its name what is left."""
        size = self.about.sizeHint().width()
        margins = self._column.contentsMargins()
        room = self.width() - margins.left() - margins.right() - self._named.spacing() - size - SCROLL_BAR_PX
        self.about.setMinimumWidth(size)
        self.name.setMinimumWidth(max(0, min(self.name.sizeHint().width(), room)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._divide()

    def show_picture_for_model(self, image: QImage | None, is_whole: bool = True) -> None:
        """Show the picture at the size that the model works at; None where the model takes no picture from here.

        Args:
            is_whole: whether it is the whole picture, and not its middle square.
        """
        self.model_view.set_picture(image)
        self.model_view.setToolTip(self.model_note.toolTip())
        self.model_view.setVisible(image is not None)
        if image is None:
            self.model_note.setText(self.tr("This model takes pictures in its own way, or none."))
            return
        sentence = self.tr("The model gets it like this: {0} × {1} px.")
        if not is_whole:
            sentence = self.tr("The model gets its middle like this: {0} × {1} px.")
        self.model_note.setText(sentence.format(image.width(), image.height()))

    def show_reverse_runs(self, can_carve: bool, can_invert: bool, is_inverting: bool, progress: str) -> None:
        """Enable the reverse runs that are possible, and show the progress of one."""
        self.carve_button.setEnabled(can_carve)
        self.invert_button.setEnabled(can_invert)
        self.invert_button.setText(self.tr("Stop looking") if is_inverting else self.tr("Find its noise"))
        self.progress.setText(progress)

    def save(self, settings: QSettings) -> None:
        """Remember the fields, if they are valid."""
        options = self.options()
        if options is not None:
            settings.setValue("drown/steps", options.steps)
            settings.setValue("drown/seed", str(options.seed))
            settings.setValue("drown/layers", self.layers.currentData())
            settings.setValue("drown/size", self.longer_side.currentData())

    def restore(self, settings: QSettings) -> None:
        """Restore the remembered fields; values that are no longer offered are ignored."""
        self.steps.set_text(str(settings.value("drown/steps", "50")))
        self.seed.setText(str(settings.value("drown/seed", "7")))
        for name, box in (("layers", self.layers), ("size", self.longer_side)):
            row = box.findData(str(settings.value(f"drown/{name}", "")))
            if row >= 0:
                box.setCurrentIndex(row)

    def _read(self) -> RunRequest | tuple[FieldError, ...]:
        return read_form(FormFields(seed=self.seed.text(), steps=self.steps.text()))

    @Slot()
    def _validate(self) -> None:
        read = self._read()
        self.show_errors(read if isinstance(read, tuple) else (), {})
