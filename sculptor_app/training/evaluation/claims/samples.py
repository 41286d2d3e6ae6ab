"""Samples of a labelled pixel model in batches, and their distance to renders with its error.

Distances of few samples are too large, and comparable only between equal numbers. The sets that a claim compares have
as many samples each, of the same noise and the same labels: what is by chance the same in both falls out of their
difference, whose error is a paired bootstrap's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.samplers import NOISELESS_SAMPLERS, SAMPLERS
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.pipelines.errors import run_errors
from sculptor_app.diffusion.pipelines.sculptor import Network, SculptorPipeline, makes_sculptures
from sculptor_app.diffusion.samplers.levels import Scheduler, level_of
from sculptor_app.diffusion.samplers.schedulers import make_scheduler
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures.claims import SAMPLES_PER_SEED, ClaimProgress, ClaimRequest, Outcome
from sculptor_app.training.evaluation.figures import Gaussian, fit, frechet
from sculptor_app.training.evaluation.judge import Standard, read
from sculptor_app.training.evaluation.judge_training import find_judge, open_judge
from sculptor_app.training.evaluation.pictures import (
    BLOCK,
    SAMPLED_AT_ONCE_CPU,
    cycle_labels,
    in_parallel,
    noise_batches,
    workers_on,
)

RESAMPLES = 200
"""Sets that a bootstrap draws."""
SEARCH_SEED = 2**31
"""Added to the seed of samples that something is chosen with, which is then tested on others."""

MoveNoise = Callable[[torch.Tensor, NoiseLevel], torch.Tensor]
"""States at a noise level that white noise (B, 3, S, S) becomes."""


@dataclass(frozen=True)
class Plan:
    """How samples are drawn.

    Attributes:
        guidance: by the noise level of a step: 1 is none; None samples without labels.
        betas: of the training's noise schedule, as far as the sampler uses it, (T,); None is all of it.
        first: step of the sampler that is taken first, counted from 0.
        start: what the run begins with there; None is white noise, and `first` is 0 then.
    """

    steps: int
    guidance: Callable[[NoiseLevel], float] | None = None
    betas: torch.Tensor | None = None
    first: int = 0
    start: MoveNoise | None = None


@torch.no_grad()
def sample_batch(
    pipeline: SculptorPipeline, sampler: str, plan: Plan, noise: torch.Tensor, labels: torch.Tensor,
    is_stopped: Callable[[], bool],
) -> torch.Tensor:  # fmt: skip
    """One batch of pictures.

    Args:
        sampler: one of NOISELESS_SAMPLERS.
        noise: (B, 3, S, S).
        labels: (2, B) int64, forms and materials.
        is_stopped: asked before each step.

    Returns:
        (B, 3, S, S) uint8 on the CPU.

    Raises:
        Cancelled: it was stopped.
    """
    scheduler = scheduler_of(pipeline, sampler, plan)
    scheduler.set_timesteps(plan.steps, device=pipeline.device)
    noise = noise.to(pipeline.device)
    first = plan.first * scheduler.order
    if plan.start is None:
        x = noise * scheduler.init_noise_sigma
    else:
        x = plan.start(noise, level_of(scheduler, first))
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
    networks = _Networks(pipeline, None if plan.guidance is None else labels, len(noise))
    for index, t in enumerate(scheduler.timesteps[first:], first):
        if is_stopped():
            raise Cancelled
        scale = 1.0 if plan.guidance is None else plan.guidance(level_of(scheduler, index))
        predicted = networks.of(scale)(scheduler.scale_model_input(x, t), t).float()
        x = scheduler.step(predicted, t, x, return_dict=False)[0]
    shown: torch.Tensor = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()
    return shown


def scheduler_of(pipeline: SculptorPipeline, sampler: str, plan: Plan) -> Scheduler:
    """A new scheduler for a batch, on the part of the noise schedule that the plan uses."""
    settings = dict(pipeline.scheduler.config)
    if plan.betas is not None:
        own = {"trained_betas": plan.betas.tolist(), "num_train_timesteps": len(plan.betas)}
        filled_in = set(settings.get("_use_default_values", ())) - own.keys()  # diffusers leaves those aside
        settings |= {**own, "_use_default_values": sorted(filled_in)}
    return make_scheduler(sampler, settings, plan.steps)


class _Networks:
    """The network with the labels of a batch at each scale of guidance, made once."""

    def __init__(self, pipeline: SculptorPipeline, labels: torch.Tensor | None, count: int) -> None:
        self._pipeline, self._count = pipeline, count
        self._forms: list[int] | None = None
        self._materials: list[int] | None = None
        if labels is not None:
            self._forms, self._materials = labels.tolist()
        self._made: dict[float, Network] = {}

    def of(self, scale: float) -> Network:
        """The network at a scale; at 1 the unconditional half is not computed."""
        if scale not in self._made:
            self._made[scale] = self._pipeline.network(self._forms, self._materials, scale, self._count)
        return self._made[scale]


# The sets that a claim compares ---------------------------------------------------------------------------------------


class Bench:
    """The loaded model with its judge, and how many of the planned samples are drawn.

    Args:
        asked: its sampler is one of NOISELESS_SAMPLERS.
        stop: ends what goes on within a step.
    """

    def __init__(
        self, pipeline: SculptorPipeline, standard: Standard, asked: ClaimRequest, stop: threading.Event
    ) -> None:
        self.pipeline, self.standard, self.stop = pipeline, standard, stop
        self.count = SAMPLES_PER_SEED * asked.seeds
        self.request = asked.request
        self._done = self._planned = 0

    @property
    def search_count(self) -> int:
        """How many samples something is chosen with: half as many as it is tested with."""
        return max(2, self.count // 2)

    @property
    def _at_once(self) -> int:
        return SAMPLED_AT_ONCE_CPU if self._device == "cpu" else BLOCK

    @property
    def _device(self) -> str:
        return str(self.pipeline.device.type)

    def foretell(self, planned: int, evaluations: float) -> ClaimProgress:
        """How long all sets of samples will take, from two evaluations of the network, of which the second is timed.

        Args:
            planned: how many samples they have together.
            evaluations: how many pictures go through the network for them, guided ones counted twice.
        """
        self._planned, size, workers = planned, self.pipeline.picture_size, workers_on(self._device)
        x = torch.zeros((self._at_once, 3, size, size), device=self.pipeline.device)
        network = self.pipeline.network(None, None, 1.0, self._at_once)
        threads = torch.get_num_threads()
        torch.set_num_threads(1 if workers > 1 else threads)
        try:
            for _ in range(2):
                begun = time.monotonic()
                network(x, torch.tensor(0, device=self.pipeline.device))
        finally:
            torch.set_num_threads(threads)
        return ClaimProgress(0, planned, (time.monotonic() - begun) / self._at_once / workers * evaluations)

    def draw(self, plan: Plan, count: int, search: bool = False) -> Generator[ClaimProgress, None, torch.Tensor]:
        """The judge's features (N, 64) of so many samples of all labels in turn; a progress for each batch.

        Args:
            search: from another noise than what is tested in the end.

        Raises:
            Cancelled: The bench was stopped.
        """
        seed = self.request.seed + (SEARCH_SEED if search else 0)
        batches = noise_batches(torch.tensor(cycle_labels(count)), seed, self.pipeline.picture_size, self._at_once)
        given_up = threading.Event()  # set where nobody takes the next batch

        def work(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            def is_stopped() -> bool:
                return self.stop.is_set() or given_up.is_set()

            return sample_batch(self.pipeline, self.request.sampler, plan, *batch, is_stopped)

        found = []
        with run_errors(str(self.pipeline.device)):
            for pictures in in_parallel(work, batches, workers_on(self._device), given_up):
                found.append(read(self.standard.judge, pictures).features)
                self._done += len(pictures)
                yield ClaimProgress(self._done, self._planned)
        return torch.cat(found)

    def distance(self, features: torch.Tensor) -> float:
        """Squared Fréchet distance of features (N, 64) to those of clean renders."""
        return frechet(fit(features), self.standard.reference)

    def error_of(self, statistic: Callable[[float, float], float], one: torch.Tensor, other: torch.Tensor) -> float:
        """Standard error of a statistic of two sets' distances; see `bootstrap_error`."""
        return bootstrap_error(statistic, one, other, self.standard.reference, self.request.seed)


def bootstrap_error(
    statistic: Callable[[float, float], float], one: torch.Tensor, other: torch.Tensor, reference: Gaussian, seed: int
) -> float:
    """Standard error of a statistic of the distances of two sets of features (N, 64), drawn again with repetition.

    Row i of both is of the same noise and labels, and they are drawn together (Efron and Tibshirani 1993, chapter 6).
    """
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(RESAMPLES):
        rows = torch.randint(0, len(one), (len(one),), generator=generator)
        values.append(statistic(*(frechet(fit(each[rows]), reference) for each in (one, other))))
    return float(torch.tensor(values, dtype=torch.float64).std())


def open_bench(engine: Engine, asked: ClaimRequest, stop: threading.Event) -> Bench | Outcome:
    """The bench of a request's model; an outcome that says why nothing can be told where there is none.

    Raises:
        SculptorError, Cancelled: As `Engine.load` and `open_judge`.
    """
    request = asked.request
    if request.sampler not in NOISELESS_SAMPLERS:
        noisy = translate("claims", "This is tested with samplers that add no noise in their steps; choose one of {0}.")
        return Outcome(noisy.format(", ".join(SAMPLERS[each].label for each in NOISELESS_SAMPLERS)), None)
    pipeline = engine.load(request.model, request.device, stop)
    if not makes_sculptures(pipeline):
        unknown = translate("claims", "No judge reads the pictures of this model: only those of models that learned "
                            "rendered sculptures are read.")  # fmt: skip
        return Outcome(unknown, None)
    folder = find_judge(pipeline.picture_size)
    if folder is None:
        missing = translate("claims", "There is no judge of pictures of this size ({0} px) yet; the command evaluate "
                            "makes one.")  # fmt: skip
        return Outcome(missing.format(pipeline.picture_size), None)
    return Bench(pipeline, open_judge(folder, pipeline.picture_size), asked, stop)
