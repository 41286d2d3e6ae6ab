"""Forks share a run's first steps bit for bit, whatever the sampler remembers or draws."""

import functools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EDMEulerScheduler, PNDMScheduler

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.request import Parting, RequestError, RunRequest
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, OWN_SAMPLER, SAMPLERS, begins_anywhere
from sculptor_app.core.trajectory.base import Fork
from sculptor_app.core.trajectory.events import Started
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines.compatibility import samplers_for
from sculptor_app.diffusion.pipelines.networks import networks_of
from sculptor_app.diffusion.samplers.schedulers import make_scheduler
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.sampling.snapshots import NotForkable
from sculptor_app.diffusion.studies.fork import fork, make_again
from sculptor_app.diffusion.studies.parting import drowned_again, noised_back, parted
from tests.diffusion.gaussian import GaussianNetwork, GaussianPipeline
from tests.helpers.any_pipeline import built, engine_of, finish, request_for, write_pictures
from tests.helpers.runs import made_run, solid
from tests.helpers.tiny_pipelines import BUILDERS, build

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

STEPS = 7
DDIM = {"_class_name": "DDIMScheduler"}
PLACES = (1, 2, 4, 6)


@pytest.fixture
def wanted(tmp_path: Path) -> Any:
    write_pictures(tmp_path)
    return functools.partial(request_for, folder=tmp_path, steps=STEPS)


def forked(trajectory: Trajectory, k: int, engine: Engine, request: RunRequest | None = None) -> Trajectory:
    events = list(fork(trajectory, k, engine, threading.Event(), request))
    assert isinstance(events[0], Started)
    assert len(events) == 1 + trajectory.planned_steps - k
    made: Trajectory = events[-1].trajectory
    return made


def check_same(first: Trajectory, second: Trajectory, last: int | None = None) -> None:
    assert first.levels == second.levels
    for k in range((first.planned_steps if last is None else last) + 1):
        np.testing.assert_array_equal(first.state(k), second.state(k), err_msg=f"state {k}")
        if k:
            np.testing.assert_array_equal(first.guess(k), second.guess(k), err_msg=f"guess {k}")
            assert first.step(k).timestep == second.step(k).timestep


def check_forks(engine: Engine, request: RunRequest) -> None:
    whole = finish(engine, request)
    for k in sorted({*PLACES} & set(range(whole.planned_steps))):
        check_same(whole, forked(whole, k, engine))


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_the_embedded_models_samplers(sampler: str, tiny_model: Path) -> None:
    check_forks(Engine(), RunRequest(form="bust", steps=STEPS, sampler=sampler, model=str(tiny_model), device="cpu"))


def closed_form(prediction_type: str, scheduler: Any) -> GaussianPipeline:
    return GaussianPipeline(GaussianNetwork(prediction_type, "linear", size=16), scheduler)


@pytest.mark.parametrize("sampler", ["pndm-warm-up", *samplers_for(closed_form("epsilon", PNDMScheduler()))])
def test_every_sampler_of_betas(sampler: str, tmp_path: Path) -> None:
    own = PNDMScheduler(skip_prk_steps=sampler != "pndm-warm-up")
    pipeline, sampler = closed_form("epsilon", own), sampler.replace("pndm-warm-up", OWN_SAMPLER)
    engine = Engine(lambda *_, **__: pipeline)
    check_forks(engine, RunRequest(steps=STEPS, sampler=sampler, model=str(tmp_path), device="cpu"))


@pytest.mark.parametrize("sampler", samplers_for(built("sd3")[0]))
def test_every_sampler_of_flows(sampler: str, wanted: Any) -> None:
    check_forks(engine_of("sd3"), wanted("sd3", sampler=sampler))


@pytest.mark.parametrize("sampler", [OWN_SAMPLER, "edm-dpmpp-2m"])
def test_every_sampler_of_edm(sampler: str, tmp_path: Path) -> None:
    pipeline = closed_form("edm", EDMEulerScheduler())
    engine = Engine(lambda *_, **__: pipeline)
    check_forks(engine, RunRequest(steps=STEPS, sampler=sampler, model=str(tmp_path), device="cpu"))


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_kind_of_pipeline(kind: str, wanted: Any) -> None:
    engine = engine_of(kind)
    whole = finish(engine, wanted(kind))
    check_same(whole, forked(whole, whole.planned_steps // 2, engine))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("sampler", ["euler-a", "dpmpp-2m"])
def test_other_precisions(dtype: torch.dtype, sampler: str, wanted: Any) -> None:
    pipeline = build("stable_diffusion").to(dtype)
    check_forks(Engine(lambda *_, **__: pipeline), wanted("stable_diffusion", sampler=sampler))


def test_random_numbers_of_a_network_are_drawn_again(wanted: Any) -> None:
    """As dropout does: from the global generator, which the stand-in of the network leaves alone."""
    pipeline = build("ddpm")
    forward = pipeline.unet.forward

    @functools.wraps(forward)
    def uncertain(*given: Any, **named: Any) -> Any:
        answer = forward(*given, **named)
        answer.sample = answer.sample + 0.1 * torch.randn(answer.sample.shape)
        return answer

    pipeline.unet.forward = uncertain
    check_forks(Engine(lambda *_, **__: pipeline), wanted("ddpm"))
    assert pipeline.unet.forward is uncertain


@pytest.mark.parametrize(("kind", "sampler"), [("stable_diffusion", "kdpm2-a"), ("dit", "ddpm"), ("flux", OWN_SAMPLER)])
def test_shared_steps_do_not_ask_the_network(kind: str, sampler: str, wanted: Any) -> None:
    engine = engine_of(kind)
    whole = finish(engine, wanted(kind, sampler=sampler))
    asked: list[int] = []
    network = next(iter(networks_of(built(kind)[0]).values()))
    before = vars(network).get("forward")
    hook = network.register_forward_hook(lambda *given: asked.append(int(given[2][0].count_nonzero() > 0)))
    check_same(whole, forked(whole, STEPS - 1, engine))
    hook.remove()
    assert sum(asked) == 1
    assert len(asked) >= STEPS
    assert vars(network).get("forward") is before


def test_another_prompt_from_a_step_on(wanted: Any) -> None:
    engine, request = engine_of("stable_diffusion"), wanted("stable_diffusion", sampler="dpmpp-2m")
    whole = finish(engine, request)
    other = wanted("stable_diffusion", sampler="dpmpp-2m", options={"prompt": "ring"}, guidance=1.0)
    made = forked(whole, 3, engine, other)  # without guidance the network is asked for one answer, not two
    check_same(whole, made, last=3)
    assert not np.array_equal(whole.state(STEPS), made.state(STEPS))
    assert made.info.request == other
    assert made.info.forks == (Fork(3, request),)
    check_same(whole, forked(whole, STEPS, engine))  # what is over can be shared whole


@pytest.mark.parametrize("k", [0, 3])
def test_another_seed_draws_other_noise_from_a_step_on(k: int, wanted: Any) -> None:
    engine, request = engine_of("ddpm"), wanted("ddpm")
    whole = finish(engine, request)
    made = forked(whole, k, engine, wanted("ddpm", seed=request.seed + 1))
    check_same(whole, made, last=k)
    assert not np.array_equal(whole.state(k + 1), made.state(k + 1))
    np.testing.assert_array_equal(whole.guess(k + 1), made.guess(k + 1))  # it was made before the noise


def test_a_fork_of_a_fork_outlives_the_runs_before_it(wanted: Any) -> None:
    engine, request = engine_of("stable_diffusion"), wanted("stable_diffusion", sampler="unipc")
    whole = finish(engine, request)
    first = forked(whole, 5, engine)
    whole_again = finish(engine, request)
    whole.close()
    check_same(whole_again, forked(first, 2, engine))
    check_same(whole_again, forked(first, 6, engine))
    with pytest.raises(RequestError, match=r"no state 2 in this run; choose 0 to 0"):
        forked(whole, 2, engine)


def test_a_cancelled_run_can_be_forked(wanted: Any) -> None:
    engine, request = engine_of("stable_diffusion"), wanted("stable_diffusion", sampler="deis")
    whole, stop = finish(engine, request), threading.Event()
    events = sample(engine, request, stop)
    for _ in range(4):
        part = next(events).trajectory
    stop.set()
    with pytest.raises(Cancelled):
        next(events)
    assert part.last == 3
    check_same(whole, forked(part, 3, engine))


def test_a_fork_can_be_cancelled(wanted: Any) -> None:
    engine, request = engine_of("stable_diffusion"), wanted("stable_diffusion", sampler="heun")
    whole, stop = finish(engine, request), threading.Event()
    events = fork(whole, 4, engine, stop)
    made = next(events).trajectory
    assert made.last == 4
    stop.set()
    with pytest.raises(Cancelled):
        next(events)
    assert (made.last, made.ended) == (4, "cancelled")
    check_same(whole, finish(engine, request))


def test_snapshots_beyond_the_budget_go_to_a_file(wanted: Any, tmp_path: Path) -> None:
    engine, request = engine_of("sdxl"), wanted("sdxl", sampler="sa")
    whole = finish(engine, request, budget_bytes=40_000, spill_folder=tmp_path / "spilled")
    assert whole.bytes_in_memory <= 40_000 < whole.bytes_on_disk
    check_same(whole, forked(whole, 2, engine))
    check_same(whole, forked(whole, 6, engine))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "elsewhere"}, "A fork cannot have another model; keep '{0}'."),
        ({"options": {"prompt": "a bust", "height": 32}}, "A fork cannot have another height; keep None."),
    ],
)
def test_what_both_runs_share_cannot_change(changes: dict[str, Any], sentence: str, wanted: Any) -> None:
    engine = engine_of("stable_diffusion")
    whole = finish(engine, wanted("stable_diffusion", options={"prompt": "a bust"}))
    with pytest.raises(RequestError) as caught:
        forked(whole, 2, engine, wanted("stable_diffusion", **({"options": {"prompt": "a bust"}} | changes)))
    assert str(caught.value) == sentence.format(whole.info.request.model)


# Another sampler ------------------------------------------------------------------------------------------------------


@pytest.fixture
def sculpture(tiny_model: Path) -> Any:
    return functools.partial(RunRequest, form="bust", steps=STEPS, model=str(tiny_model), device="cpu")


@pytest.mark.parametrize("k", PLACES)
def test_another_sampler_goes_on_from_a_state_as_from_its_own(k: int, sculpture: Any) -> None:
    """DDIM remembers nothing: it goes on from a state of UniPC as from one of its own that was changed to it."""
    engine = Engine()
    unipc, ddim = (finish(engine, sculpture(sampler=each)) for each in ("unipc", "ddim"))
    made = forked(unipc, k, engine, sculpture(sampler="ddim"))
    *_, last = fork(ddim, k, engine, threading.Event(), state=unipc.state(k))
    for number in range(STEPS + 1):
        np.testing.assert_array_equal(made.state(number), (unipc if number <= k else last.trajectory).state(number))
    assert made.info.sampler_name == "DDIM"
    assert made.info.forks == (Fork(k, unipc.info.request),)


def test_a_sampler_that_remembers_begins_afresh_where_another_took_the_steps(sculpture: Any) -> None:
    """UniPC goes on from a state of DDIM as a U-turn does, and so does a fork of that fork before it."""
    engine = Engine()
    unipc, ddim = (finish(engine, sculpture(sampler=each)) for each in ("unipc", "ddim"))
    made = forked(ddim, 4, engine, sculpture(sampler="unipc"))
    *_, last = fork(unipc, 4, engine, threading.Event(), state=ddim.state(4), parting=Parting.U_TURN)
    for number in range(5, STEPS + 1):
        np.testing.assert_array_equal(made.state(number), last.trajectory.state(number))
    assert np.abs(made.state(STEPS) - ddim.state(STEPS)).max() > 1e-4
    earlier = forked(made, 2, engine)
    check_same(earlier, forked(ddim, 2, engine, sculpture(sampler="unipc")))
    check_same(made, forked(made, 6, engine))


def test_what_a_sampler_remembers_is_not_handed_to_another_of_its_class(sculpture: Any) -> None:
    engine = Engine()
    plain, noisy = (finish(engine, sculpture(sampler=each)) for each in ("dpmpp-2m", "dpmpp-2m-sde"))
    wanted = sculpture(sampler="dpmpp-2m-sde", seed=9)
    made = forked(plain, 4, engine, wanted)
    *_, last = fork(noisy, 4, engine, threading.Event(), wanted, state=plain.state(4), parting=Parting.U_TURN)
    for number in range(5, STEPS + 1):
        np.testing.assert_array_equal(made.state(number), last.trajectory.state(number))


def test_a_fork_with_another_sampler_is_made_again(sculpture: Any) -> None:
    engine = Engine()
    whole = finish(engine, sculpture(sampler="ddpm"))
    made = forked(forked(whole, 2, engine, sculpture(sampler="unipc")), 5, engine, sculpture(sampler="ddim"))
    *_, last = make_again(engine, made.info, threading.Event())
    check_same(made, last.trajectory)


def test_a_sampler_of_other_levels_is_refused_and_one_that_has_them_named(sculpture: Any) -> None:
    engine = Engine()
    whole = finish(engine, sculpture(sampler="ddim"))
    with pytest.raises(RequestError) as caught:
        forked(whole, 3, engine, sculpture(sampler="heun"))
    assert str(caught.value) == (
        "Heun takes other noise levels than the run, and comes to none as at step 3. "
        "Choose one that does, as DDPM, UniPC."
    )
    check_same(whole, forked(whole, 3, engine))


def test_a_sampler_that_needs_the_steps_before_is_refused(wanted: Any) -> None:
    engine = engine_of("stable_diffusion")
    whole = finish(engine, wanted("stable_diffusion", sampler="ddim", options={"prompt": "a bust"}))
    with pytest.raises((NotForkable, RequestError), match="PNDM"):
        forked(whole, 3, engine, wanted("stable_diffusion", sampler="pndm", options={"prompt": "a bust"}))


# Another number of steps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "call"), [(4, 1), (7, 2), (19, 6)])
def test_from_a_step_on_in_other_steps_it_goes_as_a_run_of_so_many(steps: int, call: int, sculpture: Any) -> None:
    """Of DDIM, which remembers nothing: the run of so many steps, its state at that level put in its place."""
    engine, stop = Engine(), threading.Event()
    whole = finish(engine, sculpture(sampler="ddim", steps=10))
    other = finish(engine, sculpture(sampler="ddim", steps=steps))
    *_, last = fork(whole, 3, engine, stop, sculpture(sampler="ddim", steps=steps))
    *_, wanted = fork(other, call, engine, stop, state=whole.state(3))
    made = last.trajectory
    assert (made.planned_steps, made.last) == (3 + steps - call,) * 2
    assert made.levels == (*whole.levels[:4], *other.levels[call + 1 :])
    for k in range(made.last + 1):
        own = whole.state(k) if k <= 3 else wanted.trajectory.state(k - 3 + call)
        np.testing.assert_array_equal(made.state(k), own, err_msg=f"state {k}")
    assert [made.step(k).number for k in range(1, made.last + 1)] == list(range(1, made.last + 1))
    assert made.info.forks == (Fork(3, whole.info.request),)


def test_it_asks_the_network_for_the_steps_that_are_left_alone(sculpture: Any) -> None:
    engine = Engine()
    whole = finish(engine, sculpture(sampler="ddim", steps=10, guidance=1.0))
    network = engine.load(whole.info.request.model, "cpu").unet
    calls: list[None] = []
    watch = network.conv_in.register_forward_pre_hook(lambda *_: calls.append(None))
    list(fork(whole, 5, engine, threading.Event(), sculpture(sampler="ddim", steps=19, guidance=1.0)))
    watch.remove()
    assert len(calls) == 9


@pytest.mark.parametrize(("sampler", "k"), [("unipc", 3), ("ddpm", 3), ("dpmpp-2m-sde", 5)])
def test_forks_in_other_steps_are_forked_and_made_again(sampler: str, k: int, sculpture: Any) -> None:
    engine, stop = Engine(), threading.Event()
    whole = finish(engine, sculpture(sampler=sampler, steps=10))
    *_, last = fork(whole, k, engine, stop, sculpture(sampler=sampler, steps=4))
    made = last.trajectory
    assert made.planned_steps == (6 if k == 3 else 7)
    for at, of in ((5, made), (2, whole)):
        *_, last = fork(made, at, engine, stop, of.info.request)
        check_same(of, last.trajectory)
    *_, last = make_again(engine, made.info, stop)
    check_same(made, last.trajectory)


def test_a_number_of_steps_without_such_a_level_is_refused_and_others_named(sculpture: Any) -> None:
    engine = Engine()
    whole = finish(engine, sculpture(sampler="ddim", steps=10))
    with pytest.raises(RequestError) as caught:
        list(fork(whole, 4, engine, threading.Event(), sculpture(sampler="ddim", steps=6)))
    assert str(caught.value) == (
        "A run of 6 steps never is at the noise level of step 4 of this run. "
        "Choose one of these numbers of steps: 19, 28, 37, 46, 55, 64, 73, 82."
    )


def test_a_run_that_kept_nothing_says_so(wanted: Any) -> None:
    engine = engine_of("ddim")
    whole = finish(engine, wanted("ddim"), forkable=False)
    with pytest.raises(NotForkable, match="nothing was kept for it"):
        forked(whole, 2, engine)


def test_a_scheduler_that_remembers_what_cannot_be_kept(wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on, and says why it cannot be forked."""
    engine = engine_of("ddpm")
    scheduler_step = type(built("ddpm")[1]).step

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.odd = torch.Generator()
        return scheduler_step(self, *args, **kwargs)

    monkeypatch.setattr(type(built("ddpm")[1]), "step", functools.wraps(scheduler_step)(step))
    whole = finish(engine, wanted("ddpm"))
    assert whole.is_complete
    with pytest.raises(NotForkable, match="DDPMScheduler remembers a Generator, which cannot be kept"):
        forked(whole, 2, engine)


# A changed state ------------------------------------------------------------------------------------------------------


def test_a_state_noised_back_has_the_noise_of_the_level_before() -> None:
    run = made_run(steps=20, size=64)
    for k in (2, 7, 15, 20):
        made = noised_back(run, k, seed=3)
        level, guess = run.levels[k - 1], run.guess(k)
        noise = (made - np.float32(level.signal) * guess) / level.noise
        assert noise.mean() == pytest.approx(0, abs=0.03)
        assert noise.var() == pytest.approx(1, abs=0.04)
        np.testing.assert_array_equal(made, noised_back(run, k, seed=3))
        assert not np.array_equal(made, noised_back(run, k, seed=4))


@pytest.mark.parametrize("k", [0, 1, 6])
def test_the_noise_at_the_start_stays(k: int) -> None:
    with pytest.raises(RequestError, match=r"cannot be noised back; choose 2 to 5"):
        noised_back(made_run(steps=5), k, 1)


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_a_run_goes_on_from_a_changed_state(sampler: str, tiny_model: Path) -> None:
    engine = Engine()
    whole = finish(engine, RunRequest("bust", steps=STEPS, sampler=sampler, model=str(tiny_model), device="cpu"))
    state = noised_back(whole, 5, seed=9)
    made = list(fork(whole, 4, engine, threading.Event(), state=state))[-1].trajectory
    check_same(whole, made, last=3)
    np.testing.assert_array_equal(made.state(4), state)
    np.testing.assert_array_equal(made.guess(4), whole.guess(4))  # the step that was taken is the same
    assert not np.array_equal(made.state(5), whole.state(5))
    assert made.is_complete
    check_same(made, forked(made, 4, engine))  # of the fork's own state, and not of the run's
    check_same(whole, forked(whole, 4, engine))  # which is as it was


def test_a_state_that_does_not_fit_is_refused(tiny_model: Path) -> None:
    engine = Engine()
    whole = finish(engine, RunRequest("bust", steps=3, model=str(tiny_model), device="cpu"))
    bent = np.array(whole.state(2))
    bent[0, 0, 0] = np.nan
    for k, state, error in (
        (2, whole.state(2)[:, 1:], RequestError), (2, bent, RequestError), (0, whole.state(0), NotForkable),
    ):  # fmt: skip
        with pytest.raises(error, match=r"does not fit the run|cannot be changed"):
            next(fork(whole, k, engine, threading.Event(), state=state))


@pytest.mark.parametrize("sampler", ["ddim", "unipc", "dpmpp-2m"])
def test_noise_that_is_laid_on_is_not_led_back_from(sampler: str, sculpture: Any) -> None:
    """UniPC's corrector would rebuild the next state from what it remembers of the run's own."""
    engine = Engine()
    whole = finish(engine, sculpture(sampler=sampler, steps=10))
    k, state = parted(whole, 6, Parting.NOISED_BACK, 99)
    other = replace(whole.info.request, seed=99)
    *_, last = fork(whole, k, engine, threading.Event(), other, state=state, parting=Parting.NOISED_BACK)
    laid_on, after = (np.abs(last.trajectory.state(at) - whole.state(at)).mean() for at in (k, k + 1))
    assert laid_on > 0.05
    assert after > 0.5 * laid_on
    *_, again = make_again(engine, last.trajectory.info, threading.Event())
    check_same(last.trajectory, again.trajectory)


# U-turns --------------------------------------------------------------------------------------------------------------


def test_a_picture_drowned_again_has_the_noise_of_its_level() -> None:
    run = made_run(steps=20, size=64)
    clean = run.state(20) / run.levels[20].scale
    run.info = replace(run.info, sampler_settings=DDIM)
    for k in (1, 7, 15, 19):
        made, level = drowned_again(run, k, seed=3), run.levels[k]
        noise = (made - np.float32(level.signal) * clean) / level.noise
        assert noise.mean() == pytest.approx(0, abs=0.03)
        assert noise.var() == pytest.approx(1, abs=0.04)
        np.testing.assert_array_equal(made, drowned_again(run, k, seed=3))
        assert not np.array_equal(made, drowned_again(run, k, seed=4))


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
@pytest.mark.parametrize("k", [1, 4])
def test_after_a_u_turn_nothing_is_known_of_the_steps_before(k: int, sampler: str, tiny_model: Path) -> None:
    """It is the very run that begins with that picture under that noise."""
    engine, stop = Engine(), threading.Event()
    whole = finish(engine, RunRequest("bust", steps=STEPS, sampler=sampler, model=str(tiny_model), device="cpu"))
    size = whole.shape[1]
    picture, noise = solid(size), np.random.default_rng(1).normal(size=whole.shape).astype(np.float32)
    late = [
        event.trajectory
        for event in sample(engine, whole.info.request, stop, start=Start(picture, noise, first_step=k + 1))
    ][-1]
    level = whole.levels[k]
    state = np.float32(level.signal) * picture + np.float32(level.noise) * noise
    turned = list(fork(whole, k, engine, stop, state=state, parting=Parting.U_TURN))[-1].trajectory
    check_same(whole, turned, last=k - 1)
    assert turned.info.forks == (Fork(k, whole.info.request, Parting.U_TURN),)
    np.testing.assert_allclose(turned.state(k), late.state(0), atol=1e-5)
    after = range(1, STEPS - k + 1)
    if SAMPLERS[sampler].scheduler.draws_noise or "sde" in sampler:
        after = range(1, 1)  # other noise is drawn
    for j in after:
        np.testing.assert_allclose(turned.state(k + j), late.state(j), atol=2e-4, rtol=2e-4)
    check_same(turned, forked(turned, k, engine))


@pytest.mark.parametrize(
    ("kind", "sampler"),
    [
        ("stable_diffusion", "unipc"), ("stable_diffusion", "euler-a"), ("dit", "ddpm"), ("dit", "ddim"),
        ("flux", OWN_SAMPLER), ("sd3", OWN_SAMPLER), ("bria", OWN_SAMPLER),
    ],
)  # fmt: skip
def test_u_turns_of_other_models(kind: str, sampler: str, wanted: Any) -> None:
    engine, stop = engine_of(kind), threading.Event()
    whole = finish(engine, wanted(kind, sampler=sampler))
    k, state = parted(whole, 4, Parting.U_TURN, 5)
    other = replace(whole.info.request, seed=5)
    turned = list(fork(whole, k, engine, stop, other, state=state, parting=Parting.U_TURN))[-1].trajectory
    assert turned.is_complete
    np.testing.assert_array_equal(turned.state(4), state)
    assert "U-turn at step 4" in turned.info.title.facts
    check_same(turned, forked(turned, 4, engine))
    check_same(turned, forked(turned, 5, engine))
    *_, last = make_again(engine, turned.info, stop)
    check_same(turned, last.trajectory)


def test_where_there_can_be_no_u_turn_it_says_why() -> None:
    run = made_run(steps=8)
    run.info = replace(run.info, sampler_settings=DDIM)
    for k in (0, 8):
        with pytest.raises(RequestError, match="no U-turn at step"):
            drowned_again(run, k, 1)
    run.info = replace(run.info, sampler_settings={})
    with pytest.raises(NotForkable, match="not finished"):
        drowned_again(made_run(steps=8, taken=5), 3, 1)
    with pytest.raises(NotForkable, match="DDIM needs the steps before"):
        drowned_again(run, 3, 1)  # of a scheduler that is not told nobody knows


def test_every_sampler_is_told_whether_it_can_begin_anywhere() -> None:
    told = {}
    for key in samplers_for(closed_form("epsilon", PNDMScheduler())):
        scheduler = make_scheduler(key, {**PNDMScheduler().config, "_class_name": "PNDMScheduler"}, 10)
        told[key] = begins_anywhere({"_class_name": type(scheduler).__name__})
    assert [key for key, can in told.items() if not can] == ["model", "lms"]  # whose own is PNDM
    assert len(told) > 12
