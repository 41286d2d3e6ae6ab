"""Guesses from a network's output: closed forms, and the limits that a scheduler puts on them."""

import math
from typing import Any

import diffusers
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.samplers.levels import UnknownSchedulerError, level_of, plan_calls
from sculptor_app.diffusion.samplers.predictions import NoExactRuleError, clean_from, guess_of
from sculptor_app.diffusion.samplers.schedulers import make_scheduler

CLEAN_PICTURE = torch.tensor([[[[0.5, -0.25], [1.0, -1.5]]]], dtype=torch.float64)
NOISE = torch.tensor([[[[1.0, 2.0], [-0.5, 0.25]]]], dtype=torch.float64)


def noisy(level: NoiseLevel) -> torch.Tensor:
    return level.signal * CLEAN_PICTURE + level.noise * NOISE


def output(prediction_type: str, level: NoiseLevel) -> torch.Tensor:
    """What a perfect network says; v is that of the state scaled to unit variance."""
    a, s = level.signal / level.scale, level.noise / level.scale
    return {
        "epsilon": NOISE,
        "sample": CLEAN_PICTURE,
        "v_prediction": a * NOISE - s * CLEAN_PICTURE,
        "flow_prediction": NOISE - CLEAN_PICTURE,
    }[prediction_type]


@given(st.floats(0.01, 1), st.floats(0.01, 100), st.sampled_from(["epsilon", "sample", "v_prediction"]))
def test_round_trip(signal: float, noise: float, prediction_type: str) -> None:
    """The guess of a perfect network is the picture, at any level."""
    level = NoiseLevel(signal, noise)
    x = noisy(level)
    guess = clean_from(prediction_type, x, output(prediction_type, level), level)
    torch.testing.assert_close(guess, CLEAN_PICTURE, rtol=1e-9, atol=1e-8)


@given(st.floats(0, 1))
def test_round_trip_of_flows(sigma: float) -> None:
    level = NoiseLevel(1 - sigma, sigma)
    guess = clean_from("flow_prediction", noisy(level), output("flow_prediction", level), level)
    torch.testing.assert_close(guess, CLEAN_PICTURE, rtol=1e-12, atol=1e-12)


def test_known_answer_of_v() -> None:
    """At 45 degrees: v = (n - x0)/sqrt 2 and x = (n + x0)/sqrt 2, so x0 = (x - v)/sqrt 2."""
    level = NoiseLevel(0.5**0.5, 0.5**0.5)
    x, v = torch.tensor([3.0]), torch.tensor([1.0])
    assert clean_from("v_prediction", x, v, level).item() == pytest.approx(2**0.5)


def test_no_guess_where_there_is_no_rule() -> None:
    with pytest.raises(NoExactRuleError, match="predicts 'charm'"):
        clean_from("charm", NOISE, NOISE, NoiseLevel(1, 1))
    with pytest.raises(NoExactRuleError, match="pure noise"):
        clean_from("epsilon", NOISE, NOISE, NoiseLevel(0, 1))


def running(kind: str, **settings: Any) -> Any:
    scheduler = getattr(diffusers, kind)(beta_schedule="squaredcos_cap_v2", **settings)
    scheduler.set_timesteps(10)
    return scheduler


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
@pytest.mark.parametrize("clip", [False, True])
def test_guess_is_the_one_that_the_scheduler_goes_on_with(sampler: str, clip: bool) -> None:
    """Against what the scheduler itself says, for those that say it."""
    base = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "clip_sample": clip}
    scheduler = make_scheduler(sampler, base, 10)
    scheduler.set_timesteps(10)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 3, 8, 8, generator=generator) * float(scheduler.init_noise_sigma)
    clipped = 0
    for index, timestep in enumerate(scheduler.timesteps):
        seen = scheduler.scale_model_input(x, timestep)
        v = 1.5 * torch.randn(x.shape, generator=generator) - seen / 2
        guess = guess_of(scheduler, x, v, level_of(scheduler, index))
        clipped += int((guess.abs() == 1).sum())
        result = scheduler.step(v, timestep, x)
        own = result.get("pred_original_sample")
        if own is None:  # the multistep solvers keep it for their next step
            own = scheduler.model_outputs[-1]
        torch.testing.assert_close(guess, own, rtol=1e-5, atol=1e-5 * float(x.abs().max()))
        x = result.prev_sample
    assert (clipped > 0) == (clip and sampler in ("ddim", "ddpm", "heun"))


@pytest.mark.parametrize("kind", ["DDPMScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler"])
def test_thresholding_is_the_schedulers_own(kind: str) -> None:
    scheduler = running(kind, thresholding=True, prediction_type="sample", sample_max_value=2.0)
    said = 3 * torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    guess = guess_of(scheduler, torch.zeros_like(said), said, NoiseLevel(1, 1))
    quantile = min(float(torch.quantile(said.abs(), 0.995)), 2.0)
    torch.testing.assert_close(guess, said.clamp(-quantile, quantile) / quantile)


COSINES = {"beta_schedule": "squaredcos_cap_v2", "clip_sample": False, "prediction_type": "epsilon"}


def cosine_alpha_bar(t: float, s: float = 0.008) -> float:
    """Of the time 0 (picture) to 1; Wuerstchen keeps it within [0.0001, 0.9999]."""
    at = math.cos((t + s) / (1 + s) * math.pi / 2) ** 2 / math.cos(s / (1 + s) * math.pi / 2) ** 2
    return min(max(at, 1e-4), 0.9999)


OF_TIMESTEP: dict[str, Any] = {
    # Signal, noise and the network's answer, by the timestep that it is told, as each paper has them.
    "SCMScheduler": lambda t: (0.5 * math.cos(t), 0.5 * math.sin(t), lambda a, s: a * NOISE - s * CLEAN_PICTURE),
    "IPNDMScheduler": lambda t: (
        math.cos(t * math.pi / 2), math.sin(t * math.pi / 2), lambda a, s: a * NOISE - s * CLEAN_PICTURE
    ),
    "DDPMWuerstchenScheduler": lambda t: (
        cosine_alpha_bar(t) ** 0.5, (1 - cosine_alpha_bar(t)) ** 0.5, lambda a, s: NOISE
    ),
    "ScoreSdeVeScheduler": lambda t: (1.0, 0.01 * 134800.0**t, lambda a, s: -NOISE / s),
    "LTXEulerAncestralRFScheduler": lambda t: (1 - t / 1000, t / 1000, lambda a, s: NOISE - CLEAN_PICTURE),
}  # fmt: skip


@pytest.mark.parametrize("kind", OF_TIMESTEP)
def test_guess_of_a_network_that_knows_the_picture_by_the_timestep_that_it_is_told(kind: str) -> None:
    scheduler = getattr(diffusers, kind)()
    settings = {"intermediate_timesteps": None} if kind == "SCMScheduler" else {}
    scheduler.set_timesteps(6, **settings)
    calls = plan_calls(scheduler)
    assert len(calls) == 6
    for call, timestep in zip(calls, scheduler.timesteps.tolist(), strict=False):
        a, s, answer = OF_TIMESTEP[kind](timestep)
        x = (a * CLEAN_PICTURE + s * NOISE).float()
        guess = guess_of(scheduler, x, answer(a, s).float(), call.before)
        torch.testing.assert_close(guess, CLEAN_PICTURE.float(), rtol=1e-4, atol=2e-4 * max(1.0, s))
    assert calls[-1].after.snr > 5000


@pytest.mark.parametrize(
    "kind",
    [
        "DDIMParallelScheduler", "DDPMParallelScheduler", "UnCLIPScheduler", "CogVideoXDDIMScheduler",
        "CogVideoXDPMScheduler", "SCMScheduler",
    ],
)  # fmt: skip
def test_guess_of_what_only_comes_with_a_model_is_the_schedulers_own(kind: str) -> None:
    scheduler = getattr(diffusers, kind)(**({} if kind == "SCMScheduler" else COSINES if "Cog" not in kind else {}))
    scheduler.set_timesteps(*([5] if kind != "SCMScheduler" else [5, None, None, 1.5708, None]))
    generator = torch.Generator().manual_seed(2)
    x, own = torch.randn(1, 3, 8, 8, generator=generator), None
    for call, timestep in zip(plan_calls(scheduler), scheduler.timesteps, strict=False):
        output = torch.randn(x.shape, generator=generator)
        guess = guess_of(scheduler, x, output, call.before)
        if kind == "CogVideoXDPMScheduler":
            x, own = scheduler.step(output, None, timestep, None, x, return_dict=False)
        else:
            x, own = scheduler.step(output, timestep, x, return_dict=False)
        scale = scheduler.config.get("sigma_data", 1.0)
        torch.testing.assert_close(guess, own / scale, rtol=1e-4, atol=1e-4 * float(own.abs().max()))


def test_euler_knows_no_clipping() -> None:
    scheduler = diffusers.EulerDiscreteScheduler.from_config(
        {"clip_sample": True, "thresholding": True, "prediction_type": "sample"}
    )
    said = torch.full((1, 1, 2, 2), 3.0)
    assert (guess_of(scheduler, said, said, NoiseLevel(1, 1)) == 3).all()


def test_learned_variance_is_left_out() -> None:
    scheduler = running("DDPMScheduler", variance_type="learned_range", prediction_type="sample", clip_sample=False)
    said = torch.cat([torch.ones(1, 3, 2, 2), torch.full((1, 3, 2, 2), 9.0)], dim=1)
    assert (guess_of(scheduler, torch.zeros(1, 3, 2, 2), said, NoiseLevel(1, 1)) == 1).all()


def test_an_output_of_another_shape_gives_no_guess() -> None:
    scheduler = running("DDIMScheduler")
    with pytest.raises(NoExactRuleError, match=r"shape \(1, 6, 2, 2\) for states of shape \(1, 3, 2, 2\)"):
        guess_of(scheduler, torch.zeros(1, 3, 2, 2), torch.zeros(1, 6, 2, 2), NoiseLevel(1, 1))


def test_a_consistency_models_guess_is_what_its_last_step_returns() -> None:
    scheduler = diffusers.CMStochasticIterativeScheduler(clip_denoised=True)
    scheduler.set_timesteps(3)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 3, 8, 8, generator=generator) * float(scheduler.init_noise_sigma)
    for index, timestep in enumerate(scheduler.timesteps):
        output = torch.randn(x.shape, generator=generator)
        scheduler.scale_model_input(x, timestep)
        guess = guess_of(scheduler, x, output, level_of(scheduler, index))
        x = scheduler.step(output, timestep, x, generator=generator).prev_sample
    torch.testing.assert_close(guess, x)
    assert (guess.abs() == 1).any()


def test_edm_thresholds_as_its_scheduler_does() -> None:
    scheduler = diffusers.EDMDPMSolverMultistepScheduler(thresholding=True, sample_max_value=1.5)
    scheduler.set_timesteps(4)
    x = 80 * torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    output = 9 * torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    guess = guess_of(scheduler, x, output, level_of(scheduler, 0))
    scheduler.step(output, scheduler.timesteps[0], x)
    torch.testing.assert_close(guess, scheduler.model_outputs[-1], rtol=1e-5, atol=1e-5)


def test_flows_that_count_the_other_way_round_are_not_guessed_at() -> None:
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(invert_sigmas=True)
    scheduler.set_timesteps(4)
    with pytest.raises(UnknownSchedulerError, match="the other way round"):
        level_of(scheduler, 0)
