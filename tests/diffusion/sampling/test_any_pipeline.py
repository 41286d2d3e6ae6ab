"""Every kind of diffusers pipeline under the observer: the same picture bit for bit, and a record of every step."""

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines.call import call_of
from sculptor_app.diffusion.pipelines.compatibility import samplers_for
from sculptor_app.diffusion.pipelines.networks import networks_of
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.noise import global_seed
from sculptor_app.diffusion.sampling.sample import sample
from tests.helpers.any_pipeline import SEED, STEPS, built, engine_of, finish, request_for, write_pictures
from tests.helpers.tiny_pipelines import BUILDERS

# Bits of diffusers and transformers that warn of their own future, or of what this version lacks.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

PIXELS = ("ddpm", "ddim", "deepfloyd", "deepfloyd_superresolution", "consistency")
SHAPES = {**dict.fromkeys(PIXELS, (3, 8, 8)), "ldm": (3, 8, 8), "ldm_text": (4, 2, 2), "flux": (4, 8, 12)}


@pytest.fixture
def wanted(tmp_path: Path) -> Any:
    write_pictures(tmp_path)
    return functools.partial(request_for, folder=tmp_path)


def bare(engine: Engine, request: RunRequest) -> np.ndarray:
    """What diffusers makes of the same call, with nobody watching."""
    pipeline = engine.load(request.model, request.device)
    pipeline.scheduler = engine.scheduler(request)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(global_seed(request.seed))
        result = pipeline(**call_of(pipeline, request).arguments)[0]
    return np.asarray(result)


def watched(engine: Engine, request: RunRequest, **options: Any) -> tuple[np.ndarray, Trajectory]:
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
    (network,) = networks_of(built(kind)[0]).values()
    asked: list[int] = []
    counter = network.register_forward_pre_hook(lambda module, given: asked.append(1))
    want = bare(engine, request)
    needed = len(asked)
    got, trajectory = watched(engine, request, watch_guidance=watch_guidance)
    counter.remove()
    np.testing.assert_array_equal(got, want)
    assert len(asked) == 2 * needed  # the network is not asked once more
    assert not network._forward_hooks
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
    events = sample(engine, request, stop)
    first = next(events).trajectory
    next(events)
    stop.set()
    with pytest.raises(Cancelled):
        next(events)
    assert (first.last, first.ended) == (1, "cancelled")
    again = finish(engine, request)
    for k in range(whole.planned_steps + 1):
        np.testing.assert_array_equal(whole.state(k), again.state(k))


@pytest.mark.parametrize("kind", ["ddpm", "dit", "stable_diffusion", "flux", "deepfloyd", "consistency"])
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
    """Watched as bare, for one kind; for the others that nothing about a sampler does not suit them."""
    engine = engine_of(kind)
    engine.load(wanted(kind).model, "cpu")
    for sampler in samplers_for(built(kind)[0], engine.settings)[1:]:
        request = wanted(kind, sampler=sampler, steps=4 if kind in ("img2img", "stable_diffusion") else 2)
        if kind == "stable_diffusion":
            want = bare(engine, request)
            got, trajectory = watched(engine, request)
            np.testing.assert_array_equal(got, want, err_msg=sampler)
        else:
            trajectory = finish(engine, request)
        assert trajectory.is_complete, sampler
        assert trajectory.guess(1) is not None, sampler


def test_what_a_pipeline_draws_before_its_steps_is_of_the_seed(wanted: Any) -> None:
    """A consistency model that is told no class draws one, from the global generator."""
    made = []
    for outside in (1, 2, 3):
        torch.manual_seed(outside)
        made.append(finish(engine_of("consistency"), wanted("consistency", options={})))
    for other in made[1:]:
        np.testing.assert_array_equal(made[0].guess(1), other.guess(1))


def test_what_the_rest_of_the_program_draws_goes_on_undisturbed(wanted: Any) -> None:
    torch.manual_seed(3)
    want = torch.rand(3)
    torch.manual_seed(3)
    drawn = []
    for event in sample(engine_of("dit"), wanted("dit", sampler="ddpm", steps=2), threading.Event()):
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
    ("kind", "conditions"), [("ddpm", "unconditional"), ("dit", "vase"), ("consistency", "class 2"), ("flux", "a bust")]
)
def test_a_run_says_what_was_asked_for(kind: str, conditions: str, wanted: Any) -> None:
    assert finish(engine_of(kind), wanted(kind)).info.conditions == conditions
