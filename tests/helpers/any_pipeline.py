"""Requests to every kind of tiny pipeline, and runs of them."""

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from tests.helpers.tiny_pipelines import build

STEPS = 4
SEED = 11
SMALL = {"height": 16, "width": 16}
SHORT = {"max_sequence_length": 8}
OPTIONS: dict[str, dict[str, Any]] = {
    "ldm_text": {"prompt": "a bust", **SMALL},
    "dit": {"class_labels": 1},
    "stable_diffusion": {"prompt": "a bust", "negative_prompt": "a vase"},
    "img2img": {"prompt": "a bust", "strength": 0.5},
    "inpaint": {"prompt": "a bust"},
    "sdxl": {"prompt": "a bust"},
    "sd3": {"prompt": "a bust", **SHORT},
    "flux": {"prompt": "a bust", "height": 16, "width": 24, **SHORT},
    "flux_inpaint": {"prompt": "a bust", "strength": 1.0, **SMALL, **SHORT},
    "bria": {"prompt": "a bust", **SMALL, **SHORT},
    "pixart": {"prompt": "a bust", "use_resolution_binning": False, "clean_caption": False, **SHORT},
    "deepfloyd": {"prompt": "a bust", "clean_caption": False},
    "deepfloyd_superresolution": {"prompt": "a bust", "clean_caption": False, "height": 8, "width": 8},
    "consistency": {"class_labels": 2},
    "latent_consistency": {"prompt": "a bust"},
    "aura_flow": {"prompt": "a bust", **SMALL, **SHORT},
    "kandinsky3": {"prompt": "a bust", **SMALL},
    "chroma": {"prompt": "a bust", **SMALL, **SHORT},
    "sana_sprint": {
        "prompt": "a bust",
        "height": 32,
        "width": 32,
        **SHORT,
        "use_resolution_binning": False,
        "clean_caption": False,
    },
    "cogview3": {"prompt": "a bust", **SMALL},
}


@functools.cache
def built(kind: str) -> tuple[Any, Any]:
    """A pipeline and the scheduler that it came with."""
    pipeline = build(kind)
    return pipeline, pipeline.scheduler


def engine_of(kind: str) -> Engine:
    """An engine that has just opened the model."""
    pipeline, pipeline.scheduler = built(kind)
    return Engine(lambda *_, **__: pipeline)


def write_pictures(folder: Path) -> None:
    """A picture of noise, image.png, and a mask, mask_image.png."""
    noise = np.random.default_rng(5).integers(0, 256, (16, 16, 3))
    for name, values in {"image": noise, "mask_image": np.eye(16)[..., None].repeat(3, 2) * 255}.items():
        Image.fromarray(values.astype(np.uint8)).save(folder / f"{name}.png")


def request_for(kind: str, folder: Path, **changes: Any) -> RunRequest:
    """What every kind of pipeline can be asked for; `folder` stands for the model's and holds the pictures."""
    pictures = {
        "img2img": ("image",), "inpaint": ("image", "mask_image"), "flux_inpaint": ("image", "mask_image"),
        "deepfloyd_superresolution": ("image",),
    }.get(kind, ())  # fmt: skip
    options = OPTIONS.get(kind, {}) | {name: str(folder / f"{name}.png") for name in pictures}
    settings = {"sampler": OWN_SAMPLER, "steps": STEPS, "seed": SEED, "guidance": None, "device": "cpu"}
    return RunRequest(**(settings | {"options": options, "model": str(folder)} | changes))


def finish(engine: Engine, request: RunRequest, **options: Any) -> Trajectory:
    """A whole run."""
    trajectory: Trajectory = list(sample(engine, request, threading.Event(), **options))[-1].trajectory
    return trajectory
