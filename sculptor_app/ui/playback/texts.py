"""The status line in words, from plain numbers."""

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.trajectory.phases import phase_of
from sculptor_app.ui.carve.run_progress import pace_text
from sculptor_app.ui.widgets import names

if TYPE_CHECKING:  # numpy comes with it, and the window is to be on screen before
    from sculptor_app.core.trajectory.trajectory import Trajectory


def _tr(text: str) -> str:
    return QCoreApplication.translate("StatusText", text)


def ratio_text(snr: float) -> str:
    """A signal-to-noise ratio with two figures that mean something: "0.0021", "0.09", "1.9", "12", "4300", "∞"."""
    if math.isinf(snr):
        return "∞"
    if snr == 0:
        return "0"
    if snr >= 100:
        return f"{float(f'{snr:.2g}'):.0f}" if snr < 1e6 else f"{snr:.1e}"
    if snr < 1e-4:
        return f"{snr:.1e}"
    return f"{snr:.{max(0, 1 - math.floor(math.log10(snr)))}f}"


def sigma_text(sigma: float) -> str:
    """A noise level σ the same way."""
    return ratio_text(sigma)


def weight_text(weight: float) -> str:
    """The weight of guidance as it was measured, without figures of rounding: "2", "7.5", "1.25"."""
    return f"{weight:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def phase_name(trajectory: "Trajectory", k: int) -> str:
    """The name of the phase of step k (of the state it starts from); of state 0 what the run begins with."""
    if k:
        return names.phase_name(phase_of(trajectory.before(k)).key)
    return _tr("Noised picture") if trajectory.info.first_step > 1 else _tr("Pure noise")


def step_heading(trajectory: "Trajectory", k: int) -> str:
    """As "Step 12 of 50 · Structure"."""
    return _tr("Step {0} of {1} · {2}").format(k, trajectory.planned_steps, phase_name(trajectory, k))


def status_line(trajectory: "Trajectory", k: int, mean_s: float | None) -> str:
    """As "step 12 of 50 · structure · SNR 0.09 · 31 ms per step · NVIDIA H200".

    Phase and SNR are those of the state that step k starts from.
    """
    parts = [_tr("step {0} of {1}").format(k, trajectory.planned_steps), phase_name(trajectory, k).lower()]
    parts.append(_tr("SNR {0}").format(ratio_text(trajectory.before(max(1, k)).snr)))
    if mean_s is not None:
        parts.append(pace_text(mean_s))
    if trajectory.info.device_name:
        parts.append(trajectory.info.device_name)
    return " · ".join(parts)


def bytes_text(count: int) -> str:
    """As "2.4 MB", "512 MB", "1.5 GB", in the binary units that memory is counted in."""
    megabytes = count / 2**20
    if megabytes >= 1024:
        return _tr("{0:.1f} GB").format(megabytes / 1024)
    return _tr("{0:.1f} MB").format(megabytes) if megabytes < 99.95 else _tr("{0:.0f} MB").format(megabytes)


def file_size_text(count: int) -> str:
    """As "12 KB", "840 KB", "4.2 MB"."""
    return bytes_text(count) if count >= 2**20 else _tr("{0} KB").format(max(1, round(count / 1024)))


def memory_text(trajectory: "Trajectory") -> str:
    """As "trajectory 2.4 MB of 512 MB", and what lies on disk beyond it."""
    budget = bytes_text(trajectory.budget_bytes).replace(".0 ", " ")
    text = _tr("trajectory {0} of {1}").format(bytes_text(trajectory.bytes_in_memory), budget)
    if trajectory.bytes_on_disk:
        text += _tr(" · {0} on disk").format(bytes_text(trajectory.bytes_on_disk))
    return text


def not_a_short_run(trajectory: "Trajectory", k: int) -> str:
    """The sentence where a person might take step k of N for the result of k steps; empty at the two ends."""
    if not 0 < k < trajectory.planned_steps:
        return ""
    return _tr("A look inside the {1}-step run: a run of {0} steps ends in another picture than this.").format(
        k, trajectory.planned_steps
    )
