"""How far two sets of feature vectors are apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Gaussian:
    """The Gaussian that stands for a set of feature vectors.

    Attributes:
        mean: (F,) float64.
        covariance: (F, F) float64.
    """

    mean: torch.Tensor
    covariance: torch.Tensor


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
