"""Names of phases, bands, forms and materials as a person reads them, the same in every view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.texts import Text, fill, ratio_text
from sculptor_app.core.trajectory.levels import PHASES, SETTLING_RULES, PhaseSpan
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.formats import FORMATS, settings_suffixes
from sculptor_app.measures.glossary import TERMS

if TYPE_CHECKING:  # numpy comes with it, and the window is to be on screen before
    from sculptor_app.exports.formats import ExportFormat

translate = QCoreApplication.translate  # a name that lupdate knows


def display(text: str) -> str:
    """A text from below ui in the language of the window: labels of tables, sentences of errors.

    Args:
        text: a `core.texts.Text`, translated with its facts; any other string is returned as it is.
    """
    if not isinstance(text, Text):
        return text
    shown = translate(text.context, text.template)
    if text.facts is None:
        return shown
    return fill(shown, [display(fact) if isinstance(fact, str) else fact for fact in text.facts])


def ratio_name(ratio: float) -> str:
    """A ratio as `core.texts.ratio_text` writes it, its words translated."""
    return display(ratio_text(ratio))


def explained(key: str) -> str:
    """What a term of the glossary means, translated: the text of its tooltips."""
    return display(TERMS[key].text)


PICTURE_ENDINGS = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "gif", "bmp", "avif", "jp2", "ppm", "tga")
"""Of the pictures that people have; what else is read, "All files" shows."""
_PHASES = {phase.key: phase for phase in PHASES}


def filter_text(row: ExportFormat) -> str:
    """A format as a file dialog lists it, as "PNG picture (*.png)"."""
    return f"{display(row.label)} (*{row.suffix})"


def run_filter() -> str:
    """What a file dialog lists where a run is opened: saved runs, and what can say how it was made."""
    saved, others = FORMATS["sculpt"].suffix, settings_suffixes()
    endings = " ".join(f"*{ending} *{ending.upper()}" for ending in (saved, *others))
    every = f"{translate('names', 'Saved runs, and pictures that say their settings')} ({endings})"
    return f"{every};;{filter_text(FORMATS['sculpt'])}"


def picture_filter() -> str:
    """What a file dialog lists where a picture is opened: pictures, or else everything."""
    pictures = " ".join(f"*.{ending} *.{ending.upper()}" for ending in PICTURE_ENDINGS)
    return f"{translate('names', 'Pictures')} ({pictures});;{translate('names', 'All files')} (*)"


def phase_name(key: str) -> str:
    """A phase's translated name by its key."""
    return display(_PHASES[key].name)


def short_phase_name(key: str) -> str:
    """A phase's name where there is little room."""
    return translate("Phase", "Decisions") if key == "decisions" else phase_name(key)


def phase_action(key: str) -> str:
    """What the sculptor does in a phase as a rule, translated; what a run did in it is measured."""
    return display(_PHASES[key].action)


def band_name(key: str) -> str:
    """A frequency band's translated name by its key ("layout", "structure", "detail", "polish").

    The names are none of the phases': what is coarse settles in one phase, and what is fine in another.
    """
    return {
        "layout": translate("Band", "coarse"),
        "structure": translate("Band", "medium"),
        "detail": translate("Band", "fine"),
        "polish": translate("Band", "finest"),
    }[key]


def settled_text(rule: str) -> str:
    """Of a mark where a band has settled by a rule: what that means, with "{0}" for the band."""
    told = translate("Settled", "{{0}} settled here: {0}. When it was decided, the page “Decided when?” tells.")
    return told.format(display(SETTLING_RULES[rule].meaning))


def settled_notes() -> dict[str, str]:
    """What is to be known about a band's mark besides its rule, by the band's key."""
    return {
        "layout": translate(
            "Settled",
            "The coarse band may settle later than finer ones: it is made of few waves, and one that still changes "
            "counts for much.",
        )
    }


def settled_summary(marks: Sequence[tuple[str, int]], rule: str) -> str:
    """The measured phases of a run in a sentence; empty where nothing has been measured.

    Args:
        marks: band's keys with the steps from which they stayed settled.
    """
    if not marks:
        return ""
    steps = ", ".join(translate("Settled", "{0} {1}").format(band_name(band), step) for band, step in marks)
    rule_name = display(SETTLING_RULES[rule].name)
    return translate("Settled", "Measured in this run: bands settled by {0} at steps: {1}").format(rule_name, steps)


def label_kind_name(kind: str) -> str:
    """What a kind of label is called: "form", "material"."""
    return {"form": translate("Label", "form"), "material": translate("Label", "material")}.get(kind, kind)


def form_name(key: str) -> str:
    """A form's translated name by its key in `request.FORMS`."""
    return {
        "bust": translate("Form", "Bust"),
        "figure": translate("Form", "Standing figure"),
        "seated": translate("Form", "Seated figure"),
        "head": translate("Form", "Head"),
        "vase": translate("Form", "Vase"),
        "ring": translate("Form", "Ring or knot"),
        "animal": translate("Form", "Animal"),
        "column": translate("Form", "Column"),
    }[key]


def material_name(key: str) -> str:
    """A material's translated name by its key in `request.MATERIALS`."""
    return {
        "marble": translate("Material", "Marble"),
        "bronze": translate("Material", "Bronze"),
        "verdigris": translate("Material", "Verdigris"),
        "terracotta": translate("Material", "Terracotta"),
        "basalt": translate("Material", "Basalt"),
        "sandstone": translate("Material", "Sandstone"),
    }[key]


MOST_LETTERS = 28


def few_letters(text: str) -> str:
    """A text on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1].rstrip()}…"


def step_range(first: int, last: int) -> str:
    """First and last step, as in 16–30, or 7 for a single one."""
    return f"{first}" if first == last else f"{first}–{last}"


def neighbour_phase_step(spans: tuple[PhaseSpan, ...], step: int, direction: int, planned: int) -> int:
    """The step to which Page Up and Page Down go.

    Args:
        step: the current state, 0..planned.
        direction: +1 to the first step of the next phase, at the end to `planned`; -1 to the first step of this
            phase, or of the one before when it is there already, at the start to 0.
    """
    starts = [span.first_step for span in spans]
    if direction > 0:
        return min((start for start in starts if start > step), default=planned)
    return max((start for start in starts if start < step), default=0)


def disclosures() -> list[tuple[str, Disclosure]]:
    """What saved files may tell of prompts and paths, with the mnemonics that a menu shows."""
    return [
        (translate("Names", "Prompts, and files by their &names"), Disclosure.NAMES),
        (translate("Names", "Prompts, and &where files lie"), Disclosure.PATHS),
        (translate("Names", "Neither &prompts nor names of pictures"), Disclosure.PRIVATE),
    ]


def disclosure_title() -> str:
    """Name of that choice, with the mnemonic that a menu shows."""
    return translate("Names", "What saved files &tell of")


def disclosure_tip() -> str:
    """What all saved files tell, whatever is chosen."""
    return translate(
        "Names", "Model and LoRAs are named in each of them, with their hashes, so that a run can be made again."
    )
