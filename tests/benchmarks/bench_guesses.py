"""How exact the current guess is: every scheduler with every kind of prediction, against a model whose guess is known.

    python -m tests.benchmarks.bench_guesses [--steps 20]

The network answers exactly for pictures that are a Gaussian random field (tests/diffusion/gaussian.py), in float32. The
guess of every call of a run is compared with the posterior mean of the very state it was made from, at the level that
the scheduler says. A figure is the largest error of any pixel in any call; pixels have a standard deviation of 0.46.

With spacings of their own (Karras, exponential, beta) many schedulers round the timestep that the network is given, so
that it answers for a level beside the one that the scheduler goes on with: the error is the sampler's own, marked
with ~. LMS and the beta spacing need scipy.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import diffusers
import numpy as np

from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.diffusion.observe.observer import Observer, observed
from tests.diffusion.gaussian import GaussianNetwork, GaussianPipeline, posterior_mean

PREDICTIONS = ("epsilon", "sample", "v_prediction", "flow_prediction", "edm")
SIZE = 32
SPACINGS = {"Karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas"}
OF_BETAS = (
    "DDPMScheduler", "DDIMScheduler", "DDPMParallelScheduler", "DDIMParallelScheduler", "PNDMScheduler", "LCMScheduler",
    "TCDScheduler", "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler", "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler", "DEISMultistepScheduler", "SASolverScheduler",
)  # fmt: skip
WITH_SPACINGS = (
    "EulerDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler",
)  # fmt: skip
WITH_FLOWS = (
    "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler",
    "SASolverScheduler",
)  # fmt: skip
OTHERS = {
    "FlowMatchEulerDiscreteScheduler": "flow_prediction",
    "FlowMatchHeunDiscreteScheduler": "flow_prediction",
    "FlowMatchLCMScheduler": "flow_prediction",
    "EDMEulerScheduler": "edm",
    "EDMDPMSolverMultistepScheduler": "edm",
}
SINGLESTEP = {"DPMSolverSinglestepScheduler": {"lower_order_final": True, "final_sigmas_type": "zero"}}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    steps = parser.parse_args().steps
    warnings.simplefilter("ignore")
    diffusers.logging.set_verbosity_error()
    print(f"{'largest error of a pixel of the guess':46}" + "".join(f"{name:>17}" for name in PREDICTIONS))
    worst = 0.0
    for title, name, settings, approximate in rows():
        cells = [error_of(name, prediction, settings, steps) for prediction in PREDICTIONS]
        shown = [
            "" if cell is None else cell if isinstance(cell, str) else f"{cell:.1e}{'~' * approximate}"
            for cell in cells
        ]
        print(f"{title:46}" + "".join(f"{cell:>17}" for cell in shown))
        worst = max([worst, *(cell for cell in cells if isinstance(cell, float) and not approximate)])
    print(f"worst of those without ~: {worst:.1e}")


def rows() -> list[tuple[str, str, dict[str, Any], bool]]:
    """Title, class, settings, and whether the sampler rounds what the network is given."""
    plain: list[tuple[str, str, dict[str, Any], bool]] = [(name, name, {}, False) for name in (*OF_BETAS, *OTHERS)]
    plain.insert(5, ("PNDMScheduler without warm-up", "PNDMScheduler", {"skip_prk_steps": True}, False))
    spaced = [
        (f"{name}, {word}", name, {setting: True}, True) for name in WITH_SPACINGS for word, setting in SPACINGS.items()
    ]
    flows = [(f"{name}, flow", name, {"use_flow_sigmas": True, "flow_shift": 3.0}, True) for name in WITH_FLOWS]
    return plain + spaced + flows


def error_of(name: str, prediction: str, settings: dict[str, Any], steps: int) -> float | str | None:
    """The largest error of a run; a word where it cannot be made; None where there is no such combination."""
    only = "flow_prediction" if "use_flow_sigmas" in settings else OTHERS.get(name)
    if prediction != only and (only or prediction in OTHERS.values()):
        return None
    kind = getattr(diffusers, name)
    betas = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02, "timestep_spacing": "linspace"}
    wanted = {**betas, "clip_sample": False, "prediction_type": prediction, **SINGLESTEP.get(name, {}), **settings}
    try:
        scheduler = kind() if name in OTHERS else kind.from_config(wanted)
        return _run(GaussianPipeline(GaussianNetwork(prediction, "linear", SIZE), scheduler), steps)
    except (NotImplementedError, ValueError) as error:
        if "implement" not in str(error) and "prediction_type" not in str(error):
            raise
        return "not in diffusers"
    except (ImportError, NameError, AttributeError) as error:
        if "scipy" not in str(error):
            raise
        return "needs scipy"


def _run(pipeline: GaussianPipeline, steps: int) -> float:
    states: list[Frame] = []
    errors: list[float] = []

    def compare(step: Step) -> None:
        assert step.guess is not None, step.guess_note
        errors.append(float(np.abs(step.guess - posterior_mean(states[-1], step.before)).max()))
        states.append(step.state)

    with observed(pipeline.scheduler, Observer(lambda start, calls: states.append(start), compare)):
        pipeline(num_inference_steps=steps)
    return max(errors)


if __name__ == "__main__":
    main()
