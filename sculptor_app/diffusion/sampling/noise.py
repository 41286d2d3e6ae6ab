"""Randomness of a run: the noise that it starts from, and random generators of its own.

Not every pipeline hands its generator on to its sampler: what is drawn then comes from torch's global generators. A run
has states of its own for these, from its seed, and whoever iterates over the run finds the global ones unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from sculptor_app.core.pictures.start import painted, slerp
from sculptor_app.core.requests.request import NoiseRecipe
from sculptor_app.core.trajectory.step import Frame

CHANNELS = 3


def seed_noise(seed: int, size: int) -> tuple[Frame, torch.Generator]:
    """Noise (3, size, size) float32 that a run of a seed starts from, and the generator as that run goes on with it."""
    generator = torch.Generator("cpu").manual_seed(seed)
    noise: Frame = torch.randn((1, CHANNELS, size, size), generator=generator)[0].numpy()
    return noise, generator


def white_noise(seed: int, shape: tuple[int, int, int]) -> Frame:
    """Noise of a seed, (C, H, W) float32 of variance 1."""
    generator = torch.Generator("cpu").manual_seed(seed)
    noise: Frame = torch.randn(shape, generator=generator, dtype=torch.float32).numpy()
    return noise


def noise_of(recipe: NoiseRecipe, size: int) -> Frame:
    """Noise of a recipe, (3, size, size) float32."""
    noise, _ = seed_noise(recipe.seed, size)
    if recipe.towards is not None:
        noise = slerp(noise, seed_noise(recipe.towards, size)[0], recipe.share)
    others = [noise if stroke.seed is None else seed_noise(stroke.seed, size)[0] for stroke in recipe.strokes]
    return painted(noise, recipe.strokes, others, recipe.stays_noise)


class RandomStreams:
    """Random generators of a run: the pipeline's, and states of its own for torch's global ones."""

    def __init__(self, seed: int, generator: torch.Generator, device: str) -> None:
        self._generator, cpu, computing = generator, torch.device("cpu"), torch.device(device)
        self._devices = (cpu,) if computing.type == "cpu" else (cpu, computing)
        self._inner = self._as_set = tuple(_seeded(device, seed) for device in self._devices)
        self._outer: tuple[torch.Tensor, ...] | None = None

    def enter(self) -> None:
        """Give the run its own global generators; done whenever the run goes on."""
        self._outer = tuple(_state(device) for device in self._devices)
        self._restore(self._inner)

    def leave(self) -> None:
        """Restore the global generators, whenever the run is left; does nothing outside of it."""
        if self._outer is not None:
            self._inner = tuple(_state(device) for device in self._devices)
            self._restore(self._outer)
            self._outer = None

    def states(self) -> tuple[torch.Tensor, ...]:
        """States of all generators, inside the run: the pipeline's, the global one, the device's if it has one."""
        return (self._generator.get_state(), *(_state(device) for device in self._devices))

    def set_states(self, states: Sequence[torch.Tensor]) -> None:
        """Restore what `states` gave, inside the run; on a device of another kind the device's state is left out."""
        self._generator.set_state(states[0])
        self._as_set = tuple(states[1:])
        self._restore(self._as_set)

    def reseed(self, seed: int) -> None:
        """Seed all generators again, inside the run."""
        self._generator.manual_seed(seed)
        self._as_set = tuple(_seeded(device, seed) for device in self._devices)
        self._restore(self._as_set)

    def is_global_one_used(self) -> bool:
        """Whether something was drawn from a global generator since these were seeded or restored; inside the run."""
        return not all(
            torch.equal(_state(each), state) for each, state in zip(self._devices, self._as_set, strict=False)
        )

    def _restore(self, states: Sequence[torch.Tensor]) -> None:
        for device, state in zip(self._devices, states, strict=False):
            _set_state(device, state)


def global_seed(seed: int) -> int:
    """Seed of torch's global generators in a run of a seed.

    The pipeline's generator has the seed itself, and has drawn the start with it: with the same one here, the first
    fresh noise of a sampler would be that of the start.
    """
    return int.from_bytes(hashlib.sha256(f"fresh noise {seed}".encode()).digest()[:8], "little") >> 1


def _seeded(device: torch.device, seed: int) -> torch.Tensor:
    return torch.Generator(device).manual_seed(global_seed(seed)).get_state()


def _state(device: torch.device) -> torch.Tensor:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else torch.get_rng_state()


def _set_state(device: torch.device, state: torch.Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)
