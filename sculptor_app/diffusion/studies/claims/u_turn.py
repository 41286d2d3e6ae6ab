"""The claim that U-turns change the class of a picture all at once, and its details little by little."""

from __future__ import annotations

import math
import threading
from collections.abc import Generator, Sequence

import numpy as np

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.claims.runs import runs_of, steps_of_run
from sculptor_app.diffusion.studies.decisions import ReadLabels, measure_step
from sculptor_app.measures.claim_figures import crossing, is_above
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
from sculptor_app.measures.likeness import Curve, Decision, curves_of, jackknife_error, usual_steps
from sculptor_app.measures.spectrum import BANDS

LOW, HIGH = 0.2, 0.8
"""Between these shares of its way a curve changes over: the width of the change is measured there."""
MOST_LEVELS = 12
"""A run of more steps turns back at the usual ones alone, and at the first: deeper than where it can be forked."""


def change_width(curve: Curve, levels: Sequence[NoiseLevel]) -> float:
    """Over how much of the log-SNR a curve of U-turns changes over, from a fifth to four fifths; NaN if unknown.

    Args:
        curve: measured at step 0, other noise altogether, and at others.
        levels: of the states of the run.
    """
    points = [(levels[step].log_snr, mean) for step, mean in zip(curve.steps, curve.means, strict=True) if step]
    points = [(place, mean) for place, mean in points if math.isfinite(place)]
    if not curve.steps or curve.steps[0] != 0 or len(points) < 2:
        return math.nan
    lost = curve.means[0]
    place = np.array([each for each, _ in points])
    way = np.maximum.accumulate((np.array([mean for _, mean in points]) - lost) / max(1e-9, 1 - lost))
    if way[0] > LOW or way[-1] < HIGH:
        return math.nan
    return crossing(place, way, HIGH) - crossing(place, way, LOW)


def u_turn(
    engine: Engine, asked: ClaimRequest, stop: threading.Event, read_labels: ReadLabels
) -> Generator[ClaimProgress, None, Outcome]:
    """Test of how sharply the form and the finest band change over with the depth of U-turns."""
    steps = asked.request.steps
    at = tuple(range(steps)) if steps <= MOST_LEVELS else tuple(sorted({1, *usual_steps(steps)}))
    planned = asked.seeds * steps_of_run(asked, at)
    levels: Sequence[NoiseLevel] = ()
    found: list[Decision] = []
    done = 0
    yield ClaimProgress(done, planned)
    for run in runs_of(engine, asked, stop, forkable=True):
        done, levels = done + steps, run.levels
        yield ClaimProgress(done, planned)
        for step in at:
            for event in measure_step(engine, run, step, asked.forks, stop, read_labels, u_turn=True):
                if isinstance(event, Decision):
                    found.append(event)
            if "form" not in curves_of(found):
                return Outcome(translate("claims", "Nothing reads a class off the pictures of this model."), None)
            done += asked.forks * (steps - step)
            yield ClaimProgress(done, planned)
    seeds = sorted({each.seed for each in found})

    def widths(of_seeds: Sequence[int]) -> tuple[float, float]:
        curves = curves_of(each for each in found if each.seed in of_seeds)
        return change_width(curves["form"], levels), change_width(curves[BANDS[-1].name], levels)

    def lead(of_seeds: Sequence[int]) -> float:
        of_class, of_detail = widths(of_seeds)
        return of_detail - of_class

    of_class, of_detail = widths(seeds)
    error = jackknife_error(seeds, lead)
    if not math.isfinite(of_detail - of_class):
        far = translate("claims", "The U-turns did not go deep enough, or not near enough to the picture, to tell.")
        return Outcome(far, None)
    ahead, figures = of_detail - of_class, {"class": of_class, "finest": of_detail}
    if math.isnan(error):
        few = translate(
            "claims", "The form changes over within {0:.1f} of log-SNR, the finest band within {1:.1f}; too few runs "
            "to say how sure that is."
        )  # fmt: skip
        return Outcome(few.format(of_class, of_detail), None, figures)
    here = translate(
        "claims", "The form changes over within {0:.1f} of log-SNR, the finest band within {1:.1f}: {2:.1f} ± {3:.1f} "
        "more."
    ).format(of_class, of_detail, ahead, error)  # fmt: skip
    return Outcome(here, is_above(ahead - 2 * error, ahead + 2 * error, 0), figures, {"difference": error})
