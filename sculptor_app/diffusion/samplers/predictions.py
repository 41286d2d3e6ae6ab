"""The clean picture that a model predicts (x0 prediction), worked out from its output of any kind.

| in code | in the papers |
| --- | --- |
| `x` | x_t = a x0 + s n, the noisy state |
| `output` | what the network predicts: epsilon, x0, v or the flow's velocity |
| `guess` | x0-hat |

Sources: Ho et al. 2020, eq. 15 (epsilon); Salimans and Ho 2022, appendix D (v); Lipman et al. 2023, eq. 23 (flow);
Karras et al. 2022, eq. 7 (EDM); Song et al. 2023, eq. 5 (consistency models); Lu and Song 2025, eq. 5 (trigflow);
Efron 2011, Tweedie's formula (score). The v of a state with a^2 + s^2 = r^2
other than 1 is that of x/r.
"""

from __future__ import annotations

import torch

from sculptor_app.core.requests.samplers import SCHEDULER_CLASSES, Family, SchedulerClass
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.samplers.levels import Scheduler, kind_of

_PREDICTIONS = {
    Family.FLOW: "flow_prediction", Family.ANGLES: "v_prediction", Family.WUERSTCHEN: "epsilon",
    Family.SCORE: "score",
}  # fmt: skip
"""What the networks of a family predict where their schedulers do not say so."""


class NoExactRuleError(Exception):
    """No exact rule gives the guess; the text says why, for a person."""


def clean_from(prediction_type: str, x: torch.Tensor, output: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
    """The clean picture that belongs to a network's output, before any clipping.

    Args:
        prediction_type: "epsilon", "sample", "v_prediction", "flow_prediction" or "trigflow", as diffusers calls them,
            or "score".

    Raises:
        NoExactRuleError: The prediction type is another one, or the state holds no signal to divide by.
    """
    a, s, r = level.signal, level.noise, level.scale
    if prediction_type == "sample":
        return output
    if prediction_type == "v_prediction":
        return x * (a / (r * r)) - output * (s / r)
    if prediction_type == "flow_prediction":
        return (x - s * output) / (a + s)
    if prediction_type == "trigflow":  # a v that is scaled as the state is
        return (a * x - s * output) / (r * r)
    if prediction_type == "score":
        return (x + s * s * output) / a
    if prediction_type == "epsilon":
        if a == 0:
            raise NoExactRuleError(
                translate("errors", "The state is pure noise; a predicted noise tells nothing of the picture.")
            )
        return (x - s * output) / a
    raise NoExactRuleError(
        translate("errors", "No rule is known for a model that predicts {0!r}.").format(prediction_type)
    )


def guess_of(scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
    """The clean picture, (B, C, H, W) float32, that the scheduler goes on with, clipped or thresholded as it does.

    Args:
        scheduler: The running scheduler; it is not changed.
        x: Noisy states that `step` is given, (B, C, H, W).
        output: The network's output, (B, C, H, W), or with 2C channels where the variance is learned.

    Raises:
        NoExactRuleError: No exact rule gives the guess; the text says why.
    """
    kind = SCHEDULER_CLASSES[kind_of(scheduler)]
    x, output = x.float(), _mean_part(scheduler, x, output).float()
    if kind.family is Family.EDM:
        preconditioned: torch.Tensor = scheduler.precondition_outputs(x, output, level.noise)
        return _limited(scheduler, kind, preconditioned)
    if kind.family is Family.CONSISTENCY:
        return _of_consistency(scheduler, x, output, level)
    prediction_type = _PREDICTIONS.get(kind.family) or scheduler.config.prediction_type
    guess = clean_from(prediction_type, x, output, level)
    return _limited(scheduler, kind, guess)


def _of_consistency(scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
    """The picture that a consistency model maps a state to (Song et al. 2023, eq. 5, boundary of appendix C)."""
    skip, out = scheduler.get_scalings_for_boundary_condition(level.noise)
    guess: torch.Tensor = out * output + skip * x
    return guess.clamp(-1, 1) if scheduler.config.clip_denoised else guess


def _mean_part(scheduler: Scheduler, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """`output` without the channels of a learned variance."""
    learned = str(scheduler.config.get("variance_type")).startswith("learned")
    if learned and output.shape[1] == 2 * x.shape[1]:
        output = output[:, : x.shape[1]]
    if output.shape != x.shape:
        raise NoExactRuleError(
            translate("errors", "The model's output has shape {0} for states of shape {1}.").format(
                tuple(output.shape), tuple(x.shape)
            )
        )
    return output


def _limited(scheduler: Scheduler, kind: SchedulerClass, guess: torch.Tensor) -> torch.Tensor:
    config = scheduler.config
    if config.get("thresholding") and kind.thresholds and config.get("predict_x0", True):
        thresholded: torch.Tensor = scheduler._threshold_sample(guess)
        return thresholded
    if config.get("clip_sample") and kind.clips:
        return guess.clamp(-config.clip_sample_range, config.clip_sample_range)
    return guess
