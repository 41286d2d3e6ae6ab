"""The walk over all pipeline classes of the installed diffusers: watched, run without a guess, or refused and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from sculptor_app.core.errors import SculptorError
from sculptor_app.diffusion.models.inspection import inspect_folder
from sculptor_app.diffusion.models.loader import load_pipeline
from sculptor_app.diffusion.models.verdict import Answer, ModelRefused
from sculptor_app.diffusion.pipelines.parameters import fails_without, model_parameters
from sculptor_app.diffusion.pipelines.suitability import CAUSES, obstacle_of_class
from tests.helpers import walk, walk_models

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
    "": ("Kandinsky5T2IPipeline", "StableDiffusionPipeline", "FluxFillPipeline", "UniDiffuserPipeline",
         "StableDiffusionAdapterPipeline", "Cosmos2TextToImagePipeline", "DiTPipeline", "UnCLIPPipeline"),
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
        "FluxFillPipeline", "StableDiffusionInstructPix2PixPipeline", "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLControlNetUnionPipeline", "StableDiffusion3PAGPipeline", "IFImg2ImgSuperResolutionPipeline",
        "StableDiffusionUpscalePipeline", "SanaSprintPipeline", "KarrasVePipeline", "HunyuanDiTPipeline",
        "ZImageImg2ImgPipeline", "FluxKontextPipeline", "VersatileDiffusionImageVariationPipeline",
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
        ("Flux2KleinPipeline", []),
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


def test_a_missing_picture_is_named_before_the_run(classes: dict[str, Any], pictures: Path) -> None:
    with walk.quiet_libraries():
        pipeline = walk_models.build_tiny(classes["StableDiffusionUpscalePipeline"])
        with pytest.raises(SculptorError, match="This model needs the image; give it"):
            walk.watched(walk.engine_with(pipeline), walk.request_of(pipeline, pictures, image=None))
