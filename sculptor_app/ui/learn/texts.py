"""Texts of the page Learn: presets, progress, and advice for errors of training."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import pictures_text
from sculptor_app.training import errors
from sculptor_app.training.records.events import Stepped
from sculptor_app.training.records.plan import OWN, SMALL, TINY, Plan
from sculptor_app.ui.playback.texts import duration_text
from sculptor_app.ui.widgets.names import display, form_name, material_name

translate = QCoreApplication.translate  # a name that lupdate knows


def preset_name(key: str) -> str:
    """The name of a preset."""
    return {
        TINY: translate("Learn", "Busts, 32 × 32"),
        SMALL: translate("Learn", "All sculptures, 64 × 64"),
        OWN: translate("Learn", "Your own pictures"),
    }[key]


def preset_note(key: str) -> str:
    """A note on a preset: what it learns, and how long that takes."""
    return {
        TINY: translate(
            "Learn",
            "A small network learns one form in six materials: shapes in a minute, busts in four on one core.",
        ),
        SMALL: translate(
            "Learn",
            "The network of the embedded model, all forms and materials: a night on a CPU, much less on a GPU.",
        ),
        OWN: translate(
            "Learn", "16 pictures or more of whatever you like, cut to squares; the more alike, the sooner it shows."
        ),
    }[key]


def count_text(pictures: int) -> str:
    """A count in as little room as an axis has: 0, 640, 2.1k, 31k, 1.2M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if pictures >= size:
            value = pictures / size
            shown = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
            return shown.removesuffix(".0") + unit
    return str(pictures)


def seen_text(pictures: int, total: int) -> str:
    """As "3,200 of 24,000 pictures seen"."""
    return translate("Learn", "{0:,} of {1} seen").format(pictures, display(pictures_text(total)))


def pace_text(step: Stepped) -> str:
    """As "84 pictures/s · 3 min 20 s left"; without a pace yet, nothing."""
    if step.rate <= 0:
        return ""
    rate = f"{step.rate:.0f}" if step.rate >= 9.95 else f"{step.rate:.1f}"
    return translate("Learn", "{0} pictures/s · {1} left").format(rate, duration_text(step.left_s))


def noise_text(plan: Plan, noise: int) -> str:
    """What a fixed noise is sculpted into, as "bust, marble"; empty where the model has no labels."""
    forms, materials = plan.labels_of_noises()
    form, material = forms[noise], materials[noise]
    if form is None or material is None:
        return ""
    return f"{form_name(plan.forms[form])}, {material_name(plan.materials[material]).lower()}"


def advice(error: SculptorError) -> str:
    """What to do about a fault in this window: the library states facts, and the command line names its options."""
    match error:
        case errors.NotWritten():
            return translate(
                "Learn", "Make room, or mend the folder's permissions, then go on: the last checkpoint is whole."
            )
        case errors.DeviceFailed():
            return translate(
                "Learn", "The last checkpoint is whole: go on from it, or choose a smaller picture size in a new run."
            )
        case errors.TrainingFailed():
            return translate("Learn", "The last checkpoint is whole: go on from it, or begin a new run.")
        case errors.CheckpointError():
            return translate("Learn", "Begin a new run, or delete that file to start this one from the beginning.")
        case errors.SettingsChanged():
            return translate("Learn", "Put back what was there, or choose another folder for the run.")
        case errors.FolderNotWritable():
            return translate("Learn", "Choose another folder.")
        case errors.FolderInUse():
            return translate("Learn", "Wait for its end, or choose another folder.")
        case errors.NoCheckpoint():
            return translate("Learn", "Choose the folder of a run that has begun.")
        case errors.TooManyPictures():
            return translate("Learn", "Choose a smaller picture size, or a folder with fewer pictures.")
        case errors.RenderSizeMismatch():
            return translate("Learn", "Choose another folder, or delete the folder of renders.")
    return error.advice
