"""What number fields need beside the style sheet."""

from PySide6.QtWidgets import QAbstractSpinBox

_INSET_PX = 9


def inset(box: QAbstractSpinBox) -> None:
    """Sets a number field's text in from its left edge, as that of the other fields.

    WORKAROUND: Qt 6.11's style sheets leave the left padding of a spin box out.
    """
    box.lineEdit().setTextMargins(_INSET_PX, 0, 0, 0)
