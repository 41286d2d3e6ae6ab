"""Tests of the published findings in `measures.claims` on the model at hand.

Each claim is measured on runs of several seeds and comes with its uncertainty. It holds, or does not, where two
standard errors or a 95 % interval lie on one side of what decides it; else there were too few runs to tell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.claims.courses import coarse_to_fine, two_dimensional
from sculptor_app.diffusion.studies.claims.speciation import speciation
from sculptor_app.diffusion.studies.claims.u_turn import u_turn
from sculptor_app.diffusion.studies.decisions import ReadLabels
from sculptor_app.measures.claims import LEAST_STEPS, ClaimProgress, ClaimRequest, Outcome

Events = Generator[ClaimProgress, None, Outcome]
Measure = Callable[[Engine, ClaimRequest, threading.Event, ReadLabels], Events]
SampleMeasure = Callable[[Engine, ClaimRequest, threading.Event], Events]
"""Test of a claim about many samples or about training, as `training.evaluation.claims` and `training.memorising` have
them: with a judge of their own, or with networks that learn for it."""

MEASURES: Mapping[str, Measure] = MappingProxyType({
    "coarse-to-fine": coarse_to_fine, "two-dimensional": two_dimensional, "u-turn": u_turn, "speciation": speciation,
})  # fmt: skip
"""The test of each claim about runs, by its key."""


def measure_claim(
    key: str,
    engine: Engine,
    asked: ClaimRequest,
    stop: threading.Event,
    read_labels: ReadLabels,
    of_samples: Mapping[str, SampleMeasure] = MappingProxyType({}),
) -> Iterator[ClaimProgress | Outcome]:
    """Test a claim: how far it is, over and over, and in the end what the model shows.

    Args:
        key: of `CLAIMS`.
        of_samples: the tests of claims about samples and about training, by their keys.

    Raises:
        Cancelled, SculptorError: As `sample`.
    """
    if asked.request.steps < LEAST_STEPS:
        few = translate("claims", "Runs of fewer than {0} steps show too little of it.").format(LEAST_STEPS)
        yield Outcome(few, None)
        return
    events = (
        of_samples[key](engine, asked, stop) if key in of_samples else MEASURES[key](engine, asked, stop, read_labels)
    )
    yield (yield from _timed(events))


def _timed(events: Events) -> Events:
    """The events of a test, each with how long the rest of it takes, from what the beginning of it took."""
    begun = time.monotonic()
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        if event.done:
            left = (time.monotonic() - begun) / event.done * (event.planned - event.done)
            event = replace(event, seconds_left=left)
        yield event
