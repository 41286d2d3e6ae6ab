"""One safetensors file: recognised by its weights, its settings taken from the hub's cache, built by diffusers."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from diffusers.loaders.single_file_utils import CHECKPOINT_KEY_NAMES

from sculptor_app.diffusion.models import single_file
from sculptor_app.diffusion.models.loader import build, inspect_model
from sculptor_app.diffusion.models.sandbox import check_in_sandbox
from sculptor_app.diffusion.models.verdict import Unfit
from tests.helpers.diffusers_models import save, write_pickle
from tests.helpers.stable_diffusion import as_checkpoint, stable_diffusion

COMMIT = "0123456789" * 4
SD1 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
WHOLE = {
    "first_stage_model.decoder.conv_in.weight": torch.zeros(1),
    "model.diffusion_model.out.0.weight": torch.zeros(1),
}
"""A weight of each part."""
V1 = {CHECKPOINT_KEY_NAMES["v1"]: torch.zeros(2, 2)} | WHOLE


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_settings(cache: Path, source: Path, name: str = SD1) -> Path:
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(source, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return snapshot


def write(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    path.write_bytes(safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}))
    return path


@pytest.fixture(scope="module")
def stable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Stable Diffusion as a folder, and as one file under the names that its authors gave to the weights."""
    folder = save(stable_diffusion, tmp_path_factory.mktemp("stable") / "diffusion")
    pipeline = build(inspect_model(folder), "float32")
    return folder, write(folder.parent / "stable.safetensors", as_checkpoint(pipeline))


@pytest.fixture
def checkpoint_file(
    stable: tuple[Path, Path], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """A copy of the file, and its settings in the hub's cache, without weights."""
    folder, file = stable
    settings = put_settings(cache, folder)
    for weights in settings.rglob("*.safetensors"):
        weights.unlink()
    # A tiny one has no twelfth output block.
    monkeypatch.setitem(CHECKPOINT_KEY_NAMES, "v1", "model.diffusion_model.output_blocks.3.0.skip_connection.weight")
    return Path(shutil.copy(file, tmp_path / "stable.safetensors")), settings


def picture(pipeline: Any) -> np.ndarray:
    generator = torch.Generator().manual_seed(5)
    return np.asarray(pipeline("a bust", num_inference_steps=2, generator=generator, output_type="np").images)


def test_a_checkpoint_makes_the_pictures_that_its_folder_makes(
    stable: tuple[Path, Path], checkpoint_file: tuple[Path, Path], canary: Path
) -> None:
    path, settings = checkpoint_file
    write_pickle(settings / "safety.bin", canary)
    verdict = inspect_model(path)
    assert verdict.findings == ()
    assert (verdict.pipeline, verdict.settings_folder) == ("StableDiffusionPipeline", settings)
    assert verdict.stored_bytes == path.stat().st_size
    ours = build(verdict, "float32")
    np.testing.assert_array_equal(picture(ours), picture(build(inspect_model(stable[0]), "float32")))
    assert not ours.unet.training
    assert not canary.exists()


def test_a_checkpoint_passes_the_sandbox_that_is_a_process_of_its_own(
    stable: tuple[Path, Path], cache: Path, tmp_path: Path
) -> None:
    folder, file = stable
    for weights in put_settings(cache, folder).rglob("*.safetensors"):
        weights.unlink()
    tensors = safetensors.torch.load(file.read_bytes())
    # A tiny one has no twelfth output block, by which diffusers knows the kind.
    path = write(tmp_path / "x.safetensors", tensors | {CHECKPOINT_KEY_NAMES["v1"]: torch.zeros(2, 2, 1, 1)})
    check_in_sandbox(inspect_model(path), "float32")


def test_a_checkpoint_that_lacks_weights_or_holds_no_numbers(checkpoint_file: tuple[Path, Path]) -> None:
    path, _ = checkpoint_file
    tensors = safetensors.torch.load(path.read_bytes())
    bias = tensors.pop("model.diffusion_model.out.2.bias")
    write(path, tensors)
    with pytest.raises(Unfit, match=r"leaves 'conv_out\.bias' without a value|nothing that can be built"):
        build(inspect_model(path), "float32")
    write(path, tensors | {"model.diffusion_model.out.2.bias": bias.fill_(float("nan"))})
    with pytest.raises(Unfit, match=r"unet has NaN or infinite values in 'conv_out\.bias'"):
        build(inspect_model(path), "float32")


def test_a_checkpoint_without_its_text_encoder(checkpoint_file: tuple[Path, Path]) -> None:
    path, _ = checkpoint_file
    tensors = safetensors.torch.load(path.read_bytes())
    write(path, {name: tensor for name, tensor in tensors.items() if "cond_stage" not in name})
    with pytest.raises(Unfit, match=r"has no weights for the CLIPTextModel\."):
        build(inspect_model(path), "float32")


def test_any_change_of_file_or_settings_counts(checkpoint_file: tuple[Path, Path]) -> None:
    path, settings = checkpoint_file
    before = inspect_model(path).fingerprint
    (settings / "scheduler" / "scheduler_config.json").touch()
    after = inspect_model(path).fingerprint
    path.touch()
    assert len({before, after, inspect_model(path).fingerprint}) == 3


KINDS = {
    "Stable Diffusion 1": (V1, SD1),
    "Stable Diffusion XL": ({CHECKPOINT_KEY_NAMES["xl_base"]: torch.zeros(2)} | WHOLE, "stable-diffusion-xl-base-1.0"),
    "Flux": ({CHECKPOINT_KEY_NAMES["flux"][1]: torch.zeros(2)} | WHOLE, "black-forest-labs/FLUX.1-schnell"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_named(kind: str, cache: Path, tmp_path: Path) -> None:
    tensors, repository = KINDS[kind]
    (finding,) = inspect_model(write(tmp_path / "x.safetensors", tensors)).refusals
    assert finding.message.startswith(f"{tmp_path}/x.safetensors holds weights alone, and the settings and vocabulary")
    assert repository in finding.message
    assert finding.explanation.startswith("Download the settings (a few megabytes)")


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"weight": torch.zeros(2)}, "holds no pipeline that diffusers knows"),
        ({CHECKPOINT_KEY_NAMES["stable_cascade_stage_c"]: torch.zeros(1536, 2)}, "one part of a pipeline"),
        # It asks for a shape that is not there.
        ({CHECKPOINT_KEY_NAMES["inpainting"]: torch.zeros(1)} | WHOLE, "holds no pipeline"),
    ],
)
def test_what_is_no_pipeline(tensors: dict[str, torch.Tensor], words: str, cache: Path, tmp_path: Path) -> None:
    (finding,) = inspect_model(write(tmp_path / "x.safetensors", tensors)).refusals
    assert re.search(words, finding.message)
    assert finding.explanation == "Open the pipeline as a diffusers folder instead."


PARTS = {
    "a LoRA of diffusers": (["unet.down_blocks.0.attentions.0.to_q.lora.down.weight"], r"an adapter \(LoRA\)"),
    "a LoRA of kohya": (["lora_unet_down.lora_up.weight", "lora_unet_down.alpha"], r"an adapter \(LoRA\)"),
    "a LoRA of peft": (["transformer.transformer_blocks.0.attn.to_q.lora_A.weight"], r"an adapter \(LoRA\)"),
    "an embedding": (["emb_params"], "an embedding"),
    "an embedding of XL": (["clip_g", "clip_l"], "an embedding"),
    "an IP-Adapter": (["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"], "an IP-Adapter"),
    "a ControlNet": (["control_model.time_embed.0.weight"], "a ControlNet"),
    "a ControlNet of diffusers": (["controlnet_cond_embedding.conv_in.weight", "down_blocks.0.x"], "a ControlNet"),
    "a ControlNet with its model": (["control_model.input_hint_block.0.bias", *WHOLE], "a ControlNet"),
    "a T2I-Adapter": (["adapter.body.0.resnets.0.block1.weight"], "a T2I-Adapter"),
    "a motion module": (["down_blocks.0.motion_modules.0.temporal_transformer.norm.bias"], "a motion module"),
    "an upscaler": (["model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"], "an upscaler"),
    "an upscaler of basicsr": (["conv_first.weight", "body.0.rdb1.conv1.weight"], "an upscaler"),
    "a VAE": (["encoder.conv_in.weight", "decoder.up.0.block.0.conv1.weight", "quant_conv.weight"], "a VAE"),
    "a VAE of diffusers": (["decoder.up_blocks.0.resnets.0.conv1.weight"], "a VAE"),
    "a VAE as it stands in a checkpoint": (["first_stage_model.decoder.conv_in.weight"], "a VAE"),
    "a UNet": (["model.diffusion_model.input_blocks.0.0.weight"], "a UNet alone"),
    "a UNet of diffusers": (["conv_in.weight", "down_blocks.0.resnets.0.conv1.weight"], "a UNet alone"),
    "a transformer of Flux": (["double_blocks.0.img_attn.norm.key_norm.scale", "img_in.weight"], "a transformer alone"),
    "the same with the prefix": (["model.diffusion_model.double_blocks.0.img_mod.lin.bias"], "a transformer alone"),
    "a transformer of diffusers": (["transformer_blocks.0.attn.to_q.weight", "x_embedder.bias"], "a transformer alone"),
    "a text encoder": (["text_model.encoder.layers.0.mlp.fc1.bias"], "a text encoder"),
    "one of newer transformers": (
        ["embeddings.token_embedding.weight", "encoder.layers.0.self_attn.k_proj.bias"], "a text encoder"
    ),
    "an image encoder of newer transformers": (
        ["embeddings.patch_embedding.weight", "encoder.layers.0.self_attn.k_proj.bias"], "an image encoder"
    ),
    "a tiny VAE": (["encoder.layers.0.weight", "decoder.layers.2.conv.0.weight"], "a VAE"),
    "T5": (["shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"], "a text encoder"),
}  # fmt: skip


@pytest.mark.parametrize("what", PARTS)
def test_one_part_of_a_pipeline_is_told_as_that(what: str, cache: Path, tmp_path: Path) -> None:
    names, words = PARTS[what]
    (finding,) = inspect_model(write(tmp_path / "x.safetensors", {name: torch.zeros(1) for name in names})).refusals
    assert re.search(rf"x\.safetensors holds {words}", finding.message)
    assert "settings" not in str(finding)
    assert finding.explanation.startswith("Open the ")


def test_settings_of_a_pipeline_that_reads_no_single_file(cache: Path, tmp_path: Path, whole_ddpm: Path) -> None:
    put_settings(cache, whole_ddpm)
    (finding,) = inspect_model(write(tmp_path / "x.safetensors", V1)).refusals
    assert finding.message == "diffusers reads no DDPMPipeline from a single file."


def test_settings_are_judged_like_any_folder(cache: Path, tmp_path: Path, whole_ddpm: Path, canary: Path) -> None:
    snapshot = put_settings(cache, whole_ddpm)
    (snapshot / "model_index.json").write_text(json.dumps({"_class_name": "DDPMPipeline", "unet": ["os", "system"]}))
    texts = [each.message for each in inspect_model(write(tmp_path / "x.safetensors", V1)).refusals]
    assert any("library 'os'" in each for each in texts)


def test_only_settings_and_vocabularies_are_copied(tmp_path: Path, canary: Path) -> None:
    source: Any = tmp_path / "source"
    for name in ("a/config.json", "a/vocab.txt", "a/spiece.model", "a/x.safetensors.index.json", "a/x.safetensors",
                 "a/x.bin", "x.py", "model_index.json"):  # fmt: skip
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    (source / "a" / "outside.json").symlink_to("/etc/passwd")
    (tmp_path / "place").mkdir()
    single_file._copy_settings(source, tmp_path / "place")
    copied = {str(path.relative_to(tmp_path / "place")) for path in (tmp_path / "place").rglob("*") if path.is_file()}
    assert copied == {"a/config.json", "a/vocab.txt", "a/spiece.model", "model_index.json"}
