"""The two guesses of guidance: told apart by the mixture, whatever the order, and left out where it tells nothing."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.guidance import (
    AMBIGUOUS,
    EQUAL_PREDICTIONS,
    EVALUATED_ONCE,
    NOT_LINEAR,
    GuidanceSplitter,
    PredictionsUnknown,
)
from sculptor_app.diffusion.sampling.sample import sample
from tests.helpers.any_pipeline import built, engine_of, finish, request_for, write_pictures

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

GENERATOR = torch.Generator().manual_seed(3)
FREE, CONDITIONAL, X = (torch.randn(1, 3, 4, 4, generator=GENERATOR) for _ in range(3))


class Twice(torch.nn.Module):
    """A network that answers with what it is given."""

    def forward(self, answer: torch.Tensor) -> tuple[torch.Tensor]:
        return (answer,)


def halves_of(*answers: torch.Tensor, guidance: float | None, mixed: torch.Tensor, x: torch.Tensor = X) -> Any:
    """What is told after a network gave these answers."""
    halves = GuidanceSplitter(built("ddpm")[0], guidance)
    network = Twice()
    halves._networks = [network]
    with halves.listening():
        for answer in answers:
            network(answer)
        return halves.take(x, mixed)


def mixture(w: float) -> torch.Tensor:
    return FREE + w * (CONDITIONAL - FREE)


@given(st.floats(1.01, 30) | st.floats(0.0, 0.49) | st.floats(0.51, 0.99), st.booleans(), st.booleans())
def test_both_orders_in_one_batch_or_in_two_calls(w: float, turned: bool, in_one: bool) -> None:
    answers = (CONDITIONAL, FREE) if turned else (FREE, CONDITIONAL)
    given_ = (torch.cat(answers),) if in_one else answers
    free, conditional, found = halves_of(*given_, guidance=w, mixed=mixture(w))
    torch.testing.assert_close(free, FREE)
    torch.testing.assert_close(conditional, CONDITIONAL)
    assert found == pytest.approx(w, abs=1e-4)


def test_above_one_the_mixture_alone_tells_it() -> None:
    assert halves_of(torch.cat([CONDITIONAL, FREE]), guidance=None, mixed=mixture(4.0))[2] == pytest.approx(4)


def test_a_doubled_state_as_dit_has_it() -> None:
    x, mixed = torch.cat([X, X]), torch.cat([mixture(4.0)] * 2)
    free, _, _ = halves_of(torch.cat([CONDITIONAL, FREE]), guidance=4.0, mixed=mixed, x=x)
    torch.testing.assert_close(free, FREE)


def test_the_opposite_answer_and_a_learned_variance() -> None:
    variance = torch.full((2, 3, 4, 4), 9.0)
    answer = torch.cat([-torch.cat([FREE, CONDITIONAL]), variance], dim=1)
    free, conditional, _ = halves_of(answer, guidance=2.0, mixed=torch.cat([mixture(2.0), variance[:1]], dim=1))
    torch.testing.assert_close(free, FREE)
    torch.testing.assert_close(conditional, CONDITIONAL)


def test_half_precision() -> None:
    answer = torch.cat([FREE, CONDITIONAL]).half()
    free, conditional = answer.chunk(2)
    assert halves_of(answer, guidance=7.5, mixed=free + 7.5 * (conditional - free))[2] == pytest.approx(7.5, abs=0.02)


@pytest.mark.parametrize(
    ("answers", "mixed", "why"),
    [
        ((FREE,), FREE, EVALUATED_ONCE),
        ((), FREE, EVALUATED_ONCE),
        ((torch.zeros(1, 3, 8, 8),), FREE, EVALUATED_ONCE),
        ((torch.cat([FREE, CONDITIONAL]),), 0.9 * mixture(7.5), NOT_LINEAR),  # rescaled
        ((torch.cat([FREE, CONDITIONAL, X]),), mixture(7.5), NOT_LINEAR),  # perturbed attention guidance has three
        ((torch.cat([FREE, FREE + 1e-7]),), FREE, EQUAL_PREDICTIONS),
        ((torch.cat([FREE, CONDITIONAL]),), mixture(0.5), AMBIGUOUS),
    ],
)
def test_what_cannot_be_told_is_said(answers: tuple[torch.Tensor, ...], mixed: torch.Tensor, why: str) -> None:
    with pytest.raises(PredictionsUnknown) as caught:
        halves_of(*answers, guidance=None, mixed=mixed)
    assert str(caught.value) == why


def run(kind: str, folder: Path, **changes: Any) -> Trajectory:
    write_pictures(folder)
    return finish(engine_of(kind), request_for(kind, folder, **changes), watch_guidance=True)


@pytest.mark.parametrize("kind", ["stable_diffusion", "dit", "sd3", "pixart", "sdxl", "chroma", "deepfloyd"])
def test_the_guess_is_the_mixture_of_both(kind: str, tmp_path: Path) -> None:
    """For guesses that are linear in the answer: these schedulers do not clip, but for DeepFloyd's."""
    trajectory = run(kind, tmp_path, guidance=3.0)
    for k in range(1, trajectory.last + 1):
        free, conditional = trajectory.guess_unconditional(k), trajectory.guess_conditional(k)
        assert free is not None, trajectory.step(k).guidance_note
        assert conditional is not None
        assert trajectory.step(k).guidance == pytest.approx(3, abs=1e-2)
        assert not np.array_equal(free, conditional)
        if kind != "deepfloyd":
            np.testing.assert_allclose(free + 3 * (conditional - free), trajectory.guess(k), atol=2e-3, rtol=1e-3)


def test_the_free_guess_is_that_of_no_prompt(tmp_path: Path) -> None:
    """Stable Diffusion without guidance answers the prompt alone; both runs start from the same noise."""
    guided = run("stable_diffusion", tmp_path, guidance=5.0, options={"prompt": "a bust"}, sampler="ddim")
    plain = run("stable_diffusion", tmp_path, guidance=1.0, options={"prompt": "a bust"}, sampler="ddim")
    nothing = run("stable_diffusion", tmp_path, guidance=1.0, options={"prompt": ""}, sampler="ddim")
    np.testing.assert_allclose(guided.guess_conditional(1), plain.guess(1), atol=1e-4)
    np.testing.assert_allclose(guided.guess_unconditional(1), nothing.guess(1), atol=1e-4)
    assert plain.guess_unconditional(1) is None
    assert plain.step(1).guidance_note == EVALUATED_ONCE


def test_they_are_off_by_default(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    trajectory = list(sample(engine_of("dit"), request_for("dit", tmp_path), threading.Event()))[-1].trajectory
    assert trajectory.guess_unconditional(1) is None
    assert (trajectory.step(1).guidance, trajectory.step(1).guidance_note) == (None, "")
    assert trajectory.guess_conditional(0) is None
