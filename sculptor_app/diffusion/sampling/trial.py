"""Trial of an untrusted model: one step of it, with all that a run does; the program that the sandbox runs.

What a run takes is found out where it harms nobody: prompts are encoded, a step is taken, a state is decoded, and the
latent map is fitted to one picture. A small model makes the picture that it makes by itself, large ones by way of
smaller ones: what the next would take follows from those before, so that a model which is only slow is told as slow.
Of a large model it is a small picture, and only memory counts, as a step of it may take minutes on a single core.
"""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
from PIL import Image
from torch import nn

from sculptor_app.core.errors import OutOfDeviceMemory, SculptorError
from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.core.texts import byte_text, translate
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.map_fitting import example_pictures, fit_latent_map
from sculptor_app.diffusion.models import sandbox_child
from sculptor_app.diffusion.models.sandbox import SMALL_PARAMETERS, STEP_SECONDS
from sculptor_app.diffusion.models.verdict import Finding, Severity, Unfit, shown
from sculptor_app.diffusion.pipelines.errors import is_out_of_memory
from sculptor_app.diffusion.pipelines.parameters import model_parameters, native_size
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample

SMALL_SIDE_PX = 128
"""Of the picture that a large model makes."""
SMALL_LATENT_SIDE = 8
PICTURE_PX = 64
PROMPT = "a bust"
RUN_LETTERS = 48
"""Of each letter in a row: a pattern that searches in powers of them is noticed."""
QUICK_SIDE_PX = 128
"""Edge of the first picture, or up to twice it; each further one has twice the edge of the one before."""
GROWTH = (4, 16)
"""Times as long as a step may take at twice the edge: convolutions and attention."""
MOST_STEP_SECONDS = 3600
MUCH_BYTES = 1 << 30
"""Memory of a step that is worth a word."""
MOST_TOKENS_PER_BYTE = 64
MOST_OTHER_TOKENS = 1 << 20

_ENDLESS = translate("errors", "A run would never end; choose a model of smaller pictures.")
_LITTLE = translate("errors", "It makes much out of little: a prompt would fill the memory, or take for ever.")


def rehearse(pipeline: Any, memory_bytes: int) -> Sequence[Finding]:
    """Take one step of a pipeline that was just built, as a run of it does that is asked for nothing in particular.

    Args:
        memory_bytes: What this process may take besides its libraries.

    Returns:
        Notes about what a step takes in time and memory, where that is much.

    Raises:
        Unfit, SculptorError, Exception: What a run of it would raise; of a large model only where memory ran out.
    """
    read_words(pipeline)
    count = sum(each.numel() for part in parts_of(pipeline) for each in part.parameters())
    try:
        if count <= SMALL_PARAMETERS:
            return _Growing(pipeline, memory_bytes).findings()
        take_step(pipeline, side_px=SMALL_SIDE_PX)
    except OutOfDeviceMemory as error:
        raise MemoryError from error
    except RequestError:  # a form asks for other settings, as a number of steps, before anything is run
        pass
    except Exception as error:
        if count <= SMALL_PARAMETERS or is_out_of_memory(error):
            raise
    return ()


class _Growing:
    """Steps at growing sizes, up to a pipeline's own, as long as their time and memory last."""

    def __init__(self, pipeline: Any, memory_bytes: int) -> None:
        self._pipeline, self._memory_bytes = pipeline, memory_bytes
        self._own_px = max(native_size(pipeline) or (0,))

    def findings(self) -> Sequence[Finding]:
        """Notes about what a step at the own size takes; `Unfit` where that is more than there is."""
        doublings = max(0, math.ceil(math.log2(max(1, self._own_px) / QUICK_SIDE_PX)))
        divisors = [2**each for each in range(doublings, -1, -1)]
        left, last, growth = float(STEP_SECONDS), 0.0, float(GROWTH[0])
        most_bytes = 0
        for divisor in divisors:
            if last * growth > left:
                slow = self._slow(last * growth ** (1 + math.log2(divisor)))
                return [slow, *self._greedy(most_bytes * 4 * divisor**2)]
            seconds, before_bytes = time.process_time(), _peak_bytes()
            try:
                take_step(self._pipeline, side_px=0 if divisor == 1 else self._own_px // divisor)
            except (OutOfDeviceMemory, MemoryError):
                if not last:
                    raise
                return self._greedy(self._memory_bytes * 4 * divisor**2)  # a picture of half the edge fitted
            except Exception:
                if divisor == 1:
                    raise
                continue  # a size that it does not take
            took = time.process_time() - seconds
            growth = min(max(took / last, GROWTH[0]), GROWTH[1]) if last else growth
            left, last, most_bytes = left - took, took, _peak_bytes() - before_bytes
        return ()

    def _slow(self, seconds: float) -> Finding:
        if seconds > MOST_STEP_SECONDS:
            message = translate("errors", "A step at its own size, {0:,} px, takes {1:,.0f} h on one core.")
            raise Unfit(message.format(self._own_px, seconds / 3600), _ENDLESS)
        message = translate(
            "errors", "It is slow: a step at its own size, {0:,} px, takes about {1:,.0f} s on one core."
        )
        return Finding(message.format(self._own_px, seconds), "", Severity.NOTE)

    def _greedy(self, step_bytes: int) -> Sequence[Finding]:
        free_bytes = psutil.virtual_memory().available
        if step_bytes > free_bytes:
            message = translate(
                "errors", "A step at its own size, {0:,} px, may take {1} of memory, and {2} are free."
            ).format(self._own_px, byte_text(step_bytes), byte_text(free_bytes))
            raise Unfit(message, translate("errors", "It would end the program; choose a model of smaller pictures."))
        if step_bytes <= MUCH_BYTES:
            return ()
        message = translate("errors", "A step at its own size, {0:,} px, may take {1} of memory.")
        return [Finding(message.format(self._own_px, byte_text(step_bytes)), "", Severity.NOTE)]


def _peak_bytes() -> int:
    """The most memory that this process had so far; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


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


def take_step(pipeline: Any, side_px: int = 0) -> None:
    """Take one step, decode its state, and fit the latent map to one picture.

    Args:
        side_px: Edge of the picture, about; 0 is what the pipeline makes by itself.
    """
    place = Path(tempfile.gettempdir())
    stop = threading.Event()
    engine = Engine(lambda *_, **__: pipeline)
    with _sized(pipeline, side_px):
        events = sample(engine, request_for(pipeline, place, side_px), stop, spill_folder=place, forkable=False)
        with contextlib.closing(events):
            next(events)
            trajectory = next(events).trajectory
    if trajectory.info.space == "latents":
        _look(pipeline, trajectory, stop, is_small=not side_px)


@contextlib.contextmanager
def _sized(pipeline: Any, side_px: int) -> Iterator[None]:
    """Let a network whose pipeline is asked for no size make pictures of this one while the block runs."""
    unet: Any = getattr(pipeline, "unet", None)
    own = native_size(pipeline)
    size = getattr(getattr(unet, "config", None), "sample_size", None)
    asked = any(each.kind is ParameterKind.SIZE for each in model_parameters(pipeline))
    if not side_px or asked or own is None or not isinstance(size, int | list | tuple):
        yield
        return
    grain = 2 ** len(getattr(unet.config, "block_out_channels", ()))
    smaller = grain * math.ceil(side_px * min(np.ravel(size)) / max(own) / grain)
    unet.register_to_config(sample_size=smaller)
    try:
        yield
    finally:
        unet.register_to_config(sample_size=size)


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


def request_for(pipeline: Any, place: Path, side_px: int) -> RunRequest:
    """A request that leaves all to the model but what it cannot do without, and its size where one is given."""
    options = {control.name: _value(control, place, side_px) for control in model_parameters(pipeline)}
    return RunRequest(
        sampler=OWN_SAMPLER, guidance=None, device="cpu", model=str(place),
        options={name: each for name, each in options.items() if each is not None},
    )  # fmt: skip


def _value(control: ModelParameter, place: Path, side_px: int) -> Any:
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
    if control.kind is ParameterKind.SIZE and side_px:
        return control.grain * -(-side_px // control.grain)
    return None


if __name__ == "__main__":
    sandbox_child.main(sys.argv[1:], rehearse)
