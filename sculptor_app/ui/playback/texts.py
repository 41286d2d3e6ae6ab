"""Texts about a run from plain numbers: status line, progress, pace, durations and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.requests.changes import change_words, settings_changed
from sculptor_app.core.requests.request import Parting
from sculptor_app.core.texts import byte_text, steps_text
from sculptor_app.core.trajectory.levels import NoiseLevel, phase_of
from sculptor_app.ui.widgets import names
from sculptor_app.ui.widgets.names import display

if TYPE_CHECKING:  # numpy comes with it, and the window is to be on screen before
    from sculptor_app.core.trajectory.base import AnyTrajectory, RunInfo

translate = QCoreApplication.translate  # a name that lupdate knows


def title_parts(info: RunInfo, source: str = "") -> tuple[str, ...]:
    """The title of a run for people: what it is, where it comes from, seed, sampler, steps.

    Args:
        source: where it was opened from, as the session has it.
    """
    title = info.title
    what = display(title.what)
    request = info.request
    if info.is_of_a_model and (request.form or request.material or not request.option_values.get("prompt")):
        # neither a prompt nor a file's name
        what = what[:1].upper() + what[1:]
    parts = (what, display(title.beginning), source, display(title.seed))
    return tuple(filter(None, (*parts, *map(display, title.facts))))


def end_text(trajectory: AnyTrajectory, has_failed: bool = False) -> str:
    """How a run stopped before its end, as "stopped after 38 of 50"; empty where it did not."""
    run = trajectory.undecoded
    if not run.ended or run.is_complete:
        return ""
    stopped = translate("StatusText", "stopped after {0} of {1}")
    failed = translate("StatusText", "failed after {0} of {1}")
    return (stopped if run.ended == "cancelled" and not has_failed else failed).format(run.last, run.planned_steps)


def run_title(trajectory: AnyTrajectory, source: str = "") -> tuple[str, ...]:
    """The title of a run, and how it stopped before its end; see `title_parts`."""
    return (*title_parts(trajectory.info, source), *filter(None, [end_text(trajectory)]))


def forks_told(trajectory: AnyTrajectory) -> tuple[tuple[int, str], ...]:
    """The states behind which a run went on in another way than before, each with a sentence about that."""
    segments, told = trajectory.info.segments, []
    for fork, one, then in zip(trajectory.info.forks, segments, segments[1:], strict=False):
        changed = settings_changed(one.request, then.request).items()
        words = ", ".join(change_words(one.request, name, value) for name, value in changed)
        left = translate("Fork", "Here it left the run that it shares these steps with")
        is_other = bool(words) and fork.parting is Parting.OWN_STATE
        told.append((fork.step, translate("Fork", "From here on: {0}").format(words) if is_other else left))
    return tuple(told)


class StepClock:
    """Running mean of the time per step.

    The first step is left out as soon as there is another: it carries what the libraries do once.
    """

    _WEIGHT = 0.1

    def __init__(self) -> None:
        self._count = 0
        self._mean_s = 0.0

    @property
    def mean_s(self) -> float | None:
        """Seconds per step, None before the first."""
        return self._mean_s if self._count else None

    def add(self, duration_s: float) -> None:
        """Count one step in; the newest tenth or so of them decide."""
        self._count += 1
        if self._count <= 2:
            self._mean_s = duration_s
        else:
            weight = max(self._WEIGHT, 1 / (self._count - 1))
            self._mean_s += weight * (duration_s - self._mean_s)


def time_taken_s(trajectory: AnyTrajectory) -> float:
    """Seconds that the steps of a run took, all that are there."""
    return sum(trajectory.step(k).duration_s for k in range(1, trajectory.last + 1))


def duration_text(seconds: float) -> str:
    """Seconds in words, as exact as a person needs: "0.5 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 9.95:
        return translate("StatusText", "{0:.1f} s").format(seconds)
    whole = round(seconds)
    if whole < 60:
        return translate("StatusText", "{0} s").format(whole)
    if whole < 3600:
        return translate("StatusText", "{0} min {1} s").format(whole // 60, whole % 60)
    return translate("StatusText", "{0} h {1} min").format(whole // 3600, whole % 3600 // 60)


def pace_text(seconds: float) -> str:
    """Time per step: "0.42 ms", "4.2 ms", "31 ms", "1.2 s" per step."""
    milliseconds = seconds * 1000
    if milliseconds < 0.995:
        return translate("StatusText", "{0:.2f} ms per step").format(milliseconds)
    if milliseconds < 9.95:
        return translate("StatusText", "{0:.1f} ms per step").format(milliseconds)
    if milliseconds < 999.5:
        return translate("StatusText", "{0:.0f} ms per step").format(milliseconds)
    return translate("StatusText", "{0:.1f} s per step").format(seconds)


def progress_text(done: int, planned: int, mean_s: float | None) -> str:
    """As "34 of 50 · 0.5 s left"; without a pace yet, how far it is alone."""
    parts = [translate("StatusText", "{0} of {1}").format(done, planned)]
    if mean_s is not None and done < planned:
        parts.append(translate("StatusText", "{0} left").format(duration_text(mean_s * (planned - done))))
    return " · ".join(parts)


def steps_took_text(steps: int, seconds: float) -> str:
    """How a whole run went: "1 step in 0.3 s", "50 steps in 12 s"."""
    return translate("StatusText", "{0} in {1}").format(names.display(steps_text(steps)), duration_text(seconds))


def weight_text(weight: float) -> str:
    """The weight of guidance as it was measured, without figures of rounding: "2", "7.5", "1.25"."""
    return f"{weight:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def phase_name(trajectory: AnyTrajectory, k: int) -> str:
    """The name of the phase of step k (of the state it starts from), empty where its level is not known.

    Of state 0 it is what the run begins with.
    """
    if k:
        phase = phase_of(trajectory.before(k))
        return names.phase_name(phase.key) if phase else ""
    return (
        translate("StatusText", "Noised picture")
        if trajectory.info.first_step > 1
        else translate("StatusText", "Pure noise")
    )


def level_text(level: NoiseLevel) -> str:
    """As "SNR 0.09"."""
    if not level.is_known:
        return translate("StatusText", "noise level not known")
    return translate("StatusText", "SNR {0}").format(names.ratio_name(level.snr))


def step_level_text(trajectory: AnyTrajectory, k: int) -> str:
    """As "SNR 0.079 → 0.09": that of the state which step k starts from, and by which its phase goes, and of state k.

    State 0 alone has one.
    """
    start, level = trajectory.before(max(k, 1)), trajectory.levels[k]
    if k == 0 or not (start.is_known and level.is_known):
        return level_text(level)
    ratios = names.ratio_name(start.snr), names.ratio_name(level.snr)
    return translate("StatusText", "SNR {0} → {1}").format(*ratios)


def status_line(trajectory: AnyTrajectory, k: int, mean_s: float | None) -> str:
    """As "step 12 of 50 · structure · SNR 0.079 → 0.09 · 31 ms per step · NVIDIA H200"; see `step_level_text`."""
    parts = [translate("StatusText", "step {0} of {1}").format(k, trajectory.planned_steps)]
    parts += filter(None, [phase_name(trajectory, k).lower(), step_level_text(trajectory, k)])
    if mean_s is not None:
        parts.append(pace_text(mean_s))
    if trajectory.info.device_name:
        parts.append(trajectory.info.device_name)
    return " · ".join(parts)


def memory_text(trajectory: AnyTrajectory) -> str:
    """As "trajectory 2.4 MB of 512 MB", and what lies on disk beyond it; of a run in a file "file of 4.9 MB"."""
    if trajectory.undecoded.file_bytes and not trajectory.bytes_in_memory:
        return translate("StatusText", "file of {0}").format(byte_text(trajectory.undecoded.file_bytes))
    budget = byte_text(trajectory.budget_bytes).replace(".0 ", " ")
    text = translate("StatusText", "trajectory {0} of {1}").format(byte_text(trajectory.bytes_in_memory), budget)
    if trajectory.bytes_on_disk:
        text += translate("StatusText", " · {0} on disk").format(byte_text(trajectory.bytes_on_disk))
    return text


def memory_tip() -> str:
    """What that means."""
    return translate(
        "StatusText",
        "Memory that the recorded steps of this run take, of what they may take. What is beyond that lies in a "
        "temporary file. A saved run is read from its file.",
    )


MOST_CHANNELS = 4
"""Of latents under the pointer; the others would not find room."""


def pixel_text(column: int, row: int, values: Sequence[float], is_of_latents: bool) -> str:
    """Numbers under the pointer with their names: "3, 4 · R +0.21  G −0.10  B 0.00", "3, 4 · grey +0.21"."""
    if is_of_latents:
        names_ = [translate("StatusText", "latent {0}").format(number) for number in range(1, len(values) + 1)]
    elif len(values) == 1:
        names_ = [translate("StatusText", "grey")]
    else:
        names_ = ["R", "G", "B", *(str(number) for number in range(4, len(values) + 1))][: len(values)]
    shown = [f"{name} {value:+.2f}".replace("-", "−") for name, value in zip(names_, values, strict=True)]
    more = [] if len(shown) <= MOST_CHANNELS else ["…"]
    return f"{column}, {row} · {'  '.join(shown[:MOST_CHANNELS] + more)}"


def step_story(trajectory: AnyTrajectory, k: int, settled: Sequence[tuple[str, int]]) -> str:
    """What happens at step k in a sentence: the sculptor's work as a rule, and what has settled in this run.

    Args:
        settled: each band's key and the step from which it stayed settled; none while the run goes on.
    """
    changed = changed_state(trajectory, k)
    if changed:
        return changed
    if k == 0:
        if trajectory.info.first_step > 1 or trajectory.info.origin:
            return ""
        return translate("StatusText", "The untouched block: noise alone, and the model takes it off step by step.")
    if k == trajectory.planned_steps == 1:
        return translate("StatusText", "Done, in a single step. With more of them it is seen what settles when.")
    steps = [translate("StatusText", "{0} at {1}").format(names.band_name(band), step) for band, step in settled]
    if k == trajectory.planned_steps and steps:
        told = translate("StatusText", "Done. Settled: {0}. Drag back to see it.")
        return told.format(", ".join(steps))
    phase = phase_of(trajectory.levels[k - 1])
    if phase is None:
        return ""
    said = translate("StatusText", "As a rule, {0}: {1}").format(
        names.phase_name(phase.key).lower(), names.phase_action(phase.key)
    )
    here = [names.band_name(band) for band, step in settled if step == k]
    before = [names.band_name(band) for band, step in settled if step < k]
    now, by_now = translate("StatusText", "settled here: {0}"), translate("StatusText", "settled: {0}")
    if here:
        return f"{said} · {now.format(', '.join(here))}"
    return f"{said} · {by_now.format(', '.join(before))}" if before else said


def changed_state(trajectory: AnyTrajectory, k: int) -> str:
    """The sentence where the pipeline changed what the sampler returned, as inpainting does; empty where it did not."""
    if trajectory.returned(k) is None:
        return ""
    return translate(
        "StatusText",
        "The model changed this state: “After the step” shows what the sampler returned.",
    )
