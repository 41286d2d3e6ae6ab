"""What files say that they were made with: this program's, AUTOMATIC1111's and ComfyUI's, whole, odd and hostile."""

import contextlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.files import ExportError
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.made_with import MadeWith, read_made_with
from tests.helpers.runs import made_run

PARAMETERS = """a marble lion, <lora:oldStone:0.8>, museum light
second line, 1:2
Negative prompt: blurry,
low quality
Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 3829112345, Size: 512x768, Model hash: 6ce0161689, \
Model: v1-5-pruned-emaonly, Lora hashes: "oldStone: 1a2b, other: 3c4d", Version: v1.6.0"""

GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {
        "seed": 156680208700286, "steps": 20, "cfg": 8.0, "sampler_name": "euler_ancestral", "scheduler": "normal",
        "denoise": 1.0, "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 640, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a bronze horse", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "text, watermark", "clip": ["4", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x", "images": ["8", 0]}},
    "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "stone.safetensors", "model": ["4", 0]}},
}  # fmt: skip

FLUX = {
    "1": {"class_type": "SamplerCustomAdvanced", "inputs": {
        "noise": ["2", 0], "guider": ["3", 0], "sampler": ["4", 0], "sigmas": ["5", 0], "latent_image": ["6", 0]}},
    "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": ["11", 0]}},
    "3": {"class_type": "BasicGuider", "inputs": {"model": ["7", 0], "conditioning": ["8", 0]}},
    "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
    "5": {"class_type": "BasicScheduler", "inputs": {
        "scheduler": "simple", "steps": 12, "denoise": 1, "model": ["7", 0]}},
    "6": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 1024, "height": 768}},
    "7": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux1-dev.safetensors"}},
    "8": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["9", 0]}},
    "9": {"class_type": "CLIPTextEncode", "inputs": {"text": ["10", 0], "clip": ["12", 0]}},
    "10": {"class_type": "PrimitiveString", "inputs": {"value": "a stone ring"}},
    "11": {"class_type": "PrimitiveInt", "inputs": {"value": 77}},
}  # fmt: skip

WORKFLOW = {
    "nodes": [
        {"id": 3, "type": "KSampler", "inputs": [{"name": "model", "link": 1}, {"name": "positive", "link": 4},
         {"name": "negative", "link": 6}, {"name": "latent_image", "link": 2}],
         "widgets_values": [42, "randomize", 30, 7, "heun", "karras", 1]},
        {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["sd15.ckpt"]},
        {"id": 5, "type": "EmptyLatentImage", "widgets_values": [256, 320, 1]},
        {"id": 6, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 3}], "widgets_values": ["a vase"]},
        {"id": 7, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 5}], "widgets_values": [""]},
    ],
    "links": [[1, 4, 0, 3, 0, "MODEL"], [2, 5, 0, 3, 3, "LATENT"], [3, 4, 1, 6, 0, "CLIP"],
              [4, 6, 0, 3, 1, "CONDITIONING"], [5, 4, 1, 7, 0, "CLIP"], [6, 7, 0, 3, 2, "CONDITIONING"]],
}  # fmt: skip


def png(path: Path, **texts: str) -> Path:
    info = PngInfo()
    for name, text in texts.items():
        info.add_itxt(name, text) if not text.isascii() else info.add_text(name, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def found(path: Path) -> MadeWith | None:
    """What a file says; None where it is refused in a sentence that names it."""
    with contextlib.suppress(ExportError):
        return read_made_with(path)
    with pytest.raises(ExportError, match=path.name):
        read_made_with(path)
    return None


# Other programs -------------------------------------------------------------------------------------------------------


def test_a_text_of_the_web_ui_is_read(tmp_path: Path) -> None:
    made = read_made_with(png(tmp_path / "x.png", parameters=PARAMETERS))
    assert made.fields == {
        "seed": 3829112345, "steps": 28, "guidance": 6.5, "sampler": "dpmpp-2m-karras",
        "options": {
            "prompt": "a marble lion, , museum light\nsecond line, 1:2", "negative_prompt": "blurry,\nlow quality",
            "width": 512, "height": 768,
        },
    }  # fmt: skip
    assert (made.model, made.left_out, made.is_own) == ("v1-5-pruned-emaonly", ("the LoRA oldStone",), False)
    assert made.settings["Lora hashes"] == "oldStone: 1a2b, other: 3c4d"
    assert made.settings["Version"] == "v1.6.0"


@pytest.mark.parametrize(
    ("line", "sampler", "left_out"),
    [
        ("Steps: 2, Sampler: Euler a, Schedule type: Automatic", "euler-a", ()),
        ("Steps: 2, Sampler: Euler, Schedule type: Karras", "euler-karras", ()),
        ("Steps: 2, Sampler: DPM2 a Karras", "kdpm2-a", ("the spacing karras of its steps",)),
        ("Steps: 2, Sampler: PLMS", "pndm", ()),
        ("Steps: 2, Sampler: DPM fast", None, ("the sampler DPM fast",)),
        ("Steps: 2, Sampler: DPM++ SDE", None, ("the sampler DPM++ SDE",)),
        ("Steps: 2, Denoising strength: 0.4", None, ("the picture that it began with",)),
        ("Steps: 2, Denoising strength: 0.4, Hires upscale: 2", None, ("Hires upscale",)),
        ("Steps: 5000", None, ("the number of steps 5000",)),
    ],
)
def test_samplers_go_by_their_other_names(tmp_path: Path, line: str, sampler: str | None, left_out: tuple) -> None:
    made = read_made_with(png(tmp_path / "x.png", parameters=f"words\n{line}"))
    assert (made.fields.get("sampler"), made.left_out) == (sampler, left_out)


def test_words_that_look_like_settings_stay_words(tmp_path: Path) -> None:
    text = "Steps: 3 of a stair, Sampler: a cook\nNegative prompt: none\nSteps: 9, Seed: 4"
    made = read_made_with(png(tmp_path / "x.png", parameters=text))
    assert made.fields["options"]["prompt"] == "Steps: 3 of a stair, Sampler: a cook"
    assert (made.fields["steps"], made.fields["seed"]) == (9, 4)


@pytest.mark.parametrize("coding", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_the_user_comment_of_exif_data_is_read(tmp_path: Path, coding: str, suffix: str) -> None:
    exif = Image.Exif()
    comment = b"UNICODE\0" + "ein Löwe\nSteps: 7, Seed: 5".encode(coding)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    Image.new("RGB", (8, 8)).save(tmp_path / f"x{suffix}", exif=exif)
    made = read_made_with(tmp_path / f"x{suffix}")
    assert (made.fields["options"]["prompt"], made.fields["steps"]) == ("ein Löwe", 7)


def test_a_graph_of_comfyui_is_read(tmp_path: Path) -> None:
    made = read_made_with(png(tmp_path / "x.png", prompt=json.dumps(GRAPH), workflow="{}"))
    assert made.fields == {
        "seed": 156680208700286, "steps": 20, "guidance": 8.0, "sampler": "euler-a",
        "options": {"prompt": "a bronze horse", "negative_prompt": "text, watermark", "width": 512, "height": 640},
    }  # fmt: skip
    assert (made.program, made.model, made.left_out) == ("ComfyUI", "sd15.safetensors", ("the LoRA stone.safetensors",))


def test_a_graph_of_single_nodes_with_guidance_in_one_of_its_own_is_read(tmp_path: Path) -> None:
    made = read_made_with(png(tmp_path / "x.png", prompt=json.dumps(FLUX)))
    assert made.fields == {
        "seed": 77, "steps": 12, "guidance": 3.5, "sampler": "euler",
        "options": {"prompt": "a stone ring", "width": 1024, "height": 768},
    }  # fmt: skip
    assert made.left_out == ("the spacing simple of its steps",)


def test_a_saved_workflow_is_read_where_there_is_no_graph(tmp_path: Path) -> None:
    made = read_made_with(png(tmp_path / "x.png", workflow=json.dumps(WORKFLOW)))
    assert made.fields == {
        "seed": 42, "steps": 30, "guidance": 7.0, "sampler": "heun",
        "options": {"prompt": "a vase", "width": 256, "height": 320},
    }  # fmt: skip
    assert made.left_out == ("the spacing karras of its steps",)


def test_of_two_samplers_the_one_that_begins_is_read(tmp_path: Path) -> None:
    second = {"class_type": "KSampler", "inputs": GRAPH["3"]["inputs"] | {
        "seed": 1, "denoise": 0.5, "latent_image": ["3", 0]}}  # fmt: skip
    made = read_made_with(png(tmp_path / "x.png", prompt=json.dumps({"2": second, **GRAPH})))
    assert (made.fields["seed"], made.left_out) == (156680208700286, ("the LoRA stone.safetensors",))


def test_a_graph_in_the_exif_data_of_a_webp_is_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = f"prompt:{json.dumps(GRAPH)}"
    Image.new("RGB", (8, 8)).save(tmp_path / "x.webp", exif=exif)
    assert read_made_with(tmp_path / "x.webp").fields["steps"] == 20


HOSTILE = {
    "a circle": {"3": {"class_type": "KSampler", "inputs": {
        "seed": ["3", 0], "steps": ["4", 0], "sampler_name": ["3", 0], "positive": ["3", 0]}},
        "4": {"class_type": "x", "inputs": {"value": ["4", 0], "a": ["3", 0]}}},
    "odd values": {"3": {"class_type": "KSampler", "inputs": {
        "seed": -1, "steps": 1e300, "cfg": "nan", "sampler_name": {"a": 1}, "positive": [[], 0]}}},
    "huge numbers": {"3": {"class_type": "KSampler", "inputs": {
        "seed": 10**400, "steps": "9" * 5000, "cfg": True, "sampler_name": "x" * 10**6}}},
    "no nodes": {"3": [], "4": {"inputs": 3}},
    "a long chain": {str(i): {"class_type": "KSampler", "inputs": {
        "seed": i, "steps": 1, "sampler_name": "euler", "latent_image": [str(i + 1), 0]}} for i in range(20_000)},
}  # fmt: skip


@pytest.mark.parametrize("graph", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["prompt", "workflow"])
def test_odd_graphs_are_read_as_far_as_they_go(tmp_path: Path, graph: object, name: str) -> None:
    path = png(tmp_path / "x.png", **{name: json.dumps(graph)})
    made = found(path)
    assert made is None or isinstance(RunRequest(**made.fields), RunRequest)


def test_deep_json_is_no_settings(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no settings"):
        read_made_with(png(tmp_path / "x.png", prompt="[" * 100_000))


@given(
    st.text(max_size=300),
    st.dictionaries(st.sampled_from(["Steps", "Seed", "CFG scale", "Sampler", "Size"]), st.text()),
)
@settings(max_examples=200)
def test_whatever_a_text_says_is_a_request_or_nothing(words: str, told: dict[str, str]) -> None:
    from sculptor_app.exports import made_with

    line = ", ".join(f"{name}: {value}" for name, value in told.items())
    made = made_with._from_parameters({"parameters": f"{words}\nSteps: 3, {line}"})
    assert made is None or isinstance(RunRequest(**made.fields), RunRequest)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["1", "2", "euler", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["1", "2", "inputs", "class_type", "seed", "steps", "sampler_name", "positive", "nodes",
                         "links", "type", "id", "widgets_values", "text"]), inner, max_size=6),
    max_leaves=30,
))  # fmt: skip
@settings(max_examples=300)
def test_whatever_a_graph_says_is_a_request_or_nothing(told: object) -> None:
    from sculptor_app.exports import made_with

    for name in ("prompt", "workflow"):
        made = made_with._from_graph({name: json.dumps(told)})
        assert made is None or isinstance(RunRequest(**made.fields), RunRequest)


@pytest.mark.parametrize("cut", [8, 40, 200, 400])
def test_a_picture_that_is_cut_off_says_nothing(tmp_path: Path, cut: int) -> None:
    whole = png(tmp_path / "x.png", parameters=PARAMETERS).read_bytes()
    (tmp_path / "y.png").write_bytes(whole[:cut])
    made = found(tmp_path / "y.png")
    assert made is None or cut == 400


def test_bits_that_flipped_raise_nothing_else(tmp_path: Path) -> None:
    whole, chance = png(tmp_path / "x.png", parameters=PARAMETERS).read_bytes(), random.Random(3)
    for number in range(100):
        bent = bytearray(whole)
        bent[chance.randrange(len(bent))] ^= 1 << chance.randrange(8)
        path = tmp_path / f"{number}.png"
        path.write_bytes(bent)
        found(path)


# This program's -------------------------------------------------------------------------------------------------------


def written(tmp_path: Path, kind: str, disclosure: Disclosure = Disclosure.NAMES, **changes: object) -> MadeWith:
    run = made_run(size=24)
    path = tmp_path / f"x.{kind}"
    FORMATS[kind].write(path, Export(run, AnimationOptions(size_px=64), run.last, disclosure=disclosure))
    return read_made_with(path)


@pytest.mark.parametrize("kind", ["gif", "png", "html", "svg", "mp4", "webp", "apng", "zip", "pdf"])
def test_every_format_says_how_to_make_its_run_again(tmp_path: Path, kind: str) -> None:
    made = written(tmp_path, kind)
    wanted = made_run(size=24).info.request
    assert made.is_own
    assert made.left_out == ()
    assert made.over(RunRequest(form="ring", seed=99, device=wanted.device)) == wanted


def test_a_prompt_that_is_not_told_is_not_read(tmp_path: Path) -> None:
    assert written(tmp_path, "png", Disclosure.PRIVATE).fields["seed"] == made_run(size=24).info.request.seed


def test_a_picture_of_something_else_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg")
    for path, said in ((tmp_path / "x.jpg", "carries no settings"), (tmp_path / "none.png", "There is no file")):
        with pytest.raises(ExportError, match=said):
            read_made_with(path)
