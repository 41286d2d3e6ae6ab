"""The most used published models, small but true in every switch: they open, run as published, and the guess is exact.

What is exact: the guess is the clean picture that the scheduler itself goes on with, in its own arithmetic; the states
are those of the bare pipeline, bit for bit; and the last one decodes to the picture that the pipeline hands out.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DOutput

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER, SAMPLERS
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.models.loader import build, check_model
from sculptor_app.diffusion.pipelines.call import call_of
from sculptor_app.diffusion.pipelines.compatibility import samplers_for
from sculptor_app.diffusion.pipelines.networks import networks_of
from sculptor_app.diffusion.pipelines.parameters import call_parameters
from sculptor_app.diffusion.samplers.schedulers import class_of, schedulers_of
from sculptor_app.diffusion.sampling.engine import Engine, PlanUnknown
from sculptor_app.diffusion.sampling.noise import global_seed
from sculptor_app.diffusion.sampling.sample import sample
from tests.helpers.any_pipeline import SEED, finish
from tests.helpers.model_repository import write_pictures, write_repository
from tests.helpers.published_models import PUBLISHED, Published

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@dataclass
class Opened:
    """A published model, opened as a person opens it."""

    model: Published
    folder: Path
    pipeline: Any

    @functools.cached_property
    def engine(self) -> Engine:
        engine = Engine(lambda *_, **__: self.pipeline)
        engine.load(str(self.folder), "cpu")
        return engine

    def request(self, **changes: Any) -> RunRequest:
        options = {
            name: str(self.folder / value) if str(value).endswith(".png") else value
            for name, value in self.model.options.items()
        }
        settings = {"sampler": OWN_SAMPLER, "steps": self.model.steps, "seed": SEED, "device": "cpu"}
        settings |= {"guidance": self.model.guidance, "options": options, "model": str(self.folder)}
        return RunRequest(**(settings | changes))


@pytest.fixture(scope="module", autouse=True)
def quick_unloading() -> Iterator[None]:
    """An engine collects garbage before it loads a model, which takes as long as many models are kept here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sculptor_app.diffusion.sampling.engine.gc", SimpleNamespace(collect=lambda: 0))
        yield


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Any:
    @functools.cache
    def open_model(name: str) -> Opened:
        folder = write_repository(PUBLISHED[name], tmp_path_factory.mktemp("hub") / name)
        height, width = PUBLISHED[name].size
        write_pictures(folder, (height // PUBLISHED[name].scale, width // PUBLISHED[name].scale))
        verdict, plan = check_model(folder, "cpu", sandbox=False)
        verdict.refuse()
        assert plan is not None
        pipeline = build(verdict, plan.dtype)
        return Opened(PUBLISHED[name], folder, pipeline)

    return open_model


@dataclass
class Seen:
    """A call of `scheduler.step`."""

    scheduler: Any
    index: int
    output: torch.Tensor
    timestep: Any
    x: torch.Tensor
    result: tuple[torch.Tensor, ...]
    converted: torch.Tensor | None  # what a multistep solver keeps of the network's output


@contextlib.contextmanager
def step_calls(kind: type) -> Iterator[list[Seen]]:
    """The calls of a scheduler class's `step` while the block runs."""
    seen: list[Seen] = []
    real = kind.step  # type: ignore[attr-defined]

    @functools.wraps(real)
    def step(self: Any, model_output: Any, timestep: Any, sample: Any, *args: Any, **named: Any) -> Any:
        x, said = sample.clone(), model_output.clone()
        index = next((each for name in ("_step_index", "_begin_index") if (each := getattr(self, name, None))), 0)
        result = real(self, model_output, timestep, sample, *args, **named)
        values = result if isinstance(result, tuple) else tuple(result.values())
        kept = getattr(self, "model_outputs", [None])[-1]
        seen.append(Seen(self, index, said, timestep, x, tuple(each.clone() for each in values), kept))
        return result

    kind.step = step  # type: ignore[attr-defined]
    try:
        yield seen
    finally:
        kind.step = real  # type: ignore[attr-defined]


def clean_picture(call: Seen) -> torch.Tensor:
    """The clean picture that a scheduler goes on with, from what it says itself."""
    scheduler, name = call.scheduler, type(call.scheduler).__name__
    if name == "FlowMatchEulerDiscreteScheduler":
        before, after = scheduler.sigmas[call.index], scheduler.sigmas[call.index + 1]
        return call.x - before * (call.result[0] - call.x) / (after - before)
    if name.startswith("FlowMatchHeun"):
        return call.x - scheduler.sigmas[call.index] * call.output
    if name == "DEISMultistepScheduler":  # it keeps the noise
        signal, noise = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[call.index])
        return (call.x - noise * call.converted) / signal
    if name == "LCMScheduler":
        skip, out = scheduler.get_scalings_for_boundary_condition_discrete(call.timestep)
        return (call.result[1] - skip * call.x) / out
    if call.converted is not None:
        return call.converted
    if name == "PNDMScheduler":
        end, scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod, torch.tensor(1.0)
        picture = scheduler._get_prev_sample(call.x, call.timestep, -1, call.output)
        scheduler.final_alpha_cumprod = end
        return picture
    return call.result[1]


def as_frame(pipeline: Any, batch: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """The first picture of a batch of states, unpacked by the pipeline itself."""
    if batch.ndim == 3:
        batch = pipeline._unpack_latents(batch, *size, pipeline.vae_scale_factor)
    return np.asarray(batch[0].float()).reshape(-1, *batch.shape[-2:])


def bare(opened: Opened, request: RunRequest) -> tuple[np.ndarray, list[Seen]]:
    """The picture of the same call with nobody watching, and the calls of its scheduler."""
    engine, pipeline = opened.engine, opened.pipeline
    if len(schedulers_of(pipeline)) == 1:  # else each stage keeps its own
        pipeline.scheduler = engine.scheduler(request)
    with torch.random.fork_rng(devices=[]), torch.no_grad(), step_calls(type(pipeline.scheduler)) as calls:
        torch.manual_seed(global_seed(request.seed))
        made = pipeline(**(call_of(pipeline, request).arguments | {"output_type": "np"}))
    return made.images[0], calls


def assert_exact(opened: Opened, trajectory: Trajectory, calls: list[Seen]) -> None:
    """Guesses are those of the scheduler, states those that it returned."""
    done = 0
    for k in range(1, trajectory.last + 1):
        done += trajectory.step(k).calls
        call, guess = calls[done - 1], trajectory.guess(k)
        assert guess is not None, trajectory.step(k).guess_note
        want = as_frame(opened.pipeline, clean_picture(call), opened.model.size)
        np.testing.assert_allclose(guess, want, rtol=0, atol=5e-5 * np.abs(want).max())
        got = trajectory.returned(k) if trajectory.returned(k) is not None else trajectory.state(k)
        np.testing.assert_array_equal(got, as_frame(opened.pipeline, call.result[0], opened.model.size))
    assert done == len(calls)


def assert_levels(opened: Opened, trajectory: Trajectory, planned: tuple[NoiseLevel, ...] | None) -> None:
    """Levels go from noise to the picture, phases follow each other, and both were known before where that was said."""
    assert planned in (None, trajectory.levels)
    assert (planned is None) == ("strength" in call_parameters(opened.pipeline) or not opened.engine.settings)
    ratios = [level.log_snr for level in trajectory.levels]
    assert ratios == sorted(ratios)
    assert trajectory.levels[-1].log_snr > 0
    spans = trajectory.spans
    assert [k for span in spans for k in range(span.first_step, span.last_step + 1)] == [*range(1, trajectory.last + 1)]
    assert [span.phase.index for span in spans] == sorted({span.phase.index for span in spans})
    assert "strength" in opened.model.options or spans[0].phase.index <= 1  # some plans begin at three quarters


def assert_guidance(opened: Opened, trajectory: Trajectory) -> None:
    """Both predictions are told apart, and mixed as the card says; some models have guidance built in."""
    pipeline, wanted = opened.model.pipeline, opened.model.guidance
    if not wanted or pipeline in ("FluxPipeline", "FluxKontextPipeline", "LatentConsistencyModelPipeline"):
        assert all(trajectory.step(k).guidance is None for k in range(1, trajectory.last + 1))
        return
    wanted += pipeline == "Kandinsky3Pipeline"  # which counts from the conditional prediction on
    for k in range(1, trajectory.last + 1):
        assert trajectory.step(k).guidance == pytest.approx(wanted, rel=1e-5), trajectory.step(k).guidance_note


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_opens_runs_as_its_card_says_and_is_exact(name: str, opened: Any) -> None:
    found: Opened = opened(name)
    model, pipeline, request = found.model, found.pipeline, found.request()
    picture, calls = bare(found, request)
    try:
        planned = found.engine.plan(request)
    except PlanUnknown:
        planned = None
    trajectory = finish(found.engine, request, watch_guidance=True)
    assert trajectory.is_complete
    np.testing.assert_array_equal(trajectory.state(0), as_frame(pipeline, calls[0].x, model.size))
    assert_exact(found, trajectory, calls)
    assert_levels(found, trajectory, planned)
    assert_guidance(found, trajectory)
    final = trajectory.state(trajectory.last)
    decoded = final if trajectory.info.space == "pixels" else LatentCodec(pipeline).decode(final)
    assert decoded.shape == (3, *model.size)
    shown = (torch.from_numpy(decoded.copy()) / 2 + 0.5).clamp(0, 1).numpy().transpose(1, 2, 0)
    # Encoded pictures lie in another order in memory, of which the decoder's last bit depends.
    np.testing.assert_allclose(shown, picture, rtol=0, atol=5e-6 if "image" in model.options else 0)
    assert picture.std() > 0.01


def test_a_pipeline_that_chooses_another_size_is_shown_in_that_size(opened: Any) -> None:
    """FLUX.1 Kontext keeps the proportions that it is asked for, and takes the area that it was trained on."""
    found: Opened = opened("FLUX.1-Kontext-dev")
    request = found.request(options={**found.request().option_values, "height": 48, "width": 96})
    _, calls = bare(found, request)
    with pytest.raises(PlanUnknown, match="depend on the size"):
        found.engine.plan(request)
    trajectory = finish(found.engine, request)
    assert trajectory.shape == (16, 8, 16)
    assert_exact(found, trajectory, calls)


class Stub:
    """A network's `forward` that costs nothing: a function of the state at each place, in the network's shapes."""

    def __init__(self, network: Any) -> None:
        self._forward = network.forward
        self._shapes: dict[tuple[int, ...], Any] = {}
        functools.update_wrapper(self, network.forward)

    def __call__(self, *given: Any, **named: Any) -> Any:
        state = next(each for each in (*given, *named.values()) if isinstance(each, torch.Tensor))
        if state.shape not in self._shapes:
            self._shapes[state.shape] = self._forward(*given, **named)[0].shape
        shape = self._shapes[state.shape]
        copies = -(-shape[1] // state.shape[1])
        return UNet2DOutput(torch.sin(3 * torch.cat([state] * copies, dim=1)[:, : shape[1]]).reshape(shape))


LIKE_OTHERS = (
    "stable-diffusion-v1-4", "stable-diffusion-inpainting", "stable-diffusion-x4-upscaler", "sdxl-turbo",
    "stable-diffusion-3.5-large", "PixArt-Sigma-XL-2-1024-MS", "ddpm-butterflies-128",
)  # fmt: skip
"""Models that differ from others in nothing that samplers see, or in little."""
OFFERED = {"stable-diffusion-v1-5": 17, "stable-diffusion-xl-base-1.0": 17, "DiT-XL-2-256": 17, "ddpm-cat-256": 7,
           "playground-v2.5-1024px-aesthetic": 1, "Z-Image-Turbo": 0}  # fmt: skip
"""How many samplers some models are offered, beside their own."""


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in LIKE_OTHERS])
def test_every_sampler_that_is_offered_runs_and_is_exact(
    name: str, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: Opened = opened(name)
    engine = found.engine
    for network in networks_of(found.pipeline).values():
        monkeypatch.setattr(network, "forward", Stub(network))
    offered = samplers_for(found.pipeline, engine.settings)[1:]
    assert len(offered) == OFFERED.get(name, len(offered))
    for sampler in offered:
        request = found.request(sampler=sampler, steps=5, guidance=1.0)
        with step_calls(class_of(SAMPLERS[sampler])) as calls:
            events = sample(engine, request, threading.Event())
            trajectory = next(events).trajectory
            calls.clear()  # of the rehearsal, before the run
            assert len(list(events)) == trajectory.planned_steps, sampler
        assert_exact(found, trajectory, calls)
