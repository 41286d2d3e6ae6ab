"""Forks in batches: the pictures of single forks but for rounding, in as few evaluations as one of them takes."""

import copy
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sculptor_app.core.errors import Cancelled, OutOfDeviceMemory, SamplerFailed
from sculptor_app.core.requests.request import Parting, RequestError, RunRequest
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, OWN_SAMPLER
from sculptor_app.core.trajectory.events import ForkEnded
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines.batch import NoBatch
from sculptor_app.diffusion.pipelines.compatibility import samplers_for
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies import decisions
from sculptor_app.diffusion.studies.decisions import ForkMaker, fork_seed, measure_step, parting_at
from sculptor_app.diffusion.studies.fork_batch import fork_batch, run_batch
from sculptor_app.measures.likeness import Decision
from tests.helpers.any_pipeline import built, engine_of, finish, request_for, write_pictures
from tests.helpers.tiny_pipelines import BUILDERS

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

STEPS, AT = 5, 2
TOLERANCE = 3e-5
"""Of the largest value of the pictures: pixels are in [-1, 1], latents and what random weights make may be larger. The
most that was seen is 1.5e-5, of DDIM with random weights; in float64 it is nothing."""
ROUNDING = 1e-7
"""Of the largest value of the first states, in float32; those of Euler's sampler begin at its largest sigma."""
ONE_AT_A_TIME = {"ldm_text", "dit", "img2img", "inpaint", "flux_inpaint", "deepfloyd_superresolution", "cogview3"}
"""Kinds that cannot be asked for several, hold a state twice, are given a picture, or hand on a sampler's memory."""


def some(names: Iterable[str], always: set[str]) -> list[Any]:
    """Parameters of a test: those beside the ones that differ most are tried by hand, as `pytest -m soak`."""
    return [name if name in always else pytest.param(name, marks=pytest.mark.soak) for name in names]


def go_on() -> threading.Event:
    return threading.Event()


def made(engine: Engine, whole: Trajectory, step: int, forks: int, batch: int | None, u_turn: bool = False) -> Any:
    """The pictures of forks, and the decision."""
    events = list(measure_step(engine, whole, step, forks, go_on(), lambda *_: {}, u_turn, batch))
    pictures = [event.picture for event in events if isinstance(event, ForkEnded)]
    assert [event.number for event in events if isinstance(event, ForkEnded)] == list(range(forks))
    assert isinstance(events[-1], Decision)
    return np.stack(pictures), events[-1]


def check_batch(engine: Engine, whole: Trajectory, step: int, forks: int = 2, u_turn: bool = False) -> None:
    alone, _ = made(engine, whole, step, forks, 1, u_turn)
    together, decision = made(engine, whole, step, forks, forks, u_turn)
    assert decision.batch == forks
    check_alike(together, alone, whole)
    spread = np.abs(alone[0] - alone[1]).max()
    assert spread > 30 * np.abs(together - alone).max()  # they are no copies of one


def check_alike(together: Frame, alone: Frame, whole: Trajectory) -> None:
    assert together.shape == alone.shape
    assert together.dtype == np.float32
    largest, first = max(1.0, float(np.abs(alone).max())), float(np.abs(whole.state(0)).max())
    np.testing.assert_allclose(together, alone, rtol=0, atol=TOLERANCE * largest + ROUNDING * first)


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> tuple[Engine, Callable[..., Trajectory]]:
    engine, known = Engine(), {}

    def whole_run(**changes: Any) -> Trajectory:
        usual = {"form": "bust", "material": "bronze", "steps": STEPS, "model": str(tiny_model), "device": "cpu"}
        request = RunRequest(**(usual | changes))
        if request not in known:
            known[request] = finish(engine, request)
        return known[request]

    return engine, whole_run


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_the_embedded_models_samplers(sampler: str, tiny: Any) -> None:
    engine, whole_run = tiny
    whole = whole_run(sampler=sampler)
    for step in (0, AT):
        check_batch(engine, whole, step)
    check_batch(engine, whole, AT, u_turn=True)


@pytest.mark.parametrize("sampler", ["ddpm", "dpmpp-2m-sde", "unipc"])
def test_it_is_rounding_alone_that_differs(sampler: str, tiny: Any) -> None:
    """In float64, whose rounding does not reach the frames."""
    engine, whole_run = tiny
    pipeline = copy.deepcopy(engine.load(whole_run().info.request.model, "cpu"))
    for network in (pipeline.unet, pipeline.label_embedding):
        torch.nn.Module.to(network, torch.float64)
    exact = Engine(lambda *_, **__: pipeline)
    whole = finish(exact, replace(whole_run().info.request, sampler=sampler))
    for step in (0, AT):
        alone, _ = made(exact, whole, step, 2, 1)
        together, decision = made(exact, whole, step, 2, 2)
        assert decision.batch == 2
        np.testing.assert_allclose(together, alone, rtol=0, atol=2e-7)


@pytest.mark.parametrize("sampler", some(samplers_for(built("stable_diffusion")[0]), {OWN_SAMPLER, "lms", "sa"}))
def test_every_sampler_of_betas(sampler: str, tmp_path: Path) -> None:
    engine, request = engine_of("stable_diffusion"), request_for("stable_diffusion", tmp_path, sampler=sampler)
    check_batch(engine, finish(engine, request), AT)


@pytest.mark.parametrize("kind", some(BUILDERS, {"ddpm", "flux", "dit", "ldm_text", "inpaint", "cogview3"}))
def test_every_kind_of_pipeline(kind: str, tmp_path: Path) -> None:
    write_pictures(tmp_path)
    engine = engine_of(kind)
    whole = finish(engine, request_for(kind, tmp_path))
    maker = ForkMaker(engine, whole, AT, parting_at(whole, u_turn=False), go_on())
    together = maker.next_ones(range(2), 2)
    assert len(together) == (1 if kind in ONE_AT_A_TIME else 2)
    alone = [maker.next_ones([number], 1)[0] for number in range(len(together))]
    check_alike(np.stack(together), np.stack(alone), whole)
    if kind not in {*ONE_AT_A_TIME, "kandinsky3"}:  # which random weights lead to one picture
        assert np.abs(alone[0] - alone[1]).max() > 1e-2


def test_a_sampler_that_draws_from_torch_s_own_generator_has_no_batch(tmp_path: Path) -> None:
    engine = engine_of("dit")  # which gives its sampler none
    whole = finish(engine, request_for("dit", tmp_path, sampler="ddpm", guidance=1.0))
    with pytest.raises(NoBatch):
        fork_batch(whole, AT, engine, go_on(), whole.info.request, [1, 2])
    alone, _ = made(engine, whole, AT, 3, 1)
    together, decision = made(engine, whole, AT, 3, 3)
    assert decision.batch == 1
    np.testing.assert_array_equal(together, alone)
    of_ddim = finish(engine, request_for("dit", tmp_path, sampler="ddim", guidance=1.0))
    check_batch(engine, of_ddim, AT)  # it is not the pipeline


@hypothesis_settings(max_examples=6, deadline=None)
@given(
    sampler=st.sampled_from(EMBEDDED_SAMPLERS),
    step=st.sampled_from([0, *range(2, STEPS)]),
    forks=st.integers(2, 4),
    batch=st.integers(2, 5),
    guidance=st.sampled_from([0.0, 1.0, 1.75]),
    form=st.sampled_from(["vase", None]),
)
def test_any_forks_in_any_batches(
    sampler: str, step: int, forks: int, batch: int, guidance: float, form: str | None, tiny: Any
) -> None:
    engine, whole_run = tiny
    whole = whole_run(sampler=sampler, guidance=guidance, form=form)
    alone, _ = made(engine, whole, step, forks, 1)
    together, decision = made(engine, whole, step, forks, batch)
    assert decision.batch == min(batch, forks)
    check_alike(together, alone, whole)


def test_labels_and_guidance_are_those_of_the_request(tiny: Any) -> None:
    engine, whole_run = tiny
    whole = whole_run(sampler="ddpm")
    seeds = [fork_seed(7, AT, number) for number in range(2)]
    of_run = np.stack(fork_batch(whole, AT, engine, go_on(), whole.info.request, seeds))
    for changes in ({"form": "vase"}, {"material": None}, {"guidance": 5.0}):
        others = fork_batch(whole, AT, engine, go_on(), replace(whole.info.request, **changes), seeds)
        assert np.abs(np.stack(others) - of_run).max() > 1e-3, changes
    runs = run_batch(engine, whole.info.request, [7, 8], go_on())
    np.testing.assert_allclose(runs[0], whole.state(STEPS), atol=1e-4)  # seed 7 is the run's own


# What it costs --------------------------------------------------------------------------------------------------------


class Counter:
    """Counter of the evaluations of a network, and of the pictures in each."""

    def __init__(self, unet: Any, monkeypatch: pytest.MonkeyPatch, check: Callable[[int], object] = lambda _: None):
        self.pictures: list[int] = []
        real = unet.forward

        def counted(x: torch.Tensor, *given: Any, **named: Any) -> Any:
            self.pictures.append(len(x))
            check(len(x))
            return real(x, *given, **named)

        monkeypatch.setattr(unet, "forward", counted)


@pytest.mark.parametrize(("guidance", "rows"), [(1.0, 8), (1.75, 16)])
@pytest.mark.parametrize(("sampler", "back"), [("ddpm", 0), ("ddim", 1)])  # noise is laid on a level before
def test_eight_forks_cost_the_network_as_many_calls_as_one(
    sampler: str, back: int, guidance: float, rows: int, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, whole_run = tiny
    whole = whole_run(sampler=sampler, guidance=guidance, steps=7)
    counter = Counter(engine.load(whole.info.request.model, "cpu").unet, monkeypatch)
    for step in (2, 6):
        counter.pictures.clear()
        made(engine, whole, step, 8, 8)
        assert counter.pictures == [rows] * (7 - step + back)
    counter.pictures.clear()
    made(engine, whole, 6, 8, 1)
    assert counter.pictures == [rows // 8] * (7 - 6 + back) * 8
    counter.pictures.clear()
    made(engine, whole, 4, 8, 8, u_turn=True)
    made(engine, whole, 0, 8, 8)
    assert counter.pictures == [rows] * (7 - 4 + 7)


def test_what_does_not_fit_is_halved_until_it_does_and_not_tried_again(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, whole_run = tiny
    whole = whole_run(sampler="ddim", guidance=1.0, seed=41)

    def fill(rows: int) -> None:
        if rows > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    alone, _ = made(engine, whole, AT, 5, 1)
    counter = Counter(engine.load(whole.info.request.model, "cpu").unet, monkeypatch, fill)
    together, decision = made(engine, whole, AT, 5, 8)
    assert decision.batch == 2
    assert counter.pictures == [5, *[2] * 4, *[2] * 4, *[1] * 4]
    check_alike(together, alone, whole)
    counter.pictures.clear()
    made(engine, whole, 3, 5, 8)
    assert max(counter.pictures) == 2


def test_what_fails_alone_says_so(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, whole_run = tiny
    whole = whole_run(seed=42)

    def fill(_: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    Counter(engine.load(whole.info.request.model, "cpu").unet, monkeypatch, fill)
    with pytest.raises(OutOfDeviceMemory):
        made(engine, whole, AT, 4, 4)

    def fail(_: int) -> None:
        raise ArithmeticError("no")

    Counter(engine.load(whole.info.request.model, "cpu").unet, monkeypatch, fail)
    with pytest.raises(SamplerFailed, match="ArithmeticError: no"):
        made(engine, whole, AT, 4, 4)


@pytest.mark.parametrize("step", [0, AT])
def test_a_stop_lands_within_a_step_and_leaves_no_trace(step: int, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, whole_run = tiny
    whole = whole_run(sampler="ddpm")
    before, _ = made(engine, whole, step, 3, 3)
    state, stop = torch.get_rng_state(), threading.Event()
    with monkeypatch.context() as patched:
        unet = engine.load(whole.info.request.model, "cpu").unet
        counter = Counter(unet, patched, lambda _: len(counter.pictures) == 2 and stop.set())
        with pytest.raises(Cancelled):
            list(measure_step(engine, whole, step, 3, stop, lambda *_: {}, batch=3))
        assert len(counter.pictures) == 2
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(made(engine, whole, step, 3, 3)[0], before)


# What is asked for ----------------------------------------------------------------------------------------------------


def test_by_default_forks_go_together_on_a_gpu_and_alone_on_the_cpu(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, whole_run = tiny
    engine.cache.clear()
    whole = whole_run()
    alone, decision = made(engine, whole, AT, 4, None)
    assert decision.batch == 1
    np.testing.assert_array_equal(alone, made(engine, whole, AT, 4, 1)[0])
    monkeypatch.setattr(decisions, "find_device", lambda _: Device("cuda:0", "A GPU"))
    together, decision = made(engine, whole, AT, 4, None)
    assert decision.batch == 4
    check_alike(together, alone, whole)


def test_what_cannot_be_forked_is_refused_as_a_single_fork_is(tiny: Any) -> None:
    engine, whole_run = tiny
    whole = whole_run()
    request = whole.info.request
    with pytest.raises(RequestError, match="There is no state 99"):
        fork_batch(whole, 99, engine, go_on(), request, [1, 2])
    with pytest.raises(RequestError, match="another model"):
        fork_batch(whole, AT, engine, go_on(), replace(request, model="other"), [1, 2])
    states = [np.zeros((3, 4, 4), np.float32)] * 2
    with pytest.raises(RequestError, match="does not fit the run"):
        fork_batch(whole, AT, engine, go_on(), request, [1, 2], states, Parting.U_TURN)
