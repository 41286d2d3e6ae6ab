"""Published findings about diffusion models, and what a model shows of them.

Tested by `diffusion.studies.claims`, those about many samples by `training.evaluation.claims`, those about training by
`training.memorising`. Without numpy: the window lists them before anything is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import translate


@dataclass(frozen=True, slots=True)
class Claim:
    """A published finding."""

    key: str
    finding: str  # English, shown through translation, as is `published`
    source: str
    published: str  # the figure that was published, and what of it is tested
    of_samples: bool = False  # whether it is tested on SAMPLES_PER_SEED samples for each seed, and not on runs
    trains: bool = False  # whether a small network learns for it for each seed, and no model at hand is tested
    chooses: tuple[str, ...] = ()  # settings that it has values of its own for, of "sampler" and "steps"


CLAIMS: Mapping[str, Claim] = MappingProxyType({
    claim.key: claim
    for claim in (
        Claim(
            "coarse-to-fine",
            translate("claims", "A picture comes from coarse to fine: low frequencies settle first."),
            "Rissanen, Heinonen and Solin 2023, arXiv:2206.13397",
            translate("claims", "the order; tested: in most runs no band settles before a coarser one, "
                      "and the finest later than the coarsest"),
        ),
        Claim(
            "two-dimensional",
            translate("claims", "The way from noise to picture lies nearly in a plane, if the sampler adds no noise."),
            "Wang and Vastola 2023, arXiv:2303.02490",
            translate("claims", "two principal components hold 97 % of the variance and more"),
        ),
        Claim(
            "u-turn",
            translate("claims", "Turned back ever deeper into noise, a picture changes its class all at once, and its "
                      "details little by little."),
            "Sclocchi, Favero and Wyart 2024, arXiv:2402.16991",
            translate("claims", "a sharp transition of the class, none of the details; tested: the form changes over "
                      "within less of the log-SNR than the finest band"),
        ),
        Claim(
            "speciation",
            translate("claims", "Copies of a run begin to share their class at the speciation time, which the largest "
                      "eigenvalue of the data's covariance gives."),
            "Biroli, Bonnaire, de Bortoli and Mézard 2024, arXiv:2402.18491",
            translate("claims", "copies of two classes share it with probability 0.775 at 0.82 to 1.02 times that "
                      "time, in five sets of pictures; tested: the same of eight forms, in runs of DDPM with the form "
                      "left free"),
            chooses=("sampler",),
        ),
        Claim(
            "guidance-interval",
            translate("claims", "Samples are better if guidance works within an interval of noise levels alone."),
            "Kynkäänniemi et al. 2024, arXiv:2404.07724",
            translate("claims", "a Fréchet distance of 1.40 with guidance at σ from 0.19 to 1.61, of 1.81 with it "
                      "everywhere (ImageNet-512); tested: the judge's distance to renders, within the best interval of "
                      "four"),
            of_samples=True,
        ),
        Claim(
            "late-start",
            translate("claims", "Few steps make better samples if they begin late, from a Gaussian that is fitted to "
                      "the data."),
            "Raya and Ambrogioni 2023, arXiv:2305.19693",
            translate("claims", "a Fréchet distance of 7.27 in place of 11.37 (10 steps of DDIM, CelebA), of 42.3 in "
                      "place of 109.4 (3 steps, CIFAR-10); tested: the judge's distance to renders, of up to 10 steps "
                      "without labels"),
            of_samples=True,
            chooses=("steps",),
        ),
        Claim(
            "closed-form",
            translate("claims", "The first steps can be left out: the closed form of a Gaussian with the data's mean "
                      "and covariance does as well."),
            "Wang and Vastola 2024, arXiv:2412.09726",
            translate("claims", "15 to 30 % of the steps, with samples as good; tested: the judge's distance to "
                      "renders, without labels, grows by less than a tenth if 15 % are left out"),
            of_samples=True,
        ),
        Claim(
            "memorising",
            translate("claims", "The more pictures a model learns, the later it begins to make copies of them; when it "
                      "begins to make pictures does not depend on how many they are."),
            "Bonnaire, Urfin, Biroli and Mézard 2025, arXiv:2505.17638",
            translate("claims", "the time of copies grows linearly with the number n of pictures, that of pictures "
                      "not at all; tested on small networks that learn renders here: the first grows as n to a power "
                      "from 0.5 to 1.5, the second to one from -0.5 to 0.5"),
            trains=True,
            chooses=("sampler", "steps"),
        ),
    )
})  # fmt: skip
"""All claims by their keys, in the order in which they are shown."""

SAMPLES_PER_SEED = 12
"""Of a claim about many samples: four seeds are one sample of each form in each material."""
LEAST_SEEDS, LEAST_FORKS = 2, 2
LEAST_STEPS = 4
"""Of a run that shows anything of a claim: three states always lie in a plane."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a claim is tested with."""

    request: RunRequest  # of the first run; the others have the seeds after it
    seeds: int = 8  # how many runs, LEAST_SEEDS or more
    forks: int = 4  # U-turns at each step of each of them, LEAST_FORKS or more


@dataclass(frozen=True, slots=True)
class ClaimProgress:
    """So much of a test is done, in units of its own."""

    done: int
    planned: int
    seconds_left: float | None = None  # roughly; None where that is not known yet


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model shows of a claim.

    Attributes:
        here: in a sentence, with figures and their errors.
        holds: None where that cannot be told.
        figures: by name; errors of those that have one by the same names.
    """

    here: str
    holds: bool | None
    figures: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Whether the claim holds, in words."""
        if self.holds is None:
            return translate("claims", "cannot be told")
        return translate("claims", "holds") if self.holds else translate("claims", "does not hold")
