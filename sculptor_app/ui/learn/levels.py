"""Where noise levels lie on the axis of the page's bars, and what was learned at each of them by some time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sculptor_app.core.trajectory.phases import BORDERS, PHASES
from sculptor_app.training.loop.report import EDGES, LEVELS, Report

BACK = 0.8
"""Reports from so large a share of the pictures on are averaged: a single one has few pictures per level."""


def place_of(log_snr: float) -> float:
    """A noise level on an axis on which bin i lies from i to i + 1, pure noise first."""
    width = EDGES[1] - EDGES[0]
    return min(max(1 + (log_snr - EDGES[0]) / width, 0.0), float(LEVELS))


def phase_stretches() -> list[tuple[str, float, float]]:
    """Key, left and right of each phase on that axis."""
    borders = [0.0, *(place_of(math.log(border)) for border in BORDERS), float(LEVELS)]
    return [(phase.key, borders[i], borders[i + 1]) for i, phase in enumerate(PHASES)]


def phase_index(level: int) -> int:
    """The phase that the middle of a bin belongs to, 0 to 3."""
    return sum(right <= level + 0.5 for _, _, right in phase_stretches()[:-1])


def learned_at(reports: Sequence[Report], pictures: int) -> list[float | None]:
    """What was learned at each noise level after so many pictures: 1 − loss / loss of always saying 0.

    Args:
        reports: The oldest first.
        pictures: Seen; the last fifth before it, or at least one report, is averaged.

    Returns:
        LEVELS shares, 1 or less; None where nothing is known.
    """
    until = [report for report in reports if report.pictures <= pictures] or list(reports[:1])
    recent = [report for report in until if report.pictures > BACK * pictures] or until[-1:]
    shares: list[float | None] = []
    for level in range(LEVELS):
        known = [report.learned_by_log_snr[level] for report in recent]
        found = [share for share in known if share is not None]
        shares.append(sum(found) / len(found) if found else None)
    return shares
