"""Tiny real models in diffusers' own format, saved by diffusers itself; weights are random but always the same."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

SEED = 20_260_102
WEIGHTS = "diffusion_pytorch_model.safetensors"


def unet(**changes: Any) -> Any:
    from diffusers import UNet2DModel

    settings: dict[str, Any] = {
        "sample_size": 8, "layers_per_block": 1, "block_out_channels": (8, 8), "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    }  # fmt: skip
    return UNet2DModel(**(settings | changes))


def ddpm() -> Any:
    from diffusers import DDPMPipeline, DDPMScheduler

    return DDPMPipeline(unet(), DDPMScheduler())


def ddim() -> Any:
    from diffusers import DDIMPipeline, DDIMScheduler

    return DDIMPipeline(unet(), DDIMScheduler())


def ldm() -> Any:
    from diffusers import DDIMScheduler, LDMPipeline, VQModel

    down, up = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
    vqvae = VQModel(3, 3, down, up, (8, 8), latent_channels=3, norm_num_groups=4, num_vq_embeddings=16)
    return LDMPipeline(vqvae, unet(), DDIMScheduler())


def dit() -> Any:
    from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel

    down, up = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
    vae = AutoencoderKL(3, 3, down, up, (8, 8), latent_channels=4, norm_num_groups=4)
    transformer = DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2, sample_size=8,
        num_embeds_ada_norm=1000, norm_elementwise_affine=False,
    )  # fmt: skip
    return DiTPipeline(transformer, vae, DDIMScheduler(), id2label={"0": "bust"})


def score() -> Any:
    from diffusers import ScoreSdeVePipeline, ScoreSdeVeScheduler

    return ScoreSdeVePipeline(unet(), ScoreSdeVeScheduler())


def consistency() -> Any:
    from diffusers import CMStochasticIterativeScheduler, ConsistencyModelPipeline

    return ConsistencyModelPipeline(unet(), CMStochasticIterativeScheduler(num_train_timesteps=40))


def inpainting() -> Any:
    from diffusers import RePaintPipeline, RePaintScheduler

    return RePaintPipeline(unet(), RePaintScheduler())


NAMED = {"ddpm": ddpm, "ddim": ddim, "ldm": ldm, "dit": dit}
UNHEARD_OF = {"score": score, "consistency": consistency, "inpainting": inpainting}
"""Pipelines that no line of the program names."""


def save(make: Callable[[], Any], folder: Path, **arguments: Any) -> Path:
    """Make a pipeline and let diffusers save it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        make().save_pretrained(folder, **arguments)
    return folder


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = safetensors.torch.load(path.read_bytes())
    change(weights)
    path.write_bytes(safetensors.torch.save(weights))


def write_header(path: Path, header: object, data: bytes = b"", length: int | None = None) -> None:
    """A safetensors file with any header in front of any data; `length` is what it claims of the header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)


class _Canary:
    """An object whose pickle makes a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def write_pickle(path: Path, canary: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": _Canary(canary)}))


def write_program(path: Path, canary: Path) -> None:
    """A Python file that makes a file when it is imported, and has whatever class is asked for."""
    path.write_text(f"from pathlib import Path\nPath({str(canary)!r}).touch()\nclass Any: pass\n")
