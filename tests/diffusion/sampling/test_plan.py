"""Which samplers a model is offered, and the noise levels of a run before it begins."""

import functools
import re
from pathlib import Path
from typing import Any

import diffusers
import pytest
from diffusers import DDIMScheduler, RePaintScheduler

from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, OWN_SAMPLER, SAMPLERS
from sculptor_app.diffusion.pipelines.compatibility import check_sampler, samplers_for
from sculptor_app.diffusion.samplers.levels import UnknownSchedulerError, call_index, plan_calls
from sculptor_app.diffusion.samplers.schedulers import make_scheduler, schedulers_of, settings_of
from sculptor_app.diffusion.sampling.engine import Engine, PlanUnknown
from tests.helpers.any_pipeline import built, engine_of, finish, request_for, write_pictures
from tests.helpers.tiny_pipelines import BUILDERS, build

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def of_classes(*classes: str, karras: bool = True) -> tuple[str, ...]:
    """The samplers of some scheduler classes, with Karras' spacing or without, in the order of the table."""
    named = [row for row in SAMPLERS.values() if row.scheduler and row.scheduler.name in classes]
    return tuple(row.id for row in named if karras or not row.has_karras_spacing)


DPM_SOLVERS = ("DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler")
OFFERED = {
    # Its call gives no scaled input, and a generator to every sampler.
    "ddpm": (OWN_SAMPLER, *of_classes("DDIMScheduler", *DPM_SOLVERS, "SASolverScheduler")),
    "ddim": (OWN_SAMPLER,),
    "sd3": (OWN_SAMPLER, "flow-heun"),
    "flux": (OWN_SAMPLER,),  # it shifts its levels by the size of the picture, which Heun's sampler does not know
    "consistency": (OWN_SAMPLER,),
    "latent_consistency": (OWN_SAMPLER,),
    "deepfloyd": (OWN_SAMPLER, *of_classes(*DPM_SOLVERS, karras=False)),  # others do not know a learned variance
}


@pytest.fixture
def wanted(tmp_path: Path) -> Any:
    write_pictures(tmp_path)
    return functools.partial(request_for, folder=tmp_path)


@pytest.mark.parametrize("kind", OFFERED)
def test_samplers_on_offer(kind: str) -> None:
    assert samplers_for(build(kind)) == OFFERED[kind]


def test_stable_diffusion_is_offered_all_of_betas() -> None:
    offered = samplers_for(build("stable_diffusion"))
    assert {"ddim", "euler", "euler-a", "heun", "unipc", "dpmpp-2m-karras", "kdpm2", "deis", "sa"} <= set(offered)
    assert not any(each.startswith(("flow", "edm")) or each == "pndm" for each in offered)  # PNDM is its own


def test_the_embedded_model_has_its_samplers(tiny_model: Path) -> None:
    engine = Engine()
    assert samplers_for(engine.load(str(tiny_model), "cpu"), engine.settings) == EMBEDDED_SAMPLERS
    check_sampler(engine.load(str(tiny_model), "cpu"), OWN_SAMPLER, engine.settings)


def test_what_the_model_came_with_counts_not_the_last_runs_sampler(wanted: Any) -> None:
    engine, request = engine_of("sd3"), wanted("sd3", sampler="flow-heun")
    finish(engine, request)
    assert samplers_for(engine.load(request.model, "cpu"), engine.settings) == OFFERED["sd3"]


WITH_STRENGTH = ("img2img", "inpaint", "flux_inpaint")


@pytest.mark.parametrize("kind", [kind for kind in BUILDERS if kind not in WITH_STRENGTH])
def test_the_plan_is_what_the_run_shows(kind: str, wanted: Any) -> None:
    engine, request = engine_of(kind), wanted(kind)
    engine.load(request.model, "cpu")
    planned = engine.plan(request)
    for one, other in zip(finish(engine, request).levels, planned, strict=True):
        assert (one.signal, one.noise) == pytest.approx((other.signal, other.noise), abs=1e-6)


def test_what_depends_on_a_picture_is_not_planned(wanted: Any) -> None:
    engine, request = engine_of("img2img"), wanted("img2img")
    engine.load(request.model, "cpu")
    with pytest.raises(PlanUnknown, match="depends on the picture's strength"):
        engine.plan(request)


def test_an_unknown_scheduler_is_named() -> None:
    pipeline = build("ddpm")
    pipeline.scheduler = RePaintScheduler()
    assert samplers_for(pipeline) == (OWN_SAMPLER,)
    assert type(make_scheduler(OWN_SAMPLER, settings_of(pipeline), 4)) is RePaintScheduler
    with pytest.raises(RequestError, match="cannot be run with the sampler 'ddim'; choose one of model"):
        check_sampler(pipeline, "ddim", settings_of(pipeline))


def test_a_spacing_that_the_model_names_is_kept() -> None:
    named = DDIMScheduler(timestep_spacing="leading", steps_offset=1)
    assert make_scheduler("euler", dict(named.config), 5).config.timestep_spacing == "leading"
    silent = DDIMScheduler.from_config({"steps_offset": 1})  # filled in by diffusers, which says so
    assert silent.config.timestep_spacing == "leading"
    assert make_scheduler("euler", dict(silent.config), 5).config.timestep_spacing == "linspace"


def test_the_models_own_is_made_as_it_was() -> None:
    pipeline = built("sdxl")[0]
    own = make_scheduler(OWN_SAMPLER, settings_of(pipeline), 5)
    assert (type(own), own.config) == (type(pipeline.scheduler), pipeline.scheduler.config)
    assert own is not pipeline.scheduler
    assert list(schedulers_of(pipeline)) == ["scheduler"]


def pndm(steps: int) -> Any:
    scheduler = built("img2img")[1]
    scheduler.set_timesteps(steps)
    return scheduler


def test_pndm_in_mid_schedule() -> None:
    """Its second call makes the first step again, and the level of the third is passed over."""
    scheduler = pndm(6)
    assert scheduler.timesteps.tolist() == [831, 665, 665, 499, 333, 167, 1]
    assert call_index(scheduler, 499, 0) == 3
    assert call_index(scheduler, 665, 0, calls_left=5) == 2
    calls = plan_calls(scheduler, 3)
    assert [(call.number, call.stage, call.completes) for call in calls] == [
        (3, 0, False), (3, 1, True), (4, 0, True), (5, 0, True)]  # fmt: skip
    levels = [call.before for call in plan_calls(scheduler)]
    assert [call.before for call in calls] == levels[3:]
    assert [call.after for call in calls[:3]] == [levels[4], levels[4], levels[6]]


def test_pndm_from_its_doubled_step_is_not_known() -> None:
    with pytest.raises(UnknownSchedulerError, match="PNDM cannot be followed from this place"):
        plan_calls(pndm(6), 1)


NO_PICTURE = {
    # Settings of the model's own sampler, number of steps, and what is said of them.
    "prk": ("PNDMScheduler", {"skip_prk_steps": False}, 2, "With 2 steps, the numbers of PNDM do not stay finite"),
    "repeated": (
        "UniPCMultistepScheduler",
        {"beta_schedule": "squaredcos_cap_v2", "use_karras_sigmas": True},
        10,
        "With 10 steps, UniPCMultistep comes to one timestep of this model twice and divides by zero.",
    ),
    "trained": (
        "DDIMScheduler",
        {"num_train_timesteps": 100},
        1000,
        "This model was trained on 100 timesteps, over which DDIM cannot take 1000 steps.",
    ),
    "zero SNR": (
        "DDIMScheduler",
        {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
        5,
        "This model's schedule begins with pure noise, where a model that predicts the noise says nothing",
    ),
}


@pytest.mark.parametrize("case", NO_PICTURE)
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning")
def test_what_gives_no_picture_is_refused_before_the_model_runs(
    case: str, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, settings, steps, words = NO_PICTURE[case]
    pipeline = built("stable_diffusion")[0]
    monkeypatch.setattr(pipeline, "scheduler", getattr(diffusers, kind)(**settings))
    engine, request = Engine(lambda *_, **__: pipeline), wanted("stable_diffusion", steps=steps)
    engine.load(request.model, "cpu")
    monkeypatch.setattr(type(pipeline.unet), "forward", None)
    for refused in (lambda: finish(engine, request), lambda: engine.plan(request)):
        with pytest.raises(RequestError) as raised:
            refused()
        assert raised.value.message.startswith(words)
        assert "Error" not in str(raised.value)
        named = re.findall(r"\((.+?)\)", raised.value.advice.partition("samplers: ")[2])
        assert named
        assert ("another number of steps" in raised.value.advice) == (case != "zero SNR")
    monkeypatch.undo()
    pipeline.scheduler = getattr(diffusers, kind)(**settings)
    for sampler in named[:2] if steps < 50 else ():
        other = finish(engine, wanted("stable_diffusion", steps=steps, sampler=sampler))
        assert other.is_complete


def test_img2img_of_no_step_is_refused_before_the_model_runs(wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of("img2img")
    options = wanted("img2img").option_values
    with pytest.raises(RequestError, match=r"The strength 0.2 leaves no step of 4; choose at least 0.25"):
        wanted("img2img", options={**options, "strength": 0.2})
    left_to_the_model = {name: value for name, value in options.items() if name != "strength"}
    request = wanted("img2img", steps=1, options=left_to_the_model)
    monkeypatch.setattr(type(built("img2img")[0].unet), "forward", None)
    with pytest.raises(RequestError, match=r"The strength 0.8 leaves no step of 1; choose at least 1, or more steps."):
        finish(engine, request)
