"""Tiny decoders: found beside a model, checked against the full decoder, refused with a reason."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.decoding import decode_frames
from sculptor_app.diffusion.latents.map_fitting import example_pictures
from sculptor_app.diffusion.latents.tiny_decoder import WEIGHTS, agreement, load_tiny_decoder
from sculptor_app.diffusion.sampling.engine import Engine
from tests.diffusion.latents.networks import around, small_vae, tiny


def mimic(full: LatentCodec, steps: int = 60) -> AutoencoderTiny:
    """A small decoder that has learned from the full one; it is given the states as they are."""
    small = tiny()
    latents = torch.from_numpy(np.stack([full.encode(picture) for picture in example_pictures(6, 32, seed=7)]))
    wanted = torch.from_numpy(np.stack([full.decode(state) for state in latents.numpy()]))
    optimizer = torch.optim.Adam(small.decoder.parameters(), lr=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        ((small.decode(latents).sample - wanted) ** 2).mean().backward()
        optimizer.step()
    return small


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return around(small_vae())


@pytest.fixture(scope="module")
def folder(pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small decoder that belongs to the pipeline."""
    place = tmp_path_factory.mktemp("small") / "taesd"
    mimic(LatentCodec(pipeline)).save_pretrained(place)
    return place


def copy_of(folder: Path, place: Path, **config: Any) -> Path:
    """The folder again, with other settings in its config."""
    place.mkdir()
    changed = json.loads((folder / "config.json").read_text()) | config
    (place / "config.json").write_text(json.dumps(changed))
    (place / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes())
    return place


def test_a_small_decoder_that_belongs_to_the_model_decodes_its_latents(pipeline: Any, folder: Path) -> None:
    full, small = LatentCodec(pipeline), load_tiny_decoder(folder, pipeline)
    assert agreement(full, small) > 0.8
    state = full.encode(next(example_pictures(1, 32, seed=9)))
    assert small.decode(state).shape == (3, 32, 32)
    with torch.no_grad():
        wanted = small.vae.decode(torch.from_numpy(state)[None], return_dict=False)[0][0].numpy()
    np.testing.assert_array_equal(small.decode(state), wanted)


def test_the_full_decoder_agrees_with_itself(pipeline: Any) -> None:
    assert agreement(LatentCodec(pipeline), LatentCodec(pipeline)) == pytest.approx(1)


def test_one_that_was_made_for_another_model_is_found_out(pipeline: Any, tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path / "taesd")
    with pytest.raises(ModelFolderError, match=r"does not decode this model's latents.* \(R² -?\d"):
        load_tiny_decoder(tmp_path / "taesd", pipeline)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"_class_name": "AutoencoderKL"}, "not that of an AutoencoderTiny"),
        ({"latent_channels": 16}, r"decodes \(16\) are not those of this model's latents \(4\)"),
        ({"latent_channels": "4"}, "latent_channels = '4'"),
        ({"out_channels": 4}, "out_channels = 4"),
        ({"decoder_block_out_channels": [8, 10**6, 8]}, "channels in"),
        ({"num_decoder_blocks": [1, 1, 10**9]}, "channels in"),
        ({"decoder_block_out_channels": "wide"}, "channels in"),
        ({"decoder_block_out_channels": [16, 16, 16]}, "cannot be loaded"),
        ({"num_decoder_blocks": [2, 1, 1]}, "cannot be loaded|are missing"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    config: dict[str, Any], words: str, pipeline: Any, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelFolderError, match=words):
        load_tiny_decoder(copy_of(folder, tmp_path / "small", **config), pipeline)


def without_weights(place: Path) -> None:
    (place / WEIGHTS).unlink()


def cut_off(place: Path) -> None:
    (place / WEIGHTS).write_bytes((place / WEIGHTS).read_bytes()[:1000])


def not_numbers(place: Path) -> None:
    weights = load_file(place / WEIGHTS)
    weights["decoder.layers.0.weight"].fill_(float("nan"))
    save_file(weights, place / WEIGHTS, {"format": "pt"})


def one_less(place: Path) -> None:
    weights = load_file(place / WEIGHTS)
    del weights["decoder.layers.0.weight"]
    save_file(weights, place / WEIGHTS, {"format": "pt"})


def one_more(place: Path) -> None:
    save_file(load_file(place / WEIGHTS) | {"other": torch.zeros(1)}, place / WEIGHTS, {"format": "pt"})


def no_config(place: Path) -> None:
    (place / "config.json").write_text("[" * 100_000)


def a_list(place: Path) -> None:
    (place / "config.json").write_text("[]")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (without_weights, "holds no small decoder that can be read"),
        (cut_off, "cannot be loaded"),
        (not_numbers, "NaN or infinite"),
        (one_less, r"weights are missing \(1\)"),
        (one_more, r"belong to something else \(1\)"),
        (no_config, "holds no small decoder that can be read"),
        (a_list, "not that of an AutoencoderTiny"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_broken_folder_is_refused(harm: Any, words: str, pipeline: Any, folder: Path, tmp_path: Path) -> None:
    place = copy_of(folder, tmp_path / "small")
    harm(place)
    with pytest.raises(ModelFolderError, match=words):
        load_tiny_decoder(place, pipeline)


def test_it_is_tried_once_for_a_model_that_is_loaded(
    pipeline: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, tries = copy_of(folder, tmp_path / "taesd"), []
    counted = lambda small, whole: tries.append(small) or load_tiny_decoder(small, whole)  # noqa: E731
    monkeypatch.setattr("sculptor_app.diffusion.latents.tiny_decoder.load_tiny_decoder", counted)
    monkeypatch.setattr(pipeline, "maybe_free_model_hooks", lambda: None, raising=False)
    engine = Engine(lambda folder, device, **_: pipeline)
    request = RunRequest(model=str(tmp_path))
    latents = np.zeros((4, 4, 4), np.float32)
    decode = lambda: list(decode_frames(engine, request, [("", latents)], threading.Event(), place))  # noqa: E731
    decode()
    decode()
    assert len(tries) == 1
    copy_of(folder, tmp_path / "other")
    (tmp_path / "other" / WEIGHTS).replace(place / WEIGHTS)  # another file, of whatever content
    decode()
    assert len(tries) == 2
    engine.unload()
    decode()
    assert len(tries) == 3
