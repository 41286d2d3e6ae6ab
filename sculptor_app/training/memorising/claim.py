"""The claim that the time at which a model begins to memorise grows with its pictures, that of generating does not.

No model at hand can show it, since a model has learned for one time of its own: pairs of small networks learn here, one
of each pair twice as many renders as the other, until a share of their samples are copies.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from types import MappingProxyType

import numpy as np
import torch

from sculptor_app.atelier.renderer import render, to_bytes
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.texts import pictures_text, steps_text, translate
from sculptor_app.diffusion.sampling.engine import Engine, model_folder
from sculptor_app.measures.claim_figures import crossing
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
from sculptor_app.training.evaluation.copies import COPY, two_nearest
from sculptor_app.training.evaluation.pictures import TRAINING_FILE, cycle_labels, in_parallel, workers_on
from sculptor_app.training.memorising.network import BATCH, SIZE, SmallNetwork

FEW, MANY = 8, 32
"""Pictures that the two networks of a pair learn."""
SHARE = 0.25
"""Of the samples that are copies when a network is said to begin to memorise."""
AS_NEAR = 1.25
"""Samples that are so many times as far from renders that were never learned as other renders are, or less far, are
pictures: the network has begun to generate."""
OTHERS, BASELINE = 256, 64
"""Renders that no network learns, and further ones whose distances to them are compared with those of samples."""
MARKS = tuple(round(100 * 2 ** (place / 3)) for place in range(21))
"""Steps after which a network is sampled, from 100 on to about 10,000."""
USUAL_STEPS = 110
"""Steps for each picture after which a network is expected to begin to memorise, for the time beforehand."""
TIMED_STEPS = 5
SLOPES = (0.5, 1.5)
"""A time that grows as n to a power between these is nearer to linear growth than to none and to a square; one whose
power is nearer to 0 than the first is nearer to none."""
LEARNED_SEEDS = 2**42
"""First seed of these renders: training, judges, evaluations and components have others."""


@dataclass
class Course:
    """What a network came to at its marks.

    Attributes:
        ratios: Below these lie the nearest over the second nearest of SHARE of its samples.
        distances: Medians of its samples' distances to the nearest of the renders that no network learns.
    """

    steps: list[int] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)

    def memorises_from(self) -> float:
        """Steps after which SHARE of the samples are copies; NaN where they never are."""
        return self._falls_to(self.ratios, COPY)

    def generates_from(self, baseline: float) -> float:
        """Steps after which samples lie as near to renders as other renders do; NaN where they never do."""
        return self._falls_to(self.distances, AS_NEAR * baseline)

    def _falls_to(self, values: Sequence[float], border: float) -> float:
        return math.exp(crossing(np.log(self.steps), -np.array(values), -border))


@dataclass(frozen=True)
class Growth:
    """How a time grows with the number of pictures, as n to this power, with its standard error."""

    power: float
    error: float
    few: float  # geometric means of the steps with FEW pictures, and with MANY
    many: float

    @classmethod
    def of(cls, few: Sequence[float], many: Sequence[float]) -> Growth:
        """Of times of networks that learn FEW and MANY pictures, pair by pair; one pair alone has no error."""
        powers = [math.log(b / a) / math.log(MANY / FEW) for a, b in zip(few, many, strict=True)]
        error = stdev(powers) / math.sqrt(len(powers)) if len(powers) > 1 else math.nan
        return cls(fmean(powers), error, *(math.exp(fmean(map(math.log, each))) for each in (few, many)))

    @property
    def text(self) -> str:
        """The power with its error, if there is one."""
        return f"{self.power:.2f}" + (f" ± {self.error:.2f}" if math.isfinite(self.error) else "")

    def lies_within(self, low: float, high: float) -> bool | None:
        """Whether two standard errors lie within a range; None where they lie on both sides of its ends."""
        least, most = self.power - 2 * self.error, self.power + 2 * self.error
        return True if low < least and most < high else False if most < low or least > high else None


def memorising(engine: Engine, asked: ClaimRequest, stop: threading.Event) -> Generator[ClaimProgress, None, Outcome]:
    """Test of the times of networks of two numbers of pictures; as many networks as the request has seeds.

    The engine is not used. What `training.json` of the request's model tells of it is said beside.

    Raises:
        Cancelled: `stop` was set.
    """
    counts, seen = [FEW, MANY] * (asked.seeds // 2), _seen_by(asked.request.model)
    others, networks, baseline = _begin(counts, asked.request.seed, stop)
    courses = yield from _learn(networks, others, stop)
    memorised = [course.memorises_from() for course in courses]
    generated = [course.generates_from(baseline) for course in courses]
    if not all(map(math.isfinite, [*memorised, *generated])):
        unseen = translate("claims", "Of {0} small networks that learned {1} and {2} renders here, {3} did not both "
                           "generate and memorise within {4}.")  # fmt: skip
        missing = sum(not math.isfinite(a + b) for a, b in zip(memorised, generated, strict=True))
        return Outcome(
            unseen.format(len(counts), FEW, MANY, missing, steps_text(MARKS[-1])), None, {"missing": float(missing)}
        )
    of_copies, of_pictures = (Growth.of(times[::2], times[1::2]) for times in (memorised, generated))
    return _told(of_copies, of_pictures, len(counts), seen)


def _told(of_copies: Growth, of_pictures: Growth, count: int, seen: tuple[int, float] | None) -> Outcome:
    copied = translate(
        "claims", "{0} small networks learned here, {1} or {2} renders of {3} px each. A quarter of the samples were "
        "copies after {4:,} and {5}, when each render had been seen {6:,.0f} and {7:,.0f} times: a time "
        "that grows as n to the power {8}."
    ).format(
        count, FEW, MANY, SIZE, round(of_copies.few), steps_text(round(of_copies.many)), of_copies.few * BATCH / FEW,
        of_copies.many * BATCH / MANY, of_copies.text,
    )  # fmt: skip
    here = translate(
        "claims", "{0} Samples were as near to other renders as renders are after {1:,} and {2}: n to the power {3}."
    ).format(copied, round(of_pictures.few), steps_text(round(of_pictures.many)), of_pictures.text)
    figures: dict[str, float] = {}
    if seen is not None:
        figures = {"pictures": seen[0], "times_seen": seen[1]}
        here = translate("claims", "{0} In its last training the model that is open learned {1} and saw each of them "
                         "{2:.1f} times.").format(here, pictures_text(seen[0]), seen[1])  # fmt: skip
    for name, growth in (("memorises", of_copies), ("generates", of_pictures)):
        figures |= {f"{name}_power": growth.power, f"{name}_few": growth.few, f"{name}_many": growth.many}
    errors = {"memorises_power": of_copies.error, "generates_power": of_pictures.error}
    verdicts = of_copies.lies_within(*SLOPES), of_pictures.lies_within(-SLOPES[0], SLOPES[0])
    return Outcome(here, False if False in verdicts else None if None in verdicts else True, figures, errors)


def _seen_by(model: str | None) -> tuple[int, float] | None:
    """How many pictures a model learned, and how often it saw each; None where its folder does not say."""
    try:
        told = json.loads((model_folder(model) / TRAINING_FILE).read_text(encoding="utf-8"))
        pictures, seen = int(told["pictures"]), float(told["pictures_seen"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (pictures, seen / pictures) if pictures > 0 else None


# Learning -------------------------------------------------------------------------------------------------------------


@dataclass
class _Pupil:
    """A network with what it learns, (N, 3, SIZE, SIZE) uint8, and its course so far."""

    network: SmallNetwork
    learned: torch.Tensor
    course: Course


def _begin(
    counts: Sequence[int], seed: int, stop: threading.Event
) -> tuple[torch.Tensor, list[_Pupil], float]:  # fmt: skip
    """The renders that none learns, the networks with theirs, and how far renders are from those that none learns."""
    first = LEARNED_SEEDS + seed * 2**20
    others, compared = _renders(first, OTHERS, stop), _renders(first + OTHERS, BASELINE, stop)
    pupils = []
    for number, count in enumerate(counts):
        learned = _renders(first + 2**10 + number * 2**6, count, stop)
        network = SmallNetwork(learned.permute(0, 2, 3, 1).contiguous().numpy(), seed + number)
        pupils.append(_Pupil(network, learned, Course()))
    return others, pupils, float(two_nearest(compared, [others])[:, 0].median())


def _renders(first: int, count: int, stop: threading.Event) -> torch.Tensor:
    """Renders of all labels in turn, (count, 3, SIZE, SIZE) uint8."""
    forms, materials = cycle_labels(count)
    parts = []
    for begin in range(0, count, 2 * MANY):
        if stop.is_set():
            raise Cancelled
        cut = slice(begin, begin + 2 * MANY)
        seeds = list(range(first + begin, first + begin + len(forms[cut])))
        parts.append(torch.from_numpy(to_bytes(render(seeds, forms[cut], materials[cut], SIZE))).permute(0, 3, 1, 2))
    return torch.cat(parts)


def _learn(
    pupils: Sequence[_Pupil], others: torch.Tensor, stop: threading.Event
) -> Generator[ClaimProgress, None, list[Course]]:
    """Have all networks learn from mark to mark, each until it memorises; how many steps they took together."""
    yield ClaimProgress(0, sum(_expected(pupil, 0) for pupil in pupils), _foretold(pupils, stop.is_set))
    begun = time.monotonic()
    for mark in MARKS:
        learning = [pupil for pupil in pupils if not math.isfinite(pupil.course.memorises_from())]
        given_up = threading.Event()  # set where nobody takes the next part, and at the end of all parts
        work = _work_to(mark, others, lambda ended=given_up: stop.is_set() or ended.is_set())  # type: ignore[misc]
        for _ in in_parallel(work, learning, workers_on("cpu"), given_up):
            done = sum(pupil.network.steps for pupil in pupils)
            planned = sum(_expected(pupil, mark) for pupil in pupils)
            yield ClaimProgress(done, planned, (time.monotonic() - begun) / done * (planned - done))
    return [pupil.course for pupil in pupils]


def _foretold(pupils: Sequence[_Pupil], is_stopped: Callable[[], bool]) -> float:
    """Seconds that all will take, from the first steps of one of them; the very first is aside."""
    network = pupils[-1].network
    network.learn(1, is_stopped)
    begun = time.monotonic()
    network.learn(1 + TIMED_STEPS, is_stopped)
    each = (time.monotonic() - begun) / TIMED_STEPS
    return each * sum(_expected(pupil, 0) for pupil in pupils) / workers_on("cpu")


def _work_to(mark: int, others: torch.Tensor, is_stopped: Callable[[], bool]) -> Callable[[_Pupil], None]:
    def work(pupil: _Pupil) -> None:
        pupil.network.learn(mark, is_stopped)
        samples = pupil.network.samples(is_stopped)
        distances = two_nearest(samples, [pupil.learned])
        course = pupil.course
        course.steps.append(mark)
        course.ratios.append(float((distances[:, 0] / distances[:, 1]).quantile(SHARE)))
        course.distances.append(float(two_nearest(samples, [others])[:, 0].median()))

    return work


def _expected(pupil: _Pupil, mark: int) -> int:
    """Steps that a network takes in all, as far as is known."""
    if math.isfinite(pupil.course.memorises_from()):
        return pupil.network.steps
    return max(mark, USUAL_STEPS * len(pupil.learned))


TRAINING_MEASURES: Mapping[
    str, Callable[[Engine, ClaimRequest, threading.Event], Generator[ClaimProgress, None, Outcome]]
] = MappingProxyType({"memorising": memorising})
"""The tests of claims about training, by their keys in `measures.claims`."""
