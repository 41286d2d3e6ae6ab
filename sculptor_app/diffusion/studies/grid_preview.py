"""The blocks of a grid before anything is carved out of them."""

from __future__ import annotations

import numpy as np

from sculptor_app.core.requests.grid import GridRequest
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.trajectory.trajectory import RunInfo, Trajectory
from sculptor_app.diffusion.sampling.engine import Engine, model_facts, model_name
from sculptor_app.diffusion.sampling.noise import noise_of


def untouched(request: GridRequest) -> tuple[Trajectory, ...]:
    """A trajectory for each cell that holds its noise, state 0, and the plan of its steps; no model is loaded.

    Raises:
        ModelFolderError: The model's folder cannot be used.
    """
    size = model_facts(request.model).size
    levels = Engine().plan(request.single(request.cells[0]))
    name, sampler = model_name(request.model), SAMPLERS[request.sampler].label
    runs = []
    for cell in request.cells:
        start = noise_of(cell.noise, size) * np.float32(levels[0].scale)
        info = RunInfo(request.single(cell), name, sampler_name=sampler, conditions=cell.noise.words)
        runs.append(Trajectory(info, start, levels))
    return tuple(runs)
