"""Claims: what is measured has a known answer on runs and models that are made for it."""

import threading

import numpy as np
import pytest
from diffusers import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.claims import runs, u_turn
from sculptor_app.diffusion.studies.claims.courses import is_in_order, share_of_two_components
from sculptor_app.diffusion.studies.claims.measure import MEASURES, measure_claim
from sculptor_app.diffusion.studies.claims.u_turn import change_width
from sculptor_app.diffusion.studies.decisions import measure_step
from sculptor_app.measures.claim_figures import share_interval
from sculptor_app.measures.claims import CLAIMS, ClaimProgress, ClaimRequest, Outcome
from sculptor_app.measures.likeness import Curve, Decision
from sculptor_app.training.evaluation.claims.measure import SAMPLE_MEASURES
from sculptor_app.training.memorising.claim import TRAINING_MEASURES
from tests.diffusion.gaussian import COSINE, GaussianPipeline
from tests.diffusion.studies.test_decisions import SIZE, Clouds
from tests.helpers.any_pipeline import finish
from tests.helpers.runs import made_run

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def clouds() -> Engine:
    return Engine(lambda *_, **__: GaussianPipeline(Clouds("v_prediction", size=SIZE), DDIMScheduler(**COSINE)))


def outcome_of(key: str, steps: int = 10, seeds: int = 3, read=lambda *_: {}, ends_early: bool = False) -> Outcome:
    asked = ClaimRequest(RunRequest(steps=steps, seed=1, device="cpu"), seeds, 4)
    *progress, outcome = measure_claim(key, clouds(), asked, threading.Event(), read)
    assert all(isinstance(each, ClaimProgress) for each in progress)
    if not ends_early:
        assert (progress[0].done, progress[-1].done) == (0, progress[-1].planned)
    assert isinstance(outcome, Outcome)
    return outcome


def test_every_claim_has_its_test_and_its_source() -> None:
    assert tuple(CLAIMS) == (*MEASURES, *SAMPLE_MEASURES, *TRAINING_MEASURES)
    for claim in CLAIMS.values():
        assert claim.finding.endswith(".")
        assert claim.source
        assert claim.published


# What is measured -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settled", "wanted"),
    [
        ((3, 5, 9, 12), True),
        ((3, 3, 3, 3), False),
        ((4, 3, 9, 12), False),
        ((None, 3, None, 7), True),
        ((3, 3, 4, 4), True),
        ((), False),
    ],
)
def test_the_order_of_bands(settled: tuple[int | None, ...], wanted: bool) -> None:
    assert is_in_order(settled) is wanted


def test_a_run_of_one_noise_and_one_picture_lies_in_a_plane() -> None:
    assert share_of_two_components(made_run(steps=20, size=32)) == pytest.approx(1, abs=1e-6)
    with_fresh_noise = made_run(steps=20, size=32, fresh_noise=True)
    assert share_of_two_components(with_fresh_noise) < 0.6


@given(st.integers(1, 500), st.data())
def test_the_interval_of_a_share_holds_it(count: int, data) -> None:
    successes = data.draw(st.integers(0, count))
    low, high = share_interval(successes, count)
    assert 0 <= low <= successes / count + 1e-12
    assert successes / count - 1e-12 <= high <= 1
    assert high - low < share_interval(successes // 4, max(1, count // 4))[1] + 1


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert share_interval(8, 10) == pytest.approx((0.4901, 0.9433), abs=2e-4)  # his own formula, with z = 1.96


def levels_at(log_snrs: list[float]) -> tuple[NoiseLevel, ...]:
    return tuple(NoiseLevel(float(np.exp(each / 2)), 1.0) for each in log_snrs)


def test_the_width_of_a_change_is_measured_between_a_fifth_and_four_fifths() -> None:
    levels = levels_at([-6, -4, -2, 0, 2, 4])
    steps = tuple(range(6))
    smooth = Curve(steps, (0.5, 0.5, 0.625, 0.75, 0.875, 1.0), (0.0,) * 6)  # a line from half on
    assert change_width(smooth, levels) == pytest.approx(0.6 * 8)
    sharp = Curve(steps, (0.5, 0.5, 0.5, 1.0, 1.0, 1.0), (0.0,) * 6)
    assert change_width(sharp, levels) == pytest.approx(0.6 * 2)
    for unknown in (Curve(steps[1:], smooth.means[1:], (0.0,) * 5), Curve(steps, (0.5,) * 6, (0.0,) * 6),
                    Curve((0,), (0.5,), (0.0,)), Curve((), (), ())):  # fmt: skip
        assert np.isnan(change_width(unknown, levels))


# On a model whose answers are known -----------------------------------------------------------------------------------


def test_ddim_on_two_clouds_goes_nearly_in_a_plane() -> None:
    """A step is linear in state and guess, and the guess moves along one line and a little towards the state."""
    found = outcome_of("two-dimensional", seeds=4)
    assert found.holds is True
    assert found.figures["share"] > 0.99
    assert "DDIM" in found.here


@pytest.mark.parametrize(("class_first", "holds"), [(True, True), (False, False)])
def test_what_changes_over_more_sharply_is_told(
    class_first: bool, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted curves: one leaps between the steps 4 and 5, the other goes up from step to step."""
    sharp, smooth = (lambda step: 0.2 if step < 5 else 1.0), (lambda step: 0.2 + 0.1 * step)

    def planted(_, run, step, *others, u_turn):
        assert u_turn
        of_class, of_detail = (sharp, smooth) if class_first else (smooth, sharp)
        yield Decision(run.info.request.seed, step, {"form": of_class(step), "finest": of_detail(step)})

    monkeypatch.setattr(u_turn, "measure_step", planted)
    found = outcome_of("u-turn", steps=9, seeds=3)
    assert found.holds is holds
    levels = finish(clouds(), RunRequest(steps=9, seed=1, device="cpu")).levels
    leap = 0.6 * (levels[5].log_snr - levels[4].log_snr)
    assert found.figures["class" if class_first else "finest"] == pytest.approx(leap)
    assert found.errors["difference"] == pytest.approx(0, abs=1e-9)


def test_classes_are_read_off_u_turns_and_off_the_picture_that_they_came_from() -> None:
    def read(pictures, _):
        assert len(pictures) == 4  # the run's own first
        return {"form": ["up", "up", "down", "up"]}

    engine, stop = clouds(), threading.Event()
    run = finish(engine, RunRequest(steps=6, seed=1, device="cpu"))
    *_, decision = measure_step(engine, run, 3, 3, stop, read, u_turn=True)
    assert decision.likeness["form"] == pytest.approx(2 / 3)
    assert decision.labels == {"form": ["up", "down", "up"]}


def test_without_a_classifier_nothing_is_said_of_classes() -> None:
    found = outcome_of("u-turn", steps=4, seeds=2, ends_early=True)
    assert found.holds is None
    assert found.here == "Nothing reads a class off the pictures of this model."


def test_the_order_is_told_with_its_interval() -> None:
    found = outcome_of("coarse-to-fine", seeds=3)
    low, high = share_interval(round(3 * found.figures["share"]), 3)
    assert (found.figures["low"], found.figures["high"]) == pytest.approx((low, high))
    assert found.holds is (True if low > 0.5 else False if high < 0.5 else None)


def test_where_no_guess_is_known_no_order_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "whole_run", lambda *_, **__: made_run(steps=6, guesses=False))
    found = outcome_of("coarse-to-fine")
    assert (found.holds, found.figures) == (None, {})
    assert "no guesses are known" in found.here


def test_with_two_runs_no_error_of_a_difference_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(_, run, step, *others, u_turn):
        yield Decision(run.info.request.seed, step, {"form": float(step > 4), "finest": step / 9})

    monkeypatch.setattr(u_turn, "measure_step", planted)
    found = outcome_of("u-turn", steps=9, seeds=2)
    assert found.holds is None
    assert found.here.endswith("too few runs to say how sure that is.")
    assert "nan" not in found.here


def test_it_can_be_stopped() -> None:
    stop = threading.Event()
    asked = ClaimRequest(RunRequest(steps=5, seed=1, device="cpu"), 50)
    events = measure_claim("two-dimensional", clouds(), asked, stop, lambda *_: {})
    next(events)
    stop.set()
    with pytest.raises(Cancelled):
        list(events)


@pytest.mark.parametrize("key", CLAIMS)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_of_too_few_steps_nothing_is_told(key: str, steps: int) -> None:
    found = outcome_of(key, steps=steps, seeds=2, ends_early=True)
    assert (found.holds, found.here) == (None, "Runs of fewer than 4 steps show too little of it.")
