"""Unconditional and conditional prediction of classifier-free guidance, from the outputs that a run has anyway.

With classifier-free guidance (Ho and Salimans 2022, equation 6) the network is evaluated twice, in one doubled batch or
in two calls, and the sampler is given `unconditional + w (conditional - unconditional)`. Which of both outputs is which
differs from pipeline to pipeline; it follows from the mixture, which lies on the line through both, beyond the
conditional one when w > 1.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.nn.functional import pixel_shuffle

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.pipelines.networks import NetworkHook, networks_of

EVALUATED_ONCE = translate(
    "errors", "The model was evaluated once in this step: no guidance, or one that is built into it."
)
NOT_LINEAR = translate(
    "errors", "The guidance of this model is no linear mixture of two predictions, so they cannot be told apart."
)
EQUAL_PREDICTIONS = translate("errors", "Both predictions of the model are the same in this step, but for rounding.")
AMBIGUOUS = translate("errors", "With so little guidance the two predictions cannot be told apart.")


class PredictionsUnknown(Exception):
    """The unconditional and the conditional prediction cannot be found; the text says why, for a person."""


class GuidancePredictions(NamedTuple):
    """The network's two outputs, (1, C, H, W) each, or packed; and the guidance scale that mixed them."""

    unconditional: torch.Tensor
    conditional: torch.Tensor
    guidance: float


class GuidanceSplitter:
    """Splitter of a guided prediction into the unconditional and the conditional one.

    It holds the network's last two outputs, by reference, until the sampler takes its step.

    Args:
        guidance: The scale that was asked for; decides the order where it is below 1. None if it is not known.
    """

    def __init__(self, pipeline: Any, guidance: float | None) -> None:
        self._networks = list(networks_of(pipeline).values())
        self._guidance = guidance
        self._outputs: deque[torch.Tensor] = deque(maxlen=2)

    @contextlib.contextmanager
    def capture(self) -> Iterator[None]:
        """Capture the networks' outputs while the block runs."""
        hooks = [each.register_forward_hook(NetworkHook(self._note)) for each in self._networks]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._outputs.clear()

    def _note(self, module: Any, inputs: Any, output: Any) -> None:
        first = output if isinstance(output, torch.Tensor) else output[0]
        if isinstance(first, torch.Tensor):
            self._outputs.append(first)

    def forget(self) -> None:
        """Drop the captured outputs: a step was replayed, and they are no predictions of the next one."""
        self._outputs.clear()

    def split(self, x: torch.Tensor, mixed: torch.Tensor) -> GuidancePredictions:
        """Both predictions for the first picture; the captured outputs are dropped.

        Args:
            x: (B, C, ...) states, the sampler's.
            mixed: (B, C, ...) or with 2C channels, the guided prediction that the sampler is given.

        Raises:
            PredictionsUnknown: There are no two, or their order is not known.
        """
        outputs, self._outputs = list(self._outputs), deque(maxlen=2)
        pair = _pair(outputs, x)
        coarsest = max(torch.finfo(each.dtype).eps for each in (*pair, mixed))
        channels = x.shape[1]
        first, second, target = (each[:1, :channels].float() for each in (*pair, mixed))
        for sign in (1, -1):  # some models predict the opposite of what their sampler wants
            weight = _weight(sign * first, sign * second, target, coarsest)
            if weight is not None:
                break
        else:
            raise PredictionsUnknown(NOT_LINEAR)
        if _first_is_unconditional(weight, self._guidance):
            return GuidancePredictions(sign * first, sign * second, weight)
        return GuidancePredictions(sign * second, sign * first, 1 - weight)


def _pair(outputs: list[torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both outputs for the first picture."""
    fitting = [each for each in (_unpatched(output, x) for output in outputs) if each.ndim == x.ndim]
    fitting = [each for each in fitting if each.shape[2:] == x.shape[2:]]
    if not fitting:
        raise PredictionsUnknown(EVALUATED_ONCE)
    last, count = fitting[-1], len(x)
    if len(last) == 2 * count:
        return last[:1], last[count : count + 1]
    if len(last) == count and len(fitting) == 2 and len(fitting[0]) == count:
        return fitting[0], last
    half = count // 2
    if len(last) == count and count % 2 == 0 and torch.equal(x[:half], x[half:]):  # DiT doubles the states, too
        return last[:1], last[half : half + 1]
    raise PredictionsUnknown(EVALUATED_ONCE if len(last) == count else NOT_LINEAR)


def _unpatched(output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The output of a network that works on patches in place of pixels, as the embedded model's does, as pixels.

    Where a pipeline orders its patches otherwise, `_weight` finds no mixture.
    """
    if output.ndim != 4 or x.ndim != 4 or not output.shape[2] or x.shape[2] <= output.shape[2]:
        return output
    patch = x.shape[2] // output.shape[2]
    channels, height, width = x.shape[1:]
    if output.shape[1:] != (channels * patch**2, height // patch, width // patch):
        return output
    return pixel_shuffle(output, patch)


def _weight(first: torch.Tensor, second: torch.Tensor, mixed: torch.Tensor, coarsest: float) -> float | None:
    """The w of mixed = first + w (second - first); None where that does not hold, but for rounding."""
    difference, way = second - first, mixed - first
    rounding = 32 * coarsest * max(float(each.abs().max()) for each in (first, second, mixed))
    if float(difference.abs().max()) <= rounding:
        raise PredictionsUnknown(EQUAL_PREDICTIONS)
    weight = float((way * difference).sum()) / float((difference * difference).sum())
    error = float((way - weight * difference).abs().max())
    return weight if error <= rounding * max(1.0, abs(weight)) else None


def _first_is_unconditional(weight: float, wanted: float | None) -> bool:
    if not 0 <= weight <= 1:
        return weight > 1
    if wanted is None or abs(weight - 0.5) < 1e-3:
        raise PredictionsUnknown(AMBIGUOUS)
    return abs(weight - wanted) < abs(1 - weight - wanted)
