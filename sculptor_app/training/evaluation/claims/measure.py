"""The tests of claims about samples, by their keys in `measures.claims`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType

from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
from sculptor_app.training.evaluation.claims.gaussian_start import closed_form, late_start
from sculptor_app.training.evaluation.claims.guidance_interval import guidance_interval

SAMPLE_MEASURES: Mapping[
    str, Callable[[Engine, ClaimRequest, threading.Event], Generator[ClaimProgress, None, Outcome]]
] = MappingProxyType({
    "guidance-interval": guidance_interval, "late-start": late_start, "closed-form": closed_form,
})  # fmt: skip
