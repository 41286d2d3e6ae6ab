"""Latent maps, decoded runs and single frames, with the program's own engine."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from sculptor_app.core.errors import Cancelled, ModelFolderError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.trajectory import DecodedTrajectory
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.decoding import (
    DecodedFrame,
    MapFittingProgress,
    decode_frames,
    decode_run,
    find_latent_map,
)
from sculptor_app.diffusion.pipelines.layout import NoPictureOfLatents
from sculptor_app.diffusion.sampling.engine import Engine
from tests.diffusion.latents.networks import dit, kl
from tests.helpers.runs import made_run


@pytest.fixture
def engine() -> Engine:
    return Engine(lambda *_, **__: dit())


@pytest.fixture
def request_of_model(tmp_path: Path) -> RunRequest:
    return RunRequest(model=str(tmp_path), device="cpu")


def test_the_map_of_a_model_comes_after_its_progress(engine: Engine, request_of_model: RunRequest) -> None:
    made = list(find_latent_map(engine, request_of_model, threading.Event()))
    assert made[0] == MapFittingProgress(1, 24)
    assert made[-2] == MapFittingProgress(24, 24)
    assert isinstance(made[-1], LatentMap)
    again = list(find_latent_map(engine, request_of_model, threading.Event()))
    assert len(again) == 1
    np.testing.assert_array_equal(again[0].weights, made[-1].weights)  # type: ignore[attr-defined]


def test_a_model_of_pixels_needs_no_map(tiny_model: Path) -> None:
    request = RunRequest(model=str(tiny_model), device="cpu")
    assert list(find_latent_map(Engine(), request, threading.Event())) == []


def test_a_model_without_pictures_is_refused(request_of_model: RunRequest) -> None:
    pipeline = dit()
    pipeline.register_modules(vae=kl(out_channels=4))
    with pytest.raises(NoPictureOfLatents, match=r"decodes to other channels \(4\)"):
        list(find_latent_map(Engine(lambda *_, **__: pipeline), request_of_model, threading.Event()))


def test_a_map_can_be_given_up(engine: Engine, request_of_model: RunRequest) -> None:
    stop = threading.Event()
    going = find_latent_map(engine, request_of_model, stop)
    assert next(going) == MapFittingProgress(1, 24)
    stop.set()
    with pytest.raises(Cancelled):
        next(going)


def test_decoding_resumes_after_a_stop(engine: Engine, tmp_path: Path) -> None:
    run = made_run(3, size=8, channels=4, space="latents")
    object.__setattr__(run.info, "request", RunRequest(model=str(tmp_path), device="cpu", steps=3))
    decoded, stop = DecodedTrajectory(run), threading.Event()
    going = decode_run(engine, decoded, stop)
    assert [next(going), next(going)] == [0, 1]
    stop.set()
    with pytest.raises(Cancelled):
        next(going)
    assert list(decode_run(engine, decoded, threading.Event())) == [2, 3]
    np.testing.assert_array_equal(decoded.state(3), LatentCodec(dit()).decode(run.state(3)))


def test_one_frame_on_demand(engine: Engine, request_of_model: RunRequest) -> None:
    latents = np.random.default_rng(1).standard_normal((4, 8, 8)).astype(np.float32)
    (made,) = decode_frames(engine, request_of_model, [(7, latents)], threading.Event())
    assert isinstance(made, DecodedFrame)
    assert (made.key, made.note) == (7, "")
    np.testing.assert_array_equal(made.frame, LatentCodec(dit()).decode(latents))


def test_frames_on_demand_can_be_given_up_between_two(engine: Engine, request_of_model: RunRequest) -> None:
    latents, stop = np.zeros((4, 8, 8), np.float32), threading.Event()
    going = decode_frames(engine, request_of_model, [("a", latents), ("b", latents)], stop)
    assert next(going).key == "a"
    stop.set()
    with pytest.raises(Cancelled):
        next(going)


def test_a_small_decoder_that_is_not_there(engine: Engine, request_of_model: RunRequest, tmp_path: Path) -> None:
    wanted = [(1, np.zeros((4, 8, 8), np.float32))]
    with pytest.raises(ModelFolderError, match="holds no small decoder"):
        list(decode_frames(engine, request_of_model, wanted, threading.Event(), tmp_path / "none"))


def test_importing_it_needs_no_torch() -> None:
    program = (
        "import sys\n"
        "import sculptor_app.diffusion.latents.decoding, sculptor_app.measures.pictures\n"
        "print([name for name in ('torch', 'diffusers', 'safetensors', 'PySide6') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
