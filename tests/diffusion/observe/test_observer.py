"""The observer changes nothing: bit-identical runs, and no trace of it afterwards."""

import copy
import functools
import inspect
import pickle
import threading
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from sculptor_app.core.errors import Cancelled, SamplerFailed
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.observe import observer as observer_module
from sculptor_app.diffusion.observe.frames import to_frame, to_frames
from sculptor_app.diffusion.observe.observer import BatchObserver, Observer, ObserverOptions, observed
from sculptor_app.diffusion.pipelines.networks import networks_of
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.samplers.levels import Call
from sculptor_app.diffusion.samplers.schedulers import make_scheduler
from sculptor_app.diffusion.sampling.sample import GreenletCoroutine, sample, yield_to_caller
from tests.diffusion.gaussian import gaussian_pipeline
from tests.helpers.any_pipeline import built, engine_of, request_for

STEPS = 6


class Notes:
    """Everything that an observer reports."""

    def __init__(self) -> None:
        self.starts: list[Frame] = []
        self.plan: tuple[Call, ...] = ()
        self.steps: list[Step] = []
        self.observer = Observer(self._start, self.steps.append)

    def _start(self, frame: Frame, plan: tuple[Call, ...]) -> None:
        self.starts.append(frame)
        self.plan = plan


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> SculptorPipeline:
    return load_sculptor(tiny_model)


def run(pipeline: Any, sampler: str, seed: int = 3) -> torch.Tensor:
    pipeline.scheduler = make_scheduler(sampler, dict(pipeline.scheduler.config), STEPS)
    return call(pipeline, seed)


def call(pipeline: Any, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(seed)
    result = pipeline(form=1, material=2, num_inference_steps=STEPS, generator=generator, output_type="pt")
    images: torch.Tensor = result.images
    return images


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_bit_identical_with_and_without(pipeline: SculptorPipeline, sampler: str) -> None:
    bare = run(pipeline, sampler)
    pipeline.scheduler = make_scheduler(sampler, dict(pipeline.scheduler.config), STEPS)
    notes = Notes()
    with observed(pipeline.scheduler, notes.observer):
        watched = call(pipeline)
    assert torch.equal(bare, watched)
    assert len(notes.steps) == len(notes.plan) == (2 * STEPS - 1 if sampler == "heun" else STEPS)
    assert [step.number for step in notes.steps if step.completes] == list(range(1, STEPS + 1))
    last = torch.from_numpy(notes.steps[-1].state)[None]
    assert torch.equal((last / 2 + 0.5).clamp(0, 1), watched)  # the last state is the picture


@pytest.mark.parametrize("sampler", ["ddpm", "heun", "unipc"])
def test_the_run_after_a_cancelled_one_is_bit_identical(pipeline: SculptorPipeline, sampler: str) -> None:
    never_cancelled = run(pipeline, sampler)

    def cancel(step: Step) -> None:
        if step.number == 3:
            raise Cancelled

    pipeline.scheduler = make_scheduler(sampler, dict(pipeline.scheduler.config), STEPS)
    with pytest.raises(Cancelled), observed(pipeline.scheduler, Observer(lambda start, plan: None, cancel)):
        call(pipeline)
    assert torch.equal(call(pipeline), never_cancelled)  # the same scheduler object, too


@pytest.mark.parametrize("inherits", [False, True])
def test_a_pipeline_finds_nothing_of_it(inherits: bool) -> None:
    scheduler = (Plain if inherits else diffusers.DDIMScheduler)()
    kind, step, signature = type(scheduler), type(scheduler).step, inspect.signature(scheduler.step)
    defined = {name: vars(kind).get(name) for name in ("step", "scale_model_input")}
    with observed(scheduler, Notes().observer):
        assert type(scheduler) is scheduler.__class__ is kind
        assert inspect.signature(scheduler.step) == signature
        assert set(vars(scheduler)) == set(vars(kind()))
        for copied in (copy.copy(scheduler), copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))):
            assert type(copied) is kind
            assert copied.config == scheduler.config
        assert scheduler.from_config(scheduler.config).config == scheduler.config
    assert {name: vars(kind).get(name) for name in defined} == defined
    with pytest.raises(ZeroDivisionError), observed(scheduler, Notes().observer):
        raise ZeroDivisionError
    assert type(scheduler).step is step


class Plain(diffusers.DDIMScheduler):  # type: ignore[misc]
    """A scheduler without a `step` of its own."""


def test_a_network_is_copied_and_pickled_in_mid_run_and_its_copies_report_nothing(tmp_path: Path) -> None:
    (network,) = networks_of(built("ddpm")[0]).values()
    events = sample(engine_of("ddpm"), request_for("ddpm", tmp_path), threading.Event(), watch_guidance=True)
    next(events)
    assert len(network._forward_hooks) == 2  # what its outputs are, and their shapes
    assert len(network._forward_pre_hooks) == 1
    values = torch.zeros(1, 3, 8, 8)
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert type(copied) is type(network)
        with torch.no_grad():
            assert copied(values, 3).sample.shape == values.shape
    *_, last = events
    assert [last.trajectory.step(k).number for k in range(1, 5)] == [1, 2, 3, 4]
    assert not network._forward_hooks
    assert not network._forward_pre_hooks


def test_runs_side_by_side_see_their_own_steps_alone() -> None:
    """In greenlets of one thread, and in another thread that nobody watches."""
    notes = [Notes(), Notes()]

    def run_watched(each: Notes) -> None:
        pipeline = gaussian_pipeline(16)
        each.observer._on_step = lambda steps: (each.steps.extend(steps), yield_to_caller(len(each.steps)))  # type: ignore[assignment]
        with observed(pipeline.scheduler, each.observer):
            pipeline(num_inference_steps=3)

    runs = [GreenletCoroutine(functools.partial(run_watched, each)) for each in notes]
    for _ in range(3):
        for run in runs:
            run.resume()
        other = threading.Thread(target=lambda: gaussian_pipeline(16)(num_inference_steps=2))
        other.start()
        other.join()
        gaussian_pipeline(16)(num_inference_steps=2)
    for run in runs:
        run.resume()
        assert run.is_over
    assert [[step.number for step in each.steps] for each in notes] == [[1, 2, 3]] * 2
    assert not hasattr(type(gaussian_pipeline(16).scheduler).step, "runs")


def test_noise_is_reported_before_the_network_is_asked() -> None:
    pipeline = gaussian_pipeline(16)
    notes = Notes()
    seen: list[int] = []
    pipeline.unet.register_forward_pre_hook(lambda module, inputs: seen.append(len(notes.starts)))
    with observed(pipeline.scheduler, notes.observer):
        pipeline(num_inference_steps=3, generator=torch.Generator().manual_seed(5))
    assert seen == [1, 1, 1]
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    np.testing.assert_array_equal(notes.starts[0], noise[0].numpy())


def test_steps_carry_levels_times_and_copies() -> None:
    pipeline = gaussian_pipeline(16)
    notes = Notes()
    with observed(pipeline.scheduler, notes.observer):
        result = pipeline(num_inference_steps=4)
    assert [step.timestep for step in notes.steps] == pipeline.scheduler.timesteps.tolist()
    for earlier, later in zip(notes.steps, notes.steps[1:], strict=False):
        assert earlier.after == later.before
        assert earlier.before.log_snr < earlier.after.log_snr
    assert all(step.duration_s > 0 for step in notes.steps)
    kept = notes.steps[-1].state.copy()
    result.zero_()  # what the pipeline does later with its tensor does not reach the record
    np.testing.assert_array_equal(notes.steps[-1].state, kept)


class Clock:
    """A clock that stands unless it is moved on."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("scales", [False, True])
def test_a_step_takes_the_time_of_its_evaluation_and_not_of_who_looks_on(
    scales: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, steps = Clock(), list[Step]()
    monkeypatch.setattr(observer_module, "time", clock)
    pipeline = gaussian_pipeline(16)
    scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(3)
    pipeline.unet.register_forward_hook(lambda *_: clock.move(2))
    observer = Observer(
        lambda start, plan: clock.move(100),
        lambda step: (steps.append(step), clock.move(1000))[0],
        options=ObserverOptions(networks=[pipeline.unet]),
    )
    clock.move(50)  # the model is loaded, the prompt encoded
    x = torch.randn(1, 3, 16, 16)
    with observed(scheduler, observer):
        for timestep in scheduler.timesteps:
            seen = scheduler.scale_model_input(x, timestep) if scales else x
            x = scheduler.step(pipeline.unet(seen, timestep), timestep, x).prev_sample
    assert [step.duration_s for step in steps] == [2, 2, 2]


def test_what_fails_after_a_step_does_not_lose_it() -> None:
    """As a decoder may, for which there is no memory."""
    pipeline, notes = gaussian_pipeline(16), Notes()

    def run_and_fail() -> None:
        with observed(pipeline.scheduler, notes.observer):
            pipeline(num_inference_steps=3)
            raise MemoryError

    with pytest.raises(MemoryError):
        run_and_fail()
    assert [step.number for step in notes.steps] == [1, 2, 3]


def test_a_run_may_start_late() -> None:
    """As image-to-image pipelines do: the schedule's first entries are left out, and the steps count from 1."""
    pipeline = gaussian_pipeline(16)
    scheduler = diffusers.EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(10)
    scheduler.set_begin_index(6)
    notes = Notes()
    x = torch.ones(1, 3, 16, 16)
    with observed(scheduler, notes.observer):
        for timestep in scheduler.timesteps[6:]:
            x = scheduler.step(torch.zeros_like(x), timestep, scheduler.scale_model_input(x, timestep)).prev_sample
    assert [step.number for step in notes.steps] == [1, 2, 3, 4]
    assert notes.steps[0].before.noise == pytest.approx(float(scheduler.sigmas[6]))


def test_an_unknown_scheduler_has_a_plan_and_no_guess() -> None:
    """It is told at which level of its table the network is; which the last state has is not known."""
    scheduler, notes = diffusers.RePaintScheduler(), Notes()
    scheduler.set_timesteps(4, jump_length=1, jump_n_sample=1)
    x = torch.zeros(1, 3, 4, 4)
    with observed(scheduler, notes.observer):
        for timestep in scheduler.timesteps:
            scheduler.scale_model_input(x, timestep)
            x = scheduler.step(x, timestep, x, x, x).prev_sample
    assert [step.number for step in notes.steps] == [1, 2, 3, 4]
    alphas = scheduler.alphas_cumprod[scheduler.timesteps]
    assert [step.before.signal**2 for step in notes.steps] == pytest.approx(alphas.tolist())
    assert not notes.steps[-1].after.is_known
    assert all(step.guess is None and "RePaintScheduler" in step.guess_note for step in notes.steps)


def test_values_that_are_no_numbers_end_the_run() -> None:
    pipeline = gaussian_pipeline(16)
    notes = Notes()

    def spoil(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        return output * float("nan") if len(notes.steps) == 2 else output

    pipeline.unet.register_forward_hook(spoil)
    with (
        pytest.raises(SamplerFailed, match="Step 3 gave NaN or infinite values"),
        observed(pipeline.scheduler, notes.observer),
    ):
        pipeline(num_inference_steps=5)
    assert len(notes.steps) == 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_frames_are_float32_of_the_first_picture(dtype: torch.dtype) -> None:
    batch = torch.stack([torch.full((3, 2, 2), 0.5), torch.zeros(3, 2, 2)]).to(dtype)
    frame = to_frame(batch)
    assert (frame.dtype, frame.shape) == (np.float32, (3, 2, 2))
    assert (frame == 0.5).all()


def test_every_picture_of_a_batch_is_reported() -> None:
    pipeline = gaussian_pipeline(16)
    starts: list[list[Frame]] = []
    steps: list[list[Step]] = []
    scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(4)
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    start = x.clone()
    with observed(scheduler, BatchObserver(lambda frames, plan: starts.append(frames), steps.append)):
        for timestep in scheduler.timesteps:
            x = scheduler.step(0.5 * x, timestep, scheduler.scale_model_input(x, timestep)).prev_sample
    assert len(starts) == 1
    np.testing.assert_array_equal(np.stack(starts[0]), start.numpy())
    assert [[step.number for step in each] for each in steps] == [[k] * 3 for k in (1, 2, 3, 4)]
    np.testing.assert_array_equal(np.stack([step.state for step in steps[-1]]), x.numpy())
    assert all(step.guess is not None for each in steps for step in each)
    assert len({id(step.state.base) for step in steps[-1]}) == 3  # each of its own memory


def test_any_picture_of_a_batch() -> None:
    batch = torch.arange(24.0).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(to_frame(batch, 1), batch[1].numpy())
    assert [frame.shape for frame in to_frames(batch)] == [(3, 2, 2)] * 2


def test_packed_states_are_refused_in_words() -> None:
    with pytest.raises(SamplerFailed, match=r"\(1, 16, 64\), which is no picture"):
        to_frame(torch.zeros(1, 16, 64))
