"""Makes the pictures of the invitation: `python packaging/welcome.py`, after the embedded model was changed.

Eight tiles in a row, all of them of real runs: a sculpture that drowns (the picture, part of the way, the noise), a
step of a run that is watched (its noisy state and the guess), and a run from noise (noise, part of the way, the end).
"""

import threading
from pathlib import Path

import numpy as np
from PIL import Image

from sculptor_app.core.requests.request import FIRST_GUIDANCE, FIRST_SAMPLER, RunRequest
from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import frame

TARGET = Path(__file__).resolve().parent.parent / "resources" / "styles" / "welcome.png"
FIRST = {"sampler": FIRST_SAMPLER, "guidance": FIRST_GUIDANCE}
DROWNED = RunRequest(form="bust", material="bronze", seed=7, **FIRST)
CARVED = RunRequest(form="vase", material="marble", seed=6, **FIRST)
STEPS = 50
LAYER, WATCHED, HALF = 16, 28, 30
"""The layers of noise of the second tile, the step that is watched, and that in the middle of the run from noise."""


def run(request: RunRequest):
    """All steps of a run of the embedded model."""
    for event in sample(Engine(), request, threading.Event()):
        trajectory = event.trajectory
    return trajectory


def tile(numbers: np.ndarray) -> np.ndarray:
    """A frame (3, H, W), −1 to 1, as bytes (H, W, 3)."""
    return np.round((np.clip(numbers, -1, 1) + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)


def tiles() -> list[np.ndarray]:
    """The pictures of the strip, in its order."""
    drowned, carved = run(DROWNED), run(CARVED)
    seen = np.clip(drowned.state(STEPS), -1, 1)
    forward = run_forward_process(seen, "picture", steps=STEPS, seed=DROWNED.seed)
    shown = [(forward, STEPS - k, FrameKind.NOISY_STATE) for k in (0, LAYER, STEPS)]
    shown += [(drowned, WATCHED, FrameKind.NOISY_STATE), (drowned, WATCHED, FrameKind.CURRENT_GUESS)]
    shown += [(carved, k, FrameKind.NOISY_STATE) for k in (0, HALF, STEPS)]
    return [tile(frame(trajectory, state, kind)) for trajectory, state, kind in shown]


def main() -> None:
    Image.fromarray(np.concatenate(tiles(), axis=1)).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
