"""Phases of a run of 50 steps, as the cosine schedule has them."""

import pytest

from sculptor_app.core.trajectory.levels import PHASES, PhaseSpan


def spans_of(*last_steps: int) -> tuple[PhaseSpan, ...]:
    """The four phases ending at these steps; one that ends where the one before does has none."""
    spans, first = [], 1
    for phase, last in zip(PHASES, last_steps, strict=True):
        if last >= first:
            spans.append(PhaseSpan(phase, first, last))
        first = max(first, last + 1)
    return tuple(spans)


@pytest.fixture
def spans() -> tuple[PhaseSpan, ...]:
    return spans_of(5, 15, 30, 50)
