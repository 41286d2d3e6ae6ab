"""The forward process: a picture that noise is added to, read like a run of a model.

States are numbered as everywhere: 0 is the noise, N the clean picture; the process itself goes from N down to 0.

| in code | in the papers |
| --- | --- |
| level of state k, `signal`, `noise` | a_t and s_t with t = N - k: sqrt(alpha_bar_t), sqrt(1 - alpha_bar_t) |
| `keep`, `added` of `_link` | sqrt(alpha_t) = sqrt(1 - beta_t) and sqrt(beta_t) of one link of the chain |

Source: Ho et al. 2020, eq. 2 (the chain) and eq. 4 (the closed form).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.array_store import FrameStore
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, AnyTrajectory, Memory, RunInfo
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel, cosine_snr
from sculptor_app.core.trajectory.step import Frame, StepSummary

_LEAST_KEPT = 1 - 0.999
_ROUNDING = 1e-6
"""Noise variance that a level may lack beside the one before it: rounding of float32, not a level out of order."""


def cosine_levels(steps: int) -> tuple[NoiseLevel, ...]:
    """Levels of states 0..N on the cosine schedule with evenly spaced timesteps, noise first, the picture last.

    Timesteps are whole numbers, as a model counts them: these are the levels that it samples at with as many steps.

    Args:
        steps: N, 1 and more.

    Source: Nichol and Dhariwal 2021, eq. 17; as there, no timestep takes more than 0.999 of the signal's variance,
    which is what keeps a trace of the picture at the noise end.
    """
    timesteps = [float(timestep) for timestep in np.linspace(999, 0, steps).round()]
    ratios = [max(cosine_snr(timestep), _LEAST_KEPT * cosine_snr(max(0.0, timestep - 1))) for timestep in timesteps]
    return (*(NoiseLevel(math.sqrt(snr / (1 + snr)), math.sqrt(1 / (1 + snr))) for snr in ratios), CLEAN)


def draw_noise(shape: tuple[int, int, int], seed: int, layer: int = 0) -> Frame:
    """White noise of unit variance, the same for the same seed on every machine.

    numpy's PCG64, seeded with (seed, layer) through its SeedSequence, fills the frame in C order with single-precision
    normals. It is another noise than that which a model starts from for this seed: that is torch's.

    Args:
        seed: 0 to 2^63 - 1.
        layer: 0 for the one noise of a whole process, k for the fresh noise of state k - 1.
    """
    generator = np.random.Generator(np.random.PCG64([seed, layer]))
    return generator.standard_normal(shape, np.float32)


class ForwardTrajectory(AnyTrajectory):
    """The states of the forward process of a picture, each as strong as its level says.

    With one noise every state is `signal * picture + noise * n` with the same n, computed when it is asked for. With
    fresh noise each state adds noise of its own to the state before it, `x_k = keep * x_(k+1) + added * n_k`; mean and
    variance of every state are the same as with one noise, but neighbours differ by new noise. Such states are drawn
    in order and kept; `draw` does so ahead, otherwise whoever asks first for a far state waits for those before it.

    The noise is that of `info.request.seed`. Any thread may read.

    Args:
        picture: (C, H, W) float32, about [-1, 1].
        levels: Of states 0..N, noise first; the last is CLEAN.
        fresh: Fresh noise in every state instead of one noise.
        budget_bytes: Most bytes of frames in memory; older ones go to a temporary file beyond it.
        spill_folder: Folder of that file; None is the system's folder for temporary files.

    Raises:
        ValueError: The last level is not that of a clean picture, or a level holds less noise than a later one.
    """

    def __init__(
        self,
        info: RunInfo,
        picture: Frame,
        levels: Sequence[NoiseLevel],
        fresh: bool = False,
        budget_bytes: int = DEFAULT_BUDGET_BYTES,
        spill_folder: Path | None = None,
    ) -> None:
        channels, height, width = picture.shape
        super().__init__(info, levels, (channels, height, width), budget_bytes)
        if levels[-1] != CLEAN:
            raise ValueError(f"the levels of a forward process end with {CLEAN}; got {list(levels[-2:])}")
        self.fresh = fresh
        self._links = [_link(*pair) for pair in zip(self.levels[1:], self.levels, strict=False)] if fresh else []
        self._picture = _kept(picture.astype(np.float32))
        self._noise = None if fresh else _kept(draw_noise(self.shape, info.request.seed))
        self._drawn = FrameStore(self.shape, budget_bytes, spill_folder)
        self._drawing = threading.Lock()
        self._is_open = True

    @property
    def last(self) -> int:
        """N: every state can be read at once; -1 after `close`."""
        return self.planned_steps if self._is_open else -1

    @property
    def picture(self) -> Frame:
        """The clean picture, state N, (C, H, W) float32, read-only."""
        return self._picture

    @property
    def noise(self) -> Frame | None:
        """The one noise of all states, (C, H, W) float32, read-only; None where each has its own."""
        return self._noise

    def state(self, k: int) -> Frame:
        """Noisy state k, as in the base class; `TrajectoryStorageError` if fresh noise finds no room."""
        self._check(k, first=0)
        if k == self.planned_steps:
            return self._picture
        if self._noise is None:
            self._draw_down_to(k)
            return self._drawn[self._place(k)]
        level = self.levels[k]
        return _kept(np.float32(level.signal) * self._picture + np.float32(level.noise) * self._noise)

    def guess(self, k: int) -> Frame | None:
        """The clean picture, which is known at every step; None for k = 0, which no step leads to."""
        self._check(k, first=0)
        return self._picture if k else None

    def step(self, k: int) -> StepSummary:
        """The summary of step k, which undoes one step of the process; it has no time of its own."""
        self._check(k, first=1)
        return StepSummary(
            number=k,
            calls=1,
            timestep=math.nan,
            before=self.levels[k - 1],
            after=self.levels[k],
            duration_s=0.0,
            guess_note="",
        )

    def draw(self, progress: Callable[[int], None] = lambda done: None, stop: threading.Event | None = None) -> None:
        """Draw all states of fresh noise ahead; with one noise there is nothing to draw.

        Args:
            progress: Called after each with how many states there are.
            stop: Set to give up before the next one.

        Raises:
            Cancelled: `stop` was set.
            TrajectoryStorageError: There is no room for them.
        """
        for k in range(self.planned_steps - 1, -1, -1) if self.fresh else ():
            if stop is not None and stop.is_set():
                raise Cancelled
            self._draw_down_to(k)
            progress(self.planned_steps - k)

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of picture, noise and kept states that are in memory."""
        whole = self._picture.nbytes + (0 if self._noise is None else self._noise.nbytes) if self._is_open else 0
        return whole + super().bytes_in_memory

    def _stores(self) -> tuple[Memory, ...]:
        return (self._drawn,)

    def close(self) -> None:
        """Forget all frames."""
        with self._drawing:
            self._is_open = False
            super().close()

    def _place(self, k: int) -> int:
        return self.planned_steps - 1 - k

    def _draw_down_to(self, k: int) -> None:
        with self._drawing:  # two readers would draw one state twice
            while self._is_open and len(self._drawn) <= self._place(k):
                number = self.planned_steps - 1 - len(self._drawn)
                above = self._drawn[len(self._drawn) - 1] if len(self._drawn) else self._picture
                keep, added = self._links[number]
                fresh = draw_noise(self.shape, self.info.request.seed, number + 1)
                fresh *= np.float32(added)
                fresh += np.float32(keep) * above
                self._drawn.append(fresh)


def run_forward_process(
    picture: Frame,
    name: str,
    *,
    steps: int = 50,
    seed: int = 7,
    fresh: bool = False,
    levels: Sequence[NoiseLevel] | None = None,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
) -> ForwardTrajectory:
    """The forward process of a picture, with the record of what it was made with.

    Args:
        picture: (C, H, W) float32, pixels in [-1, 1].
        steps: N, 1 to MAX_STEPS.
        levels: Of the N + 1 states; None is the cosine schedule.

    Raises:
        RequestError: Steps or seed are outside what is allowed.
        ValueError: As in `ForwardTrajectory`.
    """
    request = RunRequest(seed=seed, steps=steps)
    info = RunInfo(request, origin=f"{name}, drowned in fresh noise" if fresh else f"{name}, drowned")
    return ForwardTrajectory(info, picture, levels or cosine_levels(steps), fresh, budget_bytes, spill_folder)


def _link(above: NoiseLevel, below: NoiseLevel) -> tuple[float, float]:
    """One link of the chain, from a level to the noisier one below it: what is kept, and the noise that is added.

    Raises:
        ValueError: The level below holds less noise than what is kept would bring along.
    """
    keep = below.signal / above.signal if above.signal else 0.0
    lacking = (keep * above.noise) ** 2 - below.noise**2
    if lacking > _ROUNDING * max(1.0, below.noise**2):
        raise ValueError(f"noise only grows in a forward process; {below} cannot follow {above}")
    return keep, math.sqrt(max(0.0, -lacking))


def _kept(frame: Frame) -> Frame:
    frame.setflags(write=False)
    return frame
