"""`sculptor-app sculpt --model` with models of other people: what they are told, and what is refused."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from PIL import Image

from sculptor_app.cli import main, make_parser
from sculptor_app.commands import terminal
from sculptor_app.commands.run_options import request_of
from sculptor_app.diffusion.models import loader
from sculptor_app.diffusion.models.verdict import Finding, Severity
from tests.helpers.any_pipeline import write_pictures
from tests.helpers.loras import by_diffusers, pairs
from tests.helpers.tiny_pipelines import build

pytestmark = pytest.mark.usefixtures("tried_once")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion."""
    folder = tmp_path_factory.mktemp("models") / "stable-diffusion"
    build("stable_diffusion").save_pretrained(folder)
    return folder


@pytest.fixture
def tried(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as if it had passed the sandbox, which takes seconds."""
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())
    return foreign


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--prompt", "a lion"], {"prompt": "a lion"}),
        (["--negative-prompt", "blur", "--set", "eta=0.5"], {"negative_prompt": "blur", "eta": 0.5}),
        (
            ["--set", "height=64", "--set", "flag=true", "--set", "word=a=b"],
            {"height": 64, "flag": True, "word": "a=b"},
        ),
        ([], {}),
    ],
)
def test_what_is_typed_is_told(typed: list[str], told: dict):
    assert request_of(make_parser().parse_args(["sculpt", *typed])).option_values == told


def test_a_prompt_is_carved_and_kept_in_the_file(foreign: Path, tmp_path: Path):
    out = tmp_path / "lion.gif"
    told = ["--prompt", "a lion", "--set", "eta=0.5"]
    code = main(["sculpt", "--model", str(foreign), "--sampler", "model", "--steps", "3", *told, "--out", str(out)])
    assert code == 0
    with Image.open(out) as gif:
        assert gif.n_frames == 3
        assert json.loads(gif.info["comment"])["request"]["options"] == {"eta": 0.5, "prompt": "a lion"}


@pytest.mark.parametrize("command", ["sculpt", "invert"])
def test_what_the_trial_says_of_its_runs_is_said_before_the_steps(
    foreign: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
):
    slow = Finding("It is slow: a step takes more than 60 s.", "", Severity.NOTE)
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: (slow,))
    said: list[str] = []
    monkeypatch.setattr(terminal.ProgressBar, "move_to", lambda *_: said.append(capsys.readouterr().err))
    options = ["--device", "cpu", "--steps", "2", "--out", str(tmp_path / "x.png")]
    if command == "sculpt":
        assert main(["sculpt", "--model", str(foreign), "--sampler", "model", *options]) == 0
    else:
        assert main(["invert", "--render", "bust", "--model", str(tiny_model), *options]) == 0
    assert said[:3] == [f"{slow.message}\n", "", ""]


def test_sampler_and_guidance_are_the_models_own_where_none_is_typed(foreign: Path, tiny_model: Path, tmp_path: Path):
    """As in the window; the embedded kind has those that were chosen for it."""
    used = []
    for model in (foreign, tiny_model):
        out = tmp_path / "x.gif"
        assert main(["sculpt", "--model", str(model), "--steps", "2", "--out", str(out)]) == 0
        with Image.open(out) as gif:
            request = json.loads(gif.info["comment"])["request"]
        used.append((request["sampler"], request["guidance"]))
    assert used == [("model", None), ("ddim", 2.0)]


def test_inpainting_says_that_it_changes_states_and_both_can_be_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    build("inpaint").save_pretrained(tmp_path / "inpaint")
    write_pictures(tmp_path)
    dark = np.tile(np.arange(0, 4096, 64, np.uint16), (64, 1))  # twelve bits in sixteen
    Image.fromarray(dark).save(tmp_path / "image.png")
    given = [f"--set={name}={tmp_path / name}.png" for name in ("image", "mask_image")]
    saved = {}
    for frames in ("noisy", "after-step"):
        out = tmp_path / f"{frames}.gif"
        run = [
            "sculpt",
            "--model",
            str(tmp_path / "inpaint"),
            "--sampler",
            "model",
            "--steps",
            "3",
            "--prompt",
            "a bust",
        ]
        assert main([*run, *given, "--frames", frames, "--out", str(out)]) == 0
        told = capsys.readouterr().err
        assert "--frames after-step shows what the sampler returned" in told
        assert "image.png: its greys are scaled to their own range: 0 is black, 4095 is white.\n" in told
        with Image.open(out) as gif:
            gif.seek(gif.n_frames - 1)
            saved[frames] = gif.convert("RGB").tobytes()
    assert saved["noisy"] != saved["after-step"]


@pytest.mark.parametrize(
    ("typed", "words"), [(["--set", "colour=blue"], "no option 'colour'"), (["--set", "height=13"], "height is 13")]
)
def test_what_the_model_does_not_take_is_refused(
    tried: Path, tmp_path: Path, typed: list[str], words: str, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "x.gif"
    assert main(["sculpt", "--model", str(tried), "--steps", "3", *typed, "--out", str(out)]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture(scope="module")
def lora(foreign: Path) -> Path:
    """A LoRA for it, in a file whose name has a colon."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(foreign)
    return by_diffusers(pipeline, pairs(pipeline, {"unet": ("to_q",)}), foreign.parent / "old: bronze.safetensors")


def test_a_lora_is_weighed_and_named_in_the_file_by_its_content(foreign: Path, lora: Path, tmp_path: Path):
    run = ["sculpt", "--model", str(foreign), "--sampler", "model", "--steps", "3", "--prompt", "a lion"]
    pixels = {}
    for name, more in {"none": [], "zero": ["--lora", f"{lora}:0"], "one": ["--lora", f"{lora}:-1.5"]}.items():
        out = tmp_path / f"{name}.png"
        assert main([*run, *more, "--out", str(out)]) == 0
        with Image.open(out) as still:
            pixels[name], comment = still.tobytes(), json.loads(still.info["comment"])
    assert pixels["none"] == pixels["zero"] != pixels["one"]
    sha256 = hashlib.sha256(lora.read_bytes()).hexdigest()
    assert comment["request"]["loras"] == [{"file": lora.name, "weight": -1.5, "sha256": sha256}]
    assert str(lora.parent) not in json.dumps(comment["request"]["loras"])


@pytest.mark.parametrize(
    ("model", "typed", "code", "words"),
    [
        (True, "gone.safetensors:0.5", 2, "There is no file gone.safetensors; choose a LoRA, or leave it out."),
        (True, "{lora}:nan", 2, "The weight of the LoRA old: bronze.safetensors is nan; choose -10 to 10."),
        (True, "{lora}:much", 2, "The weight of the LoRA old: bronze.safetensors is 'much'; give a number."),
        (True, "{index}", 2, "model_index.json is no safetensors file; a LoRA of another kind can run code."),
        (True, "{weights}", 3, "diffusion_pytorch_model.safetensors holds no LoRA."),
        (False, "{lora}", 2, "This model, a SculptorPipeline, takes no LoRAs; leave them out, or choose another."),
    ],
)
def test_a_lora_that_cannot_be_used_is_refused(
    foreign: Path, lora: Path, tiny_model: Path, tmp_path: Path, model: bool, typed: str, code: int, words: str,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    weights = foreign / "unet" / "diffusion_pytorch_model.safetensors"
    typed = typed.format(lora=lora, index=foreign / "model_index.json", weights=weights)
    run = ["sculpt", "--model", str(foreign if model else tiny_model), "--steps", "3", "--lora", typed]
    assert main([*run, "--device", "cpu", "--out", str(tmp_path / "x.png")]) == code
    assert words in capsys.readouterr().err


def test_what_sets_nothing_is_refused_at_once(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["sculpt", "--set", "blue"])
    assert "NAME=VALUE" in capsys.readouterr().err


def in_latents(foreign: Path, out: Path, *options: str) -> int:
    run = ["sculpt", "--model", str(foreign), "--sampler", "model", "--steps", "3", "--prompt", "a lion"]
    return main([*run, "--out", str(out), *options])


def test_a_still_is_what_the_pipeline_itself_gives(tried: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert in_latents(tried, tmp_path / "x.png", "--scale", "1", "--guidance", "5", "--seed", "3") == 0
    assert capsys.readouterr().err.endswith("Of latents: 1 frame decoded by the model's own decoder.\n")
    pipeline = StableDiffusionPipeline.from_pretrained(tried)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(3)
    whole = pipeline("a lion", num_inference_steps=3, guidance_scale=5, generator=generator, output_type="np")
    with Image.open(tmp_path / "x.png") as still:
        np.testing.assert_allclose(np.asarray(still), whole.images[0] * 255, atol=1)


@pytest.mark.parametrize(
    ("options", "size", "told"),
    [
        ([], 16, "1 frame decoded by the model's own decoder; 2 frames seen through a linear map"),
        (["--decode", "all"], 16, "3 frames decoded by the model's own decoder."),
        (["--decode", "none"], 8, "3 frames seen through a linear map"),
        (["--frames", "chips"], 8, "3 frames seen through a linear map"),
        (["--frames", "guesses", "--guidance", "3"], 3 * 16, "3 frames decoded by the model's own decoder; 6 frames"),
    ],
)
def test_a_film_of_latents_has_one_size_and_says_how_it_was_made(
    tried: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], size: int, told: str
):
    assert in_latents(tried, tmp_path / "x.gif", "--scale", "2", *options) == 0
    with Image.open(tmp_path / "x.gif") as gif:
        assert {(gif.seek(n), gif.size)[1][1] for n in range(gif.n_frames)} == {2 * min(size, 16)}
        assert gif.n_frames == 3
        assert json.loads(gif.info["comment"])["export"]["decode"] == (options[1] if "--decode" in options else "last")
    assert told in capsys.readouterr().err


def test_a_decoder_without_memory_names_the_way_out_and_keeps_the_run(
    tried: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    real = AutoencoderKL.decode

    def decode(vae: AutoencoderKL, latents: torch.Tensor, *args: object, **options: object) -> object:
        if torch.is_grad_enabled() is False and len(latents) == 1 and latents.shape[-1] == 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(vae, latents, *args, **options)

    monkeypatch.setattr(AutoencoderKL, "decode", decode)
    assert in_latents(tried, tmp_path / "x.gif") == 0
    told = capsys.readouterr().err
    assert "not enough memory on CPU. What could not be decoded is seen through the linear map instead; " in told
    assert "--decoder FOLDER names a small decoder" in told
    with Image.open(tmp_path / "x.gif") as gif:
        assert (gif.n_frames, gif.size) == (3, (256, 256))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--decode", "none"], "There is nothing to do for --decoder. Leave it out, or choose --decode last or all."),
        ([], "gone holds no small decoder. Name a folder with config.json and its weights."),
    ],
)
def test_a_small_decoder_is_checked_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
):
    decoder = tmp_path / "gone"
    assert main(["sculpt", "--out", str(tmp_path / "x.gif"), "--decoder", str(decoder), *options]) == 2
    assert capsys.readouterr().err.strip().endswith(told)
