"""A pipeline's call for several pictures at once: the same arguments for all, and a random generator for each.

What comes of a picture in such a call is what comes of it alone, but for rounding: networks and kernels add in another
order where a batch has another size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.pipelines.call import PipelineCall
from sculptor_app.diffusion.pipelines.parameters import LABELS, PICTURES, call_parameters
from sculptor_app.diffusion.samplers.schedulers import schedulers_of

Pipeline = Any
COUNTS = ("num_images_per_prompt", "batch_size")
"""Parameters by which pipelines of diffusers are asked for several pictures of the same kind."""


class NoBatch(SculptorError):
    """A model makes one picture at a time, or several only in another way than each alone."""


def batch_call(pipeline: Pipeline, call: PipelineCall, generators: Sequence[torch.Generator]) -> PipelineCall:
    """The call for as many pictures as there are generators; each draws its noise from its own.

    Args:
        call: for one picture, as `call_of` makes it.

    Raises:
        NoBatch: The pipeline has no parameter for that, takes no generator, works in stages, or is given a picture.
    """
    parameters, count = call_parameters(pipeline), len(generators)
    counted = {name: count for name in COUNTS if name in parameters}
    # Where no words are read, there is a class for each picture, which some pipelines count them by.
    classes = {} if COUNTS[0] in counted else {name: call.arguments[name] for name in LABELS if name in call.arguments}
    # A picture is encoded once for all of them, with noise of the first one's generator: the others' noise is then not
    # what it is alone (seen with inpainting in diffusers 0.42).
    is_of_pictures = any(name in call.arguments for name in PICTURES)
    can_count = bool(counted or classes) and "generator" in call.arguments and len(schedulers_of(pipeline)) == 1
    if is_of_pictures or not can_count:
        raise NoBatch(translate("errors", "This model makes one picture at a time."))
    several = {name: value * count for name, value in classes.items()}
    starts = {  # the noise and the picture that the embedded model's runs may start from
        name: value.repeat(count, *[1] * (value.ndim - 1))
        for name, value in call.arguments.items()
        if isinstance(value, torch.Tensor)
    }
    arguments = call.arguments | starts | several | counted | {"generator": list(generators)}
    return replace(call, generator=generators[0], arguments=arguments)
