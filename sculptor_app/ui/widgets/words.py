"""Names of phases and bands as a person reads them, in one place so that every view says the same."""

from PySide6.QtCore import QCoreApplication

from sculptor_app.diffusion.phases import PhaseSpan

translate = QCoreApplication.translate  # a name that lupdate knows


def _phase_texts() -> dict[str, tuple[str, str]]:
    return {
        "decisions": (
            translate("Phase", "Big decisions"),
            translate("Phase", "blocks out layout, composition, major shapes, colour scheme"),
        ),
        "structure": (
            translate("Phase", "Structure"),
            translate("Phase", "limbs, posture, proportions; objects and faces form"),
        ),
        "refinement": (translate("Phase", "Refinement"), translate("Phase", "details, textures, lighting")),
        "polish": (translate("Phase", "Polish"), translate("Phase", "final crisp detail")),
    }


def phase_name(key: str) -> str:
    """A phase's translated name by its key."""
    return _phase_texts()[key][0]


def phase_deed(key: str) -> str:
    """What the sculptor does in a phase, translated."""
    return _phase_texts()[key][1]


def band_name(key: str) -> str:
    """A frequency band's translated name by its key ("layout", "structure", "detail", "polish")."""
    return {
        "layout": translate("Band", "layout"),
        "structure": translate("Band", "structure"),
        "detail": translate("Band", "detail"),
        "polish": translate("Band", "polish"),
    }[key]


def step_range(first: int, last: int) -> str:
    """First and last step, as in 16–30, or 7 for a single one."""
    return f"{first}" if first == last else f"{first}–{last}"


def neighbour_phase_step(spans: tuple[PhaseSpan, ...], step: int, direction: int, planned: int) -> int:
    """The step to which Page Up and Page Down go.

    Args:
        spans: stretches of the phases, in order.
        step: the current state, 0..planned.
        direction: +1 to the first step of the next phase, at the end to `planned`; -1 to the first step of this
            phase, or of the one before when it is there already, at the start to 0.
        planned: N.
    """
    starts = [span.first_step for span in spans]
    if direction > 0:
        return min((start for start in starts if start > step), default=planned)
    return max((start for start in starts if start < step), default=0)
