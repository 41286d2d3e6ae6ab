"""Pipelines in several stages, and states that are packed or no pictures: observed, or refused with a reason."""

import copy
import threading
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DiffusionPipeline, UnCLIPScheduler

from sculptor_app.core.errors import SamplerFailed
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.pipelines.layout import StateLayout
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.fork import fork
from tests.diffusion.gaussian import GaussianNetwork
from tests.helpers.tiny_pipelines import build

STEPS = 4


def loop(scheduler: Any, network: Any, x: torch.Tensor, steps: int, generator: torch.Generator) -> torch.Tensor:
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        answer = network(x, t) if x.ndim == 4 else x / 2
        x = scheduler.step(answer, t, x, generator=generator).prev_sample
    return x


class StagedPipeline(DiffusionPipeline):
    """Draws an embedding, a picture from it, and a larger picture: as unCLIP or Kandinsky do.

    Args:
        unet: Of the pictures.
        prior_scheduler: Of the embedding; its noise levels are not known.
        scheduler: Of the picture.
        super_res_scheduler: Of the larger one.
    """

    def __init__(
        self,
        unet: GaussianNetwork,
        prior_scheduler: UnCLIPScheduler,
        scheduler: DDPMScheduler,
        super_res_scheduler: DDPMScheduler,
    ) -> None:
        super().__init__()
        self.register_modules(
            unet=unet, prior_scheduler=prior_scheduler, scheduler=scheduler, super_res_scheduler=super_res_scheduler
        )

    @torch.no_grad()
    def __call__(self, num_inference_steps: int = STEPS, generator: torch.Generator | None = None) -> torch.Tensor:
        assert generator is not None
        embedding = loop(self.prior_scheduler, None, torch.randn(1, 8, generator=generator), 3, generator)
        x = torch.randn(1, 3, 16, 16, generator=generator) + embedding.mean()
        x = loop(self.scheduler, self.unet, x, num_inference_steps, generator)
        large = torch.randn(1, 3, 32, 32, generator=generator) + x.mean()
        return loop(self.super_res_scheduler, self.unet, large, 2, generator)


@pytest.fixture
def staged(tmp_path: Path) -> tuple[Engine, RunRequest]:
    betas = {"prediction_type": "v_prediction", "beta_schedule": "squaredcos_cap_v2", "clip_sample": False}
    schedulers = UnCLIPScheduler(prediction_type="sample"), DDPMScheduler(**betas), DDPMScheduler(**betas)
    pipeline = StagedPipeline(GaussianNetwork(size=16), *schedulers)
    request = RunRequest(steps=STEPS, sampler=OWN_SAMPLER, model=str(tmp_path), device="cpu")
    return Engine(lambda *_, **__: pipeline), request


def finish(engine: Engine, request: RunRequest) -> Trajectory:
    trajectory: Trajectory = list(sample(engine, request, threading.Event()))[-1].trajectory
    return trajectory


def test_of_several_stages_the_first_that_makes_a_picture_is_shown(staged: tuple[Engine, RunRequest]) -> None:
    engine, request = staged
    trajectory = finish(engine, request)
    assert trajectory.is_complete
    assert (trajectory.planned_steps, trajectory.shape) == (STEPS, (3, 16, 16))
    assert trajectory.info.note == (
        "This model works in stages (prior_scheduler, scheduler, super_res_scheduler); "
        "the first that makes a picture is shown."
    )
    again = finish(engine, request)
    np.testing.assert_array_equal(trajectory.state(STEPS), again.state(STEPS))


def test_a_stage_before_the_fork_is_run_again(staged: tuple[Engine, RunRequest]) -> None:
    engine, request = staged
    whole = finish(engine, request)
    made = list(fork(whole, 2, engine, threading.Event()))[-1].trajectory
    np.testing.assert_array_equal(whole.state(STEPS), made.state(STEPS))


def test_several_stages_keep_their_own_samplers(staged: tuple[Engine, RunRequest]) -> None:
    engine, request = staged
    with pytest.raises(RequestError, match="cannot be run with the sampler 'ddim'; choose one of model"):
        finish(engine, RunRequest(**{**request.as_dict(), "sampler": "ddim"}))


def run_of(call: Any, tmp_path: Path) -> Trajectory:
    """A run of a pipeline whose call is the given function of (self, generator)."""

    class Odd(DiffusionPipeline):
        def __init__(self, unet: GaussianNetwork, scheduler: DDIMScheduler) -> None:
            super().__init__()
            self.register_modules(unet=unet, scheduler=scheduler)

        @torch.no_grad()
        def __call__(self, num_inference_steps: int = STEPS, generator: torch.Generator | None = None) -> Any:
            return call(self, num_inference_steps, generator)

    betas = {"prediction_type": "v_prediction", "beta_schedule": "squaredcos_cap_v2", "clip_sample": False}
    pipeline = Odd(GaussianNetwork(size=16), DDIMScheduler(**betas))
    engine = Engine(lambda *_, **__: pipeline)
    return finish(engine, RunRequest(steps=STEPS, sampler=OWN_SAMPLER, model=str(tmp_path), device="cpu"))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def test_a_second_run_of_the_same_scheduler_is_not_mixed_into_the_first(tmp_path: Path) -> None:
    def twice(self: Any, steps: int, generator: Any) -> Any:
        first = loop(self.scheduler, self.unet, noise(1, 3, 16, 16), steps, generator)
        results.append(first)
        return loop(self.scheduler, self.unet, noise(1, 3, 32, 32), steps, generator)

    results: list[torch.Tensor] = []
    trajectory = run_of(twice, tmp_path)
    assert trajectory.is_complete
    np.testing.assert_array_equal(trajectory.state(STEPS), results[0][0].numpy())


def test_a_copy_of_the_scheduler_that_runs_beside_it_is_not_mixed_in(tmp_path: Path) -> None:
    def beside(self: Any, steps: int, generator: Any) -> Any:
        self.scheduler.set_timesteps(steps)
        other = copy.deepcopy(self.scheduler)
        x, sound = noise(1, 3, 16, 16), noise(1, 5, 7)
        for t in self.scheduler.timesteps:
            x = self.scheduler.step(self.unet(x, t), t, x).prev_sample
            sound = other.step(sound, t, sound).prev_sample
        return x

    assert run_of(beside, tmp_path).is_complete


def test_steps_in_pieces_are_not_shown_as_if_they_were_whole(tmp_path: Path) -> None:
    """As panoramas do: every step of the schedule is taken for one view after the other."""

    def pieces(self: Any, steps: int, generator: Any) -> Any:
        self.scheduler.set_timesteps(steps)
        x = noise(1, 3, 16, 16)
        for t in self.scheduler.timesteps:
            for _ in range(2):
                x = self.scheduler.step(self.unet(x, t), t, x).prev_sample
        return x

    with pytest.raises(SamplerFailed, match="steps come in an unknown order: 750 in place of 500"):
        run_of(pieces, tmp_path)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((1, 3, 5, 8, 8), r"shape \(1, 3, 5, 8, 8\) of a video, which is no picture"),
        ((1, 2, 64), r"shape \(1, 2, 64\), which is no picture"),
        ((1, 64), r"shape \(1, 64\), which is no picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_sentence(shape: tuple[int, ...], sentence: str, tmp_path: Path) -> None:
    def other(self: Any, steps: int, generator: Any) -> Any:
        self.scheduler.set_timesteps(steps)
        x = noise(*shape)
        for t in self.scheduler.timesteps:
            x = self.scheduler.step(x, t, x).prev_sample
        return x

    with pytest.raises(SamplerFailed, match=sentence):
        run_of(other, tmp_path)


def test_a_video_of_one_frame_is_a_picture(tmp_path: Path) -> None:
    def one(self: Any, steps: int, generator: Any) -> Any:
        self.scheduler.set_timesteps(steps)
        x = noise(1, 3, 1, 8, 8)
        for t in self.scheduler.timesteps:
            x = self.scheduler.step(x / 2, t, x).prev_sample
        return x

    trajectory = run_of(one, tmp_path)
    assert trajectory.shape == (3, 8, 8)
    assert trajectory.guess(1) is not None


def test_a_model_of_videos_is_refused_before_it_runs(tmp_path: Path) -> None:
    pipeline = build("stable_diffusion")
    pipeline.__class__ = diffusers.TextToVideoSDPipeline
    engine = Engine(lambda *_, **__: pipeline)
    with pytest.raises(
        RequestError, match=r"makes a video; Sculptor shows how .*\. Choose a model that makes pictures"
    ):
        finish(engine, RunRequest(sampler=OWN_SAMPLER, model=str(tmp_path), device="cpu"))


PACKED = StateLayout("latents", channels=4, factor=8, patch=2)


def test_packed_states_are_laid_out_as_they_were_made() -> None:
    picture = torch.arange(4 * 6 * 10, dtype=torch.float32).reshape(1, 4, 6, 10)
    tokens = picture.reshape(1, 4, 3, 2, 5, 2).permute(0, 2, 4, 1, 3, 5).reshape(1, 15, 16)
    look = FrameConverter(PACKED, (6 * 8, 10 * 8))
    assert look.is_picture(tokens)
    np.testing.assert_array_equal(look.frames(tokens)[0], picture[0].numpy())


def test_without_a_size_packed_states_are_taken_for_a_square() -> None:
    assert FrameConverter(PACKED).frames(torch.zeros(2, 9, 16))[1].shape == (4, 6, 6)
    assert not FrameConverter(PACKED).is_picture(torch.zeros(1, 10, 16))
    with pytest.raises(SamplerFailed, match=r"\(1, 10, 16\), packed in a way that is not known here"):
        FrameConverter(PACKED).frames(torch.zeros(1, 10, 16))
