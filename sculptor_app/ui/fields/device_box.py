"""Where the model runs, as a drop-down list."""

from PySide6.QtWidgets import QWidget

from sculptor_app.ui.fields.inputs import ChoiceBox


class DeviceBox(ChoiceBox):
    """Devices as they are found, Automatic first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__([(self.tr("Automatic"), "auto")], parent)
        self.setToolTip(self.tr("Where the model runs."))

    def set_devices(self, devices: tuple[tuple[str, str], ...]) -> None:
        """Offer the devices that were found, the first being what Automatic takes; a choice that is there stays.

        Args:
            devices: id and name of each.
        """
        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        self.addItem(self.tr("{0} (auto)").format(devices[0][1]) if devices else self.tr("Automatic"), "auto")
        for key, label in devices:
            if key != "auto":
                self.addItem(label, key)
        self.setCurrentIndex(max(0, self.findData(chosen)))
        self.blockSignals(False)
        if self.currentData() != chosen:
            self.currentIndexChanged.emit(self.currentIndex())

    def choose(self, kind: str) -> bool:
        """Choose the first device whose id begins so, such as "cpu"; whether there is one."""
        for row in range(self.count()):
            if str(self.itemData(row)).startswith(kind):
                self.setCurrentIndex(row)
                return True
        return False
