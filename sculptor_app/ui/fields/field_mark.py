"""A field that holds something wrong looks so."""

from PySide6.QtWidgets import QWidget


def mark(field: QWidget, is_wrong: bool) -> None:
    """Have the theme draw a field as wrong, or as right again."""
    if bool(field.property("problem")) != is_wrong:
        field.setProperty("problem", is_wrong)
        field.style().unpolish(field)
        field.style().polish(field)
