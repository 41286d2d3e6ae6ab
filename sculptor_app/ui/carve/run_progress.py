"""How far a run is and how long it still takes, measured on its own steps."""

from PySide6.QtCore import QCoreApplication


def _tr(text: str) -> str:
    return QCoreApplication.translate("RunProgress", text)


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

    def settle(self, mean_s: float) -> None:
        """The run is over: from now on its mean over all steps is told."""
        self._mean_s = mean_s

    def add(self, duration_s: float) -> None:
        """Count one step in; the newest tenth or so of them decide."""
        self._count += 1
        if self._count <= 2:
            self._mean_s = duration_s
        else:
            weight = max(self._WEIGHT, 1 / (self._count - 1))
            self._mean_s += weight * (duration_s - self._mean_s)


def duration_text(seconds: float) -> str:
    """Seconds in words, as exact as a person needs: "0.5 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 9.95:
        return _tr("{0:.1f} s").format(seconds)
    whole = round(seconds)
    if whole < 60:
        return _tr("{0} s").format(whole)
    if whole < 3600:
        return _tr("{0} min {1} s").format(whole // 60, whole % 60)
    return _tr("{0} h {1} min").format(whole // 3600, whole % 3600 // 60)


def pace_text(seconds: float) -> str:
    """Time per step: "0.42 ms", "4.2 ms", "31 ms", "1.2 s" per step."""
    milliseconds = seconds * 1000
    if milliseconds < 0.995:
        return _tr("{0:.2f} ms per step").format(milliseconds)
    if milliseconds < 9.95:
        return _tr("{0:.1f} ms per step").format(milliseconds)
    if milliseconds < 999.5:
        return _tr("{0:.0f} ms per step").format(milliseconds)
    return _tr("{0:.1f} s per step").format(seconds)


def progress_text(done: int, planned: int, mean_s: float | None) -> str:
    """As "34 of 50 · 0.5 s left"; without a pace yet, how far it is alone."""
    parts = [_tr("{0} of {1}").format(done, planned)]
    if mean_s is not None and done < planned:
        parts.append(_tr("{0} left").format(duration_text(mean_s * (planned - done))))
    return " · ".join(parts)
