"""A model saved by an earlier version opens and makes the same picture.

`saved_model/` was written by the code of commit 2c15c2b: a U-Net of one level of 4 channels and a label table for 2
forms and 1 material, both from seed 20_260_101, saved with `SculptorPipeline.save_pretrained`. The numbers
were printed by the same commit from 4 steps at guidance 3, seed 7: the first row's red values.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.models.loader import load_pipeline
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline

pytestmark = pytest.mark.usefixtures("no_trials")

FOLDER = Path(__file__).parent / "saved_model"
PICTURES: list[tuple[dict[str, int | None], list[float]]] = [
    ({"form": 1, "material": 0}, [0.366905, 0.651015, 0.759177, 0.0, 0.648601, 0.430904, 0.060848, 0.011463]),
    ({"form": 0, "material": None}, [0.467662, 0.587026, 0.979762, 0.0, 0.325004, 0.527661, 0.268677, 0.025401]),
    ({}, [0.420429, 0.717834, 1.0, 0.0, 0.471528, 0.571994, 0.420814, 0.024761]),
]


@pytest.mark.parametrize("open_model", [load_pipeline, load_sculptor, SculptorPipeline.from_pretrained])
@pytest.mark.parametrize(("labels", "row"), PICTURES)
def test_the_same_picture(open_model: Callable[[Path], Any], labels: dict[str, int | None], row: list[float]) -> None:
    pipeline, generator = open_model(FOLDER), torch.Generator().manual_seed(7)
    picture = pipeline(num_inference_steps=4, guidance_scale=3.0, generator=generator, **labels).images[0]
    np.testing.assert_allclose(picture[0, :, 0], row, atol=1e-5)


def test_it_is_saved_as_it_was(tmp_path: Path) -> None:
    """Names of classes, settings and weights are those of the format: other programs and versions read them."""
    load_sculptor(FOLDER).save_pretrained(tmp_path)
    for file in FOLDER.rglob("*.safetensors"):
        assert (tmp_path / file.relative_to(FOLDER)).read_bytes() == file.read_bytes(), file
    for file in FOLDER.rglob("*.json"):
        was, now = (json.loads(each.read_text()) for each in (file, tmp_path / file.relative_to(FOLDER)))
        assert now | {"_diffusers_version": ""} == was | {"_diffusers_version": ""}, file
