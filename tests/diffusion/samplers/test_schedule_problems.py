"""Settings at which schedulers of diffusers give no picture, found out before a run: exactly those that do not."""

import inspect
import warnings
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from sculptor_app.core.requests.samplers import SAMPLERS, Networks
from sculptor_app.diffusion.samplers.schedulers import (
    ScheduleProblem,
    make_scheduler,
    schedule_problem,
    why_not_planned,
)
from tests.diffusion.gaussian import GaussianNetwork, GaussianPipeline

# WORKAROUND: diffusers 0.42.1 calls numpy functions on tensors in some set_timesteps, and numpy 2 warns about it.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning")

KARRAS, EXPONENTIAL, BETA = ({f"use_{spacing}_sigmas": True} for spacing in ("karras", "exponential", "beta"))
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
PRK, TRAINED_ON_20 = {"skip_prk_steps": False}, {"num_train_timesteps": 20}
TABLE: dict[str, list[tuple[dict[str, Any], tuple[int, ...]]]] = {
    "DDPMScheduler": [({}, (1, 2, 50)), (ZERO_SNR, (1, 10)), (TRAINED_ON_20, (20, 50))],
    "DDIMScheduler": [({}, (1, 2, 50)), (ZERO_SNR, (1, 10)), (TRAINED_ON_20, (20, 21))],
    "PNDMScheduler": [(PRK, (1, 2, 3, 4, 10)), ({"skip_prk_steps": True}, (1, 2, 10)), (TRAINED_ON_20, (20, 50))],
    "TCDScheduler": [({}, (1, 4)), (ZERO_SNR, (4,))],
    "EulerDiscreteScheduler": [({}, (1, 10)), (KARRAS, (4, 10)), (ZERO_SNR, (2, 10)), (TRAINED_ON_20, (50,))],
    "EulerAncestralDiscreteScheduler": [({}, (1, 2, 3, 4, 5, 10))],
    "HeunDiscreteScheduler": [({}, (1, 10)), (KARRAS, (10,)), (TRAINED_ON_20, (50,))],
    "KDPM2DiscreteScheduler": [({}, (1, 2, 10)), (KARRAS, (5, 10))],
    "KDPM2AncestralDiscreteScheduler": [({}, (1, 2, 5, 10)), (EXPONENTIAL, (2, 3))],
    "DPMSolverMultistepScheduler": [({}, (1, 10)), (KARRAS, (3, 4)), (EXPONENTIAL, (5, 10)), (BETA, (2, 3, 50))],
    "DPMSolverSinglestepScheduler": [({}, (2, 10)), (KARRAS, (5, 10))],
    "UniPCMultistepScheduler": [({}, (1, 10)), (KARRAS, (5, 10)), (TRAINED_ON_20, (50,))],
    "DEISMultistepScheduler": [({}, (1, 10)), (KARRAS, (5, 10))],
    "SASolverScheduler": [({}, (1, 10)), (KARRAS, (5, 10))],
}
CASES = [(kind, switch, steps) for kind, rows in TABLE.items() for switch, counts in rows for steps in counts]


def scheduler_of(kind: str, switch: dict[str, Any], prediction: str = "epsilon") -> Any:
    base = {"beta_schedule": "squaredcos_cap_v2", "clip_sample": False, "prediction_type": prediction}
    if kind == "DPMSolverSinglestepScheduler":
        base |= {"lower_order_final": True, "final_sigmas_type": "zero"}
    return getattr(diffusers, kind).from_config(base | switch)


def found_before(scheduler: Any, steps: int) -> ScheduleProblem | None:
    try:
        scheduler.set_timesteps(steps)
    except ValueError:
        return why_not_planned(scheduler, "Sampler", steps)
    return schedule_problem(scheduler, "Sampler", steps)


def runs_bare(scheduler: Any, steps: int) -> bool:
    """Whether diffusers alone, with a network that knows its data, comes to finite numbers."""
    network = GaussianNetwork(scheduler.config.prediction_type, "squaredcos_cap_v2", 8)
    alpha_bar = scheduler.alphas_cumprod.numpy().astype(np.float64)
    network._sigmas = np.sqrt((1 - alpha_bar) / np.maximum(alpha_bar, 1e-9))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            final = GaussianPipeline(network, scheduler)(steps, torch.Generator().manual_seed(1))
        except (ValueError, IndexError, ZeroDivisionError, AssertionError):
            return False
    return bool(torch.isfinite(final).all())


@pytest.mark.parametrize(("kind", "switch", "steps"), CASES)
def test_what_is_found_before_is_what_diffusers_does(kind: str, switch: dict[str, Any], steps: int) -> None:
    problem = found_before(scheduler_of(kind, switch), steps)
    assert (problem is None) == runs_bare(scheduler_of(kind, switch), steps), problem


def test_the_table_holds_both_kinds() -> None:
    """Of each switch some settings that work and some that do not."""
    found = [found_before(scheduler_of(*case[:2]), case[2]) for case in CASES]
    assert 15 < sum(problem is None for problem in found) < len(CASES) - 15


@pytest.mark.parametrize(
    ("kind", "switch", "steps", "words", "is_of_steps"),
    [
        ("DDIMScheduler", ZERO_SNR, 10, "begins with pure noise", False),
        ("DDIMScheduler", TRAINED_ON_20, 50, "trained on 20 timesteps, over which Sampler cannot take 50 steps", True),
        ("UniPCMultistepScheduler", KARRAS, 10, "comes to one timestep of this model twice", True),
        (
            "DDIMScheduler",
            {"timestep_spacing": "leading", "steps_offset": 1},
            1000,
            "With 1000 steps, Sampler begins beyond the 1000 timesteps that this model was trained on.",
            True,
        ),
        ("PNDMScheduler", PRK, 2, "With 2 steps, the numbers of Sampler do not stay finite", True),
    ],
)
def test_each_cause_has_its_sentence(
    kind: str, switch: dict[str, Any], steps: int, words: str, is_of_steps: bool
) -> None:
    problem = found_before(scheduler_of(kind, switch), steps)
    assert problem is not None
    assert words in problem.sentence
    assert problem.is_of_steps is is_of_steps
    assert "Error" not in problem.sentence


def test_zero_terminal_snr_suits_a_network_that_predicts_v() -> None:
    assert found_before(scheduler_of("DDIMScheduler", ZERO_SNR, "v_prediction"), 10) is None


def test_a_rehearsal_draws_nothing_of_torchs_numbers() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    # Not the cosine schedule: diffusers' first interpolated sigma is a difference that some processors round to zero.
    own = scheduler_of("KDPM2AncestralDiscreteScheduler", {"beta_schedule": "scaled_linear"})
    assert found_before(own, 10) is None
    assert torch.equal(torch.get_rng_state(), before)


def test_every_known_class_that_is_there_can_be_rehearsed() -> None:
    """Steps of other signatures, too: an exception of ours would be taken for a fault of the settings."""
    for kind in (
        "DDIMParallelScheduler", "DDPMParallelScheduler", "UnCLIPScheduler", "CogVideoXDDIMScheduler",
        "CogVideoXDPMScheduler", "SCMScheduler", "IPNDMScheduler", "DDPMWuerstchenScheduler", "EDMEulerScheduler",
        "EDMDPMSolverMultistepScheduler", "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler",
        "FlowMatchLCMScheduler", "LTXEulerAncestralRFScheduler", "CMStochasticIterativeScheduler", "LCMScheduler",
    ):  # fmt: skip
        scheduler = getattr(diffusers, kind)()
        accepted = inspect.signature(scheduler.set_timesteps).parameters
        scheduler.set_timesteps(5, **({"intermediate_timesteps": None} if "intermediate_timesteps" in accepted else {}))
        assert schedule_problem(scheduler, kind, 5) is None, kind


OF_OTHERS = {Networks.FLOW: "FlowMatchEulerDiscreteScheduler", Networks.EDM: "EDMEulerScheduler"}


def most_steps_of(sampler: str) -> Any:
    """A scheduler for 1,000 steps: a sampler's over a model that it is for, or of a class that a model brings."""
    if sampler not in SAMPLERS:
        return getattr(diffusers, sampler)()
    kind = OF_OTHERS.get(SAMPLERS[sampler].networks)
    base = getattr(diffusers, kind)() if kind else scheduler_of("DDPMScheduler", {"timestep_spacing": "trailing"})
    return make_scheduler(sampler, base.config, 1000)


def stays_finite(scheduler: Any, steps: int) -> bool:
    """Whether diffusers alone, with a network that halves its input, comes to finite numbers."""
    chance = torch.Generator().manual_seed(1)
    state = torch.randn(1, 3, 4, 4, generator=chance)
    try:
        scheduler.set_timesteps(steps)
        state = state * getattr(scheduler, "init_noise_sigma", 1.0)
        drawn = {"generator": chance} if "generator" in inspect.signature(scheduler.step).parameters else {}
        for timestep in scheduler.timesteps:
            scaled = scheduler.scale_model_input(state, timestep) if hasattr(scheduler, "scale_model_input") else state
            state = scheduler.step(scaled / 2, timestep, state, **drawn).prev_sample
    except (ValueError, IndexError, ZeroDivisionError, AssertionError):
        return False
    return bool(torch.isfinite(state).all())


SLOW = ("lms",)
"""It integrates its coefficients anew at each step: ten seconds for so many."""
AT_MOST = (*(each for each, row in SAMPLERS.items() if row.scheduler and each not in SLOW), "IPNDMScheduler")


@pytest.mark.parametrize("sampler", AT_MOST)
def test_the_most_steps_run_with_every_sampler_or_are_refused_before(sampler: str) -> None:
    with np.errstate(all="ignore"):
        problem = found_before(most_steps_of(sampler), 1000)
        assert (problem is None) == stays_finite(most_steps_of(sampler), 1000), problem
