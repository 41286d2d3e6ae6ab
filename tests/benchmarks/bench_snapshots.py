"""What a run keeps so that it can be forked: memory, disk and time, and that forks of it are exact.

    python -m tests.benchmarks.bench_snapshots [--steps 1000] [--shape 4x128x128] [--sampler dpmpp-2m] [--budget-mb 512]

4x128x128 are the latents of 1024x1024 pixels; 3x1024x1024 are the pixels themselves, which take about 40 GB of disk.
The network is a stand-in that costs nothing, so that the time is that of keeping. Frames and snapshots that the budget
does not hold go to temporary files in `--folder`, which are gone afterwards.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from diffusers import ConfigMixin, DDIMScheduler, DiffusionPipeline, ModelMixin
from diffusers.configuration_utils import register_to_config

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import Event, sample
from sculptor_app.diffusion.studies.fork import fork


class Halving(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A network that costs nothing."""

    @register_to_config
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 2


class HalvingPipeline(DiffusionPipeline):  # type: ignore[misc]
    """A run of that network.

    Args:
        unet: The network.
        scheduler: Any.
        shape: (C, H, W) of the states.
    """

    def __init__(self, unet: Halving, scheduler: DDIMScheduler, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.register_to_config(shape=shape)

    @torch.no_grad()
    def __call__(self, num_inference_steps: int = 50, generator: torch.Generator | None = None) -> None:
        self.scheduler.set_timesteps(num_inference_steps)
        x = torch.randn((1, *self.config.shape), generator=generator) * self.scheduler.init_noise_sigma
        takes = {"generator"} & set(self.prepare_extra_step_kwargs())
        for t in self.scheduler.timesteps:
            answer = self.unet(self.scheduler.scale_model_input(x, t))
            x = self.scheduler.step(answer, t, x, **dict.fromkeys(takes, generator)).prev_sample

    def prepare_extra_step_kwargs(self) -> Iterable[str]:
        """The names that this scheduler's step takes."""
        import inspect

        return inspect.signature(self.scheduler.step).parameters


def main() -> None:
    """Run and fork, and print the figures."""
    options = _options()
    shape = tuple(int(side) for side in options.shape.split("x"))
    pipeline = HalvingPipeline(Halving(), DDIMScheduler(prediction_type="v_prediction", clip_sample=False), shape)
    engine = Engine(lambda *_, **__: pipeline)
    budget = options.budget_mb * 2**20
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        request = RunRequest(steps=options.steps, sampler=options.sampler, model=folder, device="cpu")
        room: dict[str, Any] = {"budget_bytes": budget, "spill_folder": Path(folder)}
        print(f"{options.steps} steps of {options.shape}, {options.sampler}, budget {options.budget_mb} MB")
        trajectory = None
        for forkable in (False, True) if options.compare else (True,):
            if trajectory is not None:
                trajectory.close()
            word = "with snapshots" if forkable else "without snapshots"
            trajectory = _told(word, sample(engine, request, threading.Event(), forkable=forkable, **room))
        assert trajectory is not None
        want = _digest(trajectory)
        for place in options.places:
            k = max(1, int(place * options.steps))
            made = _told(f"forked at {k}", fork(trajectory, k, engine, threading.Event(), **room))
            print(f"  last state {'the same to the last bit' if _digest(made) == want else 'DIFFERS'}")
            made.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--shape", default="4x128x128")
    parser.add_argument("--sampler", default="dpmpp-2m")
    parser.add_argument("--budget-mb", type=int, default=512)
    parser.add_argument("--folder", help="of the temporary files; the system's if not given")
    parser.add_argument("--places", type=float, nargs="*", default=(0.1, 0.4, 0.7, 0.999), help="where to fork")
    parser.add_argument("--compare", action="store_true", help="run without snapshots, too")
    return parser.parse_args()


def _told(word: str, events: Iterable[Event]) -> Trajectory:
    """Carry a run out and print what it took."""
    begun, most = time.perf_counter(), 0
    for event in events:
        trajectory = event.trajectory
        most = max(most, trajectory.bytes_in_memory)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{word}: {seconds:.1f} s, {1000 * seconds / trajectory.planned_steps:.1f} ms a step; frames and snapshots in "
        f"memory at most {most / 2**20:.0f} MB, on disk {trajectory.bytes_on_disk / 2**30:.2f} GiB; "
        f"the process' peak {peak:.0f} MB"
    )
    return trajectory


def _digest(trajectory: Trajectory) -> str:
    return hashlib.sha256(trajectory.state(trajectory.last).tobytes()).hexdigest()


if __name__ == "__main__":
    main()
