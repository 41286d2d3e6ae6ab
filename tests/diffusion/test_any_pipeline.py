"""Every kind of diffusers pipeline under the observer: the same picture bit for bit, and a record of every step."""

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sculptor_app.diffusion.calling import call_of
from sculptor_app.diffusion.engine import Engine, sculpt
from sculptor_app.diffusion.errors import Cancelled
from sculptor_app.diffusion.request import OWN_SAMPLER, RequestError, SculptRequest
from sculptor_app.diffusion.samplers import samplers_for
from sculptor_app.diffusion.trajectory import Trajectory
from tests.helpers.tiny_pipelines import BUILDERS, build

# Bits of diffusers and transformers that warn of their own future, or of what this version lacks.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

STEPS = 4
SEED = 11
SMALL = {"height": 16, "width": 16}
SHORT = {"max_sequence_length": 8}
OPTIONS: dict[str, dict[str, Any]] = {
    "ldm_text": {"prompt": "a bust", **SMALL},
    "dit": {"class_labels": 1},
    "stable_diffusion": {"prompt": "a bust", "negative_prompt": "a vase"},
    "img2img": {"prompt": "a bust", "strength": 0.5},
    "inpaint": {"prompt": "a bust"},
    "sdxl": {"prompt": "a bust"},
    "sd3": {"prompt": "a bust", **SHORT},
    "flux": {"prompt": "a bust", "height": 16, "width": 24, **SHORT},
    "pixart": {"prompt": "a bust", "use_resolution_binning": False, "clean_caption": False, **SHORT},
    "deepfloyd": {"prompt": "a bust", "clean_caption": False},
    "consistency": {"class_labels": 2},
    "latent_consistency": {"prompt": "a bust"},
    "aura_flow": {"prompt": "a bust", **SMALL, **SHORT},
    "kandinsky3": {"prompt": "a bust", **SMALL},
    "chroma": {"prompt": "a bust", **SMALL, **SHORT},
}
PIXELS = ("ddpm", "ddim", "deepfloyd", "consistency")
SHAPES = {**dict.fromkeys(PIXELS, (3, 8, 8)), "ldm": (3, 8, 8), "ldm_text": (4, 2, 2), "flux": (4, 8, 12)}


@functools.cache
def built(kind: str) -> tuple[Any, Any]:
    pipeline = build(kind)
    return pipeline, pipeline.scheduler


def engine_of(kind: str) -> Engine:
    """An engine that has just opened the model."""
    pipeline, pipeline.scheduler = built(kind)
    return Engine(lambda folder, device: pipeline)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(5)
    made = {"image": generator.integers(0, 256, (16, 16, 3)), "mask_image": np.eye(16)[..., None].repeat(3, 2) * 255}
    for name, values in made.items():
        Image.fromarray(values.astype(np.uint8)).save(folder / f"{name}.png")
    return {name: str(folder / f"{name}.png") for name in made}


@pytest.fixture
def wanted(request: pytest.FixtureRequest, pictures: dict[str, str], tmp_path: Path) -> Any:
    def make(kind: str, **changes: Any) -> SculptRequest:
        options = dict(OPTIONS.get(kind, {}))
        if kind in ("img2img", "inpaint"):
            options["image"] = pictures["image"]
        if kind == "inpaint":
            options["mask_image"] = pictures["mask_image"]
        settings = {"sampler": OWN_SAMPLER, "steps": STEPS, "seed": SEED, "guidance": None, "device": "cpu"}
        return SculptRequest(**(settings | {"options": options, "model": str(tmp_path)} | changes))

    return make


def finish(engine: Engine, request: SculptRequest, **options: Any) -> Trajectory:
    return list(sculpt(engine, request, threading.Event(), **options))[-1].trajectory


def bare(engine: Engine, request: SculptRequest) -> np.ndarray:
    """What diffusers makes of the same call, with nobody watching."""
    pipeline = engine.load(request.model, request.device)
    pipeline.scheduler = engine.scheduler(request)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        result = pipeline(**call_of(pipeline, request).arguments)[0]
    return np.asarray(result)


def watched(engine: Engine, request: SculptRequest, **options: Any) -> tuple[np.ndarray, Trajectory]:
    """The result of the pipeline in a run that is watched, and the record."""
    pipeline = engine.load(request.model, request.device)
    results = []

    class Kept(type(pipeline)):
        @functools.wraps(type(pipeline).__call__)
        def __call__(self, **arguments: Any) -> Any:
            results.append(super().__call__(**arguments))
            return results[-1]

    original = type(pipeline)
    pipeline.__class__ = Kept
    try:
        trajectory = finish(engine, request, **options)
    finally:
        pipeline.__class__ = original
    return np.asarray(results[0][0]), trajectory


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize("watch_guidance", [False, True])
def test_bit_identical_with_and_without(kind: str, watch_guidance: bool, wanted: Any) -> None:
    engine, request = engine_of(kind), wanted(kind)
    want = bare(engine, request)
    got, trajectory = watched(engine, request, watch_guidance=watch_guidance)
    np.testing.assert_array_equal(got, want)
    assert trajectory.is_complete
    assert trajectory.planned_steps == (2 if kind == "img2img" else STEPS)
    assert trajectory.shape == SHAPES.get(kind, (4, 8, 8))
    assert trajectory.info.space == ("pixels" if kind in PIXELS else "latents")
    guesses = [trajectory.guess(k) is not None for k in range(1, trajectory.last + 1)]
    assert all(guesses), [trajectory.step(k).guess_note for k in range(1, trajectory.last + 1)]
    assert trajectory.levels[0].log_snr < trajectory.levels[-1].log_snr


@pytest.mark.parametrize("kind", BUILDERS)
def test_cancel_and_run_again(kind: str, wanted: Any) -> None:
    engine, request = engine_of(kind), wanted(kind)
    whole = finish(engine, request)
    stop = threading.Event()
    events = sculpt(engine, request, stop)
    first = next(events).trajectory
    next(events)
    stop.set()
    with pytest.raises(Cancelled):
        next(events)
    assert (first.last, first.ended) == (1, "cancelled")
    again = finish(engine, request)
    for k in range(whole.planned_steps + 1):
        np.testing.assert_array_equal(whole.state(k), again.state(k))


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_seed_is_a_picture(kind: str, wanted: Any) -> None:
    engine = engine_of(kind)
    torch.manual_seed(1)
    first = finish(engine, wanted(kind))
    torch.manual_seed(2)  # whatever the rest of the program draws
    second, other = finish(engine, wanted(kind)), finish(engine, wanted(kind, seed=SEED + 1))
    np.testing.assert_array_equal(first.state(first.last), second.state(second.last))
    assert not np.array_equal(first.state(0), other.state(0))


@pytest.mark.parametrize("kind", BUILDERS)
# WORKAROUND: diffusers 0.42.1 calls numpy functions on tensors in some set_timesteps, and numpy 2 warns about it.
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning")
def test_every_sampler_on_offer_runs(kind: str, wanted: Any) -> None:
    engine = engine_of(kind)
    engine.load(wanted(kind).model, "cpu")
    for sampler in samplers_for(built(kind)[0], engine.settings)[1:]:
        request = wanted(kind, sampler=sampler)
        want = bare(engine, request)
        got, trajectory = watched(engine, request)
        np.testing.assert_array_equal(got, want, err_msg=sampler)
        assert trajectory.is_complete, sampler
        assert trajectory.guess(1) is not None, sampler


def test_what_the_rest_of_the_program_draws_goes_on_undisturbed(wanted: Any) -> None:
    torch.manual_seed(3)
    want = torch.rand(3)
    torch.manual_seed(3)
    drawn = []
    for event in sculpt(engine_of("dit"), wanted("dit", sampler="ddpm", steps=2), threading.Event()):
        drawn.append(torch.rand(1)) if len(drawn) < 3 else None
        assert event is not None
    assert torch.equal(torch.cat(drawn), want)


def test_a_sampler_that_does_not_fit_is_refused(wanted: Any) -> None:
    with pytest.raises(RequestError, match="cannot be run with the sampler 'ddim'; choose one of model, flow-heun"):
        finish(engine_of("sd3"), wanted("sd3", sampler="ddim"))


def test_the_picture_that_is_started_from_is_named(wanted: Any) -> None:
    info = finish(engine_of("img2img"), wanted("img2img", sampler="ddim")).info
    assert (info.origin, info.first_step, info.conditions) == ("image.png", 3, "a bust")


@pytest.mark.parametrize(
    ("kind", "conditions"), [("ddpm", "free"), ("dit", "vase"), ("consistency", "class 2"), ("flux", "a bust")]
)
def test_a_run_says_what_was_asked_for(kind: str, conditions: str, wanted: Any) -> None:
    assert finish(engine_of(kind), wanted(kind)).info.conditions == conditions
