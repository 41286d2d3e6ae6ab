"""The claim about memorising: what it tells of networks whose times are planted, and of real small ones."""

import json
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sculptor_app.cli import main
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures.claims import CLAIMS, ClaimProgress, ClaimRequest, Outcome
from sculptor_app.training.evaluation.copies import are_copies, two_nearest
from sculptor_app.training.memorising import claim
from sculptor_app.training.memorising.claim import FEW, MANY, MARKS, TRAINING_MEASURES, Growth
from sculptor_app.training.memorising.network import SIZE, SmallNetwork

Time = Callable[[int, int], float]
"""Steps, from the number of pictures and of the pair."""
COPIES, PICTURES = MARKS[4], MARKS[1]
"""When networks that learn FEW pictures begin to make copies, and pictures."""


def noise_pictures(first: int, count: int, stop: threading.Event | None = None) -> torch.Tensor:
    """Pictures of independent pixels: all are about as far from each other."""
    generator = torch.Generator().manual_seed(first)
    return torch.randint(0, 256, (count, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)


def planted(
    monkeypatch: pytest.MonkeyPatch, copies_from: Time, pictures_from: Time, seeds: int = 8, model: str | None = None
) -> Outcome:
    """Test the claim on networks that make black, then pictures of the right kind, then copies of a part of theirs."""

    class Planted:
        def __init__(self, pictures: np.ndarray[Any, Any], seed: int) -> None:
            self.steps, self.number, count = 0, seed - 7, len(pictures)
            self.pictures = torch.from_numpy(pictures).permute(0, 3, 1, 2)
            self.copies_from = copies_from(count, self.number // 2)
            self.pictures_from = pictures_from(count, self.number // 2)

        def learn(self, until: int, is_stopped: Callable[[], bool]) -> None:
            self.steps = until

        def samples(self, is_stopped: Callable[[], bool]) -> torch.Tensor:
            if self.steps < self.pictures_from:
                return torch.zeros((60, 3, SIZE, SIZE), dtype=torch.uint8)
            made = noise_pictures(-1 - self.number, 60)
            if self.steps >= self.copies_from:
                made[:20] = self.pictures[torch.arange(20) % len(self.pictures)]
            return made

    monkeypatch.setattr(claim, "SmallNetwork", Planted)
    monkeypatch.setattr(claim, "_renders", noise_pictures)
    asked = ClaimRequest(RunRequest(steps=20, seed=7, device="cpu", model=model), seeds)
    return ended(asked, threading.Event())[1]


def ended(asked: ClaimRequest, stop: threading.Event) -> tuple[list[ClaimProgress], Outcome]:
    ends: list[Outcome] = []

    def watched() -> Any:
        ends.append((yield from TRAINING_MEASURES["memorising"](Engine(), asked, stop)))

    return list(watched()), ends[0]


def linear(count: int, pair: int) -> float:
    return COPIES * count / FEW


def constant(count: int, pair: int) -> float:
    return PICTURES


def test_times_as_they_were_published_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    found = planted(monkeypatch, linear, constant)
    assert found.holds is True
    assert found.figures["memorises_power"] == pytest.approx(1, abs=0.01)
    assert found.figures["generates_power"] == pytest.approx(0, abs=0.01)
    assert MARKS[3] < found.figures["memorises_few"] <= COPIES
    assert MARKS[0] < found.figures["generates_few"] <= PICTURES
    assert found.here.startswith("8 small networks learned here, 8 or 32 renders of 16 px each.")
    assert "n to the power 1.00 ± 0.00" in found.here


@pytest.mark.parametrize(
    ("copies_from", "pictures_from"),
    [
        (lambda count, pair: COPIES, constant),  # copies come as soon with twice the pictures
        (lambda count, pair: COPIES * (count / FEW) ** 2, constant),
        (linear, lambda count, pair: PICTURES * count / FEW),  # pictures come later
    ],
)
def test_other_times_do_not_hold(monkeypatch: pytest.MonkeyPatch, copies_from: Time, pictures_from: Time) -> None:
    assert planted(monkeypatch, copies_from, pictures_from).holds is False


def test_times_that_scatter_cannot_be_told_and_one_pair_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def scattered(count: int, pair: int) -> float:
        return COPIES * (count / FEW) ** (2 * (pair % 2))

    found = planted(monkeypatch, scattered, constant)
    assert found.holds is None
    assert found.figures["memorises_power"] == pytest.approx(1, abs=0.05)
    assert found.errors["memorises_power"] == pytest.approx(2 / math.sqrt(4 * 3), rel=0.05)  # of 0, 2, 0, 2
    alone = planted(monkeypatch, linear, constant, seeds=3)
    assert alone.holds is None
    assert math.isnan(alone.errors["memorises_power"])
    assert "±" not in alone.here
    assert "nan" not in alone.here


def test_networks_that_never_memorise_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = planted(monkeypatch, lambda count, pair: math.inf if count == MANY else COPIES, constant)
    assert (found.holds, found.figures) == (None, {"missing": 4.0})
    assert found.here == (
        "Of 8 small networks that learned 8 and 32 renders here, 4 did not both generate and memorise within "
        f"{MARKS[-1]} steps."
    )


def test_how_often_the_open_model_saw_its_pictures_is_said_beside(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "model that is open" not in planted(monkeypatch, linear, constant, model=str(tiny_model)).here
    (tiny_model / "training.json").write_text('{"pictures": 480, "pictures_seen": 1200}', encoding="utf-8")
    found = planted(monkeypatch, linear, constant, model=str(tiny_model))
    assert found.here.endswith(" the model that is open learned 480 pictures and saw each of them 2.5 times.")
    assert found.figures["times_seen"] == 2.5


def test_growth_is_a_power_with_its_error() -> None:
    of_few = [100.0, 200.0]
    growth = Growth.of(of_few, [of_few[0] * MANY / FEW, of_few[1] * (MANY / FEW) ** 2])  # to the powers 1 and 2
    assert (growth.power, growth.error) == (pytest.approx(1.5), pytest.approx(0.5))
    assert (growth.few, growth.many) == (pytest.approx(math.sqrt(20_000)), pytest.approx(math.sqrt(20_000 * 64)))


def test_a_real_network_learns_two_pictures_by_heart_and_always_in_the_same_way() -> None:
    pictures = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    pictures[0, : SIZE // 2], pictures[1, SIZE // 2 :] = 255, 255
    known = torch.from_numpy(pictures).permute(0, 3, 1, 2)

    def share(samples: torch.Tensor) -> float:
        return float(are_copies(two_nearest(samples, [known])).double().mean())

    network, again = SmallNetwork(pictures, 1), SmallNetwork(pictures, 1)
    assert share(network.samples(lambda: False)) < 0.1
    for each, until in ((network, 20), (again, 7), (again, 20)):
        each.learn(until, lambda: False)
    assert torch.equal(network.samples(lambda: False), again.samples(lambda: False))
    network.learn(200, lambda: False)
    assert share(network.samples(lambda: False)) > 0.8


def test_it_is_stopped_before_and_while_networks_learn(quick: None) -> None:
    asked, stop = ClaimRequest(RunRequest(steps=20, seed=7, device="cpu"), 2), threading.Event()
    events = TRAINING_MEASURES["memorising"](Engine(), asked, stop)
    first = next(events)
    assert first.done == 0
    assert first.seconds_left is not None
    assert first.seconds_left > 0  # said beforehand
    stop.set()
    with pytest.raises(Cancelled):
        next(events)
    with pytest.raises(Cancelled):
        next(TRAINING_MEASURES["memorising"](Engine(), asked, stop))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few steps and renders that nothing is learned."""
    for name, value in (("MARKS", (2, 4)), ("OTHERS", 8), ("BASELINE", 4)):
        monkeypatch.setattr(claim, name, value)


@pytest.mark.parametrize("workers", [1, 2])
def test_real_networks_are_told_from_end_to_end(
    workers: int, quick: None, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(claim, "workers_on", lambda device: workers)
    assert main(["claims", "memorising", "--model", str(tiny_model), "--seeds", "2", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["claims"]
    assert (told["name"], told["holds"], told["figures"]) == ("memorising", None, {"missing": 2.0})
    assert told["here"].endswith("did not both generate and memorise within 4 steps.")


def test_claims_about_training_are_those_with_tests_of_training() -> None:
    assert {key for key, claim in CLAIMS.items() if claim.trains} == set(TRAINING_MEASURES)
