"""The walk over all pipeline classes of the installed diffusers: watched, run without a guess, or refused and why."""

import inspect
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.models.inspection import inspect_folder
from sculptor_app.diffusion.models.loader import build, check_suitable, load_pipeline
from sculptor_app.diffusion.models.verdict import Answer, ModelRefused, Unfit
from sculptor_app.diffusion.pipelines import suitability
from sculptor_app.diffusion.pipelines.call import call_of, schedule_arguments
from sculptor_app.diffusion.pipelines.compatibility import samplers_for, why_scheduler_misfits
from sculptor_app.diffusion.pipelines.parameters import fails_without, model_parameters
from sculptor_app.diffusion.pipelines.suitability import CAUSES, obstacle_of_class
from sculptor_app.diffusion.samplers.schedulers import make_scheduler
from sculptor_app.diffusion.sampling.engine import Engine
from tests.helpers import walk, walk_models
from tests.helpers.diffusers_models import unet

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

MADE = {
    "video": ("WanPipeline", "LTXPipeline", "AnimateDiffPipeline", "TextToVideoZeroPipeline", "LattePipeline"),
    "sound": ("DanceDiffusionPipeline", "StableAudioPipeline", "AceStepPipeline"),
    "embedding": ("KandinskyPriorPipeline", "StableCascadePriorPipeline", "FluxPriorReduxPipeline"),
    "map": ("MarigoldDepthPipeline", "MarigoldNormalsPipeline"),
    "solid": ("ShapEPipeline", "ShapEImg2ImgPipeline"),
    "depth": ("StableDiffusionLDM3DPipeline",),
    "text": ("LLaDA2Pipeline",),
    "argument": ("KandinskyV22Pipeline", "WuerstchenDecoderPipeline", "StableDiffusionGLIGENPipeline"),
    "inversion": ("StableDiffusionDiffEditPipeline", "LEditsPPPipelineStableDiffusion"),
    "tokens": ("AmusedPipeline", "VQDiffusionPipeline"),
    "parallel": ("StableDiffusionParadigmsPipeline",),
    "grid": ("VisualClozePipeline", "VisualClozeGenerationPipeline"),
    "no call": ("VersatileDiffusionPipeline",),
    "broken": ("ChromaInpaintPipeline", "VersatileDiffusionDualGuidedPipeline", "BlipDiffusionPipeline"),
    "layout": ("StableCascadeCombinedPipeline", "WuerstchenCombinedPipeline", "UniDiffuserPipeline"),
    "": ("StableDiffusionPipeline", "FluxFillPipeline",
         "StableDiffusionAdapterPipeline", "DiTPipeline", "UnCLIPPipeline"),
}  # fmt: skip
"""Some classes by the cause for which they are refused; none for the last ones."""


@pytest.fixture(scope="module")
def classes() -> dict[str, Any]:
    with walk.quiet_libraries():
        return walk_models.pipeline_classes()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    walk.write_pictures(tmp_path)
    return tmp_path


def test_every_class_is_judged_with_a_cause_of_the_table(classes: dict[str, Any]) -> None:
    found = {name: obstacle_of_class(kind) for name, kind in classes.items()}
    assert len(found) > 250
    for name, obstacle in found.items():
        if obstacle is not None:
            assert obstacle.cause in CAUSES, name
            assert obstacle.message.endswith("."), name
            assert obstacle.advice.endswith("."), name
    for cause, names in MADE.items():
        for name in names:
            obstacle = found[name]
            assert (obstacle.cause if obstacle else "") == cause, name


def test_an_encoder_is_broken_where_it_asks_itself_for_what_nothing_makes(classes: dict[str, Any]) -> None:
    """Whether transformers has it is looked up: of 5.24 get_extended_attention_mask is there, another mask is not."""
    kind = classes["BlipDiffusionPipeline"]
    encoder = inspect.signature(kind.__init__).parameters["qformer"].annotation
    lost = ("get_head_mask", "invert_attention_mask")
    assert obstacle_of_class(kind).message.endswith("has no invert_attention_mask.")
    with pytest.MonkeyPatch.context() as patch:
        for name in lost:
            patch.setattr(encoder, name, None, raising=False)
        assert obstacle_of_class(kind) is None


def test_what_is_refused_by_its_class_is_refused_before_anything_is_opened(
    classes: dict[str, Any], tmp_path: Path
) -> None:
    """Both doors say the same: the inspection, and the loading that a run begins with."""
    for name, kind in classes.items():
        obstacle = obstacle_of_class(kind)
        if obstacle is None:
            continue
        (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}))
        verdict = inspect_folder(tmp_path)
        assert verdict.answer is Answer.REFUSED
        assert [str(each) for each in verdict.refusals] == [f"{obstacle.message} {obstacle.advice}"]
        with pytest.raises(ModelRefused) as refused:
            load_pipeline(tmp_path)
        assert refused.value.message == obstacle.message


@pytest.mark.parametrize(
    "name",
    [
        "StableDiffusionXLControlNetUnionPipeline", "FluxInpaintPipeline",
        "StableDiffusion3PAGPipeline", "IFImg2ImgSuperResolutionPipeline",
        "SanaSprintPipeline", "KarrasVePipeline", "HunyuanDiTPipeline",
        "ZImageImg2ImgPipeline", "QwenImagePipeline",
        "VersatileDiffusionImageVariationPipeline",
    ],
)  # fmt: skip
def test_the_verdict_of_the_files_agrees_with_what_follows(
    name: str, classes: dict[str, Any], pictures: Path, tmp_path: Path
) -> None:
    with walk.quiet_libraries():
        pipeline = walk_models.build_tiny(classes[name])
        pipeline.save_pretrained(tmp_path / "model")
        verdict = inspect_folder(tmp_path / "model")
        ending = walk.run(pipeline, pictures)
    assert (verdict.answer, verdict.refusals) == (ending.answer, ())
    if ending.answer == Answer.RECORDED:
        assert verdict.why_no_guess == ending.why


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("StableDiffusionAdapterPipeline", ["image"]),
        ("StableDiffusionXLAdapterPipeline", ["image"]),
        ("FluxFillPipeline", ["image", "mask_image"]),
        ("StableDiffusionInstructPix2PixPipeline", ["image"]),
        ("HunyuanImageRefinerPipeline", ["image"]),
        ("QwenImageEditPipeline", ["image"]),
        ("Flux2KleinPipeline", []),
        ("FluxKontextPipeline", []),
        ("StableDiffusionPipeline", []),
    ],
)
def test_pictures_that_a_call_fails_without_are_fields_that_must_be_filled(
    name: str, needed: list[str], classes: dict[str, Any]
) -> None:
    kind = classes[name]
    assert [each for each in ("image", "mask_image") if fails_without(kind, each)][: len(needed)] == needed
    controls = {each.name: each for each in model_parameters(kind)}
    assert [each for each in needed if not controls[each].required] == []


def test_a_call_that_leaves_pictures_and_size_to_others_is_read_as_that(
    classes: dict[str, Any], pictures: Path
) -> None:
    """GLM-Image hands its pictures, a list, to a method that asks for None, and fills in no size."""
    kind = classes["GlmImagePipeline"]
    assert not fails_without(kind, "image")
    assert not fails_without(classes["StableDiffusionPanoramaPipeline"], "negative_prompt")
    with walk.quiet_libraries():
        pipeline = walk_models.build_tiny(kind)
    request = walk.request_of(pipeline, pictures, height=None, width=None)
    arguments = call_of(pipeline, request).arguments
    assert "image" not in arguments
    assert [arguments[name] for name in ("height", "width")] == [128 * pipeline.vae_scale_factor] * 2
    given = walk.request_of(pipeline, pictures, image=str(pictures / "picture.png"), height=None, width=None)
    arguments = call_of(pipeline, given).arguments
    assert [each.size for each in arguments["image"]] == [(32, 32)]
    assert "height" not in arguments  # it goes by the picture


def test_a_missing_picture_is_named_before_the_run(classes: dict[str, Any], pictures: Path) -> None:
    with walk.quiet_libraries():
        pipeline = walk_models.build_tiny(classes["StableDiffusionUpscalePipeline"])
        with pytest.raises(SculptorError, match="This model needs the image; give it"):
            walk.watched(walk.engine_with(pipeline), walk.request_of(pipeline, pictures, image=None))


NEEDS = {
    "torchvision": ("QwenImageEditPipeline", "Kandinsky5T2IPipeline", "OmniGenPipeline", "NucleusMoEImagePipeline"),
    "cosmos_guardrail": ("Cosmos2TextToImagePipeline",),
}


@pytest.mark.parametrize(("package", "name"), [(package, name) for package, names in NEEDS.items() for name in names])
def test_a_package_that_only_some_components_need_is_named_where_it_lacks(
    package: str, name: str, classes: dict[str, Any]
) -> None:
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    obstacle = obstacle_of_class(classes[name])
    assert obstacle is not None
    assert obstacle.message == f"{name} needs the Python package {package}, which is not installed."
    assert f"`pip install {package}`" in obstacle.advice


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_a_component_whose_class_is_a_placeholder_names_its_package(tmp_path: Path) -> None:
    index = {"_class_name": "Flux2Pipeline", "tokenizer": ["transformers", "PixtralProcessor"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    messages = [each.message for each in inspect_folder(tmp_path).refusals]
    assert "'PixtralProcessor' needs the Python package torchvision, which is not installed." in messages


@pytest.mark.parametrize("name", ["Kandinsky5T2IPipeline", "NucleusMoEImagePipeline", "PRXPipeline"])
def test_what_a_package_keeps_away_is_watched_where_it_is_there(
    name: str, classes: dict[str, Any], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suitability, "package_lacking_for", lambda part: "")
    with walk.quiet_libraries():
        assert walk.run(walk_models.build_tiny(classes[name]), pictures) == walk.Ending("watched")


def test_a_network_that_borrows_parts_of_another_is_opened_as_it_was_saved(
    classes: dict[str, Any], pictures: Path, tmp_path: Path
) -> None:
    """Such a folder holds the borrowed weights twice; the outputs of its network are numbered."""
    with walk.quiet_libraries():
        pipeline = walk_models.build_tiny(classes["ZImageControlNetPipeline"])
        pipeline.save_pretrained(tmp_path / "model")
        check_suitable(build(inspect_folder(tmp_path / "model"), "float32"))
        assert walk.run(pipeline, pictures) == walk.Ending("watched")


@pytest.mark.parametrize(
    ("name", "scheduler", "words"),
    [
        ("DDPMPipeline", "ScoreSdeVeScheduler", "needs the step of its scheduler, and ScoreSdeVeScheduler has none."),
        ("ScoreSdeVePipeline", "DDPMScheduler", "needs the set_sigmas of its scheduler, and DDPMScheduler has none."),
        ("DDPMPipeline", "IPNDMScheduler", "hands generator to the step of its scheduler, and IPNDMScheduler does not"),
    ],
)  # fmt: skip
def test_a_scheduler_that_its_pipeline_cannot_call_is_refused_where_no_other_would_do(
    name: str, scheduler: str, words: str
) -> None:
    pipeline = getattr(diffusers, name)(unet(), getattr(diffusers, scheduler)())
    with pytest.raises(Unfit, match=words) as refused:
        check_suitable(pipeline)
    assert refused.value.finding.explanation.startswith("They belong to different models")


def test_a_scheduler_that_its_pipeline_cannot_call_is_told_before_the_run_with_those_that_work() -> None:
    pipeline = diffusers.DDPMPipeline(unet(), diffusers.UniPCMultistepScheduler())
    check_suitable(pipeline)  # it can be run, though not with its own
    engine = Engine(lambda *_, **__: pipeline)
    engine.load(None, "cpu")
    with pytest.raises(RequestError, match="hands generator to the step of its scheduler") as refused:
        engine.check_plan(RunRequest(sampler=OWN_SAMPLER, steps=4))
    named = refused.value.advice
    assert named.startswith("Choose one of these samplers: DDIM (ddim), ")
    for sampler in samplers_for(pipeline, engine.settings)[1:]:
        pipeline.scheduler = make_scheduler(sampler, engine.settings, 4)
        pipeline(num_inference_steps=4, output_type="np")


@pytest.mark.parametrize("kind", [diffusers.TCDScheduler, diffusers.LCMScheduler])
def test_where_no_sampler_works_the_setting_to_be_changed_is_named(kind: Any) -> None:
    advice = []
    for begins_with_noise in (True, False):
        made = kind(rescale_betas_zero_snr=begins_with_noise, timestep_spacing="trailing")
        pipeline = diffusers.DDPMPipeline(unet(), made)
        engine = Engine(lambda *_, pipeline=pipeline, **__: pipeline)
        engine.load(None, "cpu")
        try:
            engine.check_plan(RunRequest(sampler=OWN_SAMPLER, steps=4))
        except RequestError as refused:
            advice.append(refused.advice)
    assert len(advice) == 1  # as advised, it runs
    assert advice[0].endswith("in its scheduler_config.json, set rescale_betas_zero_snr to false.")


@pytest.mark.parametrize("kind", [diffusers.DDIMScheduler, diffusers.EulerDiscreteScheduler, diffusers.PNDMScheduler])
def test_pipelines_can_call_the_schedulers_that_they_say_they_work_with(kind: Any, classes: dict[str, Any]) -> None:
    usual = diffusers.schedulers.KarrasDiffusionSchedulers
    found = 0
    for each in classes.values():
        part = inspect.signature(each.__init__).parameters.get("scheduler")
        if part is not None and part.annotation is usual and obstacle_of_class(each) is None:
            assert why_scheduler_misfits(each.__new__(each), {"scheduler": kind()}) == "", each
            found += 1
    assert found > 40


def test_the_usual_guidance_of_each_step_is_spread_over_the_steps(classes: dict[str, Any]) -> None:
    usual = schedule_arguments(classes["Ideogram4Pipeline"], 16, None)["guidance_schedule"]
    assert usual == [7.0] * 15 + [3.0]
    assert schedule_arguments(classes["Ideogram4Pipeline"], 48, None)["guidance_schedule"] == [7.0] * 45 + [3.0] * 3
    assert schedule_arguments(classes["Ideogram4Pipeline"], 16, 4.0) == {"guidance_schedule": None}
    assert schedule_arguments(classes["FluxPipeline"], 16, 4.0) == {}


@pytest.mark.parametrize("name", ["Ideogram4Pipeline", "BriaFiboPipeline", "HunyuanImageRefinerPipeline"])
def test_the_last_state_decodes_to_the_pipelines_own_picture(
    name: str, classes: dict[str, Any], pictures: Path
) -> None:
    with walk.quiet_libraries():
        pipeline = walk_models.build_tiny(classes[name])
        vae = pipeline.vae
        if hasattr(vae, "bn"):  # each mean and variance another, so that their order counts
            vae.bn.running_mean.copy_(torch.linspace(-1, 1, len(vae.bn.running_mean)))
            vae.bn.running_var.copy_(torch.linspace(1, 4, len(vae.bn.running_var)))
        request = walk.request_of(pipeline, pictures)
        _, trajectory = walk.watched(walk.engine_with(pipeline), request)
        with torch.no_grad():
            picture = pipeline(**call_of(pipeline, request).arguments | {"output_type": "np"})[0][0]
    decoded = LatentCodec(pipeline).decode(trajectory.state(trajectory.last))
    np.testing.assert_allclose((decoded.transpose(1, 2, 0) / 2 + 0.5).clip(0, 1), picture, atol=1e-5)


def test_a_model_of_a_module_that_moved_keeps_the_settings_of_its_index(
    classes: dict[str, Any], tmp_path: Path
) -> None:
    with walk.quiet_libraries():
        walk_models.build_tiny(classes["PaintByExamplePipeline"]).save_pretrained(tmp_path / "model")
        index = tmp_path / "model" / "model_index.json"
        assert json.loads(index.read_text())["requires_safety_checker"] is False
        pipeline = build(inspect_folder(tmp_path / "model"), "float32")
    assert pipeline.config.requires_safety_checker is False
