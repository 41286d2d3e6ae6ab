"""Endings of pipelines: what becomes of a request to a model, watched and bare."""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.pipelines.call import call_of
from sculptor_app.diffusion.pipelines.layout import latent_layout_of
from sculptor_app.diffusion.pipelines.parameters import model_parameters
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.noise import global_seed
from sculptor_app.diffusion.sampling.sample import sample

STEPS = 3
SEED = 11
USUAL: dict[str, Any] = {
    "prompt": "a bust", "height": 16, "width": 16, "max_sequence_length": 8, "clean_caption": False,
    "use_resolution_binning": False, "strength": 0.9,
}  # fmt: skip
SPECIAL: tuple[tuple[str, dict[str, Any]], ...] = (
    (r"^Sana", {"height": 32, "width": 32}),
    (
        r"^(CogView4|Lumina)",
        {"negative_prompt": "a vase"},
    ),  # an empty one has no tokens at all here
    (r"^GlmImage", {"height": 64, "width": 64}),
    (r"^FluxKontext", {"max_area": 256, "_auto_resize": False}),
    (r"^BriaFibo", {"height": 32, "width": 32, "prompt": '{"edit_instruction": "a bust"}'}),
    (r"^Ideogram4", {"max_sequence_length": 64, "height": 32, "width": 32}),
    (r"^VisualCloze", {"height": None, "width": None}),
)
"""Options that a pipeline needs besides the usual ones, by a pattern of its name; None leaves a usual one out."""


@dataclass(frozen=True)
class Ending:
    """What became of a pipeline's run."""

    answer: str  # "watched", "recorded", "refused", or "fault"
    why: str = ""


def write_pictures(folder: Path) -> None:
    """A picture of noise and a mask, for those that need them."""
    noise = np.random.default_rng(5).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    mask = np.zeros((32, 32), np.uint8)
    mask[:16] = 255
    for name, values in {"picture": noise, "mask": mask}.items():
        Image.fromarray(values).save(folder / f"{name}.png")


def engine_with(pipeline: Any) -> Engine:
    """An engine that opens this pipeline, whatever it is asked for."""
    return Engine(lambda *_, **__: pipeline)


def options_for(pipeline: Any, folder: Path) -> dict[str, Any]:
    """Options that a pipeline can be asked with: the usual ones that it takes, and every picture that it needs."""
    options: dict[str, Any] = {}
    special: dict[str, Any] = {}
    for pattern, more in SPECIAL:
        if re.search(pattern, type(pipeline).__name__):
            special |= more
    for control in model_parameters(pipeline):
        if control.kind.value == "picture" and control.required:
            options[control.name] = str(folder / ("mask.png" if "mask" in control.name else "picture.png"))
        elif control.name in USUAL and not control.field:
            options[control.name] = USUAL[control.name]
        elif control.required and control.default is None and control.kind.value == "text":
            options[control.name] = "a bust"
    return {name: value for name, value in (options | special).items() if value is not None}


def request_of(pipeline: Any, folder: Path, **changes: Any) -> RunRequest:
    """A request of a few steps; `changes` are options, None leaves one out."""
    options = options_for(pipeline, folder) | changes
    return RunRequest(
        sampler=OWN_SAMPLER, steps=STEPS, seed=SEED, guidance=None, device="cpu", model=str(folder),
        options={name: value for name, value in options.items() if value is not None},
    )  # fmt: skip


def run(pipeline: Any, folder: Path) -> Ending:
    """Run a pipeline watched and bare, and compare."""
    engine = engine_with(pipeline)
    try:
        request = request_of(pipeline, folder)
        with evaluated_states(pipeline) as evaluated:
            got, trajectory = watched(engine, request)
    except SculptorError as error:
        return Ending("fault", str(error))  # it could have been told before
    wrong = differing_states(evaluated, trajectory)
    if wrong:
        return Ending("fault", wrong)
    want = bare(engine, request)
    if not _same(got, want):
        return Ending("fault", "the picture differs from that of the bare call")
    guesses = [trajectory.guess(k) for k in range(1, trajectory.last + 1)]
    if not all(np.isfinite(guess).all() for guess in guesses if guess is not None):
        return Ending("fault", "a guess is not finite")
    notes = {trajectory.step(k).guess_note for k in range(1, trajectory.last + 1) if trajectory.guess(k) is None}
    return Ending("recorded", notes.pop()) if notes else Ending("watched")


@contextlib.contextmanager
def evaluated_states(pipeline: Any) -> Iterator[list[Any]]:
    """Collect while the block runs what the main network is given, as frames; nothing where that is no state.

    Networks that are given more than a state are left out.
    """
    network = next((each for name in ("transformer", "unet") if (each := getattr(pipeline, name, None))), None)
    converter, found = FrameConverter(latent_layout_of(pipeline)), []

    def note(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        first = next((each for each in (*given, *named.values()) if isinstance(each, torch.Tensor)), None)
        if first is not None and first.ndim > 2 and converter.is_state(first):
            found.append(converter.frames(first))

    if network is None:
        yield []
        return
    hook = network.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield found
    finally:
        hook.remove()


def differing_states(evaluated: list[Any], trajectory: Trajectory) -> str:
    """A sentence about a recorded state that no evaluation was given; empty where each was, in their order."""
    if not evaluated or len(evaluated) % trajectory.last:
        return ""
    every = len(evaluated) // trajectory.last
    for k in range(trajectory.last):
        given, state = evaluated[k * every], trajectory.state(k)
        if given[0].shape == state.shape and not any(_is_scaled(each, state) for each in given):
            return f"state {k} is not what its evaluation was given"
    return ""


def _is_scaled(one: Any, other: Any) -> bool:
    """Whether frames are the same but for a scale: samplers may have one for what they give."""
    one, other = (each / np.linalg.norm(each) for each in (one, other))
    return np.allclose(one, other, atol=1e-5)


def _same(one: Any, two: Any) -> bool:
    arrays = [np.asarray(each.detach().numpy() if isinstance(each, torch.Tensor) else each) for each in (one, two)]
    return np.array_equal(*arrays, equal_nan=True)


def bare(engine: Engine, request: RunRequest) -> Any:
    """What diffusers makes of the same call, with nobody watching."""
    pipeline = engine.load(request.model, request.device)
    if getattr(pipeline, "scheduler", None) is not None and engine.settings:
        pipeline.scheduler = engine.scheduler(request)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(global_seed(request.seed))
        return pipeline(**call_of(pipeline, request).arguments)[0]


def watched(engine: Engine, request: RunRequest) -> tuple[Any, Trajectory]:
    """The result of the pipeline in a run that is watched, and the record."""
    pipeline = engine.load(request.model, request.device)
    results: list[Any] = []
    kind = type(pipeline)

    @functools.wraps(kind.__call__)
    def kept(self: Any, **arguments: Any) -> Any:
        results.append(original(self, **arguments))
        return results[-1]

    original = kind.__call__
    kind.__call__ = kept
    try:
        events = list(sample(engine, request, threading.Event()))
    finally:
        kind.__call__ = original
    return results[0][0], events[-1].trajectory


@contextlib.contextmanager
def quiet_libraries() -> Any:
    """Keep diffusers' and transformers' warnings away."""
    import warnings

    import diffusers
    import transformers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diffusers.logging.set_verbosity(50)
        transformers.logging.set_verbosity(50)
        yield
