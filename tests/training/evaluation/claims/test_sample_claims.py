"""Claims about samples: what they tell of distances that are planted, and of a real model from end to end."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sculptor_app.atelier.components import LabelledRenders
from sculptor_app.cli import main
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures.claims import CLAIMS, SAMPLES_PER_SEED, ClaimProgress, ClaimRequest, Outcome
from sculptor_app.training.evaluation.claims import gaussian_start, guidance_interval, samples
from sculptor_app.training.evaluation.claims.measure import SAMPLE_MEASURES
from sculptor_app.training.evaluation.claims.samples import Plan
from sculptor_app.training.evaluation.figures import Gaussian
from sculptor_app.training.evaluation.judge import Judge, write_judge
from sculptor_app.training.evaluation.judge_training import JudgeRecipe, Pictures, finish, own_judge
from tests.training.evaluation.claims.exact import SIZE, ExactPipeline, plain_gaussian

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

Quality = Callable[[Plan], float]


class PlantedStandard:
    """A judge whose features of samples are planted, and whose reference is a plain Gaussian."""

    judge = None
    reference = Gaussian(torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Quality, int], Outcome]:
    """Test a claim on samples whose features are so far from the reference as a function of their plan says."""

    def test(key: str, quality: Quality, seeds: int = 8, guidance: float = 2.0) -> Outcome:
        def draw(self: Any, plan: Plan, count: int, search: bool = False) -> Any:
            yield ClaimProgress(1, 2)
            generator = torch.Generator().manual_seed(int(search))
            rows = torch.randn(count, 2, generator=generator, dtype=torch.float64)
            return rows + torch.tensor([quality(plan), 0.0])

        blank = LabelledRenders(torch.rand(8, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)), 1, 1)
        monkeypatch.setattr(samples.Bench, "draw", draw)
        monkeypatch.setattr(samples, "find_judge", lambda size: Path("judge"))
        monkeypatch.setattr(samples, "open_judge", lambda *_: PlantedStandard())
        monkeypatch.setattr(gaussian_start, "render_rounds", lambda *_: iter([1, blank]))
        engine = Engine(lambda *_, **__: ExactPipeline(plain_gaussian()))
        asked = ClaimRequest(RunRequest(steps=20, seed=1, device="cpu", sampler="ddim", guidance=guidance), seeds)
        events = SAMPLE_MEASURES[key](engine, asked, threading.Event())
        ends: list[Outcome] = []

        def watched() -> Any:
            ends.append((yield from events))

        progress = list(watched())
        assert not progress or progress[0].seconds_left > 0  # said beforehand
        return ends[0]

    return test


def is_within(plan: Plan, sigma: float) -> bool:
    from sculptor_app.core.trajectory.levels import NoiseLevel

    assert plan.guidance is not None
    return plan.guidance(NoiseLevel(1.0, sigma)) != 1


def test_the_best_interval_is_chosen_and_told(planted: Any) -> None:
    def quality(plan: Plan) -> float:
        if is_within(plan, 1000.0):
            return 2.0  # everywhere
        return 0.5 if is_within(plan, 15.0) else 1.0  # the interval (1, 20], and others

    found = planted("guidance-interval", quality)
    assert found.holds is True
    assert (found.figures["low"], found.figures["high"]) == (1.0, 20.0)
    assert found.figures["gain"] == pytest.approx(2.0**2 - 0.5**2, abs=4 * found.errors["gain"] + 0.2)
    assert f"{8 * SAMPLES_PER_SEED} samples" in found.here
    assert planted("guidance-interval", lambda plan: 0.5 if is_within(plan, 1000.0) else 2.0).holds is False


def test_an_equal_distance_cannot_be_told_apart(planted: Any) -> None:
    assert planted("guidance-interval", lambda plan: 1.0).holds is None
    assert planted("late-start", lambda plan: 1.0).holds is None


def test_without_guidance_there_is_nothing_to_choose(planted: Any) -> None:
    found = planted("guidance-interval", lambda plan: 1.0, guidance=1.0)
    assert (found.holds, found.here) == (None, "At a guidance of 1 there is none whose levels could be chosen.")


@pytest.mark.parametrize(("late", "holds"), [(0.5, True), (3.0, False)])
def test_a_late_start_is_told(planted: Any, late: float, holds: bool) -> None:
    def quality(plan: Plan) -> float:
        if plan.start is None:
            return 1.5
        return late if 0.5 < len(plan.betas) / 1000 < 0.8 else 4.0  # type: ignore[arg-type]

    found = planted("late-start", quality)
    assert found.holds is holds
    assert found.figures["steps"] == 10
    assert found.figures["sigma"] in (1.25, 2.5)


@pytest.mark.parametrize(("short", "holds"), [(1.0, True), (2.0, False), (1.05, None)])
def test_the_closed_form_is_told_by_what_a_tenth_more_is(planted: Any, short: float, holds: bool | None) -> None:
    found = planted("closed-form", lambda plan: short if plan.start else 1.0, 8)
    assert found.holds is holds
    assert found.figures["least"] == pytest.approx(short**2, rel=0.25)
    for words in ("after 20 steps. With the first 3 left out, down to σ = 4.0,", "With the first 6, down to 1.9,",
                  "about as deep as published, with the first 1, down to 12.1,"):  # fmt: skip
        assert words in found.here


@pytest.mark.parametrize("key", SAMPLE_MEASURES)
def test_where_nothing_can_be_told_a_sentence_says_why(key: str) -> None:
    def told(pipeline: Any, sampler: str = "ddim") -> str:
        engine = Engine(lambda *_, **__: pipeline)
        asked = ClaimRequest(RunRequest(steps=20, device="cpu", sampler=sampler), 2)
        with pytest.raises(StopIteration) as end:
            next(SAMPLE_MEASURES[key](engine, asked, threading.Event()))
        assert end.value.value.holds is None
        return str(end.value.value.here)

    pipeline = ExactPipeline(plain_gaussian())
    assert told(pipeline, "ddpm").startswith("This is tested with samplers that add no noise in their steps; choose")
    assert told(pipeline).startswith("There is no judge of pictures of this size (16 px) yet")
    pipeline.config = {"form_names": ["a"], "material_names": ["b"]}
    assert told(pipeline).startswith("No judge reads the pictures of this model")


@pytest.mark.parametrize("key", SAMPLE_MEASURES)
def test_a_real_model_is_tested_from_end_to_end(
    key: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(samples, "RESAMPLES", 8)
    monkeypatch.setattr(gaussian_start, "ROUNDS", 1)
    monkeypatch.setattr(gaussian_start, "STARTS", (5.0, 1.25))
    monkeypatch.setattr(guidance_interval, "INTERVALS", ((0.19, 1.61), (1.0, 20.0)))
    write_small_judge()
    given = ["claims", key, "--model", str(tiny_model), "--device", "cpu", "--steps", "5", "--seeds", "2", "--json"]
    assert main(given) == 0
    (told,) = json.loads(capsys.readouterr().out)["claims"]
    assert told["name"] == key
    assert "24 samples" in told["here"]
    assert told["figures"]
    assert told["errors"]
    assert all(error >= 0 for error in told["errors"].values())
    assert told["holds"] in (True, False, None)


def write_small_judge() -> None:
    """An untrained judge of 16 pixels, in the place where one that was made here would be."""
    torch.manual_seed(0)
    shown = torch.randint(0, 256, (96, 3, SIZE, SIZE), dtype=torch.uint8)
    labels = torch.arange(96)
    own_judge(SIZE).mkdir(parents=True)
    standard = finish(
        Judge().eval(), Pictures(shown, labels % 8, labels % 6), SIZE, JudgeRecipe(renders=1, held_out=96)
    )
    write_judge(own_judge(SIZE), standard)


def test_claims_about_samples_are_those_with_tests_of_samples() -> None:
    assert {key for key, claim in CLAIMS.items() if claim.of_samples} == set(SAMPLE_MEASURES)
