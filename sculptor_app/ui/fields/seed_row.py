"""A seed, and a button that chooses a new one."""

from PySide6.QtCore import QRandomGenerator, Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QToolButton, QWidget

NEW_SEED_LIMIT = 10**6
"""New seeds have at most six digits, so that a person can note them down; any up to 2^63 - 1 can be typed."""


class SeedRow(QWidget):
    """A line to type a seed into, and a button beside it.

    Args:
        parent: the owner.
        seed: that stands there at first.
        key: what chooses a new one as well, for the tip.
    """

    def __init__(self, parent: QWidget | None = None, seed: str = "7", key: str = "") -> None:
        super().__init__(parent)
        self.line = QLineEdit(seed, self)
        self.line.setToolTip(self.tr("The same seed starts from the same noise on every device."))
        self.line.setAccessibleName(self.tr("Seed"))
        self.new = QToolButton(self)
        self.new.setText(self.tr("New"))
        self.new.setProperty("kind", "outlined")
        tip = self.tr("Choose a new seed at random")
        self.new.setToolTip(f"{tip} ({key})" if key else tip)
        self.new.setAccessibleName(self.tr("New seed"))
        self.new.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.new.clicked.connect(self.choose_new)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.line, 1)
        row.addWidget(self.new)
        self.setFocusProxy(self.line)

    @Slot()
    def choose_new(self) -> None:
        """Put a random seed into the line; the system's randomness, since a seed is to be new each time."""
        old = self.line.text()
        while self.line.text() == old:
            self.line.setText(str(QRandomGenerator.system().bounded(NEW_SEED_LIMIT)))
