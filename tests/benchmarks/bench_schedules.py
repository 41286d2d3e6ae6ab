"""How right the word about a schedule is before a run: every scheduler class of betas, at every kind of settings.

    python -m tests.benchmarks.bench_schedules [--steps 1 2 3 4 5 10 50] [--all]

Each set-up is judged as the program judges it before a run, and then run by diffusers alone, with a network that knows
its data (tests/diffusion/gaussian.py). The two must agree: refused, or finite numbers to the end. `--all` lists what is
refused.
"""

from __future__ import annotations

import argparse
import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import diffusers
import numpy as np
import torch

from sculptor_app.diffusion.samplers.schedulers import schedule_problem, why_not_planned
from tests.diffusion.gaussian import GaussianNetwork, GaussianPipeline

CLASSES = (
    "DDPMScheduler", "DDIMScheduler", "PNDMScheduler", "LCMScheduler", "TCDScheduler", "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler", "DEISMultistepScheduler", "SASolverScheduler", "DDIMParallelScheduler",
    "DDPMParallelScheduler", "CogVideoXDDIMScheduler",
)  # fmt: skip
SWITCHES: tuple[dict[str, Any], ...] = (
    {}, {"use_karras_sigmas": True}, {"use_exponential_sigmas": True}, {"use_beta_sigmas": True},
    {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, {"timestep_spacing": "trailing"},
    {"timestep_spacing": "leading", "steps_offset": 1}, {"skip_prk_steps": True}, {"num_train_timesteps": 100},
)  # fmt: skip
SCHEDULES = ("squaredcos_cap_v2", "scaled_linear")


def main() -> None:
    """Print how many set-ups there are, and those about which the word is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3, 4, 5, 10, 50])
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    diffusers.logging.set_verbosity_error()
    refused: dict[str, list[int]] = defaultdict(list)
    count, unjust, missed = 0, 0, 0
    for kind, settings in setups():
        for steps in arguments.steps:
            is_refused, runs = judged(kind, settings, steps) is not None, runs_bare(kind, settings, steps)
            count, unjust, missed = count + 1, unjust + (is_refused and runs), missed + (not is_refused and not runs)
            title = f"{kind.__name__} {settings}"
            if is_refused == runs:
                print(f"WRONG: {title} with {steps} steps is {'refused' if is_refused else 'let through'}")
            if is_refused:
                refused[title].append(steps)
    for title, counts in refused.items() if arguments.all else ():
        print(f"refused: {title} with {counts} steps")
    print(f"{count} set-ups, {sum(map(len, refused.values()))} of them refused")
    print(f"refused though they run: {unjust}; let through though they do not: {missed}")


def setups() -> Iterator[tuple[Any, dict[str, Any]]]:
    """Scheduler classes with their settings."""
    for name in CLASSES:
        kind = getattr(diffusers, name)
        accepted = inspect.signature(kind.__init__).parameters
        for schedule in SCHEDULES:
            for switch in SWITCHES:
                for prediction in ("epsilon", "v_prediction"):
                    if not switch.keys() <= accepted.keys():
                        continue
                    base = {"beta_schedule": schedule, "clip_sample": False, "prediction_type": prediction}
                    yield kind, base | switch


def judged(kind: Any, settings: dict[str, Any], steps: int) -> object:
    """What is said before a run; None where nothing is."""
    scheduler = kind.from_config(settings)
    try:
        scheduler.set_timesteps(steps)
    except Exception:
        return why_not_planned(scheduler, kind.__name__, steps)
    return schedule_problem(scheduler, kind.__name__, steps)


def runs_bare(kind: Any, settings: dict[str, Any], steps: int) -> bool:
    """Whether diffusers alone comes to finite numbers."""
    scheduler = kind.from_config(settings)
    network = GaussianNetwork(settings["prediction_type"], settings["beta_schedule"], 8)
    alpha_bar = scheduler.alphas_cumprod.numpy().astype(np.float64)
    network._sigmas = np.sqrt((1 - alpha_bar) / np.maximum(alpha_bar, 1e-9))
    try:
        final = GaussianPipeline(network, scheduler)(steps, generator=torch.Generator().manual_seed(1))
    except Exception:
        return False
    return bool(torch.isfinite(final).all())


if __name__ == "__main__":
    main()
