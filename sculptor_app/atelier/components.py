"""Principal components of rendered sculptures, and the Gaussian that has their mean and covariance.

What a diffusion model does first, while a state is nearly all noise, is what it would do for this Gaussian. Pictures
are few beside their numbers, so all is computed from the products of each two of them, an (N, N) table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from sculptor_app.atelier.renderer import render
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import FORMS, MATERIALS
from sculptor_app.core.trajectory.levels import NoiseLevel

COMPONENT_SEEDS = 3 * 2**40
"""First seed of these renders: training, judges and evaluations have others."""


@dataclass(frozen=True)
class LabelledRenders:
    """Renders in rounds, each of which has every form once in every material that was asked for."""

    pictures: torch.Tensor  # (rounds * forms * materials, 3, S, S) float32 in [-1, 1]
    rounds: int
    materials: int  # how many in each round

    @property
    def means_of_forms(self) -> torch.Tensor:
        """Mean picture of each form in each round, (rounds, forms, 3·S·S) float32."""
        rows = self.pictures.reshape(self.rounds, self.materials, len(FORMS), -1)
        return rows.mean(dim=1)


def render_rounds(
    size: int, material: str | None, rounds: int, seed: int, stop: threading.Event, shared_scenes: bool = False
) -> Iterator[int | LabelledRenders]:
    """Renders of all forms in one material, or in all: how many rounds are there, and in the end the renders.

    Args:
        size: Edge in pixels.
        material: One of MATERIALS; None is all of them.
        seed: Another one gives other pictures.
        stop: Set from any thread to end it between two rounds.
        shared_scenes: Whether all forms of a round in one material have one composition, light and colours. What they
            differ in is the form alone then; means of few pictures scatter by the brightness of walls else.

    Raises:
        Cancelled: `stop` was set.
    """
    of = range(len(MATERIALS)) if material is None else [MATERIALS.index(material)]
    pairs = [(form, each) for each in of for form in range(len(FORMS))]
    parts: list[torch.Tensor] = []
    first = COMPONENT_SEEDS + seed * 2**20
    for number in range(rounds):
        if stop.is_set():
            raise Cancelled
        begin = first + number * len(pairs)
        seeds = [begin + (place // len(FORMS) if shared_scenes else place) for place in range(len(pairs))]
        parts.append(render(seeds, [form for form, _ in pairs], [each for _, each in pairs], size=size))
        yield number + 1
    yield LabelledRenders(torch.cat(parts), rounds, len(of))


@dataclass(frozen=True)
class PictureGaussian:
    """The Gaussian with the mean and covariance of pictures."""

    mean: torch.Tensor  # (3, S, S) float32
    components: torch.Tensor  # (K, 3·S·S) float32, orthonormal rows
    powers: torch.Tensor  # (K,) float32, the variance along each, falling; there is none along all other directions

    def flow(self, x: torch.Tensor, here: NoiseLevel, there: NoiseLevel) -> torch.Tensor:
        """Where the deterministic sampler of infinitely many steps takes states, if this Gaussian were the data.

        From white noise it gives the Gaussian at a level, a x_0 + s n, exactly.

        Args:
            x: States (B, 3, S, S) at the level `here`.

        Source: Wang and Vastola 2024, "The unreasonable effectiveness of Gaussian score approximation":
        along a component of variance λ a state moves as √(a²λ + s²).
        """
        rows = (x - here.signal * self.mean).flatten(1)
        plain = there.noise / here.noise
        widths = [(level.signal**2 * self.powers + level.noise**2).sqrt() for level in (here, there)]
        along = (rows @ self.components.T) * (widths[1] / widths[0] - plain)
        moved = plain * rows + along @ self.components
        return there.signal * self.mean + moved.reshape(x.shape)


def fit_gaussian(pictures: torch.Tensor) -> PictureGaussian:
    """Mean and covariance of pictures (N, 3, S, S), N of 2 and more, as a Gaussian."""
    rows = pictures.flatten(1)
    mean = rows.mean(dim=0)
    centred = rows - mean
    powers, vectors = torch.linalg.eigh((centred @ centred.T).double() / (len(rows) - 1))  # rising
    kept = powers > 1e-6 * powers[-1]
    powers, vectors = powers[kept].flip(0), vectors[:, kept].flip(1)
    components = (vectors.T.float() @ centred) / ((len(rows) - 1) * powers).sqrt().float()[:, None]
    return PictureGaussian(mean.reshape(pictures.shape[1:]), components, powers.float())


def main_power(pictures: torch.Tensor, together: int = 1) -> tuple[float, float]:
    """The largest eigenvalue of the covariance of pictures (N, 3, S, S), over all their pixels, and its standard error.

    The error is the infinitesimal jackknife: one picture more moves an eigenvalue by its squared score less the
    eigenvalue (Efron 1982, chapter 6).

    Args:
        together: So many pictures in a row are of one scene, and count as one where the error is concerned.
    """
    rows = pictures.flatten(1)
    centred = rows - rows.mean(dim=0)
    count = len(rows)
    powers, vectors = torch.linalg.eigh((centred @ centred.T).double() / (count - 1))
    scores = vectors[:, -1].square() * powers[-1] * (count - 1)
    of_scenes = scores.reshape(-1, together).mean(dim=1)
    return float(powers[-1]), float(of_scenes.std() / len(of_scenes) ** 0.5)


def between_power(means: torch.Tensor) -> float:
    """The largest eigenvalue of the covariance of the classes' mean pictures.

    What the means of finitely many pictures scatter by chance is taken off: it is the same in all directions between
    the classes, as many as there are pictures in each.

    Args:
        means: (R, C, D), the mean picture of each of C classes in each of R rounds, two or more.
    """
    rounds, classes = means.shape[:2]
    of_classes = means.mean(dim=0)
    centred = (of_classes - of_classes.mean(dim=0)).double()
    chance = float((means - of_classes).double().square().sum()) / ((rounds - 1) * rounds * classes) / classes
    return max(0.0, float(torch.linalg.eigvalsh(centred @ centred.T / classes)[-1]) - chance)
