"""Figures of an evaluation: Fréchet distance (as in FID), nearest training picture, and reports of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import number_text, plural, steps_text
from sculptor_app.measures.claim_figures import share_interval
from sculptor_app.measures.spectrum import LUMINANCE_WEIGHTS

SHOWN_MISTAKES = 5
AT_ONCE = 1024
"""Pictures whose spectra are computed together."""


@dataclass(frozen=True)
class Measured:
    """What was measured of a set of pictures.

    Attributes:
        nearest: Median distance to the nearest training picture, black to white being 1; None if none is known.
    """

    form_accuracy: float  # share of the pictures whose form is read as it was asked for
    material_accuracy: float  # the same of the material
    frechet: float  # squared Fréchet distance of the features to those of clean renders
    nearest: float | None
    noise: float  # median of the noise that is read, 0 to 1
    blur: float  # median of the blur that is read, 0 to 1
    lattice: tuple[float, ...]  # see `lattice`; empty for a model without patches
    octaves: tuple[float, ...]  # see `octave_powers`
    copies: tuple[int, int] | None = None  # how many are copies of a training picture, and of how many; None as nearest


@dataclass(frozen=True)
class Evaluation:
    """All figures of a model.

    Attributes:
        confusions: Counts by what was asked for and what was read: of forms and of materials.
    """

    settings: dict[str, Any]  # what was asked for, by name
    samples: Measured  # measured of the model's samples
    renders: Measured  # measured of as many fresh renders of the same labels: what a perfect model would reach
    training_compared: int  # how many training pictures `nearest` looked at
    confusions: tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]
    judge: dict[str, Any]
    command: str
    machine: str  # what it ran on
    seconds: float  # how long it took

    @property
    def octave_ratios(self) -> tuple[float, ...]:
        """Power of the samples over that of the renders, per octave."""
        pairs = zip(self.samples.octaves, self.renders.octaves, strict=True)
        return tuple(one / other if other > 0 else float("inf") for one, other in pairs)

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, as they are written as JSON; the keys are always the same."""
        forms, materials = self.confusions
        return {
            **self.settings,
            "form_accuracy": _rounded(self.samples.form_accuracy),
            "material_accuracy": _rounded(self.samples.material_accuracy),
            "frechet_samples": _rounded(self.samples.frechet),
            "frechet_renders": _rounded(self.renders.frechet),
            "nearest_train": _rounded(self.samples.nearest),
            "nearest_renders": _rounded(self.renders.nearest),
            "copies_samples": _rounded(_share(self.samples.copies)),
            "copies_renders": _rounded(_share(self.renders.copies)),
            "training_compared": self.training_compared,
            **{f"{name}_{kind}": _rounded(asdict(found)[name]) for name in ("noise", "blur")
               for kind, found in (("samples", self.samples), ("renders", self.renders))},
            "lattice_samples": [round(each, 2) for each in self.samples.lattice],
            "lattice_renders": [round(each, 2) for each in self.renders.lattice],
            "octave_powers_of_renders": [round(each, 3) for each in self.octave_ratios],
            "form_accuracy_renders": _rounded(self.renders.form_accuracy),
            "material_accuracy_renders": _rounded(self.renders.material_accuracy),
            **self.judge,
            "accuracy_by_form": _by_label(forms),
            "accuracy_by_material": _by_label(materials),
            "form_confusions": forms,
            "material_confusions": materials,
            "command": self.command,
            "machine": self.machine,
            "seconds": round(self.seconds, 1),
        }  # fmt: skip


def count_confusions(names: tuple[str, ...], asked: torch.Tensor, read: torch.Tensor) -> dict[str, dict[str, int]]:
    """How often each label that was asked for was read as which, both (N,) int64; what never happened is left out."""
    pairs = Counter(zip(asked.tolist(), read.tolist(), strict=True))
    rows = {a: {names[r]: pairs[a, r] for r in range(len(names)) if pairs[a, r]} for a in range(len(names))}
    return {names[a]: row for a, row in rows.items() if row}


def _by_label(confusions: dict[str, dict[str, int]]) -> dict[str, float]:
    return {name: round(row.get(name, 0) / sum(row.values()), 4) for name, row in confusions.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def as_table(evaluation: Evaluation) -> str:
    """The figures for a person to read."""
    s, r, settings = evaluation.samples, evaluation.renders, evaluation.settings
    rows = [
        ("form as asked for", _percent(s.form_accuracy), _percent(r.form_accuracy)),
        ("material as asked for", _percent(s.material_accuracy), _percent(r.material_accuracy)),
        ("Fréchet distance to renders", f"{s.frechet:.3f}", f"{r.frechet:.3f}"),
        ("noise, 0 to 1", f"{s.noise:.3f}", f"{r.noise:.3f}"),
        ("blur, 0 to 1", f"{s.blur:.3f}", f"{r.blur:.3f}"),
    ]
    for times, (ours, theirs) in enumerate(zip(s.lattice, r.lattice, strict=True), 1):
        name = "lattice of patches" if times == 1 else f"the same, {times} times as fine"
        rows.append((name, f"{ours:.2f}", f"{theirs:.2f}"))
    if s.nearest is not None and r.nearest is not None:
        rows.append(("nearest training picture", f"{s.nearest:.4f}", f"{r.nearest:.4f}"))
    if s.copies is not None and r.copies is not None:
        (copied, count), (others, of) = s.copies, r.copies
        rows.append(("copies of training pictures", _percent(copied / count), _percent(others / of)))
    count = settings["samples"]
    counted, steps = plural(count, "1 sample", f"{count:,} samples"), steps_text(settings["steps"])
    head = f"{counted} of {settings['model']}, {steps} of {SAMPLERS[settings['sampler']].label}, guidance "
    lines = [f"{head}{number_text(settings['guidance'])}, seed {settings['seed']}, beside as many fresh renders", ""]
    lines += [f"  {'':28}{'samples':>10}{'renders':>10}", *(f"  {name:28}{a:>10}{b:>10}" for name, a, b in rows), ""]
    octaves = ", ".join(f"{each:.2f}" for each in evaluation.octave_ratios)
    lines.append(f"Power of the samples over the renders', by octave from the lowest frequencies on: {octaves}.")
    if evaluation.training_compared:
        lines.append(f"Compared with {evaluation.training_compared:,} training pictures.")
        if s.copies is not None:
            low, high = share_interval(*s.copies)
            lines += ["A copy is less than a third as far from one as from the next; 95 % interval of their share in",
                      f"samples: {100 * low:.1f} to {100 * high:.1f} %."]  # fmt: skip
    else:
        lines.append("Not known which renders the model was trained on: it has no training.json.")
    for title, found, names in zip(("Forms", "Materials"), evaluation.confusions, (FORMS, MATERIALS), strict=True):
        lines += [f"{title} read wrongly most often: {_mistakes(found, names)}."]
    return "\n".join([*lines, f"Took {evaluation.seconds:.0f} s on {evaluation.machine}."])


def lattice(pictures: torch.Tensor, patch: int) -> tuple[float, ...]:
    """How much a lattice of patches stands out of pictures: 1 is not at all.

    Of the mean power spectrum of the luminances (Hann window), the power at the patches' own frequency, across, down
    and aslant, over that of the frequencies beside it; on an axis, where pictures with upright edges have more power
    than beside it, those along the axis.

    Args:
        pictures: (N, 3, S, S) uint8; S is a multiple of the patch.
        patch: Edge of a patch in pixels.

    Returns:
        For the patches' frequency and each multiple of it up to the Nyquist frequency; empty for a patch of 1.
    """
    size = pictures.shape[-1]
    power, step = _mean_power(pictures), size // patch
    found = []
    for times in range(1, patch // 2 + 1):
        around = [(down, across) for down in range(-times, times + 1) for across in range(-times, times + 1)]
        here = [pair for pair in around if max(map(abs, pair)) == times]
        found.append(sum(_stands_out(power, down * step, across * step) for down, across in here) / len(here))
    return tuple(found)


_BESIDE = (-3, -2, 2, 3)
"""Frequencies beside one, as far away as a Hann window does not smear it."""


def _stands_out(power: torch.Tensor, down: int, across: int) -> float:
    size = len(power)
    if down == 0 or across == 0:
        beside = [(down + (down != 0) * far, across + (across != 0) * far) for far in _BESIDE]
    else:
        whole = range(-3, 4)
        beside = [(down + y, across + x) for y in whole for x in whole if max(abs(y), abs(x)) >= 2]
    others = torch.stack([power[y % size, x % size] for y, x in beside]).mean()
    return float(power[down % size, across % size] / others.clamp(min=1e-12))


def octave_powers(pictures: torch.Tensor) -> tuple[float, ...]:
    """Mean power of the luminances of (N, 3, S, S) uint8 per octave: from 1, 2, 4, … to 2, 4, 8, … cycles per picture.

    The last octave ends at the Nyquist frequency.
    """
    power, size = _mean_power(pictures), pictures.shape[-1]
    waves = torch.fft.fftfreq(size) * size
    radius = torch.hypot(waves[:, None], waves[None, :])
    ends = [2**n for n in range(size.bit_length()) if 2**n <= size // 2]
    return tuple(float(power[(radius >= low) & (radius < high)].mean()) for low, high in pairwise(ends))


def _mean_power(pictures: torch.Tensor) -> torch.Tensor:
    """(S, S) float64, the mean over the pictures of the power of their luminance under a Hann window."""
    size = pictures.shape[-1]
    window = torch.sin(torch.pi * (torch.arange(size, dtype=torch.float64) + 0.5) / size) ** 2
    weights = torch.tensor(LUMINANCE_WEIGHTS, dtype=torch.float64).reshape(1, 3, 1, 1)
    total = torch.zeros((size, size), dtype=torch.float64)
    for part in torch.split(pictures, AT_ONCE):
        plane = (part.double() / 127.5 * weights).sum(dim=1)
        plane = (plane - plane.mean(dim=(1, 2), keepdim=True)) * window[:, None] * window[None, :]
        total += torch.fft.fft2(plane).abs().square().sum(dim=0)
    return total / max(1, len(pictures))


def _share(found: tuple[int, int] | None) -> float | None:
    return None if found is None else found[0] / found[1]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _mistakes(confusions: dict[str, dict[str, int]], names: tuple[str, ...]) -> str:
    counts = {(a, r): n for a, row in confusions.items() for r, n in row.items() if a != r}
    most = sorted(counts, key=lambda pair: (-counts[pair], names.index(pair[0]), names.index(pair[1])))[:SHOWN_MISTAKES]
    return ", ".join(f"{a} as {r} ({counts[a, r]})" for a, r in most) or "none"


@dataclass(frozen=True)
class Gaussian:
    """The Gaussian that stands for a set of feature vectors."""

    mean: torch.Tensor  # (F,) float64
    covariance: torch.Tensor  # (F, F) float64


def fit(features: torch.Tensor) -> Gaussian:
    """Mean and covariance of features (N, F); one vector alone has no spread."""
    features = features.double()
    mean = features.mean(dim=0)
    centred = features - mean
    return Gaussian(mean, centred.T @ centred / max(len(features) - 1, 1))


def frechet(a: Gaussian, b: Gaussian) -> float:
    """The squared Fréchet distance |μa − μb|² + tr(Σa + Σb − 2 (Σa Σb)^½), 0 or more.

    The trace of (Σa Σb)^½ is that of the root of Σa^½ Σb Σa^½, which is symmetric: its eigenvalues are real and found
    without a general matrix root.

    Source: Dowson and Landau 1982, "The Fréchet distance between multivariate normal distributions"; Heusel et al.
    2017, equation 6.
    """
    values, vectors = torch.linalg.eigh(a.covariance)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    product = root @ b.covariance @ root
    overlap = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    apart = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * overlap
    return max(0.0, float(apart))
