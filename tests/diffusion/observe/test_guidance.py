"""Unconditional and conditional predictions, in any order; none where the mixture does not show which is which."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.texts import Text
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
UNCOND, COND, X = (torch.randn(1, 3, 4, 4, generator=GENERATOR) for _ in range(3))


class Twice(torch.nn.Module):
    """A network that answers with what it is given."""

    def forward(self, answer: torch.Tensor) -> tuple[torch.Tensor]:
        return (answer,)


def predictions_of(*answers: torch.Tensor, guidance: float | None, mixed: torch.Tensor, x: torch.Tensor = X) -> Any:
    """What the splitter finds after a network gave these outputs."""
    splitter = GuidanceSplitter(built("ddpm")[0], guidance)
    network = Twice()
    splitter._networks = [network]
    with splitter.capture():
        for answer in answers:
            network(answer)
        return splitter.split(x, mixed)


def mixture(w: float) -> torch.Tensor:
    return UNCOND + w * (COND - UNCOND)


@given(st.floats(1.01, 30) | st.floats(0.0, 0.49) | st.floats(0.51, 0.99), st.booleans(), st.booleans())
def test_both_orders_in_one_batch_or_in_two_calls(w: float, turned: bool, in_one: bool) -> None:
    answers = (COND, UNCOND) if turned else (UNCOND, COND)
    given_ = (torch.cat(answers),) if in_one else answers
    uncond, cond, found = predictions_of(*given_, guidance=w, mixed=mixture(w))
    torch.testing.assert_close(uncond, UNCOND)
    torch.testing.assert_close(cond, COND)
    assert found == pytest.approx(w, abs=1e-4)


def test_above_one_the_mixture_alone_decides() -> None:
    assert predictions_of(torch.cat([COND, UNCOND]), guidance=None, mixed=mixture(4.0))[2] == pytest.approx(4)


def test_a_doubled_state_as_dit_has_it() -> None:
    x, mixed = torch.cat([X, X]), torch.cat([mixture(4.0)] * 2)
    uncond, _, _ = predictions_of(torch.cat([COND, UNCOND]), guidance=4.0, mixed=mixed, x=x)
    torch.testing.assert_close(uncond, UNCOND)


def test_the_opposite_answer_and_a_learned_variance() -> None:
    variance = torch.full((2, 3, 4, 4), 9.0)
    answer = torch.cat([-torch.cat([UNCOND, COND]), variance], dim=1)
    uncond, cond, _ = predictions_of(answer, guidance=2.0, mixed=torch.cat([mixture(2.0), variance[:1]], dim=1))
    torch.testing.assert_close(uncond, UNCOND)
    torch.testing.assert_close(cond, COND)


def test_half_precision() -> None:
    answer = torch.cat([UNCOND, COND]).half()
    uncond, cond = answer.chunk(2)
    assert predictions_of(answer, guidance=7.5, mixed=uncond + 7.5 * (cond - uncond))[2] == pytest.approx(7.5, abs=0.02)


@pytest.mark.parametrize(
    ("answers", "mixed", "why"),
    [
        ((UNCOND,), UNCOND, EVALUATED_ONCE),
        ((), UNCOND, EVALUATED_ONCE),
        ((torch.zeros(1, 3, 8, 8),), UNCOND, EVALUATED_ONCE),
        ((torch.cat([UNCOND, COND]),), 0.9 * mixture(7.5), NOT_LINEAR),  # rescaled
        ((torch.cat([UNCOND, COND, X]),), mixture(7.5), NOT_LINEAR),  # perturbed attention guidance has three
        ((torch.cat([UNCOND, UNCOND + 1e-7]),), UNCOND, EQUAL_PREDICTIONS),
        ((torch.cat([UNCOND, COND]),), mixture(0.5), AMBIGUOUS),
    ],
)
def test_predictions_that_cannot_be_found(answers: tuple[torch.Tensor, ...], mixed: torch.Tensor, why: str) -> None:
    with pytest.raises(PredictionsUnknown) as caught:
        predictions_of(*answers, guidance=None, mixed=mixed)
    assert str(caught.value) == why


def run(kind: str, folder: Path, **changes: Any) -> Trajectory:
    write_pictures(folder)
    return finish(engine_of(kind), request_for(kind, folder, **changes), watch_guidance=True)


@pytest.mark.parametrize("kind", ["stable_diffusion", "dit", "sd3", "pixart", "sdxl", "chroma", "deepfloyd"])
def test_the_guess_is_the_mixture_of_both(kind: str, tmp_path: Path) -> None:
    """For guesses that are linear in the answer: these schedulers do not clip, but for DeepFloyd's."""
    trajectory = run(kind, tmp_path, guidance=3.0)
    for k in range(1, trajectory.last + 1):
        uncond, cond = trajectory.guess_unconditional(k), trajectory.guess_conditional(k)
        assert uncond is not None, trajectory.step(k).guidance_note
        assert cond is not None
        assert trajectory.step(k).guidance == pytest.approx(3, abs=1e-2)
        assert not np.array_equal(uncond, cond)
        if kind != "deepfloyd":
            np.testing.assert_allclose(uncond + 3 * (cond - uncond), trajectory.guess(k), atol=2e-3, rtol=1e-3)


def test_the_unconditional_guess_is_that_of_no_prompt(tmp_path: Path) -> None:
    """Stable Diffusion without guidance answers the prompt alone; both runs start from the same noise."""
    guided = run("stable_diffusion", tmp_path, guidance=5.0, options={"prompt": "a bust"}, sampler="ddim")
    plain = run("stable_diffusion", tmp_path, guidance=1.0, options={"prompt": "a bust"}, sampler="ddim")
    nothing = run("stable_diffusion", tmp_path, guidance=1.0, options={"prompt": ""}, sampler="ddim")
    np.testing.assert_allclose(guided.guess_conditional(1), plain.guess(1), atol=1e-4)
    np.testing.assert_allclose(guided.guess_unconditional(1), nothing.guess(1), atol=1e-4)
    assert plain.guess_unconditional(1) is None
    assert plain.step(1).guidance_note == EVALUATED_ONCE
    assert isinstance(plain.step(1).guidance_note, Text)  # so that it can be translated


def test_they_are_off_by_default(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    trajectory = list(sample(engine_of("dit"), request_for("dit", tmp_path), threading.Event()))[-1].trajectory
    assert trajectory.guess_unconditional(1) is None
    assert (trajectory.step(1).guidance, trajectory.step(1).guidance_note) == (None, "")
    assert trajectory.guess_conditional(0) is None
