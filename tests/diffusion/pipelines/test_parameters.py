"""What a pipeline can be told, read from its call; and the sentences for what it cannot."""

import enum
import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from diffusers import DDIMScheduler, DiffusionPipeline
from PIL import Image

from sculptor_app.core.errors import PictureError
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.requests.request import FORMS, Cell, GridRequest, NoiseRecipe, RequestError, RunRequest
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.pipelines.call import call_of
from sculptor_app.diffusion.pipelines.parameters import (
    call_parameters,
    model_parameters,
    native_size,
    unsupported_parameters,
    why_not_callable,
)
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.studies.grid import sample_grid
from sculptor_app.diffusion.studies.inversion import invert
from tests.helpers.any_pipeline import OPTIONS, built, engine_of, write_pictures
from tests.helpers.runs import solid
from tests.helpers.tiny_pipelines import BUILDERS


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class NobodysPipeline(DiffusionPipeline):
    """A pipeline that nobody has seen, with parameters of every sort."""

    def __init__(self, scheduler: DDIMScheduler) -> None:
        super().__init__()
        self.register_modules(scheduler=scheduler)

    def __call__(
        self,
        motto: str,
        glow: float = 0.25,
        layers_of_paint: int | None = 3,
        is_signed: bool = True,
        school: Literal["dutch", "french"] = "dutch",
        colour: Colour = Colour.GREEN,
        sketch: Image.Image | None = None,
        weights: torch.Tensor | None = None,
        told: Callable[[int], None] | None = None,
        corners: tuple[int, int] = (0, 0),
        untyped=0.5,
        more: dict[str, Any] | None = None,
        num_inference_steps: int = 50,
        generator: torch.Generator | None = None,
        **ignored: Any,
    ) -> None:
        raise NotImplementedError


NOBODYS = NobodysPipeline(DDIMScheduler())


def described(pipeline: Any) -> dict[str, ModelParameter]:
    return {control.name: control for control in model_parameters(pipeline)}


def test_an_unknown_pipeline_gets_controls_of_its_own() -> None:
    kinds = {name: (control.kind, control.default) for name, control in described(NOBODYS).items()}
    assert kinds == {
        "motto": (ParameterKind.TEXT, None),
        "glow": (ParameterKind.NUMBER, 0.25),
        "layers_of_paint": (ParameterKind.WHOLE, 3),
        "is_signed": (ParameterKind.FLAG, True),
        "school": (ParameterKind.CHOICE, "dutch"),
        "colour": (ParameterKind.CHOICE, "GREEN"),
        "sketch": (ParameterKind.PICTURE, None),
        "untyped": (ParameterKind.NUMBER, 0.5),
        "num_inference_steps": (ParameterKind.WHOLE, 50),
    }
    assert described(NOBODYS)["motto"].required
    assert not described(NOBODYS)["glow"].required
    assert described(NOBODYS)["layers_of_paint"].title == "Layers of paint"
    assert described(NOBODYS)["school"].choices == ("dutch", "french")
    assert described(NOBODYS)["num_inference_steps"].field == "steps"


def test_what_no_person_can_give_is_left_out_with_a_word() -> None:
    left_out = {each.name: each.why for each in unsupported_parameters(NOBODYS)}
    assert set(left_out) == {"weights", "told", "corners", "more", "generator"}
    assert left_out["weights"] == "It is made of numbers that a program makes, not a person."
    assert left_out["generator"] == "Sculptor sets it itself."


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_parameter_has_a_control_or_a_word_why_not(kind: str) -> None:
    pipeline = built(kind)[0]
    names = [each.name for each in (*model_parameters(pipeline), *unsupported_parameters(pipeline))]
    assert sorted(names) == sorted(call_parameters(pipeline))
    assert all(each.why.endswith(".") for each in unsupported_parameters(pipeline))
    assert why_not_callable(pipeline) == ""
    assert set(OPTIONS.get(kind, {})) <= set(described(pipeline))


@pytest.mark.parametrize("kind", BUILDERS)
def test_defaults_are_those_of_the_call(kind: str) -> None:
    """A value that is sent although nobody chose it would change the picture."""
    pipeline = built(kind)[0]
    parameters = call_parameters(pipeline)
    for control in model_parameters(pipeline):
        default = parameters[control.name].default
        if default not in (None, inspect.Parameter.empty):
            assert control.default == default, control.name


def test_stable_diffusion() -> None:
    controls = described(built("stable_diffusion")[0])
    assert (controls["prompt"].kind, controls["prompt"].default) == (ParameterKind.TEXT, "")
    assert (controls["guidance_scale"].default, controls["guidance_scale"].field) == (7.5, "guidance")
    assert (controls["eta"].low, controls["eta"].high) == (0, 1)
    size = controls["height"]
    assert (size.kind, size.default, size.grain) == (ParameterKind.SIZE, 16, 2)


def test_class_labels_have_names() -> None:
    label = described(built("dit")[0])["class_labels"]
    assert (label.kind, label.low, label.high, label.default) == (ParameterKind.LABEL, 0, 999, 0)
    assert label.choices == ("bust", "vase", "ring")  # "head" is another word for the first


def test_pictures_are_needed_where_a_run_starts_from_one() -> None:
    for kind, names in {"img2img": ["image"], "inpaint": ["image", "mask_image"]}.items():
        assert [each.name for each in model_parameters(built(kind)[0]) if each.required] == names


def test_the_embedded_model_goes_the_same_way(tiny_model: Path) -> None:
    pipeline = load_sculptor(tiny_model)
    controls = described(pipeline)
    assert list(controls) == ["form", "material", "num_inference_steps", "guidance_scale", "size", "eta"]
    assert controls["form"].choices == FORMS
    assert native_size(pipeline) == (16, 16)
    request = RunRequest(form="vase", steps=3, guidance=1.5, seed=4, options={"eta": 0.5})
    call = call_of(pipeline, request, Start(noise=solid(16)))
    assert {name: call.arguments[name] for name in ("form", "num_inference_steps", "guidance_scale", "eta")} == {
        "form": 4, "num_inference_steps": 3, "guidance_scale": 1.5, "eta": 0.5}  # fmt: skip
    assert call.arguments["noise"].shape == (1, 3, 16, 16)
    assert (call.conditions, call.size) == ("vase", (16, 16))


def test_only_what_was_chosen_is_handed_over() -> None:
    call = call_of(built("stable_diffusion")[0], RunRequest(guidance=None, steps=3))
    assert set(call.arguments) == {"prompt", "num_inference_steps", "generator", "output_type"}
    assert (call.arguments["output_type"], call.generator.device.type) == ("latent", "cpu")
    assert call_of(built("dit")[0], RunRequest()).arguments["output_type"] == "np"  # it cannot leave decoding out


def test_pictures_are_opened_and_shrunk_to_the_models_size(tmp_path: Path) -> None:
    Image.new("RGB", (300, 150), (255, 0, 0)).save(tmp_path / "wide.png")
    request = RunRequest(options={"image": str(tmp_path / "wide.png")})
    call = call_of(built("img2img")[0], request)
    assert call.arguments["image"].size == (16, 8)
    assert call.arguments["image"].getpixel((3, 3)) == (255, 0, 0)
    assert call.origin == "wide.png"


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        ("sd3", {"glow": 1}, r"This model knows no option 'glow'; it takes prompt, prompt_2, .*height, .*"),
        ("ddpm", {"prompt": "a bust"}, r"This model knows no option 'prompt'; it takes no options\."),
        ("sd3", {"latents": 1}, r"The option 'latents' cannot be given\. Sculptor sets it itself\."),
        ("sd3", {"guidance_scale": 3}, r"The option 'guidance_scale' is the request's guidance; give it there\."),
        ("sdxl", {"height": 17}, r"The height is 17; choose a multiple of 2\."),
        ("sdxl", {"height": 10**6}, r"The height is 1000000; choose 2 to 4096\."),
        ("sdxl", {"height": 16.0}, r"The height is 16\.0; give a whole number\."),
        ("sdxl", {"eta": 2}, r"The eta is 2; choose 0 to 1\."),
        ("sdxl", {"clip_skip": -1}, r"The clip_skip is -1; choose 0 and more\."),
        ("sdxl", {"prompt": 3}, r"The prompt is 3; give words\."),
        ("pixart", {"clean_caption": 1}, r"The clean_caption is 1; choose yes or no\."),
        ("dit", {"class_labels": 1000}, r"The class_labels is 1000; choose 0 to 999\."),
        ("img2img", {}, r"This model needs the image; give it\."),
        ("img2img", {"image": "/no/such.png"}, r"There is no file /no/such\.png for the image; choose a picture\."),
    ],
)
def test_refusals(kind: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=f"^{sentence}$"):
        call_of(built(kind)[0], RunRequest(options=options))


def test_an_unknown_choice_names_the_known_ones() -> None:
    with pytest.raises(RequestError, match="The school 'english' is not known; choose one of dutch, french"):
        call_of(NOBODYS, RunRequest(options={"motto": "x", "school": "english"}))
    call = call_of(NOBODYS, RunRequest(options={"motto": "x", "colour": "RED"}))
    assert call.arguments["colour"] is Colour.RED


def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(PictureError, match=r"x\.png cannot be opened"):
        call_of(built("img2img")[0], RunRequest(options={"image": str(tmp_path / "x.png")}))


def test_a_pipeline_that_wants_what_no_person_can_give() -> None:
    class Second(NobodysPipeline):
        def __call__(self, image_embeds: torch.Tensor, num_inference_steps: int = 5) -> None:
            raise NotImplementedError

    with pytest.raises(RequestError, match="Second wants image_embeds, which another program has to make"):
        call_of(Second(DDIMScheduler()), RunRequest())


def test_only_the_embedded_model_begins_with_a_noise_of_ones_own() -> None:
    with pytest.raises(RequestError, match="needs a model that takes its noise from outside; choose the embedded one"):
        call_of(built("ddpm")[0], RunRequest(), Start(noise=solid(8)))


def test_pages_for_the_embedded_model_refuse_others_in_words(tmp_path: Path) -> None:
    engine, stop = engine_of("ddpm"), threading.Event()
    grid = GridRequest((Cell(NoiseRecipe(7)),), steps=2, model=str(tmp_path), device="cpu")
    with pytest.raises(RequestError, match=r"^A grid of runs needs a model that takes its noise from outside"):
        next(sample_grid(engine, grid, stop))
    request = RunRequest(steps=2, model=str(tmp_path), device="cpu")
    with pytest.raises(RequestError, match=r"^Finding the noise of a picture needs a model"):
        next(invert(engine, request, solid(8), stop))


def test_no_code_names_the_pipelines_that_nobody_tried() -> None:
    """They are run by what is read from them alone."""
    package = Path(inspect.getfile(SculptorPipeline)).parents[1]
    text = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    for kind in ("aura_flow", "kandinsky3", "chroma"):
        assert type(built(kind)[0]).__name__ not in text


def test_pictures_are_there(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    options = {name: str(tmp_path / f"{name}.png") for name in ("image", "mask_image")}
    call = call_of(built("inpaint")[0], RunRequest(options=options))
    assert call.arguments["mask_image"].size == (16, 16)
