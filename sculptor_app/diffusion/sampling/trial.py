"""Trial of an untrusted model: one step of it, with all that a run does; the program that the sandbox runs.

What a run takes is found out where it harms nobody: prompts are encoded, a step is taken, a state is decoded, and the
latent map is fitted to one picture. A small model makes the picture that it makes by itself; of a large one it is a
small picture, and only memory counts, as a step of it may take minutes on a single core.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from sculptor_app.core.errors import OutOfDeviceMemory, SculptorError
from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.map_fitting import example_pictures, fit_latent_map
from sculptor_app.diffusion.models import sandbox_child
from sculptor_app.diffusion.models.sandbox import SMALL_PARAMETERS
from sculptor_app.diffusion.models.verdict import Unfit, shown
from sculptor_app.diffusion.pipelines.errors import is_out_of_memory
from sculptor_app.diffusion.pipelines.parameters import model_parameters
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample

SMALL_SIDE_PX = 128
"""Of the picture that a large model makes."""
SMALL_LATENT_SIDE = 8
PICTURE_PX = 64
PROMPT = "a bust"
RUN_LETTERS = 48
"""Of each letter in a row: a pattern that searches in powers of them is noticed."""
MOST_TOKENS_PER_BYTE = 64
MOST_OTHER_TOKENS = 1 << 20

_LITTLE = translate("errors", "It makes much out of little: a prompt would fill the memory, or take for ever.")


def rehearse(pipeline: Any) -> None:
    """Take one step of a pipeline that was just built, as a run of it does that is asked for nothing in particular.

    Raises:
        Unfit, SculptorError, Exception: What a run of it would raise; of a large model only where memory ran out.
    """
    read_words(pipeline)
    count = sum(each.numel() for part in parts_of(pipeline) for each in part.parameters())
    is_small = count <= SMALL_PARAMETERS
    try:
        take_step(pipeline, is_small)
    except OutOfDeviceMemory as error:
        raise MemoryError from error
    except RequestError:  # a form asks for other settings, as a number of steps, before anything is run
        return
    except Exception as error:
        if is_small or is_out_of_memory(error):
            raise


def parts_of(pipeline: Any) -> list[nn.Module]:
    """The networks of a pipeline, of whatever kind."""
    return [each for each in pipeline.components.values() if isinstance(each, nn.Module)]


def read_words(pipeline: Any) -> None:
    """Let each tokenizer of a pipeline read a text with every letter, and refuse (`Unfit`) what makes much of it."""
    letters = [chr(code) for code in (*range(32, 127), 0xE9, 0x3B1, 0x4E2D, 0xFDFA, 0x1F5FF)]
    text = " ".join(letter * RUN_LETTERS for letter in letters)
    for name, part in pipeline.components.items():
        encode = getattr(part, "encode", None)
        if not callable(encode) or isinstance(part, nn.Module):
            continue
        count, most = len(encode(text)), MOST_TOKENS_PER_BYTE * len(text.encode()) + MOST_OTHER_TOKENS
        if count > most:
            message = translate("errors", "The {0} makes {1:,} tokens of {2:,} letters.")
            raise Unfit(message.format(shown(name), count, len(text)), _LITTLE)


def take_step(pipeline: Any, is_small: bool = True) -> None:
    """Take one step, decode its state, and fit the latent map to one picture.

    Args:
        is_small: Whether it makes the picture that it makes by itself, and not a small one.
    """
    place = Path(tempfile.gettempdir())
    stop = threading.Event()
    engine = Engine(lambda *_, **__: pipeline)
    events = sample(engine, request_for(pipeline, place, is_small), stop, spill_folder=place, forkable=False)
    with contextlib.closing(events):
        next(events)
        trajectory = next(events).trajectory
    if trajectory.info.space == "latents":
        _look(pipeline, trajectory, stop, is_small)


def _look(pipeline: Any, trajectory: Trajectory, stop: threading.Event, is_small: bool) -> None:
    """Decode a state, and begin to fit the map; what is no picture may be none, but not fill the memory."""
    try:
        codec = LatentCodec(pipeline)
        codec.decode(trajectory.state(1))
        next(
            fit_latent_map(
                codec, stop, None if is_small else example_pictures(1, SMALL_LATENT_SIDE * codec.layout.factor)
            )
        )
    except OutOfDeviceMemory:
        raise
    except SculptorError:
        return


def request_for(pipeline: Any, place: Path, is_small: bool) -> RunRequest:
    """A request that leaves all to the model but what it cannot do without."""
    options = {control.name: _value(control, place, is_small) for control in model_parameters(pipeline)}
    return RunRequest(
        sampler=OWN_SAMPLER, guidance=None, device="cpu", model=str(place),
        options={name: each for name, each in options.items() if each is not None},
    )  # fmt: skip


def _value(control: ModelParameter, place: Path, is_small: bool) -> Any:
    """The value of a parameter; None leaves it to the model."""
    if control.field:
        return None
    if control.kind is ParameterKind.PICTURE and control.required:
        path = place / "picture.png"
        noise = np.random.default_rng(5).integers(0, 256, (PICTURE_PX, PICTURE_PX, 3)).astype(np.uint8)
        Image.fromarray(noise).save(path)
        return str(path)
    if control.name == "prompt" or (control.kind is ParameterKind.TEXT and control.required):
        return PROMPT
    if control.kind is ParameterKind.SIZE and not is_small:
        return control.grain * -(-SMALL_SIDE_PX // control.grain)
    return None


if __name__ == "__main__":
    sandbox_child.main(sys.argv[1:], rehearse)
