"""The samplers on offer and their noise levels, at every number of steps that a person may ask for."""

import itertools
import math
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, SAMPLERS, Networks
from sculptor_app.core.trajectory.levels import NoiseLevel, phase_spans
from sculptor_app.diffusion.samplers.levels import UnknownSchedulerError, kind_of, level_of, plan_calls, plan_levels
from sculptor_app.diffusion.samplers.schedulers import EvenDDIMScheduler, EvenUniPCScheduler, make_scheduler

COSINE = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "clip_sample": True}


def ready(sampler: str, steps: int) -> Any:
    scheduler = make_scheduler(sampler, COSINE, steps)
    scheduler.set_timesteps(steps)
    return scheduler


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 39, 40, 50, 995, 996, 999, 1000])
def test_levels_go_from_noise_to_the_picture(sampler: str, steps: int) -> None:
    levels = plan_levels(ready(sampler, steps))
    assert len(levels) == steps + 1
    assert levels[0].snr < 1e-4
    assert levels[-1].noise == 0
    log_snr = [level.log_snr for level in levels]
    assert all(earlier < later for earlier, later in itertools.pairwise(log_snr))


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_the_first_noise_fits_the_first_level(sampler: str) -> None:
    """Noise of the scheduler's own size is what a state of level 0 is made of, but for the last bits."""
    scheduler = ready(sampler, 50)
    assert float(scheduler.init_noise_sigma) == pytest.approx(level_of(scheduler, 0).scale, rel=1e-4)


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_levels_are_those_of_the_schedulers_own_noising(sampler: str) -> None:
    """`add_noise` is the oracle: a picture of ones with noise of ones becomes a + s, and with none becomes a."""
    scheduler = ready(sampler, 20)
    for index in range(0, len(scheduler.timesteps), 2):
        timestep = scheduler.timesteps[index : index + 1]
        ones, zeros = torch.ones(1, 1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, 1, dtype=torch.float64)
        level = level_of(scheduler, index)
        assert float(scheduler.add_noise(ones, zeros, timestep)) == pytest.approx(level.signal, rel=1e-6)
        assert float(scheduler.add_noise(zeros, ones, timestep)) == pytest.approx(level.noise, rel=1e-6)


def test_default_spacing_is_the_one_of_the_phases() -> None:
    assert ready("ddim", 50).timesteps.tolist() == np.linspace(0, 999, 50).round()[::-1].astype(int).tolist()


def test_heun_calls_twice_for_all_steps_but_the_last() -> None:
    calls = plan_calls(ready("heun", 3))
    assert [(call.number, call.stage, call.completes) for call in calls] == [
        (1, 0, False),
        (1, 1, True),
        (2, 0, False),
        (2, 1, True),
        (3, 0, True),
    ]
    assert calls[1].before == calls[1].after == calls[2].before


@pytest.mark.parametrize(("skip", "calls_per_step"), [(True, [2, *[1] * 11]), (False, [4, 4, 4, *[1] * 9])])
def test_pndm_warms_up(skip: bool, calls_per_step: list[int]) -> None:
    scheduler = diffusers.PNDMScheduler(skip_prk_steps=skip)
    scheduler.set_timesteps(12)
    calls = plan_calls(scheduler)
    assert [sum(call.number == step for call in calls) for step in range(1, 13)] == calls_per_step
    assert [call.number for call in calls if call.completes] == list(range(1, 13))


def test_even_ddim_lands_on_its_next_timestep() -> None:
    """A network that knows the picture leads along x = a x0 + s n, at the levels that it is told."""
    scheduler = make_scheduler("ddim", {**COSINE, "clip_sample": False}, 3)
    scheduler.set_timesteps(3)
    picture, noise = torch.tensor([[[[0.5]]]]), torch.tensor([[[[1.0]]]])
    x = noise
    for index, timestep in enumerate(scheduler.timesteps):
        level = level_of(scheduler, index)
        assert float(x) == pytest.approx(level.signal * 0.5 + level.noise, abs=1e-4)
        x = scheduler.step(level.signal * noise - level.noise * picture, timestep, x).prev_sample
        assert scheduler.num_inference_steps == 3
    assert float(x) == pytest.approx(0.5, abs=1e-4)


def test_even_ddim_is_plain_ddim_where_that_is_right() -> None:
    plain = diffusers.DDIMScheduler.from_config(COSINE, timestep_spacing="leading")
    even = EvenDDIMScheduler.from_config(COSINE, timestep_spacing="leading")
    x = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for scheduler in (plain, even):
        scheduler.set_timesteps(50)
    for timestep in plain.timesteps:
        v = x / 3
        first, second = (scheduler.step(v, timestep, x, return_dict=False)[0] for scheduler in (plain, even))
        assert torch.equal(first, second)
        x = first


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 50, 999, 1000])
def test_unipc_makes_states_of_the_levels_of_ddim(steps: int) -> None:
    ddim, unipc = (make_scheduler(sampler, COSINE, steps) for sampler in ("ddim", "unipc"))
    for scheduler in (ddim, unipc):
        scheduler.set_timesteps(steps)
    assert unipc.timesteps.tolist() == ddim.timesteps.tolist()
    for first, second in zip(plan_levels(ddim), plan_levels(unipc), strict=True):
        assert (second.signal, second.noise) == pytest.approx((first.signal, first.noise), abs=1e-5)


def test_the_phases_of_fifty_steps_of_unipc_are_those_of_the_mission() -> None:
    scheduler = make_scheduler("unipc", COSINE, 50)
    scheduler.set_timesteps(50)
    found = [(span.first_step, span.last_step) for span in phase_spans(plan_levels(scheduler))]
    assert found == [(1, 5), (6, 15), (16, 30), (31, 50)]


@pytest.mark.parametrize("settings", [{"timestep_spacing": "leading"}, {"timestep_spacing": "trailing"},
                                      {"use_karras_sigmas": True}, {"use_flow_sigmas": True}])  # fmt: skip
def test_even_unipc_is_plain_unipc_where_the_timesteps_are_not_even(settings: dict[str, Any]) -> None:
    plain, even = (kind.from_config(COSINE, **settings) for kind in (diffusers.UniPCMultistepScheduler,
                                                                     EvenUniPCScheduler))  # fmt: skip
    for scheduler in (plain, even):
        scheduler.set_timesteps(12)
    assert torch.equal(plain.timesteps, even.timesteps)
    assert torch.equal(plain.sigmas, even.sigmas)


def test_even_unipc_comes_to_the_picture_that_its_network_knows() -> None:
    scheduler = make_scheduler("unipc", {**COSINE, "clip_sample": False}, 9)
    scheduler.set_timesteps(9)
    picture, noise = torch.tensor([[[[0.5]]]]), torch.tensor([[[[1.0]]]])
    x = noise
    for index, timestep in enumerate(scheduler.timesteps):
        level = level_of(scheduler, index)
        assert float(x) == pytest.approx(level.signal * 0.5 + level.noise, abs=1e-4)
        x = scheduler.step(level.signal * noise - level.noise * picture, timestep, x).prev_sample
    assert float(x) == pytest.approx(0.5, abs=1e-4)


def test_unknown_schedulers_are_not_guessed_at() -> None:
    with pytest.raises(UnknownSchedulerError, match="RePaintScheduler"):
        kind_of(diffusers.RePaintScheduler())


def test_a_strangers_step_is_not_known() -> None:
    class Stranger(diffusers.DDIMScheduler):
        def step(self, *args: Any, **kwargs: Any) -> Any:
            return super().step(*args, **kwargs)

    with pytest.raises(UnknownSchedulerError, match="Stranger"):
        plan_levels(Stranger())


def test_a_subclass_that_keeps_the_step_is_known() -> None:
    class Renamed(diffusers.EulerDiscreteScheduler):
        pass

    scheduler = Renamed()
    scheduler.set_timesteps(4)
    assert plan_levels(scheduler)[-1] == NoiseLevel(1.0, 0.0)
    assert math.isinf(plan_levels(scheduler)[-1].snr)


SD_BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "timestep_spacing": "leading"}
SWITCHES = {"algorithm_type": "sde-dpmsolver++", "solver_type": "midpoint", "final_sigmas_type": "zero"}


@pytest.mark.parametrize("sampler", [row.id for row in SAMPLERS.values() if row.networks is Networks.BETAS])
@pytest.mark.parametrize("spacing", ["exponential_sigmas", "beta_sigmas", "karras_sigmas", "lu_lambdas"])
# WORKAROUND: diffusers 0.42.1 calls numpy functions on tensors in some set_timesteps, and numpy 2 warns about it.
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning")
def test_a_sampler_has_its_own_spacing_and_algorithm_whatever_the_models_own_sampler_has(
    sampler: str, spacing: str
) -> None:
    """A model that came with DPM-Solver++ SDE and spaced levels, against one of the same betas that came with DDIM."""
    own = diffusers.DPMSolverMultistepScheduler(**SD_BETAS, **SWITCHES, **{f"use_{spacing}": True})
    plain = diffusers.DDIMScheduler(**SD_BETAS)
    levels = []
    for each in (own, plain):
        scheduler = make_scheduler(sampler, {**each.config, "_class_name": type(each).__name__}, 10)
        scheduler.set_timesteps(10)
        levels.append(plan_levels(scheduler))
    assert levels[0] == levels[1]
